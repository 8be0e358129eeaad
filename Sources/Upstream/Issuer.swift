internal import Crypto

/// Who thoughts and signed calls are from, so that they go back to nobody else: a server, whatever it is called in the
/// configuration, and for some models an account at it.
///
/// What a message tells of it are the kind and digests, as in "anthropic:5f2c0a91": no address, and nothing of a key.
struct Issuer {
    /// The server.
    let server: String
    /// The server with the account, which is told by where its keys come from: they may be changed there and stay the
    /// account's.
    let account: String

    init(kind: String, address: String, keys: String) {
        server = "\(kind):\(Issuer.digest(address))"
        account = "\(server).\(Issuer.digest(keys))"
    }

    private static func digest(_ text: String) -> String {
        String(SHA256Digest.of(Array(text.utf8)).hexadecimal.prefix(8))
    }
}
