package import Conversation
package import JSON

/// `_convod/message/list`.
package struct ListMessagesParameters: Sendable {
    package enum Order: String, Sendable, CaseIterable { case asc, desc }

    package var id: SessionID
    package var cursor: String?
    package var limit: Int
    /// The newest n, oldest first.
    package var last: Int?
    package var order: Order

    package init(_ view: JSONView?, limits: Limits) throws(WireError) {
        var reader = try ParameterReader(view)
        id = try reader.sessionID()
        cursor = try reader.name("cursor")
        limit = try reader.int("limit", in: 1...limits.pageRows) ?? 100
        last = try reader.int("last", in: 1...limits.pageRows)
        order = try reader.word("order", Order.self) ?? .asc
        try reader.finish()
        if last != nil && (cursor != nil || order == .desc) {
            throw .invalid(
                "'last' cannot stand with 'cursor' or 'order'; it gives the newest messages, oldest first")
        }
    }
}

/// `_convod/message/append`.
package struct AppendMessagesParameters: Sendable {
    package enum IfMissing: String, Sendable, CaseIterable { case create, error }

    package struct NewMessage: Sendable {
        package var role: Message.Role
        /// The raw JSON array, as it came.
        package var content: [UInt8]
        package var parts: [Part]
        package var metadata: [UInt8]?
        package var createdAt: Int64?
        package var isPinned: Bool
    }

    package var id: SessionID
    package var ifMissing: IfMissing
    package var cwd: String?
    package var messages: [NewMessage]

    package init(_ view: JSONView?, limits: Limits) throws(WireError) {
        var reader = try ParameterReader(view)
        id = try reader.sessionID()
        ifMissing = try reader.word("ifMissing", IfMissing.self) ?? .error
        cwd = try reader.directory()
        guard let array = try reader.array("messages") else { throw .invalid("'messages' is missing") }
        try reader.finish()
        messages = []
        for (index, element) in array.elements.enumerated() {
            guard index < limits.pageRows else {
                throw .invalid("'messages' may hold \(limits.pageRows) messages; send several requests")
            }
            messages.append(try NewMessage(element, path: "messages[\(index)]"))
        }
        guard !messages.isEmpty else { throw .invalid("'messages' must hold at least one message") }
    }
}

extension AppendMessagesParameters.NewMessage {
    fileprivate init(_ view: JSONView, path: String) throws(WireError) {
        var reader = try ParameterReader(view, path: path)
        let name = try reader.required("role")
        guard let role = Message.Role(name: name) else {
            throw .invalid("'\(path).role' must be 'system', 'user', 'assistant' or 'tool'")
        }
        guard let array = try reader.array("content") else { throw .invalid("'\(path).content' is missing") }
        self.role = role
        parts = try checkedContent(array, path: "\(path).content", role: role)
        guard !parts.isEmpty else { throw .invalid("'\(path).content' must hold at least one part") }
        content = Array(array.raw)
        metadata = try reader.metadata()
        createdAt = try reader.time("createdAt")
        isPinned = try reader.bool("pinned") ?? (role == .system)
        try reader.finish()
    }
}

/// `_convod/export`.
package struct ExportParameters: Sendable {
    package enum Format: String, Sendable, CaseIterable { case jsonl, markdown }

    package var id: SessionID
    package var format: Format
    /// Whether a record about the session itself comes first.
    package var hasHeader: Bool

    package init(_ view: JSONView?) throws(WireError) {
        var reader = try ParameterReader(view)
        id = try reader.sessionID()
        format = try reader.word("format", Format.self) ?? .jsonl
        hasHeader = try reader.bool("header") ?? true
        try reader.finish()
    }
}

/// `_convod/context/build` and `_convod/context/preview`.
package struct ContextParameters: Sendable {
    package enum Dialect: String, Sendable, CaseIterable { case anthropic, gemini, openai }

    package var id: SessionID
    /// nil means neutral messages.
    package var dialect: Dialect?
    /// The proposed prompt as raw JSON parts.
    package var prompt: [UInt8]?
    package var promptParts: [Part]
    package var options: TurnOptions
    /// Whether the upstream is asked how many tokens the request has.
    package var isCounted: Bool

    /// Reads `build`'s parameters, or with `isPreview` those of `preview`, which knows the dialect by its upstream.
    package init(_ view: JSONView?, isPreview: Bool) throws(WireError) {
        var reader = try ParameterReader(view)
        id = try reader.sessionID()
        dialect = isPreview ? nil : try reader.word("dialect", Dialect.self)
        isCounted = isPreview ? try reader.bool("count") ?? false : false
        let array = try reader.array("prompt")
        prompt = array.map { Array($0.raw) }
        promptParts =
            try array.map { array throws(WireError) in try checkedContent(array, path: "prompt", role: .user)
            } ?? []
        options = TurnOptions(
            upstream: try reader.name("upstream"), model: try reader.name("model"),
            window: try reader.window(), params: try TurnRequest.params(&reader)
        )
        try reader.finish()
    }
}
