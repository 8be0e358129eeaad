internal import Archive
internal import ContextWindow
internal import Conversation
internal import EventLoop
internal import Protocol
internal import Sessions
internal import Store
internal import Upstream

/// How the queue's first turn is looked at, prepared and begun.
extension SessionDriver {
    func examine(_ turn: PendingTurn) {
        // Before its words are in memory, since many may wait: one that waited at the start may be as large as there are.
        if turn.admission == nil {
            let known = line.ticket(turn.id)?.bytes ?? 0
            turn.admission = admissions.share(
                line.owner, bytes: known > 0 ? known : configuration.limits.line)
            if turn.admission == nil {
                waitForRoom()
                return handle(.examined(turn.id, .held(.room, wait: SessionDriver.longWait)))
            }
        }
        archives.read(TurnByID(turn.id, owner: nil), of: row) { [self] result in
            switch result {
            case .success(let found?) where found.session.session.trashedAt == nil:
                turn.session = found.session
                turn.prompt = found.stored.turn.queuedPrompt
                turn.admission?.set(bytes: (turn.prompt?.count ?? 0) + turn.options.heldBytes)
                examineLimits(turn)
            case .success: handle(.examined(turn.id, .impossible(.noSession(line.session))))
            case .failure(let error): handle(.examined(turn.id, unreadable(turn, error)))
            }
        }
    }

    /// Looks at the queue again when there may be room; a line waits once, however often it is looked at.
    private func waitForRoom() {
        if awaitsRoom { return }
        awaitsRoom = true
        admissions.whenRoom(line.owner) { [weak self] in
            guard let self else { return false }
            awaitsRoom = false
            let waits = line.awaitsRoom
            handle(.limitRaised)
            return waits
        }
    }

    private func examineLimits(_ turn: PendingTurn) {
        lookAtLimits(of: turn) { [self] result in
            switch result {
            case .success(let found):
                let state = limits(turn, found)
                if case .held = state { (turn.admission, turn.prompt) = (nil, nil) }
                handle(.examined(turn.id, state))
            case .failure(let error): handle(.examined(turn.id, unreadable(turn, error)))
            }
        }
    }

    /// Milliseconds after which a turn that is woken when there is room looks by itself.
    private static let longWait = 10_000

    private func limits(_ turn: PendingTurn, _ found: PromptLook.Output) -> SessionLine.Examined {
        if let refusal = quotas.refusal(turn.session, found) {
            return .held(.quota(refusal.message), wait: refusal.retryAfterMs)
        }
        // It is looked at again when those that run may have ended.
        if quotas.isTaken(line.owner, found, but: turn.share) {
            return .held(
                .quota("what is left of today's quota is taken by prompts that are being answered"),
                wait: 1_000)
        }
        let wait = quotas.wait(for: line.owner)
        return wait > 0 ? .held(.pace, wait: wait) : .free
    }

    private func unreadable(_ turn: PendingTurn, _ error: ArchiveError) -> SessionLine.Examined {
        // What is damaged will not be whole in a moment.
        if error.code == .corrupt { return .impossible(WireError(error)) }
        log.error("turn_put_off", ("turn", turn.id.description), ("reason", error.description))
        return .unreadable(wait: Archives.readPause)
    }

    /// Whether a turn is wanted still for which something was looked up.
    private func isWanted(_ turn: PendingTurn) -> Bool {
        line.front.map { $0.ticket.id == turn.id && $0.stage == .preparing } ?? false
    }

    /// Looks for who answers a turn, and makes its window.
    func prepare(_ turn: PendingTurn, isAgain: Bool) {
        guard isAgain else { return prepare(turn) }
        archives.read(SessionByRow(row), of: row) { [self] result in
            guard isWanted(turn) else { return }
            switch result {
            case .success(let session?):
                turn.session = session
                prepare(turn)
            case .success(nil): handle(.prepared(turn.id, .noSession(line.session)))
            case .failure(let error): handle(.prepared(turn.id, WireError(error)))
            }
        }
    }

