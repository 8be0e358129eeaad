package import Archive
internal import Conversation

extension AppendMessages: LocalWrite {
    package func run(on writer: Writer) throws(ArchiveError) -> Output {
        var place: Place
        if let found = try writer.place(of: id, owner: owner) {
            if found.isTrashed { return .trashed }
            if room.isLimited, let record = try writer.database.session(row: found.row) {
                let tokens = try Reader(over: writer.database).tokensOfPins(record, room, with: self)
                if let tokens, tokens > room.tokens { return .tooMuch(tokens) }
            }
            place = found
        } else {
            if orAnyones, try writer.hasSession(named: id) { return .anothers }
            guard let ifMissing else { return .missing }
            let tokens = tokensOfPins(room.costs)
            if tokens > room.tokens { return .tooMuch(tokens) }
            let new = try writer.insert(ifMissing)
            place = Place(
                row: new.row, branch: new.branch, head: 0, tokens: 0, hasTitle: false, isTrashed: false)
        }
        let first = place.head + 1
        for message in messages { try writer.append(message, turn: nil, at: &place) }
        try writer.moveHead(to: place, title: place.hasTitle ? nil : firstTitle)
        return .appended(row: place.row, first: first, last: place.head)
    }
}

extension AppendMessages {
    /// What the first prompt among the messages is called by.
    fileprivate var firstTitle: String? {
        messages.first { $0.role == .user }.flatMap { suggestedTitle(for: Part.decode($0.content)) }
    }
}

/// Where a session's next message goes.
struct Place {
    let row: SessionRow
    var branch: BranchRow
    var head: Int
    var tokens: Int
    let hasTitle: Bool
    let isTrashed: Bool

    /// As it is told.
    var path: PathPlace { PathPlace(branch: branch, head: head, tokens: tokens) }
}

extension Writer {
    func place(of id: SessionID, owner: UserID) throws(ArchiveError) -> Place? {
        try database.first(
            "SELECT id, branch, head, tokens, title IS NOT NULL, trashed_at IS NOT NULL FROM session WHERE owner = ? AND name = ?",
            [.user(owner), .text(id.text)], doing: "find a session", Writer.place(_:))
    }

    /// Whether any user has a session of an ID.
    func hasSession(named id: SessionID) throws(ArchiveError) -> Bool {
        for owner in try database.owners() where try place(of: id, owner: owner) != nil { return true }
        return false
    }

    func place(ofRow row: SessionRow) throws(ArchiveError) -> Place? {
        try database.first(
            "SELECT id, branch, head, tokens, title IS NOT NULL, trashed_at IS NOT NULL FROM session WHERE id = ?",
            [.int(row)],
            doing: "find a session", Writer.place(_:))
    }

    private static func place(_ row: Row) throws(ArchiveError) -> Place {
        Place(
            row: SessionRow(row.int(0)), branch: BranchRow(row.int(1)),
            head: try row.number(2, "head", in: MessageKey.seqs, of: .session),
            tokens: try row.number(3, "tokens", in: 0...Row.mostTokens, of: .session),
            hasTitle: row.bool(4),
            isTrashed: row.bool(5))
    }

    /// Inserts a message behind the head and moves `place` on; the session's row follows by `moveHead`.
    func append(_ message: NewMessage, turn: TurnRow?, at place: inout Place) throws(ArchiveError) {
        place.head += 1
        let tokens = message.size.tokens
        place.tokens += tokens
        let key = MessageKey(branch: place.branch, seq: place.head).raw
        try database.run(
            """
            INSERT INTO message (key, id, role, status, turn, created_at, tokens, total, metadata, content, binding, size,
                                 arrival, deleted_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                .int(key), .blob(message.id.bytes),
                Bound(message.role.rawValue),
                Bound(message.status.rawValue), Bound(turn?.number), .int(message.createdAt ?? now),
                Bound(tokens),
                Bound(place.tokens), Bound(message.metadata), .utf8(message.content),
                Bound(message.binding?.encoded), .blob(message.size.encoded),
                .int(nextArrival()), message.isDeleted ? .int(now) : .null,
            ], doing: "insert a message")
        if let mark = message.mark { try self.mark(key, as: mark, by: place.row) }
    }

    /// Writes the session's head, counters and place in the lists; a title only where there is none.
    func moveHead(to place: Place, title: String?) throws(ArchiveError) {
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
    func branchOff(_ place: inout Place, after seq: Int) throws(ArchiveError) {
        let parent = try owner(of: seq, on: place.branch)
        let total = seq == 0 ? 0 : try database.total(at: MessageKey(branch: parent, seq: seq))
        let new = nextBranch()
        try database.run(
            "INSERT INTO branch (id, session, parent, fork_seq, created_at) VALUES (?, ?, ?, ?, ?)",
            [.int(new), .int(place.row), .int(parent), Bound(seq), .int(now)], doing: "insert a branch")
        try copyAnchors(from: place.branch, to: new, upTo: seq)
        place.branch = new
        place.head = seq
        place.tokens = total
    }
}
