internal import ContextWindow

extension UpstreamKind {
    /// Chat Completions, as OpenAI and many others speak it (wire.md C).
    package static let openai: UpstreamKind = {
        var kind = UpstreamKind(
            "openai",
            .server {
                OpenAIDialect(
                    base: $0.baseURL, apiVersion: $0.word("apiVersion"), isAlternating: $0.flag("alternate"),
                    takesCacheKey: $0.flag("promptCacheKey"))
            })
        kind.baseURL = "https://api.openai.com/v1"
        kind.path = "/v1"
        kind.options = [
            // Azure's `api-version`.
            Option("apiVersion", .word(nil)),
            // Whether neighbours of one role are joined, for chat templates that demand alternation.
            Option("alternate", .flag(false)), promptCache,
            // Whether the server takes `prompt_cache_key`, as OpenAI's own does.
            Option("promptCacheKey", .flag(false)),
        ]
        kind.implicit = Implicit(
            keys: ["OPENAI_API_KEY"], baseURL: "OPENAI_BASE_URL", model: "OPENAI_MODEL",
            defaultModel: "gpt-4.1")
        kind.messages = { messages, system, writer in
            OpenAIRequest.writeMessages(messages, system: system, to: &writer)
        }
        kind.hasSystemMessage = true
        return kind
    }()
}
