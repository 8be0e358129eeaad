package import Archive
internal import Conversation
internal import Posix

extension PurgeSession: LocalWrite {
    package func run(on writer: Writer) throws(ArchiveError) -> Output {
        guard let place = try writer.place(ofRow: row), !onlyTrashed || place.isTrashed else { return false }
        let gone = try writer.database.integer(
            """
            SELECT owner = ?1 OR (?2 IS NOT NULL AND activity <> ?2)
                   OR EXISTS (SELECT 1 FROM turn INDEXED BY turn_open WHERE session = ?3 AND state < 2)
              FROM session WHERE id = ?3
            """, [.int(SessionRemoval.nobody), Bound(activity), .int(row)], doing: "find a session")
        if gone != 0 { return false }
        // Nobody's sessions are in no list, and found by no name.
        try writer.database.run(
            """
            UPDATE session SET owner = ?, name = '~' || id, title = NULL, system = NULL, appended_system = NULL, settings = '{}',
                               tags = '[]', metadata = NULL, mcp_servers = '[]', cwd = '/', trashed_at = coalesce(trashed_at, ?),
                               activity = ? WHERE id = ?
            """,
            [
                .int(SessionRemoval.nobody), .int(writer.now), .int(writer.nextActivity(of: row)),
                .int(row),
            ], doing: "purge a session")
        try writer.database.enter(.removing)
        writer.wantBackgroundWork()
        return true
    }
}

extension Compact: LocalWrite {
    package func run(on writer: Writer) throws(ArchiveError) -> Output {
        let size = try writer.database.size()
        // A purge that is under way does all of it at its end.
        if try writer.database.purgePhase() != .removing { try writer.database.enter(.beginningToMerge) }
        writer.wantBackgroundWork()
        return size
    }
}

/// How far the purge of sessions is: it goes on where a daemon that was killed left it.
enum PurgePhase: Int {
    /// Nothing is left to do.
    case done
    /// Messages, turns and sessions are removed.
    case removing
    /// The index is to be written anew without what was removed; and it is being written.
    case beginningToMerge, merging
    /// Free pages, which may hold what stood in them, leave the file.
    case shrinking
    /// What is in the WAL goes into the file, the WAL is cut to nothing, and what is free in the file's pages is wiped.
    case checkpointing
}

extension Database {
    func purgePhase() throws(ArchiveError) -> PurgePhase {
        let number = try integer(
            "SELECT phase FROM purge_state WHERE id = 1", doing: "look how far a purge is")
        return PurgePhase(rawValue: Int(number)) ?? .removing
    }

    func enter(_ phase: PurgePhase) throws(ArchiveError) {
        try run(
            """
            INSERT INTO purge_state (id, phase) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET phase = excluded.phase
            """, [Bound(phase.rawValue)],
            doing: "note how far a purge is")
    }
}

/// Removes what nobody's sessions hold: messages that no other session shares, turns, and then the sessions.
final class SessionRemoval: BackgroundWork {
    /// The owner of sessions that are being purged.
    static let nobody: Int64 = -1
    /// The owner of sessions that are being read in.
    static let arriving: Int64 = -2
    /// Rows of one statement, and messages that one lets go of.
    private static let few = 32, some = 1_000

    /// What was removed of each session since this was asked for last, and by the step that is not committed yet.
    private var sums: [SessionRow: PurgeSum] = [:], step: [SessionRow: PurgeSum] = [:]

    func takeSums() -> [SessionRow: PurgeSum] {
        defer { sums = [:] }
        return sums
    }

    var isOfPurge: Bool { true }

    func committed() {
        sums.merge(step) { $0 + $1 }
        step = [:]
    }

    func pace(in database: Database) throws(ArchiveError) -> BackgroundSlot.Pace { .whileSomebodyWaits }

    func isLeft(in database: Database) throws(ArchiveError) -> Bool {
        try database.purgePhase() == .removing
    }

    func step(in database: Database, until deadline: UInt64) throws(ArchiveError) {
        step = [:]
        // Answers that were kept may be of what is purged; nobody can tell which.
        try database.run("DELETE FROM response", doing: "drop kept answers")
        repeat {
            let next = try database.first(
                "SELECT id FROM session INDEXED BY session_recent WHERE owner = ? LIMIT 1",
                [.int(SessionRemoval.nobody)], doing: "find a session to purge"
            ) { SessionRow($0.int(0)) }
            guard let session = next else { return try database.enter(.beginningToMerge) }
            var sum = PurgeSum()
            if try removeSome(of: session, in: database, until: deadline, &sum) { sum.sessions = 1 }
            step[session] = (step[session] ?? PurgeSum()) + sum
        } while Machine.monotonic() < deadline
    }

