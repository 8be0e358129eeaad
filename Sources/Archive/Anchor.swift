/// Where the newest messages of a branch's windows begin between two cuts, for one upstream and model.
package struct Anchor: Sendable, Equatable {
    package let upstream: String
    package let model: String
    /// The place of the first of them on the path.
    package let seq: Int
    /// The window's settings that it was made with; under others it does not count.
    package let settings: String

    package init(upstream: String, model: String, seq: Int, settings: String) {
        self.upstream = upstream
        self.model = model
        self.seq = seq
        self.settings = settings
    }
}
