internal import TestSupport
internal import Testing
internal import Upstream

private let noon: Int64 = 1_764_072_000_000
private let account = GoogleGrant.serviceAccount(email: "bot@p", path: "k.json", scopes: ["s1", "s2"])
private let login = GoogleGrant.authorizedUser(path: "u.json")

private func read(
    _ status: Int, _ body: String, _ grant: GoogleGrant = account, _ headers: [String: String] = [:],
    secrets: [String] = []
) -> Result<GoogleToken, UpstreamFailure> {
    GoogleTokenAnswer(
        status: status, headers: headers, body: Array(body.utf8), grant: grant, secrets: secrets
    ).read(now: noon)
}

private func failure(
    _ status: Int, _ body: String, _ grant: GoogleGrant = account, _ headers: [String: String] = [:],
    secrets: [String] = []
) throws -> UpstreamFailure {
    try #require(throws: UpstreamFailure.self) {
        try read(status, body, grant, headers, secrets: secrets).get()
    }
}

/// An error of wire.md B4 and what becomes of it.
private struct Refusal: Sendable, CustomTestStringConvertible {
    var status = 400
    let body: String
    var grant = account
    var kind = UpstreamFailure.Kind.auth
    var isRetryable = false
    let words: String
    var testDescription: String { "\(status) \(body)" }
}

