package import Conversation

/// A message that is to be stored; its place is given when it is.
package struct NewMessage: Sendable, Equatable {
    package var id: MessageID
    package var role: Message.Role
    package var status: Message.Status
    /// Raw JSON array of parts.
    package var content: [UInt8]
    /// How much there is to read for a model, overhead of the message included.
    package var size: ContentSize
    /// A raw JSON object; nil for none.
    package var metadata: [UInt8]?
    /// nil means now.
    package var createdAt: Int64?
    /// What its session says of it.
    package var mark: Mark?
    /// Whether what it said was taken out for good elsewhere.
    package var isDeleted = false
    /// What its thoughts are bound to; nil where nothing is known.
    package var binding: Message.Binding?

    package init(
        id: MessageID, role: Message.Role, status: Message.Status = .complete, content: [UInt8],
        size: ContentSize,
        metadata: [UInt8]? = nil, createdAt: Int64? = nil, mark: Mark? = nil
    ) {
        self.id = id
        self.role = role
        self.status = status
        self.content = content
        self.size = size
        self.metadata = metadata
        self.createdAt = createdAt
        self.mark = mark
    }

    /// Whether it has the result of one of some calls.
    func answers(_ calls: Set<String>) -> Bool {
        if role != .tool || calls.isEmpty { return false }
        return Part.decode(content).contains { part in
            if case .toolResult(let result) = part { calls.contains(result.callID) } else { false }
        }
    }
}

extension Message {
    /// One that is not stored yet, as it will be: without its place.
    init(_ new: NewMessage) {
        self.init(
            id: new.id, seq: 0, role: new.role, status: new.status, createdAt: new.createdAt ?? 0,
            tokens: new.size.tokens, content: new.content)
        knownSize = new.size
    }
}
