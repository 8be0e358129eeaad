package import Conversation

/// A line of messages of a session, as people choose among them.
package struct Branch: Sendable, Equatable {
    package let id: BranchRow
    /// The branch it leaves, nil for a session's first one.
    package let parent: BranchRow?
    /// The last seq that it shares with its parent.
    package let forkSeq: Int
    /// The seq of its newest message.
    package let head: Int
    /// The estimate over its path, in tokens.
    package let tokens: Int
    /// Milliseconds since 1970 UTC.
    package let createdAt: Int64
    /// Its newest message's ID; nil when there is no message.
    package let headID: MessageID?
    /// What the first message of its own begins with; nil when it has none.
    package let first: Beginning?

    /// As much of a message as a list of branches shows.
    package struct Beginning: Sendable, Equatable {
        package let id: MessageID
        package let role: Message.Role
        package let status: Message.Status
        /// The first bytes of its first part's text, at most 4 KiB; empty where that part has none.
        package let text: String

        package init(id: MessageID, role: Message.Role, status: Message.Status, text: String) {
            self.id = id
            self.role = role
            self.status = status
            self.text = text
        }
    }

    /// Messages that it does not share with its parent.
    package var ownCount: Int { head - forkSeq }

    /// Where it ends.
    package var end: PathPlace { PathPlace(branch: id, head: head, tokens: tokens) }

    package init(
        id: BranchRow, parent: BranchRow?, forkSeq: Int, head: Int, tokens: Int, createdAt: Int64,
        headID: MessageID?, first: Beginning?
    ) {
        self.id = id
        self.parent = parent
        self.forkSeq = forkSeq
        self.head = head
        self.tokens = tokens
        self.createdAt = createdAt
        self.headID = headID
        self.first = first
    }
}