private let refusals = [
    Refusal(
        body:
            #"{"error":"invalid_grant","error_description":"Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim."}"#,
        words: "Google refused the time in the request for a token; set this machine's clock, which says "
            + "2025-11-25T12:00:00.000Z (HTTP 400): invalid_grant: Invalid JWT"),
    Refusal(
        body: #"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#,
        words: "Google does not know the key in 'k.json' any more; make a new key for 'bot@p' (HTTP 400): "
            + "invalid_grant: Invalid JWT Signature."),
    Refusal(
        body: #"{"error":"invalid_grant","error_description":"Invalid grant: account not found"}"#,
        words: "Google knows no service account 'bot@p' (HTTP 400)"),
    Refusal(
        body: #"{"error":"invalid_grant"}"#, words: "Google refused the key in 'k.json' of 'bot@p' (HTTP 400)"
    ),
    Refusal(
        body: #"{"error":"invalid_grant","error_description":"Token has been expired or revoked."}"#,
        grant: login,
        words: "Google no longer takes the login in 'u.json': it expired or was revoked; run "
            + "'gcloud auth application-default login' (HTTP 400)"),
    Refusal(
        body:
            #"{"error":"invalid_grant","error_description":"reauth related error","error_subtype":"invalid_rapt"}"#,
        grant: login, words: "Google wants this user to log in again; run 'gcloud"),
    Refusal(
        body: #"{"error":"invalid_grant","error_subtype":"rapt_required"}"#, grant: login,
        words: "invalid_grant (rapt_required)"),
    Refusal(
        body: #"{"error":"invalid_scope","error_description":"Invalid OAuth scope."}"#,
        words: "Google refused the scopes that are configured: s1 s2 (HTTP 400): invalid_scope"),
    Refusal(
        body: #"{"error":"invalid_scope"}"#, grant: login,
        words: "the login does not allow what was asked for; run"),
    Refusal(
        status: 401, body: #"{"error":"unauthorized_client"}"#,
        words: "Google does not allow 'k.json' to fetch tokens (HTTP 401)"),
    Refusal(
        status: 401,
        body: #"{"error":"invalid_client","error_description":"The OAuth client was not found."}"#,
        grant: login, words: "Google does not know the OAuth client of 'u.json' any more (HTTP 401)"),
    Refusal(
        status: 403, body: #"{"error":"access_denied"}"#,
        words: "the organisation does not allow 'k.json' to fetch tokens (HTTP 403)"),
    Refusal(
        status: 403, body: #"{"error":{"code":403,"message":"API disabled.","status":"PERMISSION_DENIED"}}"#,
        words: "Google refused to give a token for 'k.json' (HTTP 403): PERMISSION_DENIED: API disabled."),
    Refusal(body: #""plain words""#, words: "(HTTP 400): plain words"),
    Refusal(body: "not JSON at all", words: "(HTTP 400): not JSON at all"),
    Refusal(status: 404, body: "<html><body>404</body></html>", words: "for 'k.json' (HTTP 404)"),
    Refusal(status: 302, body: "", words: "Google refused to give a token for 'k.json' (HTTP 302)"),
    Refusal(
        body: #"{"error":"internal_failure"}"#, kind: .unavailable, isRetryable: true,
        words: "Google's token endpoint is not available (HTTP 400): internal_failure"),
    Refusal(body: #"{"error":"server_error"}"#, kind: .unavailable, isRetryable: true, words: "server_error"),
    Refusal(
        body: #"{"error":"temporarily_unavailable"}"#, kind: .unavailable, isRetryable: true,
        words: "(HTTP 400)"),
    Refusal(
        body: #"{"error":"x","error_description":"internal_failure"}"#, kind: .unavailable, isRetryable: true,
        words: "x: internal_failure"),
    Refusal(status: 408, body: "", kind: .unavailable, isRetryable: true, words: "(HTTP 408)"),
    Refusal(status: 429, body: "{}", kind: .unavailable, isRetryable: true, words: "(HTTP 429)"),
    Refusal(status: 500, body: "oops", kind: .unavailable, isRetryable: true, words: "(HTTP 500): oops"),
    Refusal(status: 502, body: "<html>", kind: .unavailable, isRetryable: true, words: "(HTTP 502)"),
    Refusal(status: 503, body: "[1]", kind: .unavailable, isRetryable: true, words: "(HTTP 503)"),
    Refusal(status: 504, body: "null", kind: .unavailable, isRetryable: true, words: "(HTTP 504)"),
]

@Suite struct `A token endpoint's answer` {
    @Test(
        arguments: [
            (#""expires_in":3599"#, 3599), (#""expires_in":"3599""#, 3599), (#""expires_in":3599.9"#, 3599),
            (#""expires_in":null"#, nil), (#""expires_in":"soon""#, nil), (#""x":1"#, nil),
            (#""expires_in":-5"#, 0),
            (#""expires_in":1e300"#, 315_360_000),
        ] as [(String, Int64?)]) func `may name its lifetime as a number, as a string or not at all`(
            member: String, lifetime: Int64?
        )
    {
        let long = "ya29." + String(repeating: "x", count: 2000) + "...."
        #expect(
            read(200, #"{"access_token":"\#(long)",\#(member),"token_type":"Bearer"}"#)
                == .success(GoogleToken(accessToken: long, lifetime: lifetime)))
    }

    @Test func `may renew the refresh token`() {
        #expect(
            read(200, #"{"access_token":"a","refresh_token":"1//n"}"#, login)
                == .success(GoogleToken(accessToken: "a", lifetime: nil, refreshToken: "1//n")))
    }

    @Test(arguments: ["", "<html>", "[]", "{}", #"{"access_token":""}"#, #"{"access_token":7}"#])
    func
        `without a token is no success`(body: String) throws
    {
        let failure = try failure(200, body)
        #expect(failure.kind == .protocolError && failure.status == 200)
        // What is no JSON comes from a front end, and may be gone at the next try.
        #expect(failure.isRetryable == (body.isEmpty || body == "<html>"))
    }

    @Test(arguments: [#"a\r\nX-Evil: 1"#, #"a b"#, #"\u0000"#, "é"])
    func
        `with a token that would break a header is refused`(token: String) throws
    {
        #expect(
            try failure(200, #"{"access_token":"\#(token)"}"#).message
                == "Google's token endpoint gave a token that fits in no header (HTTP 200)")
    }

    @Test(arguments: refusals) fileprivate func `that refuses says what to do`(refusal: Refusal) throws {
        let failure = try failure(refusal.status, refusal.body, refusal.grant)
        #expect(failure.kind == refusal.kind && failure.isRetryable == refusal.isRetryable)
        #expect(failure.status == refusal.status)
        #expect(failure.message.contains(refusal.words), "\(failure.message)")
    }

    @Test(arguments: [
        ("Tue, 25 Nov 2025 10:00:00 GMT", "this machine's clock is 2 h ahead of Google's"),
        ("Tue, 25 Nov 2025 14:00:00 GMT", "this machine's clock is 2 h behind Google's"),
        ("Tue, 25 Nov 2025 14:00:01 GMT", "this machine's clock is 2 h behind Google's"),
        ("Tue, 25 Nov 2025 11:53:40 GMT", "this machine's clock is 6 min ahead of Google's"),
        ("Tue, 25 Nov 2025 12:01:01 GMT", "this machine's clock is 61 s behind Google's"),
        ("Mon, 24 Nov 2025 11:30:00 GMT", "this machine's clock is 24 h 30 min ahead of Google's"),
    ]) func `that refuses the time names how far the clock is off (B154)`(date: String, words: String) throws
    {
        for text in ["Invalid JWT: not in a reasonable timeframe", ""] {
            let failure = try failure(
                400, #"{"error":"invalid_grant","error_description":"\#(text)"}"#, account, ["date": date])
            #expect(failure.message.hasSuffix("; " + words), "\(failure.message)")
            #expect(failure.message.contains("set this machine's clock"))
            #expect(failure.kind == .auth && !failure.isRetryable)
        }
    }

    @Test(arguments: ["Tue, 25 Nov 2025 12:01:00 GMT", "Tue, 25 Nov 2025 11:59:00 GMT", "yesterday"])
    func
        `says nothing of a clock that is right`(date: String) throws
    {
        let failure = try failure(400, #"{"error":"invalid_grant"}"#, account, ["date": date])
        #expect(!failure.message.contains("clock"))
    }

    @Test func `that asks to wait is heard`() throws {
        #expect(try failure(429, "", account, ["retry-after": "7"]).retryAfter == 7_000)
    }

    @Test func `never shows what was secret in the request, whatever it sends back`() throws {
        let secrets = [
            "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJib3QifQ.c2lnbmF0dXJl", "opaque-refresh-token", "hush+hush/hush",
        ]
        let bodies = secrets.flatMap { secret in
            [
                #"{"error":"invalid_grant","error_description":"bad '\#(secret)' here"}"#,
                #"{"error":"\#(secret)","error_subtype":"\#(secret)"}"#,
                #"{"error":{"message":"\#(secret)","status":"\#(secret)"}}"#, "\"got \(secret.prefix(14))\"",
                "got assertion=\(secret)&x=1",
            ]
        }
        for body in bodies + [
            #"{"error":"x","error_description":"Bearer opaque-ref ya29.a0 1//0g GOCSPX-abc"}"#
        ] {
            for (status, grant) in [(400, account), (401, login), (503, account)] {
                let message = try failure(status, body, grant, secrets: secrets).message
                for part in ["eyJ", "opaque-ref", "hush", "ya29", "1//", "GOCSPX"] {
                    #expect(!message.contains(part), "\(message)")
                }
            }
        }
    }

    @Test func `must bear the metadata server's mark`() throws {
        let grant = GoogleGrant.metadataServer(host: "m")
        let token = #"{"access_token":"a","expires_in":60}"#
        #expect(
            try failure(200, token, grant).message
                == "what answers is not the metadata server at 'm': Metadata-Flavor is missing (HTTP 200)")
        let mark = ["metadata-flavor": "Google"]
        #expect(read(200, token, grant, mark) == .success(GoogleToken(accessToken: "a", lifetime: 60)))
        #expect(
            try failure(404, "", grant, mark).message
                == "the metadata server at 'm' knows no service account of this machine (HTTP 404)")
        #expect(try failure(503, "", grant, mark).isRetryable)
    }
}
