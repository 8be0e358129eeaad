/// Brings to disk the pieces of a turn that were stored with less than full durability.
package struct SyncTurn: StoreWrite {
    package let turnRow: Int64
    package init(turnRow: Int64) { self.turnRow = turnRow }

    package func run(on writer: Writer) throws(StoreError) {
        // A commit without changes would not reach the disk.
        try writer.database.run(
            "UPDATE turn SET started_at = started_at WHERE id = ?", [.int(turnRow)], doing: "sync a turn")
    }
}
