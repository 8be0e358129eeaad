/// How an upstream has fared, for the choice of a route and for people.
package struct Health: Sendable, Equatable {
    package var breaker: Breaker
    /// What a server asked to wait for.
    var gates = ModelGates<Pause>()

    /// Why a server asked to wait.
    struct Pause: Sendable, Equatable {
        let failure: UpstreamFailure
        /// Whether the server named the time.
        let isFirm: Bool
    }

    /// The last failure with its time.
    package var lastFailure: (failure: UpstreamFailure, at: Int64)? { failure.map { ($0, failedAt) } }
    private var failure: UpstreamFailure?
    private var failedAt: Int64 = 0
    /// The turn that failed last, where it was one.
    package private(set) var lastTurn: String?
    /// When it last answered; milliseconds since 1970.
    package private(set) var lastSuccess: Int64?
    /// Milliseconds to the first content, smoothed; nil before the first answer.
    package private(set) var latency: Double?
    /// Calls that came to their end, counted in memory alone.
    package private(set) var answers = 0
    /// Calls that failed, counted likewise.
    package private(set) var failures = 0

    package init(_ breaker: Breaker = Breaker()) { self.breaker = breaker }

    /// An answer came to its end, `first` milliseconds after its request.
    package mutating func answered(now: Int64, first: Int?) {
        breaker.succeeded()
        lastSuccess = now
        answers += 1
        if let first { latency = latency.map { $0 * 0.8 + Double(first) * 0.2 } ?? Double(first) }
    }

    /// A request failed; only faults of the upstream itself count against it.
    ///
    /// `failure` must hold no word of the server's; `at` is in milliseconds since 1970, `now` of the clock of the waits.
    package mutating func failed(_ failure: UpstreamFailure, turn: String? = nil, at: Int64, now: Int64) {
        self.failure = failure
        failedAt = at
        lastTurn = turn
        failures += 1
        switch failure.kind {
        case .unavailable, .timeout, .protocolError, .interrupted: breaker.failed(now: now)
        case .auth, .refused, .overflow, .throttled, .quota: breaker.answeredAnyhow()
        }
    }

    /// Milliseconds for which the server asked to be left alone with a model, 0 for none; nil stands for any.
    package func gateWait(for model: String?, now: Int64) -> Int {
        Int(max(0, (model == nil ? gates.latest : gates.until(for: model)) - now))
    }
}

extension Breaker {
    /// The upstream lives, though it refused: a probe has found it up.
    mutating func answeredAnyhow() {
        if case .halfOpen = state { succeeded() }
    }
}

/// Whether an upstream may be asked now.
package enum Availability: Sendable, Equatable {
    case ready
    /// Not for so many milliseconds; a block that is not firm may be broken where nobody else is left to ask.
    case blocked(milliseconds: Int, UpstreamFailure, isFirm: Bool)

    var wait: Int { if case .blocked(let wait, _, _) = self { wait } else { 0 } }
}
