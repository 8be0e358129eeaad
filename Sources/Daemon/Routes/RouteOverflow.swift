internal import Upstream

/// What an upstream found too long in one turn, and what it is sent in its place.
struct RouteOverflow {
    /// What the next request may have at most; nil where only its newest turn may be in it.
    var limit: Int?
    /// Whether that is so little since nobody says how much there may be.
    var isGuess = false
    /// Tokens of the answer at most: by the limit that was told, and no more than were asked for with what was refused; nil
    /// where less cannot be asked for.
    var mostAnswer: Int?
    let failure: UpstreamFailure
    /// The estimate of what was refused.
    let refused: Int
    var isNewestOnly: Bool { limit == nil }

    /// What a model holds by what went through; nil where that is known, or this says nothing of it.
    var held: Int? {
        // A bare refusal, or one of too many bytes, says nothing of tokens.
        guard failure.overflow?.limit == nil, failure.kind == .overflow,
            !(failure.overflow?.isBytes ?? false), failure.status != 413
        else { return nil }
        // What was sent as a guess says little: half of what was refused is tried next.
        return isGuess ? refused / 2 : limit
    }
}
