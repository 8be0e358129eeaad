internal import Conversation
internal import JSON

extension TranscriptFormat {
    /// For people; what was said is verbatim, the rest is a reading aid.
    package static let markdown = TranscriptFormat("markdown", isText: true, isWhole: false) {
        MarkdownEncoder()
    }
}

/// Writes a transcript for people.
private struct MarkdownEncoder: TranscriptEncoder {
    mutating func begin(_ session: Session, head: MessageID?, to records: inout TranscriptRecords) {
        records.add(text: MarkdownRecord.header(of: session))
    }

    mutating func add(_ record: TranscriptRecord, to records: inout TranscriptRecords) {
        if case .message(let message, true) = record { records.add(text: MarkdownRecord.text(of: message)) }
    }
}

/// Records of a transcript for people.
private enum MarkdownRecord {
    static func header(of session: Session) -> String {
        var lines = ["# \(line(session.title ?? "Session \(session.id.text)"))", ""]
        // Without its directory: what people pass on tells nothing of the machine.
        var facts = ["Session `\(session.id.text)`", Timestamp.text(session.createdAt)]
        if !session.tags.isEmpty { facts.append("tags: " + session.tags.map(line).joined(separator: ", ")) }
        lines.append(facts.joined(separator: " · "))
        if let system = session.system { lines += ["", "System prompt:", "", quoted(system)] }
        return lines.joined(separator: "\n")
    }

    static func text(of message: Message) -> String {
        var title = [capitalized(message.role.name), Timestamp.text(message.createdAt)]
        if message.status != .complete { title.append(message.status.name) }
        if message.isPinned { title.append("pinned") }
        if message.isDeleted { title.append("deleted") }
        if message.isExcluded && !message.isDeleted { title.append("excluded") }
        var lines = ["", "## " + title.joined(separator: " · ")]
        for part in message.parts { lines += [""] + block(part) }
        return lines.joined(separator: "\n")
    }

    private static func block(_ part: Part) -> [String] {
        switch part {
        case .text(let text): [MarkdownText.safe(text)]
        case .thought(let text, _, _): [quoted(text)]
        case .redactedThought: []
        case .toolCall(let call):
            ["Tool call \(code(call.name)), \(code(call.id)):", "", fenced(call.argumentText, "json")]
        case .toolResult(let result):
            [
                "\(result.isError ? "Error" : "Result") of \(code(result.callID)):", "",
                fenced(result.text, ""),
            ]
        case .image(let mimeType, _, let uri): [media("image", mimeType, uri)]
        case .audio(let mimeType, _): [media("audio", mimeType, nil)]
        case .resource(let uri, let text, _):
            text.map { ["Resource \(code(uri)):", "", fenced($0, "")] } ?? ["Resource \(code(uri))"]
        case .resourceLink(let uri, let name, _): ["[\(line(name))](<\(line(uri))>)"]
        }
    }

    private static func media(_ kind: String, _ mimeType: String, _ uri: String?) -> String {
        uri.map { "*\(kind), \(line(mimeType)): <\(line($0))>*" } ?? "*\(kind), \(line(mimeType))*"
    }

    /// The text in a fence that is longer than any run of backticks inside it.
    private static func fenced(_ text: String, _ language: String) -> String {
        let fence = String(repeating: "`", count: max(3, longestRun(of: 0x60, in: text) + 1))
        return "\(fence)\(language)\n\(text)\n\(fence)"
    }

    /// A code span, by the same rule.
    private static func code(_ text: String) -> String {
        let text = line(text)
        let run = longestRun(of: 0x60, in: text)
        let fence = String(repeating: "`", count: run + 1)
        return run == 0 ? "`\(text)`" : "\(fence) \(text) \(fence)"
    }

    /// A quote.
    private static func quoted(_ text: String) -> String {
        MarkdownText.lines(of: text).map { line, end in
            (line.isEmpty ? ">" : "> ") + String(decoding: line + end, as: UTF8.self)
        }.joined()
    }

    /// The text on one line: control characters become spaces.
    private static func line(_ text: String) -> String {
        String(
            String.UnicodeScalarView(
                text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }))
    }

    private static func longestRun(of byte: UInt8, in text: String) -> Int {
        var longest = 0, run = 0
        for other in text.utf8 {
            run = other == byte ? run + 1 : 0
            longest = max(longest, run)
        }
        return longest
    }

    private static func capitalized(_ word: String) -> String {
        word.prefix(1).uppercased() + word.dropFirst()
    }
}
