package import ContextWindow
internal import Conversation
package import EventLoop
internal import JSON

/// A server behind HTTP that speaks one of the dialects, with its keys, its limits and its health.
package final class HTTPUpstream: Upstream {
    /// A wait that a server names is kept at most this long, in milliseconds; then it is asked again.
    private static let longestGate = 600_000
    /// How long a spent quota without a named wait is remembered.
    private static let quotaMemory = 60_000
    /// How long a key is passed over that was limited without a named wait, as long as there are others.
    private static let keyPause = 10_000

    package let name: String
    package let kind: String
    package let model: String?
    package private(set) var health: Health

    private let settings: UpstreamSettings
    private let dialect: any Dialect
    private let authorizer: any Authorizer
    private let signing: KeyRing?
    private let issuer: Issuer
    private let client: HTTPClient
    private let loop: EventLoop
    private let clock: () -> Int64
    let steady: () -> Int64
    var throttle: Throttle
    var line = ThrottleLine()
    private var quirks: [String: Quirks] = [:]
    /// The model that was asked for last, with what its name tells.
    private var lastVocabulary: (model: String, weights: TokenWeights?)?
    /// The model that the table was asked about last, and what it said.
    private var lastKnown: (model: String, known: KnownModel?)?
    private var lengths: [String: Int] = [:]
    /// How the servers of models count tokens, as their lists tell.
    private var counters: [String: TokenCounter] = [:]
    /// When the length of a model was asked for, by the steady clock.
    private var lengthsAsked: [String: Int64] = [:]
    /// Since when a list of models is on its way that was asked for lengths, by the steady clock; nil for none.
    private var listingSince: Int64?
    private var learned = LearnedLengths()
    /// Bytes of a request that were taken where more were refused, and until when that is believed.
    private var taken: (bytes: Int, until: Int64)?

    /// `clock` gives milliseconds since 1970, for people and for dates in `Retry-After`; `steady` gives milliseconds that
    /// never go back, for waits and limits: nil takes the loop's.
    package init(
        _ settings: UpstreamSettings, _ dialect: any Dialect, environment: [String: String],
        client: HTTPClient, loop: EventLoop,
        clock: @escaping () -> Int64, steady: (() -> Int64)? = nil
    ) {
        let steady = steady ?? { Int64(loop.now / 1_000_000) }
        name = settings.name
        kind = settings.kind.name
        model = settings.model
        self.settings = settings
        self.dialect = dialect
        if let google = settings.google {
            authorizer = GoogleCredentials(
                google, environment: environment, client: client, loop: loop, clock: clock, steady: steady)
        } else {
            authorizer = KeyRing(
                settings.keys, of: settings.name, environment: environment, loop: loop, clock: steady,
                headers: dialect.keyHeaders)
        }
        issuer = Issuer(kind: kind, address: settings.baseURL, keys: authorizer.origin)
        signing = settings.signing.map {
            KeyRing([$0.secret], of: settings.name, environment: environment, loop: loop, clock: steady) {
                [$0]
            }
        }
        self.client = client
        self.loop = loop
        self.clock = clock
        self.steady = steady
        health = Health(Breaker(settings.breaker))
        throttle = Throttle(settings.throttle, now: steady())
    }

    package var hasKey: Bool { authorizer.isAtHand }
    package var keyOrigin: String { authorizer.origin + (authorizer.notice.map { "; \($0)" } ?? "") }
    package var keys: [KeyDescription] { authorizer.keys }
    package func rules(for model: String) -> DialectRules {
        var rules = dialect.rules(issuer: issuer(of: model))
        rules.issuers = [name, issuer.server, issuer.account]
        if let weights = vocabulary(of: model) { rules.weights = weights }
        let learned = quirks(of: model)
        if learned.wantsThoughts, rules.replay == .all { rules.thoughtIssuer = issuer(of: model) }
        rules.weights = rules.weights.counting(thoughts: rules.thoughtIssuer != nil && rules.replay == .all)
        // "When thinking is enabled, a final assistant message must start with a thinking block" (issue 3077 of
        // anomalyco/opencode); where it is adaptive none must.
        if rules.replay == .chained {
            if learned.thinking(tokens: 1) == .enabled {
                rules.refusesThoughtlessLoops.insert(.budgeted)
            }
            if learned.thinking(tokens: -1) == .enabled {
                rules.refusesThoughtlessLoops.insert(.free)
            }
        }
        // The table may say so before a server must.
        if !learned.sends(Quirks.images) || known(model)?.image == false {
            (rules.media.images, rules.media.takesPDF) = ([], false)
        }
        if !learned.sends(Quirks.sounds) { rules.media.sounds = .some([]) }
        return rules
    }

    package func issuer(of model: String) -> String {
        dialect.bindsToAccount(model) ? issuer.account : issuer.server
    }

    package func answerCap(_ parameters: ModelParameters, of model: String) -> AnswerCap? {
        dialect.answerCap(parameters, quirks(of: model))
    }

    package func mostTokens(of model: String) -> Int? { quirks(of: model).mostTokens }

    /// What is known of a model's vocabulary; most of the time it is asked for the same one again.
    private func vocabulary(of model: String) -> TokenWeights? {
        if let lastVocabulary, lastVocabulary.model == model { return lastVocabulary.weights }
        let weights = TokenWeights.named(model)
        lastVocabulary = (model, weights)
        return weights
    }

    package var promptCache: PromptCache { settings.promptCache }
    package var takesCacheKey: Bool { dialect.takesCacheKey }
    package func url(for model: String) -> String? { dialect.url(for: model) }
    package func forgive() { authorizer.forgive() }

    package func hide(_ names: Set<String>) {
        authorizer.hide(names)
        signing?.hide(names)
    }

    package func stop() {
        authorizer.stop()
        signing?.stop()
    }

    package func contextLength(of model: String) -> Int? {
        let known = settings.contextLength ?? lengths[model] ?? known(model)?.contextLength
        return [learned.length(of: model, now: steady()), known].compactMap(\.self).min()
    }

    package func isLengthLearned(of model: String) -> Bool {
        learned.length(of: model, now: steady()) != nil
    }

    /// What the table says of a model at this server.
    private func known(_ model: String) -> KnownModel? {
        // Several things are asked of the same model for each prompt.
        if let found = lastKnown, found.model == model { return found.known }
        let known = settings.models.model(model, kind: kind, host: Addresses.host(of: settings.baseURL))
        lastKnown = (model, known)
        return known
    }

    package func prices(of model: String, tokens: Int) -> Prices? {
        settings.price ?? known(model)?.prices(ofRequest: tokens)
    }

    package func body(for request: ModelRequest) -> [UInt8] {
        written(request, quirks(of: request.model))
    }

    private func quirks(of model: String) -> Quirks {
        if let learned = quirks[model] { return learned }
        var quirks = dialect.quirks
        // The table may say so before a server must.
        quirks.mostTokens = known(model)?.maxOutput
        return quirks
    }

    package func unsent(_ parameters: ModelParameters, of model: String) -> [String] {
        parameters.unsent(in: dialect, quirks(of: model))
    }

    /// The body with what the model is known to take.
    private func written(_ request: ModelRequest, _ quirks: Quirks) -> [UInt8] {
        dialect.body(for: request.readable(quirks), quirks)
    }

    // MARK: Asking

    package func start(_ request: ModelRequest, _ receive: @escaping (UpstreamEvent) -> Void)
        -> any UpstreamCall
    {
        let sent = quirks(of: request.model), began = loop.now
        let body = written(request, sent)
        // An answer may take long, and what was asked may be large.
        let outline = request.withoutWords
        throttle.take(tokens: request.estimate, now: steady())
        health.breaker.sent(now: steady())
        var first: Int?, used: Authorization?
        let call = StreamedCall(
            dialect.reader(issuer: issuer(of: request.model)), settings.timeouts, loop: loop, clock: clock
        ) { [weak self] event in
            guard let self else { return receive(event) }
            switch event {
            case .retrying: receive(event)
            case .pieces:
                if first == nil {
                    first = Int((loop.now - began) / 1_000_000)
                    health.breaker.succeeded()
                    if let used { authorizer.succeeded(used, for: outline.model) }
                }
                receive(event)
            case .finished(let finish):
                health.answered(now: clock(), first: first)
                if let used { authorizer.succeeded(used, for: outline.model) }
                correct(outline, finish.usage)
                var finish = finish
                finish.reason = redaction(used).strike(finish.boundedReason, else: "other")
                finish.detail = finish.detail.map {
                    redaction(used).strike($0, else: "what the server said of it holds a key")
                }
                finish.strikeWords { redaction(used).strike($0, else: "other") }
                receive(.finished(finish))
            case .failed(let failure): receive(.failed(settled(failure, used, outline, sent)))
            }
        }
        call.sent = BodyPrint(body)
        authorize(body, for: request.model, retrying: { [weak call] in call?.retrying($0, $1) }) {
            [weak self, weak call] result in
            guard let self, let call else { return }
            switch result {
            case .success(let authorization):
                used = authorization
                call.begin(client, streaming(body, for: outline.model, authorization))
            case .failure(let failure): call.fail(failure)
            }
        }
        return call
    }

    private func streaming(_ body: [UInt8], for model: String, _ authorization: Authorization) -> HTTPRequest
    {
        var request = HTTPRequest(
            url: dialect.url(for: model),
            headers: common + authorization.headers
                + ["Content-Type: application/json", "Accept: text/event-stream"],
            body: body, connectTimeout: settings.timeouts.connect)
        request.caFile = settings.caFile
        return request
    }

    private var common: [String] {
        ["User-Agent: convod"] + dialect.headers
            + settings.headers.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }
    }

    /// The key or token, with the signature of the body where a gateway asks for one.
    private func authorize(
        _ body: [UInt8]?, for model: String? = nil,
        retrying: @escaping (UpstreamFailure, Int) -> Void = { _, _ in },
        _ then: @escaping (Result<Authorization, UpstreamFailure>) -> Void
    ) {
        guard let signing, let settings = settings.signing else {
            return authorizer.authorize(for: model, retrying: retrying, then)
        }
        signing.authorize { [authorizer, clock] found in
            switch found {
            case .failure(let failure):
                let words = "the requests cannot be signed: \(failure.message)"
                then(.failure(UpstreamFailure(.auth, words, isRetryable: false)))
            case .success(let secret):
                let line = RequestSigner.header(
                    settings.header, keyID: settings.keyID, secret: Array(secret.headers.joined().utf8),
                    body: body ?? [], now: clock())
                authorizer.authorize(for: model, retrying: retrying) { result in
                    then(result.map { .init(headers: $0.headers + [line], identity: $0.identity) })
                }
            }
        }
    }

    /// What the estimate missed is put right with the provider's own count.
    private func correct(_ request: ModelRequest, _ usage: Usage?) {
        guard let usage, let input = usage.inputTokens else { return }
        throttle.correct(tokens: input + (usage.outputTokens ?? 0) - request.estimate, now: steady())
    }

    // MARK: Failing

    /// A failure with what is learned from it: another key, another token, another request, a wait.
    ///
    /// `sent` is what was known of the model when the request was written.
    private func settled(
        _ failure: UpstreamFailure, _ used: Authorization?, _ request: ModelRequest, _ sent: Quirks
    ) -> UpstreamFailure {
        var failure = failure
        failure.message = redaction(used).strike(
            failure.message, else: (failure.neutral ?? "the upstream failed") + "; its words hold a key")
        // Without one it is the token's own endpoint that refused.
        let isSent = used != nil, used = used ?? .none
        switch failure.kind {
        case .auth where failure.status == 401 && isSent:
            failure.retriesAtOnce = authorizer.refused(used, for: request.model)
        case .throttled, .quota: keepAway(&failure, used, with: request.model)
        case .refused:
            var known = quirks(of: request.model)
            if known != sent, failure.parameter != nil || failure.mostTokens != nil {
                failure.retriesAtOnce = true  // another request has learned meanwhile
            } else {
                failure.retriesAtOnce = known.learn(from: failure, request.parameters)
                if failure.retriesAtOnce { quirks[request.model] = known }
            }
        case .overflow:
            guard let said = failure.overflow, let limit = said.limit, limit >= 256 else { break }
            if said.isOfMinute {
                self.learned(length: limit, of: request.model)
            } else {
                learned.tell(limit, of: request.model, now: steady())
            }
        default: break
        }
        if failure.status != nil, failure.status != 401 { authorizer.succeeded(used, for: request.model) }
        // Others see that it failed, and nothing of what was said to this request.
        health.failed(failure.withoutWords, turn: request.turn, at: clock(), now: steady())
        return failure
    }

    /// Strikes what was sent as a secret out of what the server says.
    private func redaction(_ used: Authorization?) -> Redaction {
        Redaction(headers: (used?.headers ?? []) + settings.headers.map { "\($0.key): \($0.value)" })
    }

    /// Leaves a key alone with a model for as long as it asks, and the whole upstream with it where no other key is free, until
    /// one is.
    private func keepAway(_ failure: inout UpstreamFailure, _ used: Authorization, with model: String) {
        if failure.concernsRequest { return }
        let isNamed = failure.retryAfter != nil
        var wait = failure.retryAfter ?? (failure.kind == .quota ? HTTPUpstream.quotaMemory : 0)
        let free = authorizer.throttled(
            used, milliseconds: wait > 0 ? wait : HTTPUpstream.keyPause, for: model)
        if free == 0 {
            failure.retriesAtOnce = true
            return
        }
        wait = min(wait, free)
        if isNamed { failure.retryAfter = wait }
        if wait > 0 {
            let now = steady()
            health.gates.close(
                model, until: now + Int64(min(wait, HTTPUpstream.longestGate)),
                .init(failure: failure.withoutWords, isFirm: isNamed), now: now)
        }
    }

    package func cutSilently(
        counted: Int, expected: Int, of request: ModelRequest, behind before: CountedRequest?
    ) -> Bool {
        dialect.cutSilently(counted: counted, expected: expected, of: request, behind: before)
    }

    // MARK: Small questions

    private lazy var listing = ModelListing(dialect) { [unowned self] page, receive in
        exchange(dialect.modelsURL(page: page), body: nil, receive)
    }

    package func listModels(_ receive: @escaping (Result<[ModelDescription], UpstreamFailure>) -> Void)
        -> any UpstreamQuestion
    {
        listing.join { [weak self] result in
            for model in (try? result.get()) ?? [] {
                self?.lengths[model.id] = model.contextLength
                self?.counters[model.id] = model.counter
            }
            receive(result)
        }
    }

    package func learnLength(of model: String, _ then: @escaping () -> Void) -> (any UpstreamQuestion)? {
        let now = steady()
        guard contextLength(of: model) == nil, health.breaker.wait(now: now) <= 0,
            lengthsAsked[model].map({ now - $0 > HTTPUpstream.lengthPause }) ?? true
        else { return nil }
        // Who comes while the list is on its way waits for it too, but not behind one that does not come.
        let began = listingSince ?? now
        if now - began > HTTPUpstream.listPatience { return nil }
        listingSince = began
        return listModels { [weak self] result in
            if let self {
                listingSince = nil
                // A server that is not there yet is asked again, one that says nothing of it, or comes late, is not for a while.
                let isThere: Bool =
                    switch result {
                    case .success: true
                    case .failure(let failure): failure.status.map { $0 < 500 } ?? false
                    }
                if isThere || steady() - began >= HTTPUpstream.listPatience { lengthsAsked[model] = steady() }
            }
            then()
        }
    }

    /// Milliseconds for which a list of models that is on its way is waited for.
    private static let listPatience: Int64 = 2_000

    package func learned(length: Int, of model: String) {
        learned.guess(length, of: model, now: steady())
    }

    package var mostBytes: Int? { taken.flatMap { $0.until > steady() ? $0.bytes : nil } }
    package func learned(bytes: Int) { taken = (max(bytes, 1), steady() + HTTPUpstream.lengthPause) }

    /// Milliseconds until a length is asked for again that nobody knew, and for which it is believed what is taken in bytes.
    private static let lengthPause: Int64 = 600_000

    package func countsTokens(of model: String) -> Bool { dialect.countsTokens(counters[model]) }

    package func countTokens(
        _ request: ModelRequest, _ receive: @escaping (Result<Int?, UpstreamFailure>) -> Void
    ) {
        let known = quirks(of: request.model)
        let ways = dialect.countings(request.readable(known), known, counters[request.model])
        if ways.isEmpty {
            loop.after(milliseconds: 0) { receive(.success(nil)) }
            return
        }
        TokenCounting.ask(ways, by: { [self] way, then in exchange(way.url, body: way.body, then) }, receive)
    }

    /// A small exchange that can be broken off.
    private final class Exchange: UpstreamQuestion {
        var http: HTTPCall?
        private(set) var isCancelled = false
        func cancel() {
            isCancelled = true
            http?.cancel()
            http = nil
        }
    }

    @discardableResult
    private func exchange(
        _ url: String, body: [UInt8]?, _ receive: @escaping (Result<[UInt8], UpstreamFailure>) -> Void
    ) -> any UpstreamQuestion {
        let exchange = Exchange()
        send(exchange, url, body: body, isAgain: false) { result in
            exchange.http = nil
            if !exchange.isCancelled { receive(result) }
        }
        return exchange
    }

    /// Sends it, once more where the key or token is another one now.
    private func send(
        _ exchange: Exchange, _ url: String, body: [UInt8]?, isAgain: Bool,
        _ receive: @escaping (Result<[UInt8], UpstreamFailure>) -> Void
    ) {
        authorize(body) { [weak self] found in
            guard let self, !exchange.isCancelled else { return }
            let authorization: Authorization
            switch found {
            case .success(let got): authorization = got
            case .failure(let failure):
                loop.after(milliseconds: 0) { receive(.failure(failure)) }
                return
            }
            var request = HTTPRequest(
                url: url, headers: common + authorization.headers + ["Content-Type: application/json"],
                body: body, connectTimeout: min(3_000, settings.timeouts.connect), totalTimeout: 10_000)
            request.caFile = settings.caFile
            exchange.http = fetch(request, client, clock) { [weak self] result in
                guard let self else { return }
                switch result {
                case .failure(let failure) where failure.status == 401:
                    if authorizer.refused(authorization, for: nil), !isAgain {
                        return send(exchange, url, body: body, isAgain: true, receive)
                    }
                case .failure(let failure) where failure.status == nil: break
                case .success, .failure: authorizer.succeeded(authorization, for: nil)
                }
                receive(
                    result.mapError { failure in
                        var failure = failure
                        failure.message = redaction(authorization).strike(
                            failure.message,
                            else: (failure.neutral ?? "the upstream failed") + "; its words hold a key")
                        return failure
                    })
            }
        }
    }
}
