package import Conversation
package import JSON

extension Wire {
    /// One message of a session.
    package struct Message: Codable, Sendable, JSONWritable {
        package var id: MessageID
        /// The message before it on its path; null for the first.
        package var parentId: MessageID?
        /// Its place on its path, from 1 and without gaps.
        package var seq: Int
        package var role: Conversation.Message.Role
        /// The parts, byte for byte as they came.
        package var content: RawJSON
        package var status: Conversation.Message.Status
        /// The turn that it belongs to; absent when it was appended.
        package var turnId: TurnID?
        package var createdAt: Time
        /// The estimate, overhead of the message included.
        package var tokens: Int
        /// Whether every window holds it.
        package var pinned: Bool
        /// Whether no window holds it.
        package var excluded: Bool
        /// True where what it said was taken out for good; else absent.
        package var deleted: Bool?
        /// An object, byte for byte as it came.
        package var metadata: RawJSON?

        /// A stored message in the names of the wire.
        package init(_ message: Conversation.Message) {
            id = message.id
            parentId = message.parentID
            seq = message.seq
            role = message.role
            content = RawJSON(message.content)
            status = message.status
            turnId = message.turnID
            createdAt = Time(message.createdAt)
            tokens = message.tokens
            pinned = message.isPinned
            excluded = message.isExcluded
            deleted = message.isDeleted ? true : nil
            metadata = message.metadata.map { RawJSON($0) }
        }

        package func write(to writer: inout JSONWriter) {
            writer.object {
                $0.member("id", id)
                $0.key("parentId")
                if let parentId { $0.string(parentId) } else { $0.null() }
                $0.member("seq", seq)
                $0.member("role", role.name)
                $0.member("content", raw: content.bytes)
                $0.member("status", status.name)
                $0.optional("turnId", turnId)
                $0.member("createdAt", createdAt)
                $0.member("tokens", tokens)
                $0.member("pinned", pinned)
                $0.member("excluded", excluded)
                if deleted == true { $0.member("deleted", true) }
                $0.optional("metadata", raw: metadata?.bytes)
            }
        }

        /// The parts, decoded; those of an unknown type are left out.
        package var parts: [Part] { Part.decode(content.bytes) }
    }
}
