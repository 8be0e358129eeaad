internal import ContextWindow
internal import Conversation
internal import JSON

/// Writes a `generateContent` request (wire.md A4, A5).
enum GeminiRequest {
    /// What Google's own client sends where a call has no signature of this provider (wire.md A5).
    private static let placeholder = "skip_thought_signature_validator"

    /// The whole body; rules of `contents` are kept by `DialectRules.gemini`.
    static func body(_ request: ModelRequest, _ quirks: Quirks) -> [UInt8] {
        JSONWriter.object { writeMembers(of: request, quirks, to: &$0) }
    }

    /// The body of `:countTokens`, in the form that counts the system prompt and tools too (wire.md A8).
    static func countBody(_ request: ModelRequest, _ quirks: Quirks) -> [UInt8] {
        JSONWriter.object {
            $0.member("generateContentRequest") {
                $0.member("model", GeminiDialect.qualified(request.model))
                writeMembers(of: request, quirks, to: &$0)
            }
        }
    }

    /// The messages alone, as `_convod/context/build` gives them; `standsIn` is whether calls of others get a seal.
    static func writeContents(
        _ messages: [OutgoingMessage], standsIn: Bool = true, to writer: inout JSONWriter
    ) {
        var ledger = CallLedger()
        let turns = WireTurn.joined(messages)
        // Within the running tool loop the first call of each model turn must be signed, for models that ask for it.
        let loopStart = turns.lastIndex { $0.isSpoken } ?? -1
        writer.array {
            for (index, turn) in turns.enumerated() {
                $0.object {
                    $0.member("role", turn.isModel ? "model" : "user")
                    $0.key("parts")
                    $0.array { write(turn.parts, &ledger, standsIn: standsIn && index > loopStart, to: &$0) }
                }
            }
        }
    }

    private static func writeMembers(
        of request: ModelRequest, _ quirks: Quirks, to writer: inout JSONWriter
    ) {
        if let system = request.system, !system.isEmpty {
            writer.member("systemInstruction") {
                $0.key("parts")
                $0.array { $0.object { $0.member("text", system) } }
            }
        }
        writer.key("contents")
        writeContents(request.messages, standsIn: asksForSeals(request.model), to: &writer)
        GeminiTools.write(request.parameters, to: &writer)
        writeConfig(request.parameters, quirks, to: &writer)
    }

    /// Whether a model may refuse a call without a seal: those before Gemini 3 ask for none (wire-2.md E), and of one
    /// whose name says nothing it is not known.
    private static func asksForSeals(_ model: String) -> Bool {
        let name = model.split(separator: "/").last ?? ""
        return !["gemini-1.", "gemini-2."].contains { name.hasPrefix($0) }
    }

    private static func writeConfig(
        _ parameters: ModelParameters, _ quirks: Quirks, to writer: inout JSONWriter
    ) {
        let config = JSONWriter.object {
            if let value = parameters.temperature, quirks.sends("temperature") {
                $0.key("temperature"); $0.double(value)
            }
            if let value = parameters.topP, quirks.sends("top_p") { $0.key("topP"); $0.double(value) }
            $0.optional("candidateCount", parameters.candidates)
            $0.optional("maxOutputTokens", parameters.maxTokens.map(quirks.answer))
            if !parameters.stop.isEmpty {
                $0.key("stopSequences"); $0.array { for text in parameters.stop { $0.string(text) } }
            }
            $0.optional("seed", parameters.seed)
            if let schema = parameters.schema {
                // wire.md A4.
                $0.member("responseMimeType", "application/json")
                $0.member("responseJsonSchema", raw: schema)
            }
            if let form = quirks.thinking(parameters), let tokens = parameters.thinking {
                // -1 leaves it to the model (wire.md A4).
                let thinking = form == .adaptive ? -1 : form == .enabled && tokens < 0 ? 4_096 : tokens
                $0.member("thinkingConfig") {
                    $0.member("includeThoughts", thinking != 0)
                    $0.member("thinkingBudget", thinking)
                }
            }
        }
        if config.count > 2 { writer.member("generationConfig", raw: config) }
    }

