internal import Archive
internal import ContextWindow
internal import Conversation
internal import EventLoop
internal import JSON
internal import Protocol
internal import Upstream

/// The windows of one turn: one for each upstream of its route that is asked, and what their answers tell of them.
final class RouteWindows: RouteRequests {
    /// How often a window is made smaller at most (design section 4).
    private static let mostTrims = 2

    /// The session as it was when the prompt was stored, with the prompt at its head.
    var session: SessionRecord
    private let maker: WindowMaker
    private let calibrations: Calibrations
    private let configuration: CurrentConfiguration
    private let log: Log
    private var question: WindowRequest
    private let candidates: [Candidate]
    private var windows: [String: ModelWindow] = [:]
    /// Where the window begins by what was stored with the prompt.
    private let stored: Anchor?
    /// The window that is being made.
    private var making: WindowMaking?
    private var trims: [String: Int] = [:]
    /// What a refusal that names the count taught of our estimate.
    private var taught: Learned?
    /// Those that were asked to count, and what their windows may have since they did.
    private var counted: Set<String> = []
    private var limits: [String: Int] = [:]
    /// Upstreams that refused thoughts in this turn, and are sent none.
    private var thoughtless: Set<String> = []
    /// Upstreams that refused a request with media of the history in this turn, and the messages of which they are sent none.
    private var mediaRefused: [String: Set<MessageID>] = [:]
    /// Called with what people may want to know of windows that are made after the turn began.
    var heard: (([WindowNews]) -> Void)?
    /// Called when the answer has begun, and what was asked is no more in memory.
    var answering: (() -> Void)?
    /// Upstreams of whose windows they know.
    private var told: Set<String> = []
    /// Who was passed over, since what must be sent does not fit there.
    private var passed: [TooSmall]
    /// What was too long for an upstream, by its name.
    private var overflows: [String: RouteOverflow] = [:]
    /// Upstreams that refused so many bytes, and how many they said they take.
    private var refusedBytes: [String: (bytes: Int, most: Int?)] = [:]
    /// Whether who answered read less than it was sent, and did not say so.
    private var cutSilently = false

    init(
        _ session: SessionRecord, _ question: WindowRequest, _ choice: WindowChoice, _ maker: WindowMaker,
        _ log: Log
    ) {
        self.session = session
        self.question = question
        self.maker = maker
        calibrations = maker.calibrations
        configuration = maker.configuration
        self.log = log
        candidates = choice.candidates
        passed = choice.passed
        stored = choice.window.anchor
        if let first = choice.candidates.first {
            windows[first.upstream.name] = choice.window
            told.insert(first.upstream.name)
        }
    }

    var owner: UserID { session.session.owner }

    /// The prompt is in the archive, and read from there from now on.
    func dropPrompt() {
        question.prompt = nil
        question.content = nil
    }

    /// The answer has begun: a window is made anew for another try.
    func dropWords() {
        for name in windows.keys { windows[name]?.drop() }
        answering?()
    }

    /// About the tokens that an upstream is or would be sent.
    func estimate(for upstream: String) -> Int {
        windows[upstream]?.request.estimate ?? windows.values.first?.request.estimate ?? 0
    }

    /// Tokens that an upstream may be sent; nil where it has no window.
    func budget(for upstream: String) -> Int? { windows[upstream]?.budget }

    /// Makes the request for an upstream.
    func request(for candidate: Candidate, _ then: @escaping (RouteRequest) -> Void) {
        let name = candidate.upstream.name
        // What a refusal taught of images, sounds and thoughts is for the window too, and for its receipt.
        let rules = maker.rules(for: candidate, of: session.row, mediaRefused: mediaRefused[name] ?? [])
        if let known = windows[name], known.isWhole, known.media == rules.media,
            known.thoughtIssuer == rules.thoughtIssuer
        {
            return count(known, for: candidate, then)
        }
        // Another upstream may hold less, and has rules of its own.
        let overflow = overflows[name], making = WindowMaking()
        self.making = making
        let limit = [overflow?.limit, limits[name]].compactMap(\.self).min()
        var wanted = WindowRequest(
            options: question.options, limit: limit, isNewestOnly: overflow?.isNewestOnly ?? false,
            mediaRefused: mediaRefused[name] ?? [])
        wanted.isRefused = overflow != nil
        wanted.isGuess = overflow?.isGuess ?? false
        wanted.mostAnswer = overflow?.mostAnswer
        maker.make(session, wanted, candidate, making) { [weak self] result in
            guard let self, self.making === making else { return }
            self.making = nil
            do throws(WireError) {
                var window = try result.get().answerable()
                if thoughtless.contains(name) { window.lose(thoughtsTo: window.request.thoughtless) }
                windows[name] = window
                // What was told of one that was refused is not what went.
                if told.insert(name).inserted || wanted.isRefused, !window.news.isEmpty {
                    heard?(window.news)
                }
                count(window, for: candidate, then)
            } catch {
                if error.isTooSmall, let overflow, overflow.isGuess, !overflow.isNewestOnly {
                    // What must go needs more than was guessed.
                    overflows[name]?.limit = nil
                    return request(for: candidate, then)
                }
                then(problem(error, overflow?.failure).map { .unfit($0) } ?? .failed(error))
            }
        }
    }

