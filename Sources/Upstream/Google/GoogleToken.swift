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
    /// A service account's key, from the credential file at `path`.
    case serviceAccount(email: String, path: String, scopes: [String])
    /// A user's refresh token, from the credential file at `path`.
    case authorizedUser(path: String)
    /// The machine's own account, asked of the server in Google's cloud.
    case metadataServer(host: String)

    /// Who was asked, as a sentence's subject.
    var server: String {
        switch self {
        case .serviceAccount, .authorizedUser: "Google's token endpoint"
        case .metadataServer(let host): "the metadata server at '\(host)'"
        }
    }
}
