internal import Posix
internal import Typesetting

/// Draws Markdown on a terminal as it comes in: what is complete stands, and the last block is painted again as it grows.
final class MarkdownPainter {
    private let console: Console
    private var stream = MarkdownStream()
    /// The lines of the growing block that stand on the screen, the cursor at the end of the last.
    private var painted: [StyledLine] = []
    private var columns = 0
    /// The width that the growing block is laid out for: the terminal's when it began.
    ///
    /// How a terminal moves text that gets another width, and what leaves its screen then, it does not tell: were the rest
    /// broken elsewhere, words would be missing on the screen, or be there twice.
    private var width = 0
    /// Not before this is the growing block painted again.
    private var nextPaint: UInt64 = 0
    /// Whether lines have left the screen that would be others now.
    private var isStale = false
    /// Whether a blank line is due before the next block.
    private var isBehindBlock = false

    init(_ console: Console) { self.console = console }

    /// Takes the next piece of a text.
    func add(_ text: String) {
        for block in stream.add(Console.harmless(text)) { settle(block) }
        // A long block costs more each time: most of the time is for others.
        guard Machine.monotonic() >= nextPaint else { return }
        refresh()
    }

    /// Shows what has come and was not painted yet.
    func refresh() {
        let start = Machine.monotonic()
        paint(stream.growing)
        let end = Machine.monotonic()
        nextPaint = end + 8 * (end - start)
    }

    /// Ends the text: the cursor stands at the beginning of a line.
    func finish() {
        if let rest = stream.finish() { settle(rest) }
        isBehindBlock = false
    }

    /// The lines of a whole text.
    static func lines(of text: String, columns: Int) -> [String] {
        MarkdownBlock.read(Console.harmless(text)).lines(columns: columns - 1).map(\.painted)
    }

    private func settle(_ block: String) {
        paint(block)
        if painted.isEmpty { return }
        // A table whose columns grew while its head was off the screen already.
        if isStale, case .table? = MarkdownBlock.read(block).first {
            console.write(Array(("\n\n" + joined(painted[...])).utf8))
        }
        console.write(Array("\n".utf8))
        (painted, isStale, nextPaint) = ([], false, 0)
        isBehindBlock = true
    }

    private func paint(_ text: String) {
        columns = console.columns
        if painted.isEmpty { width = columns }
        let lines = MarkdownBlock.read(text).lines(columns: width - 1)
        guard lines != painted, !lines.isEmpty else { return }
        var out = ""
        if painted.isEmpty {
            out = (isBehindBlock ? "\n" : "") + joined(lines[...])
        } else {
            var same = zip(lines, painted).prefix { $0 == $1 }.count
            if same == painted.count - 1, same < lines.count,
                let more = lines[same].runs(behind: painted[same])
            {
                let rest = lines[(same + 1)...]
                out = StyledLine(more).painted + (rest.isEmpty ? "" : "\n" + joined(rest))
                painted = lines
                return console.write(Array(out.utf8))
            }
            // The cursor is to stand behind the last line that stays.
            if same == lines.count, same > 0, same < painted.count { same -= 1 }
            // What has left the screen cannot be painted again.
            var up = rows(painted[same...])
            while up > console.rows - 1, same < painted.count {
                up -= rows(painted[same..<(same + 1)])
                same += 1
                isStale = true
            }
            let from = place(in: lines, behind: painted[..<same])
            if same == painted.count {
                out = from < lines.count ? "\n" + joined(lines[from...]) : ""
            } else {
                // A screen that is cleared from its first cell is kept by some terminals.
                out =
                    "\r" + (up > 1 ? "\u{1B}[\(up - 1)A\u{1B}[J" : "\u{1B}[K") + joined(lines[from...])
            }
        }
        painted = lines
        console.write(Array(out.utf8))
    }

    /// Where lines go on that stand already: a list that gets blank lines between its items has each further down.
    private func place(in lines: [StyledLine], behind told: ArraySlice<StyledLine>) -> Int {
        if lines.starts(with: told) { return told.count }
        var rest = told.count { !$0.isBlank }
        return lines.firstIndex { line in
            if rest == 0 { return true }
            rest -= line.isBlank ? 0 : 1
            return false
        } ?? lines.count
    }

    private func joined(_ lines: ArraySlice<StyledLine>) -> String {
        lines.map(\.painted).joined(separator: "\n")
    }

    private func rows(_ lines: ArraySlice<StyledLine>) -> Int {
        lines.reduce(0) { $0 + TextWidth.rows(of: $1.plain, columns: columns) }
    }
}
