/// What models were found to hold by what their server refused and took, for as long as that is believed.
struct LearnedLengths {
    /// Milliseconds for which a limit is believed that a refusal named: a server may be started anew with more.
    private static let toldPause: Int64 = 3_600_000
    /// Milliseconds for which one is believed that nobody named.
    private static let guessPause: Int64 = 600_000

    /// Tokens, and until when they are believed, by the steady clock in milliseconds.
    private typealias Belief = (length: Int, until: Int64)
    private var told: [String: Belief] = [:]
    private var guesses: [String: Belief] = [:]

    /// A refusal named what a model holds.
    mutating func tell(_ length: Int, of model: String, now: Int64) {
        told[model] = (length, now + LearnedLengths.toldPause)
    }

    /// More than this was refused, without a word of the limit or with one that passes.
    mutating func guess(_ length: Int, of model: String, now: Int64) {
        let before = LearnedLengths.believed(guesses[model], now) ?? Int.max
        guesses[model] = (min(before, max(length, 256)), now + LearnedLengths.guessPause)
    }

    /// The least that is believed of a model; nil where nothing is.
    func length(of model: String, now: Int64) -> Int? {
        [told[model], guesses[model]].compactMap { LearnedLengths.believed($0, now) }.min()
    }

    private static func believed(_ belief: Belief?, _ now: Int64) -> Int? {
        belief.flatMap { now < $0.until ? $0.length : nil }
    }
}
