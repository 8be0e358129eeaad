internal import Archive
internal import ContextWindow
internal import Conversation
internal import JSON
internal import Protocol
internal import Store
internal import Upstream

extension Handlers {
    static let context: [Handler] = [
        .on(Method.ContextBuild.self) { $0.buildContext },
        .on(Method.ContextPreview.self) { $0.previewContext },
        .on(Method.ContextReceipt.self) { $0.receipt },
        .on(Method.ContextWhy.self) { $0.why },
    ]

    /// Looks for the session of a question whose options are what settings may be.
    private func withSession(
        _ call: Client.Call, asking question: WindowQuestion, _ then: @escaping (SessionRecord) -> Void
    ) throws(WireError) {
        let options = question.options
        try check(SessionSettings(upstream: options.upstream, model: options.model, window: options.window))
        withSession(call, question.id) { then($0) }
    }

    /// Finds who would be asked and makes the window for it.
    private func window(
        of record: SessionRecord, _ call: Client.Call, _ parameters: WindowQuestion, limit: Int? = nil,
        media: WindowRequest.Media = .asAsked,
        render: @escaping @Sendable (inout ModelWindow) -> [UInt8] = { _ in [] },
        _ then: @escaping (Candidate, WindowChoice) -> Void
    ) {
        let making = WindowMaking()
        call.onCancel = {
            making.cancel()
            call.fail(WireError(.cancelled, "the request was cancelled"))
        }
        routes.resolve(record.session, parameters.options) { [self] found in
            if call.isAnswered { return }
            do throws(WireError) {
                let candidates = try found.get()
                var options = parameters.options
                options.system = call.client.overrides[record.row]
                var request = WindowRequest(
                    options: options, prompt: parameters.prompt?.parts,
                    content: parameters.prompt?.content)
                request.limit = limit
                request.media = media
                routes.windows.choose(record, request, candidates, making, render: render) { result in
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

    private func previewContext(_ request: Request<Method.ContextPreview>) throws(WireError) {
        try withSession(request.call, asking: request.parameters.question) { [self] record in
            preview(request, record, limit: nil)
        }
    }

    /// What a turn would send; where the provider counts more than there is room for, less, as a turn does then.
    private func preview(
        _ request: Request<Method.ContextPreview>, _ record: SessionRecord, limit: Int?,
        _ share: UserShares.Share? = nil
    ) {
        window(of: record, request.call, request.parameters.question, limit: limit) {
            [self] candidate, choice in
            let model = choice.window.request
            func answer(_ counted: Int?) {
                request.reply(
                    .init(
                        upstream: candidate.upstream.name, kind: candidate.upstream.kind,
                        model: candidate.model, url: candidate.upstream.url(for: candidate.model),
                        request: RawJSON(candidate.upstream.body(for: model)),
                        receipt: Verbatim(choice.receipt), counted: counted,
                        cost: Wire.CostEstimate(choice.window, candidate)))
            }
            guard request.parameters.isCounted else { return answer(nil) }
            // A request that is counted is held until its provider has done so.
            let held: UserShares.Share
            if let share {
                held = share
            } else {
                do throws(WireError) { held = try counts.take(request.client.user) } catch {
                    return request.fail(error)
                }
            }
            candidate.upstream.countTokens(model) { [self] result in
                defer { withExtendedLifetime(held) {} }
                if request.call.isAnswered { return }
                switch result {
                case .success(let counted):
                    let budget = choice.window.cut?.receipt.budget ?? Int.max
                    guard let counted, counted > budget, limit == nil else { return answer(counted) }
                    preview(request, record, limit: max(1, model.estimate * budget / counted), held)
                case .failure(let failure): request.fail(WireError(failure))
                }
            }
        }
    }

    private func buildContext(_ request: Request<Method.ContextBuild>) throws(WireError) {
        let dialect = try request.parameters.dialect.map { name throws(WireError) in try kind(named: name) }
        // Who speaks that way gets the request itself.
        let own = Set(routes.upstreams.all.filter { $0.kind == dialect?.name }.map(\.name))
        let media: WindowRequest.Media =
            if let dialect, dialect.messages != nil {
                .by(dialect.rules.media, unlessAsked: own)
            } else {
                .whole
            }
        @Sendable func render(_ window: inout ModelWindow) -> [UInt8] {
            guard let cut = window.cut else { return [] }
            guard let dialect, let write = dialect.messages else {
                let room = cut.messages.reduce(2) { $0 + $1.content.count + Wire.Message.overhead }
                var writer = JSONWriter(capacity: room)
                writer.array { writer in
                    if let summary = cut.summary { Wire.Message.write(Message(summary), to: &writer) }
                    for message in cut.messages { Wire.Message.write(message, to: &writer) }
                }
                return writer.take()
            }
            if !own.contains(window.upstream) { window.become(for: dialect.rules) }
            var writer = JSONWriter()
            write(window.request.messages, window.request.system, &writer)
            return writer.bytes
        }
        try withSession(request.call, asking: request.parameters.question) { [self] record in
            window(of: record, request.call, request.parameters.question, media: media, render: render) {
                candidate, choice in
                let window = choice.window
                // A dialect's is that of any request: messages of the system at the beginning have joined it.
                let system = dialect == nil ? window.cut?.system : window.request.system
                request.reply(
                    .init(
                        messages: RawJSON(window.rendered),
                        system: dialect?.hasSystemMessage ?? false ? nil : system,
                        receipt: Verbatim(choice.receipt), cost: Wire.CostEstimate(window, candidate),
                        windowId: WindowID(
                            issuer: candidate.issuer, binding: window.request.binding
                        ).text, toolNames: dialect == nil ? [:] : window.request.names.originalsBySent))
            }
        }
    }

    /// A kind of upstream in whose way messages can be written.
    private func kind(named name: String) throws(WireError) -> UpstreamKind {
        let kinds = configuration.kinds.dialects
        if let kind = kinds.first(where: { $0.name == name }) { return kind }
        throw .invalid("'dialect' must be \(kinds.map { "'\($0.name)'" }.joined(separator: " or "))")
    }

    /// Turns that are looked through, newest first: those of other branches are passed over.
    private static let turnsLookedThrough = 50

    private func why(_ request: Request<Method.ContextWhy>) throws(WireError) {
        let parameters = request.parameters, call = request.call
        withSession(call, parameters.id) { [self] record in
            withMessage(call, parameters.messageID, on: record) { [self] message in
                let turns = TurnList(
                    record.row, .all, before: nil, limit: Handlers.turnsLookedThrough, bytes: 256 << 10)
                look(call, turns, of: record.row) { [self] found in
                    let ended = found.turns.filter { $0.turn.receipt != nil }
                    // An answer that was made anew has its prompt on the path still.
                    let ids = ended.flatMap { [$0.turn.answerID] + ($0.turn.promptID.map { [$0] } ?? []) }
                    look(call, PlacesOnPath(ids, in: record), of: record.row) { places in
                        let told = ended.compactMap { stored -> Method.ContextWhy.Result.Turn? in
                            guard let answer = places[stored.turn.answerID] else { return nil }
                            let prompt = stored.turn.promptID.flatMap { places[$0] }
                            // Its own answer was not before it.
                            guard message.seq <= prompt ?? answer - 1 else { return nil }
                            return .init(stored.turn, at: prompt ?? answer, message)
                        }
                        request.reply(
                            .init(
                                messageId: message.id, seq: message.seq, pinned: message.isPinned,
                                excluded: message.isExcluded,
                                turns: Array(told.prefix(Method.ContextWhy.most))))
                    }
                }
            }
        }
    }

    private func receipt(_ request: Request<Method.ContextReceipt>) throws(WireError) {
        withAttempts(request.call, request.parameters.id) { stored, _, attempts in
            request.reply(
                .init(
                    turnId: stored.turn.id, receipt: stored.turn.receipt.map { Verbatim($0) },
                    upstream: stored.turn.upstream, model: stored.turn.model, usage: stored.turn.usage,
                    attempts: attempts))
        }
    }
}

extension Method.ContextWhy.Result.Turn {
    /// What became of a message that was before it in a turn at a place of the path; nil where nothing is known.
    fileprivate init?(_ turn: TurnRecord, at seq: Int, _ message: Message) {
        guard let raw = turn.receipt,
            let receipt = Verbatim<Wire.Receipt>(raw).value
        else { return nil }
        let (fate, rule) = receipt.fate(
            of: message.seq, message.status, pinned: message.isPinned, excluded: message.isExcluded)
        let hasFiles = Part.decode(message.content).contains(where: \.isNoText)
        self.init(
            turnId: turn.id, seq: seq, createdAt: Wire.Time(turn.createdAt), fate: fate, rule: rule,
            strategy: receipt.strategy.chosen, textsForFiles: hasFiles ? receipt.mapped?.parts : nil,
            cutByServer: receipt.cutByServer, upstream: turn.upstream, model: turn.model)
    }
}

extension Message {
    /// A summary as the user's message that a window has in the place of others: its ID is the summary's, its place that of the
    /// last message that it covers.
    fileprivate init(_ summary: Summary) {
        let parts = [Part.text(summary.told ?? "")]
        self.init(
            id: MessageID(high: summary.id.high, low: summary.id.low), seq: summary.last, role: .user,
            createdAt: summary.createdAt, tokens: TokenEstimate.message(parts), content: Part.encode(parts))
    }
}

extension Wire.CostEstimate {
    /// What a window would cost at who is asked with it; nil where nobody knows.
    fileprivate init?(_ window: ModelWindow, _ candidate: Candidate) {
        let request = window.request, cache = candidate.upstream.promptCache
        guard let prices = candidate.upstream.prices(of: candidate.model, tokens: request.estimate) else {
            return nil
        }
        // What is not in a cache is written there, where the provider keeps one.
        func dollars(_ input: Int, _ output: Int, cached: Int = 0) -> Double {
            var tokens = Prices.Tokens(input: input, output: output, cached: cached)
            tokens.written = cache == .none ? 0 : input - cached
            return Double(prices.cost(tokens, cache: cache)) / 1_000_000
        }
        let prompt = window.promptSize.map { window.weights.tokens($0) } ?? 0
        let answer = request.parameters.maxTokens ?? window.cut?.receipt.policy.reserveTokens ?? 0
        self.init(
            input: dollars(request.estimate, 0),
            cachedInput: cache == .none
                ? nil : dollars(request.estimate, 0, cached: max(0, request.estimate - prompt)),
            output: dollars(0, answer))
    }
}
