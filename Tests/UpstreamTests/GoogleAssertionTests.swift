internal import JSON
internal import Posix
internal import TestSupport
internal import Testing
internal import Upstream

@Suite struct `A Google assertion` {
    private let key: ServiceAccountKey

    init() throws { key = try ServiceAccountKey(Array(keyFile().utf8), path: "k.json") }

    @Test func `has the header and the claims that Google asks for`() throws {
        let token = try #require(GoogleAssertion.jwt(key, scopes: ["a", "b"], now: 1_764_072_000))
        #expect(
            try text(Array(part(0, of: token).raw)) == #"{"typ":"JWT","alg":"RS256","kid":"kid-1"}"#)
        #expect(
            try text(Array(part(1, of: token).raw))
                == #"{"iss":"bot@p.example","scope":"a b","aud":"https://oauth2.googleapis.com/token","#
                + #""iat":1764072000,"exp":1764075600}"#)
        #expect(!token.contains("=") && !token.contains("+") && !token.contains("/"))
    }

    @Test func `names another audience when one is configured`() throws {
        let token = try #require(GoogleAssertion.jwt(key, scopes: [], audience: "https://x/t", now: 0))
        #expect(try part(1, of: token)["aud"]?.string == "https://x/t")
    }

    @Test func `is signed so that openssl takes it`() throws {
        let token = try #require(GoogleAssertion.jwt(key, scopes: ["a"], now: 1_764_072_000))
        let parts = token.split(separator: ".")
        let fixture = try GoogleFixture()
        let public_ = try run(
            "/usr/bin/openssl", ["rsa", "-pubout"], environment: [:], input: ExampleKey.rsa
        ).1
        let input = try fixture.write("input", parts[..<2].joined(separator: "."))
        let signature = fixture.directory.file("signature")
        try Files.replace(signature, with: base64URL(String(parts[2])))
        let printed = try shell(
            "openssl", "dgst", "-sha256", "-verify", try fixture.write("public", public_), "-signature",
            signature, input)
        #expect(printed == "Verified OK\n")
    }

    @Test func `goes out as a form whose colons are encoded`() {
        #expect(
            GoogleAssertion.form(assertion: "a.b-c_d")
                == "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=a.b-c_d")
        #expect(GoogleAssertion.form([("a b", "é&=+/%")]) == "a+b=%C3%A9%26%3D%2B%2F%25")
    }

    @Test func `is not needed by a login, whose form holds the client and the refresh token`() throws {
        let user = try AuthorizedUser(Array(loginFile(refreshToken: "1//a").utf8), path: "u.json")
        #expect(
            GoogleAssertion.form(user)
                == "grant_type=refresh_token&client_id=c.example&client_secret=GOCSPX-s&refresh_token=1%2F%2Fa"
        )
    }
}

@Suite struct `A token endpoint` {
    @Test(arguments: [
        ("https://oauth2.googleapis.com/token", true), ("HTTPS://X.example/", true),
        ("http://127.0.0.1:8080/t", true), ("http://127.8.8.8/t", true), ("http://localhost/t", true),
        ("http://[::1]:80/t", true), ("http://oauth2.googleapis.com/token", false),
        ("http://127.0.0.1.evil.example/t", false), ("http://127.evil/t", false),
        ("http://127.0.0.1@evil.example/t", false), ("http://127.0.0.1:80@evil.example/t", false),
        ("https://", false), ("ftp://127.0.0.1/", false), ("token", false), ("", false),
        ("http://localhost\\@evil.example/", false), ("https://a b/", false),
    ]) func `gets secrets by https, or on this machine`(url: String, isSafe: Bool) {
        #expect(TokenEndpoint.isSafe(url) == isSafe)
    }
}
