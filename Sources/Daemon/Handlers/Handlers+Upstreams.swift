internal import Conversation
internal import EventLoop
internal import JSON
internal import Protocol
internal import Upstream

extension Handlers {
    static let upstreams: [Handler] = [
        .on(Method.ModelList.self) { $0.listModels },
        .on(Method.UpstreamList.self) { $0.listUpstreams },
        .on(Method.UpstreamTest.self) { $0.testUpstream },
    ]

    private func listModels(_ request: Request<Method.ModelList>) throws(WireError) {
        let name = request.parameters.upstream
        let upstreams = routes.upstreams.all.filter { name == nil || $0.name == name }
        if upstreams.isEmpty { throw .invalid("there is no upstream '\((name ?? "").prefix(60))'") }
        var answers: [String: Result<[ModelDescription], UpstreamFailure>] = [:]
        var questions: [any UpstreamQuestion] = []
        request.call.onCancel = {
            for question in questions { question.cancel() }
            request.fail(WireError(.cancelled, "the request was cancelled"))
        }
        for upstream in upstreams {
            questions.append(
                upstream.listModels { result in
                    answers[upstream.name] = result
                    if answers.count == upstreams.count && !request.call.isAnswered {
                        request.reply(.init(upstreams, answers, isAdmin: request.client.isAdmin))
                    }
                })
        }
    }

    private func listUpstreams(_ request: Request<Method.UpstreamList>) throws(WireError) {
        let now = clocks.steady()
        request.reply(
            .init(
                upstreams: routes.upstreams.all.map {
                    .init($0, configuration.value, now: now, isAdmin: request.client.isAdmin)
                }))
    }

    private func testUpstream(_ request: Request<Method.UpstreamTest>) throws(WireError) {
        let name = request.parameters.upstream, model = request.parameters.model
        if let problem = model.flatMap(ModelName.problem) { throw .invalid("'model' \(problem)") }
        guard routes.upstreams.byName[name] != nil else {
            let known = routes.upstreams.all.map { "'\($0.name)'" }.joined(separator: ", ")
            throw .invalid("there is no upstream '\(name.prefix(60))'; there are \(known)")
        }
        routes.upstreams.resolve(name, model: model) { [routes, loop] found in
            if request.call.isAnswered { return }
            do throws(WireError) {
                guard let candidate = try found.get().first else {
                    throw .invalid("there is no model to ask")
                }
                UpstreamTrial(request, candidate, loop).run(on: routes)
            } catch { request.fail(error) }
        }
    }
}

extension Method.ModelList.Result {
    /// What the upstreams said that were asked.
    fileprivate init(
        _ upstreams: [any Upstream], _ answers: [String: Swift.Result<[ModelDescription], UpstreamFailure>],
        isAdmin: Bool
    ) {
        self.init(models: [], errors: [])
        for upstream in upstreams {
            switch answers[upstream.name] {
            case .success(let found):
                models += found.map {
                    Model(
                        upstream: upstream.name, id: $0.id, isDefault: $0.id == upstream.model,
                        contextLength: $0.contextLength ?? upstream.contextLength(of: $0.id))
                }
            case .failure(let failure):
                // One look is made for all who ask: what the server said goes to administrators alone.
                let said = isAdmin ? failure : failure.withoutWords
                errors.append(Problem(upstream: upstream.name, message: said.message))
            case nil: break
            }
        }
    }
}

extension Method.UpstreamList.Result.Upstream {
    /// How an upstream is set up and fares; what a server said is not there, since it may repeat what somebody asked.
    init(
        _ upstream: any Upstream, _ configuration: Configuration, now: Int64, isAdmin: Bool
    ) {
        let settings = configuration.upstreams.first { $0.name == upstream.name }
        let base = settings?.baseURL ?? "", health = upstream.health
        let wait = max(health.breaker.wait(now: now), health.gateWait(for: upstream.model, now: now))
        self.init(
            name: upstream.name, kind: upstream.kind, model: upstream.model,
            baseURL: base.isEmpty ? nil : base,
            routes: configuration.routes.filter { $0.value.contains(upstream.name) }.keys.sorted(),
            keys: upstream.keys.map {
                .init(source: $0.source, masked: $0.masked, state: $0.state.rawValue, reason: $0.reason)
            }, credential: settings?.google == nil ? nil : upstream.keyOrigin, hasKey: upstream.hasKey,
            breaker: health.breaker.name, retryInMs: wait > 0 ? wait : nil,
            latencyMs: health.latency.map { Int($0) }, answers: health.answers, failures: health.failures,
            lastSuccessAt: health.lastSuccess.map { Wire.Time($0) })
        guard let (failure, at) = health.lastFailure else { return }
        lastError = .init(
            kind: failure.kind.rawValue, message: failure.message, status: failure.answered,
            // Administrators find the words there.
            turnId: isAdmin ? health.lastTurn : nil)
        lastErrorAt = Wire.Time(at)
    }
}

