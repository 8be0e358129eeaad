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
    mutating func begin(_ session: Session, head: MessageID?, to records: inout TranscriptRecords) {
        records.addObject { TraceRecord.writeHeader(of: session, head: head, to: &$0) }
    }

    mutating func end(_ seal: TranscriptSeal, to records: inout TranscriptRecords) {
        records.addObject { TraceRecord.write(seal, to: &$0) }
    }

    mutating func add(_ message: Message, isOnPath: Bool, to records: inout TranscriptRecords) {
        records.addObject { TraceRecord.write(message, isOnPath: isOnPath, to: &$0) }
    }

    mutating func add(
        _ head: Message.Head, text: Span<UInt8>, isOnPath: Bool, to records: inout TranscriptRecords
    ) {
        records.addObject { TraceRecord.write(head, text: text, isOnPath: isOnPath, to: &$0) }
    }

    mutating func add(_ record: TranscriptRecord, to records: inout TranscriptRecords) {
        switch record {
        case .session(let session, let head): begin(session, head: head, to: &records)
        case .message(let message, let isOnPath): add(message, isOnPath: isOnPath, to: &records)
        case .turn(let turn): records.addObject { TraceRecord.write(turn, to: &$0) }
        case .summary(let summary, let end):
            records.addObject { TraceRecord.write(summary, end: end, to: &$0) }
        }
    }
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
    static let summary = "summary"
    /// The last record of a session: how many there are before it, and the SHA-256 over those.
    static let end = "end"
    /// What a header says that such a record follows by.
    static let checksum = "sha256"

    static func write(_ seal: TranscriptSeal, to writer: inout JSONWriter) {
        writer.member("type", TraceRecord.end)
        writer.member("records", seal.records)
        writer.member(checksum, seal.sha256)
    }

    static func write(_ summary: Summary, end: MessageID, to writer: inout JSONWriter) {
        writer.member("type", TraceRecord.summary)
        writer.member("id", summary.id)
        writer.member("firstSeq", summary.first)
        writer.member("lastSeq", summary.last)
        writer.member("messageId", end)
        writer.optional("text", summary.text)
        writer.optional("problem", summary.problem)
        if summary.isRequested { writer.member("requested", true) }
        writer.member("madeAt", summary.madeAt)
        writer.optional("upstream", summary.upstream)
        writer.optional("model", summary.model)
        writer.optional("inputTokens", summary.inputTokens)
        writer.optional("outputTokens", summary.outputTokens)
        writer.optional("costMicrodollars", summary.cost)
        writer.member("createdAt", Timestamp.text(summary.createdAt))
        writer.optional("editedAt", summary.editedAt.map(Timestamp.text))
    }

    static func writeHeader(of session: Session, head: MessageID?, to writer: inout JSONWriter) {
        writer.member("type", TraceRecord.session)
        writer.member("version", version)
        writer.member("harness", "convo")
        writer.member("checksum", checksum)
        writer.member("id", session.id.text)
        writer.optional("name", session.title)
        writer.member("cwd", session.cwd)
        writer.optional("system", session.system)
        writer.member("createdAt", Timestamp.text(session.createdAt))
        writer.member("updatedAt", Timestamp.text(session.updatedAt))
        writer.key("tags")
        writer.array { for tag in session.tags { $0.string(tag) } }
        writer.optional("upstream", session.settings.upstream)
        writer.optional("model", session.settings.model)
        writer.optional("window", raw: session.settings.window.map(oneLine))
        writer.optional("quota", raw: session.settings.quota.map(oneLine))
        writer.optional("appendedSystem", session.appendedSystem)
        writer.optional("metadata", raw: session.metadata.map(oneLine))
        writer.member("mcpServers", raw: oneLine(session.mcpServers))
        if session.isArchived { writer.member("archived", true) }
        writer.optional("head", head)
    }

    static func write(_ turn: TurnRecord, to writer: inout JSONWriter) {
        writer.member("type", TraceRecord.turn)
        writer.member("id", turn.id)
        writer.member("state", turn.state.name)
        writer.optional("promptId", turn.promptID)
        writer.member("messageId", turn.answerID)
        writer.optional("prompt", raw: turn.queuedPrompt.map(oneLine))
        writer.optional("requestId", turn.requestID)
        writer.member("options", raw: oneLine(turn.options.encoded))
        writer.optional("stopReason", turn.stopReason?.rawValue)
        writer.optional("finish", turn.finish)
        writer.optional("detail", turn.detail)
        if turn.isCached { writer.member("cached", true) }
        if let error = turn.error {
            writer.member("error") {
                $0.member("kind", error.kind)
                $0.member("message", error.message)
            }
        }
        writer.optional("upstream", turn.upstream)
        writer.optional("model", turn.model)
        if let usage = turn.usage {
            writer.key("usage")
            usage.write(to: &writer)
        }
        writer.optional("receipt", raw: turn.receipt.map(oneLine))
        writer.member("createdAt", Timestamp.text(turn.createdAt))
        writer.optional("startedAt", turn.startedAt.map(Timestamp.text))
        writer.optional("endedAt", turn.endedAt.map(Timestamp.text))
    }

    /// A message of plain text, given as a JSON string, says everything in its `content`, so it needs no `parts`.
    static func write(
        _ head: Message.Head, text: Span<UInt8>, isOnPath: Bool, to writer: inout JSONWriter
    ) {
        let forms = MessageForms.all
        forms.writeHead(of: head, isOnPath: isOnPath, to: &writer)
        writer.raw(text)
        forms.writeTail(of: head, to: &writer)
        writeMarks(of: head, to: &writer)
    }

    static func write(_ message: Message, isOnPath: Bool, to writer: inout JSONWriter) {
        let forms = MessageForms.all, head = message.head
        if let text = message.plainTextJSON {
            write(head, text: text.span, isOnPath: isOnPath, to: &writer)
        } else {
            forms.writeHead(of: head, isOnPath: isOnPath, to: &writer)
            writeContents(message, to: &writer)
            writer.end("}")
            writer.member("parts", raw: oneLine(message.content))
            forms.writeStatus(of: head, to: &writer)
            writeMarks(of: head, to: &writer)
        }
        writer.optional("metadata", raw: message.metadata.map(oneLine))
        writer.optional("binding", raw: message.binding?.encoded)
    }

    private static func writeMarks(of head: Message.Head, to writer: inout JSONWriter) {
        if head.isPinned { writer.member("pinned", true) }
        if head.isExcluded { writer.member("excluded", true) }
        if head.isDeleted { writer.member("deleted", true) }
    }

    /// What a linear reader looks at, from the value of `content` on.
    private static func writeContents(_ message: Message, to writer: inout JSONWriter) {
        let parts = message.parts
        let thoughts = parts.compactMap { if case .thought(let text, _, _) = $0 { text } else { nil } }
        let calls = parts.compactMap { if case .toolCall(let call) = $0 { call } else { nil } }
        let results = parts.compactMap { if case .toolResult(let result) = $0 { result } else { nil } }
        let texts = parts.compactMap { if case .text(let text) = $0 { text } else { nil } }
        writer.string(texts.joined() + results.map(\.text).joined(separator: "\n"))
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

/// What the records of messages have in common, up to where their own values stand; looked up once a message.
private final class MessageForms: Sendable {
    static let all = MessageForms()

    /// By the roles' raw values, of the first message of a path, and of a later one.
    private struct Heads {
        let first: [JSONForm]
        let later: [JSONForm]

        init(_ type: String) {
            let start = JSONForm.Piece.text(#""type":"\#(type)","id":""#)
            let roles = Message.Role.allCases.map { #","message":{"role":\#($0.json),"content":"# }
            first = roles.map { JSONForm(start, .id, .text(#"","parentId":null\#($0)"#)) }
            later = roles.map { JSONForm(start, .id, #"","parentId":""#, .id, .text("\"\($0)")) }
        }
    }
    private let onPath = Heads(TraceRecord.message), beside = Heads(TraceRecord.branchMessage)
    /// By the raw values of what became of them.
    private let statuses = Message.Status.allCases.map(Tail.init)

    /// What stands behind a content that is one text, and behind another one: alone, and where the message belongs to a turn.
    private struct Tail {
        let alone: JSONForm
        let ofTurn: JSONForm
        let timed: JSONForm
        let timedOfTurn: JSONForm

        init(_ status: Message.Status) {
            let words = JSONForm.Piece.text(#","status":\#(status.json)"#)
            let timedWords = JSONForm.Piece.text(#"},"status":\#(status.json)"#)
            alone = JSONForm(words)
            ofTurn = JSONForm(words, #","turnId":""#, .id, "\"")
            timed = JSONForm(#","timestamp":"#, .gap(Tail.digits), timedWords)
            timedOfTurn = JSONForm(
                #","timestamp":"#, .gap(Tail.digits), timedWords, #","turnId":""#, .id, "\"")
        }

        /// How many digits the times from 2001 to 2286 have.
        static let digits = 13
        static let times: Range<Int64> = 1_000_000_000_000..<10_000_000_000_000
    }

    /// Writes what comes before a message's content.
    @inline(__always)
    func writeHead(of message: Message.Head, isOnPath: Bool, to writer: inout JSONWriter) {
        let role = message.role.rawValue
        if let parent = message.parentID {
            let form = isOnPath ? onPath.later[role] : beside.later[role]
            writer.then(form) { gaps in
                message.id.write(to: &gaps, at: form.gaps[0])
                parent.write(to: &gaps, at: form.gaps[1])
            }
        } else {
            let form = isOnPath ? onPath.first[role] : beside.first[role]
            writer.then(form) { message.id.write(to: &$0, at: form.gaps[0]) }
        }
    }

    /// Writes what became of a message, and of which turn it is.
    func writeStatus(of message: Message.Head, to writer: inout JSONWriter) {
        let tail = statuses[message.status.rawValue]
        guard let turn = message.turnID else { return writer.end(tail.alone) }
        writer.end(tail.ofTurn) { turn.write(to: &$0, at: tail.ofTurn.gaps[0]) }
    }

    /// Writes the same behind a content that is one text, with its time.
    @inline(__always)
    func writeTail(of message: Message.Head, to writer: inout JSONWriter) {
        guard Tail.times.contains(message.createdAt) else {
            writer.then(#","timestamp":"#)
            writer.int(Int(message.createdAt))
            writer.end("}")
            return writeStatus(of: message, to: &writer)
        }
        let time = Int(message.createdAt)
        if let turn = message.turnID {
            let form = statuses[message.status.rawValue].timedOfTurn
            writer.end(form) {
                JSONForm.write(time, digits: Tail.digits, to: &$0, at: form.gaps[0])
                turn.write(to: &$0, at: form.gaps[1])
            }
        } else {
            let form = statuses[message.status.rawValue].timed
            writer.end(form) { JSONForm.write(time, digits: Tail.digits, to: &$0, at: form.gaps[0]) }
        }
    }
}
