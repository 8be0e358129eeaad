internal import ContextWindow
internal import Conversation
internal import JSON
internal import Posix
internal import Protocol
internal import Store

extension Handlers {
    func listMessages(_ call: Call) throws(WireError) {
        let limits = services.configuration.limits
        let asked = try ListMessagesParameters(call.params, limits: limits)
        let record = try session(asked.id, call)
        let place = try PageCursor.number("m", asked.cursor).map { Int($0) }
        let start: PageStart
        if asked.last != nil {
            start = .backFrom(record.session.messageCount)
        } else {
            start = asked.order == .asc ? .from(place ?? 1) : .backFrom(place ?? record.session.messageCount)
        }
        var page = try read(record) { (reader) throws(StoreError) in
            try reader.messages(record, start, limit: asked.last ?? asked.limit, bytes: limits.pageBytes)
        }
        if asked.last != nil {
            page.messages.reverse()
            page.next = nil
        }
        let live =
            asked.order == .asc && page.next == nil ? streaming(record, behind: page.messages.last) : nil
        call.reply {
            $0.key("messages")
            $0.array {
                for message in page.messages { Wire.write(message, to: &$0) }
                if let live { Wire.write(live, to: &$0) }
            }
            $0.optional("nextCursor", page.next.map { PageCursor.text("m", Int64($0)) })
        }
    }

    /// The answer that is coming in now, as a message, when it is not among the stored ones.
    private func streaming(_ record: SessionRecord, behind last: Message?) -> Message? {
        guard let turn = engine.running(on: record.row), turn.row != 0, last?.id != turn.record.answerID
        else { return nil }
        let answer = turn.published
        if answer.isEmpty { return nil }
        return Message(
            id: turn.record.answerID, parentID: last?.id, seq: (last?.seq ?? 0) + 1, role: .assistant,
            status: .streaming, turnID: turn.id,
            createdAt: turn.record.createdAt, tokens: TokenEstimate.message(answer),
            content: answer.content)
    }

    /// The session that messages go to; nil where there is none yet.
    private func known(_ id: SessionID, _ call: Call) throws(WireError) -> SessionRecord? {
        do throws(WireError) { return try session(id, call) } catch {
            guard error.kind == .notFound else { throw error }
            return nil
        }
    }

    func appendMessages(_ call: Call) throws(WireError) {
        let asked = try AppendMessagesParameters(call.params, limits: services.configuration.limits)
        let uid = call.connection.peer.uid
        var owner = uid
        // Nothing runs and nobody only looks most of the time, and then the writer finds the session by itself.
        if !engine.lines.isEmpty || uid != server.uid || services.channels.hadObservers,
            let known = try known(asked.id, call)
        {
            owner = known.session.owner
            if engine.lines[known.row]?.isBusy ?? false {
                throw WireError(
                    .busy, "a turn is running on session '\(asked.id.text)'; wait for its end, or cancel it")
            }
        }
        var missing: Session?
        if asked.ifMissing == .create {
            missing = Session(
                id: asked.id, owner: uid, cwd: asked.cwd ?? home(of: call), createdAt: services.clock())
        }
        let messages = asked.messages.map { message in
            NewMessage(
                id: services.newID(), role: message.role, content: message.content,
                tokens: TokenEstimate.message(message.parts),
                metadata: message.metadata, createdAt: message.createdAt, isPinned: message.isPinned)
        }
        let first = asked.messages.first { $0.role == .user }?.parts ?? []
        let append = AppendMessages(asked.id, owner: owner, messages, ifMissing: missing) {
            suggestedTitle(for: first)
        }
        let inMemory: SessionRecord?
        do { inMemory = try services.memory?.reader.session(asked.id, owner: owner) } catch {
            throw WireError(error)
        }
        let store = inMemory == nil ? services.store : services.memory ?? services.store
        var release: () -> Void = {}
        if let missing { release = try claim(missing.id, owner: owner, isEphemeral: inMemory != nil) }
        store.write(append) { [self, release] result in
            release()
            switch result {
            case .success(.appended(let row, let first, let last)):
                publish(messages, asked.id, row, first, call)
                call.reply {
                    $0.member("sessionId", asked.id.text)
                    $0.key("messageIds")
                    $0.array { for message in messages { $0.string(message.id.description) } }
                    $0.member("firstSeq", first)
                    $0.member("lastSeq", last)
                }
            case .success(.missing): call.fail(.noSession(asked.id))
            case .success(.trashed):
                call.fail(
                    WireError(
                        .conflict,
                        "session '\(asked.id.text)' is in the trash; '_convod/session/restore' brings it back"
                    ))
            case .failure(let error): call.fail(WireError(error))
            }
        }
    }

    private func publish(_ messages: [NewMessage], _ id: SessionID, _ row: Int64, _ first: Int, _ call: Call)
    {
        if services.channels.subscribers(of: row).isEmpty { return }
        for (index, new) in messages.enumerated() where new.role != .system {
            let message = Message(
                id: new.id, seq: first + index, role: new.role, createdAt: 0, tokens: 0, content: new.content)
            var offset = 0
            for piece in message.pieces.flatMap(Chunk.cut) {
                let chunk = Chunk(
                    session: id, messageID: new.id, turnID: nil, role: new.role, piece: piece, offset: offset)
                services.channels.publish(chunk, on: row, except: call.connection)
                offset += piece.length
            }
        }
    }
}
