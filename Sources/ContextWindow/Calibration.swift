package import Conversation

/// How many tokens a provider counts for one of our estimate, learned from what it reports.
///
/// Two ratios, one of ASCII text with all that is counted in tokens and one of other scripts, so that a Chinese conversation
/// after English ones does not pay for those. They also take up what templates, tools and images cost there (wire.md H3).
package struct Calibration: Sendable, Equatable {
    /// Requests smaller than this say more about overheads than about text.
    package static let least = 200
    private static let bounds = 0.6...2.5
    /// How much of what was off an answer moves.
    private static let weight = 0.5
    /// The share of a request from which one of its parts says something of its own ratio.
    private static let leastShare = 0.3

    /// Counted tokens for one estimated of a part, and the answers that it was learned from, at most 1,000,000.
    package struct Ratio: Sendable, Equatable {
        package private(set) var value: Double
        package private(set) var samples: Int

        /// Goes on from what was learned before; a ratio out of bounds is read as the bound.
        package init(_ value: Double = 1, samples: Int = 0) {
            self.value = Ratio.bounded(value)
            self.samples = samples
        }

        fileprivate mutating func set(_ value: Double) {
            self.value = Ratio.bounded(value)
            samples = min(samples + 1, 1_000_000)
        }

        fileprivate static func bounded(_ value: Double) -> Double {
            min(max(value, Calibration.bounds.lowerBound), Calibration.bounds.upperBound)
        }
    }

    /// Of ASCII text and of what is counted in tokens.
    package private(set) var plain: Ratio
    /// Of other scripts.
    package private(set) var wide: Ratio

    /// Answers that it was learned from.
    package var samples: Int { max(plain.samples, wide.samples) }

    package init(plain: Ratio = Ratio(), wide: Ratio = Ratio()) {
        self.plain = plain
        self.wide = wide
    }

    /// Weights that count as the provider does, as far as that is known.
    package func applied(to weights: TokenWeights) -> TokenWeights {
        // What is known of one part is the better guess for the other than nothing.
        weights.scaled(
            plain: plain.samples > 0 ? plain.value : wide.value,
            wide: wide.samples > 0 ? wide.value : plain.value)
    }

    /// Takes up a provider's count for a request of a size; false when it says nothing.
    package mutating func learn(counted: Int, _ size: ContentSize, _ weights: TokenWeights) -> Bool {
        let parts = weights.parts(size), sum = parts.plain + parts.wide
        guard sum >= Double(Calibration.least), counted > 0 else { return false }
        let saysPlain = parts.plain >= sum * Calibration.leastShare
        let saysWide = parts.wide >= sum * Calibration.leastShare
        let off = Double(counted) - Double(applied(to: weights).tokens(size))
        // The first answer about a part counts whole: a start of 1 is a guess.
        switch (saysPlain && plain.samples == 0, saysWide && wide.samples == 0) {
        case (true, true):
            plain.set(Double(counted) / sum)
            wide.set(Double(counted) / sum)
        case (true, false):
            plain.set((Double(counted) - parts.wide * (wide.samples > 0 ? wide.value : 1)) / parts.plain)
        case (false, true):
            wide.set((Double(counted) - parts.plain * (plain.samples > 0 ? plain.value : 1)) / parts.wide)
        case (false, false):
            // Least mean squares, normalized: what was off goes to each part by how much of the request it was.
            let step = Calibration.weight * off / (parts.plain * parts.plain + parts.wide * parts.wide)
            if saysPlain { plain.set(plain.value + step * parts.plain) }
            if saysWide { wide.set(wide.value + step * parts.wide) }
        }
        return true
    }
}
