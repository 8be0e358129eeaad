/// Typesetting lays text out for the columns of a terminal.
///
/// - Invariant: pure functions over values; it knows no terminal.

/// How many columns text takes on a terminal.
package enum TextWidth {
    /// The columns of a whole text.
    package static func of(_ text: String) -> Int { text.reduce(0) { $0 + of($1) } }

    /// A character takes two columns when East Asian or an emoji, none when it is only marks, else one for each of its letters
    /// and of the marks that stand beside them: terminals put the letters of an Indic cluster side by side.
    package static func of(_ character: Character) -> Int {
        var width = 0
        for scalar in character.unicodeScalars {
            if scalar == "\u{FE0F}" && width == 1 { return 2 }  // asks for the emoji form
            if isWide(scalar) { return 2 }
            if !isMark(scalar) { width += 1 }
        }
        return width
    }

    /// Whether a line may end behind a character that stands in a word: an ideograph or an emoji, which takes two columns.
    static func mayEndLine(_ character: Character) -> Bool {
        of(character) == 2
            && character.unicodeScalars.allSatisfy { isMark($0) || isWide($0) || $0.value >= 0x2000 }
    }

    /// The text with spaces behind it, or before it with `isRight`.
    package static func padded(_ text: String, to width: Int, isRight: Bool = false) -> String {
        let space = String(repeating: " ", count: max(0, width - of(text)))
        return isRight ? space + text : text + space
    }

    /// The text with blanks up to the next eighth column for each tab, as terminals have it.
    package static func expandingTabs(_ text: String) -> String {
        guard text.utf8.contains(0x09) else { return text }
        var out = "", column = 0
        for character in text {
            let width = character == "\t" ? 8 - column % 8 : of(character)
            out += character == "\t" ? String(repeating: " ", count: width) : String(character)
            column += width
        }
        return out
    }

    /// The text, cut to a width with an ellipsis where it is longer.
    package static func fitted(_ text: String, to width: Int) -> String {
        if of(text) <= width { return text }
        var used = 0
        var kept = ""
        for character in text {
            used += of(character)
            if used > width - 1 { break }
            kept.append(character)
        }
        return kept + "…"
    }

    /// A bar of so many eighths of a column.
    package static func bar(eighths: Int) -> String {
        String(repeating: "█", count: eighths / 8) + ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8]
    }

    private static func isMark(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format, .control: true
        // The vowels and ends of a Hangul syllable stand in its first letter's columns.
        default: (0x1160...0x11FF).contains(scalar.value)
        }
    }

    private static func isWide(_ scalar: Unicode.Scalar) -> Bool {
        if scalar.value < 0x1100 { return false }
        if scalar.properties.isEmojiPresentation { return true }
        return wide.contains { $0.contains(scalar.value) }
    }

    /// Blocks that are East Asian Wide or Fullwidth (Unicode's EastAsianWidth.txt, in whole blocks), sorted.
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xA000...0xA4CF,
        0xA960...0xA97F,
        0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF01...0xFF60, 0xFFE0...0xFFE6,
        0x16FE0...0x18DFF,
        0x1AFF0...0x1B2FF, 0x1F300...0x1F64F, 0x1F900...0x1F9FF, 0x20000...0x3FFFD,
    ]

    /// Lines that a text takes on a terminal of so many columns, which breaks where a line is full.
    package static func rows(of text: String, columns: Int) -> Int {
        var rows = 1, used = 0
        for character in text {
            let width = of(character)
            if used + width > columns { (rows, used) = (rows + 1, 0) }
            used += width
        }
        return rows
    }
}
