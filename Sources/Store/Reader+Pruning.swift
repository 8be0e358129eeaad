package import Archive
internal import Conversation

extension CountPurge: LocalRead {
    package func run(on reader: Reader) throws(ArchiveError) -> Output {
        let set = Set(rows)
        var branches: [(branch: BranchRow, session: SessionRow, fork: Int)] = []
        var sum = PurgeSum()
        for row in rows {
            let count = branches.count
            try reader.database.rows(
                "SELECT id, fork_seq FROM branch INDEXED BY branch_session WHERE session = ?", [.int(row)],
                doing: "read a session's branches"
            ) { found in
                branches.append((BranchRow(found.int(0)), row, found.place(1)))
                return true
            }
            if branches.count > count { sum.sessions += 1 }
            try reader.endSlice()
        }
        // A branch is older than those that begin in it, so what they keep of it is known before.
        branches.sort { $0.branch > $1.branch }
        var kept: [BranchRow: Int] = [:]
        for (branch, _, fork) in branches {
            var keep = 0
            try reader.database.rows(
                "SELECT id, fork_seq, session FROM branch INDEXED BY branch_parent WHERE parent = ?",
                [.int(branch)], doing: "find what shares a branch"
            ) { child in
                let seq = child.place(1)
                let isKept =
                    !set.contains(SessionRow(child.int(2))) || (kept[BranchRow(child.int(0))] ?? 0) > seq
                if isKept { keep = max(keep, seq) }
                return true
            }
            // None is kept that is not there, wherever a fork says that it begins.
            if keep > fork {
                let keys = MessageKey.keys(of: branch)
                let newest = try reader.database.integer(
                    "SELECT ifnull(max(key), 0) FROM message WHERE key BETWEEN ? AND ?",
                    [.int(keys.lowerBound), .int(keys.upperBound)], doing: "find what a fork shares")
                keep = min(keep, MessageKey.seq(newest))
            }
            kept[branch] = keep > fork ? keep : 0
            sum.shared += max(0, keep - fork)
            try count(branch, above: keep, reader, &sum)
        }
        return sum
    }

    /// Messages that are counted before others have their turn.
    private static let slice = 2_000

    private func count(_ branch: BranchRow, above seq: Int, _ reader: Reader, _ sum: inout PurgeSum)
        throws(ArchiveError)
    {
        guard let keys = MessageKey.keys(of: branch, above: seq) else { return }
        var next: Int64? = keys.lowerBound
        while let first = next {
            next = nil
            var count = 0
            try reader.database.rows(
                "SELECT key, length(CAST(content AS BLOB)) FROM message WHERE key BETWEEN ? AND ? ORDER BY key",
                [.int(first), .int(keys.upperBound)], doing: "count messages to purge"
            ) { row in
                sum.messages += 1
                sum.bytes += Int(row.int(1))
                count += 1
                if count == CountPurge.slice { next = row.int(0) + 1 }
                return count < CountPurge.slice
            }
            try reader.endSlice()
        }
    }
}

extension ExpiredTrash: LocalRead {
    package func run(on reader: Reader) throws(ArchiveError) -> Output {
        var found: [SessionRow] = []
        try reader.database.rows(
            """
            SELECT id FROM session INDEXED BY session_trashed
             WHERE trashed_at IS NOT NULL AND trashed_at < ? AND owner >= 0 ORDER BY trashed_at LIMIT ?
            """, [.int(before), Bound(limit)], doing: "find what was long in the trash"
        ) { row in
            found.append(SessionRow(row.int(0)))
            return true
        }
        return found
    }
}
