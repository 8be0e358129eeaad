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
    /// A prompt that waits for its session.
    final class Queued {
        /// Without the prompt, which is in the store: what waits costs no memory.
        private(set) var record: TurnRecord
        let session: SessionRecord
        /// Bytes of the prompt.
        private(set) var bytes: Int
        private(set) var waiters: [Waiter]
        /// Whether the store has it; before that it is not taken out to run.
        var isStored = false
        /// Edits that are on their way to the store; until they are there it is not taken out either.
        var edits = 0
        var isReady: Bool { isStored && edits == 0 }
        var interrupts = false
        /// Whether it waited when the daemon was started.
        var isTakenUp = false

        init(_ record: TurnRecord, session: SessionRecord, bytes: Int, waiters: [Waiter]) {
            self.record = record
            self.record.queuedPrompt = nil
            self.session = session
            self.bytes = bytes
            self.waiters = waiters
        }

        /// Other words are in the store in the place of those that waited.
        func edited(bytes: Int, _ hash: [UInt8]?) {
            record.requestHash = hash
            self.bytes = bytes
        }

        /// One more who waits for the same end.
        func add(_ more: [Waiter]) { waiters += more }

        /// Hands the waiters over: whoever gets them answers them, and nobody else does.
        func takeWaiters() -> [Waiter] {
            defer { waiters = [] }
            return waiters
        }
    }

    /// A session's line: what runs and what waits.
    final class Line {
        var running: LiveTurn?
        /// A turn that is being prepared, or taken out of the queue.
        var starting: Starting?
        var queue: [Queued] = []
        /// Why the queue is not taken from although nothing runs.
        var hold: Hold?
        /// When the limit is looked at again.
        var timer: EventLoop.TimerID?
        /// Changes of the session's path that are on their way to the store.
        var pathChanges = 0
        var hasTurns: Bool { running != nil || starting != nil || !queue.isEmpty }
        var isBusy: Bool { hasTurns || pathChanges > 0 }
    }

    /// A limit that a session's queue waits for.
    enum Hold: Equatable {
        /// The user's prompts per minute; a timer goes on.
        case throttled
        /// A quota; raising it, or the next day, goes on.
        case paused
    }

    let services: Services
    let quotas: QuotaKeeper
    private(set) var lines: [Int64: Line] = [:]
    /// Turns taken out of a queue that neither run nor have ended yet: who repeats one waits with the others.
    var between: [TurnID: Queued] = [:]
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
    func line(of row: Int64) -> Line {
        if let known = lines[row] { return known }
        let made = Line()
        lines[row] = made
        return made
    }

    /// Takes a prompt: begins it, queues it, or refuses it.
    func submit(_ submission: Submission) {
        func refuse(_ error: WireError) { self.refuse(submission, error) }
        if isDraining { return refuse(TurnEngine.stopping) }
        let line = line(of: submission.session.row)
        if join(submission, line) { return }
        let wait = quotas.wait(for: submission.session.session.owner)
        if let refusal = refusal(of: submission, line, wait), !isRepeat(submission, line) {
            refuse(refusal)
            return next(submission.session.row)
        }
        if line.isBusy || wait > 0 {
            let limits = services.configuration.limits
            let bytes = line.queue.reduce(submission.prompt?.count ?? 0) { $0 + $1.bytes }
            guard line.queue.count < limits.queue, bytes <= limits.queued else {
                return refuse(
                    WireError(
                        .overloaded,
                        "\(line.queue.count) prompts wait on this session already, with this one \(bytes) bytes; \(limits.queue) and \(limits.queued) bytes are allowed; wait for some of them"
                    ))
            }
            return enqueue(submission, line)
        }
        prepare(submission, line)
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
        case .known(let known):
            let line = lines[session.row]
            if let running = line?.running, running.id == known.turn.id {
                running.waiters += waiters
            } else if let queued = line?.queue.first(where: { $0.record.id == known.turn.id }) {
                queued.add(waiters)
            } else if let leaving = between[known.turn.id] {
                leaving.add(waiters)
            } else {
                let seq: Int?
                do throws(StoreError) {
                    seq = try services.store(of: session.row).reader.seq(of: known.turn.answerID, in: session)
                } catch { return reply(.failure(WireError(error))) }
                reply(
                    TurnAnswers.answer(
                        known.turn, session: session.session.id, hasMessage: seq != nil, isRepeated: true))
            }
        }
    }

    /// Cuts what runs; its answer is kept as cancelled.
    private func interrupt(_ line: Line) {
        line.starting?.cancelled.append { _ in }
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
        services.store(of: submission.session.row).write(
            AcceptPrompt(
                session: submission.session.row, turn: record, prompt: prompt, title: nil,
                expectedHead: submission.turn.expectedHead)
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
        guard let line = lines[turn.session.row], line.running === turn else { return }
        line.running = nil
        // Only news: who prompts next is told where nothing can be read now.
        if let session = try? services.store(of: turn.session.row).reader.session(row: turn.session.row),
            let refusal = try? quotas.refusal(session)
        {
            publish(paused: refusal, turn.id, session)
        }
        next(turn.session.row)
    }

    /// Begins a session's next turn when none runs; forgets a session with nothing to do.
    func next(_ row: Int64) {
        guard let line = lines[row], line.running == nil, line.starting == nil, line.pathChanges == 0 else {
            return
        }
        if let queued = line.queue.first, queued.isReady, !isDraining {
            if isHeld(queued, line) { return }
            line.queue.removeFirst()
            let starting = Starting(
                turn: queued.record.id, asker: queued.waiters.first,
                leaves: queued.record.options.onDisconnect == .cancel)
            line.starting = starting
            between[queued.record.id] = queued
            return take(queued, line, starting)
        }
        if line.queue.isEmpty { lines[row] = nil }
        if isDraining && isIdle { whenIdle?() }
    }

    private func take(_ queued: Queued, _ line: Line, _ starting: Starting) {
        let row = queued.session.row
        func fail(_ error: WireError) { self.fail(queued, line, error) }
        func putBack(_ error: StoreError) {
            // What is damaged will not be whole in a moment.
            if error.code == .corrupt { return fail(WireError(error)) }
            line.starting = nil
            between[queued.record.id] = nil
            line.queue.insert(queued, at: 0)
            putOff(queued, line, error)
        }
        let session: SessionRecord
        do throws(StoreError) {
            guard let found = try services.store(of: row).reader.session(row: row),
                found.session.trashedAt == nil
            else {
                return fail(.noSession(queued.session.session.id))
            }
            session = found
        } catch { return putBack(error) }
        let settings = session.session.settings, options = queued.record.options
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
        services.upstreams.resolve(
            options.upstream ?? settings.upstream, model: options.model ?? settings.model
        ) { [self] found in
            guard isWanted() else { return }
            do throws(WireError) {
                let candidates = try found.get()
                let content: [UInt8]?
                do throws(StoreError) { content = try prompt(of: queued) } catch { return putBack(error) }
                let parts = content.map { Part.decode($0) }
                let asked = WindowRequest(options: options, prompt: parts, content: content)
                WindowMaker(services: services).choose(session, asked, candidates) { [self] result in
                    guard isWanted() else { return }
                    do throws(WireError) {
                        let choice = try result.get()
                        try choice.made.answerable()
                        quotas.begin(session.session.owner, tokens: choice.made.request.estimate)
                        let live = live(queued.record, session, parts, content, asked, choice)
                        begin(queued, line, live, choice)
                    } catch { fail(error) }
                }
            } catch { fail(error) }
        }
    }

    /// What a turn in the queue is to say, out of the store; nil when it goes on from the head.
    private func prompt(of queued: Queued) throws(StoreError) -> [UInt8]? {
        guard queued.record.promptID != nil else { return nil }
        return try services.store(of: queued.session.row).reader.queuedPrompt(of: queued.record.id)
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
            model: first.model, receipt: choice.receipt)
        services.store(of: queued.session.row).write(begin) { [self] result in
            switch result {
            case .success(let begun?): live.promptStored(row: begun.turnRow, seq: begun.seq)
            case .success(nil):  // its session has gone to the trash meanwhile
                fail(queued, live, line, .noSession(queued.session.session.id))
            case .failure(let error): fail(queued, live, line, WireError(error))
            }
        }
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
