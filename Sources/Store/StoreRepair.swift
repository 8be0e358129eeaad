package import Archive
internal import Conversation
internal import JSON

extension RepairStore: LocalWrite {
    package func run(on writer: Writer) throws(ArchiveError) -> Output {
        var count = 0
        // What others stand on comes first.
        for kind in Damage.allCases.sorted(by: { $0.rank < $1.rank }) {
            var summed: Set<BranchRow> = []
            // A branch is older than those that begin in it: these are mended before it, or removed.
            let all = found.filter { $0.kind == kind }
            for one in kind == .strayBranch ? all.sorted(by: { $0.row > $1.row }) : all {
                // A branch is summed up once, however many of its messages are told.
                if kind == .total, !summed.insert(MessageKey.branch(one.row)).inserted {
                    count += 1
                } else if try writer.repair(one) {
                    count += 1
                }
            }
        }
        return count
    }
}

extension Damage {
    /// The order in which it is mended: sums come behind what they are made of.
    fileprivate var rank: Int {
        switch self {
        case .strayTurn, .settings: 0
        case .turnRecord, .messageRecord: 1
        case .strayBranch, .strayMessage, .messageTurn, .piece, .mark, .attempt, .anchor, .summary: 1
        case .summaryAttempt, .importedSession, .importedMessage: 2
        case .content, .arrival, .parent: 2
        case .activeBranch: 3
        case .total: 4
        case .head: 5
        case .index: 6
        case .file, .gap: 7
        }
    }
}

extension Writer {
    fileprivate func repair(_ found: DamageFound) throws(ArchiveError) -> Bool {
        let row = Bound.int(found.row), doing = "mend \(found.words)"
        switch found.kind {
        case .file, .gap: return false
        case .strayTurn:
            try database.run("UPDATE message SET turn = NULL WHERE turn = ?", [row], doing: doing)
            try database.run("DELETE FROM turn WHERE id = ?", [row], doing: doing)
        case .turnRecord:
            try database.run(
                """
                UPDATE turn SET
                    options = CASE WHEN json_valid(options) THEN options ELSE '{}' END,
                    error = CASE WHEN json_valid(error) THEN error END,
                    usage = CASE WHEN json_valid(usage) THEN usage END,
                    receipt = CASE WHEN json_valid(receipt) THEN receipt END
                 WHERE id = ?
                """, [row], doing: doing)
            // One that waits with what nobody can read can never ask.
            let error = JSONWriter.object {
                $0.member("kind", "store_failed")
                $0.member("message", "its prompt could not be read, and was removed by a repair")
            }
            try database.run(
                """
                UPDATE turn SET prompt = NULL, state = CASE state WHEN ?2 THEN ?3 ELSE state END,
                    ended_at = CASE state WHEN ?2 THEN ?4 ELSE ended_at END, error = CASE state WHEN ?2 THEN ?5 ELSE error END
                 WHERE id = ?1 AND prompt IS NOT NULL AND NOT json_valid(prompt)
                """,
                [
                    row, Bound(TurnRecord.State.queued.rawValue), Bound(TurnRecord.State.failed.rawValue),
                    .int(now), .utf8(error),
                ], doing: doing)
        case .messageRecord:
            try database.run(
                """
                UPDATE message SET
                    metadata = CASE WHEN json_valid(metadata) THEN metadata END,
                    binding = CASE WHEN json_valid(binding) THEN binding END
                 WHERE key = ?
                """, [row], doing: doing)
        case .attempt: try database.run("DELETE FROM attempt WHERE turn = ?", [row], doing: doing)
        case .anchor: try database.run("DELETE FROM anchor WHERE branch = ?", [row], doing: doing)
        case .summary:
            try database.run("DELETE FROM summary_attempt WHERE summary = ?", [row], doing: doing)
            try database.run("DELETE FROM summary WHERE id = ?", [row], doing: doing)
        case .summaryAttempt:
            try database.run("DELETE FROM summary_attempt WHERE summary = ?", [row], doing: doing)
        case .importedSession: try database.run("DELETE FROM import WHERE session = ?", [row], doing: doing)
        case .importedMessage:
            try database.run("DELETE FROM import_link WHERE message = ?", [row], doing: doing)
        case .strayBranch:
            // What a fork shares is the fork's; the rest is nobody's.
            let heir = try database.first(
                """
                SELECT c.session FROM branch c INDEXED BY branch_parent WHERE c.parent = ?
                   AND EXISTS (SELECT 1 FROM session s WHERE s.id = c.session) LIMIT 1
                """, [row], doing: doing
            ) { $0.int(0) }
            if let heir {
                // Of what lies behind the last place that others share nothing is theirs.
                let shared = try database.integer(
                    "SELECT max(fork_seq) FROM branch INDEXED BY branch_parent WHERE parent = ?", [row],
                    doing: doing)
                let rest = MessageKey.keys(of: BranchRow(found.row), above: Int(shared))
                if let rest { try database.removeMessages(rest) }
                try database.run(
                    "UPDATE branch SET session = ? WHERE id = ?", [.int(heir), row], doing: doing)
            } else {
                try database.removeMessages(MessageKey.keys(of: BranchRow(found.row)))
                try database.run("DELETE FROM branch WHERE id = ?", [row], doing: doing)
            }
        case .strayMessage:
            try database.unindex(found.row...found.row)
            try database.run("DELETE FROM mark WHERE message = ?", [row], doing: doing)
            try database.run("DELETE FROM message WHERE key = ?", [row], doing: doing)
        case .messageTurn:
            try database.run("UPDATE message SET turn = NULL WHERE key = ?", [row], doing: doing)
        case .piece: try database.run("DELETE FROM piece WHERE turn = ?", [row], doing: doing)
        case .mark:
            try database.run(
                """
                DELETE FROM mark WHERE message = ?1 AND (NOT EXISTS (SELECT 1 FROM message m WHERE m.key = mark.message)
                    OR NOT EXISTS (SELECT 1 FROM session s WHERE s.id = mark.session))
                """, [row], doing: doing)
        case .content:
            try mendContent(of: row, doing)
            // What it said before is not what the index must forget now.
            try beginIndexAnew()
        case .arrival:
            try database.run(
                "UPDATE message SET arrival = ? WHERE key = ?", [.int(nextArrival()), row], doing: doing)
        case .parent:
            try database.run(
                """
                UPDATE branch SET parent = NULL, fork_seq = max(0, ifnull((SELECT (min(key) & 4294967295) - 1 FROM message
                        WHERE key BETWEEN branch.id << 32 AND branch.id << 32 | 4294967295), 0)) WHERE id = ?
                """, [row], doing: doing)
            try sumUp(BranchRow(found.row))
        case .settings:
            try database.run(
                """
                UPDATE session SET
                    settings = CASE WHEN json_valid(settings) THEN CASE json_type(settings) WHEN 'object' THEN settings ELSE '{}' END ELSE '{}' END,
                    tags = CASE WHEN json_valid(tags) THEN CASE json_type(tags) WHEN 'array' THEN tags ELSE '[]' END ELSE '[]' END,
                    mcp_servers = CASE WHEN json_valid(mcp_servers) THEN CASE json_type(mcp_servers) WHEN 'array' THEN mcp_servers ELSE '[]' END ELSE '[]' END,
                    metadata = CASE WHEN json_valid(metadata) THEN CASE json_type(metadata) WHEN 'object' THEN metadata END END,
                    activity = ?
                 WHERE id = ?
                """, [.int(nextActivity(of: SessionRow(found.row))), row], doing: doing)
        case .activeBranch: return try findBranch(of: SessionRow(found.row), doing)
        case .total: try sumUp(MessageKey.branch(found.row))
        case .head:
            let session = SessionRow(found.row)
            guard let place = try place(ofRow: session),
                let (parent, fork) = try database.parent(of: place.branch)
            else { return false }
            let tip = try database.tip(of: place.branch, parent: parent, fork: fork)
            try database.run(
                "UPDATE session SET head = ?, tokens = ?, activity = ? WHERE id = ?",
                [Bound(tip.seq), Bound(tip.total), .int(nextActivity(of: session)), row], doing: doing)
        case .index: try beginIndexAnew()
        }
        return true
    }

