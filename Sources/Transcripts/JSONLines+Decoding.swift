internal import Conversation
internal import JSON

/// Reads JSON lines back; records of a type that it does not know are passed over, as the format allows.
struct JSONLinesDecoder: TranscriptDecoder {
    /// Bytes of a line at most: a message may hold some files.
    private static let longest = 256 << 20
    /// Levels of nesting: a record wraps what a request of 128 levels held.
    private static let deepest = 160

    private var rest: [UInt8] = []
    private var line = 0
    /// How many messages of the active path there were, which numbers the next one.
    private var count = 0

    mutating func feed(_ bytes: [UInt8]) throws(TranscriptError) -> [TranscriptRecord] {
        var records: [TranscriptRecord] = [], start = 0
        while start < bytes.count {
            let end = bytes[start...].firstIndex(of: 0x0A) ?? bytes.count
            rest += bytes[start..<end]
            guard rest.count <= JSONLinesDecoder.longest else {
                throw TranscriptError(
                    line: line + 1, "it has more than \(JSONLinesDecoder.longest) bytes")
            }
            if end < bytes.count, let record = try takeLine() { records.append(record) }
            start = end + 1
        }
        return records
    }

    mutating func finish() throws(TranscriptError) -> [TranscriptRecord] {
        try takeLine().map { [$0] } ?? []
    }

    private mutating func takeLine() throws(TranscriptError) -> TranscriptRecord? {
        line += 1
        defer { rest = [] }
        if rest.allSatisfy({ $0 == 0x20 || $0 == 0x0D || $0 == 0x09 }) { return nil }
        let root: JSONView
        do { root = try JSONDocument(rest, depth: JSONLinesDecoder.deepest).root } catch {
            throw TranscriptError(line: line, "it is not JSON: \(error.description)")
        }
        switch root["type"]?.string {
        case TraceRecord.session: return try session(root)
        case TraceRecord.message:
            count += 1
            return .message(try message(root, seq: count), isOnPath: true)
        case TraceRecord.branchMessage: return .message(try message(root, seq: 0), isOnPath: false)
        case TraceRecord.turn: return .turn(try turn(root))
        case TraceRecord.summary: return try summary(root)
        default: return nil
        }
    }

    // MARK: Records

    private func session(_ view: JSONView) throws(TranscriptError) -> TranscriptRecord {
        if let version = view["version"]?.int, version > TraceRecord.version {
            throw TranscriptError(
                line: line,
                "it was written in version \(version) of the format, this build knows \(TraceRecord.version)")
        }
        let id = try required(view, "id", "a session's ID") { $0.string.flatMap { SessionID($0) } }
        var session = Session(
            id: id, owner: UserID(0), cwd: view["cwd"]?.string ?? "/",
            createdAt: try time(view, "createdAt") ?? 0)
        session.updatedAt = try time(view, "updatedAt") ?? session.createdAt
        session.title = view["name"]?.string
        session.system = view["system"]?.string
        session.settings = SessionSettings(view)
        session.appendedSystem = view["appendedSystem"]?.string
        session.tags = view["tags"]?.elements.compactMap(\.string) ?? []
        session.metadata = view["metadata"].map { Array($0.raw) }
        session.mcpServers = view["mcpServers"].map { Array($0.raw) } ?? session.mcpServers
        session.isArchived = view["archived"]?.bool ?? false
        return .session(session, head: try optional(view, "head", "a message's ID") { MessageID($0) })
    }

