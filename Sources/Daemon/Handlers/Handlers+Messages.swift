internal import Archive
internal import ContextWindow
internal import Conversation
internal import JSON
internal import Protocol
internal import Sessions
internal import Store

extension Handlers {
    func listMessages(_ call: Call) throws(WireError) {
        let limits = services.configuration.limits
        let asked = try ListMessagesParameters(call.params, limits: limits)
        let place = try PageCursor.number("m", asked.cursor).map { Int($0) }
        withSteadySession(call, asked.id) { [self] record in list(record, asked, place, call) }
    }

    private func list(
        _ record: SessionRecord, _ asked: ListMessagesParameters, _ place: Int?, _ call: Call
    ) {
        let start: PageStart
        if asked.last != nil {
            start = .backFrom(record.session.messageCount)
        } else {
            start = asked.order == .asc ? .from(place ?? 1) : .backFrom(place ?? record.session.messageCount)
        }
        let running = engine.running(on: record.row)?.id
        // The newest few are read downwards and told upwards.
        let isTurned = asked.last != nil, limit = asked.last ?? asked.limit
        lookForList(call, of: record.row, limit: limit) { rows, bytes in
            ReadMessages(record, start, limit: rows, bytes: bytes)
        } isWhole: { page in
            page.next == nil || page.messages.count >= limit
        } map: { page in
            WrittenPage(page, isTurned: isTurned)
        } _: { [self] page in
            guard engine.running(on: record.row)?.id == running else {
                // The answer that came in has become a message, or a prompt has.
                return steady(call, record) { [self] record in list(record, asked, place, call) }
            }
            let live = asked.order == .asc && page.isEnd ? streaming(record, behind: page.last) : nil
            call.reply(.success(page.body(with: live)))
        }
    }

    /// A page of messages as it is sent.
    private struct WrittenPage: Sendable {
        /// A JSON object, and where in it the messages end.
        private let body: [UInt8]
        private let end: Int
        /// The place and the ID of the last message; nil for none.
        let last: (seq: Int, id: MessageID)?
        /// Whether there are no more behind it.
        let isEnd: Bool

        init(_ page: MessagePage, isTurned: Bool) {
            var end = 0
            let next = isTurned ? nil : page.next
            body = JSONWriter.object {
                $0.key("messages")
                $0.array {
                    for index in page.messages.indices {
                        Wire.write(page.messages[isTurned ? page.messages.count - 1 - index : index], to: &$0)
                    }
                }
                end = $0.bytes.count - 1
                $0.optional("nextCursor", next.map { PageCursor.text("m", Int64($0)) })
            }
            self.end = end
            last = (isTurned ? page.messages.first : page.messages.last).map { ($0.seq, $0.id) }
            isEnd = next == nil
        }

        /// The page with one more message behind the others.
        func body(with live: Message?) -> [UInt8] {
            guard let live else { return body }
            var writer = JSONWriter()
            Wire.write(live, to: &writer)
            let comma: [UInt8] = last == nil ? [] : [0x2C]
            return body[..<end] + comma + writer.bytes + body[end...]
        }
    }

    /// The answer that is coming in now, as a message, when it is not among the stored ones.
    private func streaming(_ record: SessionRecord, behind last: (seq: Int, id: MessageID)?) -> Message? {
        guard let turn = engine.running(on: record.row), last?.id != turn.record.answerID else { return nil }
        let answer = turn.published
        if answer.isEmpty { return nil }
        return Message(
            id: turn.record.answerID, parentID: last?.id, seq: (last?.seq ?? 0) + 1, role: .assistant,
            status: .streaming, turnID: turn.id,
            createdAt: turn.record.createdAt, tokens: TokenEstimate.message(answer),
            content: answer.content)
    }

    func appendMessages(_ call: Call) throws(WireError) {
        let asked = try AppendMessagesParameters(call.params, limits: services.configuration.limits)
        let user = call.connection.user
        // Nothing runs and nobody only looks most of the time, and then the writer finds the session by itself.
        guard
            !engine.isEmpty || user != server.user || services.channels.hadObservers
                || services.archives.hasMemory
        else { return append(asked, owner: user, isEphemeral: false, call) }
        session(asked.id, call, orTrashed: true) { [self] (found) throws(WireError) in
            do throws(WireError) {
                let known = try found.get()
                try checkFree(known.row, asked.id)
                append(
                    asked, owner: known.session.owner, isEphemeral: known.session.isEphemeral, row: known.row,
                    call)
            } catch {
                guard error.kind == .notFound else { throw error }
                append(asked, owner: user, isEphemeral: false, call)
            }
        }
    }

    /// Refuses messages for a session whose path somebody uses.
    private func checkFree(_ row: SessionRow?, _ id: SessionID) throws(WireError) {
        guard let row, engine.line(on: row)?.isTaken ?? false else { return }
        throw WireError(
            .busy, "a turn is running on session '\(id.text)'; wait for its end, or cancel it")
    }

    private func append(
        _ asked: AppendMessagesParameters, owner: UserID, isEphemeral: Bool, row: SessionRow? = nil,
        _ call: Call
    ) {
        guard asked.ifMissing == .create else {
            return append(asked, owner: owner, isEphemeral: isEphemeral, missing: nil, call) {}
        }
        let missing = Session(
            id: asked.id, owner: call.connection.user, cwd: asked.cwd ?? home(of: call),
            createdAt: services.clock())
        claim(call, asked.id, owner: owner, isEphemeral: isEphemeral) {
            [self] (elsewhere, release) throws(WireError) in
            if elsewhere != nil {
                release()
                throw WireError(
                    .conflict, "session '\(asked.id.text)' was made by another request just now; try again")
            }
            // A turn may have begun while it was looked for.
            do throws(WireError) { try checkFree(row, asked.id) } catch {
                release()
                throw error
            }
            append(asked, owner: owner, isEphemeral: isEphemeral, missing: missing, call, release)
        }
    }

    private func append(
        _ asked: AppendMessagesParameters, owner: UserID, isEphemeral: Bool, missing: Session?, _ call: Call,
        _ release: @escaping () -> Void
    ) {
        let messages = asked.messages.map { message in
            NewMessage(
                id: services.newID(), role: message.role, content: message.content,
                tokens: TokenEstimate.message(message.parts),
                metadata: message.metadata, createdAt: message.createdAt, isPinned: message.isPinned)
        }
        let append = AppendMessages(asked.id, owner: owner, messages, ifMissing: missing)
        services.archives.write(append, isEphemeral: isEphemeral) { [self] result in
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
            case .success(.trashed): call.fail(inTrash(asked.id))
            case .failure(let error): call.fail(WireError(error))
            }
        }
    }

    private func publish(
        _ messages: [NewMessage], _ id: SessionID, _ row: SessionRow, _ first: Int, _ call: Call
    ) {
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
