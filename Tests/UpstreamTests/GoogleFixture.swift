internal import EventLoop
internal import JSON
internal import Posix
internal import TestSupport
internal import Testing
internal import Upstream

/// A loop that is turned by hand, a clock that is set by hand, and a directory for credential files.
final class GoogleFixture {
    /// A loop did not come to what was waited for.
    struct Stuck: Error {}

    let directory: TemporaryDirectory
    let loop: EventLoop
    private let client: HTTPClient
    /// Milliseconds since 1970: Tue, 25 Nov 2025 12:00:00 GMT.
    var now: Int64 = 1_764_072_000_000
    /// How often the clock was read.
    private(set) var readings = 0
    var environment: [String: String]

    init() throws {
        directory = try TemporaryDirectory()
        loop = try EventLoop()
        client = HTTPClient(loop: loop, environment: [:])
        environment = ["HOME": directory.path]
    }

    /// Writes a file that only its owner can read, in place, and returns its path.
    @discardableResult func write(_ name: String, _ text: String) throws -> String {
        let path = directory.file(name)
        let file = try Files.open(path, .replacing)
        _ = try System.write(file.raw, Array(text.utf8))
        return path
    }

    func credentials(_ source: GoogleSettings.Source, _ change: (inout GoogleSettings) -> Void = { _ in })
        -> GoogleCredentials
    {
        var settings = GoogleSettings(source: source, retryDelay: 5)
        change(&settings)
        return GoogleCredentials(
            settings, environment: environment, client: client, loop: loop,
            clock: { [self] in
                readings += 1
                return now
            })
    }

    /// Turns the loop until something holds.
    func turn(until isDone: () throws -> Bool) throws {
        let end = Machine.monotonic() + 20_000_000_000
        while try !isDone() {
            guard Machine.monotonic() < end else { throw Stuck() }
            loop.after(milliseconds: 2) {}
            try loop.turn(waiting: true)
        }
    }

    /// What the next request would carry.
    func authorize(_ credentials: GoogleCredentials) throws -> Authorization {
        var result: Result<Authorization, UpstreamFailure>?
        credentials.authorize { result = $0 }
        try turn { result != nil }
        return try #require(result).get()
    }

    /// The token that the next request would carry.
    func token(_ credentials: GoogleCredentials) throws -> String {
        String(
            try #require(try authorize(credentials).headers.first).dropFirst("Authorization: Bearer ".count))
    }

    /// Why the next request would carry none.
    func failure(_ credentials: GoogleCredentials) throws -> UpstreamFailure {
        try #require(throws: UpstreamFailure.self) { try authorize(credentials) }
    }
}

/// A service account's key file.
func keyFile(_ tokenURI: String = "https://oauth2.googleapis.com/token", email: String = "bot@p.example")
    -> String
{
    let key = quoted(ExampleKey.rsa)
    return """
        {"type":"service_account","project_id":"p","private_key_id":"kid-1","private_key":\(key),
         "client_email":"\(email)","client_id":"1","token_uri":"\(tokenURI)"}
        """
}

/// A login's file.
func loginFile(refreshToken: String = "1//old", rest: String = "") -> String {
    #"{"type": "authorized_user", "client_id": "c.example", "client_secret": "GOCSPX-s","#
        + "\n \"refresh_token\" : \"\(refreshToken)\"\(rest)}\n"
}

/// An answer with a token.
func granted(_ token: String, _ lifetime: String = "3599", rest: String = "") -> [ScriptedUpstream.Step] {
    ScriptedUpstream.failure(
        "200 OK",
        #"{"access_token":"\#(token)","expires_in":\#(lifetime),"token_type":"Bearer"\#(rest)}"#,
        headers: "Metadata-Flavor: Google\r\n")
}

/// An answer that refuses a token.
func denied(
    _ error: String, _ description: String = "", status: String = "400 Bad Request", date: String = ""
)
    -> [ScriptedUpstream.Step]
{
    ScriptedUpstream.failure(
        status, #"{"error":"\#(error)","error_description":"\#(description)"}"#,
        headers: date.isEmpty ? "" : "Date: \(date)\r\n")
}

/// The fields of a form, decoded.
func fields(_ request: String) -> [String: String] {
    let body = request.split(separator: "\r\n").last ?? ""
    var fields: [String: String] = [:]
    for pair in body.split(separator: "&") {
        let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        fields[decoded(halves[0])] = decoded(halves[1])
    }
    return fields
}

private func decoded(_ text: Substring) -> String {
    var out: [UInt8] = [], rest = text.utf8
    while let byte = rest.popFirst() {
        switch byte {
        case 0x2B: out.append(0x20)
        case 0x25:
            out.append(UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) ?? 0)
            rest = rest.dropFirst(2)
        default: out.append(byte)
        }
    }
    return String(decoding: out, as: UTF8.self)
}

/// The object in one part of a JSON web token, and the part itself as it must be: without padding.
func part(_ index: Int, of token: String) throws -> JSONView {
    try JSONDocument(base64URL(String(token.split(separator: ".")[index]))).root
}

/// The bytes that a text in base64 for URLs stands for; nothing when it is padded or in the other alphabet.
func base64URL(_ text: String) -> [UInt8] {
    let other: [UInt8: UInt8] = [0x2D: 0x2B, 0x5F: 0x2F, 0x2B: 0, 0x2F: 0, 0x3D: 0]
    let padding = [UInt8](repeating: 0x3D, count: (4 - text.utf8.count % 4) % 4)
    return Fixtures.base64(text.utf8.map { other[$0] ?? $0 } + padding) ?? []
}
