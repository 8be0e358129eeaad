internal import ContextWindow
internal import Conversation
internal import JSON

/// Writes a Messages request (wire.md E2).
struct AnthropicRequest {
    /// Where nothing is asked for: `max_tokens` is required.
    private static let defaultMaxTokens = 4_096
    /// Where thinking without a budget is asked for of a model that demands one.
    private static let defaultBudget = 4_096
    /// What stands for the words of a call that failed without any.
    private static let silentError = "the call failed without a word"
    /// Marks of the prompt cache that a request may have (wire.md E2).
    private static let mostMarks = 4

    /// For how long the stable prefix is marked for the provider's prompt cache.
    var cache: PromptCache
    /// Whether the server says why its cache had less than it might have (wire-2.md B3).
    var isDiagnosed = false
    private var marksCache: Bool { cache != .none }

    /// The whole body.
    func body(_ request: ModelRequest, _ quirks: Quirks) -> [UInt8] {
        JSONWriter.object {
            writePrompt(of: request, quirks, to: &$0)
            let parameters = request.parameters
            let cap = AnthropicRequest.answerCap(parameters, quirks)
            // The prompt and the cap together must fit the context (wire.md C5).
            $0.member("max_tokens", cap.tokens(in: request.answerRoom))
            $0.member("stream", true)
            if let value = parameters.temperature, quirks.sends("temperature", with: parameters) {
                $0.key("temperature"); $0.double(value)
            }
            if let value = parameters.topP, quirks.sends("top_p", with: parameters) {
                $0.key("top_p"); $0.double(value)
            }
            if !parameters.stop.isEmpty {
                $0.key("stop_sequences"); $0.array { for text in parameters.stop { $0.string(text) } }
            }
            if let schema = parameters.schema {
                // `JSONOutputFormatParam` of the SDK (wire.md E1).
                $0.member("output_config") {
                    $0.member("format") {
                        $0.member("type", "json_schema")
                        $0.member("schema", raw: schema)
                    }
                }
            }
            // Behind all that the cache is about.
            if isDiagnosed, marksCache, quirks.sends("diagnostics") {
                $0.member("diagnostics") {
                    $0.key("previous_message_id")
                    if let id = request.previousResponse { $0.string(id) } else { $0.null() }
                }
            }
        }
    }

    /// What `max_tokens` says: what was asked for, or with thinking what that needs, or the default.
    static func answerCap(_ parameters: ModelParameters, _ quirks: Quirks) -> AnswerCap {
        let tokens = quirks.answer(parameters.maxTokens ?? defaultMaxTokens)
        // The budget counts into the cap.
        guard let budget = budget(parameters, quirks) else {
            return AnswerCap(tokens: tokens, parameters.maxTokens == nil ? .standard : .asked)
        }
        let needed = quirks.answer(budget + 1_024)
        if tokens <= needed { return AnswerCap(tokens: needed, .needed) }
        return AnswerCap(tokens: tokens, parameters.maxTokens == nil ? .standard : .asked, needed: needed)
    }

    /// The body of `count_tokens`: the same without what concerns the answer (wire.md E7).
    func countBody(_ request: ModelRequest, _ quirks: Quirks) -> [UInt8] {
        JSONWriter.object { writePrompt(of: request, quirks, to: &$0) }
    }

    /// Tokens that thinking may have where it has a budget: one that leaves room for an answer below the model's cap.
    private static func budget(_ parameters: ModelParameters, _ quirks: Quirks) -> Int? {
        guard quirks.thinking(parameters) == .enabled, let tokens = parameters.thinking else { return nil }
        let most = quirks.mostTokens.map { max(1_024, $0 - 1_024) } ?? Int.max
        return min(max(1_024, tokens < 0 ? defaultBudget : tokens), most)
    }

    private func writePrompt(of request: ModelRequest, _ quirks: Quirks, to writer: inout JSONWriter) {
        writer.member("model", request.model)
        if let system = request.system, !system.isEmpty {
            writer.key("system")
            writer.array { $0.object { writeText(system, isMarked: marksCache, to: &$0) } }
        }
        writer.key("messages")
        writeMessages(request.messages, hasSystem: !(request.system ?? "").isEmpty, to: &writer)
        AnthropicTools.write(request.parameters, to: &writer)
        if let form = quirks.thinking(request.parameters) {
            writer.member("thinking") {
                $0.member("type", form.rawValue)
                $0.optional("budget_tokens", AnthropicRequest.budget(request.parameters, quirks))
            }
        }
    }

    /// The messages alone, as `_convod/context/build` gives them.
    func writeMessages(_ messages: [OutgoingMessage], hasSystem: Bool, to writer: inout JSONWriter) {
        let turns = WireTurn.joined(messages.map(\.withoutLastThoughts).filter { !$0.parts.isEmpty })
        var ledger = CallLedger()
        let marked =
            marksCache
            ? AnthropicRequest.marked(turns, most: AnthropicRequest.mostMarks - (hasSystem ? 1 : 0)) : []
        writer.array {
            for (index, turn) in turns.enumerated() {
                $0.object {
                    $0.member("role", turn.isModel ? "assistant" : "user")
                    $0.key("content")
                    $0.array {
                        write(
                            AnthropicRequest.ordered(turn), isMarked: marked.contains(index), &ledger, to: &$0
                        )
                    }
                }
            }
        }
    }

