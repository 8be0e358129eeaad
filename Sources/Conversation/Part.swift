package import JSON

/// One part of a message's content.
package enum Part: Sendable, Equatable {
    case text(String)
    /// What the model thought; `signature` and `issuer` bind it to the provider that made it.
    case thought(text: String, issuer: String?, signature: String?)
    /// What the model thought and its provider hides: opaque bytes that only the issuer can read.
    case redactedThought(data: String, issuer: String?)
    /// `data` is base64; it or `uri` is there, or both.
    case image(mimeType: String, data: String?, uri: String?)
    /// `data` is base64.
    case audio(mimeType: String, data: String)
    /// An embedded resource, as in ACP; `text` is nil for a binary one.
    case resource(uri: String, text: String?, raw: [UInt8])
    /// A link to a resource, as in ACP; `raw` is the whole part as it came.
    case resourceLink(uri: String, name: String, raw: [UInt8])
    case toolCall(ToolCall)
    case toolResult(ToolResult)

    /// A call that the model asks for; `arguments` is raw JSON, a string when the model's JSON was broken.
    package struct ToolCall: Sendable, Equatable {
        /// What its result names; some providers give the same one to a call of every turn.
        package var id: String
        package var name: String
        /// Raw JSON of any kind; who sends it to a provider makes an object of it.
        package var arguments: [UInt8]
        /// What binds the call to the provider that made it, and who that is; nil where it gave none.
        package var signature: String?
        package var issuer: String?
        package init(
            id: String, name: String, arguments: [UInt8], signature: String? = nil, issuer: String? = nil
        ) {
            self.id = id
            self.name = name
            self.arguments = arguments
            self.signature = signature
            self.issuer = issuer
        }
        /// Whether the arguments are an object; they are JSON in any case.
        package var hasObject: Bool { arguments.first { $0 > 0x20 } == 0x7B }
        /// The object that arguments hold which were written as a string; nil where they hold none, as where they were cut.
        package var innerObject: [UInt8]? {
            guard let text = try? JSONDocument(arguments).root.utf8, let inner = try? JSONDocument(text),
                inner.root.kind == .object
            else { return nil }
            return text.map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 }
        }
        /// The arguments as the JSON text that OpenAI's dialect carries inside a string.
        package var argumentText: String {
            if let view = try? JSONDocument(arguments).root, let text = view.string { return text }
            return String(decoding: arguments, as: UTF8.self)
        }
    }

    /// What a call gave; `content` is raw JSON, a string or an array of parts.
    package struct ToolResult: Sendable, Equatable {
        /// The `id` of the call that it answers.
        package var callID: String
        /// Raw JSON: a string, an array of parts, or whatever the tool gave.
        package var content: [UInt8]
        package var isError: Bool
        package init(callID: String, content: [UInt8], isError: Bool) {
            self.callID = callID
            self.content = content
            self.isError = isError
        }
        /// The text of the result; a structured result as its JSON.
        package var text: String {
            guard let view = try? JSONDocument(content).root else {
                return String(decoding: content, as: UTF8.self)
            }
            if let text = view.string { return text }
            if view.kind == .array, view.elements.allSatisfy({ $0["type"]?.string == "text" }) {
                return view.elements.compactMap { $0["text"]?.string }.joined()
            }
            return String(decoding: content, as: UTF8.self)
        }
    }

    /// What closes a call that never got its result.
    package static func interruptedResult(for call: String) -> Part {
        .toolResult(
            ToolResult(
                callID: call, content: Array("\"interrupted: this call never got a result\"".utf8),
                isError: true))
    }

    /// Text that counts and shows: of text and thoughts, else empty.
    package var visibleText: String {
        switch self {
        case .text(let text), .thought(let text, _, _): text
        default: ""
        }
    }

    /// Reads a raw JSON array of parts; what is not a part is left out.
    package static func decode(_ content: [UInt8]) -> [Part] {
        if Message.plainTextTraits(of: content) != nil,
            let text = JSONText.text(Message.plainText(of: content))
        {
            return [.text(text)]
        }
        return parse(content)
    }

    /// The same of what is not one plain text.
    static func parse(_ content: [UInt8]) -> [Part] {
        guard let document = try? JSONDocument(content) else { return [] }
        return document.root.elements.compactMap { try? Part(checking: $0) }
    }

    /// Reads one part, or says in one clause what is wrong with it.
    package init(checking view: JSONView) throws(PartError) {
        guard view.kind == .object else { throw PartError("a part must be an object") }
        guard let type = view["type"]?.string else { throw PartError("a part needs a 'type'") }
        func text(_ key: String) throws(PartError) -> String {
            guard let value = view[key]?.string else {
                throw PartError("a '\(type)' part needs '\(key)' as a string")
            }
            return value
        }
        switch type {
        case "text": self = .text(try text("text"))
        case "thought" where view["redacted"]?.bool == true:
            self = .redactedThought(data: try text("signature"), issuer: view["issuer"]?.string)
        case "thought":
            self = .thought(
                text: try text("text"), issuer: view["issuer"]?.string, signature: view["signature"]?.string)
        case "image":
            let data = view["data"]?.string, uri = view["uri"]?.string
            guard data != nil || uri != nil else { throw PartError("an 'image' part needs 'data' or 'uri'") }
            self = .image(mimeType: try text("mimeType"), data: data, uri: uri)
        case "audio": self = .audio(mimeType: try text("mimeType"), data: try text("data"))
        case "resource":
            guard let inner = view["resource"], let uri = inner["uri"]?.string,
                inner["text"]?.string != nil || inner["blob"]?.string != nil
            else { throw PartError("a 'resource' part needs 'resource' with 'uri' and 'text' or 'blob'") }
            self = .resource(uri: uri, text: inner["text"]?.string, raw: Array(view.raw))
        case "resource_link":
            self = .resourceLink(uri: try text("uri"), name: try text("name"), raw: Array(view.raw))
        case "tool_call":
            guard let arguments = view["arguments"] else {
                throw PartError("a 'tool_call' part needs 'arguments'")
            }
            self = .toolCall(
                ToolCall(
                    id: try text("id"), name: try text("name"), arguments: Array(arguments.raw),
                    signature: view["signature"]?.string, issuer: view["issuer"]?.string))
        case "tool_result":
            guard let content = view["content"] else {
                throw PartError("a 'tool_result' part needs 'content'")
            }
            let isError = view["isError"]
            guard isError == nil || isError?.bool != nil else {
                throw PartError("'isError' must be true or false")
            }
            self = .toolResult(
                ToolResult(
                    callID: try text("toolCallId"), content: Array(content.raw),
                    isError: isError?.bool ?? false))
        default: throw PartError("'\(type.prefix(40))' is no type of part")
        }
    }

    /// Writes the part as it stands on the wire.
    package func write(to writer: inout JSONWriter) {
        switch self {
        case .resource(_, _, let raw), .resourceLink(_, _, let raw): writer.raw(raw)
        default: writer.object { writeMembers(to: &$0) }
        }
    }

    private func writeMembers(to writer: inout JSONWriter) {
        switch self {
        case .text(let text):
            writer.member("type", "text")
            writer.member("text", text)
        case .thought(let text, let issuer, let signature):
            writer.member("type", "thought")
            writer.member("text", text)
            writer.optional("issuer", issuer)
            writer.optional("signature", signature)
        case .redactedThought(let data, let issuer):
            writer.member("type", "thought")
            writer.member("text", "")
            writer.optional("issuer", issuer)
            writer.member("signature", data)
            writer.member("redacted", true)
        case .image(let mimeType, let data, let uri):
            writer.member("type", "image")
            writer.member("mimeType", mimeType)
            writer.optional("data", data)
            writer.optional("uri", uri)
        case .audio(let mimeType, let data):
            writer.member("type", "audio")
            writer.member("mimeType", mimeType)
            writer.member("data", data)
        case .toolCall(let call):
            writer.member("type", "tool_call")
            writer.member("id", call.id)
            writer.member("name", call.name)
            writer.member("arguments", raw: call.arguments)
            writer.optional("issuer", call.issuer)
            writer.optional("signature", call.signature)
        case .toolResult(let result):
            writer.member("type", "tool_result")
            writer.member("toolCallId", result.callID)
            writer.member("content", raw: result.content)
            if result.isError { writer.member("isError", true) }
        case .resource, .resourceLink: break
        }
    }

    /// A whole content array as raw JSON.
    package static func encode(_ parts: [Part]) -> [UInt8] {
        var writer = JSONWriter()
        writer.array { for part in parts { part.write(to: &$0) } }
        return writer.bytes
    }
}

/// Why a value is not a part, in one clause.
package struct PartError: Error, Sendable, Equatable {
    /// A clause for a person that names the member, and no more of the value than 40 characters.
    package let reason: String
    package init(_ reason: String) { self.reason = reason }
}
