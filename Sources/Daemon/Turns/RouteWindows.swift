internal import Archive
internal import ContextWindow
internal import Conversation
internal import JSON
internal import Protocol
internal import Upstream

/// The windows of one turn: one for each upstream of its route that is asked, and what their answers tell of them.
final class RouteWindows {
    /// How often a window is made smaller at most (design section 4).
    private static let mostTrims = 2

    /// The session as it was when the prompt was stored, with the prompt at its head.
    var session: SessionRecord
    private let services: Services
    private var asked: WindowRequest
    private let candidates: [Candidate]
    private var made: [String: MadeWindow] = [:]
    /// The window that is being made.
    private var making: WindowMaking?
    private var trims = 0
    /// What a refusal that names the count taught of our estimate.
    private var taught: Learned?
    /// Who was passed over, since what must be sent does not fit there.
    private var passed: [TooSmall]
    /// What a request may have at most by a provider's word, and the failure that said so; by upstream.
    private var overflows: [String: (limit: Int, failure: UpstreamFailure)] = [:]

    init(_ session: SessionRecord, _ asked: WindowRequest, _ choice: WindowChoice, services: Services) {
        self.session = session
        self.asked = asked
        self.services = services
        candidates = choice.candidates
        passed = choice.passed
        if let first = choice.candidates.first { made[first.upstream.name] = choice.made }
    }

    /// The prompt is in the archive, and read from there from now on.
    func dropPrompt() {
        asked.prompt = nil
        asked.content = nil
    }

    /// The answer has begun: a window is made anew for another try.
    func dropWords() { for name in made.keys { made[name]?.drop() } }

    /// About the tokens that an upstream is or would be sent.
    func estimate(for upstream: String) -> Int {
        made[upstream]?.request.estimate ?? made.values.first?.request.estimate ?? 0
    }

    /// Why there is no request for an upstream, as if it had said so itself.
    struct Problem {
        let failure: UpstreamFailure
        /// Tokens that must be sent, and that may be, where that is the reason.
        var needed: Int?
        var budget: Int?
    }

    /// What came of making a request.
    enum Made {
        case request(ModelRequest)
        /// This upstream gets none; another one may.
        case unfit(Problem)
        /// Nobody gets one.
        case failed(WireError)
    }

    /// Makes the request for an upstream.
    func request(for candidate: Candidate, _ then: @escaping (Made) -> Void) {
        let name = candidate.upstream.name
        if let known = made[name], known.isWhole { return then(.request(known.request)) }
        // Another upstream may hold less, and has rules of its own.
        let overflow = overflows[name], maker = WindowMaker(services: services)
        making = maker.making
        let wanted = WindowRequest(options: asked.options, limit: overflow?.limit)
        maker.make(session, wanted, candidate) { [weak self, making = maker.making] result in
            guard let self, self.making === making else { return }
            self.making = nil
            do throws(WireError) {
                let window = try result.get().answerable()
                made[name] = window
                then(.request(window.request))
            } catch { then(problem(error, overflow?.failure).map { .unfit($0) } ?? .failed(error)) }
        }
    }

