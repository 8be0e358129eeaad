/// Markdown that grows at its end, taken apart into blocks that are complete and the one that may still change.
///
/// A block is complete where a line says so whatever comes behind it: at a blank line outside of lists and fences, behind a
/// heading, at the end of a fence. So each text is laid out once, and only the last block again as it grows.
package struct MarkdownStream: Sendable {
    /// Whole lines of the block that may still change.
    private var lines: [Substring] = []
    /// The line that has no end yet.
    private var rest = ""
    private var kind = Kind.none
    /// Whether the last whole line was blank.
    private var isAfterBlank = false

    private enum Kind: Sendable, Equatable {
        case none, text, list, indented
        /// A fence of so many of a sign, behind so many columns.
        case fence(Character, Int, indent: Int)
    }

    package init() {}

    /// What may still change, as it is written.
    package var growing: String {
        (lines.map(String.init) + (rest.isEmpty ? [] : [rest])).joined(separator: "\n")
    }

    /// Takes the next piece of text, and gives the blocks that it completes, as they are written.
    package mutating func add(_ text: String) -> [String] {
        rest += text
        guard rest.utf8.contains(0x0A) else { return [] }
        var pieces = rest.split(separator: "\n", omittingEmptySubsequences: false)
        rest = String(pieces.removeLast())
        return pieces.compactMap { take($0.hasSuffix("\r") ? $0.dropLast() : $0) }
    }

    /// What is left, when nothing more comes.
    package mutating func finish() -> String? {
        let last = growing
        self = MarkdownStream()
        return last.isEmpty ? nil : last
    }

    /// Takes a line; what is complete with it or before it.
    private mutating func take(_ line: Substring) -> String? {
        if case .fence(let sign, let count, let indent) = kind {
            lines.append(line)
            let mark = line.trimmed
            // One that stands further in is code (CommonMark, 4.5).
            let isEnd = mark.count >= count && mark.allSatisfy { $0 == sign } && line.indent <= indent + 3
            return isEnd ? closed() : nil
        }
        let isBlank = line.trimmed.isEmpty, indent = line.indent
        if isBlank {
            isAfterBlank = true
            switch kind {
            case .none: return nil
            case .list, .indented:
                lines.append(line)
                return nil
            case .text, .fence: return closed()
            }
        }
        defer { isAfterBlank = false }
        let opened = kind(of: line, indent)
        let goesOn: Bool =
            switch kind {
            case .none: false
            // What is indented belongs to the item, another item to the list, and a line right behind one to its text.
            case .list: indent >= 2 || opened == .list || !isAfterBlank && opened == .text && !line.isHeading
            case .indented: indent >= 4
            case .text: opened == .text && !line.isHeading || opened == .indented
            case .fence: true
            }
        let before = goesOn ? nil : closed()
        lines.append(line)
        if !goesOn { kind = opened }
        // A heading stands alone; what was before it went already.
        if kind == .text, lines.count == 1, line.isHeading {
            let heading = closed()
            return [before, heading].compactMap(\.self).joined(separator: "\n\n")
        }
        return before
    }

    private func kind(of line: Substring, _ indent: Int) -> Kind {
        let text = line.drop { $0 == " " || $0 == "\t" }
        if indent >= 4 { return .indented }
        for sign: Character in ["`", "~"] {
            let count = text.prefix { $0 == sign }.count
            if count >= 3, sign == "~" || !text.dropFirst(count).contains("`") {
                return .fence(sign, count, indent: indent)
            }
        }
        return text.isListItem ? .list : .text
    }

    private mutating func closed() -> String? {
        defer { (lines, kind) = ([], .none) }
        return lines.isEmpty ? nil : lines.joined(separator: "\n")
    }
}

extension StringProtocol {
    /// Columns of the blanks and tabs that it begins with (CommonMark, 2.2).
    var indent: Int {
        var columns = 0
        for sign in self {
            if sign != " " && sign != "\t" { break }
            columns += sign == " " ? 1 : 4 - columns % 4
        }
        return columns
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        var text = drop { $0 == " " || $0 == "\t" }
        while let last = text.last, last == " " || last == "\t" { text.removeLast() }
        return text
    }

    /// Whether it is a heading by signs before it (CommonMark, 4.2).
    fileprivate var isHeading: Bool {
        let text = drop { $0 == " " }, count = text.prefix { $0 == "#" }.count
        guard (1...6).contains(count) else { return false }
        let next = text.dropFirst(count).first
        return next == nil || next == " " || next == "\t"
    }

    /// Whether it begins an item of a list (CommonMark, 5.2).
    fileprivate var isListItem: Bool {
        let digits = prefix { $0.isASCII && $0.isNumber }.count
        let mark = dropFirst(digits)
        guard let sign = mark.first else { return false }
        let isMark = digits == 0 ? "-+*".contains(sign) : digits < 10 && ".)".contains(sign)
        guard isMark else { return false }
        let next = mark.dropFirst().first
        // A rule is no item.
        return next == nil && digits > 0 || (next == " " || next == "\t") && !isRule
    }

    private var isRule: Bool {
        let signs = filter { $0 != " " && $0 != "\t" }
        return signs.count >= 3 && Set(signs).count == 1
    }
}
