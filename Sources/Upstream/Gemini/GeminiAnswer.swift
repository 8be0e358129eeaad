package import Conversation
package import JSON

/// The chunks of a Gemini answer, put together (wire.md A3, A6).
///
/// The first `finishReason` is no end: old models repeat it and proxies put it first. The answer is whole at the end
/// of the body, if any finish reason came; the last one counts, but
/// that a mere stop takes no limit and no filter back.
package struct GeminiAnswer: AnswerBody {
    /// Reasons that mean that a filter stopped the answer.
    private static let filtered: Set<String> = [
        "BLOCKLIST", "ESCALATION", "FINISH_REASON_UNSPECIFIED", "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION", "IMAGE_SAFETY", "LANGUAGE", "MODEL_ARMOR", "PROHIBITED_CONTENT",
        "PUP_LIMITED_DISABLED", "RECITATION", "SAFETY", "SPII",
    ]
    /// Reasons after which one more try is sensible when there is no text.
    private static let unexplained: Set<String> = [
        "IMAGE_OTHER", "MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "NO_IMAGE", "OTHER",
    ]
    /// Reasons after which the same request ends the same way.
    private static let misused: Set<String> = [
        "MISSING_THOUGHT_SIGNATURE", "TOO_MANY_TOOL_CALLS", "UNEXPECTED_TOOL_CALL",
    ]

    /// Who made it: tool calls keep their seal for this upstream only.
    let issuer: String
    private var reason: String?
    private var message: String?
    private var flagged: String?
    private var block: String?
    private var isWithoutCandidates = false
    private var counts: [String: Int] = [:]
    private var hasContent = false
    private var calls = 0
    private var others: [Int: Answer] = [:]
    /// One for each candidate.
    private var joiners: [Int: ProseJoiner] = [:]
    private var goesOn = false
    private var marks = EndMarks()

    package init(issuer: String) { self.issuer = issuer }

    /// Bytes of the other candidates.
    package private(set) var heldBytes = 0

    package var hasFinish: Bool { false }  // only the end of the body tells
    /// Behind a reason nothing is to come but usage; one with which the model stopped by itself says nothing where it stood
    /// before all text, or where text without one came behind it.
    package var seemsWhole: Bool {
        guard let reason else { return block != nil }
        return reason == "STOP" ? hasContent && !goesOn : !goesOn
    }
    package var isUnsure: Bool { marks.isUnsure }
    package var isOver: Bool { false }
    package private(set) var isSteady = false

    package mutating func take(_ view: JSONView) throws(UpstreamFailure) -> [Piece] {
        if let counted = view["usageMetadata"], counted.kind == .object { add(counted) }
        if let feedback = view["promptFeedback"], let why = feedback["blockReason"]?.string {
            let words = feedback["blockReasonMessage"]?.string.map(FailureReport.clean)
            block = why + (words.map { ": \($0)" } ?? "")
            flagged = GeminiAnswer.flagged(feedback) ?? flagged
        }
        isSteady = false
        guard let candidates = view["candidates"] else { return [] }
        isSteady = candidates.count == 1
        if candidates.count == 0 { isWithoutCandidates = true }
        let hadReason = reason != nil
        let isReasoned = candidates.elements.contains { !($0["finishReason"]?.string ?? "").isEmpty }
        var pieces: [Piece] = []
        for candidate in candidates.elements { pieces += take(candidate: candidate) }
        if isReasoned { isSteady = false }
        marks.add(hasContent: !pieces.isEmpty, isMarked: isReasoned, wasMarked: hadReason)
        if !pieces.isEmpty {
            goesOn = hadReason && !isReasoned
            hasContent = true
        }
        return pieces
    }

    private mutating func take(candidate: JSONView) -> [Piece] {
        let index = candidate["index"]?.int ?? 0
        var pieces: [Piece] = []
        for part in candidate["content"]?["parts"]?.elements ?? JSONElements.none {
            pieces += read(part, index)
        }
        guard index == 0 else {
            for piece in pieces {
                heldBytes += piece.bytes.count + 64
                others[index, default: Answer(issuer: issuer)].append(piece)
            }
            return []
        }
        // What only repeats that it stopped takes nothing back of why.
        if let why = candidate["finishReason"]?.string, !why.isEmpty, why != "STOP" || !isTelling {
            reason = why
        }
        message = candidate["finishMessage"]?.string.map(FailureReport.clean) ?? message
        flagged = GeminiAnswer.flagged(candidate) ?? flagged
        return pieces
    }

    /// Whether the reason says more than that it stopped; one that is not specified says less.
    private var isTelling: Bool {
        guard let reason else { return false }
        return reason == "MAX_TOKENS"
            || GeminiAnswer.filtered.contains(reason) && reason != "FINISH_REASON_UNSPECIFIED"
    }

    private mutating func read(_ part: JSONView, _ index: Int) -> [Piece] {
        let signature = part["thoughtSignature"]?.string
        if part["text"] == nil || index != 0 { isSteady = false }
        if let call = part["functionCall"] { return [read(call: call, signature)] }
        var pieces: [Piece] = []
        if let text = part["text"], text.kind == .string {
            let isThought = part["thought"]?.bool ?? false
            pieces += joiners[index, default: ProseJoiner()].pieces(isThought ? .thought : .text, text)
        } else if let inline = part["inlineData"], let data = inline["data"]?.string {
            let type = inline["mimeType"]?.string ?? "application/octet-stream"
            let part: Part =
                type.hasPrefix("audio/")
                ? .audio(mimeType: type, data: data) : .image(mimeType: type, data: data, uri: nil)
            pieces.append(Piece(part))
        } else if let file = part["fileData"], let uri = file["fileUri"]?.string {
            pieces.append(Piece(.image(mimeType: file["mimeType"]?.string ?? "", data: nil, uri: uri)))
        } else if let code = part["executableCode"] {
            let language = code["language"]?.string?.lowercased() ?? ""
            pieces.append(Piece(.text, Array("\n```\(language)\n\(code["code"]?.string ?? "")\n```\n".utf8)))
        } else if let result = part["codeExecutionResult"]?["output"]?.string {
            pieces.append(Piece(.text, Array("\n```\n\(result)\n```\n".utf8)))
        }
        if let signature { pieces.append(Piece(.signature, Array(signature.utf8))) }
        return pieces
    }

    private mutating func read(call: JSONView, _ signature: String?) -> Piece {
        calls += 1
        let given = call["args"].flatMap { $0.isNull ? nil : Array($0.raw) } ?? []
        let arguments = ToolCallAssembly.arguments(given)
        return Piece(
            Part.ToolCall(
                id: call["id"]?.string ?? "call_\(calls)", name: call["name"]?.string ?? "",
                arguments: arguments, signature: signature, issuer: signature == nil ? nil : issuer))
    }

    /// Counts are totals so far; each field's last value counts (wire.md A3).
    private mutating func add(_ view: JSONView) {
        // One that a server takes back is no count.
        for member in view.members {
            if let count = member.value.tokens, count > 0 || counts[member.key] == nil {
                counts[member.key] = count
            }
        }
    }

    package var usage: Usage? {
        if counts.isEmpty { return nil }
        func sum(_ first: String, _ second: String) -> Int? {
            if counts[first] == nil && counts[second] == nil { return nil }
            return (counts[first] ?? 0) + (counts[second] ?? 0)
        }
        return Usage(
            inputTokens: sum("promptTokenCount", "toolUsePromptTokenCount"),
            outputTokens: sum("candidatesTokenCount", "thoughtsTokenCount"),
            cachedTokens: counts["cachedContentTokenCount"], reasoningTokens: counts["thoughtsTokenCount"])
    }

    /// The category that blocked, out of the safety ratings.
    private static func flagged(_ view: JSONView) -> String? {
        let ratings = view["safetyRatings"]?.elements ?? JSONElements.none
        let worst =
            ratings.first { $0["blocked"]?.bool ?? false }
            ?? ratings.first { $0["probability"]?.string == "HIGH" }
        return worst?["category"]?.string
    }

    package mutating func end(isDone: Bool) throws(UpstreamFailure) -> (pieces: [Piece], finish: Turn.Finish?)
    {
        let tail = joiners[0]?.flush() ?? []
        if let block, !hasContent || reason == nil {
            return (tail, refusal("the prompt was blocked: \(block)"))
        }
        guard let reason else {
            if isWithoutCandidates && !hasContent {
                return (tail, refusal("the provider gave no answer to this prompt"))
            }
            return (tail, nil)
        }
        if GeminiAnswer.filtered.contains(reason) { return (tail, refusal(reason)) }
        let words = message.map(FailureReport.clean)
        let isMisuse = GeminiAnswer.misused.contains(reason)
        if isMisuse || GeminiAnswer.unexplained.contains(reason), !hasContent {
            var failure = UpstreamFailure(
                .protocolError, "the upstream gave no answer: \(reason)\(words.map { ", \($0)" } ?? "")",
                isRetryable: !isMisuse)
            failure.neutral = "the upstream gave no answer"
            throw failure
        }
        let word =
            switch reason {
            case "STOP": calls > 0 ? "tool_calls" : "stop"
            case "MAX_TOKENS": "length"
            default: reason.lowercased()
            }
        let detail = reason == "STOP" || reason == "MAX_TOKENS" ? nil : words ?? reason
        let alternatives = others.sorted { $0.key < $1.key }.map(\.value).filter { !$0.isEmpty }.map(
            \.content)
        return (tail, Turn.Finish(reason: word, usage: usage, detail: detail, alternatives: alternatives))
    }

    private func refusal(_ why: String) -> Turn.Finish {
        let category = flagged.map { " (\($0))" } ?? ""
        let words = message.map { ": \($0)" } ?? ""
        return Turn.Finish(reason: "content_filter", usage: usage, detail: why + category + words)
    }
}

extension Piece {
    /// A whole part.
    init(_ part: Part) {
        var writer = JSONWriter()
        part.write(to: &writer)
        self.init(.part, writer.bytes)
    }
}
