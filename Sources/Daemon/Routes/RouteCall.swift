internal import Archive
internal import Conversation
internal import EventLoop
internal import Protocol
internal import Upstream

/// A call along a route until it is answered: who is asked when, with which request, and what became of it.
///
/// It stands beside `Resilience`, which says who is asked next, and not in it: it names the archive's tries and the cache.
final class RouteCall {
    /// What it is for.
    enum Purpose {
        /// A turn: it is retried, fails over and may be answered by what is kept.
        case turn(TurnID)
        /// A summary: it is retried and fails over, and is neither kept nor answered by what is kept.
        case summary
        /// It is made whatever limits and outages say, and neither kept nor answered by what is kept.
        case test
    }

    /// What who began it hears.
    enum Report {
        /// Nothing is sent yet, and it is tried again; see `setback`.
        case delayed
        case pieces([Piece])
        case finished(Turn.Finish)
        /// The try came to nothing; the next one is to begin after `wait`, nil for none.
        case failed(TurnError, wait: Turn.Wait?)
    }

    private let purpose: Purpose
    private let candidates: [Candidate]
    private let requests: any RouteRequests
    private let retry: () -> RetryPolicy
    private let cache: ResponseCache
    private let clocks: Clocks
    private let ids: IDSource
    private let loop: EventLoop
    private let report: (Report) -> Void
    private var plan: RoutePlan
    /// What the route said before the first call.
    private var firstStep: RoutePlan.Step?
    private var began: UInt64 = 0
    private var call: (any UpstreamCall)?
    /// Tells a look for a kept answer from those of calls before.
    private var calls = 0
    /// Whether a piece of the present try's answer has come.
    private var isAnswering = false
    private var attemptStart: Int64 = 0
    /// What the last try took, and what those before it did that gave something or were counted, though no answer came of them.
    private var last: Spent?
    private(set) var spent: [Spent] = []
    private var firstAt: Int64?
    /// How the tries went.
    private(set) var attempts: [Attempt] = []
    /// What the last try failed of.
    private(set) var failure: UpstreamFailure?

    /// What a try took that came to nothing.
    struct Spent {
        let candidate: Candidate
        /// Tokens of its request, estimated.
        let estimate: Int
        /// What the provider counted until then; nil where it did not.
        var counted: Usage?
        /// Bytes of the answer that came.
        var bytes = 0

        /// As it is booked.
        func used(by owner: UserID) -> TurnUsage {
            TurnUsage(
                counted?.cut(output: bytes / 4), owner: owner, input: estimate, output: bytes / 4,
                candidate: candidate)
        }
    }

    /// Whether a request was with a server when it was broken off.
    private(set) var wasCut = false

    /// What the provider counted of the last try, also where that was cut.
    var counted: Usage? { call?.counted ?? last?.counted }

    /// What is known of the body that went out last, and of what the provider did with it.
    struct Trace {
        let print: BodyPrint
        /// The provider's ID of the answer; nil where it gave none.
        var responseID: String?
        /// Why its cache had less than it might have; nil where it did not say.
        var cacheMiss: String?
        /// What it did to the request before the model read it.
        var transformations: [Turn.Transformation] = []
    }

    /// That of the last try; nil where nothing went out.
    private(set) var trace: Trace?
    /// Why the last try failed, and how long the next one waits.
    private(set) var setback: (Turn.Wait, UpstreamFailure)?
    /// What the answer is kept under; nil when it is not.
    private(set) var cacheKey: [UInt8]?
    /// Whether an answer that is kept will do.
    var takesKept = true

    init(
        _ purpose: Purpose, _ candidates: [Candidate], _ requests: any RouteRequests,
        retry: @escaping () -> RetryPolicy, _ cache: ResponseCache, _ clocks: Clocks, _ ids: IDSource,
        _ loop: EventLoop, report: @escaping (Report) -> Void
    ) {
        self.purpose = purpose
        self.candidates = candidates
        self.requests = requests
        self.retry = retry
        self.cache = cache
        self.clocks = clocks
        self.ids = ids
        self.loop = loop
        self.report = report
        plan = RoutePlan(route: candidates.map(\.upstream.name))
    }

