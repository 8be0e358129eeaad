/// How many tokens a provider counts for one of our estimate.
package struct Learned: Sendable, Equatable {
    package let upstream: String
    package let model: String
    /// Thousandths.
    package let ratio: Int
    /// Answers that it was learned from, at most 1,000,000.
    package let samples: Int

    package init(upstream: String, model: String, ratio: Int, samples: Int) {
        self.upstream = upstream
        self.model = model
        self.ratio = ratio
        self.samples = samples
    }
}
