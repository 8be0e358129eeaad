internal import Archive
internal import ContextWindow
internal import Conversation
internal import JSON
internal import Protocol
internal import Upstream

extension MediaRules {
    /// What messages cost where these hold.
    func costs(_ weights: TokenWeights) -> MessageCosts {
        MessageCosts(weights) { size(of: $0, isNewest: $1) }
    }
}

/// What of a window people may want to know.
enum WindowNews: Sendable, Equatable {
    /// So many messages are left out, by a rule of the receipt; `once` has the settings of a strategy that cuts each time, so
    /// that only its first cut is told.
    case cut(Int, rule: Receipt.Rule, once: String?)
    /// So many thoughts do not go back to who made them; `isLost` says that they went with the last request, else that is told
    /// once for a reason and an upstream.
    case thoughts(Int, Receipt.Thoughts.Reason, isLost: Bool, upstream: String)
    /// So many thoughts were refused by who made them, and went out no more; 0 where only seals of calls were.
    case refused(Int)
}

/// A window with what it was made for.
struct ModelWindow: Sendable {
    /// What was kept of the history; nil once it was dropped.
    private(set) var cut: Window?
    var request: ModelRequest
    /// The receipt as raw JSON.
    private(set) var receipt: [UInt8]
    private var told: Receipt
    /// How much there is to read of the new prompt, its overhead included; nil where there is none.
    var promptSize: ContentSize?
    /// Where the window begins from now on; nil where that stays, or is not kept.
    fileprivate(set) var anchor: Anchor?
    /// What was cut with it, where that is not as it was before, and thoughts that it leaves out.
    fileprivate(set) var news: [WindowNews] = []
    /// What should be summarized behind this turn; nil for nothing.
    fileprivate(set) var outlook: SummaryOutlook?
    /// What messages cost of its budget.
    fileprivate(set) var weights = TokenWeights.unknown
    /// The name of the upstream that it was made for.
    fileprivate(set) var upstream = ""
    /// The media that its upstream was known to take when it was made.
    fileprivate(set) var media = MediaRules.openAI
    /// Whose thoughts its upstream was known to take back then; nil for nobody's.
    fileprivate(set) var thoughtIssuer: String?
    /// What somebody wanted made of it.
    fileprivate(set) var rendered: [UInt8] = []

    init(window: Window, request: ModelRequest, receipt: Receipt) {
        cut = window
        self.request = request
        told = receipt
        self.receipt = receipt.encoded
    }

    /// Takes the same request without thoughts, after its provider refused one.
    mutating func lose(thoughtsTo request: ModelRequest) {
        let before = self.request
        self.request = request
        // What does not go teaches nothing, and counts for nothing.
        if let cut {
            self.request.size = cut.size
            self.request.size[.thought] = 0
            told.estimate -= max(0, weights.tokens(before.size) - weights.tokens(self.request.size))
            self.request.estimate = told.estimate
        }
        told.thoughts = told.thoughts?.refused
        if before.parameters.thinking != nil, request.parameters.thinking == nil {
            told.disableThinking()
        }
        receipt = told.encoded
    }

    /// Makes it one for another provider than it was cut for, by what that demands: nobody's thoughts go, and none of the
    /// answer's are bound.
    mutating func become(for rules: DialectRules) {
        guard let cut else { return }
        let known = request.names.originalsBySent
        let tools = Set(request.parameters.toolNames.map { known[$0] ?? $0 })
        let gated = cut.gated(for: rules, tools: tools)
        request.messages = gated.messages
        request.system = gated.system
        request.names = gated.names
        request.binding = nil
        told.mapped = gated.mapped
        told.thoughts = Receipt.Thoughts(sent: 0, foreign: gated.unsent.count, changed: 0)
        receipt = told.encoded
    }

