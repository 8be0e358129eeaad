/// How many tokens a provider counts for one of our estimate, learned from what it reports.
///
/// It also takes up what templates, tools and images cost there (wire.md H3).
package struct Calibration: Sendable, Equatable {
    /// Requests smaller than this say more about overheads than about text.
    package static let least = 200
    private static let bounds = 0.6...2.5
    /// How much a new answer moves the ratio.
    private static let weight = 0.2

    /// Counted tokens for one estimated.
    package private(set) var ratio: Double
    /// Answers that it was learned from, at most 1,000,000.
    package private(set) var samples: Int

    /// Goes on from what was learned before; a ratio out of bounds is read as the bound.
    package init(ratio: Double = 1, samples: Int = 0) {
        self.ratio = min(max(ratio, Calibration.bounds.lowerBound), Calibration.bounds.upperBound)
        self.samples = samples
    }

    /// Takes up a provider's count for a request; false when it says nothing.
    package mutating func learn(counted: Int, estimate: Int) -> Bool {
        guard estimate >= Calibration.least, counted > 0 else { return false }
        let seen = Double(counted) / Double(estimate)
        let bounded = min(max(seen, Calibration.bounds.lowerBound), Calibration.bounds.upperBound)
        // The first answer counts whole: a start of 1 is a guess.
        ratio = samples == 0 ? bounded : ratio + Calibration.weight * (bounded - ratio)
        samples = min(samples + 1, 1_000_000)
        return true
    }

    /// Our estimate as the provider would count it, as far as that is known.
    package func counted(_ estimate: Int) -> Int { Int(Double(estimate) * ratio) }

    /// A budget in the provider's tokens as one in ours.
    package func estimated(_ tokens: Int) -> Int { max(1, Int(Double(tokens) / ratio)) }
}
