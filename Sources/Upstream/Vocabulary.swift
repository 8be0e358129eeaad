package import Conversation

extension TokenWeights {
    /// What is known of a model's vocabulary by its name, whoever serves it; nil for nothing (wire.md H1, H2).
    package static func named(_ model: String) -> TokenWeights? {
        let name = model.lowercased()
        func has(_ words: String...) -> Bool { words.contains { name.contains($0) } }
        // Gemma 3's is Gemini's.
        if has("gemini", "gemma-3", "gemma3") { return .gemini }
        if has("claude") { return isOldClaude(name) ? .claude : .newClaude }
        if has("deepseek") { return .deepSeek }
        if has("gpt-4o", "gpt-4.1", "gpt-4.5", "gpt-5", "chatgpt-4o", "gpt-oss") { return .o200k }
        if has("gpt-3.5", "gpt-4") { return .cl100k }
        let last = name.split(separator: "/").last ?? ""
        let isReasoning = ["o1", "o3", "o4"].contains { last == $0 || last.hasPrefix("\($0)-") }
        return isReasoning ? .o200k : nil
    }

    /// Models before Opus 4.7, with Sonnet 4 and Haiku 4, have the older vocabulary.
    private static func isOldClaude(_ name: String) -> Bool {
        if ["claude-3", "claude-2", "claude-1", "claude-v", "claude-instant", "sonnet-4", "haiku-4"].contains(
            where: name.contains)
        {
            return true
        }
        guard let match = name.firstMatch(of: /opus-4(?:[-.](\d{1,2})(?!\d))?/) else { return false }
        return match.1.flatMap { Int($0) }.map { $0 < 7 } ?? true
    }
}
