internal import Crypto
internal import JSON
internal import Posix
internal import TestSupport
internal import Testing
internal import Upstream

@Suite(.timeLimit(.minutes(30))) struct `A Google service account` {
    private let fixture: GoogleFixture

    init() throws { fixture = try GoogleFixture() }

    private func credentials(_ scripts: [[ScriptedUpstream.Step]]) throws -> (
        GoogleCredentials, ScriptedUpstream
    ) {
        let server = try ScriptedUpstream(scripts)
        let path = try fixture.write("key.json", keyFile("http://127.0.0.1:\(server.port)/token"))
        return (fixture.credentials(.serviceAccount(path)), server)
    }

    @Test func `gets a token by a signed assertion, sent as a form`() throws {
        let (credentials, server) = try credentials([granted("ya29.one")])
        #expect(
            try fixture.authorize(credentials)
                == Authorization(
                    headers: ["Authorization: Bearer ya29.one"],
                    identity: SHA256Digest.of(Array("ya29.one".utf8))))
        let request = try #require(server.requests.first)
        #expect(request.hasPrefix("POST /token HTTP/1.1\r\n"))
        #expect(request.contains("\r\nContent-Type: application/x-www-form-urlencoded\r\n"))
        #expect(
            request.contains("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion="))
        let claims = try part(1, of: try #require(fields(request)["assertion"]))
        #expect(claims["iss"]?.string == "bot@p.example")
        #expect(claims["scope"]?.string == "https://www.googleapis.com/auth/generative-language.retriever")
        #expect(claims["aud"]?.string == "https://oauth2.googleapis.com/token")
        #expect(claims["iat"]?.int == 1_764_072_000 && claims["exp"]?.int == 1_764_075_600)
    }

    @Test func `keeps a token until it is stale, and asks once for many that wait`() throws {
        let (credentials, server) = try credentials([granted("one", "300"), granted("two", "300")])
        var tokens: [String] = []
        for _ in 0..<5 { credentials.authorize { tokens += (try? $0.get().headers) ?? [] } }
        #expect(tokens.isEmpty)
        try fixture.turn { tokens.count == 5 }
        fixture.now += 74_999
        #expect(try fixture.token(credentials) == "one")
        #expect(Set(tokens) == ["Authorization: Bearer one"] && server.requests.count == 1)
        fixture.now += 225_001
        #expect(try fixture.token(credentials) == "two")
        #expect(server.requests.count == 2)
    }

    @Test func `renews a stale token once, while all go on with it`() throws {
        let (credentials, server) = try credentials([granted("one", "300"), [.hold] + granted("two")])
        #expect(try fixture.token(credentials) == "one")
        fixture.now += 75_000
        for _ in 0..<5 {
            var token: String?
            credentials.authorize { token = try? $0.get().headers[0] }
            #expect(token == "Authorization: Bearer one", "at once")
        }
        try fixture.turn { server.requests.count == 2 }
        #expect(try fixture.token(credentials) == "one")
        server.proceed()
        try fixture.turn { try fixture.token(credentials) == "two" }
        #expect(server.requests.count == 2)
    }

    @Test func `goes on with a stale token when renewing fails, and tries again after a while`() throws {
        let (credentials, server) = try credentials([
            granted("one", "300"), denied("invalid_grant"), granted("three"),
        ])
        #expect(try fixture.token(credentials) == "one")
        fixture.now += 100_000
        #expect(try fixture.token(credentials) == "one")
        let readings = fixture.readings
        try fixture.turn { fixture.readings > readings }  // the clock is read when the answer comes
        fixture.now += 9_999
        #expect(try fixture.token(credentials) == "one")
        var turns = 0
        try fixture.turn {
            turns += 1
            return turns == 20
        }
        #expect(server.requests.count == 2, "it is not asked at every request")
        fixture.now += 1
        #expect(try fixture.token(credentials) == "one")
        try fixture.turn { server.requests.count == 3 }
        try fixture.turn { try fixture.token(credentials) == "three" }
        #expect(server.requests.count == 3)
    }

    @Test func `tells all that wait why there is no token, and asks anew for the next (N040)`() throws {
        let (credentials, server) = try credentials([denied("invalid_grant"), granted("two")])
        var failures: [UpstreamFailure] = []
        for _ in 0..<3 {
            credentials.authorize { result in
                if case .failure(let failure) = result { failures.append(failure) }
            }
        }
        try fixture.turn { failures.count == 3 }
        #expect(Set(failures.map(\.kind)) == [.auth] && server.requests.count == 1)
        #expect(try fixture.token(credentials) == "two")
    }

    @Test func `tries three times when the endpoint is not available`() throws {
        let (credentials, server) = try credentials([
            denied("", status: "503 Service Unavailable"), [.reset], granted("three"),
            denied("server_error"),
        ])
        #expect(try fixture.token(credentials) == "three")
        #expect(server.requests.count == 3)
        fixture.now += 3_600_000
        let failure = try fixture.failure(credentials)
        #expect(failure.kind == .unavailable && failure.isRetryable && server.requests.count == 6)
    }

    @Test func `does not sit through a long wait that the endpoint asks for`() throws {
        let (credentials, server) = try credentials([
            ScriptedUpstream.failure("429 Too Many Requests", "", headers: "Retry-After: 600\r\n")
        ])
        #expect(try fixture.failure(credentials).retryAfter == 600_000)
        #expect(server.requests.count == 1)
    }

    @Test func `names an endpoint that cannot be reached, and no secret`() throws {
        let port = try ScriptedUpstream([]).port  // free again by now
        let path = try fixture.write("key.json", keyFile("http://127.0.0.1:\(port)/token"))
        let failure = try fixture.failure(fixture.credentials(.serviceAccount(path)))
        #expect(failure.kind == .unavailable && failure.isRetryable)
        #expect(failure.message.hasPrefix("no token could be fetched from '127.0.0.1': "), "\(failure)")
    }

    @Test(arguments: [
        ("Tue, 25 Nov 2025 10:00:00 GMT", "2 h ahead of"), ("Tue, 25 Nov 2025 14:00:00 GMT", "2 h behind"),
    ]) func `measures a wrong clock, and does not try again (B154)`(date: String, words: String) throws {
        let (credentials, server) = try credentials([
            denied("invalid_grant", "Invalid JWT: not in a reasonable timeframe", date: date)
        ])
        let failure = try fixture.failure(credentials)
        #expect(failure.message.hasSuffix("this machine's clock is \(words) Google's"), "\(failure)")
        #expect(!failure.isRetryable && server.requests.count == 1)
    }

    @Test func `uses a changed key file at once`() throws {
        let (credentials, server) = try credentials([granted("one"), granted("two")])
        #expect(try fixture.token(credentials) == "one")
        let uri = "http://127.0.0.1:\(server.port)/token"
        try fixture.write("key.json", keyFile(uri, email: "new@p.example"))
        #expect(try fixture.token(credentials) == "two")
        let assertion = try #require(fields(server.requests[1])["assertion"])
        #expect(try part(1, of: assertion)["iss"]?.string == "new@p.example")
    }

    @Test func `throws away a token of a key that was changed meanwhile`() throws {
        let (credentials, server) = try credentials([[.hold] + granted("old"), granted("new")])
        var headers: [String] = []
        credentials.authorize { headers += (try? $0.get().headers) ?? [] }
        try fixture.turn { server.requests.count == 1 }
        let uri = "http://127.0.0.1:\(server.port)/token"
        try fixture.write("key.json", keyFile(uri, email: "new@p.example"))
        credentials.authorize { headers += (try? $0.get().headers) ?? [] }
        server.proceed()
        try fixture.turn { headers.count == 2 }
        #expect(Set(headers) == ["Authorization: Bearer new"] && server.requests.count == 2)
    }

    @Test func `names a quota project only when one is configured (N041)`() throws {
        let server = try ScriptedUpstream([granted("one")])
        let path = try fixture.write("key.json", keyFile("http://127.0.0.1:\(server.port)/"))
        fixture.environment["GOOGLE_CLOUD_QUOTA_PROJECT"] = "from-environment"
        let environment = fixture.credentials(.serviceAccount(path))
        let settings = fixture.credentials(.serviceAccount(path)) { $0.quotaProject = "from-settings" }
        #expect(
            try fixture.authorize(environment).headers[1] == "x-goog-user-project: from-environment")
        #expect(try fixture.authorize(settings).headers[1] == "x-goog-user-project: from-settings")
        let broken = fixture.credentials(.serviceAccount(path)) { $0.quotaProject = "a\r\nb: c" }
        #expect(try fixture.failure(broken).kind == .auth)
    }

    @Test func `fetches tokens where and for whom the settings say`() throws {
        let server = try ScriptedUpstream([granted("one")])
        let path = try fixture.write("key.json", keyFile())
        let credentials = fixture.credentials(.serviceAccount(path)) {
            $0.tokenURL = "http://127.0.0.1:\(server.port)/private"
            $0.audience = "https://private/"
            $0.scopes = [GoogleSettings.cloudPlatformScope, "b"]
        }
        #expect(try fixture.token(credentials) == "one")
        #expect(server.requests[0].hasPrefix("POST /private "))
        let claims = try part(1, of: try #require(fields(server.requests[0])["assertion"]))
        #expect(claims["aud"]?.string == "https://private/")
        #expect(claims["scope"]?.string == "https://www.googleapis.com/auth/cloud-platform b")
        let clear = fixture.credentials(.serviceAccount(path)) { $0.tokenURL = "http://x.example/" }
        #expect(
            try fixture.failure(clear).message
                == "the token URL that is configured is neither https nor on this machine")
    }
}

