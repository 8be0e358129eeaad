/// Names a summary over all sessions: a UUID of version 7 (RFC 9562), or a random one where a fork took it over.
package typealias SummaryID = ID<Summary>

/// What stands for the older messages of a path, in a model's or a person's words; the messages stay as they are.
///
/// One that has no text says that none came of a round over these messages, or that somebody threw it away: the same
/// messages are not summarized by themselves a second time.
package struct Summary: Sendable, Equatable {
    package var id: SummaryID
    /// The places of the first and the last message that it covers; pinned and excluded ones between them are not in it.
    package var first: Int
    package var last: Int
    /// Nil where none came of it, or where it was thrown away.
    package var text: String?
    /// Why there is no text; nil where there is, and where it was thrown away.
    package var problem: String?
    /// Whether somebody asked for it: what it covers is not sent any more, whatever the strategy.
    package var isRequested: Bool
    /// Messages on the path when it was made.
    package var madeAt: Int
    /// Who made it, and the model by its provider's name; nil where nobody was asked.
    package var upstream: String?
    package var model: String?
    /// Tokens that making it took, as the providers counted them or estimated; nil where nobody was asked.
    package var inputTokens: Int?
    package var outputTokens: Int?
    /// What making it cost, in millionths of a dollar; nil where nobody knows.
    package var cost: Int?
    /// Milliseconds since 1970 UTC.
    package var createdAt: Int64
    /// When somebody gave it other words, in milliseconds since 1970 UTC.
    package var editedAt: Int64?

    package init(
        id: SummaryID, first: Int, last: Int, text: String?, isRequested: Bool = false, madeAt: Int,
        createdAt: Int64
    ) {
        self.id = id
        self.first = first
        self.last = last
        self.text = text
        self.isRequested = isRequested
        self.madeAt = madeAt
        self.createdAt = createdAt
    }

    /// Whether somebody threw it away: neither its text nor why there is none is left.
    package var isDeleted: Bool { text == nil && problem == nil }

    /// The places that it covers.
    package var range: ClosedRange<Int> { first...max(first, last) }

    /// As a model gets it; nil where there is no text.
    package var told: String? {
        guard let text, !text.isBlank else { return nil }
        return
            "Summary of messages \(first) to \(last) of this conversation, which are left out here:\n\n\(text)"
    }
}
