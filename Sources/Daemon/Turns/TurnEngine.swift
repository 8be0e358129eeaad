internal import Archive
internal import ContextWindow
internal import Conversation
internal import EventLoop
internal import JSON
internal import Protocol
internal import Store
internal import Upstream

/// Runs turns: one at a time on a session, the others in the session's stored queue.
///
/// - Invariant: every waiter is answered exactly once, and a session's next turn begins only after the end of the one
///   before is stored.
final class TurnEngine {
    let services: Services
    let quotas: QuotaKeeper
    private(set) var lines: [SessionRow: Line] = [:]
    /// Turns taken out of a queue that neither run nor have ended yet: who repeats one waits with the others.
    var between: [TurnID: Queued] = [:]
    /// Turns that were put into a queue before those that waited at the start were taken up; nil once they are.
    var ownTurns: Set<TurnID>? = []
    /// How often a limit was raised: what a look found of limits before that is old.
    var raises = 0
    /// How often a turn was stored as running or ended: what a look found of sessions before that may be old.
    var moves = 0
    var isDraining = false
    var whenIdle: (() -> Void)?

    init(_ services: Services) {
        self.services = services
        quotas = QuotaKeeper(services)
    }

    var runningCount: Int { lines.values.count { $0.running != nil } }
    /// The turns that run now.
    var running: Set<TurnID> { Set(lines.values.compactMap { $0.running?.id }) }
    /// Ends of turns that never began, on their way to the store.
    var endings = 0
    var isIdle: Bool { runningCount == 0 && endings == 0 }

    /// What a prompt brings: a new message of the user, or with `prompt` nil only the wish to go on.
    struct Submission {
        var session: SessionRecord
        var prompt: [UInt8]?
        var parts: [Part]?
        var turn: TurnRequest
        /// Where it goes on from: behind this seq, on a branch of its own; nil means the head.
        var base: Int?
        /// The message that a retry named.
        var about: MessageID?
        var waiter: Waiter
        /// Called once the prompt is stored or refused, so that requests behind it may look at the store.
        var settled: () -> Void
    }

    /// A session's line, made where there is none.
    func line(of session: SessionRecord) -> Line {
        if let known = lines[session.row] { return known }
        let made = Line(session)
        lines[session.row] = made
        return made
    }

    /// Takes a prompt: begins it, queues it, or refuses it.
    func submit(_ submission: Submission) {
        arrive(submission, quotas.look(for: submission.session)) { [self] result in
            switch result {
            case .failure(let error): consider(submission, WireError(error))
            case .success(let found): consider(submission, quotas.refusal(submission.session, found))
            }
        }
    }

    /// Goes on with a prompt once what decides about it was looked up, unless it is settled by then.
    private func arrive(
        _ submission: Submission, _ look: PromptLook,
        _ then: @escaping (Result<PromptLook.Output, ArchiveError>) -> Void
    ) {
        if isDraining { return refuse(submission, TurnEngine.stopping) }
        let row = submission.session.row, line = line(of: submission.session)
        if join(submission, line) { return }
        if look.isEmpty { return then(.success(PromptLook.Output())) }
        let arriving = Starting(
            asker: submission.waiter, leaves: submission.turn.options.onDisconnect == .cancel)
        line.arriving.append(arriving)
        services.archives.read(look, of: row) { [self] result in
            line.arriving.removeAll { $0 === arriving }
            if arriving.isCancelled || isDraining {
                refuse(submission, arriving.isCancelled ? .cancelledUnstored : TurnEngine.stopping)
            } else if !join(submission, line) {
                then(result)
            }
            next(row)
        }
    }

    /// Takes a prompt unless there is a reason against it, be it `quota`; one that was asked for before is taken all the same,
    /// since it waits for nobody and changes no path.
    private func consider(_ submission: Submission, _ quota: WireError?) {
        let row = submission.session.row, line = line(of: submission.session)
        let wait = quotas.wait(for: submission.session.session.owner)
        guard let refusal = quota ?? refusal(of: submission, line, wait) else {
            return accept(submission, line, wait)
        }
        var look = PromptLook()
        if let id = submission.turn.requestID {
            if line.has(id) { return accept(submission, line, wait) }
            look.request = (row, id)
        }
        arrive(submission, look) { [self] result in
            // Where that cannot be read it counts as new, and is refused for what a new one is refused for.
            if case .success(let found) = result, let known = found.known, known.turn.state != .failed {
                return accept(submission, line, wait)
            }
            refuse(submission, refusal)
            next(row)
        }
    }

