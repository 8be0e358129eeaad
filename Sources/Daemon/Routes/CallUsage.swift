internal import Archive
internal import Conversation
internal import Upstream

extension TurnUsage {
    /// What a call used by the provider's count, or by the estimates where it gave none, and what that costs.
    init(_ usage: Usage?, owner: UserID, input: Int, output: Int, candidate: Candidate?) {
        var tokens = Prices.Tokens(
            input: usage?.inputTokens ?? input, output: usage?.outputTokens ?? output,
            cached: usage?.cachedTokens ?? 0)
        tokens.written = usage?.writtenTokens ?? 0
        let upstream = candidate?.upstream
        let prices = candidate.flatMap { $0.upstream.prices(of: $0.model, tokens: tokens.input) }
        let isCall = tokens.input > 0 || tokens.output > 0
        self.init(
            owner: owner, input: tokens.input, output: tokens.output, cached: tokens.cached,
            cost: isCall ? prices?.cost(tokens, cache: upstream?.promptCache ?? .none) : nil)
        written = tokens.written
        thoughts = usage?.reasoningTokens ?? 0
    }
}