    /// Milliseconds from the last try to its first piece; nil where none came.
    var firstWait: Int? {
        guard let last = attempts.last, let first = last.firstAt else { return nil }
        return Int(first - last.startedAt)
    }

    /// The name of the upstream that is asked, and the number of the try, from 1.
    var upstream: String { plan.current }
    var number: Int { max(1, plan.number) }
    var current: Candidate? { candidate(plan.current) }

    private func candidate(_ name: String) -> Candidate? { candidates.first { $0.upstream.name == name } }

    private func availability(_ name: String) -> Availability {
        if case .test = purpose { return .ready }
        guard let candidate = candidate(name) else { return .ready }
        return candidate.upstream.availability(
            of: candidate.model, tokens: requests.estimate(for: name), for: place)
    }

    /// Where it stands among those who wait for the throttle of an upstream.
    private var place: ThrottleLine.Place { ThrottleLine.Place(requests.owner, ObjectIdentifier(self)) }

    /// It waits for no throttle any more; the upstream that it asks has served it.
    private func leaveLines(asking asked: Candidate? = nil) {
        for candidate in candidates {
            let isServed = candidate.upstream.name == asked?.upstream.name
            candidate.upstream.leave(place, isServed: isServed)
        }
    }

    private var elapsed: Int { Int((loop.now - began) / 1_000_000) }

    /// Chooses who is asked first; the time that the route may take begins.
    func begin() {
        beginAnew()
        firstStep = plan.begin(policy: retry(), availability)
    }

    /// The answer is made anew: the time is for the way to its first piece.
    func beginAnew() { began = loop.now }

    // MARK: A try

    /// Asks the upstream whose turn it is.
    func start() {
        isAnswering = false
        // While a try waited, other turns may have found out more.
        let step =
            firstStep ?? plan.resume(policy: retry(), elapsed: elapsed, availability)
        firstStep = nil
        switch step {
        case .fail(let failure): return give(up: failure)
        case .ask(_, let wait) where wait > 0: return hold(wait)
        case .ask: break
        }
        guard let candidate = current else { return }
        attemptStart = clocks.now()
        firstAt = nil
        requests.request(for: candidate) { [weak self] window in
            guard let self else { return }
            switch window {
            case .request(let request): ask(candidate, request)
            case .unfit(let problem): failed(problem.failure, problem)
            case .failed(let error):
                leaveLines()
                report(.failed(TurnError(error), wait: nil))
            }
        }
    }

    private func ask(_ candidate: Candidate, _ request: ModelRequest) {
        guard case .turn(let turn) = purpose else { return start(candidate, request) }
        var request = request
        request.turn = turn.description
        cacheKey = cache.key(request, candidate, owner: requests.owner)
        guard takesKept, let key = cacheKey else { return start(candidate, request) }
        calls += 1
        cache.response(key) { [weak self, number = calls] kept in
            guard let self, calls == number else { return }
            guard let kept else { return start(candidate, request) }
            cacheKey = nil
            leaveLines()
            call = KeptCall(kept, loop: loop) { [weak self] in self?.receive($0) }
        }
    }

    private func start(_ candidate: Candidate, _ request: ModelRequest) {
        let names = request.names
        leaveLines(asking: candidate)
        last = Spent(candidate: candidate, estimate: request.estimate)
        let started = candidate.upstream.start(request) { [weak self] in self?.receive($0.named(by: names)) }
        trace = started.sent.map { Trace(print: $0) }
        call = started
    }

    /// Waits before the first try, because of a limit or of what a server asked for.
    private func hold(_ milliseconds: Int) {
        guard case .blocked(_, let failure, _) = availability(plan.current) else { return start() }
        // A little more by chance: those who wait for the same moment must not all come in it.
        let spread = Int(ids.chance() * Double(min(milliseconds / 4, 2_000)))
        tryAgain(failure, wait: milliseconds + spread)
    }

