package import Conversation

/// Adds messages at a session's head, all or none; a session without a title gets one out of the first prompt among them.
package struct AppendMessages: ArchiveWrite {
    package let id: SessionID
    package let owner: UserID
    /// At least one, in their order.
    package let messages: [NewMessage]
    /// The session to make when there is none; nil means that it must be there.
    package let ifMissing: Session?
    /// What pins may have, those that are there and those that come.
    package let room: PinRoom
    /// Whether nothing is stored where the owner has no session of this ID, but somebody else has one.
    package let orAnyones: Bool

    package init(
        _ id: SessionID, owner: UserID, _ messages: [NewMessage], ifMissing: Session?,
        room: PinRoom = .unlimited, orAnyones: Bool = false
    ) {
        self.room = room
        self.orAnyones = orAnyones
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
        /// Only somebody else has a session of this ID.
        case anothers
        /// With them the pins would have so many tokens, by the estimate, which is more than they may.
        case tooMuch(Int)
    }

    /// What the pins among them cost, with the results of tools that stand behind a call and the call that stands before results:
    /// those go along, as do those of pinned calls that are stored, which `calls` has by their IDs.
    package func tokensOfPins(_ costs: MessageCosts, behind calls: Set<String> = []) -> Int {
        var sum = 0, group: (tokens: Int, isPinned: Bool) = (0, false)
        for message in messages {
            if message.role != .tool {
                if group.isPinned { sum += group.tokens }
                group = (0, false)
            }
            group.tokens += costs.tokens(costs.measured(Message(message)))
            // What a system says is pinned unasked.
            let isPin = message.mark == .pin && message.role != .system
            group.isPinned = group.isPinned || isPin || message.answers(calls)
        }
        return group.isPinned ? sum + group.tokens : sum
    }
}
