internal import JSON

/// What a token endpoint says when it refuses, in all the shapes that are known (wire.md B4).
struct ServerWords {
    /// The machine's word, as in `invalid_grant`; empty when there is none.
    private(set) var error = ""
    private(set) var description = ""
    private(set) var subtype = ""

    /// Reads an error's body; `secrets` are taken out of what it says.
    init(_ body: [UInt8], hiding secrets: [String]) {
        func safe(_ text: String?) -> String { ServerWords.safe(text ?? "", hiding: secrets) }
        guard let root = try? JSONDocument(body).root else {
            // A proxy's page of HTML helps nobody.
            let text = String(decoding: body.prefix(4096), as: UTF8.self)
            description = text.contains("<") ? "" : safe(text)
            return
        }
        if let text = root.string {
            description = safe(text)
        } else if let object = root["error"], object.kind == .object {
            error = safe(object["status"]?.string)
            description = safe(object["message"]?.string)
        } else {
            error = safe(root["error"]?.string)
            description = safe(root["error_description"]?.string)
            subtype = safe(root["error_subtype"]?.string)
        }
    }

    /// All of it on one line, at most 300 characters.
    var line: String {
        let name = subtype.isEmpty ? error : "\(error) (\(subtype))"
        let line = [name, description].filter { !$0.isEmpty }.joined(separator: ": ")
        return line.count <= 300 ? line : line.prefix(299) + "…"
    }

    /// What tokens and keys begin with, or stand behind.
    private static let marks = ["1//", "AIza", "Bearer", "GOCSPX-", "PRIVATE KEY", "eyJ", "ya29."]

    /// The text on one line, without the secrets, also when only their beginning is there, and without words that
    /// look like one.
    static func safe(_ text: String, hiding secrets: [String] = []) -> String {
        let words = text.unicodeScalars.split { $0.properties.isWhitespace || $0.value < 0x20 }.map {
            String(String.UnicodeScalarView($0))
        }
        var out: [String] = [], isBehindScheme = false
        for word in words {
            let isSecret =
                isBehindScheme || word.utf8.count > 80 || marks.contains(where: word.contains)
                || secrets.contains { !$0.isEmpty && word.contains($0.prefix(12)) }
            out.append(isSecret ? "…" : word)
            isBehindScheme = word.hasSuffix("Bearer")
        }
        return out.joined(separator: " ")
    }
}