    /// Puts U+FFFD in the place of bytes that are no text; what is no content then becomes its text.
    private func mendContent(of row: Bound, _ doing: String) throws(ArchiveError) {
        let words = try database.first(
            "SELECT content FROM message WHERE key = ?", [row], doing: doing
        ) { $0.text(0) }
        guard let words else { return }
        let change: SQL =
            CheckStore.isContent(Array(words.utf8))
            ? "UPDATE message SET content = ? WHERE key = ?"
            : "UPDATE message SET content = json_array(json_object('type', 'text', 'text', ?)) WHERE key = ?"
        try database.run(change, [.text(words), row], doing: doing)
    }

    /// Empties the index; it is made again in the background.
    private func beginIndexAnew() throws(ArchiveError) {
        try database.emptyIndex()
        wantBackgroundWork()
    }

    /// Makes a session's newest branch its active one, or a new one where it has none.
    private func findBranch(of session: SessionRow, _ doing: String) throws(ArchiveError) -> Bool {
        let newest = try database.first(
            "SELECT id FROM branch INDEXED BY branch_session WHERE session = ? AND deleted_at IS NULL ORDER BY id DESC LIMIT 1",
            [.int(session)], doing: doing
        ) { BranchRow($0.int(0)) }
        let branch: BranchRow
        if let newest {
            branch = newest
        } else {
            branch = nextBranch()
            try database.run(
                "INSERT INTO branch (id, session, created_at) VALUES (?, ?, ?)",
                [.int(branch), .int(session), .int(now)], doing: doing)
        }
        guard let (parent, fork) = try database.parent(of: branch) else { return false }
        let tip = try database.tip(of: branch, parent: parent, fork: fork)
        try database.run(
            "UPDATE session SET branch = ?, head = ?, tokens = ?, activity = ? WHERE id = ?",
            [
                .int(branch), Bound(tip.seq), Bound(tip.total), .int(nextActivity(of: session)),
                .int(session),
            ], doing: doing)
        return true
    }

    /// Sums the estimates of a branch's messages up again, from where it leaves its parent.
    private func sumUp(_ branch: BranchRow) throws(ArchiveError) {
        guard let (parent, fork) = try database.parent(of: branch) else { return }
        var total = 0
        if let parent, fork > 0 { total = try database.total(at: MessageKey(branch: parent, seq: fork)) }
        var sums: [(key: Int64, total: Int)] = []
        let keys = MessageKey.keys(of: branch)
        try database.rows(
            "SELECT key, tokens FROM message WHERE key BETWEEN ? AND ? ORDER BY key",
            [.int(keys.lowerBound), .int(keys.upperBound)], doing: "sum a branch up"
        ) { row in
            total += Int(row.int(1))
            sums.append((row.int(0), total))
            return true
        }
        for (key, sum) in sums {
            try database.run(
                "UPDATE message SET total = ? WHERE key = ?", [Bound(sum), .int(key)],
                doing: "sum a branch up")
        }
    }
}
