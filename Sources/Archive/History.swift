package import Conversation

/// How much of a history a window can use.
package struct HistoryNeed: Sendable {
    /// The budget.
    package let tokens: Int
    /// What a message costs of it.
    package let costs: MessageCosts
    /// Whole turns at most; nil for any number.
    package let turns: Int?
    /// Messages at most; nil for any number.
    package let messages: Int?
    /// Whether a prompt that is not stored yet makes the newest turn; else that turn is stored and must be whole.
    package let hasPrompt: Bool

    package init(
        tokens: Int, costs: MessageCosts = MessageCosts(), turns: Int? = nil, messages: Int? = nil,
        hasPrompt: Bool
    ) {
        self.tokens = tokens
        self.costs = costs
        self.turns = turns
        self.messages = messages
        self.hasPrompt = hasPrompt
    }
}

/// What may be read of a history in one call on the loop.
package struct HistoryBound: Sendable {
    /// Messages at most.
    package let rows: Int
    /// Bytes of their contents at most.
    package let bytes: Int
    /// Older pins at most.
    package let pins: Int

    package init(rows: Int, bytes: Int, pins: Int) {
        self.rows = rows
        self.bytes = bytes
        self.pins = pins
    }

    /// What the loop reads by itself: less than a millisecond.
    package static let loop = HistoryBound(rows: 2_000, bytes: 256 << 10, pins: 64)
}

/// A history as far as it was read.
package struct StoredHistory: Sendable, Equatable {
    /// Oldest first, up to the head and without gaps.
    package let messages: [Message]
    /// Pins before them, with what belongs to them.
    package let olderPins: [Message]
    /// How many messages before them are excluded.
    package let olderExcluded: Int
    /// The estimate for pins before `messages` that were not read, since those that were fit into no window already.
    package var unreadPinTokens = 0
    /// The path's newest summaries, those that end last first.
    package var summaries: [Summary] = []
    /// Where the last window began, for who asked; nil for none.
    package var anchor: Anchor?

    package init(messages: [Message], olderPins: [Message], olderExcluded: Int) {
        self.messages = messages
        self.olderPins = olderPins
        self.olderExcluded = olderExcluded
    }
}
