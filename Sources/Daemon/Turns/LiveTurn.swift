internal import Archive
internal import ContextWindow
internal import Conversation
internal import EventLoop
internal import JSON
internal import Protocol
internal import Store
internal import Upstream

/// A turn that runs: drives its state machine, its upstream call and its writes.
final class LiveTurn {
    /// Text of an answer at most; more is no answer but a fault.
    private static let longest = 64 << 20

    /// As it was when the prompt was stored, with the prompt at its head.
    private(set) var session: SessionRecord
    var record: TurnRecord
    /// Its words are gone once it is stored.
    private(set) var prompt: NewMessage?
    /// The branch that the turn left, to go back to when nothing comes of it.
    var left: BranchRow?
    /// The store's number of the turn, once it is stored.
    var row: TurnRow?
    private(set) var machine: Turn
    /// Events that came while effects were performed; they are taken after those.
    private var events = Fifo<Turn.Event>()
    private var isPerforming = false

    let services: Services
    let candidates: [Candidate]
    private(set) var asked: WindowRequest
    /// The window of each upstream that was asked, by its name.
    var made: [String: MadeWindow] = [:]
    var plan: RoutePlan
    var trims = 0
    /// What a refusal that names the count taught of our estimate.
    var taught: Learned?
    /// Who was passed over, since what must be sent does not fit there.
    private(set) var passed: [TooSmall]
    /// What a request may have at most by a provider's word, and the failure that said so; by upstream.
    var overflows: [String: (limit: Int, failure: UpstreamFailure)] = [:]
    /// What the route said before the first call.
    private var firstStep: RoutePlan.Step?
    /// The message that the present answer takes the place of.
    private(set) var replaced: MessageID?
    var cacheKey: [UInt8]?
    private var call: (any UpstreamCall)?
    /// The window that is made for the next call.
    private var making: WindowMaking?
    /// Tells a look for a kept answer from those of calls before.
    private var calls = 0
    private var timer: EventLoop.TimerID?
    var attempts: [Attempt] = []
    private var attemptStart: Int64 = 0
    private var firstAt: Int64?
    /// Why the last try failed, and how long the next one waits.
    private var setback: (Turn.Wait, UpstreamFailure)?
    private var began: UInt64 = 0
    /// Where the answer's pieces go, once the turn is stored.
    private var log: AnswerLog?
    private let telling: TurnTelling
    private let report: (LiveTurn, Report) -> Void
    /// Further answers of the same call; they become branches.
    var alternatives: [NewMessage] = []
    /// Whether the turn's ending found an answer worth keeping.
    var hasMessage = false

    /// What its session's line hears of it.
    enum Report {
        /// The end could not be stored yet.
        case delayed(WireError)
        /// The end is stored, and was told; comes once.
        case ended
    }

    init(
        _ record: TurnRecord, session: SessionRecord, prompt: NewMessage?, asked: WindowRequest,
        choice: WindowChoice, services: Services, report: @escaping (LiveTurn, Report) -> Void
    ) {
        self.record = record
        self.session = session
        self.prompt = prompt
        self.asked = asked
        candidates = choice.candidates
        passed = choice.passed
        self.services = services
        self.report = report
        telling = TurnTelling(
            channels: services.channels, session: session.session.id, row: session.row, turn: record.id)
        plan = RoutePlan(route: candidates.map(\.upstream.name))
        machine = Turn(issuer: candidates.first?.upstream.name)
        made[candidates.first?.upstream.name ?? ""] = choice.made
    }

    var id: TurnID { record.id }
    /// Whether its prompt was not stored after all: nobody is told of such a turn, whatever became of it meanwhile.
    var isVoid = false
    /// What those who asked for it are told; nil before its end is stored.
    private(set) var answer: Result<[UInt8], WireError>?

    /// The answer as far as everyone was told of it.
    var published: Answer { machine.published }

    /// Moves the machine on and does what it says, one event after the other.
    func handle(_ event: Turn.Event) {
        if isPerforming { return events.append(event) }
        isPerforming = true
        for effect in machine.handle(event) { perform(effect) }
        while let event = events.popFirst() {
            for effect in machine.handle(event) { perform(effect) }
        }
        isPerforming = false
    }

    /// The prompt is a message now; everyone but who sent it sees it.
    func promptStored(row: TurnRow, place: PathPlace, asker client: Int?) {
        self.row = row
        log = AnswerLog(row, of: session.row, services.archives, services.loop) { [weak self] in
            self?.heard($0)
        }
        session = session.at(place)
        began = services.loop.now
        if let prompt { telling.prompt(prompt, place: place, at: services.clock(), asker: client) }
        self.prompt?.content = []
        asked.prompt = nil
        asked.content = nil
        telling.stored(record, branch: left == nil ? nil : Int(place.branch.number))
        let step = plan.begin(policy: services.configuration.retry, availability)
        firstStep = step
        handle(.stored)
    }

    private func availability(_ name: String) -> Availability {
        let tokens = made[name]?.request.estimate ?? made.values.first?.request.estimate ?? 0
        return candidate(name)?.upstream.availability(tokens: tokens) ?? .ready
    }

