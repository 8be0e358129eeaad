/// Tells whether a text is one JSON value, without making anything of it: one pass, no allocation.
package enum JSONCheck {
    /// Levels of nesting that it follows; deeper texts count as broken.
    private static let deepest = 512

    /// What one look at a JSON value tells besides that it is one.
    package struct Traits: Equatable {
        package init(isASCII: Bool, hasLineEnd: Bool) {
            self.isASCII = isASCII
            self.hasLineEnd = hasLineEnd
        }

        /// Whether each byte is below 128; otherwise nobody has looked whether the text is UTF-8.
        package let isASCII: Bool
        /// Whether it has a line feed or a carriage return, which can only be white space between values.
        package let hasLineEnd: Bool
    }

    /// What is known of a text that is one JSON value (RFC 8259), or nil when it is none.
    ///
    /// Bytes above 127 in strings count as text.
    package static func traits(of bytes: [UInt8]) -> Traits? {
        var scanner = Scanner()
        guard scanner.scan(bytes.span) else { return nil }
        return Traits(isASCII: scanner.isASCII, hasLineEnd: scanner.hasLineEnd)
    }

    /// Where a string ends that begins at an index, and whether all of it is ASCII; nil where none does.
    package static func string(in text: Span<UInt8>, at start: Int) -> (end: Int, isASCII: Bool)? {
        var scanner = Scanner()
        scanner.at = start
        guard start < text.count, text[start] == 0x22, scanner.string(text) else { return nil }
        return (scanner.at, scanner.isASCII)
    }

    private struct Scanner {
        fileprivate var at = 0
        private var depth = 0
        private(set) var isASCII = true
        private(set) var hasLineEnd = false
        /// A bit a level, set for objects.
        private var kinds = InlineArray<8, UInt64>(repeating: 0)

        private var isInObject: Bool {
            kinds[(depth - 1) / 64] & (1 << UInt64((depth - 1) % 64)) != 0
        }

        private mutating func push(isObject: Bool) -> Bool {
            guard depth < JSONCheck.deepest else { return false }
            let bit: UInt64 = 1 << UInt64(depth % 64)
            if isObject { kinds[depth / 64] |= bit } else { kinds[depth / 64] &= ~bit }
            depth += 1
            return true
        }

        mutating func scan(_ text: Span<UInt8>) -> Bool {
            guard value(text) else { return false }
            while depth > 0 { guard next(text) else { return false } }
            skipSpace(text)
            return at == text.count
        }

        /// Behind a value inside a container: a comma and the next value, or the end.
        private mutating func next(_ text: Span<UInt8>) -> Bool {
            skipSpace(text)
            guard at < text.count else { return false }
            let isObject = isInObject
            if text[at] == (isObject ? 0x7D : 0x5D) {
                at += 1
                depth -= 1
                return true
            }
            guard text[at] == 0x2C else { return false }
            at += 1
            return (!isObject || key(text)) && value(text)
        }

        private mutating func key(_ text: Span<UInt8>) -> Bool {
            skipSpace(text)
            guard at < text.count, text[at] == 0x22, string(text) else { return false }
            skipSpace(text)
            guard at < text.count, text[at] == 0x3A else { return false }
            at += 1
            return true
        }

        /// A scalar, or the start of containers down to the first scalar in them.
        private mutating func value(_ text: Span<UInt8>) -> Bool {
            while true {
                skipSpace(text)
                guard at < text.count else { return false }
                let byte = text[at]
                guard byte == 0x7B || byte == 0x5B else { return scalar(text, byte) }
                let isObject = byte == 0x7B
                at += 1
                skipSpace(text)
                guard at < text.count else { return false }
                if text[at] == (isObject ? 0x7D : 0x5D) {
                    at += 1
                    return true
                }
                guard push(isObject: isObject), !isObject || key(text) else { return false }
            }
        }

        private mutating func scalar(_ text: Span<UInt8>, _ byte: UInt8) -> Bool {
            switch byte {
            case 0x22: string(text)
            case 0x2D, 0x30...0x39: number(text)
            case 0x74: word(text, "true")
            case 0x66: word(text, "false")
            case 0x6E: word(text, "null")
            default: false
            }
        }

        private mutating func word(_ text: Span<UInt8>, _ word: StaticString) -> Bool {
            for byte in word.description.utf8 {
                guard at < text.count, text[at] == byte else { return false }
                at += 1
            }
            return true
        }

        fileprivate mutating func string(_ text: Span<UInt8>) -> Bool {
            at += 1
            var all: UInt64 = 0
            while true {
                at = ByteSearch.special(in: text, from: at, seen: &all)
                guard at < text.count else { return false }
                switch text[at] {
                case 0x22:
                    at += 1
                    if all & ByteSearch.highs != 0 { isASCII = false }
                    return true
                case 0x5C: guard escapes(text) else { return false }
                default: return false
                }
            }
        }

        /// One escape after the other; words of other scripts may be nothing else.
        private mutating func escapes(_ text: Span<UInt8>) -> Bool {
            repeat {
                guard at + 1 < text.count else { return false }
                switch text[at + 1] {
                case let letter where JSONText.isSimple(letter): at += 2
                case 0x75 where JSONText.hex4(text, at + 2) != nil: at += 6
                default: return false
                }
            } while at < text.count && text[at] == 0x5C
            return true
        }

        private mutating func number(_ text: Span<UInt8>) -> Bool {
            if text[at] == 0x2D { at += 1 }
            guard at < text.count else { return false }
            if text[at] == 0x30 { at += 1 } else if !digits(text) { return false }
            if at < text.count, text[at] == 0x2E {
                at += 1
                guard digits(text) else { return false }
            }
            guard at < text.count, text[at] | 0x20 == 0x65 else { return true }
            at += 1
            if at < text.count, text[at] == 0x2B || text[at] == 0x2D { at += 1 }
            return digits(text)
        }

        private mutating func digits(_ text: Span<UInt8>) -> Bool {
            let start = at
            while at < text.count, (0x30...0x39).contains(text[at]) { at += 1 }
            return at > start
        }

        private mutating func skipSpace(_ text: Span<UInt8>) {
            while at < text.count,
                text[at] == 0x20 || text[at] == 0x0A || text[at] == 0x0D || text[at] == 0x09
            {
                if text[at] < 0x20, text[at] != 0x09 { hasLineEnd = true }
                at += 1
            }
        }
    }
}
