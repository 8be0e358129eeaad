package import Conversation
package import Search

/// Which messages a search may find.
package struct MessageFilter: Sendable {
    /// Whose sessions' messages; nil for anybody's, where a session is named.
    package var owner: UserID?
    /// The one session that is searched; nil for all.
    package var session: SessionRecord?
    /// Who speaks; nil for anybody.
    package var role: Message.Role?
    /// Milliseconds since 1970: stored from `from` on, before `to`.
    package var from: Int64?
    package var to: Int64?
    /// A tag that the session has; nil for any.
    package var tag: String?
    /// What answered the message's turn, by the names of upstream and model; nil for any.
    package var upstream: String?
    package var model: String?
    /// Whether archived sessions are meant, or those that are not; nil means the latter, in the trash both.
    package var isArchived: Bool?
    /// Whether sessions in the trash are meant, in place of the others.
    package var isTrashed = false
    /// Whether messages off the active path are found too.
    package var includesAllBranches = false

    package init(owner: UserID?) { self.owner = owner }

    /// Whether a session's messages are searched at all.
    package func passes(_ session: Session) -> Bool {
        if let owner, session.owner != owner { return false }
        if self.session != nil { return true }
        if (session.trashedAt != nil) != isTrashed { return false }
        if let wanted = isArchived ?? (isTrashed ? nil : false), session.isArchived != wanted { return false }
        if let tag, !session.tags.contains(where: { $0.utf8.elementsEqual(tag.utf8) }) { return false }
        return true
    }
}

/// A slice of a search through messages, the last stored first: bounded in time, and resumed where it stopped.
package struct SearchMessages: ArchiveRead {
    package let query: SearchQuery
    package let filter: MessageFilter
    /// Hits at most.
    package var limit: Int
    /// Where it goes on; nil for the beginning.
    package var place: SearchPlace?
    /// Where it begins: with those that arrived before this one.
    package var below = Int64.max
    /// Messages before and behind each hit that are told with it.
    package var around = 0
    /// Whether hits are only weighed, and nothing else is read of them.
    package var isWeighing = false
    /// Microseconds of one slice, about.
    package var slice = 8_000

    package init(_ query: SearchQuery, _ filter: MessageFilter, limit: Int) {
        self.query = query
        self.filter = filter
        self.limit = limit
    }

    /// What one slice found.
    package struct Output: Sendable {
        /// The last stored first; for places that were given, in their order.
        package var hits: [SearchHit] = []
        /// How well messages fit, where they are only weighed.
        package var weights: [(score: Double, arrival: Int64)] = []
        /// Where the next slice goes on; nil when everything was looked at.
        package var next: SearchPlace?
        package init() {}
    }
}

/// Where a search goes on: messages that are still to be looked at, and then all below one place in the order of storing.
package struct SearchPlace: Sendable, Equatable {
    /// Arrivals to look at next, in this order.
    package var waiting: [Int64]
    /// Behind them those that arrived before this one.
    package var below: Int64

    package init(waiting: [Int64] = [], below: Int64) {
        self.waiting = waiting
        self.below = below
    }

    /// These messages, and no others.
    package static func only(_ arrivals: [Int64]) -> SearchPlace {
        SearchPlace(waiting: arrivals, below: Int64.min)
    }
}

/// A message that a search found.
package struct SearchHit: Sendable, Equatable {
    /// A message beside a hit, by the beginning of its text.
    package struct Neighbour: Sendable, Equatable {
        package let id: MessageID
        package let role: Message.Role
        package let text: String
        package init(id: MessageID, role: Message.Role, text: String) {
            self.id = id
            self.role = role
            self.text = text
        }
    }

    package var session: SessionID
    package var title: String?
    package var message: MessageID
    package var seq: Int
    package var role: Message.Role
    /// Milliseconds since 1970.
    package var createdAt: Int64
    package var snippet: Snippet
    /// The branch that has it.
    package var branch: BranchRow
    /// Whether it is on the session's active path.
    package var isActive: Bool
    /// Its place in the order of storing.
    package var arrival: Int64
    package var before: [Neighbour] = []
    package var behind: [Neighbour] = []

    package init(
        session: SessionID, title: String?, message: MessageID, seq: Int, role: Message.Role,
        createdAt: Int64, snippet: Snippet, branch: BranchRow, isActive: Bool, arrival: Int64
    ) {
        self.session = session
        self.title = title
        self.message = message
        self.seq = seq
        self.role = role
        self.createdAt = createdAt
        self.snippet = snippet
        self.branch = branch
        self.isActive = isActive
        self.arrival = arrival
    }
}
