/// Keeps requests from an upstream that fails again and again, and lets one through now and then to see (half-open).
///
/// Times are milliseconds of a clock that only its owner knows.
package struct Breaker: Sendable, Equatable {
    /// When it opens and for how long.
    package struct Policy: Sendable, Equatable {
        /// Failures in a row that open it.
        package var failures: Int
        /// Milliseconds until the first probe; doubled after each that fails, up to `longest`.
        package var cooldown: Int
        /// Milliseconds between probes at most.
        package var longest: Int
        package init(failures: Int = 3, cooldown: Int = 5_000, longest: Int = 60_000) {
            self.failures = failures
            self.cooldown = cooldown
            self.longest = longest
        }
    }

    /// Whether requests go through.
    package enum State: Sendable, Equatable {
        /// All is well; so many failures in a row.
        case closed(failures: Int)
        /// Nothing goes through before `until`.
        case open(until: Int64, cooldown: Int)
        /// One request is out to see; if nothing is heard of it, the next may go at `until`.
        case halfOpen(until: Int64, cooldown: Int)
    }

    package private(set) var state = State.closed(failures: 0)
    private let policy: Policy

    package init(_ policy: Policy = Policy()) { self.policy = policy }

    /// Milliseconds until a request may go, 0 for at once.
    package func wait(now: Int64) -> Int {
        switch state {
        case .closed: 0
        case .open(let until, _), .halfOpen(let until, _): Int(max(0, until - now))
        }
    }

    /// A request goes out; when the breaker's time is over, it is the probe.
    package mutating func sent(now: Int64) {
        switch state {
        // Of a probe that nothing was heard of the next one takes the place, and again only one.
        case .open(let until, let cooldown) where now >= until,
            .halfOpen(let until, let cooldown) where now >= until:
            state = .halfOpen(until: now + Int64(cooldown), cooldown: cooldown)
        default: break
        }
    }

    /// The upstream answered as it should.
    package mutating func succeeded() { state = .closed(failures: 0) }

    /// The upstream failed by its own fault.
    package mutating func failed(now: Int64) {
        switch state {
        case .closed(let failures):
            let count = failures + 1
            state =
                count < policy.failures
                ? .closed(failures: count)
                : .open(until: now + Int64(policy.cooldown), cooldown: policy.cooldown)
        case .halfOpen(_, let cooldown):
            let longer = min(2 * cooldown, policy.longest)
            state = .open(until: now + Int64(longer), cooldown: longer)
        case .open: break  // a request that went out before it opened
        }
    }

    /// `closed`, `open` or `half-open`.
    package var name: String {
        switch state {
        case .closed: "closed"
        case .open: "open"
        case .halfOpen: "half-open"
        }
    }
}
