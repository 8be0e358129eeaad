package import Archive
internal import Conversation

extension Reader {
    /// A session's branches, oldest first, at most `limit` of those behind one.
    func branches(of session: SessionRow, after: BranchRow, limit: Int) throws(ArchiveError) -> [Branch] {
        var rows: [(BranchRow, BranchRow?, Int, Int64)] = []
        try database.rows(
            "SELECT id, parent, fork_seq, created_at FROM branch WHERE session = ? AND id > ? AND deleted_at IS NULL ORDER BY id LIMIT ?",
            [.int(session), .int(after), Bound(limit)], doing: "list branches"
        ) { (row) throws(ArchiveError) in
            rows.append((BranchRow(row.int(0)), row.parent, try row.forkSeq, try row.branchTime))
            return true
        }
        var found: [Branch] = []
        for (id, parent, fork, createdAt) in rows {
            found.append(try branch(id, parent, fork, createdAt))
        }
        return found
    }

    private func branch(_ id: BranchRow, _ parent: BranchRow?, _ fork: Int, _ createdAt: Int64)
        throws(ArchiveError)
        -> Branch
    {
        let tip = try database.tip(of: id, parent: parent, fork: fork)
        guard parent != id, tip.seq >= fork else {
            throw ArchiveError(
                .corrupt, "read branch \(id.number)",
                reason:
                    "its 'parent' is \(parent?.number ?? 0) and its 'fork_seq' \(fork), and there is no such place; 'convo check --repair' mends what can be mended, else restore a backup"
            )
        }
        let first = try database.first(
            """
            SELECT id, role, status, substr(content, 1, 8192) FROM message WHERE key = ?
            """,
            [.int(MessageKey(branch: id, seq: fork + 1).raw)], doing: "read a branch"
        ) { row in
            Branch.Beginning(
                id: MessageID(bytes: row.bytes(0)) ?? MessageID(high: 0, low: 0),
                role: Message.Role(rawValue: Int(row.int(1))) ?? .user,
                status: Message.Status(rawValue: Int(row.int(2))) ?? .failed,
                text: Message.textBeginning(row.bytes(3)))
        }
        return Branch(
            id: id, parent: parent, forkSeq: fork, head: tip.seq, tokens: tip.total, createdAt: createdAt,
            headID: tip.id, first: first)
    }

    /// A branch of the session by its number, nil when it has none such.
    func branch(_ id: BranchRow, of session: SessionRecord) throws(ArchiveError) -> Branch? {
        let found = try database.first(
            "SELECT id, parent, fork_seq, created_at FROM branch WHERE id = ? AND session = ? AND deleted_at IS NULL",
            [.int(id), .int(session.row)], doing: "find a branch"
        ) { (row) throws(ArchiveError) in (row.parent, try row.forkSeq, try row.branchTime) }
        guard let (parent, fork, createdAt) = found else { return nil }
        return try branch(id, parent, fork, createdAt)
    }

    /// The last seq that two branches share.
    func commonSeq(_ a: Branch, _ b: Branch) throws(ArchiveError) -> Int {
        let first = try path(branch: a.id, head: a.head), second = try path(branch: b.id, head: b.head)
        var common = 0
        for (one, other) in zip(first, second) where one.branch == other.branch {
            common = max(common, min(one.to, other.to))
        }
        return common
    }

    /// The estimate for a path up to a seq of it.
    func tokens(of session: SessionRecord, upTo seq: Int) throws(ArchiveError) -> Int {
        guard let segment = try path(branch: session.branch, head: seq).last else { return 0 }
        return try database.total(at: MessageKey(branch: segment.branch, seq: segment.to))
    }
}

extension Row {
    /// The branch that a branch leaves, in the second column.
    fileprivate var parent: BranchRow? { optionalInt(1).map { BranchRow($0) } }
    /// A branch's `fork_seq`, in the third column.
    fileprivate var forkSeq: Int {
        get throws(ArchiveError) { try number(2, "fork_seq", in: MessageKey.seqs, of: .branch) }
    }
    /// A branch's `created_at`, in the fourth column.
    fileprivate var branchTime: Int64 {
        get throws(ArchiveError) { try time(3, "created_at", of: .branch) }
    }
}

