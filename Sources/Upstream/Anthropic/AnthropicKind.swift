internal import ContextWindow

extension UpstreamKind {
    /// Anthropic's Messages API (wire.md E).
    package static let anthropic: UpstreamKind = {
        var kind = UpstreamKind(
            "anthropic",
            .server { AnthropicDialect(base: $0.baseURL, cache: $0.promptCache) })
        kind.baseURL = "https://api.anthropic.com"
        kind.options = [promptCache]
        kind.keepsHours = true
        kind.implicit = Implicit(
            keys: ["ANTHROPIC_API_KEY"], baseURL: "ANTHROPIC_BASE_URL", model: "ANTHROPIC_MODEL",
            defaultModel: "claude-sonnet-4-5")
        kind.rules = .anthropic(nil)
        kind.messages = { messages, system, writer in
            AnthropicRequest(cache: .none).writeMessages(messages, hasSystem: system != nil, to: &writer)
        }
        return kind
    }()
}