@Suite(.timeLimit(.minutes(30))) struct `A refused Google token` {
    private let fixture: GoogleFixture

    init() throws { fixture = try GoogleFixture() }

    private func credentials(_ tokens: [String]) throws -> (GoogleCredentials, ScriptedUpstream) {
        let server = try ScriptedUpstream(tokens.map { granted($0) })
        let path = try fixture.write("key.json", keyFile("http://127.0.0.1:\(server.port)/token"))
        return (fixture.credentials(.serviceAccount(path)), server)
    }

    @Test func `is fetched anew once, and a second refusal in a row is final`() throws {
        let (credentials, server) = try credentials(["one", "two", "three"])
        let one = try fixture.authorize(credentials)
        #expect(credentials.refused(one))
        let two = try fixture.authorize(credentials)
        #expect(two != one && !credentials.refused(two))
        // The next call tries once more, for the trouble may be over, and again not twice.
        let three = try fixture.authorize(credentials)
        #expect(server.requests.count == 3 && !credentials.refused(three))
    }

    @Test func `may be fetched anew again after one was taken`() throws {
        let (credentials, server) = try credentials(["one", "two", "three"])
        #expect(credentials.refused(try fixture.authorize(credentials)))
        let two = try fixture.authorize(credentials)
        credentials.succeeded(two)
        #expect(credentials.refused(two))
        #expect(try fixture.token(credentials) == "three")
        #expect(server.requests.count == 3)
    }

    @Test func `costs one fetch when many calls had it`() throws {
        let (credentials, server) = try credentials(["one", "two", "three"])
        let one = try fixture.authorize(credentials)
        #expect(credentials.refused(one) && credentials.refused(one))
        let two = try fixture.authorize(credentials)
        #expect(credentials.refused(one), "there is a newer one")
        #expect(try fixture.authorize(credentials) == two)
        credentials.succeeded(one)
        #expect(!credentials.refused(two), "the success of the old one says nothing of the new one")
        #expect(server.requests.count == 2)
    }

    @Test func `that the server gives out again is final`() throws {
        let (credentials, server) = try credentials(["same"])
        #expect(credentials.refused(try fixture.authorize(credentials)))
        #expect(!credentials.refused(try fixture.authorize(credentials)))
        #expect(server.requests.count == 2)
    }

    @Test func `is forgiven when the key file changes`() throws {
        let (credentials, server) = try credentials(["one", "two", "three"])
        #expect(credentials.refused(try fixture.authorize(credentials)))
        #expect(!credentials.refused(try fixture.authorize(credentials)))
        try fixture.write("key.json", keyFile("http://127.0.0.1:\(server.port)/token", email: "n@p.example"))
        #expect(credentials.refused(try fixture.authorize(credentials)))
    }
}
