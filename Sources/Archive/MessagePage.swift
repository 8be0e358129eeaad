package import Conversation

/// A page of messages and where the next one begins.
package struct MessagePage: Sendable, Equatable {
    /// In the order of the page, which may be newest first.
    package var messages: [Message] = []
    /// The seq at which the next page begins; nil at the end.
    package var next: Int?
    package init() {}
}

/// Which way a page goes, and from where.
package enum PageStart: Sendable, Equatable {
    /// Upwards from this seq.
    case from(Int)
    /// Downwards from this seq.
    case backFrom(Int)
    /// Upwards from where the newest so many messages begin, rounded to a whole turn where that is not far.
    case newest(Int)
}
