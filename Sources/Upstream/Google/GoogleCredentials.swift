internal import Crypto
package import EventLoop
internal import Posix

/// Authorizes requests with access tokens of Google's OAuth 2.0; belongs to the loop's thread.
///
/// - Invariant: at most one fetch of a token is under way; a token, an assertion or a secret stands in no failure,
///   notice or origin.
package final class GoogleCredentials: Authorizer {
    /// Milliseconds before its end from which a token counts as stale (wire.md B6).
    package static let refreshAhead: Int64 = 225_000
    /// Milliseconds for which a stale token is used without another fetch after one failed.
    package static let pauseAfterFailure: Int64 = 10_000

    private typealias Waiter = (Result<Authorization, UpstreamFailure>) -> Void

    private struct Token {
        let authorization: Authorization
        /// Milliseconds of the steady clock, nil for a token without an end.
        let end: Int64?
    }

    private let settings: GoogleSettings
    private let client: HTTPClient
    private let loop: EventLoop
    private let clock: () -> Int64
    private let steady: () -> Int64
    private let random: () -> Double
    private var source: GoogleCredentialSource
    private var token: Token?
    private var waiters: [(then: Waiter, retrying: (UpstreamFailure, Int) -> Void)] = []
    private var isFetching = false
    /// Counts the credentials that were loaded, so that a token of an earlier one is known.
    private var generation = 0
    private var nextEarlyFetch = Int64.min
    /// A refresh token that the file should hold in place of `used`, and does not.
    private var unsaved: (used: String, token: String)?
    private var wasRefused = false
    /// Tokens fetched after a refusal that have not been taken yet; the last few.
    private var suspects: [[UInt8]] = []

    /// What the user should know and no request fails for; nil when all is well.
    package private(set) var notice: String?

    /// `clock` gives milliseconds since 1970, `steady` some that never go back (nil takes those of `clock`), `random`
    /// numbers from 0 to 1 for the waits between tries.
    package init(
        _ settings: GoogleSettings, environment: [String: String], client: HTTPClient, loop: EventLoop,
        clock: @escaping () -> Int64, steady: (() -> Int64)? = nil,
        random: @escaping () -> Double = { Double.random(in: 0...1) }
    ) {
        self.steady = steady ?? clock
        self.settings = settings
        self.client = client
        self.loop = loop
        self.clock = clock
        self.random = random
        source = GoogleCredentialSource(settings, environment: environment)
    }

    package var isAtHand: Bool { source.isAtHand }
    /// What is wrong with the credential, told without asking anyone; nil when it can be read.
    package var problem: String? {
        var copy = source
        do throws(UpstreamFailure) { _ = try copy.load() } catch { return error.message }
        return nil
    }
    package var origin: String { source.origin }

    package func authorize(
        for model: String?, retrying: @escaping (UpstreamFailure, Int) -> Void,
        _ then: @escaping (Result<Authorization, UpstreamFailure>) -> Void
    ) {
        let credential: GoogleCredential
        do { credential = try load() } catch { return then(.failure(error)) }
        let now = steady()
        guard let token, token.end.map({ now < $0 }) ?? true else {
            waiters.append((then, retrying))
            fetch(credential)
            return
        }
        if let end = token.end, now >= end - Self.refreshAhead, now >= nextEarlyFetch { fetch(credential) }
        then(.success(token.authorization))
    }

    /// A token that is not the one at hand was refused for what another request has mended or is mending; one that
    /// was fetched after a refusal, and refused again, shows that fetching does not help.
    package func refused(_ authorization: Authorization, for model: String? = nil) -> Bool {
        let isSecond = suspects.contains(authorization.identity)
        if token?.authorization.identity == authorization.identity {
            token = nil
            wasRefused = true
        }
        return !isSecond
    }

    package func succeeded(_ authorization: Authorization, for model: String? = nil) {
        guard
            suspects.contains(authorization.identity)
                || token?.authorization.identity == authorization.identity
        else { return }
        wasRefused = false
        suspects = []
    }

    /// The credential as it is now; another one than before ends all that was known.
    private func load() throws(UpstreamFailure) -> GoogleCredential {
        let (credential, isNew) = try source.load()
        if isNew {
            generation += 1
            token = nil
            unsaved = nil
            notice = nil
            wasRefused = false
            suspects = []
            nextEarlyFetch = .min
        }
        guard case .authorizedUser(var user) = credential, let unsaved, unsaved.used == user.refreshToken
        else { return credential }
        user.refreshToken = unsaved.token
        return .authorizedUser(user)
    }

    private func fetch(_ credential: GoogleCredential) {
        guard !isFetching else { return }
        isFetching = true
        let generation = generation
        let fetch = GoogleTokenFetch(
            credential, settings, client: client, loop: loop, clock: clock, random: random,
            retrying: { [self] failure, wait in for waiter in waiters { waiter.retrying(failure, wait) } }
        ) { [self] result in
            if case .failure(let failure) = result, failure.kind == .auth,
                case .authorizedUser(let user) = credential, generation == self.generation
            {
                return lookAgain(user.refreshToken, failure, isLast: false)
            }
            isFetching = false
            if case .success(let (token, _)) = result { keep(token.refreshToken, of: credential) }
            generation == self.generation ? take(result, credential) : fetchAgain()
        }
        fetch.start()
    }

    /// A login was refused: another process may have been given a new refresh token meanwhile.
    ///
    /// It has written it, or is about to. Nobody is told of the refusal before the file was read again, at once and after a moment.
    private func lookAgain(_ used: String, _ failure: UpstreamFailure, isLast: Bool) {
        // What cannot be read now may be read in a moment; then it is the refusal that is told.
        if let now = try? load() {
            guard case .authorizedUser(let user) = now, user.refreshToken == used else {
                isFetching = false
                return fetch(now)
            }
        }
        if isLast {
            isFetching = false
            return take(.failure(failure))
        }
        loop.after(milliseconds: settings.retryDelay) { [self] in lookAgain(used, failure, isLast: true) }
    }

    /// The credential changed while a token was fetched with the former one.
    private func fetchAgain() {
        guard !waiters.isEmpty else { return }
        do { fetch(try load()) } catch { answer(.failure(error)) }
    }

    private func take(
        _ result: Result<(token: GoogleToken, askedAt: Int64), UpstreamFailure>,
        _ credential: GoogleCredential? = nil
    ) {
        let now = steady()
        do {
            let (token, askedAt) = try result.get()
            let age = max(0, clock() - askedAt)
            let authorization = try authorization(token.accessToken, credential)
            if wasRefused { suspects = suspects.suffix(7) + [authorization.identity] }
            self.token = Token(
                authorization: authorization, end: token.lifetime.map { now - age + $0 * 1000 })
            nextEarlyFetch = .min
            answer(.success(authorization))
        } catch {
            nextEarlyFetch = now + Self.pauseAfterFailure
            answer(.failure(error))
        }
    }

    private func answer(_ result: Result<Authorization, UpstreamFailure>) {
        let waiting = waiters
        waiters = []
        for waiter in waiting { waiter.then(result) }
    }

    private func authorization(_ token: String, _ credential: GoogleCredential?) throws(UpstreamFailure)
        -> Authorization
    {
        var headers = ["Authorization: Bearer \(token)"]
        if let project = credential.flatMap(source.quotaProject) {
            guard project.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
                throw UpstreamFailure(
                    .auth, "the quota project that is configured is no project's name", isRetryable: false)
            }
            headers.append("x-goog-user-project: \(project)")
        }
        return Authorization(headers: headers, identity: SHA256Digest.of(Array(token.utf8)))
    }

    /// Writes a new refresh token into the login's file before the access token beside it is used: after a crash the
    /// old one may be worth nothing.
    private func keep(_ renewed: String?, of credential: GoogleCredential) {
        guard case .authorizedUser(let user) = credential else { return }
        let inFile = unsaved?.token == user.refreshToken ? unsaved?.used : nil
        guard let wanted = renewed ?? (inFile == nil ? nil : user.refreshToken) else { return }
        let used = inFile ?? user.refreshToken
        guard wanted != used else { return }
        do throws(PosixError) {
            try source.save(wanted, inPlaceOf: used, path: user.path)
            (unsaved, notice) = (nil, nil)
        } catch {
            unsaved = (used, wanted)
            notice =
                "Google gave a new refresh token, and it cannot be written into '\(user.path)': "
                + "\(error.reason); after a restart the login may be void"
        }
    }
}
