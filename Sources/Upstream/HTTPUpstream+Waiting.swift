internal import Conversation

extension HTTPUpstream {
    // MARK: Who must wait

    package func wait(_ place: ThrottleLine.Place, tokens: Int, milliseconds: Int) {
        line.wait(place, tokens: tokens, milliseconds: milliseconds, now: steady())
    }

    package func leave(_ place: ThrottleLine.Place, isServed: Bool) { line.leave(place, isServed: isServed) }

    package func availability(of model: String, tokens: Int, for place: ThrottleLine.Place?) -> Availability {
        let now = steady()
        if let gate = health.gates.gate(for: model, now: now) {
            var failure = gate.reason.failure
            failure.retryAfter = Int(gate.until - now)
            return .blocked(milliseconds: Int(gate.until - now), failure, isFirm: gate.reason.isFirm)
        }
        let others = place.map { line.before($0, now: now) } ?? (0, 0)
        let wait = throttle.wait(tokens: tokens, behind: others, now: now)
        if wait > 0 {
            let words = "upstream '\(name)' has used what its 'throttle' in the configuration allows a minute"
            var failure = UpstreamFailure(.throttled, words, isRetryable: true, retryAfter: wait)
            failure.isOwnLimit = true
            return .blocked(milliseconds: wait, failure, isFirm: true)
        }
        let pause = health.breaker.wait(now: now)
        guard pause > 0 else { return .ready }
        let why = health.lastFailure.map { ": \($0.failure.message)" } ?? ""
        let failure = UpstreamFailure(
            .unavailable, "upstream '\(name)' failed again and again and is left alone for a while\(why)",
            isRetryable: true, retryAfter: pause)
        return .blocked(milliseconds: pause, failure, isFirm: false)
    }
}

extension Turn.Finish {
    /// Passes what the provider says of the request through `strike`.
    mutating func strikeWords(_ strike: (String) -> String) {
        cacheMiss = cacheMiss.map(strike)
        transformations = transformations.map { one in
            var struck = Turn.Transformation(type: strike(one.type), reason: strike(one.reason))
            struck.count = one.count
            return struck
        }
    }
}
