internal import ContextWindow
internal import Conversation
internal import Protocol
internal import Upstream

/// What a call for a summary sends: the same words for whoever of its route is asked.
final class SummaryRequests: RouteRequests {
    let owner: UserID
    private let system: String
    private let prompt: String
    private let settings: Summarizer

    init(_ system: String, _ prompt: String, _ settings: Summarizer, owner: UserID) {
        self.system = system
        self.prompt = prompt
        self.settings = settings
        self.owner = owner
    }

    /// Tokens of the request, by a server of which nothing is known.
    private(set) lazy var size =
        TokenEstimate.size(ofSystem: system) + TokenEstimate.size(of: [.text(prompt)])

    /// Tokens that an answer may have on the wire: what a model thinks counts too, and its window must hold both.
    static func answer(_ settings: Summarizer, contextLength: Int?) -> Int {
        let length = contextLength ?? WindowPolicy.unknownModelTokens
        return min(4 * settings.maxTokens, max(64, length / 4))
    }

    func estimate(for upstream: String) -> Int { size.tokens }

    /// Whether it was made smaller once, and whether that was by half, as nobody said of what there may be.
    private var isTrimmed = false, isHalved = false

    private func answer(_ length: Int?) -> Int {
        let tokens = SummaryRequests.answer(settings, contextLength: length)
        return isHalved ? max(64, tokens / 2) : tokens
    }

    /// The words stay what they are: where what they leave is enough for an answer, a smaller one is asked for, once.
    func trim(for candidate: Candidate, after failure: UpstreamFailure, bytes: Int?) -> Bool {
        guard let said = failure.overflow, !said.isBytes, !isTrimmed else { return false }
        isTrimmed = true
        guard let limit = said.limit else {
            isHalved = true
            return true
        }
        // The limit is known from now on, and the answer is made by it.
        let words = candidate.upstream.rules(for: candidate.model).weights.tokens(size)
        return words + SummaryRequests.answer(settings, contextLength: limit) <= limit
    }

    func request(for candidate: Candidate, _ then: @escaping (RouteRequest) -> Void) {
        let length = candidate.upstream.contextLength(of: candidate.model)
        let answer = answer(length)
        let needed = candidate.upstream.rules(for: candidate.model).weights.tokens(size) + answer
        if let length, needed > length {
            let words =
                "what is to be summarized needs \(needed) tokens, and model '\(candidate.model.prefix(80))' holds \(length)"
            return then(
                .unfit(
                    RouteProblem(
                        failure: UpstreamFailure(.overflow, words, isRetryable: false), needed: needed,
                        budget: length)))
        }
        var parameters = ModelParameters()
        parameters.maxTokens = answer
        var request = ModelRequest(
            model: candidate.model, system: system,
            messages: [OutgoingMessage(role: .user, parts: [.text(prompt)])], parameters: parameters,
            estimate: needed - answer, userMessageCount: 1)
        request.size = size
        request.isAlone = true
        then(.request(request))
    }
}
