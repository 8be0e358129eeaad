internal import CCrypto

/// HMAC with SHA-256 (RFC 2104, FIPS 198-1).
package enum HMACSHA256 {
    /// The 32 bytes that authenticate the message under the key; both may be empty.
    package static func of(_ message: [UInt8], key: [UInt8]) -> [UInt8] {
        var out = [UInt8](repeating: 0, count: 32)
        unsafe out.withUnsafeMutableBufferPointer { out in
            unsafe key.withUnsafeBytes { key in
                unsafe message.withUnsafeBufferPointer { message in
                    _ = unsafe HMAC(
                        EVP_sha256(), key.baseAddress, Int32(key.count), message.baseAddress, message.count,
                        out.baseAddress, nil)
                }
            }
        }
        return out
    }
}
