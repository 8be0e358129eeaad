internal import Archive
internal import ContextWindow
internal import Conversation
internal import JSON
internal import Protocol
internal import Sessions
internal import Store

extension Handlers {
    static let messages: [Handler] = [
        .on(Method.MessageAppend.self) { $0.appendMessages },
        .on(Method.MessageDelete.self) { $0.deleteMessage },
        .on(Method.MessageList.self) { $0.listMessages },
        .on(Method.MessageSet.self) { $0.setMessage },
    ]

    private func listMessages(_ request: Request<Method.MessageList>) throws(WireError) {
        let place = try PageCursor.number("m", request.parameters.cursor).map { Int($0) }
        withSteadySession(request.call, request.parameters.id) { [self] record in
            list(record, request, place)
        }
    }

    private func list(_ record: SessionRecord, _ request: Request<Method.MessageList>, _ place: Int?) {
        onBranch(request.parameters.branch, record, request.call) { [self] shown in
            let view = PathView(shown, isActive: shown.branch == record.branch)
            switch request.parameters.start {
            case .message(let id): list(view, request, at: id)
            case .seq(let seq): list(view, request, seq)
            case nil: list(view, request, place)
            }
        }
    }

    /// A path of a session that is listed.
    private struct PathView {
        let record: SessionRecord
        /// Whether it is the active one, where an answer may come in.
        let isActive: Bool

        init(_ record: SessionRecord, isActive: Bool) {
            self.record = record
            self.isActive = isActive
        }
    }

    /// The session as it is seen from a branch; nil or the active one leaves it as it is.
    private func onBranch(
        _ branch: Int?, _ record: SessionRecord, _ call: Client.Call,
        _ body: @escaping (SessionRecord) -> Void
    ) {
        guard let branch, BranchRow(Int64(branch)) != record.branch else { return body(record) }
        look(call, SessionOnBranch(record, BranchRow(Int64(branch))), of: record.row) {
            [self] (found) throws(WireError) in
            guard let found else { throw noBranch(branch, record.session.id) }
            body(found)
        }
    }

    private func list(_ view: PathView, _ request: Request<Method.MessageList>, at id: MessageID) {
        let record = view.record
        look(request.call, PlacesOnPath([id], in: record), of: record.row) { [self] places in
            if let seq = places[id] { return list(view, request, seq) }
            look(request.call, BranchOfMessage(id, in: record.row), of: record.row) {
                (branch) throws(WireError) in
                let advice =
                    branch.map { "branch \($0.number) has it: give 'branch': \($0.number)" }
                    ?? "another session may have it"
                throw WireError(
                    .notFound,
                    "message '\(id)' is not on this path of session '\(record.session.id.text)'; \(advice)")
            }
        }
    }

    private func list(_ view: PathView, _ request: Request<Method.MessageList>, _ place: Int?) {
        let parameters = request.parameters, record = view.record, start: PageStart
        if parameters.last != nil {
            start = .backFrom(record.session.messageCount)
        } else {
            start =
                parameters.order == .asc ? .from(place ?? 1) : .backFrom(place ?? record.session.messageCount)
        }
        let running = engine.running(on: record.row)?.id
        // The newest few are read downwards and told upwards.
        let isTurned = parameters.last != nil, limit = parameters.last ?? parameters.limit
        lookForList(request.call, of: record.row, limit: limit) { rows, bytes in
            ReadMessages(record, start, limit: rows, bytes: bytes)
        } isWhole: { page in
            page.next == nil || page.messages.count >= limit
        } map: { page in
            WrittenPage(page, isTurned: isTurned)
        } _: { [self] page in
            guard view.isActive else { return request.reply(written: page.body(with: nil)) }
            guard engine.running(on: record.row)?.id == running else {
                // The answer that came in has become a message, or a prompt has.
                return steady(request.call, record) { [self] record in
                    list(record, request, parameters.start == nil ? place : nil)
                }
            }
            let live = parameters.order == .asc && page.isEnd ? streaming(record, behind: page.last) : nil
            request.reply(written: page.body(with: live))
        }
    }

