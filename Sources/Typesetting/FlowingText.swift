/// Plain text that comes piece by piece, in lines that end between words.
package struct FlowingText: Sendable {
    /// Columns of a line.
    private let width: Int
    private var column = 0
    /// The word that may go on, and its columns.
    private var word = "", wordWidth = 0
    /// The blanks before it, which no line ends in.
    private var blanks = 0

    /// Makes lines of so many columns.
    package init(width: Int) { self.width = max(1, width) }

    /// Whether nothing stands in the line, nor is held for it.
    package var isAtLineStart: Bool { column == 0 && word.isEmpty }

    /// What can be written of the text now: a word is held until it is whole.
    package mutating func add(_ text: String) -> String {
        var out = ""
        for character in text {
            if character.isNewline {
                out += taken() + "\n"
                (column, blanks) = (0, 0)
            } else if character == " " || character == "\t" {
                out += taken()
                blanks += 1
            } else {
                let cells = TextWidth.of(character)
                // What has no blanks is broken where a line is full.
                if wordWidth + cells > width { out += taken() }
                word.append(character)
                wordWidth += cells
                if TextWidth.mayEndLine(character) { out += taken() }
            }
        }
        return out
    }

    /// What was held, when nothing more comes.
    package mutating func finish() -> String { taken() }

    private mutating func taken() -> String {
        if word.isEmpty { return "" }
        defer { (word, wordWidth, blanks) = ("", 0, 0) }
        let isNext = column > 0 && column + blanks + wordWidth > width
        let lead = isNext ? "\n" : String(repeating: " ", count: blanks)
        column = isNext ? wordWidth : column + blanks + wordWidth
        return lead + word
    }
}