    private func prepare(_ turn: PendingTurn) {
        routes.resolve(turn.session.session, turn.options) { [self] found in
            guard isWanted(turn) else { return }
            do throws(WireError) {
                let candidates = try found.get()
                if turn.submission != nil, turn.submission?.prompt == nil,
                    turn.session.session.messageCount == 0
                {
                    throw WireError(
                        .conflict, "the session has no messages to go on from; send a prompt")
                }
                makeWindow(turn, candidates)
            } catch { handle(.prepared(turn.id, error)) }
        }
    }

    private func makeWindow(_ turn: PendingTurn, _ candidates: [Candidate]) {
        let content = turn.submission == nil ? turn.prompt : turn.submission?.prompt
        let parts = turn.submission == nil ? content.map { Part.decode($0) } : turn.submission?.parts
        let question = WindowRequest(options: turn.options, prompt: parts, content: content)
        let making = WindowMaking()
        turn.preparation = .making(making)
        routes.windows.choose(turn.session, question, candidates, making) { [self] result in
            guard isWanted(turn) else { return }
            turn.preparation = .none
            do throws(WireError) {
                let choice = try result.get()
                try choice.window.answerable()
                take(turn, choice) { [self] in
                    turn.preparation = .ready(question, choice)
                    handle(.prepared(turn.id, nil))
                }
            } catch { handle(.prepared(turn.id, error)) }
        }
    }

    /// Counts a turn to what its user may use and ask, once.
    private func take(_ turn: PendingTurn, _ choice: WindowChoice, _ then: @escaping () -> Void) {
        if turn.isCounted { return then() }
        do throws(WireError) {
            turn.share = try quotas.share(line.owner, turn.used, expected(choice))
            quotas.begin(line.owner, tokens: choice.window.request.estimate)
            turn.isCounted = true
            turn.admission?.set(bytes: choice.window.request.contentBytes)
            then()
        } catch { refuse(turn, error, unlessKnown: then) }
    }

    /// A turn has no room beside those that run: one that came now is refused, unless it repeats another, and one that waits is
    /// looked at again.
    private func refuse(_ turn: PendingTurn, _ error: WireError, unlessKnown then: @escaping () -> Void) {
        guard let submission = turn.submission else {
            // Others need not wait with it.
            turn.admission?.set(bytes: 0)
            return lookAgain(turn, after: 1_000)
        }
        lookForKnown(submission) { [self] isKnown in
            guard isWanted(turn) else { return }
            if isKnown { then() } else { handle(.prepared(turn.id, error)) }
        }
    }

    /// Prepares a turn that waits once its user's others have ended and left something of the quota.
    private func lookAgain(_ turn: PendingTurn, after milliseconds: Int) {
        loop.after(milliseconds: milliseconds) { [weak self] in
            guard let self, isWanted(turn) else { return }
            lookAtLimits(of: turn) { [weak self] result in
                guard let self, isWanted(turn) else { return }
                guard case .success(let found) = result else {
                    return lookAgain(turn, after: Archives.readPause)
                }
                if quotas.refusal(turn.session, found) != nil { return lookAgain(turn, after: 60_000) }
                if quotas.isTaken(line.owner, found, but: turn.share) { return lookAgain(turn, after: 1_000) }
                prepare(turn, isAgain: true)
            }
        }
    }

    /// What a turn will use, about: its request, since nobody knows how long the answer gets.
    private func expected(_ choice: WindowChoice) -> UsageSum {
        QuotaKeeper.expected(input: choice.window.request.estimate, output: 0, choice.candidates.first)
    }

    /// Stores a turn as running, in one write.
    func begin(_ turn: PendingTurn) {
        guard case .ready(let question, let choice) = turn.preparation,
            let first = choice.candidates.first
        else { return }
        turn.preparation = .none
        let session = turn.session, seen = (session.branch, session.session.messageCount)
        let title = session.session.title == nil ? question.prompt.flatMap { suggestedTitle(for: $0) } : nil
        guard let submission = turn.submission else {
            guard let record = turn.record else { return }
            let prompt = prompt(record, question, choice)
            liveTurn(record, session, prompt, question, choice)
            let begin = BeginQueued(
                turn.id, prompt: prompt, title: title, upstream: first.upstream.name,
                model: first.model, receipt: choice.receipt, seen: seen, anchor: choice.window.anchor)
            return archives.write(begin, of: row) { [self] in begun(turn, $0) }
        }
        var record = newRecord(turn, submission, .running)
        record.upstream = first.upstream.name
        record.model = first.model
        record.receipt = choice.receipt
        let prompt = prompt(record, question, choice)
        liveTurn(record, session, prompt, question, choice)
        let accept = AcceptPrompt(
            session: row, turn: record, prompt: prompt, title: title, base: submission.base,
            expectedHead: submission.turn.expectedHead, seen: seen, anchor: choice.window.anchor)
        archives.write(accept, of: row) { [self] result in begun(turn, submission, title, result) }
    }

