internal import Archive
internal import ContextWindow
internal import Conversation
internal import EventLoop
internal import Protocol
internal import Store
internal import Upstream

/// A turn that runs: drives its state machine, and what that needs: the call along its route, the log of its pieces, what
/// its session's clients are told.
final class LiveTurn {
    /// Text of an answer at most; more is no answer but a fault.
    private static let longest = 64 << 20

    /// What its session's line hears of it.
    enum Report {
        /// The end could not be stored yet.
        case delayed(WireError)
        /// The end is stored, and was told; comes once.
        case ended
    }

    /// How far the turn has come in the archive.
    enum Stage {
        /// Its beginning is on its way there, with the prompt.
        case storing(NewMessage?)
        /// It runs; pieces go into its log. The branch that it left is gone back to when nothing comes of it.
        case running(AnswerLog, leftBranch: BranchRow?)
        /// Its end is stored, and this is what those are told who asked for it.
        case ended(Result<[UInt8], WireError>)
        /// It was not stored after all: nobody is told of such a turn, whatever became of it meanwhile.
        case void
    }

    var record: TurnRecord
    private(set) var stage: Stage
    private(set) var machine: Turn
    /// Events that came while effects were performed; they are taken after those.
    private var events = Fifo<Turn.Event>()
    private var isPerforming = false
    private var timer: EventLoop.TimerID?

    let archives: Archives
    let ids: IDSource
    let clocks: Clocks
    let loop: EventLoop
    let log: Log
    let memory: FreeMemory
    let windows: RouteWindows
    private(set) lazy var route = routes.call(id, candidates, windows) { [weak self] in self?.heard($0) }
    private let routes: Routes
    private let telling: TurnTelling
    private let candidates: [Candidate]
    /// Who was said to be asked last.
    private var asked: String?
    /// What of its window is new.
    private let news: [WindowNews]
    private let report: (LiveTurn, Report) -> Void
    /// The message that the present answer takes the place of.
    private var replaced: MessageID?

    /// Tries that were logged, or came to their end.
    private var noted = 0
    /// What it was last logged to wait for without a try.
    private var heldUpBy: String?
    /// Further answers of the same call; they become branches.
    var alternatives: [NewMessage] = []
    /// Up to where a summary should reach now, and where the window began; nil for none.
    var toSummarize: (target: Int, begin: Int)?
    /// Whether the turn's ending found an answer worth keeping.
    var hasMessage = false

    init(
        _ record: TurnRecord, session: SessionRecord, prompt: NewMessage?, question: WindowRequest,
        choice: WindowChoice, telling: TurnTelling, routes: Routes, archives: Archives, ids: IDSource,
        clocks: Clocks, loop: EventLoop, log: Log, memory: FreeMemory,
        report: @escaping (LiveTurn, Report) -> Void
    ) {
        self.record = record
        stage = .storing(prompt)
        self.telling = telling
        self.routes = routes
        self.archives = archives
        self.ids = ids
        self.clocks = clocks
        self.loop = loop
        self.log = log
        self.memory = memory
        self.report = report
        candidates = choice.candidates
        news = choice.window.news
        windows = routes.windows(session, question, choice)
        machine = Turn(issuer: choice.candidates.first?.issuer)
        windows.heard = { [telling, noticed = routes.noticed] in telling.cut($0, noticed) }
    }

    var id: TurnID { record.id }
    /// The session as it was when the prompt was stored.
    var session: SessionRecord { windows.session }
    /// The answer as far as everyone was told of it.
    var published: Answer { machine.published }

    var isVoid: Bool { if case .void = stage { true } else { false } }
    /// The branch to go back to when nothing comes of the turn.
    var leftBranch: BranchRow? { if case .running(_, let branch) = stage { branch } else { nil } }

    /// Its beginning was not stored after all.
    func void() { stage = .void }

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
    func promptStored(row: TurnRow, place: PathPlace, leftBranch: BranchRow?, asker client: Int?) {
        guard case .storing(let prompt) = stage else { return }
        windows.session = session.at(place)
        windows.dropPrompt()
        let log = AnswerLog(row, of: session.row, archives) { [weak self] in self?.heard($0) }
        stage = .running(log, leftBranch: leftBranch)
        // Who asks for another answer to a prompt does not want the same one again.
        route.takesKept = prompt != nil || leftBranch == nil
        if let prompt { telling.prompt(prompt, place: place, at: clocks.now(), asker: client) }
        telling.stored(record, branch: leftBranch == nil ? nil : Int(place.branch.number))
        telling.cut(news, routes.noticed)
        route.begin()
        handle(.stored)
    }

    private func perform(_ effect: Turn.Effect) {
        switch effect {
        case .announce(let state): announce(state)
        case .call:
            route.start()
            machine.setIssuer(route.current?.issuer ?? route.upstream)
        case .abortCall: route.cancel()
        case .startTimer(let milliseconds):
            timer = loop.after(milliseconds: milliseconds) { [weak self] in self?.handle(.retryDue) }
        case .stopTimer:
            if let timer { loop.cancel(timer) }
        case .store(let pieces): if case .running(let log, _) = stage { log.store(pieces) }
        case .setAside(let answer): setAside(answer)
        case .publish(let pieces, let offset):
            telling.pieces(pieces, of: record.answerID, from: offset, replacing: replaced)
        case .end(let ending):
            if case .running(let log, _) = stage { log.end() }
            store(ending)
        case .answer(let ending): tellEnded(ending)
        }
    }

