package import Conversation

/// Stores pieces of a running answer.
package struct StorePieces: ArchiveWrite {
    package typealias Output = Void
    package let turnRow: TurnRow
    /// The number of the first of them, from 0 over the turn.
    package let first: Int
    /// In the order in which they came.
    package let pieces: [Piece]
    package let durability: Durability

    package init(turnRow: TurnRow, first: Int, _ pieces: [Piece], _ durability: Durability) {
        self.turnRow = turnRow
        self.first = first
        self.pieces = pieces
        self.durability = durability
    }
}
