package import Conversation

/// Adds messages at a session's head, all or none; a session without a title gets one out of the first prompt among them.
package struct AppendMessages: ArchiveWrite {
    package let id: SessionID
    package let owner: UserID
    /// At least one, in their order.
    package let messages: [NewMessage]
    /// The session to make when there is none; nil means that it must be there.
    package let ifMissing: Session?

    package init(
        _ id: SessionID, owner: UserID, _ messages: [NewMessage], ifMissing: Session?
    ) {
        self.id = id
        self.owner = owner
        self.messages = messages
        self.ifMissing = ifMissing
    }

    /// Where they stand, or why nothing is stored.
    package enum Output: Sendable, Equatable {
        /// The session's row and the seqs of the new messages.
        case appended(row: SessionRow, first: Int, last: Int)
        /// There is no such session, and none was to be made.
        case missing
        /// The session is in the trash.
        case trashed
    }
}
