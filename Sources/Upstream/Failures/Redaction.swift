/// Strikes secrets out of what a server says: some send the very key back that they refuse.
struct Redaction {
    /// Shorter ones would strike out words.
    private static let shortest = 6

    private let secrets: [String]

    /// Header lines whose values are secret; the scheme before a value is not.
    init(headers: [String]) {
        secrets = headers.compactMap { line in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = String(line[line.index(after: colon)...]).trimmed
            let words = value.split(separator: " ")
            return words.count == 2 && words[0] == "Bearer" ? String(words[1]) : value
        }.filter { $0.utf8.count >= Redaction.shortest }.sorted { $0.utf8.count > $1.utf8.count }
    }

    /// The text without them, and without the beginning of one that was cut off at its end.
    func strike(_ text: String) -> String {
        var text = text
        for secret in secrets {
            while let found = text.firstRange(of: secret) { text.replaceSubrange(found, with: "…") }
            guard text.hasSuffix("…") else { continue }
            let body = text.dropLast()
            for length in stride(from: min(secret.count, body.count), to: 3, by: -1)
            where body.hasSuffix(secret.prefix(length)) {
                text = body.dropLast(length) + "…"
                break
            }
        }
        return text
    }
}
