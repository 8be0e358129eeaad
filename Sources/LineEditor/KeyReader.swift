internal import CEdit
internal import Posix

/// A terminal's keys one by one, for a list that is chosen from.
package final class KeyReader {
    /// What was struck.
    package enum Key: Sendable, Equatable {
        case text(Character)
        case up, down, enter, erase, eraseAll
        /// Escape or Ctrl-D.
        case leave
        /// Ctrl-C.
        case interrupt
        /// The screen is of another size.
        case resized
        /// The end of the input.
        case end
    }

    private var keys = KeyDecoder()
    private var size = KeyReader.size
    private var isResized = false
    /// What of the mark behind a paste has come.
    private var mark = ""

    private static var size: [Int] {
        [Process.terminalColumns(1) ?? 0, Process.terminalRows(1) ?? 0]
    }

    /// Nil where standard input is no terminal.
    package init?() {
        if cedit_keys(1) == 0 { return nil }
        Output.write("\u{1B}[?2004h")
    }

    deinit {
        Output.write("\u{1B}[?2004l")
        _ = cedit_keys(0)
    }

    /// What came behind the keys that were taken; nobody else gets it from here.
    package func takeRest() -> [UInt8] { keys.takeRest() }

    /// Waits for the next key that means something.
    package func next() -> Key {
        while true {
            guard let scalar = scalar(milliseconds: -1) else {
                if !isResized { return .end }
                isResized = false
                return .resized
            }
            if keys.isPasting {
                if let character = pasted(scalar) { return .text(character) }
                continue
            }
            switch scalar {
            case "\r", "\n": return .enter
            case "\u{7F}", "\u{8}": return .erase
            case "\u{15}": return .eraseAll
            case "\u{3}": return .interrupt
            case "\u{4}": return .leave
            case "\u{10}": return .up
            case "\u{E}": return .down
            case "\u{1B}":
                // An escape alone has nothing right behind it.
                guard let kind = self.scalar(milliseconds: 30) else { return .leave }
                if let key = sequence(kind) { return key }
            default:
                if scalar.properties.generalCategory != .control { return .text(Character(scalar)) }
            }
        }
    }

    /// What of a paste is text here: its lines are words of one; its end is a sequence of its own.
    private func pasted(_ scalar: Unicode.Scalar) -> Character? {
        if scalar == "\u{1B}" || !mark.isEmpty {
            mark = scalar == "\u{1B}" ? "\u{1B}" : mark + String(scalar)
            if "\u{1B}[201~".hasPrefix(mark) {
                if mark.hasSuffix("~") { (mark, keys.isPasting) = ("", false) }
                return nil
            }
            // It was none: what it began with is dropped as the other control characters are.
            mark = ""
        }
        if scalar == "\r" || scalar == "\n" || scalar == "\t" { return " " }
        return scalar.properties.generalCategory == .control ? nil : Character(scalar)
    }

    /// The rest of a key's sequence (ECMA-48, 5.4); nil for one that means nothing here.
    private func sequence(_ kind: Unicode.Scalar) -> Key? {
        guard kind == "[" || kind == "O" else { return nil }
        var numbers = ""
        while let scalar = self.scalar(milliseconds: 30) {
            if (0x20...0x3F).contains(scalar.value) {
                numbers.unicodeScalars.append(scalar)
                continue
            }
            if scalar == "~", numbers == "200" { keys.isPasting = true }
            return scalar == "A" ? .up : scalar == "B" ? .down : nil
        }
        return nil
    }

    /// Milliseconds between two looks at the size of the screen.
    private static let pace: Int32 = 250

    private func scalar(milliseconds: Int32) -> Unicode.Scalar? {
        while true {
            if let scalar = keys.next() { return scalar }
            do throws(PosixError) {
                let slice = milliseconds < 0 ? KeyReader.pace : milliseconds
                if try System.wait(readable: [0], milliseconds: slice).isEmpty {
                    if milliseconds >= 0 { return nil }
                    let now = KeyReader.size
                    if now == size { continue }
                    (size, isResized) = (now, true)
                    return nil
                }
                var bytes: [UInt8] = []
                guard let count = try System.read(0, into: &bytes, most: 4_096) else { continue }
                if count == 0 { return nil }
                keys.add(bytes)
            } catch { return nil }
        }
    }
}
