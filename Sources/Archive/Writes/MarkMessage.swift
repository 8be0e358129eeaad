package import Conversation

/// What the pins of a session's path may have together.
package struct PinRoom: Sendable {
    /// In tokens, with what goes along with them.
    package let tokens: Int
    /// What a message costs of them.
    package let costs: MessageCosts

    package init(tokens: Int, costs: MessageCosts = MessageCosts()) {
        self.tokens = tokens
        self.costs = costs
    }

    package static let unlimited = PinRoom(tokens: .max)

    package var isLimited: Bool { tokens < .max }
}

/// Gives a message of the active path another mark, in the place of the one it has.
package struct MarkMessage: ArchiveWrite {
    /// What became of it; only `marked` changed something.
    package enum Output: Sendable, Equatable {
        /// The session with its newest message, and how many summaries that told of the message went.
        case marked(PathChange, summariesDropped: Int)
        /// The session is gone or in the trash, or the message is not on its active path.
        case missing
        /// With it the pins would have so many tokens, by the estimate, which is more than they may.
        case tooMuch(Int)
    }

    package let session: SessionRow
    package let message: MessageID
    /// Whether every window is to hold it; nil leaves that.
    package let isPinned: Bool?
    /// Whether no window is to hold it; nil leaves that.
    package let isExcluded: Bool?
    package let room: PinRoom

    package init(
        _ session: SessionRow, _ message: MessageID, pinned isPinned: Bool? = nil,
        excluded isExcluded: Bool? = nil, room: PinRoom = .unlimited
    ) {
        self.session = session
        self.message = message
        self.isPinned = isPinned
        self.isExcluded = isExcluded
        self.room = room
    }

    /// The mark of a message that had another one, or none.
    package func mark(after before: Mark?) -> Mark? {
        if isPinned == true { return .pin }
        if isExcluded == true { return .exclusion }
        if isPinned == false && before == .pin || isExcluded == false && before == .exclusion { return nil }
        return before
    }
}
