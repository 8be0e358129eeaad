internal import Posix

/// A connection that only reads; each call is bounded and leaves no cursor open.
package final class Reader {
    let database: Database

    init(path: String) throws(StoreError) {
        database = try Database(path: path, .reading)
        try database.execute(
            "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -1000;",
            doing: "open database '\(path)'")
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
        var top = head
        while let branch = next, top > 0 {
            let found = try database.first(
                "SELECT parent, fork_seq FROM branch WHERE id = ?", [.int(branch)], doing: "read a branch"
            ) { ($0.optionalInt(0), Int($0.int(1))) }
            guard let (parent, fork) = found else { break }
            if top > fork { segments.append(Segment(branch: branch, from: fork + 1, to: top)) }
            top = min(top, fork)
            next = parent
        }
        return segments.reversed()
    }
}
