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
}

/// What of a window people may want to know.
enum WindowNews: Sendable, Equatable {
    /// So many messages are left out, by a rule of the receipt; `once` has the settings of a strategy that cuts each time, so
    /// that only its first cut is told.
    case cut(Int, rule: String, once: String?)
    /// So many thoughts do not go back to who made them.
    case thoughts(Int)
}

/// A window with what it was made for.
struct ModelWindow: Sendable {
    /// What was kept of the history; nil once it was dropped.
    private(set) var cut: Window?
    var request: ModelRequest
    /// The receipt as raw JSON.
    let receipt: [UInt8]
    /// How much there is to read of the new prompt, its overhead included; nil where there is none.
    var promptSize: ContentSize?
    /// Where the window begins from now on; nil where that stays, or is not kept.
    fileprivate(set) var anchor: Anchor?
    /// What was cut with it, where that is not as it was before, and thoughts that it leaves out.
    fileprivate(set) var news: [WindowNews] = []
    /// What somebody wanted made of it.
    fileprivate(set) var rendered: [UInt8] = []

    init(window: Window, request: ModelRequest, receipt: [UInt8]) {
        cut = window
        self.request = request
        self.receipt = receipt
    }

    var isWhole: Bool { cut != nil }

    /// Itself, unless there is nothing in it that a model could answer.
    @discardableResult
    func answerable() throws(WireError) -> ModelWindow {
        if request.messages.contains(where: { $0.role != .system }) { return self }
        throw WireError(
            .conflict,
            "there is nothing to answer: only the assistant or the system has spoken here, or nothing but blank text; send a prompt"
        )
    }