    var isWhole: Bool { cut != nil }
    /// Where its newest messages begin; nil where it has none.
    var begin: Int? { told.sent?.lowerBound }
    /// What becomes of its thoughts.
    var thoughts: Receipt.Thoughts? { told.thoughts }
    /// Tokens that it may have.
    var budget: Int { told.budget }
    /// Tokens that it keeps for the answer.
    var reserved: Int { told.policy.reserveTokens }

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

/// All that a window is made of but the history; the rest is a pure function of both.
struct WindowPlan: Sendable {
    let session: SessionRecord
    let question: WindowRequest
    let policy: WindowPolicy
    /// The model's context length, nil where nobody knows it.
    let length: Int?
    /// What messages cost, as the provider is expected to count them.
    let weights: TokenWeights
    var budget: Int
    /// Bytes that the provider was found to take in one request; nil where nobody knows.
    let mostBytes: Int?
    /// The budget where less is tried, so that a window has no more bytes than that.
    var wholeBudget: Int?
    let parameters: ModelParameters
    let upstream: String
    let model: String
    let rules: DialectRules
    let chosen: WindowPolicy.Chosen
    /// What is set, as anchors know it.
    let settings: String
    /// Tokens that the provider counts for one estimated of plain text; nil where nothing was learned.
    let ratio: Double?
    /// Milliseconds since 1970.
    let now: Int64
    /// When this model was asked last for the session, by what this daemon remembers; nil where it does not.
    let asked: Int64?
    /// Where the newest messages of that request began, and what became of their thoughts.
    let lastBegin: Int?
    let lastThoughts: Receipt.Thoughts?
    /// Milliseconds that the provider keeps the beginning of a request.
    let cacheLife: Int64
    /// What tells the provider which requests are of this session; nil for nothing.
    let cacheKey: String?

    /// Whose anchor counts; nobody's under a strategy that keeps none.
    var asker: AnchorKey? {
        chosen.keepsAnchor ? AnchorKey(upstream: upstream, model: model, settings: settings) : nil
    }

    /// By what rules images, sounds and documents are written; nil for as they are stored.
    private var media: MediaRules? {
        switch question.media {
        case .asAsked: rules.media
        case .whole: nil
        case .by(let other, let asked): asked.contains(upstream) ? rules.media : other
        }
    }

    /// Whether anybody looks at what the messages say: who asks for them as they are stored makes no request of them, and all
    /// else that is told of it hangs on what they are.
    private var needsWords: Bool {
        guard case .whole = question.media else { return true }
        return mostBytes != nil || rules.replay == .chained
    }

