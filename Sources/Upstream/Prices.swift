/// What a million tokens cost, in dollars.
package struct Prices: Sendable, Equatable {
    /// Dollars for a million tokens of a request.
    package var input: Double
    /// Dollars for a million tokens of an answer.
    package var output: Double
    /// For tokens that the provider read from its prompt cache; nil is the price of input.
    package var cachedInput: Double?
    /// For tokens that it wrote into its cache for five minutes, and for an hour; nil is the price of input.
    package var cacheWrite5m: Double?
    package var cacheWrite1h: Double?

    package init(input: Double, output: Double, cachedInput: Double? = nil) {
        self.input = input
        self.output = output
        self.cachedInput = cachedInput
    }

    /// Millionths of a dollar for what a provider counted; what it read from its cache and wrote there is part of the input.
    package func cost(_ used: Tokens, cache: PromptCache) -> Int {
        let write = cache == .hour ? cacheWrite1h ?? cacheWrite5m : cacheWrite5m
        let parts = [
            (max(0, used.input - used.cached - used.written), input), (used.cached, cachedInput ?? input),
            (used.written, write ?? input), (used.output, output),
        ]
        return Int(min(parts.reduce(0.5) { $0 + Double($1.0) * $1.1 }, 1e15))
    }

    /// Tokens of one request and its answer.
    package struct Tokens: Sendable, Equatable {
        package var input: Int
        package var output: Int
        package var cached = 0
        package var written = 0

        package init(input: Int, output: Int, cached: Int = 0, written: Int = 0) {
            self.input = input
            self.output = output
            self.cached = cached
            self.written = written
        }
    }
}

/// What is known of a model: how much it holds, and what its tokens cost.
package struct KnownModel: Sendable, Equatable {
    /// A name, which may have a date or a tag behind it, or a pattern with `*` for any characters.
    package var match: String
    /// Servers for which it holds; empty for any.
    package var hosts: [String] = []
    /// Tokens; nil where nobody said.
    package var contextLength: Int?
    package var maxOutput: Int?
    /// Whether it reads images; nil where nobody said.
    package var image: Bool?
    /// Nil where nobody said.
    package var prices: Prices?
    /// Prices of requests above so many tokens, the largest first.
    package var tiers: [Tier] = []

    /// What requests of more than some tokens cost, all of them.
    package struct Tier: Sendable, Equatable {
        /// Tokens of a request.
        package var above: Int
        package var prices: Prices

        package init(above: Int, prices: Prices) {
            self.above = above
            self.prices = prices
        }
    }

    package init(match: String) { self.match = match }

    /// What a request of so many tokens costs; nil where nobody said.
    package func prices(ofRequest tokens: Int) -> Prices? {
        tiers.first { tokens > $0.above }?.prices ?? prices
    }

    /// Whether it is about a model by its provider's name.
    func isAbout(_ model: String) -> Bool {
        if match.contains("*") {
            return KnownModel.matches(
                model[...], match.split(separator: "*", omittingEmptySubsequences: false))
        }
        guard model.hasPrefix(match) else { return false }
        let rest = model.dropFirst(match.count)
        guard let first = rest.first else { return true }
        if first == "@" || first == ":" { return true }
        // A date or a number of a version in three digits, as in `-2024-08-06` and `-001`; `-5` is another model.
        guard first == "-" else { return false }
        let words = rest.dropFirst().split(separator: "-", omittingEmptySubsequences: false)
        guard words.allSatisfy({ ["latest", "preview", "exp"].contains($0) || $0.allSatisfy(\.isNumber) })
        else {
            return false
        }
        let digits = words.joined().filter(\.isNumber).count
        return digits == 0 || digits >= 3
    }

    /// Whether a name has these pieces in order, the first at its beginning and the last at its end.
    private static func matches(_ name: Substring, _ pieces: [Substring]) -> Bool {
        guard let first = pieces.first, let last = pieces.last, pieces.count > 1, name.hasPrefix(first) else {
            return false
        }
        var rest = name.dropFirst(first.count)
        for piece in pieces.dropFirst().dropLast() where !piece.isEmpty {
            guard let found = rest.firstRange(of: piece) else { return false }
            rest = rest[found.upperBound...]
        }
        return rest.hasSuffix(last)
    }
}
