/// When to try a failed call again (wire.md G3, design section 10).
package struct RetryPolicy: Sendable, Equatable {
    /// Tries per upstream.
    package var attempts: Int
    /// Milliseconds from the first try to the last, all upstreams together.
    package var total: Int
    /// Milliseconds before the second try.
    package var base: Int
    /// The longest wait without a word from the server, in milliseconds.
    package var cap: Int

    package init(attempts: Int = 3, total: Int = 120_000, base: Int = 500, cap: Int = 8_000) {
        self.attempts = attempts
        self.total = total
        self.base = base
        self.cap = cap
    }

    /// The wait before try number `next` (from 2): base·2ⁿ·(0.6…1.0), never below what the server names.
    ///
    /// `random` is from 0 to 1. Returns nil when there must be no further try.
    package func wait(before next: Int, elapsed: Int, retryAfter: Int?, random: Double) -> Int? {
        guard next <= attempts else { return nil }
        let grown = min(cap, base << min(next - 2, 10))
        let jittered = Int(Double(grown) * (0.6 + 0.4 * min(max(random, 0), 1)))
        let wait = max(jittered, retryAfter ?? 0)
        return elapsed + wait <= total ? wait : nil
    }
}

/// The tries of one turn along its route.
package struct RoutePlan: Sendable, Equatable {
    /// Names of upstreams, first to last.
    package let route: [String]
    /// Which of them is asked now.
    package private(set) var position = 0
    /// Tries with the present upstream.
    package private(set) var tries = 1
    /// Tries in all.
    package private(set) var number = 1

    package init(route: [String]) { self.route = route }

    package var current: String { route[position] }

    /// Moves on after a failure; nil when nothing is left to try.
    package mutating func next(
        after failure: UpstreamFailure, policy: RetryPolicy, elapsed: Int, random: Double
    ) -> (wait: Int, upstream: String)? {
        if failure.isRetryable,
            let wait = policy.wait(
                before: tries + 1, elapsed: elapsed, retryAfter: failure.retryAfter, random: random)
        {
            tries += 1
            number += 1
            return (wait, current)
        }
        guard failure.kind != .overflow, failure.kind != .refused || failure.isRetryable,
            position + 1 < route.count,
            elapsed < policy.total
        else { return nil }
        position += 1
        tries = 1
        number += 1
        return (0, current)
    }
}
