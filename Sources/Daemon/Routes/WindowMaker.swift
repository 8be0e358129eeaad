internal import Archive
internal import ContextWindow
internal import Conversation
internal import EventLoop
internal import JSON
internal import Protocol
internal import Sessions
internal import Store
internal import Upstream

/// What a prompt, or a request to look at one, asks the window for.
struct WindowRequest: Sendable {
    var options: TurnOptions
    /// The proposed prompt's parts; nil goes on from the head.
    var prompt: [Part]?
    /// The prompt's raw JSON.
    var content: [UInt8]?
    /// Tokens that the request may have at most, after a provider said that it was too long.
    var limit: Int?
    /// Whether more was refused, and whether `limit` is a guess since nobody said how much there may be.
    var isRefused = false, isGuess = false
    /// Tokens of the answer that may be asked for at most, after a provider said that its limit is passed; nil for any.
    var mostAnswer: Int?
    /// Whether it may have no older turns.
    var isNewestOnly = false
    /// Messages for whose images, sounds and documents texts stand.
    var mediaRefused: Set<MessageID> = []
    /// As what they go.
    var media = Media.asAsked

    /// How images, sounds and documents are written.
    enum Media: Sendable {
        /// As who is asked takes them.
        case asAsked
        /// As they are stored: what is kept of the messages is wanted, and no request.
        case whole
        /// By other rules, but for those who are asked by them.
        case by(MediaRules, unlessAsked: Set<String>)
    }
}

extension WireError {
    /// Whether an upstream that holds more might take what was asked: what must be sent, or kept for the answer, does not fit.
    var isTooSmall: Bool { details["budget"] != nil }
}

/// An upstream that was passed over, since what must be sent does not fit it.
struct TooSmall: Sendable {
    let upstream: String
    let model: String
    /// Tokens that must be sent, and that may be; nil where nobody said.
    let needed: Int?
    let budget: Int?

    /// Adds those that were passed over, and who is asked in their place, to a receipt.
    static func add(_ passed: [TooSmall], for upstream: String, to receipt: [UInt8]) -> [UInt8] {
        let passed = passed.filter { $0.upstream != upstream }
        if passed.isEmpty { return receipt }
        let more = JSONWriter.object {
            $0.member("upstream", upstream)
            $0.key("tooSmall")
            $0.array {
                for one in passed {
                    $0.object {
                        $0.member("upstream", one.upstream)
                        $0.member("model", one.model)
                        $0.optional("needed", one.needed)
                        $0.optional("budget", one.budget)
                    }
                }
            }
        }
        return receipt.dropLast() + [0x2C] + more.dropFirst()
    }
}

/// A window, and who may be asked with it.
struct WindowChoice {
    /// The first of them has the window; the others come after it.
    let candidates: [Candidate]
    let window: ModelWindow
    /// Who came before in the route, and holds too little.
    let passed: [TooSmall]
    /// The receipt, which names them.
    var receipt: [UInt8] {
        TooSmall.add(passed, for: candidates.first?.upstream.name ?? "", to: window.receipt)
    }
}

/// A window that is being made, so that it can be given up.
final class WindowMaking {
    fileprivate var stop: (() -> Void)?
    fileprivate private(set) var isCancelled = false

    /// Nobody needs it any more: no long reading begins, or it ends, and who asked for it is told `cancelled`.
    func cancel() {
        isCancelled = true
        stop.take()?()
    }
}

/// Reads as much of a session as a window needs, and cuts it.
struct WindowMaker {
    let archives: Archives
    let calibrations: Calibrations
    let cacheKeys: CacheKeys
    let lastRequests = LastRequests()
    let configuration: CurrentConfiguration
    let clocks: Clocks
    let loop: EventLoop

    /// Makes the window for a candidate, or one error that says what does not fit.
    ///
    /// A short history is read and cut on the loop; a long one on the reader's thread, and there `render` makes of it what
    /// is wanted, if anything.
    func make(
        _ session: SessionRecord, _ question: WindowRequest, _ candidate: Candidate, _ making: WindowMaking,
        render: @escaping @Sendable (inout ModelWindow) -> [UInt8] = { _ in [] },
        _ then: @escaping (Result<ModelWindow, WireError>) -> Void
    ) {
        let plan: WindowPlan
        do throws(WireError) { plan = try self.plan(session, question, candidate) } catch {
            return then(.failure(error))
        }
        if plan.isLong { return makeAway(plan, making, render, then) }
        let read = WindowRead(session, plan.need, within: .loop, for: plan.asker)
        archives.read(read, of: session.row) { result in
            switch result {
            case .success(let short?): then(plan.rendered(short, render))
            case .success(nil) where making.isCancelled: then(.failure(.cancelledUnstored))
            case .success(nil): makeAway(plan, making, render, then)
            case .failure(let error): then(.failure(WireError(error)))
            }
        }
    }