    /// What went through where more was refused is what is taken there, unless it was said.
    private func learnBytes(_ sent: Int, _ candidate: Candidate) {
        guard let refused = refusedBytes.removeValue(forKey: candidate.upstream.name) else { return }
        candidate.upstream.learned(bytes: refused.most ?? (sent + refused.bytes) / 2)
    }

    /// Near the limit a provider that can count is asked before, while little is known of how it counts; what is too much by
    /// its word is made anew, once (design-2 section 2).
    private func count(
        _ window: ModelWindow, for candidate: Candidate, _ then: @escaping (RouteRequest) -> Void
    ) {
        let name = candidate.upstream.name
        var request = window.request
        request.previousResponse =
            maker.lastRequests.last(of: session.row, name, candidate.model)?.responseID
        guard let budget = window.cut?.receipt.budget, candidate.upstream.countsTokens(of: candidate.model),
            Double(request.estimate) >= RouteWindows.nearLimit * Double(budget),
            calibrations.of(name, candidate.model).samples < RouteWindows.enoughSamples,
            counted.insert(name).inserted
        else { return then(.request(request)) }
        let counting = WindowMaking()
        making = counting
        let timer = maker.loop.after(milliseconds: RouteWindows.countPatience) { [weak self] in
            guard let self, making === counting else { return }
            making = nil
            then(.request(request))
        }
        candidate.upstream.countTokens(request) { [weak self] result in
            guard let self, making === counting else { return }
            maker.loop.cancel(timer)
            making = nil
            guard case .success(let found?) = result else { return then(.request(request)) }
            if !request.hasMedia { taught = learn(found, request, candidate) ?? taught }
            guard found > budget else { return then(.request(request)) }
            limits[name] = request.hasMedia ? request.estimate * budget / found : nil
            windows[name] = nil
            self.request(for: candidate, then)
        }
    }

    /// The share of the budget from which, the answers below which, and the milliseconds that a count is worth.
    private static let nearLimit = 0.95, enoughSamples = 5, countPatience = 2_000

    private func problem(_ error: WireError, _ said: UpstreamFailure?) -> RouteProblem? {
        if error.kind == .conflict {
            return RouteProblem(failure: UpstreamFailure(.refused, error.message, isRetryable: false))
        }
        guard error.isTooSmall else { return nil }
        // What must be sent does not fit; the provider's own words say it best.
        return RouteProblem(
            failure: said ?? UpstreamFailure(.overflow, error.message, isRetryable: false),
            needed: error.number("needed"), budget: error.number("budget"))
    }

    /// Nobody needs the window that is being made.
    func cancel() {
        making?.cancel()
        making = nil
    }

    // MARK: What does not fit

    /// An upstream is passed over, since what must be sent does not fit it.
    func passOver(_ candidate: Candidate, _ failure: UpstreamFailure, _ problem: RouteProblem?) {
        passed.append(
            TooSmall(
                upstream: candidate.upstream.name, model: candidate.model,
                needed: problem?.needed ?? failure.overflow?.counted,
                budget: problem?.budget ?? failure.overflow?.limit))
    }

    /// Who may hold what does not fit the present upstream: those that were asked with it, or are known to be larger; where it
    /// has too many bytes, which nothing is known of, anybody.
    func larger(than now: Candidate?, after failure: UpstreamFailure) -> [String] {
        if failure.overflow?.isBytes ?? false { return candidates.map(\.upstream.name) }
        return candidates.filter { holdsMore($0, than: now) }.map(\.upstream.name)
    }

