internal import Archive
internal import Conversation

extension Database {
    /// Where the last window of a branch began for one upstream, model and settings; nil for none.
    func anchor(of branch: BranchRow, _ key: AnchorKey) throws(ArchiveError) -> Anchor? {
        try first(
            "SELECT seq FROM anchor WHERE branch = ? AND upstream = ? AND model = ? AND settings = ?",
            [.int(branch), .text(key.upstream), .text(key.model), .text(key.settings)],
            doing: "read an anchor"
        ) { Anchor(key: key, seq: Int($0.int(0))) }
    }
}

extension Writer {
    /// How many settings of one branch, upstream and model have an anchor each: a client may send others with every prompt.
    private static let mostAnchors = 16

    /// Keeps where the windows of a branch begin from now on, unless what told of the messages before was thrown away or
    /// dropped while the window was made.
    func keep(_ anchor: Anchor, of branch: BranchRow) throws(ArchiveError) {
        if let summary = anchor.summary {
            let told = try database.first(
                "SELECT 1 FROM summary WHERE uuid = ? AND text IS NOT NULL", [.blob(summary.bytes)],
                doing: "look for a summary"
            ) { $0.int(0) }
            if told == nil { return }
        }
        let whose: [Bound] = [.int(branch), .text(anchor.key.upstream), .text(anchor.key.model)]
        let count = try database.first(
            "SELECT count(*) FROM anchor WHERE branch = ? AND upstream = ? AND model = ?", whose,
            doing: "count anchors"
        ) { $0.int(0) }
        if count ?? 0 >= Writer.mostAnchors {
            try database.run(
                "DELETE FROM anchor WHERE branch = ? AND upstream = ? AND model = ?", whose,
                doing: "drop anchors")
        }
        try database.run(
            "INSERT OR REPLACE INTO anchor (branch, upstream, model, settings, seq) VALUES (?, ?, ?, ?, ?)",
            [
                .int(branch), .text(anchor.key.upstream), .text(anchor.key.model),
                .text(anchor.key.settings), Bound(anchor.seq),
            ], doing: "keep an anchor")
    }

    /// A branch that begins behind `seq` of another takes over what begins at or before that.
    func copyAnchors(from branch: BranchRow, to new: BranchRow, upTo seq: Int) throws(ArchiveError) {
        try database.run(
            """
            INSERT OR REPLACE INTO anchor (branch, upstream, model, settings, seq)
            SELECT ?, upstream, model, settings, seq FROM anchor WHERE branch = ? AND seq <= ?
            """, [.int(new), .int(branch), Bound(seq)], doing: "copy anchors")
    }
}
