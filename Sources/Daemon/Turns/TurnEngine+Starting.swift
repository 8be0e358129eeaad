internal import Archive
internal import Conversation
internal import Protocol
internal import Store
internal import Upstream

extension TurnEngine {
    /// A turn whose upstream is being looked for, or whose end as one that never began is on its way to the store.
    final class Starting {
        /// nil for one that is not stored yet.
        let turn: TurnID?
        /// The request that asked for it.
        let token: ObjectIdentifier?
        private(set) weak var asker: Connection?
        /// Whether the turn is to end with who asked.
        private let leaves: Bool
        /// What to tell those who cancelled it meanwhile.
        private(set) var cancelled: [(CancelOutcome) -> Void] = []
        var isCancelled: Bool { !cancelled.isEmpty }
        /// The window that is made for it.
        weak var making: WindowMaking?

        /// Somebody wants no more of it: that shows itself when what is looked up for it is there, and a long reading ends.
        func cancel(_ then: @escaping (CancelOutcome) -> Void = { _ in }) {
            cancelled.append(then)
            making?.cancel()
        }

        /// Whether nobody wants it when a client has gone, of all that wait for it.
        func isLeft(by connection: Connection, _ waiters: [Waiter]?) -> Bool {
            guard leaves else { return false }
            guard let waiters else { return asker === connection }
            return waiters.contains { $0.connection === connection }
                && !waiters.contains { $0.connection !== connection && $0.connection?.isOpen ?? false }
        }
        /// Gives it up, since the daemon stops: what is stored waits for the next start.
        ///
        /// nil when there is nothing to give up.
        var stop: (() -> Void)?

        init(turn: TurnID? = nil, asker: Waiter? = nil, leaves: Bool = false) {
            self.turn = turn
            token = asker?.token
            self.asker = asker?.connection
            self.leaves = leaves
        }
    }

    /// Looks for who answers a prompt, makes its window and begins its turn.
    ///
    /// One whose session has changed meanwhile is prepared again, with the session as it is now.
    func prepare(_ submission: Submission, _ line: Line, isAgain: Bool = false) {
        let starting = Starting(
            asker: submission.waiter, leaves: submission.turn.options.onDisconnect == .cancel)
        line.starting = starting
        let row = submission.session.row
        func give(up error: WireError) {
            line.starting = nil
            refuse(submission, error)
            next(row)
        }
        /// Whether a turn that was looked up meanwhile may still begin; one that was given up has been answered.
        func isWanted() -> Bool {
            guard line.starting === starting else { return false }
            if starting.isCancelled { give(up: .cancelledUnstored) }
            return !starting.isCancelled
        }
        starting.stop = { [unowned starting] in
            give(up: starting.isCancelled ? .cancelledUnstored : TurnEngine.stopping)
        }
        guard isAgain else {
            return prepare(submission, line, starting, isAgain: false, isWanted, give(up:))
        }
        services.archives.read(SessionByRow(row), of: row) { [self] result in
            guard isWanted() else { return }
            switch result {
            case .success(let session?):
                var again = submission
                again.session = session
                prepare(again, line, starting, isAgain: true, isWanted, give(up:))
            case .success(nil): give(up: .noSession(submission.session.session.id))
            case .failure(let error): give(up: WireError(error))
            }
        }
    }

    private func prepare(
        _ submission: Submission, _ line: Line, _ starting: Starting, isAgain: Bool,
        _ isWanted: @escaping () -> Bool, _ giveUp: @escaping (WireError) -> Void
    ) {
        let settings = submission.session.session.settings, options = submission.turn.options
        services.upstreams.resolve(
            options.upstream ?? settings.upstream, model: options.model ?? settings.model
        ) { [self] found in
            guard isWanted() else { return }
            do throws(WireError) {
                let candidates = try found.get()
                if submission.prompt == nil && submission.session.session.messageCount == 0 {
                    throw WireError(
                        .conflict, "the session has no messages to go on from; send a prompt")
                }
                let asked = WindowRequest(
                    options: submission.turn.options, prompt: submission.parts, content: submission.prompt)
                let maker = WindowMaker(services: services)
                starting.making = maker.making
                maker.choose(submission.session, asked, candidates) { [self] result in
                    guard isWanted() else { return }
                    do throws(WireError) {
                        let choice = try result.get()
                        try choice.made.answerable()
                        begin(submission, line, asked, choice, isAgain: isAgain)
                    } catch { giveUp(error) }
                }
            } catch { giveUp(error) }
        }
    }

    private func begin(
        _ submission: Submission, _ line: Line, _ asked: WindowRequest, _ choice: WindowChoice, isAgain: Bool
    ) {
        guard let first = choice.candidates.first else { return }
        let made = choice.made
        let session = submission.session
        if !isAgain { quotas.begin(session.session.owner, tokens: made.request.estimate) }
        var record = record(submission, .running)
        record.upstream = first.upstream.name
        record.model = first.model
        record.receipt = choice.receipt
        let live = live(
            record, submission.session, submission.parts, submission.prompt, asked, choice)
        live.waiters = [submission.waiter]
        line.running = live
        line.starting = nil
        let title =
            submission.session.session.title == nil
            ? submission.parts.flatMap { suggestedTitle(for: $0) } : nil
        let accept = AcceptPrompt(
            session: submission.session.row, turn: record, prompt: live.prompt, title: title,
            base: submission.base, expectedHead: submission.turn.expectedHead,
            seen: (session.branch, session.session.messageCount))
        services.archives.write(accept, of: submission.session.row) { [self] result in
            if case .success(.accepted) = result {} else { live.isVoid = true }
            if case .success(.moved) = result { return prepareAgain(submission, line, live) }
            submission.settled()
            switch result {
            case .success(.accepted(let row, let place, let left)):
                moves += 1
                live.left = left
                live.promptStored(row: row, place: place)
                if let title { publish(title: title, submission.session) }
            case .success(let other):
                line.running = nil
                resolve(other, live.waiters, submission.session)
                next(submission.session.row)
            case .failure(let error):
                line.running = nil
                for waiter in live.waiters { waiter.reply(.failure(WireError(error))) }
                next(submission.session.row)
            }
        }
    }

    /// Another client's messages came between the window and the prompt: the window is made anew, with them in it.
    private func prepareAgain(_ submission: Submission, _ line: Line, _ live: LiveTurn) {
        line.running = nil
        func give(up error: WireError) {
            refuse(submission, error)
            next(submission.session.row)
        }
        if live.isCancelWanted { return give(up: .cancelledUnstored) }
        if isDraining { return give(up: TurnEngine.stopping) }
        // What goes on from further back named a path that is not there any more.
        if submission.base != nil {
            return give(
                up: WireError(
                    .conflict, "the session's path has changed meanwhile; look at it, then ask again"))
        }
        prepare(submission, line, isAgain: true)
    }

    /// Answers a prompt of which nothing is stored.
    func refuse(_ submission: Submission, _ error: WireError) {
        submission.settled()
        let isCancelled = error.kind == .cancelled
        submission.waiter.reply(isCancelled ? .success(TurnAnswers.cancelledUnstored) : .failure(error))
    }

    /// What a prompt is told that the daemon takes no more.
    static let stopping = WireError(.shuttingDown, "the daemon is stopping; try again in a moment")
}

extension WireError {
    /// What a prompt that was cancelled before it was stored is told.
    static let cancelledUnstored = WireError(.cancelled, "the prompt was cancelled before it was stored")
}
