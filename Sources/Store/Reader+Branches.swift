package import Conversation

/// A line of messages of a session, as people choose among them.
package struct Branch: Sendable, Equatable {
    /// The store's number of it, also on the wire.
    package let id: Int64
    /// The branch it leaves, nil for a session's first one.
    package let parent: Int64?
    /// The last seq that it shares with its parent.
    package let forkSeq: Int
    /// The seq of its newest message.
    package let head: Int
    /// The estimate over its path, in tokens.
    package let tokens: Int
    package let createdAt: Int64
    package let headID: MessageID?
    /// The first message of its own; nil when it has none.
    package let first: Message?

    /// Messages that it does not share with its parent.
    package var ownCount: Int { head - forkSeq }
}

extension SessionRecord {
    /// The session as it would be with another branch active, or with its head further back.
    package func at(branch: Int64, head: Int, tokens: Int) -> SessionRecord {
        var session = session
        session.messageCount = head
        session.tokens = tokens
        return SessionRecord(session, row: row, branch: branch)
    }
}

extension Reader {
    /// A session's branches, oldest first, at most `limit` of those behind one.
    package func branches(of session: SessionRecord, after: Int64, limit: Int) throws(StoreError) -> [Branch]
    {
        var rows: [(Int64, Int64?, Int, Int64)] = []
        try database.rows(
            "SELECT id, parent, fork_seq, created_at FROM branch WHERE session = ? AND id > ? ORDER BY id LIMIT ?",
            [.int(session.row), .int(after), Bound(limit)], doing: "list branches"
        ) { row in
            rows.append((row.int(0), row.optionalInt(1), Int(row.int(2)), row.int(3)))
            return true
        }
        var found: [Branch] = []
        for (id, parent, fork, createdAt) in rows {
            found.append(try branch(id, parent, fork, createdAt))
        }
        return found
    }

    private func branch(_ id: Int64, _ parent: Int64?, _ fork: Int, _ createdAt: Int64) throws(StoreError)
        -> Branch
    {
        let tip = try database.tip(of: id, parent: parent, fork: fork)
        let first = try database.first(
            .messages("LEFT JOIN turn t ON t.id = m.turn WHERE m.key = ?"),
            [.int(MessageKey(branch: id, seq: fork + 1).raw)], doing: "read a branch", Message.init)
        return Branch(
            id: id, parent: parent, forkSeq: fork, head: tip.seq, tokens: tip.total, createdAt: createdAt,
            headID: tip.id, first: first)
    }

    /// A branch of the session by its number, nil when it has none such.
    package func branch(_ id: Int64, of session: SessionRecord) throws(StoreError) -> Branch? {
        let found = try database.first(
            "SELECT parent, fork_seq, created_at FROM branch WHERE id = ? AND session = ?",
            [.int(id), .int(session.row)], doing: "find a branch"
        ) { ($0.optionalInt(0), Int($0.int(1)), $0.int(2)) }
        guard let (parent, fork, createdAt) = found else { return nil }
        return try branch(id, parent, fork, createdAt)
    }

    /// The last seq that two branches share.
    package func commonSeq(_ a: Branch, _ b: Branch) throws(StoreError) -> Int {
        let first = try path(branch: a.id, head: a.head), second = try path(branch: b.id, head: b.head)
        var common = 0
        for (one, other) in zip(first, second) where one.branch == other.branch {
            common = max(common, min(one.to, other.to))
        }
        return common
    }

    /// Where a message of the session lies: on its active path, or on any of its branches.
    package func place(of id: MessageID, in session: SessionRecord) throws(StoreError) -> (
        branch: Int64, seq: Int
    )? {
        try database.place(of: id, inSession: session.row)
    }

    /// The estimate for a path up to a seq of it.
    package func tokens(of session: SessionRecord, upTo seq: Int) throws(StoreError) -> Int {
        guard let segment = try path(branch: session.branch, head: seq).last else { return 0 }
        return Int(
            try database.integer(
                "SELECT total FROM message WHERE key = ?",
                [.int(MessageKey(branch: segment.branch, seq: segment.to).raw)], doing: "read a message"))
    }
}

extension Database {
    /// The newest message of a branch: its own, else the one at which it leaves its parent.
    func tip(of branch: Int64, parent: Int64?, fork: Int) throws(StoreError) -> (
        seq: Int, total: Int, id: MessageID?
    ) {
        let range: [Bound] = [
            .int(MessageKey(branch: branch, seq: fork + 1).raw),
            .int(MessageKey(branch: branch, seq: Int(UInt32.max)).raw),
        ]
        let own = try first(
            "SELECT key, total, id FROM message WHERE key BETWEEN ? AND ? ORDER BY key DESC LIMIT 1", range,
            doing: "read a branch's end"
        ) { (MessageKey.seq($0.int(0)), Int($0.int(1)), MessageID(bytes: $0.bytes(2))) }
        if let own { return own }
        guard let parent, fork > 0 else { return (0, 0, nil) }
        let shared = try first(
            "SELECT total, id FROM message WHERE key = ?", [.int(MessageKey(branch: parent, seq: fork).raw)],
            doing: "read a branch's end"
        ) { (Int($0.int(0)), MessageID(bytes: $0.bytes(1))) }
        return (fork, shared?.0 ?? 0, shared?.1 ?? nil)
    }

    /// The branch that owns a message, when the message is on a path of the session.
    func place(of id: MessageID, inSession row: Int64) throws(StoreError) -> (branch: Int64, seq: Int)? {
        let key = try first(
            "SELECT key FROM message WHERE id = ?", [.blob(id.bytes)], doing: "find a message"
        ) { $0.int(0) }
        guard let key else { return nil }
        let branch = MessageKey.branch(key), seq = MessageKey.seq(key)
        let owner = try first(
            "SELECT session FROM branch WHERE id = ?", [.int(branch)], doing: "read a branch"
        ) { $0.int(0) }
        if owner == row { return (branch, seq) }
        // A fork shares what lies before it: the message must be below where one of its branches leaves.
        var heads: [(Int64, Int)] = []
        try rows(
            "SELECT parent, fork_seq FROM branch WHERE session = ?", [.int(row)], doing: "list branches"
        ) { row in
            if let parent = row.optionalInt(0) { heads.append((parent, Int(row.int(1)))) }
            return true
        }
        for (start, fork) in heads {
            var next: Int64? = start
            var top = fork
            while let current = next, top > 0 {
                if current == branch && seq <= top { return (branch, seq) }
                let above = try first(
                    "SELECT parent, fork_seq FROM branch WHERE id = ?", [.int(current)],
                    doing: "read a branch"
                ) { ($0.optionalInt(0), Int($0.int(1))) }
                guard let (parent, fork) = above else { break }
                top = min(top, fork)
                next = parent
            }
        }
        return nil
    }
}
