internal import Archive

extension Database {
    /// Where the last window of a branch began for an upstream and model; nil for none.
    func anchor(of branch: BranchRow, upstream: String, model: String) throws(ArchiveError) -> Anchor? {
        try first(
            "SELECT seq, settings FROM anchor WHERE branch = ? AND upstream = ? AND model = ?",
            [.int(branch), .text(upstream), .text(model)], doing: "read an anchor"
        ) { Anchor(upstream: upstream, model: model, seq: Int($0.int(0)), settings: $0.text(1)) }
    }
}

extension Writer {
    /// Keeps where the windows of a branch begin from now on.
    func keep(_ anchor: Anchor, of branch: BranchRow) throws(ArchiveError) {
        try database.run(
            "INSERT OR REPLACE INTO anchor (branch, upstream, model, seq, settings) VALUES (?, ?, ?, ?, ?)",
            [
                .int(branch), .text(anchor.upstream), .text(anchor.model), Bound(anchor.seq),
                .text(anchor.settings),
            ], doing: "keep an anchor")
    }

    /// A branch that begins behind `seq` of another takes over what begins at or before that.
    func copyAnchors(from branch: BranchRow, to new: BranchRow, upTo seq: Int) throws(ArchiveError) {
        try database.run(
            """
            INSERT OR REPLACE INTO anchor (branch, upstream, model, seq, settings)
            SELECT ?, upstream, model, seq, settings FROM anchor WHERE branch = ? AND seq <= ?
            """, [.int(new), .int(branch), Bound(seq)], doing: "copy anchors")
    }
}
