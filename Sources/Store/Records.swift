internal import Archive
internal import Conversation
internal import JSON

extension SessionRecord {
    /// Reads the columns of `SQL.Head.sessions`; a value that cannot be is an error that names the row.
    init(_ row: Row) throws(ArchiveError) {
        let number = SessionRow(row.int(0))
        var session = Session(
            id: SessionID(row.text(2)) ?? SessionID(ID(high: 0, low: 0)),
            owner: UserID(UInt32(try row.number(1, "owner", in: 0...Int(UInt32.max), of: .session))),
            cwd: row.text(4), createdAt: try row.time(13, "created_at", of: .session))
        session.title = row.optionalText(3)
        if !row.isEmptyJSON(5) { session.mcpServers = try row.json(5, "mcp_servers", of: .session) }
        if let system = row.optionalText(6) { session.system = system }
        let settings = row.isEmptyJSON(7) ? nil : try row.json(7, "settings", of: .session)
        let tags = row.isEmptyJSON(8) ? nil : try row.json(8, "tags", of: .session)
        // `json` has checked that both are JSON.
        if let settings, let view = try? JSONDocument(settings).root {
            session.settings = SessionSettings(view)
        }
        if let tags, let view = try? JSONDocument(tags).root {  // as above
            session.tags = view.elements.compactMap(\.string)
        }
        if let metadata = try row.optionalJSON(9, "metadata", of: .session) { session.metadata = metadata }
        let branch = Int64(try row.number(10, "branch", in: MessageKey.branches, of: .session))
        session.messageCount = try row.number(11, "head", in: MessageKey.seqs, of: .session)
        session.tokens = try row.number(12, "tokens", in: 0...Row.mostTokens, of: .session)
        session.updatedAt = try row.time(14, "updated_at", of: .session)
        session.activity = Int64(try row.number(15, "activity", in: 0...Row.mostActivity, of: .session))
        session.isArchived = row.bool(16)
        if let time = try row.optionalTime(17, "trashed_at", of: .session) { session.trashedAt = time }
        session.isEmpty = row.bool(18)
        if let appended = row.optionalText(19) { session.appendedSystem = appended }
        session.isEphemeral = number.isEphemeral
        self.init(session, row: number, branch: BranchRow(branch))
    }
}

/// Where a message lies: its branch and its place on it, as one number.
struct MessageKey {
    let raw: Int64
    init(branch: BranchRow, seq: Int) { raw = branch.number << 32 | Int64(seq) }
    static func seq(_ raw: Int64) -> Int { Int(raw & 0xFFFF_FFFF) }
    static func branch(_ raw: Int64) -> BranchRow { BranchRow(raw >> 32) }
    /// Numbers that a branch and a seq can have in a key; a session that is being made has branch 0 for a moment.
    static let branches = 0...Int(Int32.max), seqs = 0...Int(UInt32.max)

    /// The keys that a branch's messages can have.
    static func keys(of branch: BranchRow) -> ClosedRange<Int64> {
        MessageKey(branch: branch, seq: 0).raw...MessageKey(branch: branch, seq: seqs.upperBound).raw
    }

    /// Those behind a place; nil where nothing can be behind it.
    static func keys(of branch: BranchRow, above seq: Int) -> ClosedRange<Int64>? {
        guard seq < seqs.upperBound else { return nil }
        return MessageKey(branch: branch, seq: max(seq, -1) + 1).raw...keys(of: branch).upperBound
    }
}

extension Message {
    /// Reads: key, id, role, status, turn's uuid, created_at, tokens, metadata, content, binding, size, deleted_at.
    ///
    /// A value that cannot be is an error that names the row. Marks are the session's.
    init(_ row: Row, _ mark: Mark?, behind parent: MessageID? = nil) throws(ArchiveError) {
        let content = try row.content(8, "content")
        self.init(
            try Head(row, mark, behind: parent),
            tokens: try row.number(6, "tokens", in: 0...Row.mostTokens, of: .message),
            metadata: try row.optionalJSON(7, "metadata", of: .message),
            content: content.bytes, isPlainText: content.isPlainText)
        // What cannot be read was not kept: then the tokens count.
        knownSize = row.size(10)
        // `optionalJSON` has checked it.
        if let bound = try row.optionalJSON(9, "binding", of: .message),
            let view = try? JSONDocument(bound).root
        {
            binding = Binding(view)
        }
    }
}

