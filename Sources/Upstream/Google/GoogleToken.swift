/// What a token endpoint gave.
package struct GoogleToken: Sendable, Equatable {
    /// Opaque; may be more than 1 KB.
    package let accessToken: String
    /// Seconds that it is good for, nil when the server named no end.
    package let lifetime: Int64?
    /// A refresh token that takes the place of the one that was used.
    package let refreshToken: String?

    package init(accessToken: String, lifetime: Int64?, refreshToken: String? = nil) {
        self.accessToken = accessToken
        self.lifetime = lifetime
        self.refreshToken = refreshToken
    }
}

/// By what right a token was asked for; failures are worded after it.
package enum GoogleGrant: Sendable, Equatable {
    case serviceAccount(email: String, path: String, scopes: [String])
    case authorizedUser(path: String)
    case metadataServer(host: String)

    /// Who was asked, as a sentence's subject.
    var server: String {
        switch self {
        case .serviceAccount, .authorizedUser: "Google's token endpoint"
        case .metadataServer(let host): "the metadata server at '\(host)'"
        }
    }
}