    private func message(_ view: JSONView, seq: Int) throws(TranscriptError) -> Message {
        let inner = try required(view, "message", "an object") { $0.kind == .object ? $0 : nil }
        let role = try required(inner, "role", "a role") { $0.string.flatMap { Message.Role(name: $0) } }
        let content: [UInt8]
        if let parts = view["parts"] {
            content = Array(parts.raw)
        } else {
            let text = try required(inner, "content", "a string") { $0.kind == .string ? $0 : nil }
            content = Array(#"[{"type":"text","text":"#.utf8) + text.raw + Array("}]".utf8)
        }
        var message = Message(
            id: try required(view, "id", "a message's ID") { $0.string.flatMap { MessageID($0) } },
            parentID: try optional(view, "parentId", "a message's ID") { MessageID($0) }, seq: seq,
            role: role,
            turnID: try optional(view, "turnId", "a turn's ID") { TurnID($0) },
            createdAt: try inner["timestamp"].map { view throws(TranscriptError) in
                // Others write other things there.
                guard let time = view.int else { return 0 }
                guard Timestamp.range.contains(time) else {
                    throw TranscriptError(
                        line: line, "'message.timestamp' must be a time of the years 1 to 9999")
                }
                return Int64(time)
            } ?? 0, tokens: 0, content: content)
        message.status =
            try optional(view, "status", "a message's status") { name in
                Message.Status.allCases.first { $0.name == name }
            } ?? .complete
        message.isPinned = view["pinned"]?.bool ?? false
        message.isExcluded = view["excluded"]?.bool ?? false
        message.isDeleted = view["deleted"]?.bool ?? false
        message.metadata = view["metadata"].map { Array($0.raw) }
        message.binding = view["binding"].flatMap { Message.Binding($0) }
        return message
    }

    private func summary(_ view: JSONView) throws(TranscriptError) -> TranscriptRecord {
        func number(_ name: String) throws(TranscriptError) -> Int {
            try required(view, name, "a number from 1 to \(UInt32.max)") {
                $0.int.flatMap { (1...Int(UInt32.max)).contains($0) ? $0 : nil }
            }
        }
        var summary = Summary(
            id: try required(view, "id", "a summary's ID") { $0.string.flatMap { SummaryID($0) } },
            first: try number("firstSeq"), last: try number("lastSeq"), text: view["text"]?.string,
            isRequested: view["requested"]?.bool ?? false, madeAt: try number("madeAt"),
            createdAt: try time(view, "createdAt") ?? 0)
        summary.problem = view["problem"]?.string
        summary.upstream = view["upstream"]?.string
        summary.model = view["model"]?.string
        // Sums of some of them stay numbers.
        func amount(_ name: String) -> Int? {
            view[name]?.int.flatMap { (0...(1 << 53)).contains($0) ? $0 : nil }
        }
        summary.inputTokens = amount("inputTokens")
        summary.outputTokens = amount("outputTokens")
        summary.cost = amount("costMicrodollars")
        summary.editedAt = try time(view, "editedAt")
        return .summary(
            summary,
            end: try required(view, "messageId", "a message's ID") { $0.string.flatMap { MessageID($0) } })
    }

    private func turn(_ view: JSONView) throws(TranscriptError) -> TurnRecord {
        let state = try required(view, "state", "a turn's state") { value in
            TurnRecord.State.allCases.first { $0.name == value.string }
        }
        var turn = TurnRecord(
            id: try required(view, "id", "a turn's ID") { $0.string.flatMap { TurnID($0) } }, state: state,
            promptID: try optional(view, "promptId", "a message's ID") { MessageID($0) },
            answerID: try required(view, "messageId", "a message's ID") {
                $0.string.flatMap { MessageID($0) }
            },
            queuedPrompt: view["prompt"].map { Array($0.raw) }, requestID: view["requestId"]?.string,
            options: view["options"].map { TurnOptions($0) } ?? TurnOptions(),
            createdAt: try time(view, "createdAt") ?? 0)
        turn.stopReason = try optional(view, "stopReason", "a stop reason") { StopReason(rawValue: $0) }
        turn.finish = view["finish"]?.string
        turn.detail = view["detail"]?.string
        turn.isCached = view["cached"]?.bool ?? false
        turn.error = view["error"].map {
            TurnError(kind: $0["kind"]?.string ?? "", message: $0["message"]?.string ?? "")
        }
        turn.upstream = view["upstream"]?.string
        turn.model = view["model"]?.string
        turn.usage = view["usage"].map { Usage($0) }
        turn.receipt = view["receipt"].map { Array($0.raw) }
        turn.startedAt = try time(view, "startedAt")
        turn.endedAt = try time(view, "endedAt")
        return turn
    }

    // MARK: Members

    private func required<Value>(
        _ view: JSONView, _ name: String, _ expected: String, _ read: (JSONView) -> Value?
    ) throws(TranscriptError) -> Value {
        guard let value = view[name].flatMap(read) else {
            throw TranscriptError(line: line, "'\(name)' must be \(expected)")
        }
        return value
    }

    private func optional<Value>(
        _ view: JSONView, _ name: String, _ expected: String, _ read: (String) -> Value?
    ) throws(TranscriptError) -> Value? {
        guard let member = view[name], !member.isNull else { return nil }
        guard let value = member.string.flatMap(read) else {
            throw TranscriptError(line: line, "'\(name)' must be \(expected)")
        }
        return value
    }

    private func time(_ view: JSONView, _ name: String) throws(TranscriptError) -> Int64? {
        try optional(view, name, "a time") { Timestamp.milliseconds($0) }
    }
}
