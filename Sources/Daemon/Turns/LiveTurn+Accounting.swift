internal import Archive
internal import Conversation
internal import ContextWindow
internal import JSON
internal import Protocol
internal import Store
internal import Upstream

extension LiveTurn {
    /// The receipt with the provider's own count, and whether it read less than it was sent (wire.md C5).
    func receipt(_ usage: Usage?) -> [UInt8]? {
        guard let window = made[plan.current] else {
            return made.first.map { TooSmall.add(passed, asked: $0.key, to: $0.value.receipt) }
        }
        let receipt = TooSmall.add(passed, asked: plan.current, to: window.receipt)
        guard let counted = usage?.inputTokens, let upstream = current?.upstream else { return receipt }
        let isCut = isCutByServer(counted, window.request)
        if isCut {
            services.log.warning(
                "context_cut_by_server", ("upstream", upstream.name), ("counted", "\(counted)"),
                ("estimate", "\(window.request.estimate)"))
        }
        let more = JSONWriter.object {
            $0.member("counted", counted)
            if isCut { $0.member("cutByServer", true) }
        }
        return receipt.dropLast() + [0x2C] + more.dropFirst()
    }

    private func isCutByServer(_ counted: Int, _ request: ModelRequest) -> Bool {
        guard let candidate = current else { return false }
        let calibration = services.calibrations.of(candidate.upstream.name, candidate.model)
        return candidate.upstream.cutSilently(
            counted: counted, expected: calibration.counted(request.estimate), of: request)
    }

    /// What the provider's count teaches about our estimate; one that read less than it was sent teaches nothing.
    func learned(_ ending: Turn.Ending) -> Learned? {
        guard !ending.isCached, let counted = ending.usage?.inputTokens, let candidate = current,
            let request = made[plan.current]?.request, !isCutByServer(counted, request)
        else { return taught }
        return services.calibrations.learn(
            candidate.upstream.name, candidate.model, counted: counted, estimate: request.estimate)
    }

    /// What the turn used: the provider's count, or the estimate where it gave none.
    func used(_ ending: Turn.Ending, _ tokens: Int) -> TurnUsage? {
        guard !ending.isCached, ending.usage != nil || tokens > 0 else { return nil }
        let usage = ending.usage
        let input = usage?.inputTokens ?? made[plan.current]?.request.estimate ?? 0
        let output = usage?.outputTokens ?? tokens
        let price = services.configuration.upstreams.first { $0.name == plan.current }?.price
        let cached = usage?.cachedTokens ?? 0
        return TurnUsage(
            owner: session.session.owner, input: input, output: output, cached: cached,
            cost: price?.cost(input: input, output: output, cached: cached) ?? 0)
    }

    /// Makes a smaller window after a provider said that the context is too long, at most twice (design section 4).
    func trim(after failure: UpstreamFailure) -> Bool {
        guard let candidate = current, let before = made[candidate.upstream.name], trims < 2 else {
            return false
        }
        let length = candidate.upstream.contextLength(of: candidate.model)
        guard
            let change = OverflowTrim.change(
                after: failure, estimate: before.request.estimate, length: length,
                answer: before.request.parameters.maxTokens, trims: trims)
        else { return false }
        trims += 1
        if let said = failure.overflow, let counted = said.counted, !said.isLowerBound {
            taught = services.calibrations.learn(
                candidate.upstream.name, candidate.model, counted: counted,
                estimate: before.request.estimate)
        }
        switch change {
        case .answer(let tokens): made[candidate.upstream.name]?.request.parameters.maxTokens = tokens
        case .window(let tokens):  // it is made anew for the next try
            overflows[candidate.upstream.name] = (tokens, failure)
            made[candidate.upstream.name] = nil
        }
        plan.repeats()
        return true
    }
}
