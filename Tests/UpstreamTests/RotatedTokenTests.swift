internal import EventLoop
internal import Posix
internal import TestSupport
internal import Testing
internal import Upstream

@Suite(.timeLimit(.minutes(30))) struct `A login that another process renewed` {
    private let fixture: GoogleFixture

    init() throws { fixture = try GoogleFixture() }

    private func credentials(_ scripts: [[ScriptedUpstream.Step]]) throws -> (
        GoogleCredentials, ScriptedUpstream
    ) {
        let server = try ScriptedUpstream(scripts)
        let path = try fixture.write("login.json", loginFile())
        let credentials = fixture.credentials(.authorizedUser(path)) {
            $0.tokenURL = "http://127.0.0.1:\(server.port)/token"
            $0.retryDelay = 300
        }
        return (credentials, server)
    }

    /// What three waiters get, when another refresh token is in the file once the first question was asked, or later.
    private func waiters(_ credentials: GoogleCredentials, _ server: ScriptedUpstream, isLate: Bool) throws
        -> [String]
    {
        var got: [String] = []
        for _ in 0..<3 {
            credentials.authorize { result in
                switch result {
                case .success(let found): got.append(found.headers[0])
                case .failure(let failure): got.append(failure.message)
                }
            }
        }
        try fixture.turn { server.requests.count == 1 }
        func renew() throws { try fixture.write("login.json", loginFile(refreshToken: "1//new")) }
        if isLate {
            server.proceed()
            // Refused by now, and looked at once: the file comes a moment later.
            fixture.loop.after(milliseconds: 100) { try? renew() }
        } else {
            try renew()
            server.proceed()
        }
        try fixture.turn { got.count == 3 }
        return got
    }

    @Test(arguments: [false, true]) func `is read again, and nobody who waits fails`(isLate: Bool) throws {
        let (credentials, server) = try credentials([
            [.hold] + denied("invalid_grant", "Token has been expired or revoked."), granted("two"),
        ])
        #expect(
            try waiters(credentials, server, isLate: isLate)
                == Array(repeating: "Authorization: Bearer two", count: 3))
        #expect(server.requests.count == 2 && fields(server.requests[1])["refresh_token"] == "1//new")
    }

    @Test func `fails when the file holds the refused one still`() throws {
        let (credentials, server) = try credentials([denied("invalid_grant")])
        #expect(try fixture.failure(credentials).kind == .auth && server.requests.count == 1)
    }
}

@Suite(.timeLimit(.minutes(30))) struct `A token endpoint's page` {
    @Test func `in place of JSON is tried again, and each try that failed is told`() throws {
        let fixture = try GoogleFixture()
        let page = ScriptedUpstream.failure("200 OK", "<html>Please wait</html>")
        let server = try ScriptedUpstream([page, page, granted("three")])
        let path = try fixture.write("login.json", loginFile())
        let credentials = fixture.credentials(.authorizedUser(path)) {
            $0.tokenURL = "http://127.0.0.1:\(server.port)/token"
        }
        #expect(try fixture.token(credentials) == "three")
        #expect(server.requests.count == 3)
    }
}
