internal import Conversation
internal import JSON

/// A system prompt that an ACP client brings along (acp-2.md 1.2).
package struct SystemPrompt: Sendable, Equatable {
    /// What becomes of the session's own.
    package enum Mode: String, Sendable, CaseIterable {
        /// It stands behind it, for all who prompt, until a client brings another along.
        case append
        /// It stands in its place, for this client's prompts.
        case override
    }

    package let mode: Mode
    /// Its texts, joined; empty takes what was brought along before away.
    package let text: String

    /// Reads the member `systemPrompt`; nil where it is absent or null, which leaves what there is.
    init?(_ reader: inout ParameterReader) throws(WireError) {
        guard let object = try reader.object("systemPrompt") else { return nil }
        guard let mode = object["mode"]?.string.flatMap(Mode.init) else {
            throw .invalid("'systemPrompt.mode' must be 'append' or 'override'")
        }
        guard let content = object["content"], content.kind == .array else {
            throw .invalid("'systemPrompt.content' must be an array of text blocks")
        }
        self.mode = mode
        var texts: [String] = []
        for part in try checkedContent(content, path: "systemPrompt.content", role: .system) {
            if case .text(let text) = part, !text.isEmpty { texts.append(text) }
        }
        text = texts.joined(separator: "\n\n")
        if text.utf8.count > 1 << 20 {
            throw .invalid(
                "'systemPrompt' may have 1048576 bytes, it has \(text.utf8.count); shorten it")
        }
    }
}
