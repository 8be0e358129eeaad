internal import Testing
internal import Upstream

@Suite struct `A date that a server names as a wait` {
    /// 2026-11-25T06:00:00Z, in milliseconds.
    private static let now: Int64 = 1_795_586_400_000

    private func wait(_ date: String, at server: String?, local: Int64 = now) -> Int? {
        var headers = ["retry-after": date]
        headers["date"] = server
        return RetryAfter.milliseconds(headers, now: local)
    }

    @Test(arguments: [-120_000, 0, 120_000, 7_200_000]) func `is measured by the server's own clock`(
        skew: Int64
    ) {
        let got = wait(
            "Wed, 25 Nov 2026 06:00:03 GMT", at: "Wed, 25 Nov 2026 06:00:00 GMT",
            local: Self.now + skew)
        #expect(got == 3_000)
    }

    @Test func `is measured by the local clock where the answer has no date, or none that can be read`() {
        #expect(wait("Wed, 25 Nov 2026 06:00:03 GMT", at: nil) == 3_000)
        #expect(wait("Wed, 25 Nov 2026 06:00:03 GMT", at: "yesterday") == 3_000)
        #expect(wait("Wed, 25 Nov 2026 05:59:00 GMT", at: nil) == 0)
    }

    @Test(arguments: [
        "Wed, 25 Nov 2026 06:00:03 GMT", "Wednesday, 25-Nov-26 06:00:03 GMT", "Wed Nov 25 06:00:03 2026",
        "Wed, 25 Nov 2026 06:00:03 GMT \t", " Wednesday, 25-Nov-26 06:00:03 GMT",
        "Wed Nov 25 06:00:03 2026  ",
    ]) func `may have any of HTTP's three forms, and blanks around it`(date: String) {
        #expect(wait(date, at: nil) == 3_000)
        #expect(wait("Wed, 25 Nov 2026 06:00:03 GMT", at: date) == 0)
    }

    @Test func `of two digits for a year is at most 50 years ahead`() {
        #expect(wait("Sunday, 06-Nov-94 08:49:37 GMT", at: nil) == 0)
        #expect(wait("Sunday, 01-Dec-26 06:00:00 GMT", at: nil) == 518_400_000)
    }

    @Test func `and a number may have blanks behind it`() {
        #expect(RetryAfter.milliseconds(["retry-after": "3 "], now: 0) == 3_000)
        #expect(RetryAfter.milliseconds(["retry-after-ms": "30\t"], now: 0) == 30)
    }
}
