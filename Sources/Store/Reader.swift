internal import Archive
internal import Posix

/// A connection that only reads; each call leaves no cursor open.
package final class Reader {
    let database: Database
    /// Where searches find nothing but empty sessions.
    var barren = BarrenStretches()
    /// What short lists have read.
    var listed = ListedSessions()
    /// Called by a long look between its slices, when no cursor is open.
    var betweenSlices: () -> Void = {}
    /// Whether nobody waits any more for the look that is being made.
    var isCancelled: () -> Bool = { false }
    /// What puts messages into the index that is searched; nil where nothing does.
    var index: SearchIndexing?
    private var isLooking = false

    init(path: String) throws(ArchiveError) {
        database = try Database(path: path, .reading)
        // The words of the index, which is read through them where a check looks whether all of it can be read.
        try database.execute(
            """
            PRAGMA temp_store = MEMORY; PRAGMA cache_size = -1000;
            CREATE VIRTUAL TABLE temp.search_words USING fts5vocab(main, 'search', 'row');
            PRAGMA query_only = ON;
            """, doing: "open database '\(path)'")
    }

    /// Reads by a connection that somebody else has, on that one's thread.
    init(over database: Database) { self.database = database }

    /// Makes a look: all its statements see the same commits.
    func answer<Read: LocalRead>(_ look: Read) throws(ArchiveError) -> Read.Output {
        if isLooking || !look.isSeveral { return try look.run(on: self) }
        isLooking = true
        defer { isLooking = false }
        try database.run("BEGIN", doing: "begin to look")
        do throws(ArchiveError) {
            let output = try look.run(on: self)
            try database.run("COMMIT", doing: "end a look")
            return output
        } catch {
            // The connection only reads: what stays open is ended by the next look's BEGIN, which says so.
            if !database.isAutocommit { try? database.run("ROLLBACK", doing: "end a look") }
            throw error
        }
    }

    /// What a look finds, or why it cannot.
    func result<Read: LocalRead>(of look: Read) -> Result<Read.Output, ArchiveError> {
        do throws(ArchiveError) { return .success(try answer(look)) } catch { return .failure(error) }
    }

    /// Ends a slice of a long look: others have their turn, and where nobody waits any more it ends.
    func endSlice() throws(ArchiveError) {
        if isLooking { return }
        betweenSlices()
        if isCancelled() {
            throw ArchiveError(.other, "read a history", reason: "nobody waits for it any more")
        }
    }

    func engine() throws(ArchiveError) -> String {
        let version = try database.first("VALUES (sqlite_version())", doing: "read the engine's version") {
            $0.text(0)
        }
        return "SQLite \(version ?? "")"
    }

    /// A stretch of a path on one branch, both seqs included.
    struct Segment {
        let branch: BranchRow
        let from: Int
        let to: Int

        /// Whether a message is in it.
        func contains(_ key: Int64) -> Bool {
            MessageKey.branch(key) == branch && (from...to).contains(MessageKey.seq(key))
        }
    }

    /// The path that ends at `head` of `branch`, oldest stretch first.
    func path(branch: BranchRow, head: Int) throws(ArchiveError) -> [Segment] {
        var segments: [Segment] = []
        var next: BranchRow? = branch
        var top = head, walk = BranchWalk()
        while let branch = next, top > 0 {
            try walk.step(to: branch)
            guard let (parent, fork) = try database.parent(of: branch) else { break }
            if top > fork { segments.append(Segment(branch: branch, from: fork + 1, to: top)) }
            top = min(top, fork)
            next = parent
        }
        return segments.reversed()
    }

    /// Closes the connection.
    func close() { database.close() }
}

/// Keeps a walk up a chain of branches from going in a circle, as a hand in the database may have made one.
struct BranchWalk {
    /// Chains of an honest session are shorter; only longer ones are watched.
    private static let harmless = 64
    private var count = 0
    private var seen: Set<BranchRow> = []

    mutating func step(to branch: BranchRow) throws(ArchiveError) {
        count += 1
        guard count > BranchWalk.harmless else { return }
        guard seen.insert(branch).inserted else {
            throw ArchiveError(
                .corrupt, "read branch \(branch.number)",
                reason:
                    "its 'parent' leads back to itself; 'convo check --repair' mends what can be mended, else restore a backup"
            )
        }
    }
}

extension Database {
    /// The branch that a branch leaves and the last seq that they share; nil when there is no such branch.
    func parent(of branch: BranchRow) throws(ArchiveError) -> (parent: BranchRow?, fork: Int)? {
        try first(
            "SELECT id, parent, fork_seq FROM branch WHERE id = ?", [.int(branch)], doing: "read a branch"
        ) { (row) throws(ArchiveError) in
            (
                row.optionalInt(1).map { BranchRow($0) },
                try row.number(2, "fork_seq", in: MessageKey.seqs, of: .branch)
            )
        }
    }
}
