internal import Conversation
internal import EventLoop
internal import JSON
internal import Protocol
internal import Upstream

extension Handlers {
    func listUpstreams(_ call: Call) throws(WireError) {
        try ParameterReader(call.params).finish()
        let isAdmin = call.connection.isAdmin
        call.reply {
            $0.key("upstreams")
            $0.array { for upstream in services.upstreams.all { write(upstream, isAdmin: isAdmin, to: &$0) } }
        }
    }

    private func write(_ upstream: any Upstream, isAdmin: Bool, to writer: inout JSONWriter) {
        let configuration = services.configuration
        let settings = configuration.upstreams.first { $0.name == upstream.name }
        writer.object {
            $0.member("name", upstream.name)
            $0.member("kind", upstream.kind)
            $0.optional("model", upstream.model)
            if let base = settings?.baseURL, !base.isEmpty { $0.member("baseURL", base) }
            $0.key("routes")
            $0.array {
                for (name, members) in configuration.routes.sorted(by: { $0.key < $1.key })
                where members.contains(upstream.name) { $0.string(name) }
            }
            $0.key("keys")
            $0.array { for key in upstream.keys { write(key, to: &$0) } }
            if settings?.google != nil { $0.member("credential", upstream.keyOrigin) }
            $0.member("hasKey", upstream.hasKey)
            write(upstream.health, isAdmin: isAdmin, to: &$0)
        }
    }

    private func write(_ key: KeyDescription, to writer: inout JSONWriter) {
        writer.object {
            $0.member("source", key.source)
            $0.optional("masked", key.masked)
            $0.member("state", key.state.rawValue)
            $0.optional("reason", key.reason)
        }
    }

    /// How it fares; what a server said is not there, since it may repeat what somebody asked.
    private func write(_ health: Health, isAdmin: Bool, to writer: inout JSONWriter) {
        let now = services.steady()
        writer.member("breaker", health.breaker.name)
        let wait = max(health.breaker.wait(now: now), health.gateWait(now: now))
        if wait > 0 { writer.member("retryInMs", wait) }
        writer.optional("latencyMs", health.latency.map { Int($0) })
        writer.member("answers", health.answers)
        writer.member("failures", health.failures)
        writer.optional("lastSuccessAt", health.lastSuccess.map(Timestamp.text))
        guard let (failure, at) = health.lastFailure else { return }
        writer.member("lastError") {
            write(failure, to: &$0)
            $0.optional("status", failure.answered)
            // Administrators find the words there.
            if isAdmin { $0.optional("turnId", health.lastTurn) }
        }
        writer.member("lastErrorAt", Timestamp.text(at))
    }

    private func write(_ failure: UpstreamFailure, to writer: inout JSONWriter) {
        writer.member("kind", failure.kind.rawValue)
        writer.member("message", failure.message)
    }

    func testUpstream(_ call: Call) throws(WireError) {
        var reader = try ParameterReader(call.params)
        let name: String = try reader.required("upstream")
        let model = try reader.name("model")
        try reader.finish()
        guard call.connection.isAdmin else {
            throw WireError(.permissionDenied, "only administrators may test an upstream: it costs a call")
        }
        if let problem = model.flatMap(ModelName.problem) { throw .invalid("'model' \(problem)") }
        guard let upstream = services.upstreams.byName[name] else {
            let known = services.upstreams.all.map { "'\($0.name)'" }.joined(separator: ", ")
            throw .invalid("there is no upstream '\(name.prefix(60))'; there are \(known)")
        }
        services.upstreams.resolve(name, model: model) { [services] found in
            if call.isAnswered { return }
            do throws(WireError) {
                guard let candidate = try found.get().first else {
                    throw .invalid("there is no model to ask")
                }
                UpstreamTest(upstream, candidate.model, services).run(call)
            } catch { call.fail(error) }
        }
    }
}

/// One small call to an upstream, with an explanation of what came of it.
final class UpstreamTest {
    private let upstream: any Upstream
    private let model: String
    private let services: Services
    private let began: UInt64
    private var first: Int?
    private var text = ""
    private var running: (any UpstreamCall)?

    init(_ upstream: any Upstream, _ model: String, _ services: Services) {
        self.upstream = upstream
        self.model = model
        self.services = services
        began = services.loop.now
    }

    private var elapsed: Int { Int((services.loop.now - began) / 1_000_000) }

    /// Asks; the call is answered when the upstream is done.
    func run(_ call: Call) {
        var parameters = ModelParameters()
        parameters.maxTokens = 64
        let message = OutgoingMessage(role: .user, parts: [.text("Say OK.")])
        let request = ModelRequest(
            model: model, system: nil, messages: [message], parameters: parameters, estimate: 20,
            userMessageCount: 1)
        call.onCancel = { [self] in
            running?.cancel()
            call.fail(WireError(.cancelled, "the test was cancelled"))
        }
        upstream.forgive()
        running = upstream.start(request) { [self] event in take(event, call) }
    }

    private func take(_ event: UpstreamEvent, _ call: Call) {
        if call.isAnswered { return }
        switch event {
        case .retrying: break
        case .pieces(let pieces):
            first = first ?? elapsed
            text += pieces.filter { $0.kind == .text }.map { String(decoding: $0.bytes, as: UTF8.self) }
                .joined()
        case .finished(let finish): reply(call, finish: finish, nil)
        case .failed(let failure): reply(call, finish: nil, failure)
        }
        switch event {
        case .pieces, .retrying: return
        case .finished, .failed: break
        }
        running = nil
    }

    private func reply(_ call: Call, finish: Turn.Finish?, _ failure: UpstreamFailure?) {
        call.reply {
            $0.member("upstream", upstream.name)
            $0.member("model", model)
            $0.member("ok", failure == nil)
            if !text.isEmpty { $0.member("text", String(text.prefix(200))) }
            $0.optional("firstMs", first)
            $0.member("totalMs", elapsed)
            if let usage = finish?.usage { $0.key("usage"); usage.write(to: &$0) }
            guard let failure else { return }
            $0.failure(failure.kind.rawValue, failure.message)
            $0.optional("status", failure.answered)
            $0.optional("retryAfterMs", failure.retryAfter)
            $0.member("hint", hint(failure))
        }
    }

    /// What to do next.
    private func hint(_ failure: UpstreamFailure) -> String {
        switch failure.kind {
        case .auth where failure.status == 403:
            "the key was taken, but it may not use this model or service; see the provider's console"
        case .auth:
            "check the key: it comes from \(upstream.keyOrigin.isEmpty ? "nowhere, 'keys' is empty" : upstream.keyOrigin)"
        case .unavailable, .timeout:
            "check that \(upstream.url(for: model) ?? "the server") can be reached from here, and 'baseURL' and 'timeouts'"
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
