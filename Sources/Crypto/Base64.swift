/// Base64 (RFC 4648).
package enum Base64 {
    private static let shared = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    private static let alphabet = Array((shared + "+/").utf8)
    private static let urlAlphabet = Array((shared + "-_").utf8)

    /// The bytes with padding (RFC 4648, section 4).
    package static func encoded(_ bytes: [UInt8]) -> String {
        let digits = encoded(bytes, alphabet)
        return String(
            decoding: digits + [UInt8](repeating: 0x3D, count: (4 - digits.count % 4) % 4), as: UTF8.self)
    }

    /// The bytes in the alphabet that is safe in URLs, without padding (RFC 4648, section 5).
    package static func urlEncoded(_ bytes: [UInt8]) -> String {
        String(decoding: encoded(bytes, urlAlphabet), as: UTF8.self)
    }

    private static func encoded(_ bytes: [UInt8], _ alphabet: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity((bytes.count * 4 + 2) / 3 + 2)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(0) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - group.count))
            for place in 0...group.count {
                out.append(alphabet[Int(bits >> UInt32(18 - 6 * place) & 63)])
            }
        }
        return out
    }
}
