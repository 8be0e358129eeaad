package import Conversation
internal import JSON

/// Where a client stands in a session: the message it saw last and how many bytes of it.
package struct Cursor: Sendable, Equatable {
    /// The message that was seen last, whole or in part.
    package let messageID: MessageID
    /// UTF-8 bytes held.
    package let offset: Int

    init?(_ view: JSONView?) throws(WireError) {
        guard let view else { return nil }
        var reader = try ParameterReader(view, path: "_meta.convod.after")
        guard let id = try reader.messageID("messageId") else {
            throw .invalid("'_meta.convod.after.messageId' is missing")
        }
        messageID = id
        offset = try reader.int("offset", in: 0...Int(Int32.max)) ?? 0
        try reader.finish()
    }
}