    func pause() { call?.pause() }
    func resume() { call?.resume() }

    /// Breaks off what is under way; no report follows.
    func cancel(as outcome: String = "cancelled", detail: String? = nil) {
        if call != nil { note(outcome, status: nil, detail: detail) }
        drop()
    }

    /// The same where it is known why, as when the answer cannot be stored.
    func drop() {
        wasCut = wasCut || call?.isSent ?? false
        call?.cancel()
        letGo()
        leaveLines()
        calls += 1
        requests.cancel()
    }

    private func letGo() {
        let counted = counted
        last?.counted = counted
        call = nil
    }

    private func receive(_ event: UpstreamEvent) {
        switch event {
        case .retrying(let failure, let milliseconds):
            setback = (Turn.Wait(milliseconds: milliseconds, upstream: plan.current), failure)
            report(.delayed)
        case .pieces(let pieces):
            if firstAt == nil {
                firstAt = clocks.now()
                requests.dropWords()
            }
            let bytes = pieces.reduce(0) { $0 + $1.bytes.count }
            if bytes > 0 { isAnswering = true }
            last?.bytes += bytes
            report(.pieces(pieces))
        case .finished(let finish):
            letGo()
            trace?.responseID = finish.responseID
            trace?.cacheMiss = finish.cacheMiss
            trace?.transformations = finish.transformations
            note(finish.isCached ? "cached" : "complete", status: finish.isCached ? nil : 200, detail: nil)
            report(.finished(finish))
        case .failed(let failure):
            letGo()
            failed(failure, nil)
        }
    }

    // MARK: After a failure

    /// What comes in is no answer.
    func refuse(_ failure: UpstreamFailure) {
        drop()
        failed(failure, nil)
    }

    private func failed(_ failure: UpstreamFailure, _ problem: RouteProblem?) {
        note(failure.kind.rawValue, status: failure.answered, detail: failure.message)
        guard !isAnswering || retry().cutStream == .restart && failure.isRetryable
        else { return give(up: failure) }
        if !isAnswering, problem?.needed == nil, let current,
            requests.trim(for: current, after: failure, bytes: trace?.print.bytes)
        {
            // The same upstream is asked again at once.
            plan.repeats()
            return tryAgain(failure, wait: 0)
        }
        var larger: [String] = []
        if failure.kind == .overflow {
            if let current { requests.passOver(current, failure, problem) }
            larger = requests.larger(than: current, after: failure)
        }
        let step = plan.next(
            after: failure, policy: retry(), elapsed: elapsed,
            random: ids.chance(), holdsMore: larger.contains, availability)
        switch step {
        case .ask(_, let wait): tryAgain(failure, wait: wait)
        case .fail(let last): give(up: last)
        }
    }

    private func tryAgain(_ failure: UpstreamFailure, wait: Int) {
        // Whatever comes next, another try or nothing, this one came to nothing.
        if let last = last.take(), last.counted != nil || last.bytes > 0 { spent.append(last) }
        let chosen = Turn.Wait(milliseconds: wait, upstream: plan.current)
        if wait > 0, case .blocked(_, let block, _) = availability(plan.current), block.isOwnLimit {
            current?.upstream.wait(
                place, tokens: requests.estimate(for: plan.current), milliseconds: wait)
        }
        self.failure = failure
        setback = (chosen, failure)
        report(.failed(TurnError(failure), wait: chosen))
    }

    private func give(up failure: UpstreamFailure) {
        leaveLines()
        self.failure = failure
        report(.failed(TurnError(failure, retryAfter: failure.retryAfter), wait: nil))
    }

    /// Writes down how a try went.
    private func note(_ outcome: String, status: Int?, detail: String?) {
        attempts.append(
            Attempt(
                number: number, upstream: plan.current, model: current?.model ?? "",
                startedAt: attemptStart, firstAt: firstAt, endedAt: clocks.now(), outcome: outcome,
                status: status, detail: detail))
    }
}
