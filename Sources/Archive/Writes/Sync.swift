/// Brings to disk the pieces of a turn that were stored with less than full durability.
package struct Sync: ArchiveWrite {
    package typealias Output = Void
    package let turnRow: TurnRow
    package init(turnRow: TurnRow) { self.turnRow = turnRow }
}
