internal import Archive
internal import ContextWindow
internal import Conversation
internal import JSON
internal import Protocol
internal import Store
internal import Upstream

extension Handlers {
    /// Finds who would be asked and makes the window for it.
    private func withWindow(
        _ call: Call, _ asked: ContextParameters,
        render: @escaping @Sendable (MadeWindow) -> [UInt8] = { _ in [] },
        _ then: @escaping (Candidate, WindowChoice) -> Void
    ) throws(WireError) {
        let options = asked.options
        try check(SessionSettings(upstream: options.upstream, model: options.model, window: options.window))
        withSession(call, asked.id) { [self] record in
            window(of: record, call, asked, render: render, then)
        }
    }

    private func window(
        of record: SessionRecord, _ call: Call, _ asked: ContextParameters,
        render: @escaping @Sendable (MadeWindow) -> [UInt8],
        _ then: @escaping (Candidate, WindowChoice) -> Void
    ) {
        let settings = record.session.settings, options = asked.options
        var stop: () -> Void = {}
        call.onCancel = {
            stop()
            call.fail(WireError(.cancelled, "the request was cancelled"))
        }
        services.upstreams.resolve(
            options.upstream ?? settings.upstream, model: options.model ?? settings.model
        ) { [self] found in
            if call.isAnswered { return }
            do throws(WireError) {
                let candidates = try found.get()
                let parts = asked.prompt == nil ? nil : asked.promptParts
                let request = WindowRequest(options: options, prompt: parts, content: asked.prompt)
                let making = WindowMaking()
                stop = { making.cancel() }
                WindowMaker(services: services, making: making).choose(
                    record, request, candidates, render: render
                ) { result in
                    if call.isAnswered { return }
                    do throws(WireError) {
                        let choice = try result.get()
                        guard let first = choice.candidates.first else {
                            throw .invalid("the route is empty")
                        }
                        then(first, choice)
                    } catch { call.fail(error) }
                }
            } catch { call.fail(error) }
        }
    }

    func previewContext(_ call: Call) throws(WireError) {
        let asked = try ContextParameters(call.params, isPreview: true)
        try withWindow(call, asked) { candidate, choice in
            func answer(_ counted: Int?) {
                let body = candidate.upstream.body(for: choice.made.request)
                call.reply {
                    $0.member("upstream", candidate.upstream.name)
                    $0.member("kind", candidate.upstream.kind)
                    $0.member("model", candidate.model)
                    $0.optional("url", candidate.upstream.url(for: candidate.model))
                    $0.member("request", raw: body)
                    $0.member("receipt", raw: choice.receipt)
                    $0.optional("counted", counted)
                }
            }
            guard asked.isCounted else { return answer(nil) }
            candidate.upstream.countTokens(choice.made.request) { result in
                if call.isAnswered { return }
                switch result {
                case .success(let counted): answer(counted)
                case .failure(let failure): call.fail(WireError(failure))
                }
            }
        }
    }

    func buildContext(_ call: Call) throws(WireError) {
        let asked = try ContextParameters(call.params, isPreview: false)
        let dialect = asked.dialect
        try withWindow(
            call, asked,
            render: { made in
                var writer = JSONWriter()
                guard let window = made.window else { return [] }
                if let dialect {
                    DialectMessages.write(window, in: dialect.rawValue, to: &writer)
                } else {
                    writer.array { for message in window.messages { Wire.write(message, to: &$0) } }
                }
                return writer.bytes
            }
        ) { _, choice in
            call.reply {
                $0.member("messages", raw: choice.made.rendered)
                if asked.dialect != .openai { $0.optional("system", choice.made.window?.system) }
                $0.member("receipt", raw: choice.receipt)
            }
        }
    }

    func receipt(_ call: Call) throws(WireError) {
        let asked = try TurnParameters(call.params)
        withAttempts(call, asked.id) { [self] stored, _, attempts in
            call.reply {
                $0.member("turnId", stored.turn.id.description)
                $0.optional("receipt", raw: stored.turn.receipt)
                $0.optional("upstream", stored.turn.upstream)
                $0.optional("model", stored.turn.model)
                if let usage = stored.turn.usage {
                    $0.key("usage")
                    usage.write(to: &$0)
                }
                write(attempts, to: &$0)
            }
        }
    }
}
