/// Crypto makes hashes with libcrypto.
internal import CCrypto

/// SHA-256 (FIPS 180-4), fed piece by piece.
@safe package struct SHA256Digest: ~Copyable {
    private let context: OpaquePointer?

    /// Starts an empty digest.
    package init() {
        unsafe context = EVP_MD_CTX_new()
        unsafe EVP_DigestInit_ex(context, EVP_sha256(), nil)
    }

    deinit { unsafe EVP_MD_CTX_free(context) }

    /// Adds bytes.
    package mutating func update(_ bytes: [UInt8]) {
        unsafe bytes.withUnsafeBytes { _ = unsafe EVP_DigestUpdate(context, $0.baseAddress, $0.count) }
    }

    /// The 32 bytes of the digest over all that was added.
    package consuming func finish() -> [UInt8] {
        var out = [UInt8](repeating: 0, count: 32)
        unsafe out.withUnsafeMutableBufferPointer {
            _ = unsafe EVP_DigestFinal_ex(context, $0.baseAddress, nil)
        }
        return out
    }

    /// The 32 bytes of the digest over what was added so far; more may be added.
    package borrowing func soFar() -> [UInt8] {
        let other = SHA256Digest()
        unsafe EVP_MD_CTX_copy_ex(other.context, context)
        return other.finish()
    }

    /// The digest of bytes at hand.
    package static func of(_ bytes: [UInt8]) -> [UInt8] {
        var digest = SHA256Digest()
        digest.update(bytes)
        return digest.finish()
    }
}

extension [UInt8] {
    /// The bytes that hexadecimal digits name; nil for anything else.
    package init?(hexadecimal text: some StringProtocol) {
        let digits = text.compactMap { $0.isASCII ? $0.hexDigitValue : nil }
        guard digits.count == text.utf8.count, digits.count.isMultiple(of: 2) else { return nil }
        self = stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    /// The bytes as lower-case hexadecimal digits.
    package var hexadecimal: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
