internal import EventLoop

/// Fetches one token, with up to three tries (wire.md B4).
///
/// It lives as long as the exchange does, so that whoever waits is answered.
final class GoogleTokenFetch {
    /// What a try sends, and what its failures must not tell.
    struct Question {
        let request: HTTPRequest
        let grant: GoogleGrant
        let secrets: [String]
    }

    private static let tries = 3
    /// A server that wants a longer wait than this gets no further try; milliseconds.
    private static let longestWait = 10_000

    private let credential: GoogleCredential
    private let settings: GoogleSettings
    private let client: HTTPClient
    private let loop: EventLoop
    private let clock: () -> Int64
    private let random: () -> Double
    private let retrying: (UpstreamFailure, Int) -> Void
    private let then: (Result<(token: GoogleToken, askedAt: Int64), UpstreamFailure>) -> Void
    private var tried = 0

    /// `retrying` hears of each try that failed and is followed by another; `then` is called once, with the moment at which the successful try began.
    init(
        _ credential: GoogleCredential, _ settings: GoogleSettings, client: HTTPClient, loop: EventLoop,
        clock: @escaping () -> Int64, random: @escaping () -> Double,
        retrying: @escaping (UpstreamFailure, Int) -> Void,
        _ then: @escaping (Result<(token: GoogleToken, askedAt: Int64), UpstreamFailure>) -> Void
    ) {
        self.credential = credential
        self.settings = settings
        self.client = client
        self.loop = loop
        self.clock = clock
        self.random = random
        self.retrying = retrying
        self.then = then
    }

    /// Sends the question; each try makes it anew, for it holds the time.
    func start() {
        let askedAt = clock(), question: Question
        do { question = try self.question(now: askedAt) } catch { return then(.failure(error)) }
        tried += 1
        var status = 0, headers: [String: String] = [:], body: [UInt8] = []
        _ = client.start(question.request) { [self] event in
            switch event {
            case .head(let code, let lines): (status, headers) = (code, lines)
            case .body(let bytes): body += bytes.prefix(max(0, (1 << 20) - body.count))
            case .end:
                let answer = GoogleTokenAnswer(
                    status: status, headers: headers, body: body, grant: question.grant,
                    secrets: question.secrets)
                judge(answer.read(now: clock()), askedAt)
            case .failed(let broken): judge(.failure(failure(broken, question)), askedAt)
            }
        }
    }

    private func judge(_ result: Result<GoogleToken, UpstreamFailure>, _ askedAt: Int64) {
        switch result {
        case .success(let token): then(.success((token, askedAt)))
        case .failure(let failure):
            let grown = Double(settings.retryDelay << (tried - 1))
            let wait = max(Int(grown * (0.9 + 0.2 * random())), failure.retryAfter ?? 0)
            guard failure.isRetryable, tried < Self.tries, wait <= Self.longestWait else {
                return then(.failure(failure))
            }
            retrying(failure, wait)
            loop.after(milliseconds: wait) { [self] in start() }
        }
    }

    private func question(now: Int64) throws(UpstreamFailure) -> Question {
        switch credential {
        case .serviceAccount(let key):
            let audience = settings.audience ?? TokenEndpoint.google
            guard
                let assertion = GoogleAssertion.jwt(
                    key, scopes: settings.scopes, audience: audience, now: now / 1000)
            else { throw CredentialFile.failure(key.path, "has a key that cannot sign") }
            return Question(
                request: try post(GoogleAssertion.form(assertion: assertion), to: key.tokenURI),
                grant: .serviceAccount(email: key.clientEmail, path: key.path, scopes: settings.scopes),
                secrets: [assertion])
        case .authorizedUser(let user):
            return Question(
                request: try post(GoogleAssertion.form(user), to: TokenEndpoint.google),
                grant: .authorizedUser(path: user.path), secrets: [user.refreshToken, user.clientSecret])
        case .metadataServer(let host, _):
            return Question(
                request: metadata(host), grant: .metadataServer(host: host), secrets: [])
        }
    }

    private func post(_ form: String, to usual: String) throws(UpstreamFailure) -> HTTPRequest {
        let url = settings.tokenURL ?? usual
        guard TokenEndpoint.isSafe(url) else {
            throw UpstreamFailure(
                .auth, "the token URL that is configured is neither https nor on this machine",
                isRetryable: false)
        }
        var request = HTTPRequest(
            url: url,
            headers: [
                "User-Agent: convod", "Content-Type: application/x-www-form-urlencoded",
                "Accept: application/json",
            ],
            body: Array(form.utf8), connectTimeout: 10_000, totalTimeout: 30_000)
        request.caFile = settings.caFile
        return request
    }

    private func metadata(_ host: String) -> HTTPRequest {
        let path = "/computeMetadata/v1/instance/service-accounts/default/token"
        let scopes = settings.scopes.joined(separator: ",")
        let query = scopes.isEmpty ? "" : "?" + GoogleAssertion.form([("scopes", scopes)])
        var request = HTTPRequest(
            url: "http://\(host)\(path)\(query)",
            headers: ["User-Agent: convod", "Metadata-Flavor: Google"], body: nil, connectTimeout: 3_000,
            totalTimeout: 10_000)
        request.isDirect = true
        return request
    }

    private func failure(_ broken: TransportFailure, _ question: Question) -> UpstreamFailure {
        let words = broken.message.lowercased()
        if case .metadataServer(let host, false) = credential {
            return UpstreamFailure(
                .auth,
                "no Google credential is at hand: no file was found, and no metadata server answers at "
                    + "'\(host)' (\(words)); run 'gcloud auth application-default login'", isRetryable: false)
        }
        let host = TokenEndpoint.host(question.request.url) ?? ""
        return UpstreamFailure(
            broken.isTimeout ? .timeout : .unavailable,
            "no token could be fetched from '\(host)': \(broken.sentence ?? words)",
            isRetryable: broken.isRetryable)
    }
}
