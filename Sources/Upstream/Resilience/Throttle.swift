/// Requests and tokens per minute: two buckets that fill evenly and never hold more than a minute's worth.
///
/// Times are milliseconds of a clock that only its owner knows.
package struct Throttle: Sendable, Equatable {
    /// What is allowed; nil is no limit.
    package struct Limits: Sendable, Equatable {
        package var requestsPerMinute: Int?
        package var tokensPerMinute: Int?
        package init(requestsPerMinute: Int? = nil, tokensPerMinute: Int? = nil) {
            self.requestsPerMinute = requestsPerMinute
            self.tokensPerMinute = tokensPerMinute
        }
    }

    private struct Bucket: Sendable, Equatable {
        let perMinute: Double
        var level: Double
        var at: Int64

        init(_ perMinute: Int, now: Int64) {
            self.perMinute = Double(perMinute)
            level = Double(perMinute)
            at = now
        }

        private func level(now: Int64) -> Double {
            min(perMinute, level + Double(max(0, now - at)) * perMinute / 60_000)
        }

        /// Behind others that take so much before; a request bigger than the bucket waits for a full one.
        func wait(for amount: Int, behind others: Int, now: Int64) -> Int {
            let missing = min(Double(amount), perMinute) + Double(others) - level(now: now)
            return missing <= 0 ? 0 : Int(ceiling: missing * 60_000 / perMinute)
        }

        mutating func take(_ amount: Int, now: Int64) {
            level = level(now: now) - Double(amount)
            at = max(at, now)
        }
    }

    private var requests: Bucket?
    private var tokens: Bucket?

    /// Begins with full buckets.
    package init(_ limits: Limits, now: Int64) {
        requests = limits.requestsPerMinute.map { Bucket($0, now: now) }
        tokens = limits.tokensPerMinute.map { Bucket($0, now: now) }
    }

    /// Milliseconds until a request of so many tokens may go behind others that wait, 0 for at once.
    package func wait(
        tokens amount: Int, behind others: (requests: Int, tokens: Int) = (0, 0), now: Int64
    ) -> Int {
        max(
            requests?.wait(for: 1, behind: others.requests, now: now) ?? 0,
            tokens?.wait(for: amount, behind: others.tokens, now: now) ?? 0)
    }

    /// Takes what a request needs, as from its estimate; an upstream's answer is settled with `correct`.
    package mutating func take(tokens amount: Int, now: Int64) {
        requests?.take(1, now: now)
        tokens?.take(amount, now: now)
    }

    /// Puts right what an estimate missed: tokens that were used beyond it, or given back when negative.
    package mutating func correct(tokens amount: Int, now: Int64) { tokens?.take(amount, now: now) }
}
