/// Markdown as people wrote it, so that none of its words are lost when it is drawn.
///
/// A reader takes definitions of links away, and cells of a table beyond its head (CommonMark 4.7, GFM 4.10).
enum MarkdownSource {
    /// The text with definitions of links as lines of their own too, and with what is too much for a row in its last cell.
    static func keepingWords(_ text: String) -> String {
        guard text.contains("]:") || text.contains("|") else { return text }
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        var fence: Fence?, columns: Int?, definitions: [String] = []
        for index in lines.indices {
            let line = lines[index], body = withoutMarker(line)
            if let open = fence {
                if open.isClosed(by: line) { fence = nil }
                continue
            }
            fence = Fence(body, behind: line.prefix(line.count - body.count))
            let indent = line.prefix { $0 == " " }.count
            if fence != nil || line.indent > 3 {
                columns = nil
                continue
            }
            if isDefinition(line.dropFirst(indent)) {
                if leadsSomewhere(line.dropFirst(indent)) {
                    definitions.append(String(line.dropFirst(indent)))
                }
                lines[index] = line.prefix(indent) + "\\" + line.dropFirst(indent)
                continue
            }
            if columns == nil, index + 1 < lines.count, line.contains("|") {
                columns = self.columns(ofRule: lines[index + 1])
                // Where there are as many cells as in the head one dash is enough (GFM 4.10), which the reader does not know.
                if columns == bars(line).count + 1 { lines[index + 1] = widened(lines[index + 1]) }
            }
            guard let most = columns else { continue }
            // A table ends at a blank line, and where another block begins.
            if line.allSatisfy(\.isWhitespace) || body.count < line.count - indent
                || ">#".contains(body.first ?? " ")
            {
                columns = nil
            } else {
                lines[index] = row(line, most)
            }
        }
        let text = lines.joined(separator: "\n")
        // Behind all of it they are taken away, and what refers to them in this text finds them.
        if definitions.isEmpty || fence != nil { return text }
        return text + "\n\n" + definitions.joined(separator: "\n")
    }

    /// A fence around code.
    private struct Fence {
        let mark: Character
        let count: Int
        /// The column in which it begins.
        let indent: Int

        /// Nil where the line opens none (CommonMark 4.5); `start` stands before it.
        init?(_ line: Substring, behind start: Substring) {
            guard let mark = line.first, mark == "`" || mark == "~" else { return nil }
            let count = line.prefix { $0 == mark }.count
            if count < 3 || mark == "`" && line.dropFirst(count).contains("`") { return nil }
            (self.mark, self.count) = (mark, count)
            indent = start.reduce(0) { $0 + ($1 == "\t" ? 4 - $0 % 4 : 1) }
        }

        /// One that stands further in is code.
        func isClosed(by line: String) -> Bool {
            let bare = line.drop { $0 == " " || $0 == "\t" }, marks = bare.prefix { $0 == mark }.count
            return line.indent <= indent + 3 && marks >= count
                && bare.dropFirst(marks).allSatisfy(\.isWhitespace)
        }
    }

    /// A line without its blanks and the marks of the items that begin in it.
    private static func withoutMarker(_ line: String) -> Substring {
        var rest = line.drop { $0 == " " || $0 == "\t" }
        while true {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            let mark = rest.dropFirst(digits.count)
            let isItem = digits.isEmpty ? "-*+".contains(mark.first ?? "x") : ".)".contains(mark.first ?? "x")
            guard isItem, digits.count < 10, let next = mark.dropFirst().first, next == " " || next == "\t"
            else {
                return rest
            }
            rest = mark.dropFirst().drop { $0 == " " || $0 == "\t" }
        }
    }

    /// Whether a line defines a link, as `[label]: address`.
    private static func isDefinition(_ line: Substring) -> Bool {
        guard line.first == "[", let end = line.firstRange(of: "]:") else { return false }
        let label = line[line.index(after: line.startIndex)..<end.lowerBound]
        return !label.isEmpty && !label.contains("]") && !label.contains("[")
            && line[end.upperBound...].contains { !$0.isWhitespace }
    }

    /// Whether a definition is one for the reader too, of an address and perhaps a title: a speaker's words or a line of a log
    /// begin so as well, and a number is a citation more often, which loses its brackets as a link.
    private static func leadsSomewhere(_ line: Substring) -> Bool {
        guard let end = line.firstRange(of: "]:") else { return false }
        let label = line[..<end.lowerBound].dropFirst()
        if label.hasPrefix("^") || label.allSatisfy({ $0.isNumber || $0.isWhitespace }) { return false }
        let words = line[end.upperBound...].drop { $0.isWhitespace }
        let address = words.prefix { !$0.isWhitespace }
        let title = words[address.endIndex...].drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }
        let quotes: [Character: Character] = ["\"": "\"", "'": "'", ")": "("]
        let isTitle = title.isEmpty || title.count > 1 && quotes[title.first ?? " "] == title.reversed().first
        let begins = ["#", "/", "./", "../", "mailto:", "www."]
        return isTitle && (address.contains("://") || begins.contains { address.hasPrefix($0) })
    }

    /// How many columns the line under a table's head makes; nil where it is none.
    private static func columns(ofRule line: String) -> Int? {
        guard line.contains("-"), line.contains("|"), line.allSatisfy({ "|:- \t".contains($0) }) else {
            return nil
        }
        return bars(line).count + 1
    }

    /// A line under a table's head with at least three dashes in each cell.
    private static func widened(_ rule: String) -> String {
        var out = "", dashes = 0
        for sign in rule + "|" {
            if sign != "-", dashes > 0 {
                out += String(repeating: "-", count: max(3, dashes))
                dashes = 0
            }
            if sign == "-" { dashes += 1 } else { out.append(sign) }
        }
        return String(out.dropLast())
    }

    /// The places of the signs between the cells of a row; those at its ends, and in code, are none.
    private static func bars(_ line: String) -> [String.Index] {
        let last = line.lastIndex { !$0.isWhitespace }
        var found: [String.Index] = [], isEscaped = false, isAtStart = true
        var next = line.startIndex
        for index in line.indices where index >= next {
            let sign = line[index]
            if sign == "`", !isEscaped {
                next = codeEnd(in: line, from: index)
                isAtStart = false
                continue
            }
            if sign == "|", !isEscaped, !isAtStart, index != last { found.append(index) }
            isEscaped = sign == "\\" && !isEscaped
            if !sign.isWhitespace { isAtStart = false }
        }
        return found
    }

    /// Behind the code that a run of backticks opens, or behind the run where none closes it (CommonMark 6.1).
    private static func codeEnd(in line: String, from start: String.Index) -> String.Index {
        func runEnd(_ index: String.Index) -> String.Index {
            line[index...].firstIndex { $0 != "`" } ?? line.endIndex
        }
        let open = runEnd(start), count = line.distance(from: start, to: open)
        var rest = open
        while let tick = line[rest...].firstIndex(of: "`") {
            let end = runEnd(tick)
            if line.distance(from: tick, to: end) == count { return end }
            rest = end
        }
        return open
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