    private func problem(_ error: WireError, _ said: UpstreamFailure?) -> Problem? {
        if error.kind == .conflict {
            return Problem(failure: UpstreamFailure(.refused, error.message, isRetryable: false))
        }
        guard error.isTooSmall else { return nil }
        // What must be sent does not fit; the provider's own words say it best.
        return Problem(
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
    func passOver(_ candidate: Candidate, _ failure: UpstreamFailure, _ problem: Problem?) {
        passed.append(
            TooSmall(
                upstream: candidate.upstream.name, model: candidate.model,
                needed: problem?.needed ?? failure.overflow?.counted,
                budget: problem?.budget ?? failure.overflow?.limit))
    }

    /// Who may hold what does not fit the present upstream: those that were asked with it, or are known to be larger.
    func larger(than now: Candidate?) -> [String] {
        candidates.filter { holdsMore($0, than: now) }.map(\.upstream.name)
    }

    private func holdsMore(_ other: Candidate, than now: Candidate?) -> Bool {
        if made[other.upstream.name] != nil { return true }
        guard let now else { return false }
        let held =
            now.upstream.contextLength(of: now.model) ?? made[now.upstream.name]?.request.estimate
            ?? WindowPolicy.unknownModelTokens
        return other.upstream.contextLength(of: other.model).map { $0 > held } ?? false
    }

    /// Makes a smaller window after a provider said that the context is too long; false when that is of no use.
    func trim(for candidate: Candidate, after failure: UpstreamFailure) -> Bool {
        let name = candidate.upstream.name
        guard let before = made[name], trims < RouteWindows.mostTrims,
            let change = OverflowTrim.change(
                after: failure, estimate: before.request.estimate,
                length: candidate.upstream.contextLength(of: candidate.model),
                answer: before.request.parameters.maxTokens, trims: trims)
        else { return false }
        trims += 1
        if let said = failure.overflow, let counted = said.counted, !said.isLowerBound {
            taught = services.calibrations.learn(
                name, candidate.model, counted: counted, estimate: before.request.estimate)
        }
        switch change {
        case .answer(let tokens): made[name]?.request.parameters.maxTokens = tokens
        case .window(let tokens):  // it is made anew for the next try
            overflows[name] = (tokens, failure)
            made[name] = nil
        }
        return true
    }

    // MARK: What the answer tells

    /// The receipt with the provider's own count, and whether it read less than it was sent (wire.md C5).
    func receipt(for candidate: Candidate?, upstream name: String, _ usage: Usage?) -> [UInt8]? {
        guard let window = made[name] else {
            return made.first.map { TooSmall.add(passed, asked: $0.key, to: $0.value.receipt) }
        }
        let receipt = TooSmall.add(passed, asked: name, to: window.receipt)
        guard let counted = usage?.inputTokens, let candidate else { return receipt }
        let isCut = isCutByServer(counted, window.request, candidate)
        if isCut {
            services.log.warning(
                "context_cut_by_server", ("upstream", name), ("counted", "\(counted)"),
                ("estimate", "\(window.request.estimate)"))
        }
        let more = JSONWriter.object {
            $0.member("counted", counted)
            if isCut { $0.member("cutByServer", true) }
        }
        return receipt.dropLast() + [0x2C] + more.dropFirst()
    }

    private func isCutByServer(_ counted: Int, _ request: ModelRequest, _ candidate: Candidate) -> Bool {
        let calibration = services.calibrations.of(candidate.upstream.name, candidate.model)
        return candidate.upstream.cutSilently(
            counted: counted, expected: calibration.counted(request.estimate), of: request)
    }

    /// What the provider's count teaches about our estimate; one that read less than it was sent teaches nothing.
    func learned(from candidate: Candidate?, _ ending: Turn.Ending) -> Learned? {
        guard !ending.isCached, let counted = ending.usage?.inputTokens, let candidate,
            let request = made[candidate.upstream.name]?.request,
            !isCutByServer(counted, request, candidate)
        else { return taught }
        return services.calibrations.learn(
            candidate.upstream.name, candidate.model, counted: counted, estimate: request.estimate)
    }

    /// What a turn used: the provider's count, or the estimate where it gave none.
    func used(by upstream: String, _ ending: Turn.Ending, _ tokens: Int) -> TurnUsage? {
        guard !ending.isCached, ending.usage != nil || tokens > 0 else { return nil }
        let usage = ending.usage
        let input = usage?.inputTokens ?? made[upstream]?.request.estimate ?? 0
        let output = usage?.outputTokens ?? tokens
        let price = services.configuration.upstreams.first { $0.name == upstream }?.price
        let cached = usage?.cachedTokens ?? 0
        return TurnUsage(
            owner: session.session.owner, input: input, output: output, cached: cached,
            cost: price?.cost(input: input, output: output, cached: cached) ?? 0)
    }
}
