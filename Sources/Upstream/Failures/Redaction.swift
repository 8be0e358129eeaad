/// Strikes out of what a server says what a request carried and nobody may see: some send the very key back that they
/// refuse, or most of it.
///
/// Known prefixes catch many keys, but a gateway's or Azure's looks like nothing.
struct Redaction {
    /// Shorter words are no secrets but would strike out common ones.
    private static let shortest = 8
    /// So much of the beginning or the end of a secret gives a word away.
    private static let telling = 12

    private let secrets: [String]

    /// Takes header lines `Name: value`.
    init(headers: [String]) {
        secrets = headers.flatMap { line in
            line.drop { $0 != ":" }.dropFirst().split(separator: " ").map(String.init)
        }.filter { $0.utf8.count >= Redaction.shortest }
    }

    /// The text with each word struck out that holds a secret, or as much of it as a cut text has left.
    func strike(_ text: String) -> String {
        if secrets.isEmpty { return text }
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        return words.enumerated().map { index, word in
            isTelling(word, isLast: index == words.count - 1) ? "…" : String(word)
        }.joined(separator: " ")
    }

    private func isTelling(_ word: Substring, isLast: Bool) -> Bool {
        let end = isLast && word.hasSuffix("…") ? word.dropLast() : nil
        return secrets.contains { secret in
            word.contains(secret.prefix(Redaction.telling)) || word.contains(secret.suffix(Redaction.telling))
                || end.map { end in (4...Redaction.telling).contains { end.hasSuffix(secret.prefix($0)) } }
                    ?? false
        }
    }
}