    /// What must be read for it.
    var need: HistoryNeed {
        HistoryNeed(
            tokens: budget,
            costs: media?.costs(weights.counting(thoughts: false))
                ?? MessageCosts(weights.counting(thoughts: false)),
            turns: policy.maxTurns,
            messages: policy.maxMessages,
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
    func rendered(_ stored: StoredHistory, _ render: (inout ModelWindow) -> [UInt8]) -> Result<
        ModelWindow, WireError
    > {
        Result { () throws(WireError) in
            var window = try window(of: stored)
            window.rendered = render(&window)
            return window
        }
    }

    /// What the request has beside its messages: tools, and the form that the answer must have.
    private var demands: ContentSize {
        [parameters.tools, parameters.toolChoice, parameters.schema].compactMap(\.self).reduce(ContentSize())
        {
            $0 + TokenEstimate.size(ofDemand: $1)
        }
    }

    /// What bounds the budget.
    private var limit: WindowError.Limit {
        if let own = policy.maxTokens, own <= budget { return .policy }
        guard let length else { return .unknown(model: model) }
        return .model(model, length: length, reserved: policy.reserveTokens)
    }

    /// Cuts a history; `thoughts` are the tokens of those that go with the window before, where they are known to be too many.
    private func cut(_ history: History, _ stored: StoredHistory, thoughts: Int = 0) throws(WireError)
        -> Window
    {
        do throws(WindowError) {
            var context = CutContext(
                chosen, anchor: anchor(stored)?.seq,
                isCold: now - (asked ?? session.session.updatedAt) > cacheLife, weights: weights,
                endsWithUser: rules.endsWithUser, startsWithUser: rules.startsWithUser)
            context.thoughts = thoughts
            context.loopBegin = lastBegin
            return try Window.cut(
                history, system: question.options.system ?? session.session.wholeSystem, policy: policy,
                budget: budget, demands: demands, context)
        } catch {
            throw WireError(
                .contextOverflow, error.sentence(limit),
                details: [
                    "needed": Array(String(error.needed).utf8), "budget": Array(String(error.budget).utf8),
                ])
        }
    }

    /// A window as its provider is asked for it, with the thoughts that it takes back.
    private struct Draft {
        let window: Window
        var request: ModelRequest
        /// Whose thoughts do not go, and what was made otherwise.
        let gated: Gated
        /// Thoughts that are bound to something else.
        let leftOut: Int

        /// Makes the request of a window.
        init(_ window: Window, _ plan: WindowPlan, userMessageCount: Int, previousUserText: String?) {
            self.window = window
            gated = window.gated(
                for: plan.rules, tools: plan.parameters.toolNames, reading: plan.needsWords)
            request = ModelRequest(
                model: plan.model, system: gated.system, messages: gated.messages,
                parameters: plan.parameters.named(by: gated.names), estimate: window.receipt.estimate,
                userMessageCount: userMessageCount, previousUserText: previousUserText)
            request.size = window.size
            guard plan.rules.replay == .chained else {
                leftOut = 0
                return
            }
            let all = request.thoughtCount
            request = request.chained(gated.bindings, refused: plan.rules.refusesThoughtlessLoops)
            leftOut = all - request.thoughtCount
        }
    }

    /// Cuts a history, and makes the request of what is kept.
    func window(of stored: StoredHistory) throws(WireError) -> ModelWindow {
        let whole = try made(of: stored)
        // Its body is a little more than what is said in it.
        guard let room = mostBytes.map({ $0 / 16 * 15 }), whole.request.contentBytes > room else {
            return whole
        }
        // As much as the bytes let in: more tokens are more bytes, though not in proportion.
        var plan = self, best: ModelWindow?, least = whole, low = 0, high = whole.request.estimate
        plan.wholeBudget = budget
        for _ in 0..<WindowPlan.mostFittings where high - low > max(8, high / 128) {
            plan.budget = (low + high) / 2
            do throws(WireError) {
                let window = try plan.made(of: stored)
                if window.request.contentBytes < least.request.contentBytes { least = window }
                if window.request.contentBytes <= room {
                    (best, low) = (window, plan.budget)
                } else {
                    high = plan.budget
                }
            } catch { low = plan.budget }  // what must go needs more
        }
        // What must go may have too many bytes by itself, and then the provider says so.
        return best ?? least
    }

    /// Windows that are tried at most to find the one with as many bytes as may be.
    private static let mostFittings = 12

    private func made(of stored: StoredHistory) throws(WireError) -> ModelWindow {
        let prompt = question.prompt.map { PromptSize($0, media) }
        let (history, before) = history(stored, prompt)
        func drafted(thoughts: Int = 0) throws(WireError) -> Draft {
            Draft(
                try cut(history, stored, thoughts: thoughts), self, userMessageCount: history.count,
                previousUserText: before)
        }
        var draft = try drafted()
        if rules.replay == .chained, chosen.keepsAnchor {
            let thoughts = draft.request.thoughtTokens(weights)
            if thoughts > budget - draft.window.receipt.estimate { draft = try drafted(thoughts: thoughts) }
        }
        let window = draft.window, gated = draft.gated, leftOut = draft.leftOut
        var receipt = window.receipt, request = draft.request
        receipt.mapped = gated.mapped
        receipt.ratio = ratio
        if question.isNewestOnly {
            // Nobody says how much there may be: what goes is all of it.
            if receipt.rule == .maxTurns { receipt.rule = .overflow }
            receipt.budget = receipt.estimate
        } else if question.isRefused, receipt.rule == .maxTokens {
            receipt.rule = .overflow
        }
        if let wholeBudget {
            receipt.budget = wholeBudget
            if receipt.rule == .maxTokens { receipt.rule = .maxBytes }
        }
        let thoughts = request.thoughtCount
        var unfit = 0
        if rules.replay == .chained {
            // What `slide` cuts hangs on what is said alone: a cut that thoughts made would cost all of them.
            let fitted = request.keepingThoughts(
                in: budget - receipt.estimate, share: chosen.keepsAnchor ? 0.5 : 1, weights)
            (request, unfit) = (fitted.request, fitted.leftOut)
            receipt.estimate += weights.tokens(fitted.size)
            request.estimate = receipt.estimate
            request.size += fitted.size
        }
        if let length {
            // An estimate is a little off; where that is too little the server says by how much.
            let estimate = receipt.estimate
            request.answerRoom = max(policy.reserveTokens / 2, length - estimate - estimate / 50 - 64)
        }
        // What was refused does not come back as room for the answer.
        if let most = question.mostAnswer { request.answerRoom = min(request.answerRoom ?? most, most) }
        request.cacheKey = cacheKey
        request.names = gated.names
        request.hasMedia = gated.hasMedia
        // The provider's own that it never takes back are nothing to it.
        let foreign = gated.unsent.count { !rules.isOwn($0) }
        let isDisabled = parameters.thinking != nil && request.parameters.thinking == nil
        receipt.thoughts = Receipt.Thoughts(
            sent: thoughts - unfit, foreign: foreign, changed: leftOut, full: unfit)
        if isDisabled { receipt.disableThinking() }
        var result = ModelWindow(window: window, request: request, receipt: receipt)
        result.promptSize = prompt?.sent
        result.upstream = upstream
        result.media = rules.media
        result.thoughtIssuer = rules.thoughtIssuer
        result.outlook = window.outlook
        result.outlook?.used = receipt.estimate
        result.weights = weights
        // What is left out for once, since nobody says what would fit, moves no cut.
        if !question.isNewestOnly, !question.isGuess {
            result.anchor = moved(to: window, from: anchor(stored))
        }
        // A sawtooth's cut is one when its place moves; `slide` cuts each time, and the first is told.
        let isCut =
            ![.fits, .anchor].contains(receipt.rule)
            && (asker == nil || result.anchor != nil || question.isRefused)
        if isCut, receipt.leftOutCount > 0 {
            result.news.append(
                .cut(
                    receipt.leftOutCount, rule: receipt.rule,
                    once: asker == nil && !question.isRefused ? settings : nil))
        }
        if let thoughts = receipt.thoughts, thoughts.leftOut > 0, let reason = thoughts.reason {
            // What was taken back is not lost, and `slide` loses some with each cut.
            let more = thoughts.leftOut - (lastThoughts?.leftOut ?? 0)
            let isLost = asker != nil && more > 0 && (lastThoughts?.sent ?? 0) > thoughts.sent
            let count = isLost ? more : thoughts.leftOut
            result.news.append(.thoughts(count, reason, isLost: isLost, upstream: upstream))
        }
        return result
    }

    /// Where the last window began; one behind the place from which a turn goes on is of another branch.
    private func anchor(_ stored: StoredHistory) -> Anchor? {
        stored.anchor.flatMap { $0.seq <= session.session.messageCount ? $0 : nil }
    }

    /// What is to be kept of a cut; nil where nothing has changed.
    private func moved(to window: Window, from before: Anchor?) -> Anchor? {
        guard let seq = window.anchor, let asker, before?.seq != seq else { return nil }
        return Anchor(key: asker, seq: seq, summary: window.receipt.summary?.id)
    }

    /// How much there is to read of a prompt, as it will be stored and as it goes.
    private struct PromptSize {
        let stored: ContentSize
        let sent: ContentSize

        init(_ parts: [Part], _ media: MediaRules?) {
            stored = TokenEstimate.size(of: parts)
            sent = media?.size(ofPrompt: parts, stored: stored) ?? stored
        }
    }

    /// The history with the prompt behind it, and what the user said before.
    private func history(_ stored: StoredHistory, _ size: PromptSize?) -> (History, String?) {
        var messages = stored.messages
        // A prompt that is stored already is not what was said before it.
        let isStored = question.prompt == nil && messages.last?.role == .user
        let before = (isStored ? messages.dropLast() : messages[...]).last {
            $0.role == .user && $0.isSendable
        }?.parts.first?.visibleText
        var count = session.session.messageCount, tokens = session.session.tokens
        if let parts = question.prompt, let content = question.content, let size {
            count += 1
            tokens += size.stored.tokens
            var prompt = Message(
                id: MessageID(high: 0, low: 0), seq: count, role: .user, createdAt: now,
                tokens: size.stored.tokens,
                content: content)
            prompt.knownSize = size.sent
            prompt.decoded = parts
            messages.append(prompt)
        }
        var history = History(
            messages: messages, olderPins: stored.olderPins, olderExcluded: stored.olderExcluded,
            count: count, tokens: tokens)
        history.unreadPinTokens = stored.unreadPinTokens
        history.summaries = stored.summaries
        return (history, before)
    }
}
