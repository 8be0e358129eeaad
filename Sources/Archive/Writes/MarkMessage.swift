package import Conversation

/// Gives a message of the active path another mark, in the place of the one it has.
package struct MarkMessage: ArchiveWrite {
    /// What became of it; only `marked` changed something.
    package enum Output: Sendable, Equatable {
        /// The session with its newest message.
        case marked(PathChange)
        /// The session is gone or in the trash, or the message is not on its active path.
        case missing
        /// With it the pins would have so many tokens, by the estimate, which is more than they may.
        case tooMuch(Int)
    }

    package let session: SessionRow
    package let message: MessageID
    /// nil takes the mark away.
    package let mark: Mark?
    /// Tokens that pins of the path may have together, with what goes along with them.
    package let pinTokens: Int
    /// What a message costs of them.
    package let weights: TokenWeights

    package init(
        _ session: SessionRow, _ message: MessageID, as mark: Mark?, pinTokens: Int = .max,
        weights: TokenWeights = .unknown
    ) {
        self.weights = weights
        self.session = session
        self.message = message
        self.mark = mark
        self.pinTokens = pinTokens
    }
}
