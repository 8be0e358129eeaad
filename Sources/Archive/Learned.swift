/// How many tokens a provider counts for one of our estimate.
package struct Learned: Sendable, Equatable {
    package let upstream: String
    package let model: String
    /// Of ASCII text, in thousandths.
    package let plain: Int
    /// Of other scripts, in thousandths.
    package let wide: Int
    /// Answers that `plain` was learned from, at most 1,000,000.
    package let plainSamples: Int
    /// Answers that `wide` was learned from, at most 1,000,000.
    package let wideSamples: Int

    package init(
        upstream: String, model: String, plain: Int, plainSamples: Int, wide: Int, wideSamples: Int
    ) {
        self.upstream = upstream
        self.model = model
        self.plain = plain
        self.plainSamples = plainSamples
        self.wide = wide
        self.wideSamples = wideSamples
    }
}
