package import Conversation

/// An answer that was given before.
package struct KeptResponse: Sendable, Equatable {
    /// Raw JSON array of parts.
    package let content: [UInt8]
    package let finish: String
    package let usage: Usage?
    package let createdAt: Int64

    package init(content: [UInt8], finish: String, usage: Usage?, createdAt: Int64) {
        self.content = content
        self.finish = finish
        self.usage = usage
        self.createdAt = createdAt
    }
}
