package import Conversation
package import JSON

/// Reads a streamed Chat Completions answer (wire.md C2, C6).
///
/// The answer is whole only when a `finish_reason` was seen, or `[DONE]` after content: some servers leave one of
/// them away. The end of the stream alone is a cut.
package typealias OpenAIStream = StreamedAnswer<OpenAIAnswer>

extension StreamedAnswer<OpenAIAnswer> {
    /// A reader at the beginning of a stream.
    package init() { self.init(body: OpenAIAnswer()) }
}

/// The chunks of a Chat Completions answer, put together.
package struct OpenAIAnswer: AnswerBody {
    private var calls = ToolCallAssembly()
    private var reason: String?
    private var refusal: String?
    package private(set) var usage: Usage?
    private var hasContent = false
    private var goesOn = false
    private var marks = EndMarks()
    private var joiner = ProseJoiner()

    /// A reason that stands before the text, or on each chunk, is no end (wire.md A3, of translating proxies).
    package var hasFinish: Bool { reason != nil && hasContent && !goesOn }
    package var isUnsure: Bool { marks.isUnsure }
    package var isOver: Bool { false }
    package private(set) var isSteady = false
    package var heldBytes: Int { calls.bytes }

    package mutating func take(_ view: JSONView) throws(UpstreamFailure) -> [Piece] {
        for counted in [view["x_groq"]?["usage"], view["usage"]] {
            if let counted, counted.kind == .object {
                usage = Usage(openAI: counted).orBefore(usage)
            }
        }
        if let groq = view["x_groq"], FailureReport.isError(groq) {
            throw FailureClassifier.failure(FailureReport(inStream: groq))
        }
        let choices = view["choices"]?.elements ?? JSONElements.none
        isSteady = true
        guard let choice = choices.first(where: { ($0["index"]?.int ?? 0) == 0 }) else {
            if reason != nil, usage != nil { marks.count() }
            return []
        }
        let pieces = (choice["delta"] ?? choice["message"]).map { delta($0) } ?? []
        let said = choice["finish_reason"]?.string ?? ""
        marks.add(hasContent: !pieces.isEmpty, isMarked: !said.isEmpty, wasMarked: reason != nil)
        // What only repeats that it stopped takes nothing back of why.
        if !said.isEmpty {
            isSteady = false
            if said != "stop" || !OpenAIAnswer.telling.contains(reason ?? "") { reason = said }
        }
        if !pieces.isEmpty { goesOn = said.isEmpty && reason != nil }
        if reason == "error" || reason == "abort" || FailureReport.isError(choice) {
            if FailureReport.isError(choice) {
                throw FailureClassifier.failure(FailureReport(inStream: choice))
            }
            throw UpstreamFailure(
                .protocolError, "the upstream broke the answer off with an error", isRetryable: true)
        }
        if !pieces.isEmpty { hasContent = true }
        return pieces
    }

    /// Reasons that say more than that it stopped.
    private static let telling: Set<String> = [
        "content_filter", "function_call", "length", "max_tokens", "model_context_window_exceeded",
        "tool_calls",
    ]

    private mutating func delta(_ delta: JSONView) -> [Piece] {
        var pieces: [Piece] = []
        for name in ["reasoning_content", "reasoning"] {
            guard let thought = delta[name], thought.kind == .string, thought.raw.count > 2 else { continue }
            pieces += joiner.pieces(.thought, thought)
            break
        }
        // An empty text beside thoughts says nothing, and parts no halves.
        if let content = delta["content"], content.raw.count > 2 {
            pieces += content.kind == .array ? blocks(content) : joiner.pieces(.text, content)
        }
        // OpenRouter's images, and the words of a spoken answer.
        for image in delta["images"]?.elements ?? JSONElements.none { pieces += self.image(image) }
        if let words = delta["audio"]?["transcript"] { pieces += joiner.pieces(.text, words) }
        if let words = delta["refusal"], words.kind == .string, words.raw.count > 2 {
            pieces += joiner.pieces(.text, words)
            refusal = "the model declined"
        }
        for call in delta["tool_calls"]?.elements ?? JSONElements.none {
            calls.add(call)
            isSteady = false
            hasContent = true
        }
        // What the API had before `tool_calls`, and some servers have still.
        if let call = delta["function_call"],
            delta["tool_calls"]?.elements.first(where: { _ in true }) == nil,
            call["name"]?.string.map({ !$0.isEmpty }) ?? false
                || call["arguments"].map({ $0.raw.count > 2 }) ?? false
        {
            calls.add(function: call)
            isSteady = false
            hasContent = true
        }
        return pieces
    }

    /// A content in blocks, as Mistral's models that think send it (issue 16272 of BerriAI/litellm): texts, thoughts that are
    /// blocks themselves, images.
    private mutating func blocks(_ content: JSONView) -> [Piece] {
        var pieces: [Piece] = []
        isSteady = false
        for block in content.elements {
            switch block["type"]?.string {
            case "thinking":
                guard let thought = block["thinking"] else { continue }
                if thought.kind == .string { pieces += joiner.pieces(.thought, thought) }
                for part in thought.elements where part["text"] != nil {
                    pieces += joiner.pieces(.thought, part["text"])
                }
            case "image_url": pieces += image(block)
            default: pieces += joiner.pieces(.text, block["text"])
            }
        }
        return pieces
    }

    /// An image that came as an address or as its data.
    private mutating func image(_ block: JSONView) -> [Piece] {
        guard let url = block["image_url"]?["url"]?.string ?? block["image_url"]?.string else { return [] }
        isSteady = false
        let part: Part
        if url.hasPrefix("data:"), let comma = url.firstIndex(of: ","), url[..<comma].hasSuffix(";base64") {
            let type = url[..<comma].dropFirst(5).dropLast(7)
            part = .image(mimeType: String(type), data: String(url[url.index(after: comma)...]), uri: nil)
        } else {
            part = .image(mimeType: "", data: nil, uri: url)
        }
        var writer = JSONWriter()
        part.write(to: &writer)
        return joiner.flush() + [Piece(.part, writer.bytes)]
    }

    package mutating func end(isDone: Bool) throws(UpstreamFailure) -> (pieces: [Piece], finish: Turn.Finish?)
    {
        let tail = joiner.flush()
        guard reason != nil || isDone && hasContent && calls.isWhole else { return (tail, nil) }
        if reason == "insufficient_system_resource" {  // DeepSeek (wire.md C6)
            throw UpstreamFailure(.unavailable, "the upstream ran out of resources", isRetryable: true)
        }
        if reason == "model_context_window_exceeded" && !hasContent {
            var failure = UpstreamFailure(
                .overflow, "the upstream says that the context is too long", isRetryable: false)
            failure.overflow = .init(limit: nil, counted: usage?.inputTokens, isLowerBound: false)
            throw failure
        }
        let word = refusal == nil ? neutral(reason ?? "stop") : "content_filter"
        return (tail + calls.finished, Turn.Finish(reason: word, usage: usage, detail: refusal ?? detail))
    }

    /// Why the answer ended, where its reason alone says more than the neutral word for it.
    private var detail: String? {
        switch reason {
        case "content_filter": "the provider's filter stopped the answer"
        case "model_context_window_exceeded": "the model's context is full"
        default: nil
        }
    }

    private func neutral(_ reason: String) -> String {
        switch reason.lowercased() {
        case "stop", "eos", "end_turn": calls.isEmpty ? "stop" : "tool_calls"
        case "length", "max_tokens", "model_context_window_exceeded": "length"
        case "tool_calls", "function_call": "tool_calls"
        case "content_filter": "content_filter"
        default: reason
        }
    }
}

