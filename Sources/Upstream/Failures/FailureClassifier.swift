internal import Conversation

/// Puts what servers say into our kinds: the one place for all dialects.
///
/// The order of evidence is that of wire.md G3: machine words, the server's own verdict, a wait that it names, the
/// status. `schema/failures.json` has the table with an example per row; a test reads it.
package enum FailureClassifier {
    /// Words that never recover by waiting (wire.md C3, E5): OpenAI's and Anthropic's, `Arrearage` of DashScope, 1113 of
    /// Zhipu, `budget_exceeded` of LiteLLM.
    private static let spent: Set<String> = [
        "1113", "Arrearage", "billing_error", "billing_hard_limit_reached", "billing_not_active",
        "budget_exceeded", "contract_spend_limit_reached", "credit_balance_exhausted",
        "enforced_spend_limit_reached", "exceeded_current_quota_error", "insufficient_balance",
        "insufficient_credits", "insufficient_quota", "linked_organization_spend_limit_reached",
        "organization_on_hold", "organization_spend_limit_exceeded", "organization_usage_limit_exceeded",
        "project_spend_limit_exceeded",
    ]

    /// The same said to people, where no word for machines comes with it: Anthropic's low balance is an
    /// `invalid_request_error`, Google's spent credits a `RESOURCE_EXHAUSTED`.
    private static let spentPhrases = [
        "account is not active, please check your billing", "billing hard limit has been reached",
        "budget has been exceeded", "credit balance is too low", "insufficient balance",
        "insufficient credits", "make sure your account is in good standing", "prepaid credits",
        "prepayment credits are depleted", "reached your specified", "usage limits reached",
        "usage limits have been reached", "余额不足",
    ]

    /// Whether the upstream's owner must pay before it answers again.
    private static func isSpent(_ report: FailureReport, _ status: Int?, _ text: String) -> Bool {
        if !spent.isDisjoint(with: report.codes) { return true }
        let answered = report.status ?? status
        guard answered.map({ [200, 400, 402, 403, 429].contains($0) }) ?? true else { return false }
        return spentPhrases.contains { text.contains($0) } || status == 402 && report.retryAfter == nil
    }

    /// What a word means as an HTTP status, for errors inside a stream and behind proxies (wire.md A6, C3, E5).
    private static let statuses: [String: Int] = [
        "ABORTED": 409, "ALREADY_EXISTS": 409, "CANCELLED": 499, "DATA_LOSS": 500, "DEADLINE_EXCEEDED": 504,
        "FAILED_PRECONDITION": 400, "INTERNAL": 500, "INVALID_ARGUMENT": 400, "NOT_FOUND": 404,
        "OUT_OF_RANGE": 400, "PERMISSION_DENIED": 403, "RESOURCE_EXHAUSTED": 429, "UNAUTHENTICATED": 401,
        "UNAVAILABLE": 503, "UNIMPLEMENTED": 501, "UNKNOWN": 500,
        "api_error": 500, "authentication_error": 401, "conflict_error": 409, "invalid_api_key": 401,
        "invalid_request_error": 400, "model_not_found": 404, "not_found_error": 404, "overloaded_error": 529,
        "permission_error": 403, "rate_limit_error": 429, "rate_limit_exceeded": 429,
        "request_too_large": 413, "server_error": 500, "slow_down": 429, "timeout_error": 504,
        "unavailable_error": 503,
    ]

    /// The failure that a report tells of.
    package static func failure(_ report: FailureReport) -> UpstreamFailure {
        let status = status(of: report)
        if let known = decided(by: report, status) { return known }
        var failure = byStatus(report, status)
        if let verdict = report.shouldRetry { failure.isRetryable = verdict }
        return failure
    }

    /// Google's own status first, since proxies wrap it in another; then HTTP's, then whatever word stands for one.
    private static func status(of report: FailureReport) -> Int? {
        let google = report.codes.first {
            $0.allSatisfy { $0.isUppercase || $0 == "_" } && statuses[$0] != nil
        }
        if let google { return statuses[google] }
        if let status = report.status, status != 200 { return status }
        let numeric = report.codes.compactMap(Int.init).first { (400...599).contains($0) }
        return numeric ?? report.codes.sorted().lazy.compactMap { statuses[$0] }.max()
    }

    private static func decided(by report: FailureReport, _ status: Int?) -> UpstreamFailure? {
        let text = report.text.lowercased()
        if isSpent(report, status, text) {
            return failure(.quota, "the upstream's quota is spent", report, status, isRetryable: false)
        }
        if OverflowReport.isOverflow(report, status: status) {
            var failure = failure(
                .overflow, "the upstream says that the context is too long", report, status,
                isRetryable: false)
            let said = OverflowReport.numbers(report)
            failure.overflow = said
            // llama.cpp has the numbers beside the words, which may be cut.
            if let limit = said.limit, let counted = said.counted, report.contextLimit != nil {
                failure.message += " (it counted \(counted) tokens and holds \(limit))"
            }
            return failure
        }
        if OverflowReport.isOfBytes(report, status: status) {
            var failure = failure(
                .overflow, "the request has more bytes than the upstream takes", report, status,
                isRetryable: false)
            failure.overflow = .bytes(OverflowReport.mostBytes(report))
            return failure
        }
        // No wait mends these two, and shorter requests pass (wire.md C5, E5); Anthropic says the second with 400.
        let isOfPlan = ["extra usage is required", "long context beta is not"].contains(where: text.contains)
        if isOfPlan, status == 429 || status == 400 {
            var failure = failure(
                .quota, "the plan with the upstream has no contexts so long", report, status,
                isRetryable: false)
            failure.retryAfter = nil
            failure.concernsRequest = true
            return failure
        }
        // HTTP 400 (wire.md A6), and of gateways.
        if !report.codes.isDisjoint(with: ["API_KEY_INVALID", "invalid_api_key"]) {
            return failure(.auth, "the upstream refused the key", report, 401, isRetryable: false)
        }
        if isFiltered(report) {
            return failure(
                .refused, "the upstream's filter refused the prompt", report, status, isRetryable: false)
        }
        // llama.cpp answers so to what it was sent, and to the same each time.
        if text.contains("failed to parse tool call arguments as json") {
            return failure(.refused, "the upstream refused the request", report, status, isRetryable: false)
        }
        if Unsupported.isThoughtMissing(text), status == 400 {
            var failure = failure(
                .refused, "the upstream wants back what its model thought", report, status, isRetryable: false
            )
            failure.parameter = Quirks.missingThoughts
            return failure
        }
        if Unsupported.isThought(text), status == 400 {
            var failure = failure(
                .refused, "the upstream does not take a thought back", report, status, isRetryable: false)
            failure.parameter = Quirks.thoughts
            return failure
        }
        // OpenRouter says so with 404 (as in pull request 99079 of openclaw/openclaw), others with 400, 415 or 500.
        if let kind = Unsupported.media(text), status != 429 {
            var failure = failure(
                .refused, "the upstream's model takes no \(kind)", report, status, isRetryable: false)
            failure.parameter = kind
            return failure
        }
        if status == 429 { return limited(report, text) }
        return nil
    }

    /// Azure's and OpenRouter's filters (wire.md C6).
    package static func isFiltered(_ report: FailureReport) -> Bool {
        !report.codes.isDisjoint(with: ["content_filter", "flagged_input", "ResponsibleAIPolicyViolation"])
    }

    /// Quota or rate, in Google's own order (wire.md A7).
    private static func limited(_ report: FailureReport, _ text: String) -> UpstreamFailure {
        if text.contains("limit: 0") && !text.contains("limit: 0.") {
            var failure = failure(
                .quota, "the upstream gives this account none of this model", report, 429, isRetryable: false)
            failure.retryAfter = nil
            return failure
        }
        if report.quotas.contains(where: { $0.contains("PerDay") || $0.contains("Daily") }) {
            return failure(
                .quota, "the upstream's quota for the day is spent", report, 429, isRetryable: false)
        }
        if let (limit, requested) = OverflowReport.rate(in: text), requested > limit {
            var failure = failure(
                .throttled,
                "the request alone is more than the upstream takes in a minute, make 'window.maxTokens' smaller",
                report, 429, isRetryable: false)
            failure.concernsRequest = true
            return failure
        }
        var failure = failure(.throttled, "the upstream asks to slow down", report, 429, isRetryable: true)
        if failure.retryAfter == nil, report.quotas.contains(where: { $0.contains("PerMinute") }) {
            failure.retryAfter = 60_000
        }
        if let verdict = report.shouldRetry { failure.isRetryable = verdict }
        return failure
    }

    private static func byStatus(_ report: FailureReport, _ status: Int?) -> UpstreamFailure {
        func failure(_ kind: UpstreamFailure.Kind, _ lead: String, retry: Bool) -> UpstreamFailure {
            self.failure(kind, lead, report, status, isRetryable: retry)
        }
        switch status {
        case let status? where (300..<400).contains(status):
            return failure(
                .unavailable, "the upstream redirects; put the final address into 'baseURL'", retry: false)
        case 401: return failure(.auth, "the upstream refused the key", retry: false)
        case 402: return failure(.throttled, "the upstream's budget is in use", retry: true)
        case 403: return failure(.auth, "the upstream denies access", retry: false)
        case 404: return failure(.refused, "the upstream knows no such model or address", retry: false)
        case 407:
            return failure(
                .unavailable, "a proxy on the way wants a name and a password; put them into its address",
                retry: false)
        case 408, 504: return failure(.timeout, "the upstream took too long", retry: true)
        case 409, 499, 500, 502, 503, 520, 521, 522, 523, 524, 529:
            return failure(.unavailable, "the upstream is not available", retry: true)
        case 498: return failure(.throttled, "the upstream has no capacity", retry: true)
        case let status? where status >= 500:
            return failure(.unavailable, "the upstream is not available", retry: false)
        case .some:
            var failure = failure(.refused, "the upstream refused the request", retry: false)
            failure.parameter = Unsupported.parameter(report)
            failure.mostTokens = Unsupported.mostTokens(report)
            // Perhaps too long: who knows the window decides (wire.md C5, step 5).
            if report.isEmpty && status == 400 {
                failure.overflow = .init(limit: nil, counted: nil, isLowerBound: false)
            }
            return failure
        case nil: return inStream(report)
        }
    }

    /// An error without any status: what the words say.
    private static func inStream(_ report: FailureReport) -> UpstreamFailure {
        let words = (report.codes.sorted().joined(separator: " ") + " " + report.text).lowercased()
        if ["overload", "unavailable", "server_error", "insufficient_system_resource", "internal"].contains(
            where: words.contains)
        {
            return failure(.unavailable, "the upstream broke the answer off", report, nil, isRetryable: true)
        }
        if ["rate_limit", "rate limit", "throttl", "qps limit", "too many requests"].contains(
            where: words.contains)
        {
            return failure(.throttled, "the upstream asks to slow down", report, nil, isRetryable: true)
        }
        return failure(
            .protocolError, "the upstream broke the answer off", report, nil, isRetryable: report.isBare)
    }

    private static func failure(
        _ kind: UpstreamFailure.Kind, _ lead: String, _ report: FailureReport, _ status: Int?,
        isRetryable: Bool
    ) -> UpstreamFailure {
        let said = FailureReport.clean(report.text)
        let isWait = kind == .throttled || kind == .quota
        let end = isWait ? report.until.map { " until \(Timestamp.minute($0))" } ?? "" : ""
        let place = report.status.map { " (HTTP \($0))\(end)" } ?? end
        let hint = hint(report, status)
        var failure = UpstreamFailure(
            kind, "\(lead)\(place)\(said.isEmpty ? "" : ": \(said)")\(hint)", status: status,
            isRetryable: isRetryable, retryAfter: report.retryAfter)
        failure.answered = report.status ?? 200
        failure.neutral = "\(lead)\(place)\(hint)"
        return failure
    }

    /// What to set so that Google takes the token, behind a semicolon; empty where nothing is known.
    private static func hint(_ report: FailureReport, _ status: Int?) -> String {
        if report.codes.contains("ACCESS_TOKEN_SCOPE_INSUFFICIENT") {
            return "; the token's scopes do not reach, see 'credentials.scopes'"
        }
        if status == 403, report.text.contains("quota project") {
            return "; name the project that pays with 'credentials.quotaProject'"
        }
        return ""
    }
}

