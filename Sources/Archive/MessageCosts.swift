package import Conversation

/// What messages cost of a window.
package struct MessageCosts: Sendable {
    package let weights: TokenWeights
    /// What is counted of a message whose images, sounds or documents may go as a text, and of the one that is asked about;
    /// nil counts what is stored.
    package let size: (@Sendable (Message, _ isNewest: Bool) -> ContentSize)?

    package init(
        _ weights: TokenWeights = .unknown,
        size: (@Sendable (Message, _ isNewest: Bool) -> ContentSize)? = nil
    ) {
        self.weights = weights
        self.size = size
    }

    /// A message that is counted as it goes; `isNewest` where it is the user's newest.
    package func measured(_ message: Message, isNewest: Bool = false) -> Message {
        guard let size, !message.isPlainText else { return message }
        var message = message
        message.knownSize = size(message, isNewest)
        return message
    }

    /// Tokens of a message that was measured.
    package func tokens(_ message: Message) -> Int { weights.tokens(message.size) }
}
