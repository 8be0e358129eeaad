/// Escapes in JSON strings, both ways.
package enum JSONText {
    /// Undoes the escapes of a string's inner bytes; lone surrogates become U+FFFD.
    package static func unescaped(_ inner: ArraySlice<UInt8>) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(inner.count)
        let text = inner.span
        var at = 0
        while true {
            if at < text.count, text[at] != 0x5C {
                let run = at
                at = ByteSearch.backslash(in: text, from: at)
                out.append(contentsOf: inner[(inner.startIndex + run)..<(inner.startIndex + at)])
            }
            if at + 1 >= text.count {
                out.append(contentsOf: inner[(inner.startIndex + at)...])
                return out
            }
            if text[at + 1] == 0x75 {
                let (scalar, used) = scalar(text, at)
                append(scalar, to: &out)
                at += used
            } else {
                out.append(simple(text[at + 1]))
                at += 2
            }
        }
    }

    /// The text of a JSON string with its quotes; nil where it is not UTF-8, or has numbered characters that a reader must look
    /// at.
    package static func text(_ string: ArraySlice<UInt8>) -> String? {
        let inner = string.dropFirst().dropLast(), bytes = inner.span
        var at = ByteSearch.backslash(in: bytes, from: 0)
        if at == bytes.count { return String(validating: inner, as: UTF8.self) }
        var out: [UInt8] = [], start = 0
        out.reserveCapacity(bytes.count)
        while at < bytes.count {
            guard at + 1 < bytes.count, isSimple(bytes[at + 1]) else { return nil }
            out.append(contentsOf: inner[(inner.startIndex + start)..<(inner.startIndex + at)])
            out.append(simple(bytes[at + 1]))
            start = at + 2
            at = ByteSearch.backslash(in: bytes, from: start)
        }
        out.append(contentsOf: inner[(inner.startIndex + start)...])
        return String(validating: out, as: UTF8.self)
    }

    /// Appends a character's UTF-8 (RFC 3629, section 3).
    private static func append(_ scalar: Unicode.Scalar, to out: inout [UInt8]) {
        let value = scalar.value
        func rest(_ shift: UInt32) -> UInt8 { 0x80 | UInt8(truncatingIfNeeded: value >> shift & 0x3F) }
        switch value {
        case ..<0x80: out.append(UInt8(truncatingIfNeeded: value))
        case ..<0x800:
            out.append(0xC0 | UInt8(truncatingIfNeeded: value >> 6))
            out.append(rest(0))
        case ..<0x10000:
            out.append(0xE0 | UInt8(truncatingIfNeeded: value >> 12))
            out.append(rest(6))
            out.append(rest(0))
        default:
            out.append(0xF0 | UInt8(truncatingIfNeeded: value >> 18))
            out.append(rest(12))
            out.append(rest(6))
            out.append(rest(0))
        }
    }

    /// Whether a letter behind a backslash stands for a character by itself (RFC 8259, section 7).
    package static func isSimple(_ letter: UInt8) -> Bool {
        switch letter {
        case 0x22, 0x2F, 0x5C, 0x62, 0x66, 0x6E, 0x72, 0x74: true
        default: false
        }
    }

    private static func simple(_ letter: UInt8) -> UInt8 {
        switch letter {
        case 0x62: 0x08
        case 0x66: 0x0C
        case 0x6E: 0x0A
        case 0x72: 0x0D
        case 0x74: 0x09
        default: letter
        }
    }

    /// The scalar of the `\u` escape at `at`, with its mate if it has one, and how many bytes that took.
    private static func scalar(_ text: Span<UInt8>, _ at: Int) -> (Unicode.Scalar, Int) {
        let replacement: Unicode.Scalar = "\u{FFFD}"
        guard let unit = hex4(text, at + 2) else { return (replacement, 2) }
        if (0xD800...0xDBFF).contains(unit), at + 7 < text.count, text[at + 6] == 0x5C, text[at + 7] == 0x75,
            let low = hex4(text, at + 8), (0xDC00...0xDFFF).contains(low)
        {
            let value = 0x10000 + ((UInt32(unit) - 0xD800) << 10) + (UInt32(low) - 0xDC00)
            return (Unicode.Scalar(value) ?? replacement, 12)
        }
        return (Unicode.Scalar(unit) ?? replacement, 6)
    }

    /// Four hexadecimal digits as a number, nil when they are not there.
    static func hex4(_ text: Span<UInt8>, _ at: Int) -> UInt16? {
        guard at + 4 <= text.count else { return nil }
        var value: UInt16 = 0
        for index in at..<(at + 4) {
            let digit: UInt8
            switch text[index] {
            case 0x30...0x39: digit = text[index] - 0x30
            case 0x41...0x46: digit = text[index] - 0x37
            case 0x61...0x66: digit = text[index] - 0x57
            default: return nil
            }
            value = value << 4 | UInt16(digit)
        }
        return value
    }

    /// Bytes of a text up to which it is copied byte by byte, which costs less than to begin a copy.
    private static let short = 48

    /// Appends a JSON string with its quotes; only what must be escaped is.
    @inline(__always)
    package static func append(_ text: String, to out: inout [UInt8]) {
        append(text, behind: nil, before: nil, to: &out)
    }

    /// The same with a byte behind which, and one before which it stands.
    static func append(_ text: String, behind: UInt8?, before: UInt8?, to out: inout [UInt8]) {
        let bytes = text.utf8.span
        if bytes.count <= short, ByteSearch.special(in: bytes, from: 0) == bytes.count {
            return out.append(addingCapacity: bytes.count + 4) { out in
                if let behind { out.append(behind) }
                out.append(0x22)
                for at in bytes.indices { out.append(bytes[at]) }
                out.append(0x22)
                if let before { out.append(before) }
            }
        }
        if let behind { out.append(behind) }
        out.append(0x22)
        appendInner(text, to: &out)
        out.append(0x22)
        if let before { out.append(before) }
    }

    /// Appends UTF-8 bytes as a JSON string with its quotes.
    package static func append(_ text: ArraySlice<UInt8>, to out: inout [UInt8]) {
        out.append(0x22)
        appendEscaped(text, to: &out)
        out.append(0x22)
    }

    /// Appends the escaped text without quotes.
    package static func appendInner(_ text: String, to out: inout [UInt8]) {
        let bytes = text.utf8.span
        // A part of a string is copied byte by byte, the whole of it at once; most have nothing to escape.
        if ByteSearch.special(in: bytes, from: 0) == bytes.count { return out.append(contentsOf: text.utf8) }
        appendEscaped(Array(text.utf8)[...], to: &out)
    }

    /// Appends what needs no escape in whole runs.
    private static func appendEscaped(_ text: ArraySlice<UInt8>, to out: inout [UInt8]) {
        let bytes = text.span
        var start = 0
        while true {
            let at = ByteSearch.special(in: bytes, from: start)
            out.append(contentsOf: text[(text.startIndex + start)..<(text.startIndex + at)])
            guard at < bytes.count else { return }
            escape(bytes[at], &out)
            start = at + 1
        }
    }

    private static func escape(_ byte: UInt8, _ out: inout [UInt8]) {
        switch byte {
        case 0x22: out += [0x5C, 0x22]
        case 0x5C: out += [0x5C, 0x5C]
        case 0x08: out += [0x5C, 0x62]
        case 0x0C: out += [0x5C, 0x66]
        case 0x0A: out += [0x5C, 0x6E]
        case 0x0D: out += [0x5C, 0x72]
        case 0x09: out += [0x5C, 0x74]
        default:
            let digits: StaticString = "0123456789abcdef"
            let table = Array(digits.description.utf8)
            out += [0x5C, 0x75, 0x30, 0x30, table[Int(byte >> 4)], table[Int(byte & 15)]]
        }
    }
}
