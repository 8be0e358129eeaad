package import JSON

/// Reads what OpenAI-compatible servers say when they fail (wire.md C3 to C5).
package enum OpenAIError {
    /// Codes that never recover by waiting (wire.md C3).
    private static let billing: Set<String> = [
        "credit_balance_exhausted", "insufficient_quota", "organization_spend_limit_exceeded",
        "organization_usage_limit_exceeded", "project_spend_limit_exceeded",
    ]

    /// How a context overflow is put into words (wire.md C5, step 4).
    private static let overflow = [
        "maximum context length", "context length is only", "maximum prompt length is",
        "exceeds the context window",
        "exceeds the available context size", "context size has been exceeded",
        "larger than the max context size",
        "configured context size is", "longer than the context length",
        "longer than the model's context length",
        "greater than the context length", "context window exceeds limit", "model's maximum context limit",
        "exceed context limit", "exceeds the maximum number of tokens allowed",
        "exceeds the maximum allowed input length",
        "exceeded max context length", "exceeded context length", "exceeded model token limit",
        "range of input length should be",
        "too large for model with", "prompt is too long", "prompt too long", "input is too long",
        "input too long",
        "too many input tokens", "too many tokens", "input tokens exceed the configured limit",
        "exceed model maximum",
        "must be less than max_seq_len", "`inputs` tokens + `max_new_tokens` must be",
        "requested token count exceeds",
        "reduce the length of the", "token limit exceeded", "context limit is",
    ]

    /// The failure that a body tells of; nil when the body holds no error that can be read.
    package static func failure(status: Int?, body: [UInt8], retryAfter: Int? = nil) -> UpstreamFailure? {
        guard let root = try? JSONDocument(body).root, root.kind == .object else { return nil }
        if let error = root["error"], !error.isNull {
            return failure(status: status, error: error, retryAfter: retryAfter)
        }
        if root["message"] != nil || root["detail"] != nil {
            return failure(status: status, error: root, retryAfter: retryAfter)
        }
        return nil
    }

    /// The failure of an HTTP answer, whatever its body is.
    package static func failure(status: Int, anyBody body: [UInt8], retryAfter: Int?) -> UpstreamFailure {
        if let said = failure(status: status, body: body, retryAfter: retryAfter) { return said }
        return classify(status: status, code: "", type: "", text: "", retryAfter: retryAfter)
    }

    /// The failure that an `error` member tells of: an object, or a plain string.
    package static func failure(status: Int?, error: JSONView, retryAfter: Int? = nil) -> UpstreamFailure {
        let code = error["code"].map { $0.string ?? String(decoding: $0.raw, as: UTF8.self) } ?? ""
        let type = error["type"]?.string ?? ""
        let text =
            error.string ?? error["message"]?.string ?? error["detail"].map {
                $0.string ?? String(decoding: $0.raw, as: UTF8.self)
            } ?? ""
        let nested = error["metadata"]?["raw"]?.string ?? ""
        let inStream = status ?? Int(code).flatMap { (400...599).contains($0) ? $0 : nil }
        return classify(
            status: inStream, code: code, type: type, text: nested.isEmpty ? text : "\(text) \(nested)",
            retryAfter: retryAfter)
    }

    private static func classify(status: Int?, code: String, type: String, text: String, retryAfter: Int?)
        -> UpstreamFailure
    {
        func made(_ kind: UpstreamFailure.Kind, _ lead: String, isRetryable: Bool) -> UpstreamFailure {
            let said = clean(text)
            let place = status.map { " (HTTP \($0))" } ?? ""
            return UpstreamFailure(
                kind, "\(lead)\(place)\(said.isEmpty ? "" : ": \(said)")", status: status,
                isRetryable: isRetryable, retryAfter: retryAfter)
        }
        if billing.contains(code) || type == "insufficient_quota" {
            return made(.quota, "the upstream's quota is spent", isRetryable: false)
        }
        if isOverflow(status: status, code: code, type: type, text: text) {
            return made(.overflow, "the upstream says that the context is too long", isRetryable: false)
        }
        switch status {
        case 401, 403: return made(.auth, "the upstream refused the key", isRetryable: false)
        case 402: return made(.quota, "the upstream asks for payment", isRetryable: false)
        case 429: return made(.throttled, "the upstream asks to slow down", isRetryable: true)
        case 408, 504: return made(.timeout, "the upstream took too long", isRetryable: true)
        case 409, 500, 502, 503, 520, 521, 522, 523, 524, 529:
            return made(.unavailable, "the upstream is not available", isRetryable: true)
        case let status? where status >= 500:
            return made(.unavailable, "the upstream is not available", isRetryable: false)
        case .some: return made(.refused, "the upstream refused the request", isRetryable: false)
        case nil:
            let words = (code + " " + type + " " + text).lowercased()
            if words.contains("overload") || words.contains("unavailable") || words.contains("server_error") {
                return made(.unavailable, "the upstream broke the answer off", isRetryable: true)
            }
            if words.contains("rate_limit") || words.contains("rate limit") {
                return made(.throttled, "the upstream asks to slow down", isRetryable: true)
            }
            return made(.protocolError, "the upstream broke the answer off", isRetryable: false)
        }
    }

    private static func isOverflow(status: Int?, code: String, type: String, text: String) -> Bool {
        if code == "string_above_max_length" { return false }
        if code == "context_length_exceeded" || type == "exceed_context_size_error"
            || type == "request_too_large" || code == "1261"
        {
            return true
        }
        let lower = text.lowercased()
        if status == 429 || lower.contains("rate limit") || lower.contains("too many requests")
            || lower.contains("throttl")
        {
            return false
        }
        guard status.map({ [400, 404, 413, 422, 500, 502].contains($0) }) ?? true else { return false }
        return overflow.contains { lower.contains($0) }
            || (lower.contains("current length is") && lower.contains("while limit is"))
            || (lower.contains("maximum input length is") && lower.contains("tokens"))
            || (lower.contains("prompt token count of") && lower.contains("exceeds the limit of"))
    }

    /// What the server said, on one line, cut to 300 characters, with anything that looks like a key taken out.
    package static func clean(_ text: String) -> String {
        let words = text.unicodeScalars.split { $0.properties.isWhitespace || $0.value < 0x20 }.map {
            String(String.UnicodeScalarView($0))
        }
        let safe = words.map { word in
            ["sk-", "AIza", "Bearer", "ya29.", "gsk_", "xai-"].contains { word.contains($0) } ? "…" : word
        }
        let line = safe.joined(separator: " ")
        return line.count <= 300 ? line : line.prefix(299) + "…"
    }
}