    private func accept(_ submission: Submission, _ line: Line, _ wait: Int) {
        guard line.isBusy || wait > 0 else { return prepare(submission, line) }
        let limits = services.configuration.limits
        let bytes = line.queue.reduce(submission.prompt?.count ?? 0) { $0 + $1.bytes }
        guard line.queue.count < limits.queue, bytes <= limits.queued else {
            refuse(
                submission,
                WireError(
                    .overloaded,
                    "\(line.queue.count) prompts wait on this session already, with this one \(bytes) bytes; \(limits.queue) and \(limits.queued) bytes are allowed; wait for some of them"
                ))
            return next(submission.session.row)
        }
        enqueue(submission, line)
    }

    func record(_ submission: Submission, _ state: TurnRecord.State) -> TurnRecord {
        var record = TurnRecord(
            id: services.newID(), state: state, promptID: submission.prompt == nil ? nil : services.newID(),
            answerID: services.newID(),
            requestID: submission.turn.requestID,
            options: submission.turn.options, createdAt: services.clock())
        if record.requestID != nil { record.requestHash = hash(of: submission) }
        return record
    }

    func live(
        _ record: TurnRecord, _ session: SessionRecord, _ parts: [Part]?, _ content: [UInt8]?,
        _ asked: WindowRequest, _ choice: WindowChoice
    ) -> LiveTurn {
        var prompt: NewMessage?
        if let parts, let content, let id = record.promptID {
            prompt = NewMessage(
                id: id, role: .user, content: content,
                tokens: choice.made.promptTokens ?? TokenEstimate.message(parts))
        }
        return LiveTurn(
            record, session: session, prompt: prompt, asked: asked, choice: choice, services: services
        ) { [weak self] in self?.ended($0) }
    }

    func publish(title: String, _ session: SessionRecord) {
        let update = JSONWriter.object {
            $0.member("sessionUpdate", "session_info_update")
            $0.member("title", title)
            $0.member("updatedAt", Timestamp.text(self.services.clock()))
        }
        services.channels.publish(update: update, of: session.session.id, on: session.row)
    }

    /// A request ID that was used before, or a session that has gone.
    func resolve(_ outcome: AcceptPrompt.Output, _ waiters: [Waiter], _ session: SessionRecord) {
        func reply(_ answer: Result<[UInt8], WireError>) { for waiter in waiters { waiter.reply(answer) } }
        switch outcome {
        case .accepted, .moved: break
        case .missing: reply(.failure(.noSession(session.session.id)))
        case .stale(let head):
            let now = head.map { "it is '\($0)' now" } ?? "there is none now"
            reply(
                .failure(
                    WireError(
                        .conflict,
                        "the newest message is not the expected one, \(now); read what came since, then decide"
                    )))
        case .conflict(let known):
            let message =
                "the request ID was used for another prompt (turn \(known.turn.id)); use a new one for new content"
            reply(.failure(WireError(.conflict, message)))
        case .known(let known, let hasMessage):
            let line = lines[session.row]
            if let running = line?.running, running.id == known.turn.id {
                running.waiters += waiters
            } else if let queued = line?.queue.first(where: { $0.record.id == known.turn.id }) {
                queued.add(waiters)
            } else if let leaving = between[known.turn.id] {
                leaving.add(waiters)
            } else {
                reply(
                    TurnAnswers.answer(
                        known.turn, session: session.session.id, hasMessage: hasMessage, isRepeated: true))
            }
        }
    }

    /// Cuts what runs; its answer is kept as cancelled.
    private func interrupt(_ line: Line) {
        line.starting?.cancel()
        line.running?.handle(.cancel)
    }

    // MARK: The queue

