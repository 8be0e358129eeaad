package import Conversation

/// A message that is to be stored; its place is given when it is.
package struct NewMessage: Sendable, Equatable {
    package var id: MessageID
    package var role: Message.Role
    package var status: Message.Status
    /// Raw JSON array of parts.
    package var content: [UInt8]
    package var tokens: Int
    package var metadata: [UInt8]?
    /// nil means now.
    package var createdAt: Int64?
    package var isPinned: Bool

    package init(
        id: MessageID, role: Message.Role, status: Message.Status = .complete, content: [UInt8], tokens: Int,
        metadata: [UInt8]? = nil, createdAt: Int64? = nil, isPinned: Bool = false
    ) {
        self.id = id
        self.role = role
        self.status = status
        self.content = content
        self.tokens = tokens
        self.metadata = metadata
        self.createdAt = createdAt
        self.isPinned = isPinned
    }
}

/// Adds messages at a session's head, all or none.
package struct AppendMessages: StoreWrite {
    package let id: SessionID
    package let owner: UInt32
    package let messages: [NewMessage]
    /// The session to make when there is none; nil means that it must be there.
    package let ifMissing: Session?
    /// Makes a title for a session that has none.
    package let title: @Sendable () -> String?

    package init(
        _ id: SessionID, owner: UInt32, _ messages: [NewMessage], ifMissing: Session?,
        title: @escaping @Sendable () -> String?
    ) {
        self.id = id
        self.owner = owner
        self.messages = messages
        self.ifMissing = ifMissing
        self.title = title
    }

    package enum Output: Sendable, Equatable {
        /// The session's row and the seqs of the new messages.
        case appended(row: Int64, first: Int, last: Int)
        case missing
        case trashed
    }

    package func run(on writer: Writer) throws(StoreError) -> Output {
        var place: Place
        if let found = try writer.place(of: id, owner: owner) {
            if found.isTrashed { return .trashed }
            place = found
        } else {
            guard let ifMissing else { return .missing }
            let made = try writer.insert(ifMissing)
            place = Place(
                row: made.row, branch: made.branch, head: 0, tokens: 0, hasTitle: false, isTrashed: false)
        }
        let first = place.head + 1
        for message in messages { try writer.append(message, turn: nil, at: &place) }
        try writer.moveHead(to: place, title: place.hasTitle ? nil : title())
        return .appended(row: place.row, first: first, last: place.head)
    }
}

/// Where a session's next message goes.
struct Place {
    let row: Int64
    var branch: Int64
    var head: Int
    var tokens: Int
    let hasTitle: Bool
    let isTrashed: Bool
}

extension Writer {
    func place(of id: SessionID, owner: UInt32) throws(StoreError) -> Place? {
        try database.first(
            "SELECT id, branch, head, tokens, title IS NOT NULL, trashed_at IS NOT NULL FROM session WHERE owner = ? AND name = ?",
            [.int(Int64(owner)), .text(id.text)], doing: "find a session", Writer.place(_:))
    }

    func place(ofRow row: Int64) throws(StoreError) -> Place? {
        try database.first(
            "SELECT id, branch, head, tokens, title IS NOT NULL, trashed_at IS NOT NULL FROM session WHERE id = ?",
            [.int(row)],
            doing: "find a session", Writer.place(_:))
    }

    private static func place(_ row: Row) throws(StoreError) -> Place {
        Place(
            row: row.int(0), branch: row.int(1),
            head: try row.number(2, "head", in: MessageKey.seqs, of: .session),
            tokens: try row.number(3, "tokens", in: 0...Row.mostTokens, of: .session),
            hasTitle: row.bool(4),
            isTrashed: row.bool(5))
    }

    /// Inserts a message behind the head and moves `place` on; the session's row follows by `moveHead`.
    func append(_ message: NewMessage, turn: Int64?, at place: inout Place) throws(StoreError) {
        place.head += 1
        place.tokens += message.tokens
        try database.run(
            """
            INSERT INTO message (key, id, role, status, turn, created_at, tokens, total, pinned, metadata, content)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                .int(MessageKey(branch: place.branch, seq: place.head).raw), .blob(message.id.bytes),
                Bound(message.role.rawValue),
                Bound(message.status.rawValue), Bound(turn), .int(message.createdAt ?? now),
                Bound(message.tokens),
                Bound(place.tokens), .int(message.isPinned ? 1 : 0), Bound(message.metadata),
                .utf8(message.content),
            ], doing: "insert a message")
    }

    /// Writes the session's head, counters and place in the lists; a title only where there is none.
    func moveHead(to place: Place, title: String?) throws(StoreError) {
        try database.run(
            """
            UPDATE session SET branch = ?, head = ?, tokens = ?, updated_at = ?, activity = ?, title = coalesce(title, ?)
             WHERE id = ?
            """,
            [
                .int(place.branch), Bound(place.head), Bound(place.tokens), .int(now),
                .int(nextActivity(of: place.row)),
                Bound(title),
                .int(place.row),
            ], doing: "move a session's head")
    }

    /// Leaves the messages after `seq` on the branch they are on and goes on from `seq` on a new one.
    ///
    /// The new branch hangs on the one that owns `seq`, so that chains of branches do not grow with retries.
    func branchOff(_ place: inout Place, after seq: Int) throws(StoreError) {
        let parent = try owner(of: seq, on: place.branch)
        let total = seq == 0 ? 0 : try database.total(at: MessageKey(branch: parent, seq: seq))
        try database.run(
            "INSERT INTO branch (session, parent, fork_seq, created_at) VALUES (?, ?, ?, ?)",
            [.int(place.row), .int(parent), Bound(seq), .int(now)], doing: "insert a branch")
        place.branch = database.lastRow
        place.head = seq
        place.tokens = total
    }
}
