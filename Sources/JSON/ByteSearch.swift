/// Looks for bytes, 32 at a time, and eight where there are no more.
///
/// What is found is exact: in a word each test may be wrong only above a byte that it is right about, and the lowest counts.
package enum ByteSearch {
    private static let ones: UInt64 = 0x0101_0101_0101_0101
    static let highs: UInt64 = 0x8080_8080_8080_8080

    /// The first line feed at or behind an index, or the text's length.
    @inline(__always)
    package static func lineFeed(in text: Span<UInt8>, from start: Int) -> Int {
        first(in: text, from: start) { equal($0, 0x0A) }
    }

    /// The first line feed or carriage return at or behind an index, or the text's length.
    @inline(__always)
    package static func lineEnd(in text: Span<UInt8>, from start: Int) -> Int {
        first(in: text, from: start) { equal($0, 0x0A) | equal($0, 0x0D) }
    }

    /// Where one text begins in another at or behind an index; nil where it does not.
    package static func first(_ part: Span<UInt8>, in text: Span<UInt8>, from start: Int = 0) -> Int? {
        guard part.count > 0, start <= text.count - part.count else { return nil }
        let head = part[0], tail = part[part.count - 1], last = text.count - part.count, end = last + 1
        var at = start
        while true {
            // Both ends of it, many places at a time.
            while end - at >= 32 {
                let behind = at + part.count - 1
                let heads = text.extracting(at..<(at + 32)), tails = text.extracting(behind..<(behind + 32))
                let found =
                    equal(word(heads, 0), head) & equal(word(tails, 0), tail)
                    | equal(word(heads, 8), head) & equal(word(tails, 8), tail)
                    | equal(word(heads, 16), head) & equal(word(tails, 16), tail)
                    | equal(word(heads, 24), head) & equal(word(tails, 24), tail)
                if found != 0 { break }
                at += 32
            }
            while end - at >= 8 {
                let heads = equal(word(text.extracting(at..<(at + 8))), head)
                let behind = at + part.count - 1
                let found = heads & equal(word(text.extracting(behind..<(behind + 8))), tail)
                if found != 0 {
                    at += found.trailingZeroBitCount / 8
                    break
                }
                at += 8
            }
            if at > last { return nil }
            var index = 0
            while index < part.count, text[at + index] == part[index] { index += 1 }
            if index == part.count { return at }
            at += 1
        }
    }

    /// Whether a text stands in another at an index.
    package static func matches(_ part: Span<UInt8>, in text: Span<UInt8>, at start: Int) -> Bool {
        guard start >= 0, part.count <= text.count - start else { return false }
        var at = 0
        while part.count - at >= 8 {
            let there = text.extracting((start + at)..<(start + at + 8))
            if word(part.extracting(at..<(at + 8))) != word(there) { return false }
            at += 8
        }
        while at < part.count {
            if part[at] != text[start + at] { return false }
            at += 1
        }
        return true
    }

    /// Whether each byte of a stretch is below 128.
    package static func isASCII(_ text: Span<UInt8>, _ range: Range<Int>) -> Bool {
        var at = range.lowerBound, all: UInt64 = 0
        while range.upperBound - at >= 32 {
            let block = text.extracting(at..<(at + 32))
            all |= word(block, 0) | word(block, 8) | word(block, 16) | word(block, 24)
            at += 32
        }
        while range.upperBound - at >= 8 {
            all |= word(text.extracting(at..<(at + 8)))
            at += 8
        }
        while at < range.upperBound {
            all |= UInt64(text[at])
            at += 1
        }
        return all & highs == 0
    }

    /// Whether a text is UTF-8 (RFC 3629, section 4): no half of a character, none spelled longer than it need be, no
    /// surrogate, and nothing above U+10FFFF.
    ///
    /// The standard library tells the same, byte by byte from the first that is no ASCII.
    package static func isUTF8(_ text: Span<UInt8>) -> Bool {
        var at = 0
        let end = text.count
        while end - at >= 8 {
            while end - at >= 32 {
                let block = text.extracting(at..<(at + 32))
                if (word(block, 0) | word(block, 8) | word(block, 16) | word(block, 24)) & highs != 0 {
                    break
                }
                at += 32
            }
            guard end - at >= 8 else { break }
            let marks = word(text.extracting(at..<(at + 8))) & highs
            if marks == 0 {
                at += 8
                continue
            }
            at += marks.trailingZeroBitCount / 8
            // One stands beside others, most of the time.
            while end - at >= 4 {
                let next = half(text.extracting(at..<(at + 4)))
                if next & 0x80 == 0 { break }
                let length = character(next)
                if length == 0 { return false }
                at += length
            }
        }
        while at < end {
            var next: UInt32 = 0
            for behind in 0..<min(4, end - at) { next |= UInt32(text[at + behind]) &<< UInt32(8 * behind) }
            let length = next & 0x80 == 0 ? 1 : character(next)
            // What is not there is 0, which is the rest of nothing.
            if length == 0 { return false }
            at += length
        }
        return true
    }

    /// How many bytes the character has that four bytes begin with, the first lowest; 0 where there is none.
    ///
    /// Not for ASCII.
    @inline(__always)
    private static func character(_ bytes: UInt32) -> Int {
        if bytes & 0xC0_C0F0 == 0x80_80E0 {
            // From U+0800 on, and no surrogate.
            let start = bytes & 0x200F
            return start == 0 || start == 0x200D ? 0 : 3
        }
        if bytes & 0xC0E0 == 0x80C0 { return bytes & 0x1E == 0 ? 0 : 2 }
        if bytes & 0xC0C0_C0F8 == 0x8080_80F0 {
            // From U+10000 on, up to U+10FFFF.
            let start = bytes & 7
            return bytes & 0x3007 == 0 || start > 4 || start == 4 && bytes & 0x3000 != 0 ? 0 : 4
        }
        return 0
    }

    /// Four bytes, the first lowest.
    @inline(__always)
    private static func half(_ text: Span<UInt8>) -> UInt32 {
        UInt32(text[0]) | UInt32(text[1]) &<< 8 | UInt32(text[2]) &<< 16 | UInt32(text[3]) &<< 24
    }

    /// The first byte that cannot stand for itself in a JSON string (RFC 8259, section 7), or the text's length.
    @inline(__always)
    package static func special(in text: Span<UInt8>, from start: Int) -> Int {
        first(in: text, from: start) { equal($0, 0x22) | equal($0, 0x5C) | less($0, 0x20) }
    }

    /// The same, and the bits of every byte that was looked at, some behind what is found among them.
    @inline(__always)
    static func special(in text: Span<UInt8>, from start: Int, seen: inout UInt64) -> Int {
        var all = seen
        let found = first(in: text, from: start) {
            all |= $0
            return equal($0, 0x22) | equal($0, 0x5C) | less($0, 0x20)
        }
        seen = all
        return found
    }

    /// The first quote at or behind an index, or the text's length.
    @inline(__always)
    package static func quote(in text: Span<UInt8>, from start: Int) -> Int {
        first(in: text, from: start) { equal($0, 0x22) }
    }

    /// The first backslash at or behind an index, or the text's length.
    @inline(__always)
    static func backslash(in text: Span<UInt8>, from start: Int) -> Int {
        first(in: text, from: start) { equal($0, 0x5C) }
    }

    /// The high bit of each byte that is `byte`.
    @inline(__always)
    private static func equal(_ word: UInt64, _ byte: UInt8) -> UInt64 {
        let zero = word ^ (ones &* UInt64(byte))
        return (zero &- ones) & ~zero & highs
    }

    /// The high bit of each byte that is less than `limit`, which is at most 128.
    @inline(__always)
    private static func less(_ word: UInt64, _ limit: UInt8) -> UInt64 {
        (word &- ones &* UInt64(limit)) & ~word & highs
    }

    /// Eight bytes from a place on, the first lowest; written so that the compiler makes one load of it.
    @inline(__always)
    private static func word(_ text: Span<UInt8>, _ place: Int = 0) -> UInt64 {
        let low =
            UInt64(text[place]) | UInt64(text[place + 1]) &<< 8 | UInt64(text[place + 2]) &<< 16
            | UInt64(text[place + 3]) &<< 24
        let high =
            UInt64(text[place + 4]) &<< 32 | UInt64(text[place + 5]) &<< 40
            | UInt64(text[place + 6]) &<< 48 | UInt64(text[place + 7]) &<< 56
        return low | high
    }

    @inline(__always)
    private static func first(
        in text: Span<UInt8>, from start: Int, _ marks: (UInt64) -> UInt64
    ) -> Int {
        var at = start
        let end = text.count
        while end - at >= 32 {
            let block = text.extracting(at..<(at + 32))
            let found = (
                marks(word(block, 0)), marks(word(block, 8)), marks(word(block, 16)), marks(word(block, 24))
            )
            if found.0 | found.1 | found.2 | found.3 != 0 {
                if found.0 != 0 { return at + found.0.trailingZeroBitCount / 8 }
                if found.1 != 0 { return at + 8 + found.1.trailingZeroBitCount / 8 }
                if found.2 != 0 { return at + 16 + found.2.trailingZeroBitCount / 8 }
                return at + 24 + found.3.trailingZeroBitCount / 8
            }
            at += 32
        }
        while end - at >= 8 {
            let found = marks(word(text.extracting(at..<(at + 8))))
            if found != 0 { return at + found.trailingZeroBitCount / 8 }
            at += 8
        }
        // Behind the byte stand others that no one looks for.
        while at < end {
            if marks(UInt64(text[at]) | 0x6161_6161_6161_6100) != 0 { return at }
            at += 1
        }
        return end
    }
}