/// Tool calls that come in fragments (wire.md C2).
struct ToolCallAssembly: Sendable {
    /// A call as far as it has come.
    private struct Call: Sendable {
        var call: Part.ToolCall
        var text: [UInt8] = []
        var shape = JSONShape()
        var joiner = SurrogateJoiner()
    }

    private var calls: [Call] = []
    /// The newest call of each index, and the first of each ID.
    private var places: [Int: Int] = [:], names: [String: Int] = [:]
    /// Bytes that were gathered, with something for each call.
    private(set) var bytes = 0

    var isEmpty: Bool { calls.isEmpty }

    /// Whether the arguments of the last call, if there are any, have come to their end.
    var isWhole: Bool { calls.last.map { $0.text.isEmpty || $0.shape.isWhole } ?? true }

    /// A fragment of the one call of an answer in the old form.
    mutating func add(function: JSONView) {
        let name = function["name"]?.string ?? ""
        let arguments = function["arguments"]
        add(name: name, arguments, id: "", index: 0)
    }

    /// A fragment of a call: by its index, else by its ID, else it belongs to the last one.
    mutating func add(_ view: JSONView) {
        let function = view["function"], index = view["index"]
        add(
            name: function?["name"]?.string ?? "", function?["arguments"], id: view["id"]?.string ?? "",
            index: index?.int ?? index?.string.flatMap { Int($0) })
    }

    private mutating func add(name: String, _ arguments: JSONView?, id: String, index: Int?) {
        let hasArguments =
            arguments.map { $0.kind == .object || $0.kind == .string && $0.raw.count > 2 } ?? false
        let position = position(of: index, id, name: name, hasArguments: hasArguments)
        if calls[position].call.id.isEmpty, !id.isEmpty {
            calls[position].call.id = id
            bytes += id.utf8.count
            if names[id] == nil { names[id] = position }
        }
        // Some servers send a name in pieces, and some repeat it whole in each fragment.
        if !name.isEmpty, calls[position].call.name != name {
            calls[position].call.name += name
            bytes += name.utf8.count
        }
        guard let arguments, hasArguments else { return }
        let more = arguments.kind == .object ? Array(arguments.raw) : calls[position].joiner.text(arguments)
        calls[position].text += more
        calls[position].shape.take(more)
        bytes += more.count
    }

    /// What a call costs beside its words.
    private static let overhead = 128