extension Message.Head {
    /// Reads the same columns but those of the content and of what it costs.
    init(_ row: Row, _ mark: Mark?, behind parent: MessageID?) throws(ArchiveError) {
        self.init(
            id: row.id(1) ?? MessageID(high: 0, low: 0), parentID: parent,
            seq: MessageKey.seq(row.int(0)),
            role: Message.Role(rawValue: Int(row.int(2))) ?? .user,
            status: Message.Status(rawValue: Int(row.int(3))) ?? .failed,
            turnID: row.id(4),
            createdAt: try row.time(5, "created_at", of: .message),
            isPinned: mark == .pin, isExcluded: mark == .exclusion,
            isDeleted: !row.isNull(11))
    }
}

extension Summary {
    /// Reads the columns of `SQL.Head.summaries`; a value that cannot be is an error that names the row.
    init(_ row: Row) throws(ArchiveError) {
        self.init(
            id: SummaryID(bytes: row.bytes(1)) ?? SummaryID(high: 0, low: 0),
            first: try row.number(2, "first_seq", in: 1...Int(UInt32.max), of: .summary),
            last: MessageKey.seq(row.int(3)), text: row.optionalText(4), isRequested: row.bool(6),
            madeAt: try row.number(7, "made_at", in: MessageKey.seqs, of: .summary),
            createdAt: try row.time(12, "created_at", of: .summary))
        problem = row.optionalText(5)
        upstream = row.optionalText(8)
        model = row.optionalText(9)
        inputTokens = row.optionalInt(10).map { Int($0) }
        outputTokens = row.optionalInt(11).map { Int($0) }
        editedAt = try row.optionalTime(13, "edited_at", of: .summary)
        cost = row.optionalInt(14).map { Int($0) }
    }
}

extension StoredTurn {
    /// Reads: id, uuid, session, state, prompt, prompt_id, answer_id, request_id, request_hash, options, stop_reason,
    /// finish, error, upstream, model, usage, receipt, created_at, started_at, ended_at, detail, cached.
    ///
    /// A value that cannot be is an error that names the row.
    init(_ row: Row) throws(ArchiveError) {
        var turn = TurnRecord(
            id: TurnID(bytes: row.bytes(1)) ?? TurnID(high: 0, low: 0),
            state: TurnRecord.State(rawValue: Int(row.int(3))) ?? .failed,
            promptID: row.optionalBytes(5).flatMap { MessageID(bytes: $0) },
            answerID: MessageID(bytes: row.bytes(6)) ?? MessageID(high: 0, low: 0),
            queuedPrompt: try row.optionalJSON(4, "prompt", of: .turn),
            requestID: row.optionalText(7), requestHash: row.optionalBytes(8),
            createdAt: try row.time(17, "created_at", of: .turn))
        let options = try row.json(9, "options", of: .turn)
        // `json` has checked that it is JSON, and `optionalJSON` the others below.
        if options.count > 2, let view = try? JSONDocument(options).root { turn.options = TurnOptions(view) }
        turn.stopReason = row.optionalText(10).flatMap(StopReason.init)
        turn.finish = row.optionalText(11)
        // As above.
        if let error = try row.optionalJSON(12, "error", of: .turn), let view = try? JSONDocument(error).root
        {
            turn.error = TurnError(
                kind: view["kind"]?.string ?? "internal", message: view["message"]?.string ?? "",
                retryAfter: view["retryAfterMs"]?.int)
        }
        turn.upstream = row.optionalText(13)
        turn.model = row.optionalText(14)
        // As above.
        if let usage = try row.optionalJSON(15, "usage", of: .turn), let view = try? JSONDocument(usage).root
        {
            turn.usage = Usage(view)
        }
        turn.receipt = try row.optionalJSON(16, "receipt", of: .turn)
        turn.startedAt = try row.optionalTime(18, "started_at", of: .turn)
        turn.endedAt = try row.optionalTime(19, "ended_at", of: .turn)
        turn.detail = row.optionalText(20)
        turn.isCached = row.bool(21)
        self.init(turn, row: TurnRow(row.int(0)), sessionRow: SessionRow(row.int(2)))
    }
}