    /// True when the session is gone.
    private func removeSome(
        of session: SessionRow, in database: Database, until deadline: UInt64, _ sum: inout PurgeSum
    ) throws(ArchiveError) -> Bool {
        while let branch = try newestBranch(of: session, in: database) {
            let child = try database.first(
                """
                SELECT fork_seq, session FROM branch INDEXED BY branch_parent WHERE parent = ?
                 ORDER BY fork_seq DESC LIMIT 1
                """, [.int(branch)], doing: "find what shares a branch"
            ) { (seq: $0.place(0), session: SessionRow($0.int(1))) }
            guard try removeMessages(of: branch, above: child?.seq ?? 0, in: database, until: deadline, &sum)
            else {
                return false
            }
            guard let child else {
                try database.run("DELETE FROM branch WHERE id = ?", [.int(branch)], doing: "delete a branch")
                continue
            }
            guard try handOver(branch, upTo: child.seq, from: session, to: child.session, in: database, &sum)
            else {
                return false
            }
        }
        return try removeRest(of: session, in: database)
    }

    /// Those that begin in others come first.
    private func newestBranch(of session: SessionRow, in database: Database) throws(ArchiveError)
        -> BranchRow?
    {
        try database.first(
            "SELECT id FROM branch INDEXED BY branch_session WHERE session = ? ORDER BY id DESC LIMIT 1",
            [.int(session)], doing: "find a branch to purge"
        ) { BranchRow($0.int(0)) }
    }

    private func removeMessages(
        of branch: BranchRow, above seq: Int, in database: Database, until deadline: UInt64,
        _ sum: inout PurgeSum
    ) throws(ArchiveError) -> Bool {
        guard let keys = MessageKey.keys(of: branch, above: seq) else { return true }
        while true {
            let newest = try database.newest(SessionRemoval.few, of: keys)
            let counted = try database.first(
                "SELECT count(*), ifnull(sum(length(CAST(content AS BLOB))), 0) FROM message WHERE key BETWEEN ? AND ?",
                [.int(newest.lowerBound), .int(newest.upperBound)], doing: "count messages to purge"
            ) { (messages: Int($0.int(0)), bytes: Int($0.int(1))) }
            try database.removeMessages(newest)
            sum.messages += counted?.messages ?? 0
            sum.bytes += counted?.bytes ?? 0
            if newest.lowerBound == keys.lowerBound { return true }
            if Machine.monotonic() >= deadline { return false }
        }
    }

    /// Gives what stays of a branch to a session that shares it, with the turns of those messages; true when all of it is.
    private func handOver(
        _ branch: BranchRow, upTo seq: Int, from session: SessionRow, to heir: SessionRow,
        in database: Database,
        _ sum: inout PurgeSum
    ) throws(ArchiveError) -> Bool {
        let first = MessageKey(branch: branch, seq: 1).raw, last = MessageKey(branch: branch, seq: seq).raw
        var turns: [Int64] = []
        try database.rows(
            """
            SELECT DISTINCT t.id FROM message m JOIN turn t ON t.id = m.turn
             WHERE m.key BETWEEN ? AND ? AND t.session = ? LIMIT ?
            """, [.int(first), .int(last), .int(session), Bound(SessionRemoval.few)],
            doing: "find turns of shared messages"
        ) { row in
            turns.append(row.int(0))
            return true
        }
        for turn in turns {
            // A key for sending once is the session's own.
            try database.run(
                "UPDATE turn SET session = ?, request_id = NULL, request_hash = NULL WHERE id = ?",
                [.int(heir), .int(turn)], doing: "hand over a turn")
        }
        if turns.count == SessionRemoval.few { return false }
        let shared = try database.integer(
            "SELECT count(*) FROM message WHERE key BETWEEN ? AND ?", [.int(first), .int(last)],
            doing: "count shared messages")
        sum.shared += Int(shared)
        try database.run(
            "UPDATE branch SET session = ?, deleted_at = NULL WHERE id = ?", [.int(heir), .int(branch)],
            doing: "hand over a branch")
        return true
    }

    private func removeRest(of session: SessionRow, in database: Database) throws(ArchiveError) -> Bool {
        for (find, unlink, delete) in SessionRemoval.rest {
            var ids: [Int64] = []
            try database.rows(
                find, [.int(session), Bound(SessionRemoval.few)], doing: "find what is left of a session"
            ) { row in
                ids.append(row.int(0))
                return true
            }
            for id in ids {
                if let unlink {
                    // As many as there may be of a turn that was read in: some in each step.
                    let some = [Bound.int(id), Bound(SessionRemoval.some)]
                    try database.run(unlink.run, some, doing: "let go of a session's turns")
                    if try database.integer(unlink.isLeft, [.int(id)], doing: "look what has a turn") > 0 {
                        return false
                    }
                }
                try database.run(delete, [.int(id)], doing: "purge what is left of a session")
            }
            if ids.count == SessionRemoval.few { return false }
        }
        try database.run("DELETE FROM session WHERE id = ?", [.int(session)], doing: "purge a session")
        return true
    }

