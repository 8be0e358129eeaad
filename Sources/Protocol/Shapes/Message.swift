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

        /// Bytes of a message beside its content, about, where it has no metadata.
        package static let overhead = 340

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
            let forms = MessageForms.all
            forms.writeHead(id, parent, to: &writer)
            writer.int(seq)
            writer.then(forms.roles[role.rawValue])
            writer.raw(content)
            forms.write(status, turn, createdAt, to: &writer)
            writer.int(tokens)
            writer.end(forms.marks[(isPinned ? 1 : 0) + (isExcluded ? 2 : 0)])
            if isDeleted { writer.end(",\"deleted\":true") }
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

/// What messages have in common, up to where their own values stand; looked up once a message.
private final class MessageForms: Sendable {
    static let all = MessageForms()

    private let first = JSONForm(#"{"id":""#, .id, #"","parentId":null,"seq":"#)
    private let later = JSONForm(#"{"id":""#, .id, #"","parentId":""#, .id, #"","seq":"#)
    /// By the roles' raw values.
    let roles = Message.Role.allCases.map { JSONForm(.text(#","role":\#($0.json),"content":"#)) }
    /// By the raw values of what became of them, and the same where they belong to a turn.
    private let appended = Message.Status.allCases.map {
        JSONForm(.text(#","status":\#($0.json),"createdAt":""#), .time, #"","tokens":"#)
    }
    private let ofTurns = Message.Status.allCases.map {
        JSONForm(
            .text(#","status":\#($0.json),"turnId":""#), .id, #"","createdAt":""#, .time, #"","tokens":"#)
    }
    /// By whether one is pinned, and whether it is excluded.
    let marks = [
        JSONForm(#","pinned":false,"excluded":false"#), JSONForm(#","pinned":true,"excluded":false"#),
        JSONForm(#","pinned":false,"excluded":true"#), JSONForm(#","pinned":true,"excluded":true"#),
    ]

    /// Writes what begins a message.
    @inline(__always)
    func writeHead(_ id: MessageID, _ parent: MessageID?, to writer: inout JSONWriter) {
        guard let parent else { return writer.begin(first) { id.write(to: &$0, at: first.gaps[0]) } }
        writer.begin(later) { gaps in
            id.write(to: &gaps, at: later.gaps[0])
            parent.write(to: &gaps, at: later.gaps[1])
        }
    }

    /// Writes what stands behind a message's content.
    @inline(__always)
    func write(
        _ status: Message.Status, _ turn: TurnID?, _ createdAt: Int64, to writer: inout JSONWriter
    ) {
        guard let turn else {
            let form = appended[status.rawValue]
            return writer.then(form) { Timestamp.write(createdAt, to: &$0, at: form.gaps[0]) }
        }
        let form = ofTurns[status.rawValue]
        writer.then(form) { gaps in
            turn.write(to: &gaps, at: form.gaps[0])
            Timestamp.write(createdAt, to: &gaps, at: form.gaps[1])
        }
    }
}