    private func announce(_ state: Turn.State) {
        if state == .backingOff, let (wait, failure) = route.setback {
            telling.setBack(failure, from: asked ?? wait.upstream, wait)
            asked = wait.upstream
        } else {
            if asked == nil, let first = candidates.first, first.upstream.name != route.upstream {
                telling.passesOver(first, for: route.upstream)
            }
            asked = route.upstream
        }
        telling.asks(
            route.upstream, attempt: route.number, after: state == .backingOff ? route.setback : nil)
    }

    // MARK: What it hears

    private func heard(_ report: RouteCall.Report) {
        switch report {
        case .delayed: announce(.backingOff)
        case .pieces(let pieces):
            handle(.pieces(pieces))
            guard machine.answer.weight > LiveTurn.longest else { return }
            route.refuse(
                UpstreamFailure(
                    .protocolError, "the answer has more than \(LiveTurn.longest) bytes", isRetryable: false))
        case .finished(let finish): handle(.finished(finish))
        case .failed(let error, let wait):
            noteFailure(error, wait)
            handle(.callFailed(error, wait: wait))
        }
    }

    /// Says for operators that a try came to nothing; no word of the conversation is among it.
    private func noteFailure(_ error: TurnError, _ wait: Turn.Wait?) {
        let attempt = route.attempts.count > noted ? route.attempts.last : nil
        noted = route.attempts.count
        // Who waits for a limit looks more than once, and asks nobody.
        if attempt == nil, heldUpBy == error.kind { return }
        heldUpBy = attempt == nil ? error.kind : nil
        let breaker = route.current?.upstream.health.breaker.name ?? "closed"
        log.warning(
            "attempt_failed", ("turn", id.description), ("session", session.session.id.text),
            ("upstream", attempt?.upstream ?? wait?.upstream ?? route.upstream),
            ("model", attempt?.model ?? ""), ("kind", attempt?.outcome ?? error.kind),
            ("status", attempt?.status.map(String.init) ?? "none"), ("breaker", breaker),
            ("next", wait.map { "\($0.upstream) in \($0.milliseconds) ms" } ?? "none"))
    }

    private func heard(_ report: AnswerLog.Report) {
        switch report {
        case .pause: route.pause()
        case .resume: route.resume()
        case .stored(let count): handle(.piecesStored(count))
        case .failed(let error):
            guard machine.state == .streaming || machine.state == .waiting else { return }
            route.drop()
            handle(.callFailed(TurnError(TurnAnswers.cut(error)), wait: nil))
        }
    }

    /// Puts the partial answer beside the path; the next try answers under a new message ID.
    private func setAside(_ answer: Answer) {
        let next: MessageID = ids.newID()
        let write = SetAside(id, content: answer.content, size: TokenEstimate.size(of: answer), next: next)
        archives.write(write, of: session.row) { [self] result in
            switch result {
            case .success:
                replaced = record.answerID
                record.answerID = next
                route.beginAnew()
                handle(.setAside)
            case .failure(let error):
                let words = WireError(error)
                log.error(
                    "answer_not_set_aside", ("turn", id.description), ("reason", words.message))
                loop.after(milliseconds: LiveTurn.firstPatience) { [weak self] in
                    guard let self, case .settingAside = machine.state else { return }
                    setAside(answer)
                }
            }
        }
    }

    // MARK: The end

    private func tellEnded(_ ending: Turn.Ending) {
        if isVoid { return }
        if case .storing = stage, ending.state == .failed {
            record.state = .failed
            record.error = ending.error
        }
        telling.ended(record, hasMessage: hasMessage)
        tellUsage()
        stage = .ended(
            TurnAnswers.answer(
                record, session: session.session.id, hasMessage: hasMessage, isRepeated: false,
                alternatives: alternatives.map(\.id)))
        report(self, .ended)
    }

    private func tellUsage() {
        guard let asked = route.current, let model = record.model,
            // Where nobody knows what the model holds, what it is sent at most says as much.
            let size = asked.upstream.contextLength(of: model) ?? windows.budget(for: asked.upstream.name)
        else { return }
        // Where the provider counts nothing it is the estimate; an answer out of the cache used nothing.
        let isAnswered = hasMessage && !record.isCached
        guard
            let used = record.usage?.inputTokens
                ?? (isAnswered ? windows.estimate(for: asked.upstream.name) : nil)
        else { return }
        telling.used(used + (record.usage?.outputTokens ?? 0), of: size)
    }

    /// Who waits is told at once that the end could not be stored, so that nobody waits for a full disk.
    func delayed(_ error: WireError) { report(self, .delayed(error)) }
}
