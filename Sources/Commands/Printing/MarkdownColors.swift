/// Colours for text that is Markdown more often than not; every character stays.
struct MarkdownColors {
    private let console: Console
    private var isInFence = false

    init(_ console: Console) { self.console = console }

    /// Colours a whole text, line by line.
    mutating func colored(_ text: String) -> String {
        guard console.isColored else { return text }
        isInFence = false
        var lines: [String] = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            lines.append(colored(line: line))
        }
        return lines.joined(separator: "\n")
    }

    private mutating func colored(line: Substring) -> String {
        let start = line.drop { $0 == " " }
        if start.hasPrefix("```") || start.hasPrefix("~~~") {
            isInFence.toggle()
            return console.styled(String(line), .dim)
        }
        if isInFence { return console.styled(String(line), .cyan) }
        if start.hasPrefix("#") { return console.styled(String(line), .bold) }
        if start.hasPrefix(">") { return console.styled(String(line), .dim) }
        return spans(line)
    }

    /// Code spans and bold runs that end on their line.
    private func spans(_ line: Substring) -> String {
        var out = ""
        var rest = line
        while let start = rest.firstIndex(where: { $0 == "`" || $0 == "*" }) {
            out += rest[..<start]
            rest = rest[start...]
            let mark = rest.hasPrefix("**") ? "**" : rest.hasPrefix("`") ? "`" : ""
            let inner = rest.dropFirst(mark.count)
            guard !mark.isEmpty, let length = offset(of: mark, in: inner), length > 0 else {
                out += rest.prefix(max(1, mark.count))
                rest = rest.dropFirst(max(1, mark.count))
                continue
            }
            let span = rest.prefix(mark.count + length + mark.count)
            out += console.styled(String(span), mark == "`" ? .cyan : .bold)
            rest = rest.dropFirst(span.count)
        }
        return out + rest
    }

    private func offset(of mark: String, in text: Substring) -> Int? {
        var at = text.startIndex, count = 0
        while at < text.endIndex {
            if text[at...].hasPrefix(mark) { return count }
            at = text.index(after: at)
            count += 1
        }
        return nil
    }
}
