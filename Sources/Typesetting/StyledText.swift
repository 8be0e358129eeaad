/// How a run of text looks.
package struct TextStyle: OptionSet, Sendable, Hashable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let bold = TextStyle(rawValue: 1)
    package static let dim = TextStyle(rawValue: 2)
    package static let italic = TextStyle(rawValue: 4)
    package static let underlined = TextStyle(rawValue: 8)
    package static let struck = TextStyle(rawValue: 16)
    /// Code, in a colour of its own.
    package static let code = TextStyle(rawValue: 32)

    /// The parameters of "select graphic rendition" (ECMA-48, 8.3.117).
    private static let codes: [(TextStyle, String)] = [
        (.bold, "1"), (.dim, "2"), (.italic, "3"), (.underlined, "4"), (.struck, "9"), (.code, "36"),
    ]

    /// Text in this style, for a terminal that shows styles.
    package func painted(_ text: String) -> String {
        let codes = TextStyle.codes.filter { contains($0.0) }.map(\.1)
        return codes.isEmpty || text.isEmpty
            ? text : "\u{1B}[\(codes.joined(separator: ";"))m\(text)\u{1B}[0m"
    }
}

/// Text with how it looks.
package struct StyledRun: Sendable, Hashable {
    package var text: String
    package var style: TextStyle

    package init(_ text: String, _ style: TextStyle = []) {
        self.text = text
        self.style = style
    }
}

/// One line of text, without its end.
package struct StyledLine: Sendable, Hashable {
    package var runs: [StyledRun]

    package init(_ runs: [StyledRun] = []) { self.runs = runs }

    /// The text alone.
    package var plain: String { runs.map(\.text).joined() }
    /// Whether nothing is seen on it.
    package var isBlank: Bool { runs.allSatisfy { $0.text.allSatisfy(\.isWhitespace) } }

    /// The text with its styles, for a terminal that shows them.
    package var painted: String { runs.map { $0.style.painted($0.text) }.joined() }

    /// Columns that it takes.
    package var width: Int { runs.reduce(0) { $0 + TextWidth.of($1.text) } }

    /// What stands behind another line that this one begins with; nil where it begins otherwise.
    package func runs(behind other: StyledLine) -> [StyledRun]? {
        guard let last = other.runs.last else { return runs }
        let at = other.runs.count - 1
        guard runs.count > at, runs[..<at] == other.runs[..<at], runs[at].style == last.style,
            runs[at].text.hasPrefix(last.text)
        else { return nil }
        return [StyledRun(String(runs[at].text.dropFirst(last.text.count)), last.style)] + runs[(at + 1)...]
    }
}

extension StyledLine {
    /// Runs broken into lines of so many columns at most.
    ///
    /// A line ends between words, between characters of scripts without blanks, or inside a word that is too long alone; U+000A is
    /// a break.
    static func wrapped(_ runs: [StyledRun], to width: Int) -> [StyledLine] {
        var lines: [StyledLine] = [], line = LineInProgress()
        for word in words(runs) {
            if word.isBreak {
                lines.append(line.taken())
                continue
            }
            if !line.isEmpty, line.width + line.blankWidth + word.width > width { lines.append(line.taken()) }
            if word.width <= width {
                line.add(word)
                continue
            }
            for run in word.runs {
                for character in run.text {
                    let part = Word(runs: [StyledRun(String(character), run.style)], isGlued: true)
                    if line.width + part.width > width { lines.append(line.taken()) }
                    line.add(part)
                }
            }
            line.blank = word.blank
        }
        if !line.isEmpty || lines.isEmpty { lines.append(line.taken()) }
        return lines
    }

    /// Columns of the longest word, which is broken where there are fewer.
    static func longestWord(of runs: [StyledRun]) -> Int { words(runs).map(\.width).max() ?? 0 }

    /// What is not broken inside, with the blank behind it.
    private struct Word {
        var runs: [StyledRun] = []
        /// The style of the blank behind it; nil for none.
        var blank: TextStyle?
        var isBreak = false
        var isGlued = false
        var width: Int { runs.reduce(0) { $0 + TextWidth.of($1.text) } }
    }

    private struct LineInProgress {
        private var runs: [StyledRun] = []
        var blank: TextStyle?
        private(set) var width = 0
        var isEmpty: Bool { runs.isEmpty }
        var blankWidth: Int { blank == nil ? 0 : 1 }

        mutating func add(_ word: Word) {
            if let blank, !runs.isEmpty { append(StyledRun(" ", blank)) }
            for run in word.runs { append(run) }
            blank = word.blank
        }

        private mutating func append(_ run: StyledRun) {
            if runs.last?.style == run.style {
                runs[runs.count - 1].text += run.text
            } else {
                runs.append(run)
            }
            width += TextWidth.of(run.text)
        }

        mutating func taken() -> StyledLine {
            defer { self = LineInProgress() }
            return StyledLine(runs)
        }
    }

    private static func words(_ runs: [StyledRun]) -> [Word] {
        var words: [Word] = [], word = Word()
        func close() {
            if !word.runs.isEmpty { words.append(word) }
            word = Word()
        }
        for run in runs {
            var text = ""
            func flush() {
                if !text.isEmpty { word.runs.append(StyledRun(text, run.style)) }
                text = ""
            }
            for character in run.text {
                if character == "\n" {
                    flush()
                    close()
                    words.append(Word(isBreak: true))
                } else if character == " " || character == "\t" {
                    flush()
                    close()
                    if !words.isEmpty, !words[words.count - 1].isBreak {
                        words[words.count - 1].blank = run.style
                    }
                } else if TextWidth.mayEndLine(character) {
                    // Between two of these a line may end.
                    flush()
                    close()
                    words.append(Word(runs: [StyledRun(String(character), run.style)]))
                } else {
                    text.append(character)
                }
            }
            flush()
        }
        close()
        return words
    }
}

extension TextWidth {
    /// A text in lines of so many columns at most, broken between words.
    package static func wrapped(_ text: String, to width: Int) -> [String] {
        StyledLine.wrapped([StyledRun(text)], to: max(1, width)).map(\.plain)
    }
}
