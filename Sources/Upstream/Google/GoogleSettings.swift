/// Which Google credential an upstream uses, and what it asks a token for.
package struct GoogleSettings: Sendable, Equatable {
    /// Where the credential is.
    package enum Source: Sendable, Equatable {
        /// A service account's key file, at this path.
        case serviceAccount(String)
        /// A file of type `authorized_user`, at this path.
        case authorizedUser(String)
        /// The metadata server of the Google machine that this is.
        case metadataServer
        /// Whatever Google's search order finds (wire.md B6).
        case applicationDefault
    }

    /// The narrowest scope that several programs are known to call `generateContent` with (wire.md B7).
    ///
    /// `cloud-platform` alone is refused by generativelanguage.googleapis.com (wire.md, trap 15).
    package static let narrowestScope = "https://www.googleapis.com/auth/generative-language.retriever"
    /// What Vertex AI demands (wire.md B7).
    package static let cloudPlatformScope = "https://www.googleapis.com/auth/cloud-platform"

    /// Where the credential is looked for.
    package var source: Source
    /// What a token of a service account or of the metadata server may be used for.
    ///
    /// A user's token may be used for what the user agreed to when logging in.
    package var scopes: [String]
    /// The project whose quota pays; nil leaves it to `GOOGLE_CLOUD_QUOTA_PROJECT` and the user's file.
    package var quotaProject: String?
    /// Where tokens are fetched, in place of the file's `token_uri` or Google's own address.
    package var tokenURL: String?
    /// The assertion's `aud`, in place of Google's own.
    package var audience: String?
    /// Milliseconds before the second try to fetch a token; doubled before the third (wire.md B4).
    package var retryDelay: Int
    /// See `UpstreamSettings.caFile`.
    package var caFile: String?

    package init(
        source: Source, scopes: [String] = [GoogleSettings.narrowestScope], quotaProject: String? = nil,
        tokenURL: String? = nil, audience: String? = nil, retryDelay: Int = 1_000
    ) {
        self.source = source
        self.scopes = scopes
        self.quotaProject = quotaProject
        self.tokenURL = tokenURL
        self.audience = audience
        self.retryDelay = retryDelay
    }
}
