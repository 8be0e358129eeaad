extension UpstreamKind {
    /// Ollama: Chat Completions (wire.md C), but that it lists its models in a way of its own, the newest first
    /// (design section 10).
    package static let ollama: UpstreamKind = {
        var kind = UpstreamKind(
            "ollama",
            .server { settings in
                let base = settings.baseURL, root = base.hasSuffix("/v1") ? base.dropLast(3) : base[...]
                // It takes images as bytes only (wire.md C6).
                return OpenAIDialect(base: base, modelList: root + "/api/tags", fetchesImages: false)
            })
        kind.baseURL = "http://127.0.0.1:11434/v1"
        kind.path = "/v1"
        kind.options = [promptCache]
        kind.messages = openai.messages
        kind.hasSystemMessage = openai.hasSystemMessage
        return kind
    }()
}

extension UpstreamSettings {
    /// Ollama as it is found on its port without a configuration.
    package static func ollama(at address: String) -> UpstreamSettings {
        UpstreamSettings(name: "ollama", kind: .ollama, baseURL: address + UpstreamKind.ollama.path)
    }
}
