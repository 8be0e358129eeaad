internal import Conversation
internal import JSON

/// Reads a token endpoint's answers (wire.md B2, B4, B6).
///
/// - Invariant: no failure holds a token, an assertion or a secret, also when the server sends one back.
package struct GoogleTokenAnswer: Sendable {
    let status: Int
    /// Names in lower case.
    let headers: [String: String]
    let body: [UInt8]
    let grant: GoogleGrant
    /// What the request held that nobody may see.
    let secrets: [String]

    package init(
        status: Int, headers: [String: String], body: [UInt8], grant: GoogleGrant, secrets: [String]
    ) {
        self.status = status
        self.headers = headers
        self.body = body
        self.grant = grant
        self.secrets = secrets
    }

    /// The token, or why there is none; `now` is the local clock in milliseconds since 1970.
    package func read(now: Int64) -> Result<GoogleToken, UpstreamFailure> {
        if case .metadataServer = grant, headers["metadata-flavor"] != "Google" {
            // The answer of a captive portal or a neighbour must not become a bearer token.
            return .failure(failure(.auth, "what answers is not \(grant.server): Metadata-Flavor is missing"))
        }
        return (200...299).contains(status) ? token() : .failure(refusal(now: now))
    }

    private func token() -> Result<GoogleToken, UpstreamFailure> {
        guard let root = try? JSONDocument(body).root else {
            // A front end's page, as while the endpoint behind it is away.
            return .failure(
                failure(
                    .protocolError, "\(grant.server) gave an answer that is not JSON", isRetryable: true))
        }
        guard let token = root["access_token"]?.string, !token.isEmpty else {
            return .failure(failure(.protocolError, "\(grant.server) gave an answer without a token"))
        }
        // It becomes a line of a request's head, so a line end in it would be another header.
        guard token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            return .failure(failure(.protocolError, "\(grant.server) gave a token that fits in no header"))
        }
        let renewed = root["refresh_token"]?.string
        return .success(
            GoogleToken(
                accessToken: token, lifetime: lifetime(root["expires_in"]),
                refreshToken: renewed?.isEmpty == true ? nil : renewed))
    }

    /// Seconds, written as a number or as a string; at most ten years, so that sums cannot overflow.
    private func lifetime(_ value: JSONView?) -> Int64? {
        guard let value, let seconds = value.double ?? value.string.flatMap(Double.init), seconds.isFinite
        else { return nil }
        return Int64(min(max(seconds, 0), 315_360_000))
    }

    private func refusal(now: Int64) -> UpstreamFailure {
        let said = ServerWords(body, hiding: secrets)
        if GoogleTokenAnswer.isTransient(status: status, said) {
            return failure(
                .unavailable, "\(grant.server) is not available", said, isRetryable: true,
                retryAfter: RetryAfter.milliseconds(headers, now: now))
        }
        switch grant {
        case .metadataServer(let host):
            let lead =
                status == 404
                ? "the metadata server at '\(host)' knows no service account of this machine"
                : "the metadata server at '\(host)' gave no token"
            return failure(.auth, lead, said)
        case .serviceAccount, .authorizedUser:
            let skew = said.error == "invalid_grant" ? ClockSkew(headers["date"], local: now) : nil
            return failure(.auth, lead(said, skew, now), said, tail: skew?.words)
        }
    }

    private static func isTransient(status: Int, _ said: ServerWords) -> Bool {
        let words: Set<String> = ["internal_failure", "server_error", "temporarily_unavailable"]
        // 502 is not in Google's list; a front end that is restarting sends it all the same (wire.md B4).
        return [408, 429, 500, 502, 503, 504].contains(status) || words.contains(said.error)
            || words.contains(said.description)
    }

    /// What it means, and what to do about it.
    private func lead(_ said: ServerWords, _ skew: ClockSkew?, _ now: Int64) -> String {
        switch said.error {
        case "invalid_grant": return leadOfInvalidGrant(said, skew, now)
        case "invalid_scope":
            guard case .serviceAccount(_, _, let scopes) = grant else {
                return "the login does not allow what was asked for; \(logIn)"
            }
            let list = scopes.isEmpty ? "none" : scopes.joined(separator: " ")
            return "Google refused the scopes that are configured: \(list)"
        case "invalid_client", "deleted_client", "disabled_client":
            return "Google does not know the OAuth client of \(credential) any more"
        case "unauthorized_client": return "Google does not allow \(credential) to fetch tokens"
        case "access_denied", "admin_policy_enforced", "org_internal":
            return "the organisation does not allow \(credential) to fetch tokens"
        default: return "Google refused to give a token for \(credential)"
        }
    }

    private func leadOfInvalidGrant(_ said: ServerWords, _ skew: ClockSkew?, _ now: Int64) -> String {
        if ["invalid_rapt", "rapt_required"].contains(said.subtype) {
            return "Google wants this user to log in again; \(logIn)"
        }
        guard case .serviceAccount(let email, let path, _) = grant else {
            return "Google no longer takes the login in '\(path)': it expired or was revoked; \(logIn)"
        }
        let text = said.description.lowercased()
        if text.contains("signature") {
            return "Google does not know the key in '\(path)' any more; make a new key for '\(email)'"
        }
        if text.contains("account not found") { return "Google knows no service account '\(email)'" }
        if text.contains("reasonable timeframe") || text.contains("iat and exp") || skew != nil {
            return "Google refused the time in the request for a token; set this machine's clock, "
                + "which says \(Timestamp.text(now))"
        }
        return "Google refused the key in '\(path)' of '\(email)'"
    }

    private var path: String {
        switch grant {
        case .serviceAccount(_, let path, _), .authorizedUser(let path): path
        case .metadataServer: ""
        }
    }

    private var credential: String { "'\(path)'" }
    private var logIn: String { "run 'gcloud auth application-default login'" }

    private func failure(
        _ kind: UpstreamFailure.Kind, _ lead: String, _ said: ServerWords? = nil, tail: String? = nil,
        isRetryable: Bool = false, retryAfter: Int? = nil
    ) -> UpstreamFailure {
        let words = said?.line ?? ""
        let message =
            "\(lead) (HTTP \(status))" + (words.isEmpty ? "" : ": \(words)") + (tail.map { "; \($0)" } ?? "")
        return UpstreamFailure(
            kind, message, status: status, isRetryable: isRetryable, retryAfter: retryAfter)
    }
}
