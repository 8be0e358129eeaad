/// The tries of one turn along its route: who is asked next, and after how long.
package struct RoutePlan: Sendable, Equatable {
    /// What to do.
    package enum Step: Sendable, Equatable {
        /// Ask this upstream after so many milliseconds.
        case ask(String, wait: Int)
        /// Nobody is left to ask; the turn fails of this.
        case fail(UpstreamFailure)
    }

    /// Keys and changed requests tried at once, at most, with each upstream.
    private static let mostRepairs = 8

    /// Names of upstreams, first to last.
    package let route: [String]
    /// Which of them is asked now.
    package private(set) var position = 0
    /// Tries in all.
    package private(set) var number = 0
    /// The last failure that another upstream might not have, and whose it was.
    private var outage: UpstreamFailure?
    private var outagePosition = 0
    private var tries: [Int]
    private var repairs: [Int]
    private var isUsedUp: [Bool]
    /// The last wait of each that no server asked for; the next one is longer, whatever others wait for meanwhile.
    private var waited: [Int]

    /// Begins before the first try; a route has at least one upstream.
    package init(route: [String]) {
        self.route = route
        tries = route.map { _ in 0 }
        repairs = tries
        isUsedUp = route.map { _ in false }
        waited = tries
    }

    /// The name of the upstream that is asked now.
    package var current: String { route[position] }

    /// The first upstream that may be asked: the first of the route, unless it must be waited for and another need not.
    package mutating func begin(
        policy: RetryPolicy, elapsed: Int = 0, _ availability: (String) -> Availability
    ) -> Step {
        choose(policy, elapsed, nil, availability)
    }

    /// What follows a failure of the upstream that was asked; `holdsMore` tells who may hold a request that is too long for it.
    package mutating func next(
        after failure: UpstreamFailure, policy: RetryPolicy, elapsed: Int, random: Double,
        holdsMore: (String) -> Bool = { _ in false }, _ availability: (String) -> Availability
    ) -> Step {
        var failure = failure
        if failure.retriesAtOnce {
            if repairs[position] < RoutePlan.mostRepairs {
                repairs[position] += 1
                number += 1
                return .ask(current, wait: 0)
            }
            let most = RoutePlan.mostRepairs + 1
            failure.message += "; no more than \(most) keys or forms of a request are tried in a row"
        }
        if !failure.isRetryable || tries[position] >= policy.attempts { isUsedUp[position] = true }
        if failure.kind == .overflow { return passOver(failure, policy, elapsed, holdsMore, availability) }
        // A prompt that is not taken here is not taken elsewhere either, as far as one can know.
        if failure.kind == .refused && !failure.isRetryable && failure.status != 404 { return .fail(failure) }
        (outage, outagePosition) = (failure, position)
        let grown = min(policy.cap, waited[position] * 3 / 2)
        let pause = max(grown, policy.backoff(after: tries[position], retryAfter: nil, random: random))
        return choose(policy, elapsed, (failure, pause), availability)
    }

    /// A request does not fit who was asked: only those are left that may hold more.
    ///
    /// Where nobody is, an outage that led here is told: it is why the smaller one was asked at all.
    private mutating func passOver(
        _ failure: UpstreamFailure, _ policy: RetryPolicy, _ elapsed: Int, _ holdsMore: (String) -> Bool,
        _ availability: (String) -> Availability
    ) -> Step {
        isUsedUp[position] = true
        for index in route.indices where !isUsedUp[index] && !holdsMore(route[index]) {
            isUsedUp[index] = true
        }
        let name = current
        let other = outagePosition == position ? nil : outage
        if isUsedUp.contains(false) { return choose(policy, elapsed, (other ?? failure, 0), availability) }
        guard var verdict = other else { return .fail(failure) }
        verdict.message += "; and for upstream '\(name)' it is too long: \(failure.message)"
        return .fail(verdict)
    }

    /// The same upstream is asked once more with a smaller request.
    package mutating func repeats() { number += 1 }

    /// One upstream that is not used up, as it stands now.
    private struct Option {
        let index: Int
        /// Milliseconds until it should be asked.
        let wait: Int
        /// Milliseconds until it may be asked where nobody else is left.
        let least: Int
        /// Whether the wait is this turn's own; who is left alone because of others is not waited for while another is ready.
        let isOwn: Bool
    }

    /// What to do once a wait is over: ask who was waited for, unless it is to be left alone again by now.
    package mutating func resume(
        policy: RetryPolicy, elapsed: Int, _ availability: (String) -> Availability
    ) -> Step {
        guard availability(current).wait > 0 else { return .ask(current, wait: 0) }
        tries[position] -= 1
        number -= 1
        let before = position
        let step = choose(policy, elapsed, nil, availability)
        // What is waited for others counts too: the next wait of this turn is longer than all of this one.
        if case .ask(_, let wait) = step, position == before { waited[position] += wait }
        return step
    }

    /// The first upstream that is ready soon; else one whose breaker is open, as a probe; else the one that is ready first.
    private mutating func choose(
        _ policy: RetryPolicy, _ elapsed: Int, _ last: (failure: UpstreamFailure, pause: Int)?,
        _ availability: (String) -> Availability
    ) -> Step {
        var blocks: [UpstreamFailure] = []
        let options = route.indices.filter { !isUsedUp[$0] }.map { index in
            let pause = index == position ? last?.pause ?? 0 : 0
            let backoff = index == position ? max(pause, last?.failure.retryAfter ?? 0) : 0
            guard case .blocked(let blocked, let failure, let isFirm) = availability(route[index]) else {
                return Option(index: index, wait: backoff, least: backoff, isOwn: true)
            }
            blocks.append(failure)
            // Those who waited for the same moment must not all come back in it.
            let wait = max(blocked + pause, backoff)
            return Option(
                index: index, wait: wait, least: isFirm ? wait : backoff,
                isOwn: isFirm && last != nil && index == position)
        }
        let soon =
            options.first { $0.isOwn && $0.wait <= policy.patience }
            ?? options.first { $0.wait <= policy.patience }
        let probe = options.first { $0.least <= policy.patience }
        let chosen =
            soon.map { ($0.index, $0.wait) } ?? probe.map { ($0.index, $0.least) }
            ?? options.min { $0.least < $1.least }.map { ($0.index, $0.least) }
        // Who was not asked yet has a try: a server that says nothing uses up the time, and the others are there for that.
        let fresh = options.first { tries[$0.index] == 0 && $0.wait == 0 }
        let inTime = chosen.flatMap { elapsed + $0.1 <= policy.total ? $0 : nil }
        guard let (index, wait) = inTime ?? (last == nil ? nil : fresh.map { ($0.index, $0.wait) }) else {
            return .fail(refusal(last?.failure ?? blocks.first, chosen?.1))
        }
        if index == position, let last, last.failure.retryAfter == nil { waited[index] = wait }
        position = index
        tries[index] += 1
        number += 1
        return .ask(current, wait: wait)
    }

    /// The failure with the wait that would have been needed.
    private func refusal(_ failure: UpstreamFailure?, _ wait: Int?) -> UpstreamFailure {
        var failure =
            failure ?? UpstreamFailure(.unavailable, "no upstream is left to ask", isRetryable: false)
        if let wait, wait > 0 { failure.retryAfter = max(failure.retryAfter ?? 0, wait) }
        return failure
    }
}
