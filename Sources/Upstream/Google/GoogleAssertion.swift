internal import Crypto
internal import JSON

/// What is sent to get a token: a signed assertion, or a refresh token (wire.md B2, B5).
package enum GoogleAssertion {
    /// Seconds that an assertion is good for; more is refused (wire.md B2).
    package static let lifetime: Int64 = 3600

    /// The signed assertion of a service account; `now` is in seconds since 1970.
    ///
    /// Returns nil when the key cannot sign.
    package static func jwt(
        _ key: ServiceAccountKey, scopes: [String], audience: String = TokenEndpoint.google, now: Int64
    ) -> String? {
        let header = JSONWriter.object {
            $0.member("typ", "JWT")
            $0.member("alg", "RS256")
            $0.optional("kid", key.keyID)
        }
        let claims = JSONWriter.object {
            $0.member("iss", key.clientEmail)
            $0.member("scope", scopes.joined(separator: " "))
            $0.member("aud", audience)
            $0.member("iat", Int(now))
            $0.member("exp", Int(now + lifetime))
        }
        let input = Base64.urlEncoded(header) + "." + Base64.urlEncoded(claims)
        return key.sign(input).map { input + "." + Base64.urlEncoded($0) }
    }

    /// The body of the JWT-bearer grant.
    package static func form(assertion: String) -> String {
        form([("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion)])
    }

    /// The body of the refresh-token grant.
    ///
    /// It asks for no scope: the token is then good for all that the user agreed to, and asking for one that was not
    /// agreed to fails.
    package static func form(_ user: AuthorizedUser) -> String {
        form([
            ("grant_type", "refresh_token"), ("client_id", user.clientID),
            ("client_secret", user.clientSecret), ("refresh_token", user.refreshToken),
        ])
    }

    /// Pairs as `application/x-www-form-urlencoded`.
    package static func form(_ pairs: [(String, String)]) -> String {
        pairs.map { "\(encoded($0.0))=\(encoded($0.1))" }.joined(separator: "&")
    }

    private static func encoded(_ text: String) -> String {
        let hex = Array("0123456789ABCDEF".utf8)
        var out: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: out.append(byte)
            case 0x20: out.append(0x2B)
            default: out += [0x25, hex[Int(byte >> 4)], hex[Int(byte & 15)]]
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