    private func enqueue(_ submission: Submission, _ line: Line) {
        let record = record(submission, .queued)
        let queued = Queued(
            record, session: submission.session, bytes: submission.prompt?.count ?? 0,
            waiters: [submission.waiter])
        // One that interrupts goes ahead of all but those that do so too.
        let isFirst = submission.turn.ifBusy == .interrupt
        queued.interrupts = isFirst
        let index = isFirst ? line.queue.prefix { $0.interrupts }.count : line.queue.count
        line.queue.insert(queued, at: index)
        let position = index + 1
        var prompt: NewMessage?
        if let content = submission.prompt, let id = record.promptID {
            prompt = NewMessage(id: id, role: .user, content: content, tokens: 0)
        }
        ownTurns?.insert(record.id)
        services.archives.write(
            AcceptPrompt(
                session: submission.session.row, turn: record, prompt: prompt, title: nil,
                expectedHead: submission.turn.expectedHead),
            of: submission.session.row
        ) { [self] result in
            submission.settled()
            switch result {
            case .success(.accepted) where submission.base != nil:
                // It repeated one that failed just now; what waits goes on from the head, and this may not.
                line.queue.removeAll { $0 === queued }
                for waiter in queued.takeWaiters() {
                    waiter.reply(.failure(TurnEngine.pathIsTaken(submission.session)))
                }
                cancel(queued)
            case .success(.accepted):
                queued.isStored = true
                let update = TurnAnswers.progress(record.id, "queued") { $0.member("position", position) }
                services.channels.publish(
                    update: update, of: submission.session.session.id, on: submission.session.row)
                // It may have been cancelled meanwhile.
                if isFirst, line.queue.contains(where: { $0 === queued }) { interrupt(line) }
            case .success(let other):
                line.queue.removeAll { $0 === queued }
                resolve(other, queued.takeWaiters(), submission.session)
            case .failure(let error):
                line.queue.removeAll { $0 === queued }
                for waiter in queued.takeWaiters() { waiter.reply(.failure(WireError(error))) }
            }
            next(submission.session.row)
        }
    }

    private func ended(_ turn: LiveTurn) {
        moves += 1
        let row = turn.session.row
        guard let line = lines[row], line.running === turn else { return }
        line.running = nil
        tellWhetherPaused(turn)
        next(row)
    }

    /// Tells a session's clients when a quota is used up by a turn.
    ///
    /// Only news: who prompts next is told where nothing can be read now.
    private func tellWhetherPaused(_ turn: LiveTurn) {
        var look = quotas.look(for: turn.session)
        if look.isEmpty { return }
        look.record = turn.session.row
        services.archives.read(look, of: turn.session.row) { [self] result in
            guard case .success(let found) = result, let session = found.record,
                let refusal = quotas.refusal(session, found)
            else { return }
            publish(paused: refusal, turn.id, session)
        }
    }

    /// Begins a session's next turn when none runs; forgets a session with nothing to do.
    func next(_ row: SessionRow) {
        guard let line = lines[row], line.running == nil, line.starting == nil, line.pathChanges == 0 else {
            return
        }
        if let queued = line.queue.first, queued.isReady, !isDraining {
            if !line.isLooking { consider(queued, line) }
            return
        }
        if line.isForgotten { lines[row] = nil }
        if isDraining && isIdle { whenIdle?() }
    }

    /// Looks whether the queue's first turn may begin, and takes it out then.
    private func consider(_ queued: Queued, _ line: Line) {
        let row = queued.session.row, version = queued.version, raises = raises
        line.isLooking = true
        /// Goes on with what was found, unless the queue has changed meanwhile.
        func goOn<Found>(_ result: Result<Found, ArchiveError>, _ body: (Found) -> Void) {
            line.isLooking = false
            guard line.queue.first === queued, queued.isReady, queued.version == version, line.running == nil,
                line.starting == nil, line.pathChanges == 0, self.raises == raises, !isDraining
            else { return next(row) }
            switch result {
            case .success(let found): body(found)
            // What is damaged will not be whole in a moment.
            case .failure(let error) where error.code == .corrupt:
                _ = takeOut(queued, line)
                fail(queued, line, WireError(error))
            case .failure(let error): putOff(queued, line, error)
            }
        }
        services.archives.read(TurnByID(queued.record.id, owner: nil), of: row) { [self] result in
            goOn(result) { found in
                guard let found, found.session.session.trashedAt == nil else {
                    _ = takeOut(queued, line)
                    return fail(queued, line, .noSession(queued.session.session.id))
                }
                let look = quotas.look(for: found.session)
                line.isLooking = true
                services.archives.read(look, of: row) { [self] result in
                    goOn(result) { used in
                        if isHeld(queued, line, found.session, quotas.refusal(found.session, used)) { return }
                        take(queued, line, found)
                    }
                }
            }
        }
    }

