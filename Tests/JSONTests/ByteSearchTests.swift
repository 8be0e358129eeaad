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
            let text = (0..<random.int(0...40)).map { _ in
                random.oneIn(3) ? often[random.int(0...(often.count - 1))] : UInt8(random.int(0...255))
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
            #expect(ByteSearch.backslash(in: span, from: start) == first { $0 == 0x5C }, "\(text) \(random)")
            #expect(
                ByteSearch.special(in: span, from: start) == first { $0 < 0x20 || $0 == 0x22 || $0 == 0x5C },
                "\(text) \(random)")
        }
    }
}
