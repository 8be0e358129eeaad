package import ContextWindow
internal import Conversation
internal import JSON

/// Anthropic's Messages API, and servers compatible with it (wire.md E).
package struct AnthropicDialect: Dialect {
    let base: String
    private let request: AnthropicRequest

    /// `cache` puts `cache_control` marks on the stable prefix, for so long.
    package init(base: String, cache: PromptCache = .minutes) {
        self.base = base
        request = AnthropicRequest(
            cache: cache, isDiagnosed: Addresses.host(of: base) == "api.anthropic.com")
    }

    package func rules(issuer: String) -> DialectRules { .anthropic(issuer) }
    package func url(for model: String) -> String { Addresses.join(base, version: "v1", "messages") }

    /// The version that every compatible server knows; the newer one refuses sampling parameters (wire.md E1).
    package let headers = ["anthropic-version: 2023-06-01"]

    package func keyHeaders(_ key: String) -> [String] { ["x-api-key: \(key)"] }

    package func body(for request: ModelRequest, _ quirks: Quirks) -> [UInt8] {
        var form = self.request
        if request.isAlone { form.cache = .none }
        return form.body(request, quirks)
    }

    package var quirks: Quirks {
        var quirks = Quirks()
        quirks.forcesWithoutThinking = true
        return quirks
    }

    package var untaken: Set<String> { ["candidates", "seed"] }
    package func reader(issuer: String) -> any AnswerReader {
        StreamedAnswer(body: AnthropicAnswer(issuer: issuer))
    }

    package func modelsURL(page token: String?) -> String {
        Addresses.join(base, version: "v1", "models?limit=1000")
            + (token.map { "&after_id=\(Addresses.escaped($0))" } ?? "")
    }

    package func models(in body: [UInt8]) -> (models: [ModelDescription], next: String?) {
        guard let root = try? JSONDocument(body).root else { return ([], nil) }
        let models = (root["data"]?.elements ?? JSONElements.none).compactMap { model in
            model["id"]?.string.map {
                ModelDescription(id: $0, contextLength: model["max_input_tokens"]?.tokens)
            }
        }
        let hasMore = root["has_more"]?.bool ?? false
        return (models, hasMore ? root["last_id"]?.string : nil)
    }

    package func answerCap(_ parameters: ModelParameters, _ quirks: Quirks) -> AnswerCap? {
        AnthropicRequest.answerCap(parameters, quirks)
    }

    /// Of all models these two (wire-2.md A4, A7).
    package func bindsToAccount(_ model: String) -> Bool {
        ["sonnet-5-5", "sonnet-5.5", "haiku-5-5", "haiku-5.5"].contains { model.contains($0) }
    }

    package func countsTokens(_ counter: TokenCounter?) -> Bool { true }

    package func countings(_ request: ModelRequest, _ quirks: Quirks, _ counter: TokenCounter?)
        -> [TokenCounting]
    {
        let url = Addresses.join(base, version: "v1", "messages/count_tokens")
        return [.naming("input_tokens", url, self.request.countBody(request, quirks))]
    }
}

extension DialectRules {
    /// Roles alternate and begin with the user; recent models take no answer as the last message (wire.md E2).
    ///
    /// Names are `^[a-zA-Z0-9_-]{1,128}$` by its own words and were 64 characters before, as compatible servers may have it still.
    static func anthropic(_ issuer: String?) -> DialectRules {
        var rules = DialectRules(
            isAlternating: true, thoughtIssuer: issuer, replay: .chained, startsWithUser: true,
            endsWithUser: true)
        rules.weights = .newClaude
        // "String should match pattern '^[a-zA-Z0-9_-]+$'", of any length that others give.
        rules.callIDs = NameRule(longest: 64)
        // Images and PDFs in results, none in answers, no sounds (wire.md E2).
        rules.media = MediaRules(
            results: .inside, sounds: .some([]), inAnswers: false, takesPDF: true)
        // "image exceeds 5 MB maximum: … bytes > 5242880 bytes", which are those of the base64.
        rules.media.mostImageData = 5_242_880
        return rules
    }
}
