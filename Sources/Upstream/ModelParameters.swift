package import JSON

/// What a prompt asks of the model, beyond its messages.
package struct ModelParameters: Sendable, Equatable {
    /// 0 to 2; nil leaves it to the provider.
    package var temperature: Double?
    /// 0 to 1; nil leaves it to the provider.
    package var topP: Double?
    /// Tokens of the answer at most; nil leaves it to the provider.
    package var maxTokens: Int?
    /// Texts before which the answer ends; empty for none.
    package var stop: [String]
    /// Nil leaves it to the provider.
    package var seed: Int?
    /// How many answers to ask for; nil for one (Gemini only).
    package var candidates: Int?
    /// Tokens for thinking: 0 is off, -1 leaves it to the model, nil says nothing (Gemini and Anthropic).
    package var thinking: Int?
    /// Raw JSON array of tools in OpenAI's form.
    package var tools: [UInt8]?
    /// Raw JSON.
    package var toolChoice: [UInt8]?

    /// Raw JSON Schema that the answer must have the form of; nil for any text.
    package var schema: [UInt8]?

    /// Nothing asked for.
    package init() { stop = [] }

    /// Reads checked parameters (`TurnRequest.params`).
    package init(_ view: JSONView) {
        temperature = view["temperature"]?.double
        topP = view["topP"]?.double
        maxTokens = view["maxTokens"]?.int
        stop = view["stop"]?.elements.compactMap(\.string) ?? []
        seed = view["seed"]?.int
        candidates = view["candidates"]?.int
        thinking = view["thinking"]?.int
        tools = view["tools"].map { Array($0.raw) }
        toolChoice = view["toolChoice"].map { Array($0.raw) }
        schema = view["schema"].flatMap { $0.isNull ? nil : Array($0.raw) }
    }
}

extension ModelParameters {
    /// Whether the model is asked to think.
    package var isThinking: Bool { thinking.map { $0 != 0 } ?? false }

    /// Whether a tool must be called: any, or one that is named.
    var forcesTool: Bool {
        guard let toolChoice, let view = try? JSONDocument(toolChoice).root, !functions.isEmpty else {
            return false
        }
        switch view.string ?? view["type"]?.string {
        case "required", "any": return true
        case "none", "auto": return false
        default: return (view["function"]?["name"] ?? view["name"]) != nil
        }
    }

    /// The functions among the tools, for dialects that name them in another form.
    var functions: [JSONView] {
        guard let tools, let list = try? JSONDocument(tools).root else { return [] }
        return list.elements.compactMap { $0["function"] ?? ($0["name"] == nil ? nil : $0) }
    }
}
