/// When to try a failed call again (wire.md G3, design section 10).
package struct RetryPolicy: Sendable, Equatable {
    /// What becomes of an answer that is cut after visible text.
    package enum CutStream: String, Sendable, CaseIterable {
        /// The turn ends as interrupted; it can be continued.
        case stop
        /// The answer is made anew under another message ID.
        case restart
    }

    /// Tries per upstream.
    package var attempts: Int
    /// Milliseconds from the first try to the last, all upstreams together; one that was not asked yet is asked later too.
    package var total: Int
    /// Milliseconds before the second try.
    package var base: Int
    /// The longest wait without a word from the server, in milliseconds.
    package var cap: Int
    /// A wait up to this many milliseconds is waited for before another upstream of the route is asked.
    package var patience: Int
    /// Whether visible text that was cut stays the answer.
    package var cutStream: CutStream

    package init(
        attempts: Int = 3, total: Int = 120_000, base: Int = 500, cap: Int = 8_000, patience: Int = 2_000,
        cutStream: CutStream = .stop
    ) {
        self.attempts = attempts
        self.total = total
        self.base = base
        self.cap = cap
        self.patience = patience
        self.cutStream = cutStream
    }

    /// The wait after so many tries: base·2ⁿ·(0.6…1.0), never below what the server names; `random` is from 0 to 1.
    package func backoff(after tries: Int, retryAfter: Int?, random: Double) -> Int {
        let grown = min(cap, base << min(max(tries - 1, 0), 10))
        let jittered = Int(Double(grown) * (0.6 + 0.4 * min(max(random, 0), 1)))
        return max(jittered, retryAfter ?? 0)
    }
}