/// Parameters that some models refuse and others demand (wire.md C1, E1).
enum Unsupported {
    private static let names = [
        "max_completion_tokens", "max_tokens", "temperature", "top_p", "top_k", "stop", "seed",
        "stream_options", "prompt_cache_key", "diagnostics",
    ]

    /// Whether a report says that a thought of the history is refused, by its seal or its place (wire-2.md A2).
    static func isThought(_ text: String) -> Bool {
        let text = text.replacing("`", with: "")
        return [
            "invalid signature in thinking block", "invalid signature in redacted_thinking block",
            "bound to a different conversation",
            "thinking or redacted_thinking blocks in the latest assistant message cannot be modified",
            "thinking.signature: field required",
            // Issue 3077 of anomalyco/opencode.
            "expected thinking or redacted_thinking, but found",
            // Gemini's, of a thought, a text or a call (wire-2.md E).
            "corrupted thought signature", "invalid thought signature", "thought signature is not valid",
        ].contains(where: text.contains)
    }

    /// Whether a report says that what a model thought before it called must go back to it: DeepSeek's words (wire.md C6), and
    /// Moonshot's as threads of its users quote them.
    static func isThoughtMissing(_ text: String) -> Bool {
        text.contains("reasoning_content")
            && [
                "must be passed back", "reasoning_content is missing", "missing reasoning_content field",
            ].contains {
                text.replacing("`", with: "").contains($0)
            }
    }