    private func holdsMore(_ other: Candidate, than now: Candidate?) -> Bool {
        if windows[other.upstream.name] != nil { return true }
        guard let now else { return false }
        let length =
            now.upstream.contextLength(of: now.model) ?? windows[now.upstream.name]?.request.estimate
            ?? WindowPolicy.unknownModelTokens
        // Where nobody knows, it may.
        return other.upstream.contextLength(of: other.model).map { $0 > length } ?? true
    }

    /// Makes a smaller window after a provider said that the context is too long; false when that is of no use.
    func trim(for candidate: Candidate, after failure: UpstreamFailure, bytes: Int?) -> Bool {
        let name = candidate.upstream.name
        if let refused = windows[name], let request = refused.request.withoutThoughts(after: failure) {
            unbind(refused)
            heard?([.refused(refused.request.thoughtCount)])
            thoughtless.insert(name)
            windows[name]?.lose(thoughtsTo: request)
            return true
        }
        if let messages = media(behind: failure, name) {
            mediaRefused[name] = messages
            windows[name] = nil
            return true
        }
        let trimmed = trims[name] ?? 0
        guard let before = windows[name], trimmed < RouteWindows.mostTrims else { return false }
        if let said = failure.overflow, said.isBytes, let bytes {
            refusedBytes[name] = (bytes, said.mostBytes)
        }
        if let said = failure.overflow, let counted = said.counted, !said.isLowerBound, !said.isOfMinute,
            !before.request.hasMedia
        {
            taught = learn(counted, before.request, candidate) ?? taught
        }
        // The window that is made next is estimated with what this has taught.
        let weights = calibrations.of(name, candidate.model).applied(
            to: candidate.upstream.rules(for: candidate.model).weights)
        let cap = candidate.upstream.answerCap(before.request.parameters, of: candidate.model)
        let answer = cap?.tokens(in: before.request.answerRoom) ?? before.request.parameters.maxTokens
        let mayShrink = cap?.source != .needed, least = cap?.needed ?? 0
        guard
            let change = OverflowTrim.change(
                after: failure, estimate: weights.tokens(before.request.size),
                length: candidate.upstream.contextLength(of: candidate.model),
                answer: answer, mayShrink: mayShrink, least: least, trims: trimmed, bytes: bytes)
        else { return false }
        trims[name] = trimmed + 1
        switch change {
        case .answer(let tokens): windows[name]?.request.parameters.maxTokens = tokens
        case .window(let tokens):  // it is made anew for the next try
            overflows[name] = RouteOverflow(
                limit: tokens,
                mostAnswer: mayShrink
                    ? answer.map { OverflowTrim.mostAnswer($0, of: failure.overflow?.limit, least: least) }
                    : nil, failure: failure, refused: before.request.estimate)
            windows[name] = nil
        case .few(let tokens):
            overflows[name] = RouteOverflow(
                limit: tokens, isGuess: true,
                mostAnswer: mayShrink ? answer.map { min($0, max(least, OverflowTrim.few)) } : nil,
                failure: failure, refused: before.request.estimate)
            windows[name] = nil
        case .newest:
            overflows[name] = RouteOverflow(failure: failure, refused: before.request.estimate)
            windows[name] = nil
        }
        return true
    }

    /// The messages of the history with media where a refusal that nobody can explain may be about those, as of an image that is
    /// damaged, or that this server does not take: then it is asked once more with texts in their place.
    ///
    /// Nil where nothing is to be tried. What the user's newest message has, or came behind it, is asked about: without it that would
    /// be another question.
    private func media(behind failure: UpstreamFailure, _ name: String) -> Set<MessageID>? {
        guard failure.kind == .refused, failure.parameter == nil, failure.mostTokens == nil,
            failure.overflow == nil, !failure.retriesAtOnce, let status = failure.status,
            [400, 413, 415, 422].contains(status), mediaRefused[name] == nil,
            let window = windows[name], let messages = window.cut?.messages
        else { return nil }
        let newest = messages.last { $0.role == .user }?.seq ?? 0
        let found = messages.filter { message in
            // What did not go cannot be what was refused.
            !window.media.refused.contains(message.id)
                && message.parts.contains { part in
                    if case .toolResult(let result) = part { return result.parts.contains(where: \.isNoText) }
                    return part.isNoText
                }
        }
        guard let last = found.last, last.seq < newest else { return nil }
        return Set(found.map(\.id))
    }