    private mutating func position(of index: Int?, _ id: String, name: String, hasArguments: Bool) -> Int {
        if let index {
            if let known = places[index] {
                // Some servers give every call the index 0, and some give every fragment an ID of its own.
                let isOther = !id.isEmpty && !calls[known].call.id.isEmpty && calls[known].call.id != id
                if !isOther || name.isEmpty && !calls[known].shape.isWhole { return known }
            }
        } else if !id.isEmpty {
            if let known = names[id] { return known }
        } else if let last = calls.last {
            // Without either, a call begins behind a whole one with a name and arguments of its own.
            if name.isEmpty || !hasArguments || !last.shape.isWhole { return calls.count - 1 }
        }
        calls.append(Call(call: Part.ToolCall(id: id, name: "", arguments: [])))
        bytes += ToolCallAssembly.overhead + id.utf8.count
        if let index { places[index] = calls.count - 1 }
        if !id.isEmpty, names[id] == nil { names[id] = calls.count - 1 }
        return calls.count - 1
    }

    /// The calls as parts; arguments that are no JSON stay a string.
    var finished: [Piece] {
        calls.enumerated().map { index, entry in
            var call = entry.call, last = entry.joiner
            if call.id.isEmpty { call.id = "call_\(index + 1)" }
            call.arguments = ToolCallAssembly.arguments(entry.text + last.flush())
            return Piece(call)
        }
    }

    /// Arguments as raw JSON on one line; nothing means none, and broken JSON is kept as a string.
    static func arguments(_ text: [UInt8]) -> [UInt8] {
        if text.allSatisfy({ $0 <= 0x20 }) { return Array("{}".utf8) }
        if (try? JSONDocument(text)) != nil { return text.filter { $0 != 0x0A && $0 != 0x0D } }
        var writer = JSONWriter()
        writer.string(utf8: Array(String(decoding: text, as: UTF8.self).utf8))
        return writer.bytes
    }
}

/// Whether bytes that come in pieces are one whole JSON value by now, told from brackets and strings alone, so that each
/// byte is looked at once.
struct JSONShape: Sendable {
    private enum State { case begin, open, whole, never }
    private var state = State.begin
    private var depth = 0, isInString = false, isEscaped = false

    /// A number or a word may always go on, so that neither ever is.
    var isWhole: Bool { state == .whole }

    mutating func take(_ bytes: [UInt8]) {
        let text = bytes.span
        var at = 0
        while at < text.count, state != .never {
            let byte = text[at]
            at += 1
            if isInString {
                if isEscaped {
                    isEscaped = false
                } else if byte == 0x22 {
                    isInString = false
                    if depth == 0 { state = .whole }
                } else if byte == 0x5C {
                    isEscaped = true
                } else {
                    at = ByteSearch.special(in: text, from: at)
                }
                continue
            }
            if byte <= 0x20 { continue }
            if state == .whole {
                state = .never
            } else if byte == 0x22 {
                state = .open
                isInString = true
            } else if byte == 0x7B || byte == 0x5B {
                state = .open
                depth += 1
            } else if byte == 0x7D || byte == 0x5D {
                depth -= 1
                state = depth == 0 ? .whole : depth < 0 ? .never : .open
            } else if state == .begin {
                state = .never
            }
        }
    }
}

extension Piece {
    /// A whole call.
    init(_ call: Part.ToolCall) {
        var writer = JSONWriter()
        Part.toolCall(call).write(to: &writer)
        self.init(.part, writer.bytes)
    }
}

extension Usage {
    /// What a server said last of each count; one that it takes back is none.
    func orBefore(_ before: Usage?) -> Usage {
        guard let before else { return self }
        func last(_ count: KeyPath<Usage, Int?>) -> Int? {
            self[keyPath: count].flatMap { $0 > 0 ? $0 : nil } ?? before[keyPath: count]
                ?? self[keyPath: count]
        }
        return Usage(
            inputTokens: last(\.inputTokens), outputTokens: last(\.outputTokens),
            cachedTokens: last(\.cachedTokens), writtenTokens: last(\.writtenTokens),
            reasoningTokens: last(\.reasoningTokens))
    }

    /// Reads OpenAI's `usage` object (wire.md C2), and what others make of it (wire-2.md F): DeepSeek's hits of its cache, and
    /// xAI's reasoning, which it counts beside the answer.
    init(openAI view: JSONView) {
        // Each request has words: who says 0 has not counted.
        let input = view["prompt_tokens"]?.tokens.flatMap { $0 > 0 ? $0 : nil }
        let details = view["prompt_tokens_details"]
        let reasoning = view["completion_tokens_details"]?["reasoning_tokens"]?.tokens
        var output = view["completion_tokens"]?.tokens
        if let input, let answer = output, let reasoning, reasoning > 0,
            view["total_tokens"]?.tokens == input + answer + reasoning
        {
            output = answer + reasoning
        }
        self.init(
            inputTokens: input, outputTokens: output,
            cachedTokens: details?["cached_tokens"]?.tokens ?? view["prompt_cache_hit_tokens"]?.tokens,
            reasoningTokens: reasoning)
        writtenTokens = details?["cache_write_tokens"]?.tokens
    }
}
