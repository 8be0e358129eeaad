internal import JSON

/// A user's login, as `gcloud auth application-default login` leaves it (wire.md B5).
package struct AuthorizedUser {
    /// Where the file lies.
    package let path: String
    /// The OAuth client that the user logged in with.
    package let clientID: String
    /// The client's secret, which goes nowhere but to the token endpoint.
    package let clientSecret: String
    /// What access tokens are asked for with.
    package var refreshToken: String
    /// The project whose quota pays, when the file names one.
    package let quotaProject: String?

    /// Reads the file's bytes; throws one sentence that says which file lacks what.
    package init(_ bytes: [UInt8], path: String) throws(UpstreamFailure) {
        let file = try CredentialFile(bytes, path: path)
        try file.demand(.authorizedUser)
        let values = try file.required(["client_id", "client_secret", "refresh_token"])
        self.path = path
        clientID = values[0]
        clientSecret = values[1]
        refreshToken = values[2]
        quotaProject = file.optional("quota_project_id")
    }

    /// The file's bytes with another refresh token, and every other byte as it was.
    ///
    /// Returns nil when the file no longer holds the token that was used: somebody logged in meanwhile.
    package static func replacing(_ used: String, by token: String, in bytes: [UInt8], path: String)
        -> [UInt8]?
    {
        guard let file = try? CredentialFile(bytes, path: path), file.optional("refresh_token") == used,
            let place = file.place(of: "refresh_token")
        else { return nil }
        var value: [UInt8] = []
        JSONText.append(token, to: &value)
        return Array(bytes[..<place.lowerBound]) + value + Array(bytes[place.upperBound...])
    }
}
