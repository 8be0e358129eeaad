internal import ContextWindow
internal import Conversation
internal import JSON
internal import TestSupport
internal import Upstream

/// Small makers of requests, and a look into what dialects write.
enum Request {
    /// A request of the model `m`; `parameters` as a client gives them.
    static func of(_ messages: [OutgoingMessage], system: String? = nil, _ parameters: String = "{}") throws
        -> ModelRequest
    {
        ModelRequest(
            model: "m", system: system, messages: messages,
            parameters: ModelParameters(try Fixtures.json(parameters)))
    }

    /// A member of a request's body as it stands there.
    static func member(
        _ name: String, _ dialect: any Dialect, _ request: ModelRequest, _ quirks: Quirks = Quirks()
    ) throws -> String? {
        try JSONDocument(dialect.body(for: request, quirks)).root[name].map { text($0.raw) }
    }

    static func user(_ parts: Part...) -> OutgoingMessage { OutgoingMessage(role: .user, parts: parts) }
    static func model(_ parts: Part...) -> OutgoingMessage { OutgoingMessage(role: .assistant, parts: parts) }
    static func tool(_ parts: Part...) -> OutgoingMessage { OutgoingMessage(role: .tool, parts: parts) }

    static func call(_ id: String, _ name: String, _ arguments: String = "{}", seal: String? = nil) -> Part {
        .toolCall(
            Part.ToolCall(
                id: id, name: name, arguments: Array(arguments.utf8), signature: seal,
                issuer: seal == nil ? nil : "me"))
    }

    static func result(_ id: String, _ content: String = "\"ok\"", isError: Bool = false) -> Part {
        .toolResult(Part.ToolResult(callID: id, content: Array(content.utf8), isError: isError))
    }

    static func seal(_ signature: String) -> Part {
        .thought(text: "", issuer: "me", signature: signature)
    }
}

extension TokenCounting {
    /// What an answer to it says; nil where it says none, or leads to another question.
    func tokens(in answer: String) -> Int? {
        if case .tokens(let count) = read(Array(answer.utf8)) { count } else { nil }
    }
}
