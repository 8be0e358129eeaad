internal import Archive
internal import ContextWindow
internal import Conversation
internal import Protocol
internal import Sessions

/// Where messages go.
private struct AppendTarget {
    let owner: UserID
    var isEphemeral = false
    /// The session's row; nil where there is none yet, or it was not looked for.
    var row: SessionRow?
    /// What pins may have there.
    var room = PinRoom.unlimited
    /// Whether it was not looked whether somebody else has a session of this ID.
    var isUnseen = false
}

extension Handlers {
    func appendMessages(_ request: Request<Method.MessageAppend>) throws(WireError) {
        let user = request.client.user
        // What a system says is pinned unasked, and must not be refused for that.
        // The result of a pinned call goes along with it.
        let pins = request.parameters.messages.contains {
            $0.isPinned && $0.role != .system || $0.role == .tool
        }
        // Nothing runs and nobody only looks most of the time, and then the writer finds the session by itself.
        let isPlain =
            engine.isEmpty && user == server.user && !channels.hadObservers && !archives.hasMemory
        if isPlain && !pins { return append(request, to: AppendTarget(owner: user, isUnseen: true)) }
        appendToSeen(request, measuresPins: pins)
    }

    /// Appends to the session that is meant: the user's own, or for who sees all and has none anybody's.
    private func appendToSeen(_ request: Request<Method.MessageAppend>, measuresPins pins: Bool) {
        let user = request.client.user, id = request.parameters.id
        session(id, request.call, orTrashed: true) { [self] (found) throws(WireError) in
            do throws(WireError) {
                let known = try found.get()
                try checkFree(known.row, id)
                let target = AppendTarget(
                    owner: known.session.owner, isEphemeral: known.session.isEphemeral, row: known.row)
                append(request, to: target, measuringBy: pins ? known : nil)
            } catch {
                guard error.kind == .notFound else { throw error }
                append(
                    request, to: AppendTarget(owner: user), measuringBy: pins ? unmade(request) : nil)
            }
        }
    }

    /// The same, as a record of what is not stored.
    private func unmade(_ request: Request<Method.MessageAppend>) -> SessionRecord {
        SessionRecord(newSession(for: request), row: SessionRow(0), branch: BranchRow(0))
    }

    /// The session that messages go to where there is none.
    private func newSession(for request: Request<Method.MessageAppend>) -> Session {
        Session(
            id: request.parameters.id, owner: request.client.user,
            cwd: request.parameters.cwd ?? home(of: request.client), createdAt: clocks.now())
    }

    /// Appends once it is known what pins may have in a session; nil for one means that none come.
    private func append(
        _ request: Request<Method.MessageAppend>, to target: AppendTarget, measuringBy session: SessionRecord?
    ) {
        guard let session else { return append(request, to: target) }
        withPinRoom(of: session, request.call) { [self] room in
            var target = target
            target.room = room
            append(request, to: target)
        }
    }

    /// Refuses messages for a session whose path somebody uses.
    private func checkFree(_ row: SessionRow?, _ id: SessionID) throws(WireError) {
        guard let row, engine.line(on: row)?.isTaken ?? false else { return }
        throw WireError(
            .busy, "a turn is running on session '\(id.text)'; wait for its end, or cancel it")
    }

    private func append(_ request: Request<Method.MessageAppend>, to target: AppendTarget) {
        let parameters = request.parameters
        if let text = parameters.windowID, WindowID(text) == nil {
            return request.fail(
                .invalid("'windowId' must be what '_convod/context/build' gave, as it was given"))
        }
        guard parameters.ifMissing == .create else {
            // While its pins' room was looked for, a turn may have begun.
            do throws(WireError) { try checkFree(target.row, parameters.id) } catch {
                return request.fail(error)
            }
            return append(request, to: target, missing: nil) {}
        }
        let missing = newSession(for: request)
        claim(request.call, parameters.id, owner: target.owner, isEphemeral: target.isEphemeral) {
            [self] (elsewhere, release) throws(WireError) in
            if elsewhere != nil {
                release()
                throw WireError(
                    .conflict,
                    "session '\(parameters.id.text)' was made by another request just now; try again")
            }
            // A turn may have begun while it was looked for.
            do throws(WireError) { try checkFree(target.row, parameters.id) } catch {
                release()
                throw error
            }
            append(request, to: target, missing: missing, release)
        }
    }

    private func append(
        _ request: Request<Method.MessageAppend>, to target: AppendTarget, missing: Session?,
        _ release: @escaping () -> Void
    ) {
        let id = request.parameters.id, window = request.parameters.windowID.flatMap { WindowID($0) }
        let messages = request.parameters.messages.map { message in
            var new = NewMessage(
                id: ids.newID(), role: message.role, content: message.content,
                size: TokenEstimate.size(of: message.parts),
                metadata: message.metadata, createdAt: message.createdAt, mark: message.isPinned ? .pin : nil)
            if let window, message.role == .assistant {
                let parts = window.issued(message.parts)
                if parts != message.parts { new.content = Part.encode(parts) }
                new.binding = window.binding
            }
            return new
        }
        let append = AppendMessages(
            id, owner: target.owner, messages, ifMissing: missing, room: target.room,
            orAnyones: target.isUnseen)
        archives.write(append, isEphemeral: target.isEphemeral) { [self] result in
            release()
            switch result {
            case .success(.appended(let row, let first, let last)):
                publish(messages, id, row, first, except: request.client)
                request.reply(
                    .init(sessionId: id, messageIds: messages.map(\.id), firstSeq: first, lastSeq: last))
            case .success(.anothers): appendToSeen(request, measuresPins: false)
            case .success(.missing): request.fail(.noSession(id))
            case .success(.trashed): request.fail(inTrash(id))
            case .success(.tooMuch(let tokens)):
                request.fail(tooManyPins(tokens, target.room, with: "what comes"))
            case .failure(let error): request.fail(WireError(error))
            }
        }
    }

    private func publish(
        _ messages: [NewMessage], _ id: SessionID, _ row: SessionRow, _ first: Int, except client: Client
    ) {
        if channels.subscribers(of: row).isEmpty { return }
        for (index, new) in messages.enumerated() where new.role != .system {
            let message = Message(
                id: new.id, seq: first + index, role: new.role, createdAt: 0, tokens: 0, content: new.content)
            var offset = 0
            for piece in message.pieces.flatMap(Chunk.cut) {
                let chunk = Chunk(
                    session: id, messageID: new.id, turnID: nil, role: new.role, piece: piece, offset: offset)
                channels.publish(chunk, on: row, except: client.number)
                offset += piece.length
            }
        }
    }
}