    /// Takes the first turn out of the queue.
    private func takeOut(_ queued: Queued, _ line: Line) -> Starting {
        line.queue.removeFirst()
        let starting = Starting(
            turn: queued.record.id, asker: queued.waiters.first,
            leaves: queued.record.options.onDisconnect == .cancel)
        line.starting = starting
        between[queued.record.id] = queued
        return starting
    }

    private func take(_ queued: Queued, _ line: Line, _ found: TurnFound) {
        let row = queued.session.row, session = found.session, starting = takeOut(queued, line)
        func fail(_ error: WireError) { self.fail(queued, line, error) }
        func cancelStarting() {
            let told = line.starting?.cancelled ?? []
            line.starting = nil
            cancel(queued) { outcome in for tell in told { tell(outcome) } }
            next(row)
        }
        /// Whether a turn that was looked up meanwhile may still begin.
        func isWanted() -> Bool {
            guard line.starting === starting else { return false }
            if starting.isCancelled { cancelStarting() }
            return !starting.isCancelled
        }
        starting.stop = { [self, unowned starting] in
            if starting.isCancelled { return cancelStarting() }
            line.starting = nil
            between[queued.record.id] = nil
            line.queue.insert(queued, at: 0)
        }
        let settings = session.session.settings, options = queued.record.options
        services.upstreams.resolve(
            options.upstream ?? settings.upstream, model: options.model ?? settings.model
        ) { [self] resolved in
            guard isWanted() else { return }
            do throws(WireError) {
                let candidates = try resolved.get()
                let content = found.stored.turn.queuedPrompt
                let parts = content.map { Part.decode($0) }
                let asked = WindowRequest(options: options, prompt: parts, content: content)
                let maker = WindowMaker(services: services)
                starting.making = maker.making
                maker.choose(session, asked, candidates) { [self] result in
                    guard isWanted() else { return }
                    do throws(WireError) {
                        let choice = try result.get()
                        try choice.made.answerable()
                        if !queued.isCounted {
                            quotas.begin(session.session.owner, tokens: choice.made.request.estimate)
                        }
                        queued.isCounted = true
                        let live = live(queued.record, session, parts, content, asked, choice)
                        begin(queued, line, live, choice)
                    } catch { fail(error) }
                }
            } catch { fail(error) }
        }
    }

    private func begin(
        _ queued: Queued, _ line: Line, _ live: LiveTurn, _ choice: WindowChoice
    ) {
        guard let first = choice.candidates.first else { return }
        between[queued.record.id] = nil
        live.waiters = queued.takeWaiters()
        line.running = live
        line.starting = nil
        let title =
            live.session.session.title == nil
            ? live.asked.prompt.flatMap { suggestedTitle(for: $0) } : nil
        let begin = BeginQueued(
            queued.record.id, prompt: live.prompt, title: title, upstream: first.upstream.name,
            model: first.model, receipt: choice.receipt,
            seen: (live.session.branch, live.session.session.messageCount))
        services.archives.write(begin, of: queued.session.row) { [self] result in
            switch result {
            case .success(.begun(let begun)):
                moves += 1
                live.promptStored(row: begun.turnRow, place: begun.place)
            case .success(.moved): takeAgain(queued, live, line)
            case .success(.gone):  // its session has gone to the trash meanwhile
                fail(queued, live, line, .noSession(queued.session.session.id))
            case .failure(let error): fail(queued, live, line, WireError(error))
            }
        }
    }

    /// Messages came between the window and the turn: it is taken anew, with them in its window.
    private func takeAgain(_ queued: Queued, _ live: LiveTurn, _ line: Line) {
        live.isVoid = true
        line.running = nil
        queued.add(live.waiters)
        if live.isCancelWanted {
            cancel(queued)
        } else {
            line.queue.insert(queued, at: 0)
            if isDraining { tellStopped(queued) }
        }
        next(queued.session.row)
    }

    /// A turn whose beginning could not be stored ends as one that never began.
    private func fail(_ queued: Queued, _ live: LiveTurn, _ line: Line, _ error: WireError) {
        live.isVoid = true
        line.running = nil
        line.starting = Starting(turn: queued.record.id)
        queued.add(live.waiters)
        fail(queued, line, error)
    }
}
