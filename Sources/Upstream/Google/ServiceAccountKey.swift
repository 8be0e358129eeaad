internal import Crypto

/// A service account's key file (wire.md B1).
///
/// - Invariant: the private key cannot be read back; it only signs.
package struct ServiceAccountKey {
    /// Where the file lies.
    package let path: String
    /// The account's address: the assertion's issuer.
    package let clientEmail: String
    /// Google's name for the key: the assertion's `kid`.
    package let keyID: String?
    /// Where the file says that tokens are fetched.
    package let tokenURI: String
    private let signer: RSASigner

    /// Reads the file's bytes; throws one sentence that says which file lacks what.
    package init(_ bytes: [UInt8], path: String) throws(UpstreamFailure) {
        let file = try CredentialFile(bytes, path: path)
        try file.demand(.serviceAccount)
        let values = try file.required(["client_email", "private_key", "token_uri"])
        self.path = path
        clientEmail = values[0]
        keyID = file.optional("private_key_id")
        guard let signer = RSASigner(pem: Array(values[1].utf8)) else {
            throw file.failure("has no RSA key in PEM form in 'private_key'")
        }
        self.signer = signer
        tokenURI = values[2]
        guard TokenEndpoint.isSafe(tokenURI) else {
            throw file.failure("has a 'token_uri' that is neither https nor on this machine")
        }
    }

    /// The RS256 signature over a text; nil when the key cannot make one.
    package func sign(_ text: String) -> [UInt8]? { signer.sign(Array(text.utf8)) }
}
