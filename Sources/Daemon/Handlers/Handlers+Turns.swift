internal import Archive
internal import ContextWindow
internal import Conversation
internal import JSON
internal import Protocol
internal import Sessions
internal import Store

extension Handlers {
    static let turns: [Handler] = [
        .on(Method.TurnCancel.self) { $0.cancelTurn },
        .on(Method.TurnContinue.self) { $0.continueTurn },
        .on(Method.TurnGet.self) { $0.getTurn },
        .on(Method.TurnList.self) { $0.listTurns },
        .on(Method.TurnRetry.self) { $0.retryTurn },
        .on(Method.TurnSet.self) { $0.setTurn },
        .on(Method.TurnStart.self) { $0.startTurn },
        .on(Method.SessionPrompt.self) { $0.prompt },
    ]

    private func prompt(_ request: Request<Method.SessionPrompt>) throws(WireError) {
        withSession(request.call, request.parameters.id) { [self] record in
            submit(request.call, record, request.parameters.prompt, request.parameters.turn)
        }
    }

    private func startTurn(_ request: Request<Method.TurnStart>) throws(WireError) {
        withSession(request.call, request.parameters.id) { [self] record in
            submit(request.call, record, nil, request.parameters.turn)
        }
    }

    /// Hands a turn to the engine; `base` makes it go on from further back, on a branch of its own.
    func submit(
        _ call: Client.Call, _ record: SessionRecord, _ prompt: PromptContent?, _ turn: TurnRequest,
        base: Int? = nil, about: MessageID? = nil
    ) {
        do throws(WireError) {
            try check(
                SessionSettings(
                    upstream: turn.options.upstream, model: turn.options.model, window: turn.options.window))
        } catch { return call.fail(error) }
        let client = call.client
        var turn = turn
        turn.options.system = client.overrides[record.row]
        // Who wanted it to end with him has gone before it was begun.
        if !client.isOpen && turn.options.onDisconnect == .cancel { return call.cancelUnbegun() }
        if client.isOpen { channels.subscribe(client, to: record.row) }
        let asker = askers.add(client) {
            // Whatever went wrong with a turn's bookkeeping must not take everybody's daemon down.
            if !call.isAnswered { call.reply($0) }
        }
        call.onCancel = { [engine] in engine.cancel(asker) }
        engine.submit(
            Submission(
                session: record, prompt: prompt?.content, parts: prompt?.parts, turn: turn, base: base,
                about: about, asker: asker, settled: { call.settled() }))
    }

    private func listTurns(_ request: Request<Method.TurnList>) throws(WireError) {
        let parameters = request.parameters
        let before = try PageCursor.number("t", parameters.cursor).map { TurnRow($0) }
        withSession(request.call, parameters.id) { [self] record in
            let choice: Archive.TurnList.Choice =
                parameters.requestID.map { .request($0) } ?? (parameters.isOpenOnly ? .open : .all)
            let id = record.session.id, isOpenOnly = parameters.isOpenOnly, limit = parameters.limit
            lookForList(request.call, of: record.row, limit: limit) { rows, bytes in
                Archive.TurnList(record.row, choice, before: before, limit: rows, bytes: bytes)
            } isWhole: { found in
                !found.isMore || found.turns.count >= limit
            } map: { found in
                // A request's turn is asked for by its ID alone.
                let turns = found.turns.filter { !isOpenOnly || $0.turn.state.isOpen }
                return JSONWriter.bytes(
                    of: Method.TurnList.Result(
                        turns: turns.map { Wire.Turn($0.turn, session: id) },
                        nextCursor: found.isMore
                            ? turns.last.map { PageCursor.text("t", $0.row.number) } : nil))
            } _: { page in
                request.reply(written: page)
            }
        }
    }

    /// Finds a turn with its session and its tries.
    func withAttempts(
        _ call: Client.Call, _ id: TurnID,
        _ body: @escaping (StoredTurn, SessionRecord, [Wire.Attempt]) -> Void
    ) {
        withTurn(call, id) { [self] stored, record in
            look(call, AttemptList(stored.row), of: record.row) { attempts in
                body(stored, record, attempts.map { Wire.Attempt($0) })
            }
        }
    }

    private func getTurn(_ request: Request<Method.TurnGet>) throws(WireError) {
        withAttempts(request.call, request.parameters.id) { stored, record, attempts in
            request.reply(
                Wire.TurnDetails(
                    Wire.Turn(stored.turn, session: record.session.id), receipt: stored.turn.receipt,
                    attempts: attempts))
        }
    }

    private func cancelTurn(_ request: Request<Method.TurnCancel>) throws(WireError) {
        let id = request.parameters.id
        withTurn(request.call, id) { [self] stored, record in
            func reply(_ state: TurnRecord.State) { request.reply(.init(turnId: id, state: state)) }
            let isLive = engine.cancel(id, on: record.row) { [askers] in
                askers.add(request.client, wish: .state) {
                    if !request.call.isAnswered { request.call.reply($0) }
                }
            }
            if isLive { return }
            guard stored.turn.state.isOpen else { return reply(stored.turn.state) }
            // It ended while it was looked for.
            look(request.call, TurnByID(id, owner: nil), of: record.row) { found in
                reply(found?.stored.turn.state ?? stored.turn.state)
            }
        }
    }

