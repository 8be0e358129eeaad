internal import TestSupport
internal import Testing
internal import Upstream

/// One way in which a server says 429, with the wait and the verdict that the table gives it.
private struct Limit {
    var headers: [String: String] = [:]
    var body = "{}"
    /// Milliseconds that are named; nil for none.
    var wait: Int?
    var kind = UpstreamFailure.Kind.throttled
    var isRetryable = true

    private static func google(_ quota: String, _ delay: String?) -> String {
        let info =
            delay.map { #",{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"\#($0)"}"# }
            ?? ""
        return
            #"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"quota","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"\#(quota)"}]}\#(info)]}}"#
    }

    /// A date as RFC 9110 writes it, so many seconds after Wed, 25 Nov 2026 06:00:00 GMT.
    private static func date(_ seconds: Int) -> String {
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return
            "Wed, 25 Nov 2026 \(two(6 + seconds / 3600)):\(two(seconds / 60 % 60)):\(two(seconds % 60)) GMT"
    }

    static func any(_ random: inout SeededRandom) -> Limit {
        let seconds = random.int(0...600)
        switch random.int(0...6) {
        case 0: return Limit(headers: ["retry-after": date(seconds)], wait: seconds * 1000)
        case 1: return Limit(headers: ["retry-after": "\(seconds)"], wait: seconds * 1000)
        case 2:
            let milliseconds = random.int(0...900_000)
            return Limit(
                headers: ["retry-after-ms": "\(milliseconds)", "retry-after": "1"], wait: milliseconds)
        case 3:
            return Limit(
                body: google("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "\(seconds).25s"),
                wait: seconds * 1000 + 250)
        case 4:
            let delay = random.oneIn(2) ? "\(seconds)s" : nil
            return Limit(
                body: google("GenerateRequestsPerDayPerProjectPerModel-FreeTier", delay),
                wait: delay == nil ? nil : seconds * 1000, kind: .quota, isRetryable: false)
        case 5: return Limit(body: google("GenerateRequestsPerMinutePerProject", nil), wait: 60_000)
        default: return Limit()
        }
    }
}

@Suite struct `A thousand limits` {
    private static let now: Int64 = 1_795_586_400_000  // Wed, 25 Nov 2026 06:00:00 GMT

    @Test func `are waited for as the table says, and never less than the server names`() {
        var random = SeededRandom()
        let policy = RetryPolicy(attempts: 3, total: 120_000)
        var waited = 0, refused = 0
        for number in 1...1_000 {
            let limit = Limit.any(&random)
            let report = FailureReport(
                status: 429, headers: limit.headers, body: Array(limit.body.utf8), now: Self.now)
            let failure = FailureClassifier.failure(report)
            let place: Comment = "number \(number), \(random)"
            #expect(failure.kind == limit.kind && failure.retryAfter == limit.wait, place)
            #expect(failure.isRetryable == limit.isRetryable, place)
            // The clock moves by what the plan says: the whole turn stays within its bounds.
            var plan = RoutePlan(route: ["only"]), clock = 0, tries = 1
            _ = plan.begin(policy: policy) { _ in .ready }
            while case .ask(_, let wait) = plan.next(
                after: failure, policy: policy, elapsed: clock, random: Double(random.int(0...100)) / 100,
                { _ in .ready })
            {
                #expect(wait >= limit.wait ?? 300, place)
                clock += wait
                tries += 1
                waited += 1
            }
            #expect(clock <= policy.total && tries <= policy.attempts, place)
            #expect(limit.isRetryable && (limit.wait ?? 0) <= policy.total || tries == 1, place)
            refused += tries == 1 ? 1 : 0
        }
        #expect(waited > 300 && refused > 300)
    }

    @Test func `send a route's prompts to the other upstream, and say the wait where there is none`() {
        var random = SeededRandom()
        let policy = RetryPolicy()
        for _ in 1...1_000 {
            let limit = Limit.any(&random)
            let report = FailureReport(
                status: 429, headers: limit.headers, body: Array(limit.body.utf8), now: Self.now)
            let failure = FailureClassifier.failure(report)
            var plan = RoutePlan(route: ["first", "second"])
            _ = plan.begin(policy: policy) { _ in .ready }
            let step = plan.next(after: failure, policy: policy, elapsed: 0, random: 0.5) { _ in .ready }
            let isShort = limit.isRetryable && (limit.wait ?? 0) <= policy.patience
            #expect(step == .ask(isShort ? "first" : "second", wait: isShort ? max(400, limit.wait ?? 0) : 0))
            var alone = RoutePlan(route: ["first"])
            _ = alone.begin(policy: policy) { _ in .ready }
            guard
                case .fail(let said) = alone.next(
                    after: failure, policy: policy, elapsed: 0, random: 0.5, { _ in .ready })
            else { continue }
            #expect(said.retryAfter == limit.wait, "\(random)")
        }
    }
}
