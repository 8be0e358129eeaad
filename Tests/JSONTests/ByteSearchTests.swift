@testable import JSON
import TestSupport
import Testing

@Suite struct `A search for bytes` {
    @Test func `finds what looking at each byte finds`() {
        var random = SeededRandom()
        let often: [UInt8] = [
            0x0A, 0x0D, 0x22, 0x5C, 0x1F, 0x20, 0x21, 0x23, 0x5B, 0x5D, 0x7F, 0x80, 0x8A, 0xA2, 0xDC, 0xFF,
            0x00,
        ]
        for _ in 0..<20_000 {
            // Few of them, so that some stand far from the beginning.
            let common = random.int(2...60)
            let text = (0..<random.int(0...140)).map { _ in
                random.oneIn(common)
                    ? often[random.int(0...(often.count - 1))]
                    : random.oneIn(common) ? UInt8(random.int(0...255)) : 0x61
            }
            let start = random.int(0...text.count)
            func first(_ holds: (UInt8) -> Bool) -> Int {
                text[start...].firstIndex(where: holds) ?? text.count
            }
            let span = text.span
            #expect(ByteSearch.lineFeed(in: span, from: start) == first { $0 == 0x0A }, "\(text) \(random)")
            #expect(
                ByteSearch.lineEnd(in: span, from: start) == first { $0 == 0x0A || $0 == 0x0D },
                "\(text) \(random)")
            #expect(ByteSearch.quote(in: span, from: start) == first { $0 == 0x22 }, "\(text) \(random)")
            #expect(ByteSearch.backslash(in: span, from: start) == first { $0 == 0x5C }, "\(text) \(random)")
            #expect(
                ByteSearch.special(in: span, from: start) == first { $0 < 0x20 || $0 == 0x22 || $0 == 0x5C },
                "\(text) \(random)")
        }
    }

    @Test func `finds a part of a text where it stands first`() {
        var random = SeededRandom()
        for _ in 0..<20_000 {
            let letters = UInt8(random.int(1...3))
            func text(_ most: Int) -> [UInt8] {
                (0..<random.int(0...most)).map { _ in 0x61 + UInt8(random.int(0...Int(letters))) }
            }
            let part = text(6), whole = text(120)
            let start = random.int(0...whole.count)
            let places = start...max(start, whole.count - part.count)
            let there = places.first { place in
                !part.isEmpty && place + part.count <= whole.count
                    && whole[place..<(place + part.count)] == part[...]
            }
            #expect(
                ByteSearch.first(part.span, in: whole.span, from: start) == there,
                "\(part) in \(whole) from \(start) \(random)")
        }
    }

    /// Bytes at which one rule or another begins or ends to hold.
    private static let edges: [UInt8] = [
        0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED,
        0xEE,
        0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
    ]

    private func isUTF8(_ text: [UInt8]) -> Bool { String(validating: text, as: UTF8.self) != nil }

    @Test func `takes for UTF-8 what the standard library takes, at each edge of its rules`() {
        let edges = Self.edges
        for a in edges {
            for b in edges {
                #expect(ByteSearch.isUTF8([a, b].span) == isUTF8([a, b]), "\([a, b])")
                for c in edges {
                    #expect(ByteSearch.isUTF8([a, b, c].span) == isUTF8([a, b, c]), "\([a, b, c])")
                    guard a >= 0xF0 else { continue }
                    for d in edges {
                        #expect(
                            ByteSearch.isUTF8([a, b, c, d].span) == isUTF8([a, b, c, d]), "\([a, b, c, d])")
                    }
                }
            }
        }
    }

    @Test func `takes for UTF-8 what the standard library takes, wherever a text is cut or spoiled`() {
        var random = SeededRandom()
        let words = ["plain words ", "Größe", "\u{7FF}", "你好", "\u{FFFF}", "\u{D7FF}", "\u{10FFFF}", "🧵"]
        for _ in 0..<5_000 {
            var text = (0..<random.int(0...12)).flatMap { _ in
                Array(words[random.int(0...(words.count - 1))].utf8)
            }
            if random.oneIn(2), !text.isEmpty {
                let at = random.int(0...(text.count - 1))
                switch random.int(0...2) {
                case 0: text.removeSubrange(at...)
                case 1: text.remove(at: at)
                default: text[at] = Self.edges[random.int(0...(Self.edges.count - 1))]
                }
            }
            #expect(ByteSearch.isUTF8(text.span) == isUTF8(text), "\(text) \(random)")
        }
    }
}