    /// The turns at whose ends the cache is marked: the newest of the user's, so that the next request reads what this one
    /// wrote, and before it the newest of those that begin another sixteen blocks.
    ///
    /// A mark finds what was written up to 20 blocks before it (wire-2.md B1), and more of them come at once where another
    /// model drove a loop, or a client appended one. What is marked stays so while blocks come behind it. Where the newest
    /// turn is further from the one before, as with many calls at once, that one is marked, whose end the last request wrote.
    private static func marked(_ turns: [WireTurn], most: Int) -> Set<Int> {
        guard let newest = turns.indices.last(where: { !turns[$0].isModel }) else { return [] }
        var steps: [Int] = [], blocks = 0, next = AnthropicRequest.markStep
        for (index, turn) in turns.enumerated() {
            blocks += turn.parts.count
            if turn.isModel || index == newest || blocks < next { continue }
            steps.append(index)
            next = (blocks / AnthropicRequest.markStep + 1) * AnthropicRequest.markStep
        }
        let before = turns[..<newest].lastIndex { !$0.isModel }
        if let before, turns[(before + 1)...newest].reduce(0, { $0 + $1.parts.count }) > markReach {
            steps.removeAll { $0 >= before }
            steps.append(before)
        }
        return Set(steps.suffix(most - 1) + [newest])
    }

    /// Blocks over which a mark finds what was written, with two to spare.
    private static let markReach = 18

    /// Blocks between two marks, about.
    private static let markStep = 16

    /// Results before text (wire.md E2); no white space at the end of an answer that is to be continued.
    private static func ordered(_ turn: WireTurn) -> [Part] {
        if turn.isModel { return turn.parts }
        func isResult(_ part: Part) -> Bool { if case .toolResult = part { true } else { false } }
        return turn.parts.filter(isResult) + turn.parts.filter { !isResult($0) }
    }

    private func write(
        _ parts: [Part], isMarked: Bool, _ ledger: inout CallLedger, to writer: inout JSONWriter
    ) {
        for (index, part) in parts.enumerated() {
            let mark = isMarked && index == parts.count - 1
            writer.object { write(part, isMarked: mark, &ledger, to: &$0) }
        }
    }

    private func write(
        _ part: Part, isMarked: Bool, _ ledger: inout CallLedger, to writer: inout JSONWriter
    ) {
        switch part {
        case .thought(let text, _, let signature):
            writer.member("type", "thinking")
            writer.member("thinking", text)
            writer.member("signature", signature ?? "")
            return  // thoughts take no mark
        case .redactedThought(let data, _):
            writer.member("type", "redacted_thinking")
            writer.member("data", data)
            return
        case .image(let type, let data, let uri): writeSource(type, data, uri, to: &writer)
        case .toolCall(let call):
            writer.member("type", "tool_use")
            writer.member("id", ledger.add(call))
            writer.member("name", call.name)
            writer.member("input", raw: call.hasObject ? call.arguments : Array("{}".utf8))
        case .toolResult(let result):
            writer.member("type", "tool_result")
            writer.member("tool_use_id", ledger.caller(of: result)?.id ?? result.callID)
            // Without content it is empty; white space alone is refused (wire.md E2), and so is an error that says nothing.
            let parts = result.parts
            if parts.contains(where: \.isMedia) {
                writer.key("content")
                writer.array {
                    for part in parts where !part.isBlank {
                        $0.object { write(part, isMarked: false, &ledger, to: &$0) }
                    }
                }
            } else if !result.text.isBlank {
                writer.member("content", result.text)
            } else if result.isError {
                writer.member("content", AnthropicRequest.silentError)
            }
            if result.isError { writer.member("is_error", true) }
        case .audio: return writeText(part.placeholder, isMarked: isMarked, to: &writer)
        default: return writeText(part.plainText ?? "", isMarked: isMarked, to: &writer)
        }
        writeMark(isMarked, to: &writer)
    }

    private func writeSource(
        _ mimeType: String, _ data: String?, _ uri: String?, to writer: inout JSONWriter
    ) {
        writer.member("type", mimeType == Part.pdf ? "document" : "image")
        writer.member("source") {
            $0.member("type", data == nil ? "url" : "base64")
            if let data {
                $0.member("media_type", mimeType)
                $0.member("data", data)
            } else {
                $0.member("url", uri ?? "")
            }
        }
    }

    private func writeText(_ text: String, isMarked: Bool, to writer: inout JSONWriter) {
        writer.member("type", "text")
        writer.member("text", text)
        writeMark(isMarked, to: &writer)
    }

    private func writeMark(_ isMarked: Bool, to writer: inout JSONWriter) {
        guard isMarked else { return }
        writer.member("cache_control") {
            $0.member("type", "ephemeral")
            // Five minutes are what it is without a word (wire-2.md B1).
            if cache == .hour { $0.member("ttl", cache.rawValue) }
        }
    }
}

/// Tools of OpenAI's form in Anthropic's.
enum AnthropicTools {
    static func write(_ parameters: ModelParameters, to writer: inout JSONWriter) {
        let functions = parameters.functions
        guard !functions.isEmpty else { return }
        writer.key("tools")
        writer.array {
            for function in functions {
                $0.object {
                    $0.optional("name", function["name"]?.string)
                    $0.optional("description", function["description"]?.string)
                    let schema = function["parameters"] ?? function["input_schema"]
                    $0.key("input_schema")
                    if let schema { $0.raw(schema.raw) } else { $0.object { $0.member("type", "object") } }
                }
            }
        }
        guard let choice = parameters.toolChoice, let view = try? JSONDocument(choice).root else { return }
        let named = view["function"]?["name"]?.string ?? view["name"]?.string
        writer.member("tool_choice") {
            switch view.string ?? view["type"]?.string {
            case "none": $0.member("type", "none")
            case "required", "any": $0.member("type", "any")
            case _ where named != nil:
                $0.member("type", "tool")
                $0.optional("name", named)
            default: $0.member("type", "auto")
            }
        }
    }
}