    /// Which media a report says that the model does not read: words of OpenRouter, OpenAI, DeepSeek, llama.cpp, vLLM, Volcengine,
    /// Ollama (issue 691 of valentinfrlch/ha-llmvision), Groq (issue 2837 of vercel/ai), LM Studio, Mistral, Zhipu, DashScope and
    /// Bedrock, as threads of their users quote them; nil where it says no such thing.
    static func media(_ text: String) -> String? {
        let refusals = [
            "do not support ", "does not support ", "doesn't support ", "no endpoints found that support ",
        ]
        let text = text.replacing("`", with: "")
        func says(_ kinds: [String], _ phrases: [String]) -> Bool {
            refusals.contains { lead in kinds.contains { text.contains(lead + $0) } }
                || phrases.contains(where: text.contains)
                || kinds.contains { kind in
                    ["", "s"].contains { end in
                        text.contains("\(kind)\(end) is not supported")
                            || text.contains("\(kind)\(end) are not supported")
                    }
                }
        }
        let images = says(
            [
                "image input", "images", "image content", "image_url", "multimodal", "multimodal input",
                "multi-modal", "vision", "the image content block",
            ],
            [
                "at most 0 image", "image_url is only supported by", "is not a multimodal model",
                "unknown variant image_url", "missing data required for image input",
                "content must be a string", "vision add-on is not loaded",
                "image input is not enabled", "image input not supported", "image_url not supported",
                "image uploads are not supported", "unexpected item type in content",
                ".content' : value must be a string", ".content: input should be a valid string",
                "取值范围 ['text']",
            ])
        if images { return Quirks.images }
        let sounds = says(
            ["audio input", "audio content", "input_audio"],
            ["at most 0 audio", "unknown variant input_audio"])
        return sounds ? Quirks.sounds : nil
    }

