package import Conversation

/// What messages cost of a window.
package struct MessageCosts: Sendable {
    package let weights: TokenWeights
    /// What is counted of a message whose images, sounds or documents may go as a text; nil counts what is stored.
    package let size: (@Sendable (Message) -> ContentSize)?

    package init(_ weights: TokenWeights = .unknown, size: (@Sendable (Message) -> ContentSize)? = nil) {
        self.weights = weights
        self.size = size
    }

    /// A message that is counted as it goes.
    package func measured(_ message: Message) -> Message {
        guard let size, !message.isPlainText else { return message }
        var message = message
        message.knownSize = size(message)
        return message
    }

    /// Tokens of a message that was measured.
    package func tokens(_ message: Message) -> Int { weights.tokens(message.size) }
}