    /// Messages between an answer and its prompt at most; looking further back would hold up everybody.
    private static let farthestPrompt = 1_000

    /// Answers a prompt anew, or another one in its place; the old answer stays on its branch.
    private func retryTurn(_ request: Request<Method.TurnRetry>) throws(WireError) {
        let parameters = request.parameters, call = request.call
        withSession(call, parameters.id) { [self] record in
            let base = PromptBase(record, parameters.messageID, farthest: Handlers.farthestPrompt)
            look(call, base, of: record.row) { [self] (found) throws(WireError) in
                try retry(parameters, record, from: found, call)
            }
        }
    }

    private func retry(
        _ parameters: Method.TurnRetry.Parameters, _ record: SessionRecord, from found: PromptBase.Output,
        _ call: Client.Call
    ) throws(WireError) {
        switch found {
        case .offPath:
            guard let id = parameters.messageID else { return }
            throw offPath(id)
        case .none:
            throw WireError(.conflict, "there is no prompt to answer anew; send one")
        case .unanswered(let content):
            // Nothing of it is on the path, so nothing is left for a branch.
            let prompt = parameters.prompt ?? PromptContent(content: content, parts: Part.decode(content))
            submit(call, record, prompt, parameters.turn)
        case .prompt(let old, let named, let place, let before):
            if parameters.prompt != nil, let id = parameters.messageID, let named {
                throw WireError(
                    .conflict,
                    "message '\(id)' (number \(named)) is not a prompt: other words can only take the place of what the user said; name that message"
                )
            }
            var prompt = parameters.prompt
            if prompt == nil, old.isExcluded || old.isDeleted {
                throw WireError(
                    .conflict,
                    old.isDeleted
                        ? "message \(old.seq) was deleted, so there is nothing to answer; send another prompt"
                        : "message \(old.seq) is excluded, so no model sees it; include it first, or send another prompt"
                )
            }
            // A refused or failed prompt stays out of every window: it goes as a new one.
            if prompt == nil && !old.status.isSent {
                prompt = PromptContent(content: old.content, parts: old.parts)
            }
            let base = prompt == nil ? place : before
            submit(
                call, record.at(base), prompt, parameters.turn, base: base.head, about: parameters.messageID)
        }
    }

    /// Goes on with an answer that was cut.
    private func continueTurn(_ request: Request<Method.TurnContinue>) throws(WireError) {
        let parameters = request.parameters, call = request.call
        withSession(call, parameters.id) { [self] record in
            let newest = ReadMessages(record, .backFrom(record.session.messageCount), limit: 1, bytes: 1)
            look(call, newest, of: record.row) { [self] (page) throws(WireError) in
                let last = page.messages.first
                if let last, last.isExcluded || last.isDeleted {
                    throw WireError(
                        .conflict,
                        "message \(last.seq) is \(last.isDeleted ? "deleted" : "excluded"), so no model sees it, and there is nothing to continue"
                    )
                }
                // A refused or failed answer stays out of every window, so there is nothing to go on from.
                let isCut = last?.status == .cancelled || last?.status == .interrupted
                guard last?.role == .assistant, !isCut, let turn = last?.turnID else {
                    return try goOn(
                        call, record, parameters, isCut: isCut && last?.role == .assistant, last?.id)
                }
                look(call, TurnByID(turn, owner: nil), of: record.row) { [self] (found) throws(WireError) in
                    try goOn(
                        call, record, parameters, isCut: found?.stored.turn.stopReason == .maxTokens, last?.id
                    )
                }
            }
        }
    }

    /// Goes on from the last message, as long as that is the newest one.
    private func goOn(
        _ call: Client.Call, _ record: SessionRecord, _ parameters: OneTurnStart, isCut: Bool,
        _ last: MessageID?
    ) throws(WireError) {
        guard isCut else {
            throw WireError(.conflict, "the last message is no cut answer; there is nothing to continue")
        }
        var turn = parameters.turn
        turn.expectedHead = turn.expectedHead ?? last
        submit(call, record, nil, turn)
    }

    /// Gives a prompt that waits in the queue other words.
    private func setTurn(_ request: Request<Method.TurnSet>) throws(WireError) {
        let parameters = request.parameters
        withTurn(request.call, parameters.id) { [self] (stored, record) throws(WireError) in
            guard stored.turn.promptID != nil else {
                throw WireError(.conflict, "turn '\(parameters.id)' has no prompt of its own to edit")
            }
            engine.edit(parameters.id, on: record.row, parameters.prompt) { result in
                switch result {
                case .success: request.reply(.init(turnId: parameters.id))
                case .failure(let error): request.fail(error)
                }
            }
        }
    }
}

extension Wire.Attempt {
    /// A stored try.
    init(_ attempt: Attempt) {
        self.init(
            number: attempt.number, upstream: attempt.upstream, model: attempt.model,
            startedAt: Wire.Time(attempt.startedAt), firstAt: attempt.firstAt.map { Wire.Time($0) },
            endedAt: Wire.Time(attempt.endedAt), outcome: attempt.outcome, status: attempt.status,
            detail: attempt.detail)
    }
}
