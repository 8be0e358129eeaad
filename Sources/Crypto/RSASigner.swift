internal import CCrypto

/// Signs with an RSA private key as RS256 does: RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518, section 3.3).
///
/// - Invariant: the key cannot be read back, and no error of libcrypto's about it is kept.
@safe package final class RSASigner {
    private let key: OpaquePointer

    /// Reads a private key in PEM form (PKCS#8, or the older PKCS#1); nil for anything else.
    ///
    /// A key under a pass phrase is refused, rather than that libcrypto asks for it on the terminal.
    package init?(pem: [UInt8]) {
        defer { ERR_clear_error() }
        let read = unsafe pem.withUnsafeBytes { bytes -> OpaquePointer? in
            guard let text = unsafe BIO_new_mem_buf(bytes.baseAddress, Int32(clamping: bytes.count)) else {
                return nil
            }
            defer { unsafe BIO_free(text) }
            return unsafe PEM_read_bio_PrivateKey(text, nil, { _, _, _, _ in -1 }, nil)
        }
        guard let key = unsafe read else { return nil }
        guard unsafe EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA else {
            unsafe EVP_PKEY_free(key)
            return nil
        }
        unsafe self.key = unsafe key
    }

    deinit { unsafe EVP_PKEY_free(key) }

    /// The signature over the message; nil when libcrypto cannot make one with this key.
    package func sign(_ message: [UInt8]) -> [UInt8]? {
        defer { ERR_clear_error() }
        let context = unsafe EVP_MD_CTX_new()
        defer { unsafe EVP_MD_CTX_free(context) }
        var count = Int(unsafe EVP_PKEY_get_size(key))
        var out = [UInt8](repeating: 0, count: count)
        guard unsafe EVP_DigestSignInit(context, nil, EVP_sha256(), nil, key) == 1 else { return nil }
        let isMade = unsafe out.withUnsafeMutableBufferPointer { out in
            unsafe message.withUnsafeBufferPointer { message in
                unsafe EVP_DigestSign(context, out.baseAddress, &count, message.baseAddress, message.count)
                    == 1
            }
        }
        return isMade ? Array(out.prefix(count)) : nil
    }
}
