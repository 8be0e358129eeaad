internal import Archive
internal import Conversation
internal import Protocol
internal import Sessions
internal import Store

/// How prompts come in.
extension SessionDriver {
    func submit(_ submission: Submission) {
        line.limits = SessionDriver.limits(configuration)
        let turn = PendingTurn(ids.newID(), submission)
        turns[turn.id] = turn
        handle(.arrived(submission.ticket(turn.id)))
    }

    func takeUp(_ found: [TurnFound]) {
        for found in found { turns[found.stored.turn.id] = PendingTurn(found) }
        handle(
            .takenUp(
                found.map {
                    let turn = $0.stored.turn
                    return Ticket(
                        id: turn.id,
                        key: turn.requestID.map { Ticket.Key(name: $0, hash: turn.requestHash ?? []) },
                        endsWithAskers: turn.options.onDisconnect == .cancel, storage: .queued)
                }))
    }

    func judge(_ turn: PendingTurn) {
        lookAtLimits(of: turn) { [self] result in
            let refusal: WireError? =
                switch result {
                case .success(let found): quotas.refusal(turn.session, found)
                case .failure(let error): WireError(error)
                }
            turn.admission = admissions.share(line.owner, bytes: turn.submission?.bytes ?? 0)
            handle(
                .judged(
                    turn.id, refusal: refusal, wait: quotas.wait(for: line.owner),
                    isCrowded: turn.admission == nil))
        }
    }

    /// Looks what is used up of a turn's limits, if it has any.
    func lookAtLimits(
        of turn: PendingTurn, _ then: @escaping (Result<PromptLook.Output, ArchiveError>) -> Void
    ) {
        let look = quotas.look(for: turn.session)
        if look.isEmpty { return then(.success(PromptLook.Output())) }
        let mark = quotas.mark
        archives.read(look, of: row) { result in
            if case .success(let found) = result { turn.used = found.userUsage.map { ($0, mark) } }
            then(result)
        }
    }

    func recognize(_ turn: PendingTurn) {
        lookForKnown(turn.submission) { [self] in handle(.recognized(turn.id, isKnown: $0)) }
    }

    /// Whether a prompt repeats one that was asked for before, and did not fail.
    ///
    /// Where that cannot be read it counts as new, and is refused for what a new one is refused for.
    func lookForKnown(_ submission: Submission?, _ then: @escaping (Bool) -> Void) {
        guard let name = submission?.turn.requestID else { return then(false) }
        var look = PromptLook()
        look.request = (row, name)
        archives.read(look, of: row) { result in
            guard case .success(let found) = result, let known = found.known else { return then(false) }
            then(known.turn.state != .failed)
        }
    }

    func newRecord(_ turn: PendingTurn, _ submission: Submission, _ state: TurnRecord.State)
        -> TurnRecord
    {
        var record = TurnRecord(
            id: turn.id, state: state, promptID: submission.prompt == nil ? nil : ids.newID(),
            answerID: ids.newID(), requestID: submission.turn.requestID,
            options: submission.turn.options, createdAt: clocks.now())
        record.requestHash = line.ticket(turn.id)?.key?.hash
        return record
    }

    func enqueue(_ turn: PendingTurn) {
        guard let submission = turn.submission else { return }
        let record = newRecord(turn, submission, .queued)
        turn.keep(record)
        var prompt: NewMessage?
        if let content = submission.prompt, let id = record.promptID {
            prompt = NewMessage(id: id, role: .user, content: content, size: ContentSize())
        }
        turn.submission?.prompt = nil
        turn.submission?.parts = nil
        turn.admission = nil
        report(self, .queues(turn.id))
        let accept = AcceptPrompt(
            session: row, turn: record, prompt: prompt, title: nil, expectedHead: submission.turn.expectedHead
        )
        archives.write(accept, of: row) { [self] result in
            turn.submission = nil  // its words are in the archive
            submission.settled()
            handle(.enqueued(turn.id, stored(turn, result)))
        }
    }

    /// What the answer to a write that brings a turn in means for the line.
    func stored(_ turn: PendingTurn, _ result: Result<AcceptPrompt.Output, ArchiveError>)
        -> SessionLine.Stored
    {
        switch result {
        case .success(.accepted): return .accepted
        case .success(.moved): return .moved
        case .success(.missing): return .refused(.noSession(line.session))
        case .success(.stale(let head)):
            let now = head.map { "it is '\($0)' now" } ?? "there is none now"
            return .refused(
                WireError(
                    .conflict,
                    "the newest message is not the expected one, \(now); read what came since, then decide"))
        case .success(.conflict(let known)):
            return .refused(
                WireError(
                    .conflict,
                    "the request ID was used for another prompt (turn \(known.turn.id)); use a new one for new content"
                ))
        case .success(.known(let known, let hasMessage)):
            turn.outcome = .repeated(known.turn, hasMessage: hasMessage)
            return .known(known.turn.id)
        case .failure(let error): return .refused(WireError(error))
        }
    }

    func edit(
        _ id: TurnID, _ prompt: PromptContent,
        _ then: @escaping (Result<Void, WireError>) -> Void
    ) {
        guard let turn = turns[id] else { return }
        let hash = line.ticket(id)?.key == nil ? nil : Submission.hash(prompt.parts, turn.options)
        handle(.editBegan(id))
        archives.write(EditQueued(id, prompt: prompt.content, hash: hash), of: row) { [self] result in
            if case .success(true) = result {
                handle(.edited(id, bytes: prompt.content.count + turn.options.heldBytes, hash: hash))
            } else {
                handle(.edited(id, bytes: nil, hash: nil))
            }
            switch result {
            case .success(true): then(.success(()))
            case .success(false): then(.failure(WireError(.conflict, "turn '\(id)' does not wait any more")))
            case .failure(let error): then(.failure(WireError(error)))
            }
        }
    }
}
