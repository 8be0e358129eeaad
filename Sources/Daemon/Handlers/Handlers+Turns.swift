internal import Archive
internal import Conversation
internal import JSON
internal import Protocol
internal import Sessions
internal import Store

extension Handlers {
    func prompt(_ call: Call) throws(WireError) {
        let asked = try PromptParameters(call.params)
        withSession(call, asked.id) { [self] record in
            submit(call, record, content: asked.prompt, parts: asked.parts, asked.turn)
        }
    }

    func startTurn(_ call: Call) throws(WireError) {
        let asked = try StartTurnParameters(call.params)
        withSession(call, asked.id) { [self] record in
            submit(call, record, content: nil, parts: nil, asked.turn)
        }
    }

    /// Hands a turn to the engine; `base` makes it go on from further back, on a branch of its own.
    func submit(
        _ call: Call, _ record: SessionRecord, content: [UInt8]?, parts: [Part]?, _ turn: TurnRequest,
        base: Int? = nil, about: MessageID? = nil
    ) {
        do throws(WireError) {
            try check(
                SessionSettings(
                    upstream: turn.options.upstream, model: turn.options.model, window: turn.options.window))
        } catch { return call.fail(error) }
        // Who wanted it to end with him has gone before it was begun.
        if !call.connection.isOpen && turn.options.onDisconnect == .cancel { return call.cancelUnbegun() }
        if call.connection.isOpen { services.channels.subscribe(call.connection, to: record.row) }
        let asker = engine.askers.add(call.connection) {
            // Whatever went wrong with a turn's bookkeeping must not take everybody's daemon down.
            if !call.isAnswered { call.reply($0) }
        }
        call.onCancel = { [engine] in engine.cancel(asker) }
        engine.submit(
            Submission(
                session: record, prompt: content, parts: parts, turn: turn, base: base, about: about,
                asker: asker, settled: { call.settled() }))
    }

    func listTurns(_ call: Call) throws(WireError) {
        let asked = try ListTurnsParameters(call.params, limits: services.configuration.limits)
        let before = try PageCursor.number("t", asked.cursor).map { TurnRow($0) }
        withSession(call, asked.id) { [self] record in
            let choice: TurnList.Choice =
                asked.requestID.map { .request($0) } ?? (asked.isOpenOnly ? .open : .all)
            let id = record.session.id, isOpenOnly = asked.isOpenOnly, limit = asked.limit
            lookForList(call, of: record.row, limit: limit) { rows, bytes in
                TurnList(record.row, choice, before: before, limit: rows, bytes: bytes)
            } isWhole: { found in
                !found.isMore || found.turns.count >= limit
            } map: { found in
                // A request's turn is asked for by its ID alone.
                let turns = found.turns.filter { !isOpenOnly || $0.turn.state.isOpen }
                return JSONWriter.object {
                    $0.key("turns")
                    $0.array { for stored in turns { Wire.write(stored.turn, session: id, to: &$0) } }
                    if found.isMore, let last = turns.last {
                        $0.member("nextCursor", PageCursor.text("t", last.row.number))
                    }
                }
            } _: { page in
                call.reply(.success(page))
            }
        }
    }

    /// Finds a turn with its session and its tries.
    func withAttempts(
        _ call: Call, _ id: TurnID, _ body: @escaping (StoredTurn, SessionRecord, [Attempt]) -> Void
    ) {
        withTurn(call, id) { [self] stored, record in
            look(call, AttemptList(stored.row), of: record.row) { attempts in body(stored, record, attempts) }
        }
    }

    func getTurn(_ call: Call) throws(WireError) {
        let asked = try TurnParameters(call.params)
        withAttempts(call, asked.id) { [self] stored, record, attempts in
            call.reply {
                Wire.writeMembers(of: stored.turn, session: record.session.id, to: &$0)
                $0.optional("receipt", raw: stored.turn.receipt)
                write(attempts, to: &$0)
            }
        }
    }

    func cancelTurn(_ call: Call) throws(WireError) {
        let asked = try TurnParameters(call.params)
        withTurn(call, asked.id) { [self] stored, record in
            func reply(_ state: TurnRecord.State) {
                call.reply(.success(TurnAnswers.state(asked.id, state)))
            }
            let isLive = engine.cancel(asked.id, on: record.row) { [engine] in
                engine.askers.add(call.connection, wish: .state) { if !call.isAnswered { call.reply($0) } }
            }
            if isLive { return }
            guard stored.turn.state.isOpen else { return reply(stored.turn.state) }
            // It ended while it was looked for.
            look(call, TurnByID(asked.id, owner: nil), of: record.row) { found in
                reply(found?.stored.turn.state ?? stored.turn.state)
            }
        }
    }

    /// The tries of a turn.
    func write(_ attempts: [Attempt], to writer: inout JSONWriter) {
        writer.key("attempts")
        writer.array {
            for attempt in attempts {
                $0.object {
                    $0.member("number", attempt.number)
                    $0.member("upstream", attempt.upstream)
                    $0.member("model", attempt.model)
                    $0.member("startedAt", Timestamp.text(attempt.startedAt))
                    $0.optional("firstAt", attempt.firstAt.map(Timestamp.text))
                    $0.member("endedAt", Timestamp.text(attempt.endedAt))
                    $0.member("outcome", attempt.outcome)
                    $0.optional("status", attempt.status)
                    $0.optional("detail", attempt.detail)
                }
            }
        }
    }
}
