internal import Posix
internal import TestSupport
internal import Testing
internal import Upstream

@Suite struct `A Google credential file` {
    private static let whole = #""type":"service_account","client_email":"e","token_uri":"https://x/t","#

    @Test(arguments: [
        ("", "is not JSON (line 1, column 1)"),
        ("{\n  \"type\": nope}", "is not JSON (line 2, column 12)"),
        ("[]", "holds no JSON object"),
        ("{}", "lacks 'type'"),
        (#"{"type":7}"#, "lacks 'type'"),
        (#"{"type":"service_account"}"#, "lacks 'client_email', 'private_key', 'token_uri'"),
        ("{\(whole)\"private_key\":\"\"}", "lacks 'private_key'"),
        (
            "{\(whole)\"private_key\":\"-----BEGIN PRIVATE KEY-----\\nAAAA\\n-----END PRIVATE KEY-----\\n\"}",
            "has no RSA key in PEM form in 'private_key'"
        ),
        (#"{"type":"authorized_user"}"#, "is of the type 'authorized_user', not 'service_account'"),
        (
            #"{"installed":{"client_id":"c"}}"#,
            "describes an OAuth client, not a credential; "
                + "log in with 'gcloud auth application-default login --client-id-file'"
        ),
        (
            #"{"type":"external_account"}"#,
            "is of the type 'external_account' (workload identity), which is not supported; "
                + "use one of the types 'service_account' and 'authorized_user'"
        ),
        (
            #"{"type":"x"}"#,
            "is of the type 'x', which is not supported; "
                + "use one of the types 'service_account' and 'authorized_user'"
        ),
    ]) func `that is no service account's key is named with what it lacks`(json: String, words: String) throws
    {
        let failure = try #require(throws: UpstreamFailure.self) {
            try ServiceAccountKey(Array(json.utf8), path: "/d/k.json")
        }
        #expect(
            failure
                == UpstreamFailure(.auth, "the credential file '/d/k.json' \(words)", isRetryable: false))
    }

    @Test(arguments: ["http://oauth2.googleapis.com/token", "ftp://x", "http://127.0.0.1@evil.example/"])
    func `must not send its assertion in the clear`(url: String) {
        let failure = #expect(throws: UpstreamFailure.self) {
            try ServiceAccountKey(Array(keyFile(url).utf8), path: "k")
        }
        #expect(
            failure?.message
                == "the credential file 'k' has a 'token_uri' that is neither https nor on this machine")
    }

    @Test func `of a login lacks what it lacks`() {
        let failure = #expect(throws: UpstreamFailure.self) {
            try AuthorizedUser(Array(#"{"type":"authorized_user","client_id":"c"}"#.utf8), path: "u")
        }
        #expect(failure?.message == "the credential file 'u' lacks 'client_secret', 'refresh_token'")
    }

    @Test func `gets a new refresh token, and every other byte stays`() {
        let old = loginFile(refreshToken: "1//old", rest: ",\n\t\"account\": \"\\u00e9\"")
        let changed = AuthorizedUser.replacing("1//old", by: "1//n\"w", in: Array(old.utf8), path: "u")
        #expect(changed.map { text($0) } == old.replacing("1//old", with: #"1//n\"w"#))
        #expect(AuthorizedUser.replacing("1//other", by: "x", in: Array(old.utf8), path: "u") == nil)
    }

    @Test func `that others can read is refused with a hint, also behind a link`() throws {
        let fixture = try GoogleFixture()
        let path = try fixture.write("key.json", keyFile())
        try shell("chmod", "640", path)
        let link = fixture.directory.file("link.json")
        try shell("ln", "-s", path, link)
        for name in [path, link] {
            let credentials = fixture.credentials(.serviceAccount(name))
            #expect(
                try fixture.failure(credentials)
                    == UpstreamFailure(
                        .auth,
                        "the credential file '\(name)' can be read by others (mode 640); run 'chmod 600' on it",
                        isRetryable: false))
            #expect(!credentials.isAtHand)
        }
    }

    @Test func `that is missing or a directory is named`() throws {
        let fixture = try GoogleFixture()
        let missing = fixture.credentials(.authorizedUser("/nowhere/u.json"))
        #expect(
            try fixture.failure(missing).message == "the credential file '/nowhere/u.json' is not there")
        let path = fixture.directory.path
        let directory = fixture.credentials(.serviceAccount(path))
        #expect(
            try fixture.failure(directory).message
                == "the credential file '\(path)' cannot be read: there is something at this path that is no regular file"
        )
    }
}

@Suite struct `Google's search order` {
    private func search(_ environment: [String: String], _ files: Set<String>) throws
        -> ApplicationDefault.Place
    {
        try ApplicationDefault.search(environment, home: "/h", isThere: files.contains)
    }

    private let login = "/h/.config/gcloud/application_default_credentials.json"

    @Test func `takes the file that the environment names, then the login, then the metadata server`() throws
    {
        let named = ["GOOGLE_APPLICATION_CREDENTIALS": "/k.json"]
        #expect(try search(named, ["/k.json", login]) == .file("/k.json"))
        #expect(try search([:], ["/k.json", login]) == .file(login))
        #expect(try search(["GOOGLE_APPLICATION_CREDENTIALS": ""], [login]) == .file(login))
        #expect(try search([:], []) == .metadataServer)
    }

    @Test func `does not fall through when the file that the environment names is missing`() {
        let failure = #expect(throws: UpstreamFailure.self) {
            try search(["GOOGLE_APPLICATION_CREDENTIALS": "/k.json"], [login])
        }
        #expect(
            failure?.message
                == "the credential file '/k.json' that GOOGLE_APPLICATION_CREDENTIALS names is not there")
    }

    @Test func `looks for the login only where gcloud is told to keep it`() throws {
        let moved = ["CLOUDSDK_CONFIG": "/g"]
        #expect(
            try search(moved, ["/g/application_default_credentials.json", login])
                == .file("/g/application_default_credentials.json"))
        #expect(try search(moved, [login]) == .metadataServer)
    }

    @Test func `counts on a metadata server where there is one`() {
        #expect(ApplicationDefault.isOnGoogle([:], productName: "Google Compute Engine\n"))
        #expect(ApplicationDefault.isOnGoogle(["GCE_METADATA_HOST": "h"], productName: nil))
        #expect(ApplicationDefault.isOnGoogle(["NO_GCE_CHECK": "True"], productName: nil))
        #expect(!ApplicationDefault.isOnGoogle([:], productName: "KVM"))
        #expect(ApplicationDefault.metadataHost([:]) == "metadata.google.internal")
        #expect(ApplicationDefault.metadataHost(["GCE_METADATA_ROOT": "r"]) == "r")
        #expect(ApplicationDefault.metadataHost(["GCE_METADATA_ROOT": "r", "GCE_METADATA_HOST": "h"]) == "h")
    }

    @Test func `finds a login in the home directory, and tells where it found it (N040)`() throws {
        let fixture = try GoogleFixture()
        let directory = fixture.directory.file(".config/gcloud")
        let credentials = fixture.credentials(.applicationDefault)
        #expect(!credentials.isAtHand)
        try Files.makeDirectories(directory)
        let path = try fixture.write(".config/gcloud/application_default_credentials.json", loginFile())
        #expect(credentials.isAtHand)
        #expect(credentials.origin == "Google's application default credentials: the file '\(path)'")
    }
}