    /// Keeps what is said of it, and lets go of the words, which are needed no more.
    mutating func drop() {
        cut = nil
        request = request.withoutWords
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
    let configuration: CurrentConfiguration
    let clocks: Clocks
    let loop: EventLoop

    /// Makes the window for a candidate, or one error that says what does not fit.
    ///
    /// A short history is read and cut on the loop; a long one on the reader's thread, and there `render` makes of it what
    /// is wanted, if anything.
    func make(
        _ session: SessionRecord, _ question: WindowRequest, _ candidate: Candidate, _ making: WindowMaking,
        render: @escaping @Sendable (ModelWindow) -> [UInt8] = { _ in [] },
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
        _ plan: WindowPlan, _ making: WindowMaking, _ render: @escaping @Sendable (ModelWindow) -> [UInt8],
        _ then: @escaping (Result<ModelWindow, WireError>) -> Void
    ) {
        let stop = archives.readAway(
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
        making.stop = { [loop] in
            stop()
            loop.after(milliseconds: 0) { then(.failure(.cancelledUnstored)) }
        }
    }

    /// Makes the window for the first of a route that it fits: where what must be sent does not fit one, the next whose
    /// known length is larger is taken.
    ///
    /// Of several that hold too little the first one's error is told.
    func choose(
        _ session: SessionRecord, _ question: WindowRequest, _ candidates: [Candidate],
        _ making: WindowMaking,
        render: @escaping @Sendable (ModelWindow) -> [UInt8] = { _ in [] }, passed: [TooSmall] = [],
        refused: WireError? = nil, _ then: @escaping (Result<WindowChoice, WireError>) -> Void
    ) {
        guard let first = candidates.first else {
            return then(.failure(refused ?? .invalid("the route is empty")))
        }
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

    /// What a session's pins may have together when one is added, and what each costs of that; nil for a candidate means that
    /// nobody can be asked now.
    func pinTokens(of session: SessionRecord, for candidate: Candidate?) throws(WireError) -> (
        most: Int, weights: TokenWeights
    ) {
        guard let candidate else {
            let policy = try policy(session.session, TurnOptions())
            return (policy.pinTokens(of: policy.budget(contextLength: nil)), .unknown)
        }
        let plan = try plan(session, WindowRequest(options: TurnOptions()), candidate)
        let system = plan.weights.tokens(TokenEstimate.size(ofSystem: session.session.wholeSystem))
        return (min(plan.policy.pinTokens(of: plan.budget), max(0, plan.budget - system)), plan.weights)
    }

    private func plan(_ session: SessionRecord, _ question: WindowRequest, _ candidate: Candidate)
        throws(WireError) -> WindowPlan
    {
        let parameters = try modelParameters(question.options)
        var policy = try policy(session.session, question.options)
        let settings = policy.fingerprint
        if let most = parameters.maxTokens { policy.reserveTokens = most }
        let length = candidate.upstream.contextLength(of: candidate.model)
        if let length, policy.reserveTokens >= length, parameters.maxTokens == nil,
            policy.reserveTokens == configuration.window.reserveTokens
        {
            policy.reserveTokens = length / 4  // nobody chose it for so small a window
        }
        if let length, policy.reserveTokens >= length {
            throw WireError(
                .invalidParams,
                "\(policy.reserveTokens) tokens are reserved for the answer, but model '\(candidate.model.prefix(80))' holds \(length) in all; reserve less",
                details: [
                    "needed": Array(String(policy.reserveTokens).utf8), "budget": Array(String(length).utf8),
                ])
        }
        let rules = candidate.upstream.rules(for: candidate.model)
        let calibration = calibrations.of(candidate.upstream.name, candidate.model)
        let budget = min(policy.budget(contextLength: length), question.limit ?? Int.max)
        return WindowPlan(
            session: session, question: question, policy: policy, length: length,
            weights: calibration.applied(to: rules.weights), budget: budget, parameters: parameters,
            upstream: candidate.upstream.name,
            model: candidate.model, rules: rules,
            chosen: policy.chosen(cachesPrompts: candidate.upstream.promptCache != .none), settings: settings,
            now: clocks.now(), cacheLife: candidate.upstream.promptCache.life,
            cacheKey: cacheKeys.key(of: session.session))
    }

    /// The configuration's policy with what the session and the request change.
    func policy(_ session: Session, _ options: TurnOptions) throws(WireError) -> WindowPolicy {
        var policy = configuration.window
        for raw in [session.settings.window, options.window] {
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

/// All that a window is made of but the history; the rest is a pure function of both.
struct WindowPlan: Sendable {
    let session: SessionRecord
    let question: WindowRequest
    let policy: WindowPolicy
    /// The model's context length, nil where nobody knows it.
    let length: Int?
    /// What messages cost, as the provider is expected to count them.
    let weights: TokenWeights
    let budget: Int
    let parameters: ModelParameters
    let upstream: String
    let model: String
    let rules: DialectRules
    let chosen: WindowPolicy.Chosen
    /// What is set, as anchors know it.
    let settings: String
    /// Milliseconds since 1970.
    let now: Int64

    /// Milliseconds that the provider keeps the beginning of a request.
    let cacheLife: Int64
    /// What tells the provider which requests are of this session; nil for nothing.
    let cacheKey: String?

    /// Whose anchor counts; nobody's under a strategy that keeps none.
    var asker: AnchorKey? {
        chosen.name == .sawtooth ? AnchorKey(upstream: upstream, model: model, settings: settings) : nil
    }

    /// What must be read for it.
    var need: HistoryNeed {
        HistoryNeed(
            tokens: budget, weights: weights, turns: policy.maxTurns, messages: policy.maxMessages,
            hasPrompt: question.prompt != nil)
    }

    /// Whether it is likely that more must be read than the loop does in one call.
    ///
    /// What is taken for long and is not costs a way to the reader and back; what is taken for short and is not was read for
    /// nothing.
    var isLong: Bool {
        guard policy.maxTurns == nil, policy.maxMessages == nil else { return false }
        // A token is four or five bytes of a text, and each message has some more.
        return min(budget, session.session.tokens) > HistoryBound.loop.bytes / 6
    }

    /// Cuts a history, and makes of the window what is wanted.
    func rendered(_ stored: StoredHistory, _ render: (ModelWindow) -> [UInt8]) -> Result<
        ModelWindow, WireError
    > {
        Result { () throws(WireError) in
            var window = try window(of: stored)
            window.rendered = render(window)
            return window
        }
    }

    /// What bounds the budget.
    private var limit: WindowError.Limit {
        if let own = policy.maxTokens, own <= budget { return .policy }
        guard let length else { return .unknown(model: model) }
        return .model(model, length: length, reserved: policy.reserveTokens)
    }

    /// Cuts a history, and makes the request of what is kept.
    func window(of stored: StoredHistory) throws(WireError) -> ModelWindow {
        let promptSize = question.prompt.map { TokenEstimate.size(of: $0) }
        let (history, before) = history(stored, promptSize)
        let window: Window
        do throws(WindowError) {
            window = try Window.cut(
                history, system: question.options.system ?? session.session.wholeSystem, policy: policy,
                budget: budget,
                CutContext(
                    chosen, anchor: anchor(stored)?.seq,
                    isCold: now - session.session.updatedAt > cacheLife, weights: weights,
                    endsWithUser: rules.endsWithUser))
        } catch {
            throw WireError(
                .contextOverflow, error.sentence(limit),
                details: [
                    "needed": Array(String(error.needed).utf8), "budget": Array(String(error.budget).utf8),
                ])
        }
        var receipt = window.receipt
        let gated = window.gated(for: rules, tools: parameters.toolNames)
        receipt.mapped = gated.mapped
        var request = ModelRequest(
            model: model, system: gated.system, messages: gated.messages,
            parameters: parameters.named(by: gated.names), estimate: window.receipt.estimate,
            userMessageCount: history.count, previousUserText: before)
        request.size = window.size
        request.cacheKey = cacheKey
        request.names = gated.names
        request.hasMedia = gated.hasMedia
        let thoughts = request.thoughtCount
        if rules.replay == .chained { request = request.chained(gated.bindings) }
        receipt.thoughts = Receipt.Thoughts(
            sent: request.thoughtCount, leftOut: thoughts - request.thoughtCount)
        var writer = JSONWriter()
        receipt.write(to: &writer)
        var result = ModelWindow(window: window, request: request, receipt: writer.bytes)
        result.promptSize = promptSize
        result.anchor = moved(to: window.anchor, from: anchor(stored))
        // A sawtooth's cut is one when its place moves; `slide` cuts each time, and the first is told.
        let isCut = ![.fits, .anchor].contains(receipt.rule) && (asker == nil || result.anchor != nil)
        if isCut, receipt.leftOutCount > 0 {
            result.news.append(
                .cut(receipt.leftOutCount, rule: receipt.rule.rawValue, once: asker == nil ? settings : nil))
        }
        if thoughts > request.thoughtCount { result.news.append(.thoughts(thoughts - request.thoughtCount)) }
        return result
    }

    /// Where the last window began; one behind the place from which a turn goes on is of another branch.
    private func anchor(_ stored: StoredHistory) -> Anchor? {
        stored.anchor.flatMap { $0.seq <= session.session.messageCount ? $0 : nil }
    }

    /// What is to be kept of a cut; nil where nothing has changed.
    private func moved(to seq: Int?, from before: Anchor?) -> Anchor? {
        guard let seq, let asker, before?.seq != seq else { return nil }
        return Anchor(key: asker, seq: seq)
    }

    /// The history with the prompt behind it, and what the user said before.
    private func history(_ stored: StoredHistory, _ promptSize: ContentSize?) -> (History, String?) {
        var messages = stored.messages
        // A prompt that is stored already is not what was said before it.
        let isStored = question.prompt == nil && messages.last?.role == .user
        let before = (isStored ? messages.dropLast() : messages[...]).last {
            $0.role == .user && $0.isSendable
        }?.parts.first?.visibleText
        var count = session.session.messageCount, tokens = session.session.tokens
        if let parts = question.prompt, let content = question.content, let size = promptSize {
            count += 1
            tokens += size.tokens
            var prompt = Message(
                id: MessageID(high: 0, low: 0), seq: count, role: .user, createdAt: now, tokens: size.tokens,
                content: content)
            prompt.knownSize = size
            prompt.decoded = parts
            messages.append(prompt)
        }
        var history = History(
            messages: messages, olderPins: stored.olderPins, olderExcluded: stored.olderExcluded,
            count: count, tokens: tokens)
        history.unreadPinTokens = stored.unreadPinTokens
        return (history, before)
    }
}
