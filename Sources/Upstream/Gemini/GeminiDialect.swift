package import ContextWindow
internal import Conversation
internal import JSON

/// Google's Generative Language API, and Vertex AI by its base address (wire.md A).
package struct GeminiDialect: Dialect {
    let base: String
    /// `base` is an address without a trailing slash.
    package init(base: String) { self.base = base }

    package func rules(issuer: String) -> DialectRules { .gemini(issuer) }

    package func url(for model: String) -> String { address(model) + ":streamGenerateContent?alt=sse" }

    package let headers: [String] = []

    /// The header, not the query: addresses end up in logs (wire.md A2).
    package func keyHeaders(_ key: String) -> [String] { ["x-goog-api-key: \(key)"] }

    package func body(for request: ModelRequest, _ quirks: Quirks) -> [UInt8] {
        GeminiRequest.body(request, quirks)
    }

    package func reader(issuer: String) -> any AnswerReader {
        StreamedAnswer(body: GeminiAnswer(issuer: issuer))
    }

    package func modelsURL(page token: String?) -> String {
        Addresses.join(base, version: "v1beta", "models?pageSize=1000")
            + (token.map { "&pageToken=\(Addresses.escaped($0))" } ?? "")
    }

    package func models(in body: [UInt8]) -> (models: [ModelDescription], next: String?) {
        guard let root = try? JSONDocument(body).root else { return ([], nil) }
        let chatting = (root["models"]?.elements ?? JSONElements.none).filter { model in
            guard let methods = model["supportedGenerationMethods"] else { return true }
            return methods.elements.contains { $0.string == "generateContent" }
        }
        let models = chatting.compactMap { model in
            model["name"]?.string.map { name in
                ModelDescription(
                    id: name.hasPrefix("models/") ? String(name.dropFirst(7)) : name,
                    contextLength: model["inputTokenLimit"]?.tokens)
            }
        }
        return (models, root["nextPageToken"]?.string)
    }

    package func countsTokens(_ counter: TokenCounter?) -> Bool { true }

    package func countings(_ request: ModelRequest, _ quirks: Quirks, _ counter: TokenCounter?)
        -> [TokenCounting]
    {
        // Vertex AI takes the request itself (wire.md A9), this API only wrapped (A8).
        let isVertex = base.contains("aiplatform")
        let body = isVertex ? GeminiRequest.body(request, quirks) : GeminiRequest.countBody(request, quirks)
        return [.naming("totalTokens", address(request.model) + ":countTokens", body)]
    }

    private func address(_ model: String) -> String {
        Addresses.join(
            base, version: "v1beta", Addresses.escaped(GeminiDialect.qualified(model), keeping: "/@"))
    }

    /// The model as a resource name; a caller's may have its collection already (wire.md A1).
    static func qualified(_ model: String) -> String { model.contains("/") ? model : "models/\(model)" }
}

extension DialectRules {
    /// Roles alternate, begin and end with the user (wire.md A5).
    ///
    /// Names "must start with a letter or an underscore. Must be alphameric (a-z, A-Z, 0-9), underscores (_), dots (.) or dashes
    /// (-), with a maximum length of 64", as the API says (issue 2966 of google-gemini/gemini-cli).
    static func gemini(_ issuer: String?) -> DialectRules {
        var rules = DialectRules(
            isAlternating: true, thoughtIssuer: issuer, replay: .seals, startsWithUser: true,
            endsWithUser: true)
        rules.weights = .gemini
        rules.toolNames = NameRule(longest: 64, signs: "-.", beginsWithLetter: true)
        // Bytes of any kind beside text (wire.md A4); files only from Google's own places and the web.
        rules.media = MediaRules(
            results: .beside,
            images: ["image/heic", "image/heif", "image/jpeg", "image/png", "image/webp"], sounds: .all,
            inAnswers: true, takesPDF: true,
            addresses: ["https://", "http://", "gs://"])
        return rules
    }
}
