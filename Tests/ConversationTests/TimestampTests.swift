import Conversation
import TestSupport
import Testing

@Suite struct `A time` {
    /// Worked out by `date -u -d TIME +%s`.
    static let known: [(String, Int64)] = [
        ("1970-01-01T00:00:00.000Z", 0), ("1970-01-01T00:00:00.001Z", 1), ("1969-12-31T23:59:59.999Z", -1),
        ("2026-11-25T06:00:00.000Z", 1_795_586_400_000), ("2000-02-29T12:34:56.789Z", 951_827_696_789),
        ("2024-02-29T23:59:59.999Z", 1_709_251_199_999), ("2024-03-01T00:00:00.000Z", 1_709_251_200_000),
        ("1900-02-28T00:00:00.000Z", -2_203_977_600_000), ("1900-03-01T00:00:00.000Z", -2_203_891_200_000),
        ("2100-03-01T00:00:00.000Z", 4_107_542_400_000), ("0001-01-01T00:00:00.000Z", -62_135_596_800_000),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
    ]

    @Test(arguments: known) func `is written as RFC 3339 in UTC with milliseconds`(
        _ text: String, _ milliseconds: Int64
    ) {
        #expect(Timestamp.text(milliseconds) == text)
    }

    @Test(arguments: known) func `is read as it is written`(_ text: String, _ milliseconds: Int64) {
        #expect(Timestamp.milliseconds(text) == milliseconds)
    }

    @Test(
        arguments: [
            ("2026-11-25T06:00:00Z", 1_795_586_400_000), ("2026-11-25t06:00:00z", 1_795_586_400_000),
            ("2026-11-25 06:00:00Z", 1_795_586_400_000),
            ("2026-11-25T06:00:00.5Z", 1_795_586_400_500), ("2026-11-25T06:00:00.05Z", 1_795_586_400_050),
            ("2026-11-25T06:00:00.123456789Z", 1_795_586_400_123),
            ("2026-11-25T07:30:00+01:30", 1_795_586_400_000),
            ("2026-11-24T22:00:00-08:00", 1_795_586_400_000),
            ("2026-11-25T06:00:00-00:00", 1_795_586_400_000),
            ("2026-11-26T05:59:00+23:59", 1_795_586_400_000), ("2016-12-31T23:59:60Z", 1_483_228_800_000),
        ] as [(String, Int64)])
    func `is read in other zones and precisions`(_ text: String, _ milliseconds: Int64) {
        #expect(Timestamp.milliseconds(text) == milliseconds)
    }

    @Test(arguments: [
        "", "now", "2026-11-25", "2026-11-25T06:00:00", "2026-11-25T06:00Z", "2026-11-25T06:00:00.Z",
        "2026-11-25T06:00:00.000",
        "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-11-00T00:00:00Z", "2026-11-32T00:00:00Z",
        "2026-11-25T24:00:00Z",
        "2026-11-25T06:60:00Z", "2026-11-25T06:00:61Z", "2026-11-25T06:00:00+1:00",
        "2026-11-25T06:00:00+0100", "2026-11-25T06:00:00 Z",
        "26-11-25T06:00:00Z", "+2026-11-25T06:00:00Z", "2026/11/25T06:00:00Z", "2026-11-25T06:00:00Zx",
        "2026-11-25T06:00:0０Z", "1795586400000",
        "2026-11-25T-6:00:00Z",
    ])
    func `is not read from anything else`(_ text: String) { #expect(Timestamp.milliseconds(text) == nil) }

    @Test(arguments: [
        "2026-02-29T00:00:00Z", "2100-02-29T00:00:00Z", "2024-02-30T00:00:00Z", "2026-04-31T00:00:00Z",
        "2026-11-31T00:00:00Z",
    ])
    func `is not read from a day that no calendar has`(_ text: String) {
        #expect(Timestamp.milliseconds(text) == nil)
    }

    @Test(arguments: ["2026-11-25T06:00:00+24:00", "2026-11-25T06:00:00+00:60", "2026-11-25T06:00:00-99:99"])
    func `is not read from a zone that no clock has`(_ text: String) {
        #expect(Timestamp.milliseconds(text) == nil)
    }

    @Test func `comes back from its text, in the same order`() {
        var random = SeededRandom()
        var times: [Int64] = []
        for _ in 0..<2_000 {
            let time = Int64.random(in: -62_135_596_800_000...253_402_300_799_999, using: &random)
            #expect(Timestamp.milliseconds(Timestamp.text(time)) == time, "\(random)")
            times.append(time)
        }
        #expect(times.sorted().map(Timestamp.text) == times.map(Timestamp.text).sorted(), "\(random)")
    }

    @Test func `goes from day to day through 500 years without a gap`() {
        var day: Int64 = -11_676_096_000_000  // 1600-01-01
        var last = ""
        for _ in 0..<182_622 {
            let text = String(Timestamp.text(day).prefix(10))
            #expect(text > last)
            last = text
            day += 86_400_000
        }
        #expect(last == "2099-12-31")
    }
}
