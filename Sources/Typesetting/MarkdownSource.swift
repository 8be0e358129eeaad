/// Markdown as people wrote it, so that none of its words are lost when it is drawn.
///
/// A reader takes definitions of links away, and cells of a table beyond its head (CommonMark 4.7, GFM 4.10).
enum MarkdownSource {
    /// The text with definitions of links as lines of their own, and with what is too much for a row in its last cell.
    static func keepingWords(_ text: String) -> String {
        guard text.contains("]:") || text.contains("|") else { return text }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        var fence: Character?, columns: Int?
        for index in lines.indices {
            let line = lines[index], body = line.drop { $0 == " " }
            if let mark = fenceMark(body) {
                if fence == nil { fence = mark } else if fence == mark { fence = nil }
                continue
            }
            if fence != nil || line.count - body.count > 3 { continue }
            if isDefinition(body) {
                lines[index] = "\\" + body
                continue
            }
            if columns == nil, index + 1 < lines.count, line.contains("|") {
                columns = self.columns(ofRule: lines[index + 1])
            }
            guard let most = columns else { continue }
            if body.isEmpty {
                columns = nil
            } else {
                lines[index] = row(line, most)
            }
        }
        return lines.joined(separator: "\n")
    }

    private static func fenceMark(_ line: Substring) -> Character? {
        line.hasPrefix("```") ? "`" : line.hasPrefix("~~~") ? "~" : nil
    }

    /// Whether a line defines a link, as `[label]: address`.
    private static func isDefinition(_ line: Substring) -> Bool {
        guard line.first == "[", let end = line.firstRange(of: "]:") else { return false }
        let label = line[line.index(after: line.startIndex)..<end.lowerBound]
        return !label.isEmpty && !label.contains("]") && !label.contains("[")
            && line[end.upperBound...].contains { !$0.isWhitespace }
    }

    /// How many columns the line under a table's head makes; nil where it is none.
    private static func columns(ofRule line: String) -> Int? {
        guard line.contains("-"), line.allSatisfy({ "|:- \t".contains($0) }) else { return nil }
        return bars(line).count + 1
    }

    /// The places of the signs between the cells of a row; those at its ends are none.
    private static func bars(_ line: String) -> [String.Index] {
        let last = line.lastIndex { !$0.isWhitespace }
        var found: [String.Index] = [], isEscaped = false, isAtStart = true
        for index in line.indices {
            let sign = line[index]
            if sign == "|", !isEscaped, !isAtStart, index != last { found.append(index) }
            isEscaped = sign == "\\" && !isEscaped
            if !sign.isWhitespace { isAtStart = false }
        }
        return found
    }

    /// A row of at most so many cells: what is too much stands in the last.
    private static func row(_ line: String, _ most: Int) -> String {
        let bars = bars(line)
        guard bars.count >= most else { return line }
        var out = line
        for index in bars[(most - 1)...].reversed() { out.insert("\\", at: index) }
        return out
    }
}
