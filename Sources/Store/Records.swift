package import Conversation
internal import JSON

extension SessionRecord {
    /// Where the rows of sessions begin that live in memory only.
    package static let firstEphemeralRow: Int64 = 1 << 40
    /// Whether the session lives in memory only.
    package static func isEphemeral(_ row: Int64) -> Bool { row >= firstEphemeralRow }
}

/// A stored session with the handles by which the store finds its messages.
package struct SessionRecord: Sendable, Equatable {
    package var session: Session
    /// The store's own number of the session.
    package let row: Int64
    package let branch: Int64

    init(_ session: Session, row: Int64, branch: Int64) {
        self.session = session
        self.row = row
        self.branch = branch
    }

    init(_ row: Row) {
        self.row = row.int(0)
        var session = Session(
            id: SessionID(row.text(2)) ?? SessionID(ID(high: 0, low: 0)),
            owner: UInt32(truncatingIfNeeded: row.int(1)),
            cwd: row.text(4), createdAt: row.int(13))
        session.title = row.optionalText(3)
        session.mcpServers = row.json(5)
        session.system = row.optionalText(6)
        let settings = row.json(7), tags = row.json(8)
        if settings.count > 2, let view = try? JSONDocument(settings).root {
            session.settings = SessionSettings(view)
        }
        if tags.count > 2, let view = try? JSONDocument(tags).root {
            session.tags = view.elements.compactMap(\.string)
        }
        session.metadata = row.optionalJSON(9)
        branch = row.int(10)
        session.messageCount = Int(row.int(11))
        session.tokens = Int(row.int(12))
        session.updatedAt = row.int(14)
        session.activity = row.int(15)
        session.isArchived = row.bool(16)
        session.trashedAt = row.optionalInt(17)
        session.isEphemeral = SessionRecord.isEphemeral(self.row)
        self.session = session
    }
}

/// Where a message lies: its branch and its place on it, as one number.
struct MessageKey {
    let raw: Int64
    init(branch: Int64, seq: Int) { raw = branch << 32 | Int64(seq) }
    static func seq(_ raw: Int64) -> Int { Int(raw & 0xFFFF_FFFF) }
    static func branch(_ raw: Int64) -> Int64 { raw >> 32 }
}

extension Message {
    /// Reads: key, id, role, status, turn's uuid, created_at, tokens, pinned, excluded, metadata, content.
    init(_ row: Row) {
        self.init(
            id: MessageID(bytes: row.bytes(1)) ?? MessageID(high: 0, low: 0), seq: MessageKey.seq(row.int(0)),
            role: Role(rawValue: Int(row.int(2))) ?? .user,
            status: Status(rawValue: Int(row.int(3))) ?? .failed,
            turnID: row.optionalBytes(4).flatMap { TurnID(bytes: $0) }, createdAt: row.int(5),
            tokens: Int(row.int(6)),
            isPinned: row.bool(7), isExcluded: row.bool(8), metadata: row.optionalJSON(9),
            content: row.json(10))
    }
}

/// A stored turn with its session's handles.
package struct StoredTurn: Sendable, Equatable {
    package var turn: TurnRecord
    /// The store's own number of the turn.
    package let row: Int64
    package let sessionRow: Int64

    /// Reads: id, uuid, session, state, prompt, prompt_id, answer_id, request_id, request_hash, options, stop_reason,
    /// finish, error, upstream, model, usage, receipt, created_at, started_at, ended_at, detail, cached.
    init(_ row: Row) {
        self.row = row.int(0)
        sessionRow = row.int(2)
        var turn = TurnRecord(
            id: TurnID(bytes: row.bytes(1)) ?? TurnID(high: 0, low: 0),
            state: TurnRecord.State(rawValue: Int(row.int(3))) ?? .failed,
            promptID: row.optionalBytes(5).flatMap { MessageID(bytes: $0) },
            answerID: MessageID(bytes: row.bytes(6)) ?? MessageID(high: 0, low: 0),
            queuedPrompt: row.optionalJSON(4),
            requestID: row.optionalText(7), requestHash: row.optionalBytes(8), createdAt: row.int(17))
        if let options = try? JSONDocument(row.json(9)).root { turn.options = TurnOptions(options) }
        turn.stopReason = row.optionalText(10).flatMap(StopReason.init)
        turn.finish = row.optionalText(11)
        if let error = row.optionalJSON(12), let view = try? JSONDocument(error).root {
            turn.error = TurnError(
                kind: view["kind"]?.string ?? "internal", message: view["message"]?.string ?? "",
                retryAfter: view["retryAfterMs"]?.int)
        }
        turn.upstream = row.optionalText(13)
        turn.model = row.optionalText(14)
        if let usage = row.optionalJSON(15), let view = try? JSONDocument(usage).root {
            turn.usage = Usage(view)
        }
        turn.receipt = row.optionalJSON(16)
        turn.startedAt = row.optionalInt(18)
        turn.endedAt = row.optionalInt(19)
        turn.detail = row.optionalText(20)
        turn.isCached = row.bool(21)
        self.turn = turn
    }
}

/// One try at an upstream, as it is stored.
package struct Attempt: Sendable, Equatable {
    package var number: Int
    package var upstream: String
    package var model: String
    package var startedAt: Int64
    package var firstAt: Int64?
    package var endedAt: Int64
    /// `complete` or the kind of error.
    package var outcome: String
    /// HTTP status, nil when none came.
    package var status: Int?
    /// One sentence, no content, no secrets.
    package var detail: String?

    package init(
        number: Int, upstream: String, model: String, startedAt: Int64, firstAt: Int64? = nil, endedAt: Int64,
        outcome: String,
        status: Int? = nil, detail: String? = nil
    ) {
        self.number = number
        self.upstream = upstream
        self.model = model
        self.startedAt = startedAt
        self.firstAt = firstAt
        self.endedAt = endedAt
        self.outcome = outcome
        self.status = status
        self.detail = detail
    }
}