    private func makeAway(
        _ plan: WindowPlan, _ making: WindowMaking,
        _ render: @escaping @Sendable (inout ModelWindow) -> [UInt8],
        _ then: @escaping (Result<ModelWindow, WireError>) -> Void
    ) {
        // Also where it is made for a turn whose time has come, and no request is being served.
        var stop: () -> Void = {}
        archives.asking(for: plan.session.session.owner) {
            stop = look(plan, making, render, then)
        }
        making.stop = { [loop] in
            stop()
            loop.after(milliseconds: 0) { then(.failure(.cancelledUnstored)) }
        }
    }

    private func look(
        _ plan: WindowPlan, _ making: WindowMaking,
        _ render: @escaping @Sendable (inout ModelWindow) -> [UInt8],
        _ then: @escaping (Result<ModelWindow, WireError>) -> Void
    ) -> () -> Void {
        archives.readAway(
            WindowRead(plan.session, plan.need, within: nil, for: plan.asker), of: plan.session.row,
            isShort: false,
            map: { stored in
                guard let stored else { preconditionFailure("without a bound a history is read to its end") }
                return plan.rendered(stored, render)
            },
            then: { result in
                making.stop = nil
                switch result {
                case .success(let window): then(window)
                case .failure(let error): then(.failure(WireError(error)))
                }
            })
    }

    /// Makes the window for the first of a route that it fits: where what must be sent does not fit one, the next whose
    /// known length is larger is taken.
    ///
    /// Of several that hold too little the first one's error is told.
    func choose(
        _ session: SessionRecord, _ question: WindowRequest, _ candidates: [Candidate],
        _ making: WindowMaking,
        render: @escaping @Sendable (inout ModelWindow) -> [UInt8] = { _ in [] }, passed: [TooSmall] = [],
        refused: WireError? = nil, _ then: @escaping (Result<WindowChoice, WireError>) -> Void
    ) {
        guard let first = candidates.first else {
            return then(.failure(refused ?? .invalid("the route is empty")))
        }
        learnLength(first, session, question, making) { isGivenUp in
            if isGivenUp { return then(.failure(.cancelledUnstored)) }
            make(
                session, question, candidates, making, render: render, passed: passed, refused: refused, then)
        }
    }

    /// Makes the window for the first of a route, or for the next that holds more.
    private func make(
        _ session: SessionRecord, _ question: WindowRequest, _ candidates: [Candidate],
        _ making: WindowMaking, render: @escaping @Sendable (inout ModelWindow) -> [UInt8],
        passed: [TooSmall], refused: WireError?,
        _ then: @escaping (Result<WindowChoice, WireError>) -> Void
    ) {
        let first = candidates[0]
        make(session, question, first, making, render: render) { result in
            switch result {
            case .success(let window):
                then(.success(WindowChoice(candidates: candidates, window: window, passed: passed)))
            case .failure(let error) where error.isTooSmall:
                let length = first.upstream.contextLength(of: first.model) ?? WindowPolicy.unknownModelTokens
                let larger = candidates.dropFirst().drop { other in
                    (other.upstream.contextLength(of: other.model) ?? 0) <= length
                }
                if larger.isEmpty { return then(.failure(refused ?? error)) }
                let small = TooSmall(
                    upstream: first.upstream.name, model: first.model, needed: error.number("needed"),
                    budget: error.number("budget"))
                choose(
                    session, question, Array(larger), making, render: render, passed: passed + [small],
                    refused: refused ?? error, then)
            case .failure(let error): then(.failure(error))
            }
        }
    }

