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
                        ?? entry["meta"]?["n_ctx"])?.tokens)
            }
        }
        return (models, nil)
    }

    /// OpenAI's own models refuse `max_tokens`, most other servers know only that (wire.md C1).
    package var quirks: Quirks { Quirks(maxTokensField: isOpenAI ? .maxCompletionTokens : .maxTokens) }

    private func address(_ path: String) -> String {
        let query = apiVersion.map { "?api-version=\(Addresses.escaped($0))" } ?? ""
        return "\(base)/\(path)\(query)"
    }

    /// Any server may be behind the address, one that cuts without a word too.
    package func cutSilently(counted: Int, expected: Int, of request: ModelRequest) -> Bool {
        SilentCut.isLikely(counted: counted, expected: expected, of: request)
    }
}
