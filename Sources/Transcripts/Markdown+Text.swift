/// A message's text as Markdown that neither reaches into what stands behind it nor passes for a heading of the transcript
/// (CommonMark 0.31, sections 4 and 5).
///
/// Headings go two levels down, since the first two are the transcript's; a fence that is open at the end is closed; HTML, and an
/// underline that would make a heading of the line above, get a backslash. All else stays as it is.
/// `Tests/External/markdown.py` tries it against a parser.
struct MarkdownText {
    /// A fence that is open.
    private struct Fence {
        let byte: UInt8
        let length: Int
        /// How many list items it stands in, and its column.
        let depth: Int
        let column: Int
    }

    private var lines: [[UInt8]] = []
    private var fence: Fence?
    /// Columns at which the contents of the open list items begin.
    private var items: [Int] = []
    /// Whether the innermost item has nothing in it yet: then a blank line ends it.
    private var isItemEmpty = false
    /// Whether the line above is a paragraph's, in whatever item: then a line that begins no block goes on with it.
    private var isParagraph = false
    /// Whether the line above is a quote's or defines a link: what follows is parted from it, since parsers differ on what goes on.
    private var isParted = false

    /// The text's lines, changed where they must be, each with its own end.
    static func safe(_ text: String) -> String {
        var writer = MarkdownText(), out: [UInt8] = []
        for (line, end) in lines(of: text) {
            writer.take(line)
            out += writer.lines.joined(separator: [0x0A]) + end
            writer.lines = []
        }
        if let fence = writer.fence {
            out += [0x0A] + [UInt8](repeating: 0x20, count: fence.column)
            out += [UInt8](repeating: fence.byte, count: fence.length)
        }
        return String(decoding: out, as: UTF8.self)
    }

    /// A text's lines with what ends them, nothing for the last: LF, CRLF, or a CR alone (CommonMark 0.31, 2.1).
    static func lines(of text: String) -> [(line: [UInt8], end: [UInt8])] {
        var lines: [(line: [UInt8], end: [UInt8])] = [], line: [UInt8] = [], isAfterCR = false
        for byte in text.utf8 {
            if isAfterCR {
                lines.append((line, byte == 0x0A ? [0x0D, 0x0A] : [0x0D]))
                line = []
                isAfterCR = false
                if byte == 0x0A { continue }
            }
            switch byte {
            case 0x0D: isAfterCR = true
            case 0x0A:
                lines.append((line, [0x0A]))
                line = []
            default: line.append(byte)
            }
        }
        if isAfterCR {
            lines.append((line, [0x0D]))
            line = []
        }
        return lines + [(line, [])]
    }

    private mutating func take(_ line: [UInt8]) {
        var (at, column) = MarkdownText.indent(of: line[...], from: 0)
        guard at < line.count, line[at] != 0x0D else {
            isParagraph = false
            if isItemEmpty, fence == nil { items.removeLast() }
            isItemEmpty = false
            isParted = false
            return lines.append(line)
        }
        if isParted, line[at] != 0x3E {
            isParagraph = false
            lines.append([])
        }
        isParted = false
        var open = items.prefix { column >= $0 }.count
        if let fence {
            if open >= fence.depth {
                let depth = column - (open > 0 ? items[open - 1] : 0)
                if depth <= 3, closes(fence, line[at...]) { self.fence = nil }
                return lines.append(line)
            }
            self.fence = nil  // the item that it stood in has ended
            items.removeLast(items.count - open)
        }
        var isOnward = isParagraph
        func depth(_ open: Int) -> Int { column - (open > 0 ? items[open - 1] : 0) }
        // An underline goes before a list's marker that looks like one.
        if isOnward, items.isEmpty, depth(0) <= 3, MarkdownText.isUnderline(line[at...]) {
            return lines.append(line[..<at] + [0x5C] + line[at...])
        }
        if open < items.count {
            // The paragraph of an item goes on in a line that is not in it.
            if isOnward, depth(open) <= 3, !beginsBlock(line[at...]) { return text(line, at, goesOn: true) }
            if isOnward, depth(open) > 3 { lines.append([]) }  // parsers differ on whether it goes on there
            items.removeLast(items.count - open)
            isOnward = false
        }
        while depth(open) <= 3, let behind = MarkdownText.marker(line[at...], interrupts: isOnward) {
            column += behind - at
            let next = MarkdownText.indent(of: line[behind...], from: column)
            let isEmpty = next.at == line.count || line[next.at] == 0x0D
            // Content that is far in is code, which begins one column behind the marker.
            items.append(isEmpty || next.column - column > 4 ? column + 1 : next.column)
            open = items.count
            isItemEmpty = isEmpty
            isParagraph = false
            isOnward = false
            if isEmpty { return lines.append(line) }
            if next.column - column > 4 { return lines.append(line) }
            (at, column) = next
        }
        isItemEmpty = false
        let isDeep = depth(open) > 3
        if !isDeep, opens(line[at...], column) {
            isParagraph = false
            return lines.append(line)
        }
        if !isDeep, items.isEmpty, let level = MarkdownText.level(line[at...]) {
            isParagraph = false
            return lines.append(
                line[..<at] + [UInt8](repeating: 0x23, count: min(level + 2, 6) - level) + line[at...])
        }
        if isDeep, !isOnward {  // code
            isParagraph = false
            return lines.append(line)
        }
        text(line, at, goesOn: isDeep)
    }

