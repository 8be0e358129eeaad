/// One try at an upstream, as it is stored.
package struct Attempt: Sendable, Equatable {
    /// From 1 within its turn.
    package var number: Int
    /// The name of who was asked.
    package var upstream: String
    /// The model by its provider's name.
    package var model: String
    /// Milliseconds since 1970 UTC.
    package var startedAt: Int64
    /// When the first content came, in milliseconds since 1970 UTC; nil when none did.
    package var firstAt: Int64?
    /// Milliseconds since 1970 UTC.
    package var endedAt: Int64
    /// `complete` or the kind of error.
    package var outcome: String
    /// HTTP status, nil when none came.
    package var status: Int?
    /// One sentence, no content, no secrets.
    package var detail: String?

    package init(
        number: Int, upstream: String, model: String, startedAt: Int64, firstAt: Int64? = nil, endedAt: Int64,
        outcome: String,
        status: Int? = nil, detail: String? = nil
    ) {
        self.number = number
        self.upstream = upstream
        self.model = model
        self.startedAt = startedAt
        self.firstAt = firstAt
        self.endedAt = endedAt
        self.outcome = outcome
        self.status = status
        self.detail = detail
    }
}