    /// The message that a turn's prompt becomes.
    private func prompt(_ record: TurnRecord, _ question: WindowRequest, _ choice: WindowChoice)
        -> NewMessage?
    {
        guard let parts = question.prompt, let content = question.content, let id = record.promptID else {
            return nil
        }
        return NewMessage(
            id: id, role: .user, content: content,
            size: choice.window.promptSize ?? TokenEstimate.size(of: parts))
    }

    private func liveTurn(
        _ record: TurnRecord, _ session: SessionRecord, _ prompt: NewMessage?, _ question: WindowRequest,
        _ choice: WindowChoice
    ) {
        let telling = TurnTelling(
            channels: channels, session: session.session.id, row: session.row, turn: record.id)
        live = LiveTurn(
            record, session: session, prompt: prompt, question: question, choice: choice, telling: telling,
            routes: routes, archives: archives, ids: ids, clocks: clocks, loop: loop, log: log,
            memory: memory
        ) { [weak self] in self?.heard($0, $1) }
        live?.windows.answering = { [weak turn = turns[record.id]] in turn?.admission?.set(bytes: 0) }
    }

    private func begun(
        _ turn: PendingTurn, _ submission: Submission, _ title: String?,
        _ result: Result<AcceptPrompt.Output, ArchiveError>
    ) {
        let outcome = stored(turn, result)
        if case .success(.accepted(let row, let place, let leftBranch)) = result {
            turn.preparation = .begun(row, place, leftBranch: leftBranch)
        } else {
            voidLive()
        }
        if outcome != .moved { submission.settled() }
        handle(.begun(turn.id, outcome))
        if outcome == .accepted, let title { tell(title: title) }
    }

    private func begun(_ turn: PendingTurn, _ result: Result<BeginQueued.Output, ArchiveError>) {
        let outcome: SessionLine.Stored
        switch result {
        case .success(.begun(let begun)):
            turn.preparation = .begun(begun.turnRow, begun.place, leftBranch: nil)
            outcome = .accepted
        case .success(.moved): outcome = .moved
        // Its session has gone to the trash meanwhile.
        case .success(.gone): outcome = .refused(.noSession(line.session))
        case .failure(let error): outcome = .refused(WireError(error))
        }
        if outcome != .accepted { voidLive() }
        handle(.begun(turn.id, outcome))
    }

    /// The turn at the front was not stored after all.
    private func voidLive() {
        live?.void()
        live = nil
    }

    /// The turn at the front is stored, and its upstream is called.
    func run(_ turn: PendingTurn) {
        guard case .begun(let row, let place, let leftBranch) = turn.preparation else { return }
        report(self, .moved)
        turn.submission = nil
        turn.prompt = nil
        let asker = line.front?.ticket.askers.first { $0.wish == .answer }?.client
        live?.promptStored(row: row, place: place, leftBranch: leftBranch, asker: asker)
    }

    private func heard(_ turn: LiveTurn, _ news: LiveTurn.Report) {
        guard turn === live else { return }
        switch news {
        case .delayed(let error): handle(.delayed(turn.id, error))
        case .ended:
            report(self, .moved)
            if case .ended(let answer) = turn.stage {
                turns[turn.id]?.outcome = .ran(answer, turn.record.state)
            }
            live = nil
            handle(.ended(turn.id, .ran))
            if let (target, begin) = turn.toSummarize {
                summaries.turnEnded(turn.session, target: target, begin: begin)
            }
            tellWhetherPaused(turn)
        }
    }
}
