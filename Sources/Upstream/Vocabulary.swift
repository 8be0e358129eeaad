package import Conversation

extension TokenWeights {
    /// What is known of a model's vocabulary and of how it counts images by its name, whoever serves it; nil for
    /// nothing (wire.md H1, H2, H5).
    package static func named(_ model: String) -> TokenWeights? {
        let name = model.lowercased()
        func has(_ words: String...) -> Bool { words.contains { name.contains($0) } }
        // Gemma 3's is Gemini's.
        if has("gemini", "gemma-3", "gemma3") {
            return has("gemini-1", "gemini-2") ? .gemini.counting(images: .gemini2) : .gemini
        }
        if has("claude") { return isOldClaude(name) ? .claude : .newClaude }
        if has("deepseek") { return .deepSeek }
        if has("gpt-4o-mini") { return .o200k.counting(images: .tiles(base: 2_833, each: 5_667)) }
        if has("gpt-4.1-mini") { return .o200k.counting(images: .patches(1.62)) }
        if has("gpt-5") {
            let minor = name.firstMatch(of: /gpt-5\.(\d{1,2})/).flatMap { Int($0.1) } ?? 0
            return .o200k.counting(images: minor >= 4 ? .patches(1.2) : .tiles(base: 70, each: 140))
        }
        if has("gpt-4o", "gpt-4.1", "gpt-4.5", "chatgpt-4o", "gpt-oss") { return .o200k }
        if has("gpt-3.5", "gpt-4") { return .cl100k }
        let last = name.split(separator: "/").last ?? ""
        let isReasoning = ["o1", "o3", "o4"].contains { last == $0 || last.hasPrefix("\($0)-") }
        return isReasoning ? .o200k.counting(images: .tiles(base: 75, each: 150)) : nil
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