    /// Asks a server what its model holds before a history is cut to what is sent while nobody knows; `then` is told whether the
    /// window was given up meanwhile.
    ///
    /// Nobody waits long for it: what comes late counts from the next window on.
    private func learnLength(
        _ candidate: Candidate, _ session: SessionRecord, _ question: WindowRequest, _ making: WindowMaking,
        _ then: @escaping (_ isGivenUp: Bool) -> Void
    ) {
        // A token is about four bytes of a text.
        let system = question.options.system ?? session.session.wholeSystem
        let bytes =
            (question.content?.count ?? 0) + (question.options.params?.count ?? 0)
            + (system?.utf8.count ?? 0)
        guard session.session.tokens + bytes / 4 > WindowPolicy.unknownModelTokens / 2,
            candidate.upstream.contextLength(of: candidate.model) == nil,
            // What is wrong in it is told by who makes the window.
            (try? policy(session.session, question.options, at: candidate.upstream.name))?.maxTokens == nil
        else { return then(false) }
        var isDone = false
        let finish = { (isGivenUp: Bool) in
            if isDone { return }
            isDone = true
            making.stop = nil
            then(isGivenUp)
        }
        let asked = candidate.upstream.learnLength(of: candidate.model) { finish(false) }
        guard asked != nil else { return then(false) }
        making.stop = { [loop] in loop.after(milliseconds: 0) { finish(true) } }
        loop.after(milliseconds: WindowMaker.longestAsk) { finish(false) }
    }

    /// Milliseconds that a window waits to hear of its model's length.
    private static let longestAsk = 2_000

    /// What a session's pins may have together when one is added; nil for a candidate means that nobody can be asked now.
    func pinRoom(of session: SessionRecord, for candidate: Candidate?) throws(WireError) -> PinRoom {
        guard let candidate else {
            let policy = try policy(session.session, TurnOptions())
            return PinRoom(tokens: policy.pinTokens(of: policy.budget(contextLength: nil)))
        }
        let plan = try plan(session, WindowRequest(options: TurnOptions()), candidate)
        let system = plan.weights.tokens(TokenEstimate.size(ofSystem: session.session.wholeSystem))
        return PinRoom(
            tokens: min(plan.policy.pinTokens(of: plan.budget), max(0, plan.budget - system)),
            costs: plan.rules.media.costs(plan.weights))
    }

    /// Tokens that a session's summary may have to go to a candidate, and the weights that it is measured by: a window holds the
    /// system prompt and what is said besides; one that was asked for may take what those leave.
    func summaryRoom(of session: SessionRecord, for candidate: Candidate, isRequested: Bool) throws(WireError)
        -> (tokens: Int, weights: TokenWeights)
    {
        let plan = try plan(session, WindowRequest(options: TurnOptions()), candidate)
        let system = plan.weights.tokens(TokenEstimate.size(ofSystem: session.session.wholeSystem))
        let room = max(0, plan.budget - system)
        return (isRequested ? room : room / 2, plan.weights)
    }

    /// What is asked for, and what is kept of a model's length for it.
    private struct Terms {
        var parameters: ModelParameters
        var policy: WindowPolicy
        /// The policy as anchors know it.
        let settings: String
        let chosen: WindowPolicy.Chosen
        let length: Int?
    }

    private func terms(_ session: SessionRecord, _ question: WindowRequest, _ candidate: Candidate)
        throws(WireError) -> Terms
    {
        let length = candidate.upstream.contextLength(of: candidate.model)
        let parameters = try parameters(question, candidate, length: length)
        var policy = try policy(session.session, question.options, at: candidate.upstream.name)
        if let length, policy.reserveTokens >= length, candidate.upstream.isLengthLearned(of: candidate.model)
        {
            policy.reserveTokens = length / 4  // whoever chose it did not know
        }
        var keyed = policy
        let chosen = policy.chosen(cachesPrompts: candidate.upstream.promptCache != .none)
        if question.isNewestOnly { policy.maxTurns = 1 }
        if let most = parameters.maxTokens { policy.reserveTokens = most }
        // What the request will ask for must be kept free, or it is refused with what it has.
        if let cap = candidate.upstream.answerCap(parameters, of: candidate.model),
            parameters.maxTokens == nil
        {
            let isChosen = policy.reserveTokens != WindowPolicy().reserveTokens
            let mayShrink = cap.source == .standard
            let most = mayShrink ? min(cap.tokens, (length ?? Int.max) / 4) : cap.tokens
            let least = mayShrink && isChosen ? cap.needed ?? 0 : max(most, cap.needed ?? 0)
            policy.reserveTokens = max(policy.reserveTokens, least)
        }
        if let length, policy.reserveTokens >= length, parameters.maxTokens == nil,
            policy.reserveTokens == configuration.window.reserveTokens
        {
            policy.reserveTokens = length / 4  // nobody chose it for so small a window
        }
        if let length, policy.reserveTokens >= length {
            throw WireError(
                .invalidParams,
                "model '\(candidate.model.prefix(80))' holds \(length) tokens in all, and \(policy.reserveTokens) \(reserved(for: parameters))",
                details: [
                    "needed": Array(String(policy.reserveTokens).utf8), "budget": Array(String(length).utf8),
                ])
        }
        // A prompt that keeps more free for its own answer moves no cut of others.
        if parameters.maxTokens != nil || parameters.isThinking { keyed.reserveTokens = policy.reserveTokens }
        return Terms(
            parameters: parameters, policy: policy, settings: keyed.fingerprint, chosen: chosen,
            length: length)
    }

