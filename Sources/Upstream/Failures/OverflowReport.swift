/// Tells a context that is too long from other refusals, and reads the numbers that come with it (wire.md C5).
enum OverflowReport {
    private static let codes: Set<String> = [
        "1261", "context_length_exceeded", "exceed_context_size_error", "model_context_window_exceeded",
    ]

    /// How servers put it into words (wire.md C5, step 4).
    private static let phrases = [
        "`inputs` tokens + `max_new_tokens` must be", "cannot truncate prompt with n_keep",
        "configured context size is", "context length is only",
        "context limit is", "context size has been exceeded", "context window exceeds limit",
        "contextwindowexceedederror",
        "exceed context limit", "exceed model maximum", "exceeded context length",
        "exceeded max context length", "exceeded model token limit", "exceeds the available context size",
        "exceeds the context window", "exceeds the maximum allowed input length",
        "exceeds the maximum number of tokens allowed", "greater than the context length",
        "input is too long", "input tokens exceed the configured limit", "input too long",
        "larger than the max context size", "longer than the context length",
        "longer than the model's context length", "maximum context length", "maximum prompt length is",
        "model's maximum context limit", "must be less than max_seq_len", "prompt is too long",
        "prompt too long", "range of input length should be", "reduce the length of the",
        "requested token count exceeds", "token limit exceeded", "too large for model with",
        "too many input tokens", "too many tokens", "trying to keep the first",
    ]

    /// Whether a report says that a request has too many bytes: Anthropic's, Google's, and a 413 of a server or of what stands
    /// before it (wire.md A6, C3, E5); asked of what tells of no tokens.
    static func isOfBytes(_ report: FailureReport, status: Int?) -> Bool {
        let text = report.text.lowercased()
        return report.codes.contains("request_too_large") || text.contains("payload size exceeds")
            || status == 413
    }

    /// How many bytes a request may have; nil where it is not said.
    static func mostBytes(_ report: FailureReport) -> Int? {
        number(after: "payload size exceeds the limit: ", in: report.text.lowercased())
    }

    /// Whether a report tells of a context that is too long, the machine's words first.
    static func isOverflow(_ report: FailureReport, status: Int?) -> Bool {
        if report.codes.contains("string_above_max_length") { return false }
        if !codes.isDisjoint(with: report.codes) { return true }
        let text = report.text.lowercased()
        if status == 413, text.contains("tokens per minute") || text.contains("tpm") { return true }
        if ["rate limit", "too many requests", "throttl"].contains(where: text.contains) { return false }
        guard status.map({ [200, 400, 404, 413, 422, 500, 502].contains($0) }) ?? true else { return false }
        return phrases.contains { text.contains($0) }
            || text.contains("current length is") && text.contains("while limit is")
            || text.contains("maximum input length is") && text.contains("tokens")
            || text.contains("prompt token count of") && text.contains("exceeds the limit of")
    }

    private static let limitLeads = [
        "maximum context length is ", "context length is only ", "configured limit of ",
        "maximum prompt length is ", "maximum number of tokens allowed (",
        "maximum number of tokens allowed ",
        "exceeds the limit of ", "model token limit: ", "configured context size is ", "while limit is ",
        "maximum allowed input length of ", "maximum context length of ", "maximum context length (",
        "available context size (", "context length of only ", "context limit is ",
        "`max_new_tokens` must be <= ", "input length should be [1, ", "too large for model with ",
        "model maximum (", "context length (", "n_ctx (",
        " > ",
    ]

    private static let countLeads = [
        "in the messages, ", "messages resulted in ", "resulted in ", "at least ", "your request has ",
        "input token count (", "prompt is too long: ", "current length is ", "request contains ",
        "input length (", "input length ", "prompt token count of ", "prompt has ", "(requested: ",
        "trying to keep the first ", "prompt=", "given: ", "request (",
        "you passed ", "prompt contains ", "contains ", "prompt tokens (", "input (", "context limit: ",
        "n_keep (",
    ]

    /// The numbers of a report, as far as they can be read.
    static func numbers(_ report: FailureReport) -> UpstreamFailure.Overflow {
        let text = report.text.lowercased()
        let limit = report.contextLimit ?? limitLeads.lazy.compactMap { number(after: $0, in: text) }.first
        var counted = report.promptTokens
        if counted == nil, let inMessages = number(before: " in the messages", in: text) {
            counted = inMessages
        }
        if counted == nil, let inText = number(before: " of text input", in: text) {  // OpenRouter
            counted = inText + (number(before: " of tool input", in: text) ?? 0)
        }
        if counted == nil { counted = countLeads.lazy.compactMap { number(after: $0, in: text) }.first }
        if counted == limit { counted = report.promptTokens }
        var said = UpstreamFailure.Overflow(
            limit: limit, counted: counted, isLowerBound: text.contains("at least"))
        if limit == nil, let (limit, requested) = rate(in: text) {
            (said.limit, said.counted, said.isOfMinute) = (limit, requested, true)
        }
        said.excess = number(after: "exceeded max context length by ", in: text)  // Ollama's cloud
        return said
    }

    /// `Limit 30000, Requested 45000`, both tokens of a minute (wire.md C5).
    static func rate(in text: String) -> (limit: Int, requested: Int)? {
        guard !text.contains("used "), let limit = number(after: "limit ", in: text),
            let requested = number(after: "requested ", in: text)
        else { return nil }
        return (limit, requested)
    }

    /// The first number right behind `lead`, unless it counts characters (wire.md C5, vLLM).
    static func number(after lead: String, in text: String) -> Int? {
        var rest = text[...]
        while let found = rest.firstRange(of: lead) {
            rest = rest[found.upperBound...]
            let run = rest.prefix { $0.isASCII && $0.isNumber || $0 == "," }
            let behind = rest.dropFirst(run.count)
            if behind.hasPrefix(" characters") || behind.hasPrefix(" input characters") { continue }
            if let value = Int(run.filter { $0 != "," }), 1...TokenCount.most ~= value { return value }
        }
        return nil
    }

    private static func number(before tail: String, in text: String) -> Int? {
        guard let found = text.firstRange(of: tail) else { return nil }
        let digits = text[..<found.lowerBound].reversed().prefix { $0.isASCII && $0.isNumber || $0 == "," }
        return Int(String(digits.reversed().filter { $0 != "," })).flatMap {
            0...TokenCount.most ~= $0 ? $0 : nil
        }
    }
}
