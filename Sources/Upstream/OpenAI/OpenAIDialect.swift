package import ContextWindow
internal import Conversation
internal import JSON

/// Chat Completions, as OpenAI, llama.cpp, vLLM, LM Studio, OpenRouter, DeepSeek, Groq and Azure speak it
/// (wire.md C).
package struct OpenAIDialect: Dialect {
    let base: String
    private let apiVersion: String?
    private let isAlternating: Bool
    private let modelList: String?
    private let fetchesImages: Bool
    package let takesCacheKey: Bool
    /// What the address tells of the server; each prompt asks several times.
    private let isAzure, isOpenAI, isDeepSeek: Bool

    /// `base` is an address without a trailing slash; `apiVersion` is Azure's; `modelList` is the address of a list of models
    /// that stands elsewhere than OpenAI's; `fetchesImages` says whether the server takes addresses of images, `takesCacheKey` whether another than OpenAI's own takes keys of conversations.
    package init(
        base: String, apiVersion: String? = nil, isAlternating: Bool = false, modelList: String? = nil,
        fetchesImages: Bool = true, takesCacheKey: Bool = false
    ) {
        let host = Addresses.host(of: base)
        isAzure = host.hasSuffix(".openai.azure.com") || host.hasSuffix(".azure-api.net")
        isOpenAI = host == "api.openai.com" || isAzure
        isDeepSeek = host.hasSuffix("deepseek.com")
        self.takesCacheKey = takesCacheKey || host == "api.openai.com"
        self.fetchesImages = fetchesImages
        self.modelList = modelList
        self.base = base
        self.apiVersion = apiVersion
        self.isAlternating = isAlternating
    }

    package func rules(issuer: String) -> DialectRules {
        var rules = DialectRules.openAI
        rules.isAlternating = isAlternating
        rules.thoughtIssuer = isDeepSeek ? issuer : nil
        rules.startsWithUser = isAlternating
        rules.endsWithUser = true
        // Templates of other servers want one system prompt, at the beginning, and know no files.
        rules.takesSystemAnywhere = isOpenAI && !isAlternating
        rules.media.takesPDF = isOpenAI
        if isOpenAI { rules.weights = .o200k }
        if isDeepSeek { rules.weights = .deepSeek }
        if !fetchesImages { rules.media.addresses = [] }
        return rules
    }

    package func url(for model: String) -> String { address("chat/completions") }

    package let headers: [String] = []

    package func keyHeaders(_ key: String) -> [String] {
        isAzure ? ["api-key: \(key)"] : ["Authorization: Bearer \(key)"]
    }

    package func body(for request: ModelRequest, _ quirks: Quirks) -> [UInt8] {
        var request = request
        if !takesCacheKey { request.cacheKey = nil }
        return OpenAIRequest.body(request, quirks)
    }

    package var untaken: Set<String> { ["candidates", "thinking"] }
    package func reader(issuer: String) -> any AnswerReader { OpenAIStream() }

    package func modelsURL(page token: String?) -> String { modelList ?? address("models") }

    package func models(in body: [UInt8]) -> (models: [ModelDescription], next: String?) {
        let root = try? JSONDocument(body).root
        // Some servers' own lists stand under 'models', and have names for IDs.
        let list = root?["data"] ?? root?["models"]
        let models = (list?.elements ?? JSONElements.none).compactMap { entry in
            (entry["id"] ?? entry["name"])?.string.map {
                ModelDescription(
                    id: $0,
                    // The last is llama.cpp's: what it was started with, not what the model was trained with.
                    contextLength: (entry["max_model_len"] ?? entry["context_length"]
                        ?? entry["meta"]?["n_ctx"])?.tokens,
                    counter: (entry["owned_by"]?.string).flatMap(TokenCounter.init))
            }
        }
        return (models, nil)
    }

    package func countsTokens(_ counter: TokenCounter?) -> Bool { counter != nil }

    /// llama.cpp counts a whole request (`/v1/chat/completions/input_tokens` of its tools/server/README.md), and before it had that
    /// the text that its template makes of one; vLLM what its template makes of messages and tools (`/tokenize`, which has
    /// the form of `TokenizeChatRequest`).
    package func countings(_ request: ModelRequest, _ quirks: Quirks, _ counter: TokenCounter?)
        -> [TokenCounting]
    {
        let root = base.hasSuffix("/v1") ? String(base.dropLast(3)) : base
        switch counter {
        case nil: return []
        case .vLLM:
            return [.naming("count", root + "/tokenize", OpenAIRequest.countBody(request))]
        case .llamaCpp:
            let whole = TokenCounting.naming(
                "input_tokens", address("chat/completions/input_tokens"), body(for: request, quirks))
            let template = TokenCounting(
                root + "/apply-template", OpenAIRequest.countBody(request)
            ) { body in
                guard let prompt = (try? JSONDocument(body).root["prompt"])??.string else {
                    return .tokens(nil)
                }
                let text = JSONWriter.object {
                    $0.member("content", prompt)
                    $0.member("add_special", true)
                }
                return .ask(
                    TokenCounting(root + "/tokenize", text) { body in
                        guard let tokens = (try? JSONDocument(body).root["tokens"]) ?? nil,
                            tokens.kind == .array
                        else { return .tokens(nil) }
                        return .tokens(tokens.elements.reduce(0) { count, _ in count + 1 })
                    })
            }
            // A template leaves no more of an image than a mark.
            return request.hasMedia ? [whole] : [whole, template]
        }
    }

    /// OpenAI's own models refuse `max_tokens`, most other servers know only that (wire.md C1).
    package var quirks: Quirks { Quirks(maxTokensField: isOpenAI ? .maxCompletionTokens : .maxTokens) }

    private func address(_ path: String) -> String {
        let query = apiVersion.map { "?api-version=\(Addresses.escaped($0))" } ?? ""
        return "\(base)/\(path)\(query)"
    }

    /// Any server may be behind the address, one that cuts without a word too.
    package func cutSilently(
        counted: Int, expected: Int, of request: ModelRequest, behind before: CountedRequest?
    ) -> Bool {
        SilentCut.isLikely(counted: counted, expected: expected, of: request)
            || before.map { SilentCut.shows(counted, of: request, behind: $0) } ?? false
    }
}
