internal import Posix
internal import TestSupport
internal import Testing
internal import Upstream

@Suite(.timeLimit(.minutes(30))) struct `A Google login` {
    private let fixture: GoogleFixture
    private let rest = ",\n \"quota_project_id\": \"q\", \"account\": \"\\u00e9\""

    init() throws { fixture = try GoogleFixture() }

    private func credentials(_ scripts: [[ScriptedUpstream.Step]]) throws -> (
        GoogleCredentials, ScriptedUpstream, path: String
    ) {
        let server = try ScriptedUpstream(scripts)
        let path = try fixture.write("login.json", loginFile(rest: rest))
        let credentials = fixture.credentials(.authorizedUser(path)) {
            $0.tokenURL = "http://127.0.0.1:\(server.port)/token"
        }
        return (credentials, server, path)
    }

    private func renewal(_ token: String, _ refreshToken: String) -> [ScriptedUpstream.Step] {
        granted(token, "300", rest: #","refresh_token":"\#(refreshToken)""#)
    }

    @Test func `gets a token by its refresh token, and names its quota project (N041)`() throws {
        let (credentials, server, path) = try credentials([granted("one")])
        #expect(
            try fixture.authorize(credentials).headers
                == ["Authorization: Bearer one", "x-goog-user-project: q"])
        #expect(
            fields(server.requests[0]) == [
                "grant_type": "refresh_token", "client_id": "c.example", "client_secret": "GOCSPX-s",
                "refresh_token": "1//old",
            ])
        #expect(credentials.origin == "the Google login in the file '\(path)'" && credentials.isAtHand)
    }

    @Test func `keeps a renewed refresh token in its file before the access token is used (B152)`() throws {
        let (credentials, server, path) = try credentials([renewal("one", "1//new"), granted("two")])
        try shell("chmod", "400", path)
        var kept: [UInt8]?
        credentials.authorize { _ in kept = try? Files.read(path) }
        try fixture.turn { kept != nil }
        #expect(kept.map { text($0) } == loginFile(refreshToken: "1//new", rest: rest))
        #expect(try Files.status(path)?.mode == 0o600 && credentials.notice == nil)
        #expect(try fixture.token(credentials) == "one", "our own change drops no token")
        #expect(server.requests.count == 1)
        fixture.now += 300_000
        #expect(try fixture.token(credentials) == "two")
        #expect(fields(server.requests[1])["refresh_token"] == "1//new")
        #expect(try shell("ls", fixture.directory.path) == "login.json\n")
    }

    @Test func `behind a link stays behind it`() throws {
        let (_, server, path) = try credentials([renewal("one", "1//new")])
        let link = fixture.directory.file("link.json")
        try shell("ln", "-s", path, link)
        let credentials = fixture.credentials(.authorizedUser(link)) {
            $0.tokenURL = "http://127.0.0.1:\(server.port)/token"
        }
        #expect(try fixture.token(credentials) == "one")
        #expect(try Files.status(link)?.kind == .symlink)
        #expect(text(try Files.read(path)).contains("1//new"))
    }

    @Test func `whose file cannot be written goes on, says so, and writes it when it can`() throws {
        let (credentials, server, path) = try credentials([
            renewal("one", "1//new"), renewal("two", "1//newer"), granted("three", "300"), granted("four"),
        ])
        let obstacle = "\(path).\(Process.id).new"
        try Files.makeDirectories(obstacle)
        #expect(try fixture.token(credentials) == "one")
        let notice = try #require(credentials.notice)
        #expect(notice.contains("cannot be written into '\(path)'") && !notice.contains("1//"))
        fixture.now += 300_000
        #expect(try fixture.token(credentials) == "two")
        #expect(fields(server.requests[1])["refresh_token"] == "1//new")
        try shell("rmdir", obstacle)
        fixture.now += 300_000
        #expect(try fixture.token(credentials) == "three")
        #expect(fields(server.requests[2])["refresh_token"] == "1//newer")
        #expect(text(try Files.read(path)).contains("\"1//newer\"") && credentials.notice == nil)
        fixture.now += 300_000
        #expect(try fixture.token(credentials) == "four")
        #expect(fields(server.requests[3])["refresh_token"] == "1//newer")
    }

    @Test func `that was made anew meanwhile is not written over`() throws {
        let (credentials, server, path) = try credentials([
            [.hold] + renewal("one", "1//new"), granted("two"),
        ])
        var token: String?
        credentials.authorize { token = try? $0.get().headers[0] }
        try fixture.turn { server.requests.count == 1 }
        try fixture.write("login.json", loginFile(refreshToken: "1//login"))
        server.proceed()
        try fixture.turn { token != nil }
        #expect(text(try Files.read(path)) == loginFile(refreshToken: "1//login"))
        #expect(try fixture.token(credentials) == "two")
        #expect(fields(server.requests[1])["refresh_token"] == "1//login")
    }

    @Test func `that was revoked asks for another, and shows no secret`() throws {
        let (credentials, server, path) = try credentials([
            denied("invalid_grant", "1//old of GOCSPX-s has been expired or revoked.")
        ])
        let failure = try fixture.failure(credentials)
        #expect(
            failure.message
                == "Google no longer takes the login in '\(path)': it expired or was revoked; run "
                + "'gcloud auth application-default login' (HTTP 400): invalid_grant: "
                + "… of … has been expired or revoked.")
        #expect(failure.kind == .auth && !failure.isRetryable && server.requests.count == 1)
    }
}