    /// What there may be much of; the rest goes with the session.
    ///
    /// A message of another session may be of a turn of this one, where both were read in, and stays without it.
    private static let rest: [(find: SQL, unlink: (run: SQL, isLeft: SQL)?, delete: SQL)] = [
        (
            "SELECT id FROM turn WHERE session = ? LIMIT ?",
            (
                run:
                    "UPDATE message SET turn = NULL WHERE key IN (SELECT key FROM message INDEXED BY message_turn WHERE turn = ? LIMIT ?)",
                isLeft:
                    "SELECT count(*) FROM (SELECT 1 FROM message INDEXED BY message_turn WHERE turn = ? LIMIT 1)"
            ),
            "DELETE FROM turn WHERE id = ?"
        ),
        ("SELECT id FROM summary WHERE session = ? LIMIT ?", nil, "DELETE FROM summary WHERE id = ?"),
    ]
}

/// Writes the index anew without what was removed: until then FTS5 keeps it beside a note that it is gone.
struct IndexMerging: BackgroundWork {
    var isOfPurge: Bool { true }

    /// Pages of one step.
    private static let pages = 64

    func pace(in database: Database) throws(ArchiveError) -> BackgroundSlot.Pace { .whileSomebodyWaits }

    func isLeft(in database: Database) throws(ArchiveError) -> Bool {
        let phase = try database.purgePhase()
        return phase == .beginningToMerge || phase == .merging
    }

    func step(in database: Database, until deadline: UInt64) throws(ArchiveError) {
        do throws(ArchiveError) { try mergeSome(in: database, until: deadline) } catch {
            guard error.code == .corrupt else { throw error }
            try database.emptyIndex()
            try database.enter(.shrinking)
        }
    }

    private func mergeSome(in database: Database, until deadline: UInt64) throws(ArchiveError) {
        if try database.purgePhase() == .beginningToMerge {
            try merge(-IndexMerging.pages, in: database)
            try database.enter(.merging)
        }
        repeat {
            let before = try changes(in: database)
            try merge(IndexMerging.pages, in: database)
            // https://sqlite.org/fts5.html, section 6.8: fewer than two changes say that nothing is left.
            if try changes(in: database) - before < 2 { return try database.enter(.shrinking) }
        } while Machine.monotonic() < deadline
    }

    private func merge(_ pages: Int, in database: Database) throws(ArchiveError) {
        try database.run(
            "INSERT INTO search (search, rank) VALUES ('merge', ?)", [Bound(pages)], doing: "merge the index")
    }

    private func changes(in database: Database) throws(ArchiveError) -> Int64 {
        try database.integer("VALUES (total_changes())", doing: "count changes")
    }
}

/// Moves what stands at the end of the file into its free pages, and cuts it off, so that nothing is left in free pages.
struct FileShrinking: BackgroundWork {
    var isOfPurge: Bool { true }

    /// Pages of one statement.
    private static let few = 32

    func pace(in database: Database) throws(ArchiveError) -> BackgroundSlot.Pace { .whileSomebodyWaits }

    func isLeft(in database: Database) throws(ArchiveError) -> Bool {
        try database.purgePhase() == .shrinking
    }

    func step(in database: Database, until deadline: UInt64) throws(ArchiveError) {
        repeat {
            let before = try database.integer("PRAGMA freelist_count", doing: "count free pages")
            if before == 0 { return try database.enter(.checkpointing) }
            try database.shrink(pages: FileShrinking.few)
            // A file that was not made for that keeps its pages.
            if try database.integer("PRAGMA freelist_count", doing: "count free pages") >= before {
                return try database.enter(.checkpointing)
            }
        } while Machine.monotonic() < deadline
    }
}

extension Database {
    /// Cuts off so many free pages, in a file that was made for that.
    func shrink(pages: Int) throws(ArchiveError) {
        try execute("PRAGMA incremental_vacuum(\(pages))", doing: "give back free pages")
    }

    /// Whether free pages can be given back a few at a time.
    func isShrinkable() throws(ArchiveError) -> Bool {
        try integer("PRAGMA auto_vacuum", doing: "look whether the file can shrink") == 2
    }
}