/// One small call to an upstream, with an explanation of what came of it.
private final class UpstreamTrial {
    private let request: Request<Method.UpstreamTest>
    private let candidate: Candidate
    private let loop: EventLoop
    private let began: UInt64
    private var first: Int?
    private var text = ""
    private var attempt: RouteCall?

    init(_ request: Request<Method.UpstreamTest>, _ candidate: Candidate, _ loop: EventLoop) {
        self.request = request
        self.candidate = candidate
        self.loop = loop
        began = loop.now
    }

    private var elapsed: Int { Int((loop.now - began) / 1_000_000) }

    /// Asks; the request is answered when the upstream is done.
    func run(on routes: Routes) {
        var parameters = ModelParameters()
        parameters.maxTokens = 64
        let message = OutgoingMessage(role: .user, parts: [.text("Say OK.")])
        let words = ModelRequest(
            model: candidate.model, system: nil, messages: [message], parameters: parameters, estimate: 20,
            userMessageCount: 1)
        request.call.onCancel = { [self] in
            attempt?.drop()
            attempt = nil
            request.fail(WireError(.cancelled, "the test was cancelled"))
        }
        candidate.upstream.forgive()
        let call = routes.test(candidate, words, owner: request.client.user) { [self] in heard($0) }
        attempt = call
        call.begin()
        call.start()
    }

    private func heard(_ report: RouteCall.Report) {
        if request.call.isAnswered { return }
        switch report {
        case .delayed: break
        case .pieces(let pieces):
            first = first ?? elapsed
            text += pieces.filter { $0.kind == .text }.map { String(decoding: $0.bytes, as: UTF8.self) }
                .joined()
        case .finished(let finish): reply(usage: finish.usage, nil)
        // Another of its keys is tried at once.
        case .failed(_, let wait?) where wait.milliseconds == 0: attempt?.start()
        case .failed: reply(usage: nil, attempt?.failure)
        }
    }

    private func reply(usage: Usage?, _ failure: UpstreamFailure?) {
        attempt = nil
        request.reply(
            .init(
                upstream: candidate.upstream.name, model: candidate.model, ok: failure == nil,
                text: text.isEmpty ? nil : String(text.prefix(200)), firstMs: first, totalMs: elapsed,
                usage: usage,
                error: failure.map { Wire.Failure(kind: $0.kind.rawValue, message: $0.message) },
                status: failure?.answered, retryAfterMs: failure?.retryAfter, hint: failure.map(hint)))
    }

    /// What to do next.
    private func hint(_ failure: UpstreamFailure) -> String {
        switch failure.kind {
        case .auth where failure.status == 403:
            "the key was taken, but it may not use this model or service; see the provider's console"
        case .auth:
            "check the key: it comes from \(candidate.upstream.keyOrigin.isEmpty ? "nowhere, 'keys' is empty" : candidate.upstream.keyOrigin)"
        case .unavailable, .timeout:
            "check that \(candidate.upstream.url(for: candidate.model) ?? "the server") can be reached from here, and 'baseURL' and 'timeouts'"
        case .refused where failure.status == 404:
            "check the model's name with 'convo models', and 'baseURL'"
        case .refused: "the server took the key but not the request; its words say why"
        case .throttled: "wait, or set 'throttle' so that requests come more slowly"
        case .quota: "raise the limit or the credit in the provider's console, or wait for its next period"
        case .protocolError, .interrupted:
            "check 'kind' and 'baseURL': the answer is not in this dialect, or was cut"
        case .overflow: "set 'contextLength' to what the server holds"
        }
    }
}