@Suite(.timeLimit(.minutes(30))) struct `Google's metadata server` {
    private let fixture: GoogleFixture

    init() throws { fixture = try GoogleFixture() }

    @Test func `is asked in its own way`() throws {
        let server = try ScriptedUpstream([granted("one", "\"60\"")])
        fixture.environment["GCE_METADATA_HOST"] = "127.0.0.1:\(server.port)"
        let credentials = fixture.credentials(.metadataServer) { $0.scopes = ["https://a/b", "c"] }
        #expect(credentials.isAtHand)
        #expect(credentials.origin == "the metadata server at '127.0.0.1:\(server.port)'")
        #expect(try fixture.token(credentials) == "one")
        let lines = server.requests[0].split(separator: "\r\n")
        #expect(
            lines[0] == "GET /computeMetadata/v1/instance/service-accounts/default/token"
                + "?scopes=https%3A%2F%2Fa%2Fb%2Cc HTTP/1.1")
        #expect(lines.contains("Metadata-Flavor: Google"))
        #expect(!lines.contains { $0.hasPrefix("Content-") })
    }

    @Test func `is known by its mark`() throws {
        let server = try ScriptedUpstream([ScriptedUpstream.failure("200 OK", #"{"access_token":"evil"}"#)])
        fixture.environment["GCE_METADATA_ROOT"] = "127.0.0.1:\(server.port)"
        let failure = try fixture.failure(fixture.credentials(.metadataServer))
        #expect(failure.kind == .auth && !failure.isRetryable)
        #expect(failure.message.contains("Metadata-Flavor is missing"))
    }

    @Test func `is the end of the search (N040)`() throws {
        let server = try ScriptedUpstream([granted("one")])
        fixture.environment["GCE_METADATA_HOST"] = "127.0.0.1:\(server.port)"
        let credentials = fixture.credentials(.applicationDefault)
        #expect(try fixture.token(credentials) == "one")
        fixture.environment["GOOGLE_APPLICATION_CREDENTIALS"] = "/nowhere.json"
        let named = fixture.credentials(.applicationDefault)
        #expect(try fixture.failure(named).message.contains("'/nowhere.json'"))
        #expect(!named.isAtHand && server.requests.count == 1)
    }
}

extension `Google's metadata server` {
    @Test func `that is not up yet is asked again by the next request, without a restart (N040)`() throws {
        let server = try ScriptedUpstream([[.reset], [.reset], [.reset], granted("one")])
        fixture.environment["GCE_METADATA_HOST"] = "127.0.0.1:\(server.port)"
        let credentials = fixture.credentials(.applicationDefault)
        let failure = try fixture.failure(credentials)
        #expect(failure.isRetryable && failure.message.contains("'127.0.0.1"), "\(failure)")
        #expect(server.requests.count == 3, "three tries, and no fourth behind them")
        // What was found out is no verdict for the process's life, nor for any time.
        #expect(try fixture.token(credentials) == "one")
        #expect(server.requests.count == 4)
    }

    @Test func `gives way to a login that appears meanwhile (N040)`() throws {
        let server = try ScriptedUpstream([[.reset], [.reset], [.reset], granted("two")])
        fixture.environment["GCE_METADATA_HOST"] = "127.0.0.1:\(server.port)"
        let credentials = fixture.credentials(.applicationDefault) {
            $0.tokenURL = "http://127.0.0.1:\(server.port)/token"
        }
        #expect(throws: UpstreamFailure.self) { _ = try fixture.authorize(credentials) }
        try Files.makeDirectories(fixture.directory.file(".config/gcloud"))
        try fixture.write(".config/gcloud/application_default_credentials.json", loginFile())
        #expect(try fixture.token(credentials) == "two")
        #expect(server.requests.last?.hasPrefix("POST /token ") == true)
    }
}

extension `A Google login` {
    @Test func `names the quota project of the settings, else of the environment, else of its file (N041)`()
        throws
    {
        let (credentials, server, path) = try credentials([granted("one")])
        #expect(try fixture.authorize(credentials).headers.last == "x-goog-user-project: q")
        fixture.environment["GOOGLE_CLOUD_QUOTA_PROJECT"] = "p2"
        func made(_ project: String?) -> GoogleCredentials {
            fixture.credentials(.authorizedUser(path)) {
                $0.tokenURL = "http://127.0.0.1:\(server.port)/token"
                $0.quotaProject = project
            }
        }
        #expect(try fixture.authorize(made(nil)).headers.last == "x-goog-user-project: p2")
        #expect(try fixture.authorize(made("p3")).headers.last == "x-goog-user-project: p3")
    }
}
