internal import Conversation
internal import JSON
internal import Protocol
internal import Store

extension Handlers {
    func prompt(_ call: Call) throws(WireError) {
        let asked = try PromptParameters(call.params)
        submit(call, try session(asked.id, call), content: asked.prompt, parts: asked.parts, asked.turn)
    }

    func startTurn(_ call: Call) throws(WireError) {
        let asked = try StartTurnParameters(call.params)
        submit(call, try session(asked.id, call), content: nil, parts: nil, asked.turn)
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
        if call.connection.isOpen { services.channels.subscribe(call.connection, to: record.row) }
        let token = ObjectIdentifier(call)
        call.onCancel = { [engine] in engine.cancel(request: token) }
        let waiter = Waiter(connection: call.connection, token: token) {
            // Whatever went wrong with a turn's bookkeeping must not take everybody's daemon down.
            if !call.isAnswered { call.reply($0) }
        }
        engine.submit(
            .init(
                session: record, prompt: content, parts: parts, turn: turn, base: base, about: about,
                waiter: waiter,
                settled: { call.settled() }))
    }

    func listTurns(_ call: Call) throws(WireError) {
        let asked = try ListTurnsParameters(call.params, limits: services.configuration.limits)
        let record = try session(asked.id, call)
        let before = try PageCursor.number("t", asked.cursor)
        let found = try read(record) {
            (reader) throws(StoreError) -> (found: [StoredTurn], hasMore: Bool) in
            if let requestID = asked.requestID {
                let known = try reader.turn(requestID: requestID, in: record)
                let isWanted = known.map { !asked.isOpenOnly || $0.turn.state.isOpen } ?? false
                return (isWanted ? [known].compactMap(\.self) : [], false)
            }
            return try reader.turns(
                record, openOnly: asked.isOpenOnly, before: before, limit: asked.limit,
                bytes: services.configuration.limits.pageBytes)
        }
        call.reply {
            $0.key("turns")
            $0.array {
                for stored in found.found {
                    Wire.write(stored.turn, session: record.session.id, to: &$0)
                }
            }
            if found.hasMore, let last = found.found.last {
                $0.member("nextCursor", PageCursor.text("t", last.row))
            }
        }
    }

    func getTurn(_ call: Call) throws(WireError) {
        let asked = try TurnParameters(call.params)
        let (stored, record) = try turn(asked.id, call)
        let attempts = try read(record) { (reader) throws(StoreError) in try reader.attempts(stored) }
        call.reply {
            Wire.writeMembers(of: stored.turn, session: record.session.id, to: &$0)
            $0.optional("receipt", raw: stored.turn.receipt)
            write(attempts, to: &$0)
        }
    }

    func cancelTurn(_ call: Call) throws(WireError) {
        let asked = try TurnParameters(call.params)
        let (stored, record) = try turn(asked.id, call)
        let isLive = engine.cancel(asked.id, on: record.row) { outcome in
            switch outcome {
            case .failure(let error): call.fail(error)
            case .success(let state):
                call.reply {
                    $0.member("turnId", asked.id.description)
                    $0.member("state", state.name)
                }
            }
        }
        if !isLive {
            call.reply {
                $0.member("turnId", asked.id.description)
                $0.member("state", stored.turn.state.name)
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