    /// A provider refused thoughts: those that it was sent go back no more, with this turn or another (design-2 section 2).
    private func unbind(_ window: ModelWindow) {
        let sent = Set(window.request.messages.lazy.flatMap(\.parts).compactMap(\.anySeal))
        let dead = (window.cut?.messages ?? []).filter { message in
            message.parts.contains { $0.anySeal.map(sent.contains) ?? false }
        }
        if dead.isEmpty { return }
        maker.archives.write(UnbindThoughts(of: dead.map(\.id)), of: session.row) { [log] result in
            guard case .failure(let error) = result else { return }
            log.warning("thoughts_not_unbound", ("reason", error.description))
        }
    }

    // MARK: What the answer tells

    /// The receipt with the provider's own count, and whether it read less than it was sent (wire.md C5); remembers what went
    /// out, for the next one's.
    ///
    /// `cost` is in millionths of a dollar; nil where nobody knows.
    func receipt(
        for candidate: Candidate?, upstream name: String, _ usage: Usage?, cost: Int?,
        _ trace: RouteCall.Trace?
    ) -> [UInt8]? {
        guard let window = windows[name] else {
            return windows.first.map { TooSmall.add(passed, for: $0.key, to: $0.value.receipt) }
        }
        let receipt = TooSmall.add(passed, for: name, to: window.receipt)
        guard let candidate else { return receipt }
        let counted = usage?.inputTokens
        let last = maker.lastRequests.last(of: session.row, name, candidate.model)?.counted
        let isCut =
            counted.map {
                candidate.upstream.cutSilently(
                    counted: $0, expected: window.request.estimate, of: window.request, behind: last)
            } ?? false
        cutSilently = isCut
        let shared = trace.flatMap {
            let sent = LastRequests.Sent(
                at: maker.clocks.now(), print: $0.print, responseID: $0.responseID, begin: window.begin,
                thoughts: window.thoughts,
                counted: counted.map {
                    CountedRequest(window.request, counted: $0, isCut: isCut, behind: last)
                })
            return maker.lastRequests.take(sent, of: session.row, name, candidate.model)
        }
        if isCut, let counted {
            log.warning(
                "context_cut_by_server", ("session", session.session.id.text), ("upstream", name),
                ("counted", "\(counted)"),
                ("estimate", "\(window.request.estimate)"))
        }
        let more = JSONWriter.object {
            $0.optional("counted", counted)
            if let cost {
                $0.key("cost")
                $0.double(Double(cost) / 1_000_000)
            }
            if isCut { $0.member("cutByServer", true) }
            let unsent = candidate.upstream.unsent(window.request.parameters, of: candidate.model)
            if !unsent.isEmpty {
                $0.key("unsentParameters"); $0.array { for name in unsent { $0.string(name) } }
            }
            $0.optional("bytes", trace?.print.bytes)
            $0.optional("prefixBytesShared", shared)
            if usage?.cachedTokens != nil || usage?.writtenTokens != nil || trace?.cacheMiss != nil {
                $0.member("cache") {
                    $0.optional("read", usage?.cachedTokens)
                    $0.optional("written", usage?.writtenTokens)
                    $0.optional("missReason", trace?.cacheMiss)
                }
            }
            if let done = trace?.transformations, !done.isEmpty {
                $0.key("transformations")
                $0.array {
                    for one in done {
                        $0.object {
                            $0.member("type", one.type)
                            $0.member("reason", one.reason)
                            $0.member("count", one.count)
                        }
                    }
                }
            }
        }
        return more.count == 2 ? receipt : receipt.dropLast() + [0x2C] + more.dropFirst()
    }

    /// That an answer of some tokens stopped since the whole context was full, and not at a limit of its own; nil where
    /// it did not, or nobody can tell.
    func fullness(_ ending: Turn.Ending, by upstream: String, _ tokens: Int) -> String? {
        guard ending.stopReason == .maxTokens, !ending.isCached, let input = ending.usage?.inputTokens,
            let candidate = candidates.first(where: { $0.upstream.name == upstream }),
            // Gemini's length is that of the prompt alone.
            candidate.upstream.kind != "gemini",
            let length = candidate.upstream.contextLength(of: candidate.model),
            input + (ending.usage?.outputTokens ?? tokens) + RouteWindows.countedOtherwise >= length
        else { return nil }
        return "the context of \(length) tokens is full: the prompt takes \(input) of them"
    }

