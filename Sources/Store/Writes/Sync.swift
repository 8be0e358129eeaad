package import Archive

extension Sync: LocalWrite {
    package func run(on writer: Writer) throws(ArchiveError) {
        // A commit without changes would not reach the disk.
        try writer.database.run(
            "UPDATE turn SET started_at = started_at WHERE id = ?", [.int(turnRow)], doing: "sync a turn")
    }
}
