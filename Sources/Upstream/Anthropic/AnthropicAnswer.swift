package import Conversation
package import JSON

/// The events of a Messages answer, put together (wire.md E3).
///
/// It is whole with `message_stop`, or when a stop reason came and only that event is missing.
package struct AnthropicAnswer: AnswerBody {
    /// A content block that is open.
    private struct Block: Sendable {
        enum Kind: Sendable { case text, thinking, tool(Part.ToolCall), other }
        let kind: Kind
        /// The seal of a thought, or the input of a call, as far as it has come; grown in place.
        var bytes: [UInt8] = []
        var joiner = SurrogateJoiner()
    }

    private var blocks: [Int: Block] = [:]
    private var reason: String?
    private var detail: String?
    private var counts: [String: Int] = [:]
    private var id: String?
    private var cacheMiss: String?
    private var transformations: [Turn.Transformation] = []
    private var isStopped = false
    private var hasContent = false
    private var joiner = ProseJoiner()
    let issuer: String

    package init(issuer: String) { self.issuer = issuer }

    private var marks = EndMarks()
    /// Bytes of seals and inputs of the blocks that are open.
    package private(set) var heldBytes = 0

    package var hasFinish: Bool { reason != nil }
    package var isUnsure: Bool { marks.isUnsure }
    package var isOver: Bool { isStopped }
    package private(set) var isSteady = false

    package mutating func take(_ view: JSONView) throws(UpstreamFailure) -> [Piece] {
        var pieces: [Piece] = []
        let wasMarked = reason != nil
        isSteady = false
        switch view["type"]?.string {
        case "message_start": if let message = view["message"] { identify(message) }
        case "message": pieces = whole(view)
        case "content_block_start": pieces = begin(view)
        case "content_block_delta": pieces = delta(view)
        case "content_block_stop": pieces = close(view["index"]?.int ?? 0)
        case "message_delta":
            identify(view)
            if let delta = view["delta"] {
                diagnose(delta)
                stop(delta)
            }
        case "message_stop": isStopped = true
        default: break  // ping, and what is yet to be invented
        }
        if !pieces.isEmpty { hasContent = true }
        marks.add(
            hasContent: !pieces.isEmpty, isMarked: reason != nil && !wasMarked, wasMarked: wasMarked)
        return pieces
    }

    /// An answer of a server that does not stream: the blocks at once.
    private mutating func whole(_ message: JSONView) -> [Piece] {
        identify(message)
        var pieces: [Piece] = []
        for (index, block) in (message["content"]?.elements ?? JSONElements.none).enumerated() {
            pieces += begin(index, block) + close(index)
        }
        stop(message)
        isStopped = true
        return pieces
    }

    /// What a message says of itself.
    private mutating func identify(_ view: JSONView) {
        if let counted = view["usage"] { add(counted) }
        if let said = view["id"]?.string, (1...256).contains(said.utf8.count) { id = said }
        diagnose(view)
        if let list = view["input_transformations"] { transform(list) }
    }

    /// Kinds of what was done to a request, at most, and bytes of a word of each.
    private static let mostKinds = 16, longestWord = 64

    /// A word of the provider's, as it may be shown: of signs of its own names.
    private static func word(_ text: String) -> String {
        let plain = text.utf8.prefix(longestWord).filter { (0x21...0x7E).contains($0) }
        return FailureReport.clean(String(decoding: plain, as: UTF8.self))
    }

    /// What was done to the request; a later list stands for an earlier one (wire-2.md A2).
    private mutating func transform(_ list: JSONView) {
        transformations = []
        for one in list.elements {
            func word(_ name: String) -> String { AnthropicAnswer.word(one[name]?.string ?? "unknown") }
            let new = Turn.Transformation(type: word("type"), reason: word("reason"))
            if let known = transformations.firstIndex(where: {
                $0.type == new.type && $0.reason == new.reason
            }) {
                transformations[known].count += 1
            } else if transformations.count < AnthropicAnswer.mostKinds {
                transformations.append(new)
            }
        }
    }

    /// Null says that the provider cannot tell yet.
    private mutating func diagnose(_ view: JSONView) {
        guard let reason = view["diagnostics"]?["cache_miss_reason"]?["type"]?.string else { return }
        cacheMiss = AnthropicAnswer.word(reason)
    }

    private mutating func stop(_ view: JSONView) {
        if let said = view["stop_reason"]?.string, !said.isEmpty { reason = said }
        if let why = view["stop_details"] {
            let words = [why["category"]?.string, why["explanation"]?.string].compactMap(\.self)
            if !words.isEmpty { detail = FailureReport.clean(words.joined(separator: ": ")) }
        }
    }

    private mutating func begin(_ view: JSONView) -> [Piece] {
        guard let block = view["content_block"] else { return [] }
        return begin(view["index"]?.int ?? 0, block)
    }

    private mutating func begin(_ index: Int, _ block: JSONView) -> [Piece] {
        switch block["type"]?.string {
        case "text":
            blocks[index] = Block(kind: .text)
            return joiner.pieces(.text, block["text"])
        case "thinking":
            open(index, .thinking, block["signature"]?.utf8 ?? [])
            return joiner.pieces(.thought, block["thinking"])
        case "redacted_thinking":
            open(index, .other)
            let data = block["data"]?.string ?? ""
            return data.isEmpty ? [] : [Piece(Part.redactedThought(data: data, issuer: issuer))]
        case "tool_use":
            let call = Part.ToolCall(
                id: block["id"]?.string ?? "call_\(index)", name: block["name"]?.string ?? "", arguments: [])
            let input = block["input"].map { Array($0.raw) } ?? []
            open(index, .tool(call), block["input"]?.count == 0 ? [] : input)
            return []
        default:
            open(index, .other)
            return []
        }
    }

    private mutating func open(_ index: Int, _ kind: Block.Kind, _ bytes: [UInt8] = []) {
        blocks[index] = Block(kind: kind, bytes: bytes)
        heldBytes += bytes.count
    }

    private mutating func add(_ bytes: [UInt8], to index: Int) {
        blocks[index]?.bytes.append(contentsOf: bytes)
        heldBytes += bytes.count
    }

    private mutating func delta(_ view: JSONView) -> [Piece] {
        let index = view["index"]?.int ?? 0
        guard let delta = view["delta"] else { return [] }
        switch (delta["type"]?.string, blocks[index]?.kind) {
        case ("text_delta", _):
            isSteady = true
            return joiner.pieces(.text, delta["text"])
        case ("thinking_delta", _):
            isSteady = true
            return joiner.pieces(.thought, delta["thinking"])
        case ("signature_delta", .thinking?): add(delta["signature"]?.utf8 ?? [], to: index)
        case ("input_json_delta", .tool?):
            if let more = delta["partial_json"], let bytes = blocks[index]?.joiner.text(more) {
                add(bytes, to: index)
            }
        default: break
        }
        return []
    }

    private mutating func close(_ index: Int) -> [Piece] {
        guard var block = blocks.removeValue(forKey: index) else { return [] }
        heldBytes -= block.bytes.count
        block.bytes += block.joiner.flush()
        switch block.kind {
        case .thinking: return block.bytes.isEmpty ? [] : [Piece(.signature, block.bytes)]
        case .tool(var call):
            call.arguments = ToolCallAssembly.arguments(block.bytes)
            return [Piece(call)]
        case .text, .other: return []
        }
    }

    /// Totals so far; a later value takes the place of an earlier one, the input is the sum of its three kinds.
    private mutating func add(_ view: JSONView) {
        // One that a server takes back is no count.
        for member in view.members {
            if let count = member.value.tokens, count > 0 || counts[member.key] == nil {
                counts[member.key] = count
            }
        }
        // Of the tokens of the answer (wire-2.md F).
        if let count = view["output_tokens_details"]?["thinking_tokens"]?.tokens {
            counts["thinking_tokens"] = count
        }
    }

    package var usage: Usage? {
        if counts.isEmpty { return nil }
        let input = ["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"]
            .compactMap { counts[$0] }
        return Usage(
            inputTokens: input.isEmpty ? nil : input.reduce(0, +), outputTokens: counts["output_tokens"],
            cachedTokens: counts["cache_read_input_tokens"],
            writtenTokens: counts["cache_creation_input_tokens"], reasoningTokens: counts["thinking_tokens"])
    }

    package mutating func end(isDone: Bool) throws(UpstreamFailure) -> (pieces: [Piece], finish: Turn.Finish?)
    {
        var tail = joiner.flush()
        // What compatible servers never closed, though they ended the answer.
        if hasFinish || isStopped { for index in blocks.keys.sorted() { tail += close(index) } }
        guard let reason else { return (tail, isStopped ? Turn.Finish(reason: "stop", usage: usage) : nil) }
        if reason == "model_context_window_exceeded" && !hasContent {
            var failure = UpstreamFailure(
                .overflow, "the upstream says that the context is too long", isRetryable: false)
            failure.overflow = .init(limit: nil, counted: usage?.inputTokens, isLowerBound: false)
            throw failure
        }
        let word =
            switch reason {
            case "end_turn", "stop_sequence": "stop"
            case "max_tokens", "model_context_window_exceeded": "length"
            case "tool_use": "tool_calls"
            case "refusal": "content_filter"
            default: reason
            }
        let own: String? =
            switch reason {
            case "refusal", "content_filter": "the model declined"
            case "model_context_window_exceeded": "the model's context is full"
            default: nil
            }
        var finish = Turn.Finish(reason: word, usage: usage, detail: detail ?? own)
        (finish.responseID, finish.cacheMiss) = (id, cacheMiss)
        finish.transformations = transformations
        return (tail, finish)
    }
}
