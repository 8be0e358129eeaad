internal import Typesetting

/// Draws Markdown on a terminal as it comes in: what is complete stands, and the last block is painted again as it grows.
final class MarkdownPainter {
    private let console: Console
    private var stream = MarkdownStream()
    /// The lines of the growing block that stand on the screen, the cursor at the end of the last.
    private var painted: [StyledLine] = []
    private var columns = 0
    /// Whether a blank line is due before the next block.
    private var isBehindBlock = false

    init(_ console: Console) { self.console = console }

    /// Takes the next piece of a text.
    func add(_ text: String) {
        for block in stream.add(Console.harmless(text)) { settle(block) }
        paint(stream.growing)
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
        console.write(Array("\n".utf8))
        painted = []
        isBehindBlock = true
    }

    private func paint(_ text: String) {
        columns = console.columns
        let lines = MarkdownBlock.read(text).lines(columns: columns - 1)
        guard lines != painted, !lines.isEmpty else { return }
        var out = ""
        if painted.isEmpty {
            out = (isBehindBlock ? "\n" : "") + joined(lines[...])
        } else {
            var same = zip(lines, painted).prefix { $0 == $1 }.count
            // What has left the screen cannot be painted again.
            var up = rows(painted[same...])
            while up > console.rows - 1, same < painted.count {
                up -= rows(painted[same..<(same + 1)])
                same += 1
            }
            if same == painted.count {
                out = same < lines.count ? "\n" + joined(lines[same...]) : ""
            } else {
                out =
                    "\r" + (up > 1 ? "\u{1B}[\(up - 1)A" : "") + "\u{1B}[J"
                    + joined(lines[min(same, lines.count)...])
            }
        }
        painted = lines
        console.write(Array(out.utf8))
    }

    private func joined(_ lines: ArraySlice<StyledLine>) -> String {
        lines.map(\.painted).joined(separator: "\n")
    }

    private func rows(_ lines: ArraySlice<StyledLine>) -> Int {
        lines.reduce(0) { $0 + TextWidth.rows(of: $1.plain, columns: columns) }
    }
}