    /// A page of messages as it is sent; it is written away from the loop, and may get one more message there.
    private struct WrittenPage: Sendable {
        private let body: [UInt8]
        /// The place and the ID of the last message; nil for none.
        let last: (seq: Int, id: MessageID)?
        /// Whether there are no more behind it.
        let isEnd: Bool

        init(_ page: MessagePage, isTurned: Bool) {
            let next = isTurned ? nil : page.next, count = page.messages.count
            let bytes = page.messages.reduce(64) { $0 + $1.content.count + ($1.metadata?.count ?? 0) + 360 }
            var writer = JSONWriter(capacity: bytes)
            // As `Method.MessageList.Result` is written, without a copy of each message.
            writer.begin("{\"messages\":")
            writer.array { writer in
                for index in 0..<count {
                    Wire.Message.write(page.messages[isTurned ? count - 1 - index : index], to: &writer)
                }
            }
            if let next {
                writer.then(",\"nextCursor\":")
                writer.string(PageCursor.text("m", Int64(next)))
            }
            writer.end("}")
            body = writer.bytes
            let newest = isTurned ? page.messages.first : page.messages.last
            last = newest.map { ($0.seq, $0.id) }
            isEnd = next == nil
        }

        /// The page with one more message behind the others, where it is the last one and so ends with them.
        func body(with live: Message?) -> [UInt8] {
            guard let live, isEnd else { return body }
            let end = body.count - 2
            let comma: [UInt8] = last == nil ? [] : [0x2C]
            return body[..<end] + comma + JSONWriter.bytes(of: Wire.Message(live)) + body[end...]
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
            createdAt: turn.record.createdAt, tokens: TokenEstimate.size(of: answer).tokens,
            content: answer.content)
    }

    private func setMessage(_ request: Request<Method.MessageSet>) throws(WireError) {
        let parameters = request.parameters, call = request.call
        withSession(call, parameters.id) { [self] (record) throws(WireError) in
            guard parameters.content != nil else { return withMark(on: record, request) }
            try checkIdle(record)
            withMessage(call, parameters.messageID, on: record) { [self] (old) throws(WireError) in
                let edited = try edited(old, parameters)
                // Another client's prompt may have come meanwhile.
                try checkIdle(record)
                let edit = EditMessage(record.row, parameters.messageID, edited)
                changePath(of: record, by: edit, call, reply: request.reply) { [self] in
                    offPath(parameters.messageID)
                }
            }
        }
    }

    private func edited(_ old: Message, _ parameters: Method.MessageSet.Parameters) throws(WireError)
        -> NewMessage
    {
        guard let raw = parameters.content, let content = try? JSONDocument(raw).root else {
            throw .invalid("'content' cannot be read")
        }
        let parts = try checkedContent(content, path: "content", role: old.role)
        guard !parts.isEmpty else { throw .invalid("'content' must hold at least one part") }
        return NewMessage(
            id: ids.newID(), role: old.role, content: Message.content(content),
            size: TokenEstimate.size(of: parts), metadata: old.metadata,
            mark: old.isPinned ? .pin : old.isExcluded ? .exclusion : nil)
    }

    /// Takes out what a message says; answered when nothing of it is left in any file.
    private func deleteMessage(_ request: Request<Method.MessageDelete>) throws(WireError) {
        let parameters = request.parameters
        withSession(request.call, parameters.id) { [self] (record) throws(WireError) in
            try checkIdle(record)
            // A round that has read it already must not be kept behind this.
            summaries.changed(record.row)
            let delete = DeleteMessage(
                parameters.messageID, of: record.row, isEverywhere: parameters.isEverywhere,
                isByAdministrator: request.client.isAdmin)
            archives.write(delete, of: record.row) { [self] result in
                switch result {
                case .success(.deleted(let ids, let sessions)):
                    // Rounds of others may have read it as well.
                    for session in sessions { summaries.changed(session) }
                    purges.afterNext(record.row.isEphemeral) { result in
                        switch result {
                        case .success: request.reply(.init(messageIds: ids))
                        case .failure(let problem): request.fail(problem.wire())
                        }
                    }
                case .success(.missing): request.fail(offPath(parameters.messageID))
                case .success(.shared(let sessions, let isAnothers)):
                    let others = isAnothers ? ["sessions of other users"] : []
                    let names = (sessions.map { "'\($0.text)'" } + others).joined(separator: ", ")
                    let advice =
                        isAnothers
                        ? "only an administrator can take it out there, with 'everywhere': true"
                        : "'everywhere': true takes it out there as well"
                    request.fail(
                        WireError(
                            .conflict,
                            "message '\(parameters.messageID)' is shown by \(names) too; \(advice)"))
                case .failure(let error): request.fail(WireError(error))
                }
            }
        }
    }

