package import Conversation

/// Puts a partial answer beside the path, as failed, so that the turn can answer anew under another message ID.
package struct SetAside: ArchiveWrite {
    package typealias Output = Void
    package let turn: TurnID
    /// The parts that came, as a raw JSON array.
    package let content: [UInt8]
    /// How much there is to read of them, overhead of the message included.
    package let size: ContentSize
    /// The message ID of the answer that is to come.
    package let next: MessageID

    package init(_ turn: TurnID, content: [UInt8], size: ContentSize, next: MessageID) {
        self.turn = turn
        self.content = content
        self.size = size
        self.next = next
    }
}
