package import Conversation
internal import JSON

/// Reads a streamed Chat Completions answer (wire.md C2, C6).
///
/// The answer is whole only when a `finish_reason` was seen, or `[DONE]` after content: some servers leave one of
/// them away. The end of the stream alone is a cut.
package struct OpenAIStream: Sendable {
    private var parser = EventStreamParser()
    private var calls: [(key: Int, call: Part.ToolCall)] = []
    private var argumentTexts: [[UInt8]] = []
    private var reason: String?
    private var usage: Usage?
    private var hasContent = false
    private var isDone = false
    private var halfSurrogate: [UInt8] = []
    private var stray: [UInt8] = []
    private var failure: UpstreamFailure?

    package init() {}

    /// Whether nothing more needs to be read: the stream said so, or failed.
    package var isOver: Bool { isDone || failure != nil }
    /// Whether the answer is whole and only its usage may follow.
    package var hasFinish: Bool { reason != nil }

    /// Takes bytes as they came; returns the pieces they hold.
    package mutating func feed(_ bytes: [UInt8]) -> [Piece] { read(parser.feed(bytes)) }

    /// Ends the stream: the last pieces and how the call ended.
    package mutating func finish() -> (pieces: [Piece], end: UpstreamEvent) {
        var pieces = read(parser.finish())
        pieces += flushHalf()
        if let failure { return (pieces, .failed(failure)) }
        guard reason != nil || (isDone && hasContent) else {
            if !stray.isEmpty, let said = OpenAIError.failure(status: nil, body: stray) {
                return (pieces, .failed(said))
            }
            let message =
                hasContent
                ? "the upstream's stream was cut before the answer was whole"
                : "the upstream's stream ended without an answer"
            return (
                pieces,
                .failed(
                    UpstreamFailure(hasContent ? .interrupted : .protocolError, message, isRetryable: true))
            )
        }
        pieces += finishedCalls()
        let finish = Turn.Finish(reason: neutral(reason ?? "stop"), usage: usage)
        return (pieces, .finished(finish))
    }

    private mutating func read(_ outputs: [EventStreamParser.Output]) -> [Piece] {
        var pieces: [Piece] = []
        for output in outputs where failure == nil && !isDone {
            switch output {
            case .comment: break
            case .stray(let line): stray += line + [0x0A]
            case .tooLong:
                failure = UpstreamFailure(
                    .protocolError, "the upstream sent an event of more than 64 MiB", isRetryable: false)
            case .event("error", let data): errorEvent(data)
            case .event(_, let data): pieces += event(data)
            }
        }
        return pieces
    }

    /// An event that says by its name that it is an error.
    private mutating func errorEvent(_ data: [UInt8]) {
        let view = try? JSONDocument(data).root
        failure =
            view.map { OpenAIError.failure(status: nil, error: $0["error"] ?? $0) }
            ?? UpstreamFailure(
                .protocolError,
                "the upstream broke the answer off: \(OpenAIError.clean(String(decoding: data.prefix(300), as: UTF8.self)))",
                isRetryable: false)
    }

    private mutating func event(_ data: [UInt8]) -> [Piece] {
        if data.starts(with: "[DONE]".utf8) {
            isDone = true
            return []
        }
        guard let view = try? JSONDocument(data).root else {
            // Several whole objects without blank lines between them (wire.md F2).
            let lines = data.split(separator: 0x0A)
            if lines.count > 1, lines.allSatisfy({ (try? JSONDocument(Array($0))) != nil }) {
                return lines.flatMap { event(Array($0)) }
            }
            if data.allSatisfy({ $0 <= 0x20 }) { return [] }
            failure = UpstreamFailure(
                .protocolError, "the upstream sent an event that is not JSON", isRetryable: true)
            return []
        }
        return chunk(view)
    }

    private mutating func chunk(_ view: JSONView) -> [Piece] {
        if let error = view["error"], !error.isNull {
            failure = OpenAIError.failure(status: nil, error: error)
            return []
        }
        if let counted = view["usage"], counted.kind == .object { usage = Usage(openAI: counted) }
        guard let choice = view["choices"]?.elements.first(where: { ($0["index"]?.int ?? 0) == 0 }) else {
            return []
        }
        var pieces: [Piece] = []
        if let delta = choice["delta"] ?? choice["message"] {
            for name in ["reasoning_content", "reasoning"] {
                if let thought = delta[name]?.utf8, !thought.isEmpty {
                    pieces.append(Piece(.thought, thought))
                    break
                }
            }
            if let content = delta["content"], content.kind == .string { pieces += text(content) }
            if let refusal = delta["refusal"]?.utf8, !refusal.isEmpty {
                pieces.append(Piece(.text, refusal))
                reason = reason ?? "content_filter"
            }
            for call in delta["tool_calls"]?.elements ?? JSONElements.none { toolCall(call) }
        }
        if let said = choice["finish_reason"]?.string { reason = said }
        if reason == "error" {
            failure = UpstreamFailure(
                .protocolError, "the upstream broke the answer off with an error", isRetryable: true)
        }
        if !pieces.isEmpty { hasContent = true }
        return pieces
    }

    /// Text of one delta; a high surrogate at its end waits for its mate in the next (wire.md F3).
    private mutating func text(_ content: JSONView) -> [Piece] {
        guard content.hasLoneSurrogate || !halfSurrogate.isEmpty else {
            guard let utf8 = content.utf8, !utf8.isEmpty else { return [] }
            return [Piece(.text, utf8)]
        }
        var inner = halfSurrogate + content.raw.dropFirst().dropLast()
        halfSurrogate = []
        if inner.count >= 6 {
            let tail = Array(inner.suffix(6))
            let unit = String(decoding: tail.dropFirst(2), as: UTF8.self)
            let isEscape =
                tail[0] == 0x5C && tail[1] == 0x75 && !(inner.count >= 7 && inner[inner.count - 7] == 0x5C)
            if isEscape, let value = UInt16(unit, radix: 16), (0xD800...0xDBFF).contains(value) {
                halfSurrogate = tail
                inner.removeLast(6)
            }
        }
        let utf8 = JSONText.unescaped(inner[...])
        return utf8.isEmpty ? [] : [Piece(.text, utf8)]
    }

    private mutating func flushHalf() -> [Piece] {
        if halfSurrogate.isEmpty { return [] }
        halfSurrogate = []
        return [Piece(.text, Array("\u{FFFD}".utf8))]
    }

    /// A fragment of a call: by its index, else by its ID, else it belongs to the last one.
    private mutating func toolCall(_ view: JSONView) {
        hasContent = true
        let id = view["id"]?.string ?? ""
        let function = view["function"]
        let position: Int
        if let index = view["index"]?.int, let known = calls.firstIndex(where: { $0.key == index }) {
            position = known
        } else if view["index"]?.int == nil, !id.isEmpty,
            let known = calls.firstIndex(where: { $0.call.id == id })
        {
            position = known
        } else if view["index"]?.int == nil, id.isEmpty, !calls.isEmpty {
            position = calls.count - 1
        } else {
            calls.append(
                (
                    view["index"]?.int ?? (1 << 20) + calls.count,
                    Part.ToolCall(id: id, name: "", arguments: [])
                ))
            argumentTexts.append([])
            position = calls.count - 1
        }
        if calls[position].call.id.isEmpty { calls[position].call.id = id }
        if let name = function?["name"]?.string, calls[position].call.name.isEmpty {
            calls[position].call.name = name
        }
        if let arguments = function?["arguments"] {
            argumentTexts[position] +=
                arguments.utf8 ?? (arguments.kind == .object ? Array(arguments.raw) : [])
        }
    }

    private func finishedCalls() -> [Piece] {
        calls.enumerated().map { index, entry in
            var call = entry.call
            if call.id.isEmpty { call.id = "call_\(index + 1)" }
            let text = argumentTexts[index]
            if text.allSatisfy({ $0 <= 0x20 }) {
                call.arguments = Array("{}".utf8)
            } else if (try? JSONDocument(text)) != nil {
                call.arguments = text.filter { $0 != 0x0A && $0 != 0x0D }
            } else {
                var writer = JSONWriter()
                writer.string(utf8: Array(String(decoding: text, as: UTF8.self).utf8))
                call.arguments = writer.bytes
            }
            var writer = JSONWriter()
            Part.toolCall(call).write(to: &writer)
            return Piece(.part, writer.bytes)
        }
    }

    private func neutral(_ reason: String) -> String {
        switch reason {
        case "stop", "eos", "end_turn": calls.isEmpty ? "stop" : "tool_calls"
        case "length", "max_tokens": "length"
        case "tool_calls", "function_call": "tool_calls"
        case "content_filter": "content_filter"
        default: reason
        }
    }

    /// A whole answer in one JSON object, from a server that does not stream.
    package static func whole(_ body: [UInt8]) -> (pieces: [Piece], end: UpstreamEvent) {
        var stream = OpenAIStream()
        guard let view = try? JSONDocument(body).root else {
            return (
                [],
                .failed(
                    UpstreamFailure(
                        .protocolError, "the upstream's answer is neither a stream nor JSON",
                        isRetryable: true))
            )
        }
        let pieces = stream.chunk(view)
        let (rest, end) = stream.finish()
        return (pieces + rest, end)
    }
}

extension JSONElements {
    /// No elements.
    fileprivate static var none: JSONElements { JSONDocument.empty.root.elements }
}

extension JSONDocument {
    /// An empty array.
    fileprivate static let empty: JSONDocument = {
        guard let document = try? JSONDocument(Array("[]".utf8)) else { preconditionFailure("[] is JSON") }
        return document
    }()
}

extension Usage {
    /// Reads OpenAI's `usage` object (wire.md C2).
    init(openAI view: JSONView) {
        self.init(
            inputTokens: view["prompt_tokens"]?.int, outputTokens: view["completion_tokens"]?.int,
            cachedTokens: view["prompt_tokens_details"]?["cached_tokens"]?.int,
            reasoningTokens: view["completion_tokens_details"]?["reasoning_tokens"]?.int)
    }
}