    /// Marks a message; a turn that runs is not held up, since what it sends is made.
    private func withMark(on record: SessionRecord, _ request: Request<Method.MessageSet>) {
        let parameters = request.parameters
        withMessage(request.call, parameters.messageID, on: record) { [self] message in
            guard parameters.isPinned == true, !message.isPinned else {
                let write = MarkMessage(
                    record.row, message.id, pinned: parameters.isPinned, excluded: parameters.isExcluded)
                return set(write, of: message, on: record, request)
            }
            withPinRoom(of: record, request.call) { [self] room in
                set(
                    MarkMessage(record.row, message.id, pinned: true, room: room), of: message, on: record,
                    request)
            }
        }
    }

    /// Finds what the pins of a session may have, by the window of who would be asked now.
    func withPinRoom(of record: SessionRecord, _ call: Client.Call, _ body: @escaping (PinRoom) -> Void) {
        // What comes behind it waits, so that appended messages keep their order.
        call.beginLook()
        routes.resolve(record.session, TurnOptions()) { [self] found in
            defer { call.endLook() }
            if call.isAnswered { return }
            // Who cannot be asked now has no length; then it is that of an unknown model.
            let candidate = (try? found.get())?.first
            do throws(WireError) {
                body(try routes.windows.pinRoom(of: record, for: candidate))
            } catch { call.fail(error) }
        }
    }

    func tooManyPins(_ tokens: Int, _ room: PinRoom, with what: String) -> WireError {
        WireError(
            .contextOverflow,
            "with \(what) the pinned messages would need \(tokens) tokens, and may have \(room.tokens); \(room.tokens == 0 ? "the system prompt takes the whole window: shorten it, or raise 'window.maxTokens'" : "unpin others, or raise 'window.pinTokens'")",
            details: [
                "needed": Array(String(tokens).utf8), "budget": Array(String(room.tokens).utf8),
            ])
    }

    private func set(
        _ write: MarkMessage, of message: Message, on record: SessionRecord,
        _ request: Request<Method.MessageSet>
    ) {
        // A round that has read it already must not be kept behind this; one that was is dropped by it.
        let isOut = write.isExcluded.map { $0 != message.isExcluded } ?? false
        if isOut || write.isPinned == false && message.isPinned { summaries.changed(record.row) }
        archives.write(write, of: record.row) { [self] result in
            switch result {
            case .success(.marked(let changed, let dropped)):
                var path = Wire.ActivePath(changed)
                path.summariesDropped = dropped > 0 ? dropped : nil
                request.reply(path)
            case .success(.missing): request.fail(offPath(message.id))
            case .success(.tooMuch(let tokens)):
                request.fail(tooManyPins(tokens, write.room, with: "message #\(message.seq)"))
            case .failure(let error): request.fail(WireError(error))
            }
        }
    }

    func offPath(_ id: MessageID) -> WireError {
        WireError(
            .conflict,
            "message '\(id)' is not on the session's active path; switch to its branch with '_convod/branch/switch'"
        )
    }

    /// Finds a message of the active path.
    func withMessage(
        _ call: Client.Call, _ id: MessageID, on record: SessionRecord,
        _ body: @escaping (Message) throws(WireError) -> Void
    ) {
        look(call, PlacesOnPath([id], in: record), of: record.row) { [self] (places) throws(WireError) in
            guard let seq = places[id] else { throw offPath(id) }
            look(call, ReadMessages(record, .from(seq), limit: 1, bytes: 1), of: record.row) {
                [self] (page) throws(WireError) in
                guard let message = page.messages.first else { throw offPath(id) }
                try body(message)
            }
        }
    }
}