    private func candidate(_ name: String) -> Candidate? { candidates.first { $0.upstream.name == name } }
    var current: Candidate? { candidate(plan.current) }

    private func perform(_ effect: Turn.Effect) {
        switch effect {
        case .announce(let state): announce(state)
        case .call: startCall()
        case .abortCall:
            if call != nil { note("cancelled", status: nil, detail: nil) }
            dropCall()
        case .startTimer(let milliseconds):
            timer = services.loop.after(milliseconds: milliseconds) { [weak self] in self?.handle(.retryDue) }
        case .stopTimer:
            if let timer { services.loop.cancel(timer) }
        case .store(let pieces): log?.store(pieces)
        case .setAside(let answer): setAside(answer)
        case .publish(let pieces, let offset):
            telling.pieces(pieces, of: record.answerID, from: offset, replacing: replaced)
        case .end(let ending):
            log?.end()
            store(ending)
        case .answer(let ending): tellEnded(ending)
        }
    }

    private func announce(_ state: Turn.State) {
        telling.asks(
            plan.current, attempt: max(1, plan.number), after: state == .backingOff ? setback : nil)
    }

    // MARK: The call

    private func startCall() {
        // While a try waited, other turns may have found out more.
        let step =
            firstStep ?? plan.resume(policy: services.configuration.retry, elapsed: elapsed, availability)
        firstStep = nil
        switch step {
        case .fail(let failure): return give(up: failure)
        case .ask(_, let wait) where wait > 0: return hold(wait)
        case .ask: break
        }
        guard let candidate = current else { return }
        attemptStart = services.clock()
        firstAt = nil
        machine.setIssuer(candidate.upstream.name)
        if let known = made[candidate.upstream.name], known.isWhole { return ask(candidate, known.request) }
        // Another upstream may hold less, and has rules of its own.
        let name = candidate.upstream.name, overflow = overflows[name]
        let maker = WindowMaker(services: services)
        making = maker.making
        maker.make(session, WindowRequest(options: asked.options, limit: overflow?.limit), candidate) {
            [weak self, making = maker.making] result in
            guard let self, self.making === making, machine.state == .waiting else { return }
            self.making = nil
            switch Result(catching: { () throws(WireError) in try result.get().answerable() }) {
            case .success(let made):
                self.made[name] = made
                ask(candidate, made.request)
            case .failure(let error) where error.kind == .conflict:
                failed(UpstreamFailure(.refused, error.message, isRetryable: false))
            case .failure(let error) where !error.isTooSmall: give(up: error)
            // What must be sent does not fit; the provider's own words say it best.
            case .failure(let error):
                failed(
                    overflow?.failure ?? UpstreamFailure(.overflow, error.message, isRetryable: false),
                    needed: error.number("needed"), budget: error.number("budget"))
            }
        }
    }

    private func ask(_ candidate: Candidate, _ request: ModelRequest) {
        var request = request
        request.turn = id.description
        cacheKey = services.cache.key(request, candidate, owner: session.session.owner)
        // Who asks for another answer to a prompt does not want the same one again.
        let isAnew = prompt == nil && left != nil
        guard !isAnew, let key = cacheKey else { return start(candidate, request) }
        calls += 1
        services.cache.response(key) { [weak self, number = calls] kept in
            guard let self, calls == number, machine.state == .waiting else { return }
            guard let kept else { return start(candidate, request) }
            cacheKey = nil
            call = KeptCall(kept, loop: services.loop) { [weak self] in self?.receive($0) }
        }
    }

    private func start(_ candidate: Candidate, _ request: ModelRequest) {
        call = candidate.upstream.start(request) { [weak self] in self?.receive($0) }
    }

    /// Waits before the first try, because of a limit or of what a server asked for.
    private func hold(_ milliseconds: Int) {
        guard case .blocked(_, let failure, _) = availability(plan.current) else { return startCall() }
        // A little more by chance: those who wait for the same moment must not all come in it.
        let spread = Int(services.chance() * Double(min(milliseconds / 4, 2_000)))
        let wait = Turn.Wait(milliseconds: milliseconds + spread, upstream: plan.current)
        setback = (wait, failure)
        let error = TurnError(kind: failure.kind.rawValue, message: failure.message)
        handle(.callFailed(error, wait: wait))
    }

    /// Gives up since the store did not do what it should.
    private func give(up words: WireError) {
        handle(.callFailed(TurnError(kind: words.kind.rawValue, message: words.message), wait: nil))
    }

    private func receive(_ event: UpstreamEvent) {
        switch event {
        case .retrying(let failure, let milliseconds):
            setback = (Turn.Wait(milliseconds: milliseconds, upstream: plan.current), failure)
            announce(.backingOff)
        case .pieces(let pieces):
            if firstAt == nil {
                firstAt = services.clock()
                for name in made.keys { made[name]?.drop() }  // it is made anew for another try
            }
            handle(.pieces(pieces))
            guard machine.answer.weight > LiveTurn.longest else { return }
            dropCall()
            failed(
                UpstreamFailure(
                    .protocolError, "the answer has more than \(LiveTurn.longest) bytes", isRetryable: false))
        case .finished(let finish):
            call = nil
            note(finish.isCached ? "cached" : "complete", status: finish.isCached ? nil : 200, detail: nil)
            handle(.finished(finish))
        case .failed(let failure):
            call = nil
            failed(failure)
        }
    }

