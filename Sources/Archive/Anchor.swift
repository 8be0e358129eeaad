package import Conversation

/// Whose windows begin at an anchor.
package struct AnchorKey: Sendable, Equatable {
    /// The upstream's name, and the model by its provider's name.
    package let upstream: String
    package let model: String
    /// The window's settings that it was made with; each have one of their own.
    package let settings: String

    package init(upstream: String, model: String, settings: String) {
        self.upstream = upstream
        self.model = model
        self.settings = settings
    }
}

/// Where the newest messages of a branch's windows begin between two cuts.
package struct Anchor: Sendable, Equatable {
    package let key: AnchorKey
    /// The place of the first of them on the path.
    package let seq: Int
    /// The summary that stands before it, as the cut was made; it is not kept where that is gone by then.
    package let summary: SummaryID?

    package init(key: AnchorKey, seq: Int, summary: SummaryID? = nil) {
        self.key = key
        self.seq = seq
        self.summary = summary
    }
}
