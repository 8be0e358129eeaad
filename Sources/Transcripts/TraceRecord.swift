internal import Conversation
internal import JSON

/// Records of the Session Trace Simple Format (hub-docs, `docs/hub/session-traces-format.md`).
///
/// The format allows members of one's own, so beside what linear readers look at stands what makes it lossless: the
/// raw `parts` (left out where one plain text is all there is), IDs, parents, status and marks.
enum TraceRecord {
    static func header(of session: Session) -> [UInt8] {
        JSONWriter.object {
            $0.member("type", "session")
            $0.member("harness", "convo")
            $0.member("id", session.id.text)
            $0.optional("name", session.title)
            $0.member("cwd", session.cwd)
            $0.optional("system", session.system)
            $0.member("createdAt", Timestamp.text(session.createdAt))
            $0.key("tags")
            $0.array { for tag in session.tags { $0.string(tag) } }
            $0.optional("upstream", session.settings.upstream)
            $0.optional("model", session.settings.model)
            $0.optional("window", raw: session.settings.window.map(oneLine))
            $0.optional("metadata", raw: session.metadata.map(oneLine))
        }
    }

    static func record(of message: Message) -> [UInt8] {
        JSONWriter.object {
            $0.member("type", "message")
            $0.member("id", message.id.description)
            $0.key("parentId")
            if let parent = message.parentID { $0.string(parent.description) } else { $0.null() }
            if let text = message.plainTextJSON {
                $0.member("message") { writeMessage(message, plain: text, to: &$0) }
            } else {
                $0.member("message") { writeMessage(message, to: &$0) }
                $0.member("parts", raw: oneLine(message.content))
            }
            $0.member("status", message.status.name)
            $0.optional("turnId", message.turnID?.description)
            if message.isPinned { $0.member("pinned", true) }
            if message.isExcluded { $0.member("excluded", true) }
            $0.optional("metadata", raw: message.metadata.map(oneLine))
        }
    }

    /// A message of plain text says everything in its `content`, so it needs no `parts`.
    private static func writeMessage(
        _ message: Message, plain text: ArraySlice<UInt8>, to writer: inout JSONWriter
    ) {
        writer.member("role", message.role.name)
        writer.member("content", raw: text)
        writer.member("timestamp", Int(message.createdAt))
    }

    /// What a linear reader looks at.
    private static func writeMessage(_ message: Message, to writer: inout JSONWriter) {
        let parts = message.parts
        let thoughts = parts.compactMap { if case .thought(let text, _, _) = $0 { text } else { nil } }
        let calls = parts.compactMap { if case .toolCall(let call) = $0 { call } else { nil } }
        let results = parts.compactMap { if case .toolResult(let result) = $0 { result } else { nil } }
        let texts = parts.compactMap { if case .text(let text) = $0 { text } else { nil } }
        writer.member("role", message.role.name)
        writer.member("content", texts.joined() + results.map(\.text).joined(separator: "\n"))
        if !thoughts.isEmpty { writer.member("reasoningContent", thoughts.joined()) }
        if !calls.isEmpty {
            writer.key("toolCalls")
            writer.array { for call in calls { write(call, to: &$0) } }
        }
        writer.optional("toolCallId", results.first?.callID)
        writer.member("timestamp", Int(message.createdAt))
    }

    private static func write(_ call: Part.ToolCall, to writer: inout JSONWriter) {
        writer.object {
            $0.member("id", call.id)
            $0.member("function") {
                $0.member("name", call.name)
                $0.member("arguments", call.argumentText)
            }
        }
    }

    /// JSON as it came, but for line ends between its values: LF and CR stand raw only as white space.
    private static func oneLine(_ json: [UInt8]) -> [UInt8] {
        guard ByteSearch.lineEnd(in: json.span, from: 0) < json.count else { return json }
        return json.map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 }
    }
}
