package import Conversation

/// An answer that was given before.
package struct KeptResponse: Sendable, Equatable {
    /// Raw JSON array of parts.
    package let content: [UInt8]
    /// How its provider ended it, as in `Turn.Finish.reason`.
    package let finish: String
    /// What it cost when it was made; nil where the provider counted nothing.
    package let usage: Usage?
    /// Milliseconds since 1970 UTC.
    package let createdAt: Int64

    package init(content: [UInt8], finish: String, usage: Usage?, createdAt: Int64) {
        self.content = content
        self.finish = finish
        self.usage = usage
        self.createdAt = createdAt
    }
}
