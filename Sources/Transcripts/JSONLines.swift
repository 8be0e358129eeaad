internal import Conversation
internal import JSON

extension TranscriptFormat {
    /// The Session Trace Simple Format of the Hugging Face Hub (hub-docs, `docs/hub/session-traces-format.md`), a record a line,
    /// with everything that convod keeps; `schema/transcript.json` describes the records.
    package static let jsonl = TranscriptFormat(
        "jsonl", isText: false, isWhole: true, encoder: { JSONLinesEncoder() },
        decoder: { JSONLinesDecoder() })
}

/// Writes a transcript as JSON lines.
private struct JSONLinesEncoder: TranscriptEncoder {
    mutating func begin(_ session: Session, head: MessageID?) -> [[UInt8]] {
        [TraceRecord.header(of: session, head: head)]
    }

    mutating func add(_ record: TranscriptRecord) -> [[UInt8]] {
        switch record {
        case .session(let session, let head): begin(session, head: head)
        case .message(let message, let isOnPath): [TraceRecord.record(of: message, isOnPath: isOnPath)]
        case .turn(let turn): [TraceRecord.record(of: turn)]
        }
    }

    mutating func end() -> [[UInt8]] { [] }
}

/// The records of the format.
///
/// It allows members and types of one's own, so beside what linear readers look at stands what makes it lossless: the raw
/// `parts` (left out where one plain text is all there is), IDs, parents, status and marks; messages beside the active path are
/// of a type that linear readers pass over, and so are turns.
enum TraceRecord {
    /// The version of what is convod's own in a record.
    static let version = 1
    static let session = "session"
    static let message = "message"
    /// A message of a branch beside the active path.
    static let branchMessage = "branch_message"
    static let turn = "turn"

    static func header(of session: Session, head: MessageID?) -> [UInt8] {
        JSONWriter.object {
            $0.member("type", TraceRecord.session)
            $0.member("version", version)
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
            $0.optional("quota", raw: session.settings.quota.map(oneLine))
            $0.optional("metadata", raw: session.metadata.map(oneLine))
            $0.member("mcpServers", raw: oneLine(session.mcpServers))
            if session.isArchived { $0.member("archived", true) }
            $0.optional("head", head?.description)
        }
    }

    static func record(of turn: TurnRecord) -> [UInt8] {
        JSONWriter.object {
            $0.member("type", TraceRecord.turn)
            $0.member("id", turn.id.description)
            $0.member("state", turn.state.name)
            $0.optional("promptId", turn.promptID?.description)
            $0.member("messageId", turn.answerID.description)
            $0.optional("prompt", raw: turn.queuedPrompt.map(oneLine))
            $0.optional("requestId", turn.requestID)
            $0.member("options", raw: oneLine(turn.options.encoded))
            $0.optional("stopReason", turn.stopReason?.rawValue)
            $0.optional("finish", turn.finish)
            $0.optional("detail", turn.detail)
            if turn.isCached { $0.member("cached", true) }
            if let error = turn.error {
                $0.member("error") {
                    $0.member("kind", error.kind)
                    $0.member("message", error.message)
                }
            }
            $0.optional("upstream", turn.upstream)
            $0.optional("model", turn.model)
            if let usage = turn.usage {
                $0.key("usage")
                usage.write(to: &$0)
            }
            $0.optional("receipt", raw: turn.receipt.map(oneLine))
            $0.member("createdAt", Timestamp.text(turn.createdAt))
            $0.optional("startedAt", turn.startedAt.map(Timestamp.text))
            $0.optional("endedAt", turn.endedAt.map(Timestamp.text))
        }
    }

    static func record(of message: Message, isOnPath: Bool) -> [UInt8] {
        JSONWriter.object {
            $0.member("type", isOnPath ? TraceRecord.message : branchMessage)
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
