package import JSON
package import Posix

/// Files that tests read, and small makers of values.
package enum Fixtures {
    /// The bytes of `Fixtures/NAME` beside the calling file.
    package static func bytes(_ name: String, beside file: StaticString = #filePath) throws(PosixError)
        -> [UInt8]
    {
        try Files.read(Files.directory(of: file.description) + "/Fixtures/" + name)
    }

    /// A JSON text as a value.
    package static func json(_ text: String) throws(JSONError) -> JSONView {
        try JSONDocument(Array(text.utf8)).root
    }

    /// Undoes base64 (RFC 4648, section 4), nil for anything that is not it.
    package static func base64(_ text: [UInt8]) -> [UInt8]? {
        guard text.count.isMultiple(of: 4) else { return nil }
        let padding = text.reversed().prefix { $0 == UInt8(ascii: "=") }.count
        guard padding <= 2 else { return nil }
        var out: [UInt8] = [], bits: UInt32 = 0, held = 0
        out.reserveCapacity(text.count / 4 * 3)
        for byte in text.dropLast(padding) {
            guard let six = sextet(byte) else { return nil }
            bits = bits << 6 | six
            held += 6
            if held >= 8 {
                held -= 8
                out.append(UInt8(truncatingIfNeeded: bits >> UInt32(held)))
            }
        }
        return out
    }

    private static func sextet(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): UInt32(byte) - 65
        case UInt8(ascii: "a")...UInt8(ascii: "z"): UInt32(byte) - 71
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte) + 4
        case UInt8(ascii: "+"): 62
        case UInt8(ascii: "/"): 63
        default: nil
        }
    }
}

/// Bytes as text, for comparisons that print well.
package func text(_ bytes: some Sequence<UInt8>) -> String { String(decoding: Array(bytes), as: UTF8.self) }