    /// What a model is asked with: no answer longer than it, or its server, may give.
    private func parameters(_ question: WindowRequest, _ candidate: Candidate, length: Int?) throws(WireError)
        -> ModelParameters
    {
        var parameters = try modelParameters(question.options)
        guard var asked = parameters.maxTokens else { return parameters }
        // No room is kept for what is not asked for.
        if let most = candidate.upstream.mostTokens(of: candidate.model) { asked = min(asked, most) }
        if let most = question.mostAnswer { asked = min(asked, most) }
        // More than the server was found to hold: what a refused turn asked for then is asked for at once.
        if let length, asked > length / 2, candidate.upstream.isLengthLearned(of: candidate.model) {
            let cap = candidate.upstream.answerCap(parameters, of: candidate.model)
            let least = cap?.source == .needed ? cap?.tokens : cap?.needed
            asked = OverflowTrim.mostAnswer(asked, of: length, least: least ?? 0)
        }
        parameters.maxTokens = asked
        return parameters
    }

    private func plan(_ session: SessionRecord, _ question: WindowRequest, _ candidate: Candidate)
        throws(WireError) -> WindowPlan
    {
        let terms = try terms(session, question, candidate), policy = terms.policy
        let rules = rules(for: candidate, of: session.row, mediaRefused: question.mediaRefused)
        let calibration = calibrations.of(candidate.upstream.name, candidate.model)
        let budget = min(policy.budget(contextLength: terms.length), question.limit ?? Int.max)
        let last = lastRequests.last(of: session.row, candidate.upstream.name, candidate.model)
        return WindowPlan(
            session: session, question: question, policy: policy, length: terms.length,
            weights: calibration.applied(to: rules.weights), budget: budget,
            mostBytes: question.isNewestOnly ? nil : candidate.upstream.mostBytes,
            parameters: terms.parameters, upstream: candidate.upstream.name,
            model: candidate.model, rules: rules,
            chosen: terms.chosen, settings: terms.settings,
            ratio: calibration.plain.samples > 0 ? calibration.plain.value : nil,
            now: clocks.now(),
            asked: last?.at, lastBegin: last?.begin, lastThoughts: last?.thoughts,
            cacheLife: candidate.upstream.promptCache.life,
            cacheKey: candidate.upstream.takesCacheKey ? cacheKeys.key(of: session.session) : nil)
    }

    /// Why so much is kept for the answer, and what to do about it.
    private func reserved(for parameters: ModelParameters) -> String {
        if parameters.isThinking {
            return "are kept for what is thought and answered; ask for less with 'params.thinking'"
        }
        if parameters.maxTokens != nil {
            return "were asked for as the answer; ask for less with 'params.maxTokens'"
        }
        return "are reserved for the answer; reserve less with 'window.reserveTokens'"
    }

    /// What a candidate demands of a session's requests; it is sent no media of `mediaRefused`, and of those that are known now.
    func rules(for candidate: Candidate, of session: SessionRow, mediaRefused: Set<MessageID>) -> DialectRules
    {
        var rules = candidate.upstream.rules(for: candidate.model)
        rules.media.refused = mediaRefused.union(
            lastRequests.mediaRefused(of: session, candidate.upstream.name, candidate.model))
        return rules
    }

    /// The configuration's policy with what the upstream, the session and the request change.
    func policy(_ session: Session, _ options: TurnOptions, at upstream: String? = nil) throws(WireError)
        -> WindowPolicy
    {
        var policy = configuration.window
        let theirs = configuration.upstreams.first { $0.name == upstream }?.window
        for raw in [theirs, session.settings.window, options.window] {
            // Each was read and checked where it came in.
            guard let raw, let view = try? JSONDocument(raw).root else { continue }
            do { policy = try policy.overridden(by: view) } catch { throw .invalid(error.reason) }
        }
        return policy
    }

    private func modelParameters(_ options: TurnOptions) throws(WireError) -> ModelParameters {
        guard let raw = options.params, let view = try? JSONDocument(raw).root else {
            return ModelParameters()
        }
        return ModelParameters(view)
    }
}
