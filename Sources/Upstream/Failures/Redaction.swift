internal import Crypto

/// Strikes out of what a server says what a request carried and nobody may see: some send the very key back that they
/// refuse, or most of it.
///
/// A word with the key, or with much of its beginning or end, is struck out. Where the key shows in another spelling (other
/// case, split by other characters, base64, hexadecimal) nothing of what was said is kept.
struct Redaction {
    /// Shorter words are no secrets but would strike out common ones.
    private static let shortest = 8
    /// So much of the beginning or the end of a secret gives a word away.
    private static let telling = 12
    /// So many letters and digits of a secret in a row, in whatever spelling, give all away.
    private static let window = 10

    private let secrets: [String]
    /// Stretches of letters and digits, in lower case, of each secret in each spelling.
    private let traces: Set<[UInt8]>

    /// Takes header lines `Name: value`.
    init(headers: [String]) {
        secrets = headers.flatMap { line in
            line.drop { $0 != ":" }.dropFirst().split(separator: " ").map(String.init)
        }.filter { $0.utf8.count >= Redaction.shortest }
        traces = Set(secrets.flatMap(Redaction.traces))
    }

    /// The text with each word struck out that holds a secret, or as much of it as a cut text has left; `neutral` is what
    /// is said instead when the whole text gives one away.
    func strike(_ text: String, else neutral: String) -> String {
        if secrets.isEmpty { return text }
        let words = text.split(separator: " ", omittingEmptySubsequences: false)
        let struck = words.enumerated().map { index, word in
            isTelling(word, isLast: index == words.count - 1) ? "…" : String(word)
        }.joined(separator: " ")
        return isTraced(struck) ? neutral : struck
    }

    private func isTelling(_ word: Substring, isLast: Bool) -> Bool {
        let end = isLast && word.hasSuffix("…") ? word.dropLast() : nil
        return secrets.contains { secret in
            word.contains(secret.prefix(Redaction.telling)) || word.contains(secret.suffix(Redaction.telling))
                || end.map { end in (4...Redaction.telling).contains { end.hasSuffix(secret.prefix($0)) } }
                    ?? false
        }
    }

    private func isTraced(_ text: String) -> Bool {
        let plain = Redaction.plain(Array(text.utf8))
        guard plain.count >= Redaction.window else { return false }
        for start in 0...(plain.count - Redaction.window)
        where traces.contains(Array(plain[start..<(start + Redaction.window)])) { return true }
        return false
    }

    /// Letters and digits alone, in lower case.
    private static func plain(_ bytes: [UInt8]) -> [UInt8] {
        bytes.compactMap { byte in
            switch byte {
            case 0x41...0x5A: byte | 0x20
            case 0x61...0x7A, 0x30...0x39: byte
            default: nil
            }
        }
    }

    /// All stretches of a secret as it is, as hexadecimal, and as base64 at each of its three places in a longer text.
    private static func traces(of secret: String) -> [[UInt8]] {
        let bytes = Array(secret.utf8)
        var spellings = [plain(bytes), plain(Array(bytes.hexadecimal.utf8))]
        for shift in 0..<3 {
            // The characters at both ends depend on what stands beside the secret.
            let text = Array(Base64.urlEncoded([UInt8](repeating: 0x78, count: shift) + bytes).utf8)
            spellings.append(plain(Array(text.dropFirst(shift == 0 ? 0 : 4).dropLast(4))))
        }
        return spellings.flatMap { spelling -> [[UInt8]] in
            guard spelling.count >= window else { return [] }
            return (0...(spelling.count - window)).map { Array(spelling[$0..<($0 + window)]) }
        }
    }
}