extension Database {
    /// Whether a session has a branch, and it was not deleted.
    func isThere(_ branch: BranchRow, in session: SessionRow) throws(ArchiveError) -> Bool {
        try first(
            "SELECT 1 FROM branch WHERE id = ? AND session = ? AND deleted_at IS NULL",
            [.int(branch), .int(session)], doing: "find a branch"
        ) { _ in true } ?? false
    }

    /// The estimate over a path up to a message, 0 where there is none.
    func total(at key: MessageKey) throws(ArchiveError) -> Int {
        try first("SELECT key, total FROM message WHERE key = ?", [.int(key.raw)], doing: "read a message") {
            (row) throws(ArchiveError) in try row.total
        } ?? 0
    }

    /// The newest message of a branch: its own, else the one at which it leaves its parent.
    func tip(of branch: BranchRow, parent: BranchRow?, fork: Int) throws(ArchiveError) -> (
        seq: Int, total: Int, id: MessageID?
    ) {
        if let keys = MessageKey.keys(of: branch, above: fork) {
            let own = try first(
                "SELECT key, total, id FROM message WHERE key BETWEEN ? AND ? ORDER BY key DESC LIMIT 1",
                [.int(keys.lowerBound), .int(keys.upperBound)], doing: "read a branch's end"
            ) { (row) throws(ArchiveError) in
                (MessageKey.seq(row.int(0)), try row.total, MessageID(bytes: row.bytes(2)))
            }
            if let own { return own }
        }
        guard let parent, fork > 0 else { return (0, 0, nil) }
        let shared = try first(
            "SELECT key, total, id FROM message WHERE key = ?",
            [.int(MessageKey(branch: parent, seq: fork).raw)], doing: "read a branch's end"
        ) { (row) throws(ArchiveError) in (try row.total, MessageID(bytes: row.bytes(2))) }
        return (fork, shared?.0 ?? 0, shared?.1 ?? nil)
    }

    /// The branch that owns a message, when the message is on a path of the session.
    func place(of id: MessageID, inSession row: SessionRow) throws(ArchiveError) -> (
        branch: BranchRow, seq: Int
    )? {
        let key = try first(
            "SELECT key FROM message WHERE id = ?", [.blob(id.bytes)], doing: "find a message"
        ) { $0.int(0) }
        guard let key else { return nil }
        let branch = MessageKey.branch(key), seq = MessageKey.seq(key)
        let owner = try first(
            "SELECT session FROM branch WHERE id = ? AND deleted_at IS NULL", [.int(branch)],
            doing: "read a branch"
        ) { $0.int(0) }
        if owner == row.number { return (branch, seq) }
        // A fork shares what lies before it: the message must be below where one of its branches leaves.
        var heads: [(BranchRow, Int)] = []
        try rows(
            "SELECT id, parent, fork_seq FROM branch WHERE session = ? AND deleted_at IS NULL", [.int(row)],
            doing: "list branches"
        ) { (row) throws(ArchiveError) in
            let fork = try row.number(2, "fork_seq", in: MessageKey.seqs, of: .branch)
            if let parent = row.parent { heads.append((parent, fork)) }
            return true
        }
        for (start, fork) in heads {
            var next: BranchRow? = start
            var top = fork, walk = BranchWalk()
            while let current = next, top > 0 {
                if current == branch && seq <= top { return (branch, seq) }
                try walk.step(to: current)
                guard let (parent, fork) = try parent(of: current) else { break }
                top = min(top, fork)
                next = parent
            }
        }
        return nil
    }
}

extension Row {
    /// A message's `total`, in the second column behind its key.
    fileprivate var total: Int {
        get throws(ArchiveError) { try number(1, "total", in: 0...Row.mostTokens, of: .message) }
    }
}

extension BranchElders: LocalRead {
    package var isSeveral: Bool { true }

    package func run(on reader: Reader) throws(ArchiveError) -> Output {
        var found: [BranchRow: BranchOrigin] = [:]
        for branch in branches {
            var next: BranchRow? = branch, walk = BranchWalk()
            while let now = next, found[now] == nil {
                try walk.step(to: now)
                guard let (parent, fork) = try reader.database.parent(of: now) else { break }
                found[now] = BranchOrigin(parent: parent, forkSeq: fork)
                next = parent
            }
        }
        return found
    }
}