    /// Adds a line that begins neither a fence nor a heading of the document; `goesOn` tells that it is a paragraph's whatever
    /// stands in it.
    private mutating func text(_ line: [UInt8], _ at: Int, goesOn: Bool) {
        let content = line[at...]
        // A marker that is still there begins no item, since it stands in a paragraph.
        let isDefinition = content.first == 0x5B && String(decoding: content, as: UTF8.self).contains("]:")
        isParted = !goesOn && (content.first == 0x3E || isDefinition)
        isParagraph =
            goesOn
            || content.first != 0x3E && MarkdownText.level(content) == nil && !MarkdownText.isAcross(content)
        lines.append(MarkdownText.isHTML(content) ? line[..<at] + [0x5C] + content : line)
    }

    /// Whether a line begins a block and ends a paragraph: HTML does not, since it gets a backslash.
    private func beginsBlock(_ content: ArraySlice<UInt8>) -> Bool {
        content.first == 0x3E || MarkdownText.level(content) != nil || MarkdownText.isAcross(content)
            || MarkdownText.fenceLength(content) != nil
            || MarkdownText.marker(content, interrupts: false) != nil
    }

    // MARK: Fences

    private mutating func opens(_ content: ArraySlice<UInt8>, _ column: Int) -> Bool {
        guard let byte = content.first, let length = MarkdownText.fenceLength(content) else { return false }
        fence = Fence(byte: byte, length: length, depth: items.count, column: column)
        return true
    }

    private static func fenceLength(_ content: ArraySlice<UInt8>) -> Int? {
        guard let byte = content.first, byte == 0x60 || byte == 0x7E else { return nil }
        let length = content.prefix { $0 == byte }.count
        return length >= 3 && (byte == 0x7E || !content.dropFirst(length).contains(0x60)) ? length : nil
    }

    private func closes(_ fence: Fence, _ content: ArraySlice<UInt8>) -> Bool {
        let run = content.prefix { $0 == fence.byte }
        return run.count >= fence.length && MarkdownText.isBlank(content[run.endIndex...])
    }

    // MARK: Lines

    /// Where a line's content begins, and in which column; a tab reaches to the next multiple of four.
    private static func indent(of line: ArraySlice<UInt8>, from start: Int) -> (at: Int, column: Int) {
        var column = start
        for at in line.indices {
            switch line[at] {
            case 0x20: column += 1
            case 0x09: column += 4 - column % 4
            default: return (at, column)
            }
        }
        return (line.endIndex, column)
    }

    private static func isBlank(_ rest: ArraySlice<UInt8>) -> Bool {
        rest.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
    }

    /// Where the content begins behind a list item's marker; nil where there is none.
    ///
    /// One that interrupts a paragraph has content, and if it is a number it is 1.
    private static func marker(_ content: ArraySlice<UInt8>, interrupts: Bool) -> Int? {
        guard let first = content.first, !isAcross(content) else { return nil }
        var end = content.startIndex + 1
        if ![0x2A, 0x2B, 0x2D].contains(first) {
            let digits = content.prefix { (0x30...0x39).contains($0) }
            guard (1...9).contains(digits.count), digits.endIndex < content.endIndex,
                [0x2E, 0x29].contains(content[digits.endIndex])
            else { return nil }
            if interrupts, !digits.elementsEqual([0x31]) { return nil }
            end = digits.endIndex + 1
        }
        guard end == content.endIndex || [0x20, 0x09, 0x0D].contains(content[end]) else { return nil }
        return interrupts && isBlank(content[end...]) ? nil : end
    }

    /// Whether a line is one drawn across.
    private static func isAcross(_ content: ArraySlice<UInt8>) -> Bool {
        guard let first = content.first, [0x2A, 0x2D, 0x5F].contains(first) else { return false }
        let signs = content.filter { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }
        return signs.count >= 3 && signs.allSatisfy { $0 == first }
    }

    /// The level of a heading; nil where the line is none.
    private static func level(_ content: ArraySlice<UInt8>) -> Int? {
        let level = content.prefix { $0 == 0x23 }.count
        guard (1...6).contains(level) else { return nil }
        let behind = content.dropFirst(level).first
        return behind.map { [0x20, 0x09, 0x0D].contains($0) } ?? true ? level : nil
    }

    private static func isUnderline(_ content: ArraySlice<UInt8>) -> Bool {
        guard let first = content.first, first == 0x3D || first == 0x2D else { return false }
        return isBlank(content.drop { $0 == first })
    }

    /// Whether a line may begin a block of HTML, some of which go on over blank lines; an address in angle brackets does not.
    private static func isHTML(_ content: ArraySlice<UInt8>) -> Bool {
        guard content.first == 0x3C, let second = content.dropFirst().first else { return false }
        if [0x21, 0x2F, 0x3F].contains(second) { return true }
        let name = content.dropFirst().prefix {
            (0x30...0x39).contains($0) || (0x41...0x5A).contains($0 & 0xDF)
                || [0x2B, 0x2D, 0x2E].contains($0)
        }
        return !name.isEmpty
            && !(name.endIndex < content.endIndex && [0x3A, 0x40].contains(content[name.endIndex]))
    }
}