    /// The parameter that a report says is not taken, nil when it says no such thing.
    static func parameter(_ report: FailureReport) -> String? {
        let text = report.text.lowercased()
        let isSaid =
            !report.codes.isDisjoint(with: ["unsupported_parameter", "unsupported_value"])
            || [
                "not supported", "unsupported", "deprecated", "does not support", "not permitted",
                "not allowed", "may only be set to", "unset when",
            ]
            .contains(where: text.contains)
        if isThinking(text) { return "thinking" }
        // Anthropic's newer models take one of both, and whoever sets the one rarely minds the other.
        if text.contains("cannot both be specified"), text.contains("top_p"), text.contains("temperature") {
            return "top_p+temperature"
        }
        guard isSaid else { return nil }
        if let named = report.parameter { return names.contains(named) ? named : nil }
        return names.filter { text.contains($0) }.min { place(of: $0, in: text) < place(of: $1, in: text) }
    }

    /// Whether a form of thinking is what is not taken: neither a parameter beside it nor a block of it in the history.
    private static func isThinking(_ text: String) -> Bool {
        let subjects = [
            "adaptive thinking", "disabled thinking", "extended thinking", "thinking budget", "thinking is ",
            "thinking level", "thinking mode", "thinking.type", "thinking: input", "thinking_budget",
            "thinkingbudget", "support thinking",
        ]
        let verdicts = [
            "does not match any of the expected tags", "does not support", "doesn't support", "invalid",
            "is not supported", "not available", "only works in thinking mode", "unsupported",
        ]
        guard subjects.contains(where: text.contains), verdicts.contains(where: text.contains) else {
            return false
        }
        return !["signature", " block", "may only be set to"].contains(where: text.contains)
    }

    /// The most tokens that an answer may have, where a report says that more were asked for; nil when it does not.
    ///
    /// Anthropic's, OpenAI's, DeepSeek's, Groq's and Google's words.
    static func mostTokens(_ report: FailureReport) -> Int? {
        let text = report.text.lowercased().replacing("`", with: "")
        if text.contains("is the maximum allowed number of output tokens") {
            return OverflowReport.number(after: " > ", in: text)
        }
        if text.contains("max_tokens") || text.contains("max_completion_tokens") {
            for lead in [
                "supports at most ", "valid range of max_tokens is [1, ", "must be less than or equal to ",
            ] {
                if let most = OverflowReport.number(after: lead, in: text) { return most }
            }
        }
        guard text.contains("maxoutputtokens") else { return nil }
        return OverflowReport.number(after: "(inclusive) to ", in: text).map { max(1, $0 - 1) }
    }

    private static func place(of name: String, in text: String) -> String.Index {
        text.firstRange(of: name)?.lowerBound ?? text.endIndex
    }
}