    private var elapsed: Int { Int((services.loop.now - began) / 1_000_000) }

    /// Goes on after a failure; `needed` and `budget` are tokens where what must be sent does not fit.
    private func failed(_ failure: UpstreamFailure, needed: Int? = nil, budget: Int? = nil) {
        note(failure.kind.rawValue, status: failure.answered, detail: failure.message)
        let isCut = !machine.answer.isEmpty
        guard !isCut || services.configuration.retry.cutStream == .restart && failure.isRetryable else {
            return give(up: failure)
        }
        if !isCut, needed == nil, trim(after: failure) { return retry(failure, wait: 0) }
        if failure.kind == .overflow, let current {
            passed.append(
                TooSmall(
                    upstream: current.upstream.name, model: current.model,
                    needed: needed ?? failure.overflow?.counted, budget: budget ?? failure.overflow?.limit))
        }
        let larger = failure.kind == .overflow ? candidates.map(\.upstream.name).filter(holdsMore) : []
        let step = plan.next(
            after: failure, policy: services.configuration.retry, elapsed: elapsed,
            random: services.chance(), holdsMore: larger.contains, availability)
        switch step {
        case .ask(_, let wait): retry(failure, wait: wait)
        case .fail(let last): give(up: last)
        }
    }

    /// Whether an upstream may hold what does not fit the present one: it was asked with it, or is known to be larger.
    private func holdsMore(_ name: String) -> Bool {
        if made[name] != nil { return true }
        guard let other = candidate(name), let now = current else { return false }
        let held =
            now.upstream.contextLength(of: now.model) ?? made[plan.current]?.request.estimate
            ?? WindowPolicy.unknownModelTokens
        return other.upstream.contextLength(of: other.model).map { $0 > held } ?? false
    }

    private func retry(_ failure: UpstreamFailure, wait: Int) {
        let chosen = Turn.Wait(milliseconds: wait, upstream: plan.current)
        setback = (chosen, failure)
        let error = TurnError(kind: failure.kind.rawValue, message: failure.message)
        handle(.callFailed(error, wait: chosen))
    }

    private func give(up failure: UpstreamFailure) {
        let error = TurnError(
            kind: failure.kind.rawValue, message: failure.message, retryAfter: failure.retryAfter)
        handle(.callFailed(error, wait: nil))
    }

    private func dropCall() {
        call?.cancel()
        call = nil
        calls += 1
        making?.cancel()
        making = nil
    }

    /// Writes down how a try went.
    private func note(_ outcome: String, status: Int?, detail: String?) {
        attempts.append(
            Attempt(
                number: max(1, plan.number), upstream: plan.current, model: current?.model ?? "",
                startedAt: attemptStart, firstAt: firstAt,
                endedAt: services.clock(), outcome: outcome, status: status, detail: detail))
    }

    // MARK: Writes

    private func heard(_ report: AnswerLog.Report) {
        switch report {
        case .pause: call?.pause()
        case .resume: call?.resume()
        case .stored(let count): handle(.piecesStored(count))
        case .failed(let error):
            guard machine.state == .streaming || machine.state == .waiting else { return }
            dropCall()
            give(up: WireError(error))
        }
    }

    /// Puts the partial answer beside the path; the next try answers under a new message ID.
    private func setAside(_ answer: Answer) {
        let content = answer.content, next: MessageID = services.newID()
        let write = SetAside(
            id, content: content, tokens: TokenEstimate.message(answer), next: next)
        services.archives.write(write, of: session.row) { [self] result in
            switch result {
            case .success:
                replaced = record.answerID
                record.answerID = next
                began = services.loop.now  // the bound is on the way to a first chunk
                handle(.setAside)
            case .failure(let error):
                let words = WireError(error)
                services.log.error(
                    "answer_not_set_aside", ("turn", id.description), ("reason", words.message))
                services.loop.after(milliseconds: LiveTurn.firstPatience) { [weak self] in
                    guard let self, case .settingAside = machine.state else { return }
                    setAside(answer)
                }
            }
        }
    }

    private func tellEnded(_ ending: Turn.Ending) {
        if isVoid { return }
        if machine.state == .done && row == nil && ending.state == .failed {
            record.state = .failed; record.error = ending.error
        }
        telling.ended(record, hasMessage: hasMessage)
        tellUsage()
        answer = TurnAnswers.answer(
            record, session: session.session.id, hasMessage: hasMessage, isRepeated: false,
            alternatives: alternatives.map(\.id))
        report(self, .ended)
    }

    /// Who waits is told at once that the end could not be stored, so that nobody waits for a full disk.
    func delayed(_ error: WireError) { report(self, .delayed(error)) }

    private func tellUsage() {
        guard let used = record.usage?.inputTokens, let model = record.model,
            let size = current?.upstream.contextLength(of: model)
        else { return }
        telling.used(used + (record.usage?.outputTokens ?? 0), of: size)
    }
}
