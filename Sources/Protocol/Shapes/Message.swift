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
            Self.write(
                id, parentId, seq, role, content.bytes, status, turnId, createdAt.milliseconds, tokens,
                pinned, excluded, deleted == true, metadata?.bytes, to: &writer)
        }

        /// Writes a stored message, without making one of the wire's of it.
        package static func write(_ message: Conversation.Message, to writer: inout JSONWriter) {
            write(
                message.id, message.parentID, message.seq, message.role, message.content, message.status,
                message.turnID, message.createdAt, message.tokens, message.isPinned, message.isExcluded,
                message.isDeleted, message.metadata, to: &writer)
        }

        @inline(__always)
        private static func write(
            _ id: MessageID, _ parent: MessageID?, _ seq: Int, _ role: Conversation.Message.Role,
            _ content: [UInt8], _ status: Conversation.Message.Status, _ turn: TurnID?, _ createdAt: Int64,
            _ tokens: Int, _ isPinned: Bool, _ isExcluded: Bool, _ isDeleted: Bool, _ metadata: [UInt8]?,
            to writer: inout JSONWriter
        ) {
            writer.begin("{\"id\":")
            writer.string(id)
            writer.then(",\"parentId\":")
            if let parent { writer.string(parent) } else { writer.null() }
            writer.then(",\"seq\":")
            writer.int(seq)
            writer.then(",\"role\":")
            writer.value(role.json)
            writer.then(",\"content\":")
            writer.raw(content)
            writer.then(",\"status\":")
            writer.value(status.json)
            if let turn {
                writer.then(",\"turnId\":")
                writer.string(turn)
            }
            writer.then(",\"createdAt\":")
            writer.string(time: createdAt)
            writer.then(",\"tokens\":")
            writer.int(tokens)
            writer.then(isPinned ? ",\"pinned\":true" : ",\"pinned\":false")
            writer.then(isExcluded ? ",\"excluded\":true" : ",\"excluded\":false")
            if isDeleted { writer.then(",\"deleted\":true") }
            if let metadata {
                writer.then(",\"metadata\":")
                writer.raw(metadata)
            }
            writer.end("}")
        }

        /// The parts, decoded; those of an unknown type are left out.
        package var parts: [Part] { Part.decode(content.bytes) }
    }
}
