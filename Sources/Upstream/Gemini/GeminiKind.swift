internal import ContextWindow

extension UpstreamKind {
    /// Google's Generative Language API, and Vertex AI by its base address (wire.md A).
    package static let gemini: UpstreamKind = {
        var kind = UpstreamKind("gemini", .server { GeminiDialect(base: $0.baseURL) })
        kind.baseURL = "https://generativelanguage.googleapis.com"
        kind.takesGoogleCredentials = true
        kind.options = [promptCache]
        // The first beats the second, as in Google's own libraries (wire.md A2).
        kind.implicit = Implicit(
            keys: ["GOOGLE_API_KEY", "GEMINI_API_KEY"], baseURL: "GOOGLE_GEMINI_BASE_URL",
            model: "GEMINI_MODEL", defaultModel: "gemini-2.5-flash")
        kind.rules = .gemini(nil)
        kind.messages = { messages, _, writer in GeminiRequest.writeContents(messages, to: &writer) }
        return kind
    }()
}
