package import ContextWindow
internal import Conversation
package import JSON

/// A window's messages in a dialect, for frontends that call the model themselves.
package enum DialectMessages {
    /// Writes the array; `dialect` is the name of a kind of upstream.
    ///
    /// Chat Completions has the system prompt among the messages, the others have it beside them.
    package static func write(_ window: Window, in dialect: String, to writer: inout JSONWriter) {
        let system = window.system
        switch dialect {
        case "anthropic":
            AnthropicRequest(marksCache: false).writeMessages(
                window.outgoing(for: .anthropic(nil)), hasSystem: system != nil, to: &writer)
        case "gemini": GeminiRequest.writeContents(window.outgoing(for: .gemini(nil)), to: &writer)
        default: OpenAIRequest.writeMessages(window.outgoing(for: .openAI), system: system, to: &writer)
        }
    }
}