    /// Tokens by which servers count otherwise at the end of a context.
    private static let countedOtherwise = 16

    /// What the provider's count teaches about our estimate; one that read less than it was sent, as the receipt found, teaches
    /// nothing.
    ///
    /// `bytes` are those of the request.
    func learned(from candidate: Candidate?, _ ending: Turn.Ending, bytes: Int?) -> Learned? {
        learnLength(from: candidate, ending)
        if let bytes, let candidate, ending.state == .complete, !ending.isCached {
            learnBytes(bytes, candidate)
            if let messages = mediaRefused[candidate.upstream.name] {
                maker.lastRequests.noteMediaRefused(
                    messages, of: session.row, candidate.upstream.name, candidate.model)
            }
        }
        guard !ending.isCached, let counted = ending.usage?.inputTokens, let candidate,
            let request = windows[candidate.upstream.name]?.request, !request.hasMedia, !cutSilently
        else { return taught }
        return learn(counted, request, candidate) ?? taught
    }

    /// Where nobody said by how much a request was too long, what was tried then and went through is taken for what the server
    /// holds.
    private func learnLength(from candidate: Candidate?, _ ending: Turn.Ending) {
        guard let candidate, let overflow = overflows[candidate.upstream.name], let held = overflow.held,
            ending.state == .complete, let window = windows[candidate.upstream.name]
        else { return }
        // A server of a large model that finds so little too long means something else.
        if let length = candidate.upstream.contextLength(of: candidate.model),
            overflow.refused < min(length / 16, RouteWindows.leastLearned)
        {
            return
        }
        // It holds what went through, at the least, with as long an answer as it was asked for.
        let kept = candidate.upstream.answerCap(window.request.parameters, of: candidate.model)
            .map { min(window.reserved, $0.tokens(in: window.request.answerRoom)) }
        candidate.upstream.learned(
            length: max(held, window.request.estimate) + (kept ?? window.reserved), of: candidate.model)
    }

    /// Tokens of a request that says something of a model's length where nobody named that.
    private static let leastLearned = 2_048

    private func learn(_ counted: Int, _ request: ModelRequest, _ candidate: Candidate) -> Learned? {
        calibrations.learn(
            candidate.upstream.name, candidate.model, counted: counted, request.size,
            candidate.upstream.rules(for: candidate.model).weights)
    }

    /// What the thoughts of an upstream's answer are bound to.
    func binding(of upstream: String) -> Message.Binding? { windows[upstream]?.request.binding }

    /// Where the windows of who answered begin from now on, where another than the first was asked, or that one with less;
    /// nil where that stays.
    func anchor(of upstream: String) -> Anchor? {
        windows[upstream]?.anchor.flatMap { $0 == stored ? nil : $0 }
    }

    /// Up to where a summary should reach once an answer of this size is there, and where the window began; nil for none.
    func toSummarize(of upstream: String, answer: ContentSize) -> (target: Int, begin: Int)? {
        guard let window = windows[upstream], let outlook = window.outlook else { return nil }
        return outlook.target(answer: window.weights.tokens(answer)).map { ($0, outlook.begin) }
    }

    /// What a turn used: the provider's count, or the estimate where it gave none; nil where nobody answered and nothing failed.
    ///
    /// A request that went out and was cancelled is paid for as one that was answered.
    func used(by upstream: String, _ ending: Turn.Ending, _ tokens: Int, first: Int?, isSent: Bool)
        -> TurnUsage?
    {
        if ending.isCached { return nil }
        let isCut = ending.state == .cancelled || ending.state == .interrupted
        let isAnswered = ending.usage != nil || tokens > 0 || isCut && isSent
        guard isAnswered || ending.state == .failed else { return nil }
        let input = isAnswered ? ending.usage?.inputTokens ?? windows[upstream]?.request.estimate ?? 0 : 0
        let candidate = candidates.first { $0.upstream.name == upstream }
        var used = TurnUsage(
            ending.usage, owner: session.session.owner, input: input, output: tokens, candidate: candidate)
        used.hasFailed = ending.state == .failed
        used.firstMs = first
        return used
    }
}
