internal import Posix

/// A connection that only reads; each call is bounded and leaves no cursor open.
package final class Reader {
    let database: Database
    /// Where searches find nothing but empty sessions.
    var barren = BarrenStretches()

    init(path: String) throws(StoreError) {
        database = try Database(path: path, .reading)
        try database.execute(
            "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -1000;",
            doing: "open database '\(path)'")
    }

    func engine() throws(StoreError) -> String {
        let version = try database.first("VALUES (sqlite_version())", doing: "read the engine's version") {
            $0.text(0)
        }
        return "SQLite \(version ?? "")"
    }

    /// A stretch of a path on one branch, both seqs included.
    struct Segment {
        let branch: Int64
        let from: Int
        let to: Int
    }

    /// The path that ends at `head` of `branch`, oldest stretch first.
    func path(branch: Int64, head: Int) throws(StoreError) -> [Segment] {
        var segments: [Segment] = []
        var next: Int64? = branch
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
    private var seen: Set<Int64> = []

    mutating func step(to branch: Int64) throws(StoreError) {
        count += 1
        guard count > BranchWalk.harmless else { return }
        guard seen.insert(branch).inserted else {
            throw StoreError(
                .corrupt, "read branch \(branch)",
                reason:
                    "its 'parent' leads back to itself; mend that row with the sqlite3 shell, or restore a backup"
            )
        }
    }
}

extension Database {
    /// The branch that a branch leaves and the last seq that they share; nil when there is no such branch.
    func parent(of branch: Int64) throws(StoreError) -> (parent: Int64?, fork: Int)? {
        try first(
            "SELECT id, parent, fork_seq FROM branch WHERE id = ?", [.int(branch)], doing: "read a branch"
        ) { (row) throws(StoreError) in
            (row.optionalInt(1), try row.number(2, "fork_seq", in: MessageKey.seqs, of: .branch))
        }
    }
}