    private static func write(
        _ parts: [Part], _ ledger: inout CallLedger, standsIn: Bool, to writer: inout JSONWriter
    ) {
        var isFirstCall = true
        for (index, part) in parts.enumerated() {
            switch part {
            case .thought(let text, _, let signature?) where text.isEmpty:
                // The seal of the text before it, or one that came alone.
                if index > 0, case .text = parts[index - 1] { break }
                writer.object {
                    $0.member("text", "")
                    $0.member("thoughtSignature", signature)
                }
            case .thought, .redactedThought: break  // thoughts themselves are not replayed (wire.md A5)
            case .text(let text):
                let next = index + 1 < parts.count ? parts[index + 1] : nil
                writer.object {
                    $0.member("text", text)
                    if case .thought("", _, let signature?)? = next {
                        $0.member("thoughtSignature", signature)
                    }
                }
            case .toolCall(let call):
                let seal = call.signature ?? (isFirstCall && standsIn ? placeholder : nil)
                isFirstCall = false
                ledger.add(call)
                write(call, seal, to: &writer)
            case .toolResult(let result): write(result, of: ledger.caller(of: result), to: &writer)
            default: write(part, to: &writer)
            }
        }
    }

    private static func write(_ call: Part.ToolCall, _ seal: String?, to writer: inout JSONWriter) {
        writer.object {
            $0.member("functionCall") {
                $0.member("name", call.name)
                $0.member("args", raw: call.hasObject ? call.arguments : Array("{}".utf8))
            }
            $0.optional("thoughtSignature", seal)
        }
    }

    /// A result says its call's name again.
    private static func write(
        _ result: Part.ToolResult, of call: CallLedger.Entry?, to writer: inout JSONWriter
    ) {
        writer.object {
            $0.member("functionResponse") {
                $0.member("name", call?.name ?? "unknown")
                $0.member("response") { $0.member(result.isError ? "error" : "output", result.text) }
            }
        }
    }

    private static func write(_ part: Part, to writer: inout JSONWriter) {
        writer.object {
            switch part {
            case .image(let type, let data?, _), .audio(let type, let data):
                $0.member("inlineData") {
                    $0.member("mimeType", type)
                    $0.member("data", data)
                }
            case .image(let type, nil, let uri):
                $0.member("fileData") {
                    $0.member("mimeType", type)
                    $0.member("fileUri", uri ?? "")
                }
            default: $0.member("text", part.plainText ?? "")
            }
        }
    }
}

/// Tools of OpenAI's form as function declarations.
enum GeminiTools {
    static func write(_ parameters: ModelParameters, to writer: inout JSONWriter) {
        let functions = parameters.functions
        guard !functions.isEmpty else { return }
        writer.key("tools")
        writer.array {
            $0.object {
                $0.key("functionDeclarations")
                $0.array { for function in functions { write(function, to: &$0) } }
            }
        }
        guard let choice = parameters.toolChoice, let view = try? JSONDocument(choice).root else { return }
        write(choice: view, to: &writer)
    }

    private static func write(_ function: JSONView, to writer: inout JSONWriter) {
        writer.object {
            $0.optional("name", function["name"]?.string)
            $0.optional("description", function["description"]?.string)
            // JSON Schema as it is; `parameters` knows only a part of it (wire.md A4).
            if let schema = function["parameters"] ?? function["input_schema"] {
                $0.member("parametersJsonSchema", raw: schema.raw)
            }
        }
    }

    private static func write(choice: JSONView, to writer: inout JSONWriter) {
        let named = choice["function"]?["name"]?.string ?? choice["name"]?.string
        let mode =
            switch choice.string ?? choice["type"]?.string {
            case "none": "NONE"
            case "required", "any", "function", "tool": "ANY"
            default: "AUTO"
            }
        writer.member("toolConfig") {
            $0.member("functionCallingConfig") {
                $0.member("mode", mode)
                if let named { $0.key("allowedFunctionNames"); $0.array { $0.string(named) } }
            }
        }
    }
}
