internal import Conversation
internal import ContextWindow
internal import TestSupport
internal import Testing

@Suite struct `The classes of a text` {
    /// Counts as wire.md H3 says it, one character after the other.
    private func byTheBook(_ text: String) -> ContentSize {
        var size = ContentSize(), run: [UInt8] = [], last: UInt8 = 0, same = 0
        func isLetter(_ byte: UInt8) -> Bool { (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) }
        func isDigit(_ byte: UInt8) -> Bool { (0x30...0x39).contains(byte) }
        func endRun() {
            let letters = run.filter(isLetter).count, digits = run.count - letters
            let changes = zip(run, run.dropFirst()).filter { isDigit($0) != isDigit($1) }.count
            if letters > 0 && (run.count >= 24 && digits > 0 || run.count >= 4 && changes >= 2) {
                size[.random] += UInt32(run.count)
            } else {
                size[.word] += letters > 0 ? 1 : 0
                size[.letter] += UInt32(letters)
                size[.digit] += UInt32(digits)
            }
            run = []
        }
        for scalar in text.unicodeScalars {
            guard scalar.isASCII else {
                endRun()
                size[byClass(scalar.value)] += 1
                (last, same) = (0, 0)
                continue
            }
            let byte = UInt8(scalar.value)
            if isLetter(byte) || isDigit(byte) {
                run.append(byte)
            } else {
                endRun()
                switch byte {
                case 0x0A: size[last == 0x0A ? .blank : .newline] += 1
                case 0x09: size[.blank] += last == 0x09 ? 1 : 4
                case 0x20: size[.blank] += [0x20, 0x0A, 0x09].contains(last) ? 1 : 0
                default:
                    same = byte == last ? same + 1 : 0
                    size[same < 2 ? .sign : .blank] += 1
                }
            }
            last = byte
        }
        endRun()
        if size == ContentSize(), !text.isEmpty { size[.token] = 1 }
        return size
    }

    private func byClass(_ scalar: UInt32) -> ContentSize.Class {
        switch scalar {
        case 0x4E00...0x9FFF: .han
        case 0x3040...0x30FF: .kana
        case 0xAC00...0xD7A3: .hangul
        case 0x3000...0x303F: .wideSign
        case 0x20000...0x3FFFF: .rare
        case 0x1F000...: .emoji
        case ..<0x0800: .twoByte
        default: .threeByte
        }
    }

    @Test func `are counted eight bytes at a time as one after the other`() {
        var random = SeededRandom()
        let pieces = [
            "word", "a", "Zz", " ", "  ", "\n", "\n\n", "\t", "\t\t", "7", "2026", "a1b2c3", "0x1f", "-",
            "---",
            "=====", "{\"k\": 1}", "`@[", "\u{7F}", "é", "字", "二〇二六", "カ", "한", "、", "🙂", "𠀀", "…", "x\n y",
            "deadbeefdeadbeefdeadbee9", "internationalization",
        ]
        for _ in 0..<20_000 {
            let text = (0..<random.int(0...24)).map { _ in pieces[random.int(0...pieces.count - 1)] }.joined()
            // U+3007 counts as Han, which the pieces have as 二〇二六.
            let book = byTheBook(text.replacing("〇", with: "零"))
            #expect(TokenEstimate.size(of: text) == book, "\(random) \(text.debugDescription)")
        }
        let long = String(repeating: "some words, and 3 more\n", count: 2_000)
        #expect(TokenEstimate.size(of: long) == byTheBook(long))
        let letters = String(repeating: "a", count: 70_000)
        #expect(TokenEstimate.size(of: letters) == byTheBook(letters))
    }
}
