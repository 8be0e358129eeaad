internal import Crypto

/// Signs requests: the header says `t=<seconds since 1970>,v1=<hex of HMAC-SHA256 over "t.body">`, with `kid=` in
/// front where the secret has a name.
enum RequestSigner {
    /// The header line for a body.
    static func header(_ name: String, keyID: String?, secret: [UInt8], body: [UInt8], now: Int64) -> String {
        let time = String(now / 1000)
        let mark = HMACSHA256.of(Array("\(time).".utf8) + body, key: secret).hexadecimal
        return "\(name): \(keyID.map { "kid=\($0)," } ?? "")t=\(time),v1=\(mark)"
    }
}
