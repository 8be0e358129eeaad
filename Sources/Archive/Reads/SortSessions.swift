package import Conversation
internal import Search

/// A slice of a walk over all sessions that keeps those which come first by something else than their last change:
/// bounded, and resumed behind where it stopped.
///
/// No index orders sessions so, and a page is found by a walk over all of them; the walk goes by rows, which never move, so
/// that none is met twice or passed over however sessions change meanwhile.
package struct SortSessions: ArchiveRead {
    /// What sessions are ordered by.
    package enum Key: Sendable {
        /// When they were made.
        case created
        /// How many messages their active branch has.
        case messages
        /// Their title in its normal form, by scalars; those without one behind all others.
        case title
    }

    /// What they must be like; its own order, place and limit of rows do not count.
    package let search: FindSessions
    package let key: Key
    package let isDescending: Bool
    /// The last session of the page before; nil begins with the first.
    package let after: SessionPlace?
    /// Sessions that are kept at most.
    package let limit: Int
    /// Go on behind this row.
    package var from: SessionRow?

    package init(_ search: FindSessions, by key: Key, isDescending: Bool, after: SessionPlace?, limit: Int) {
        self.search = search
        self.key = key
        self.isDescending = isDescending
        self.after = after
        self.limit = limit
    }

    /// What one slice found.
    package struct Output: Sendable {
        /// The first sessions of the order among those that were looked at, in that order.
        package var sessions: [SessionRecord] = []
        /// Where the next slice goes on; nil when everything was looked at.
        package var next: SessionRow?
        /// What is wrong with sessions that cannot be read, a sentence each.
        package var damaged: [String] = []

        package init() {}
    }

    /// Where a session stands in the order.
    package func place(of session: Session) -> SessionPlace { SessionPlace(session, by: key) }

    /// Whether a session belongs to this page or to later ones.
    package func takes(_ session: Session) -> Bool {
        guard search.matches(session) else { return false }
        guard let after else { return true }
        let place = place(of: session)
        return isDescending ? place < after : after < place
    }

    /// The first of these sessions in the order, as many as are kept and as fit the bytes of the page, one at least.
    package func first(of sessions: [SessionRecord]) -> [SessionRecord] {
        let placed = sessions.map { (place: place(of: $0.session), record: $0) }
        let sorted = placed.sorted { isDescending ? $1.place < $0.place : $0.place < $1.place }
        var room = search.bytes
        return sorted.prefix(limit).prefix { one in
            defer { room -= one.record.listedBytes }
            return room > 0
        }.map(\.record)
    }
}

/// Where a session stands in an order of sessions: two never stand at one place.
package struct SessionPlace: Sendable, Equatable, Comparable {
    /// Bytes of a title that order it, of which a cursor has room for twice as many; what is alike so far is ordered by ID.
    private static let titleBytes = 48

    /// What is compared first, byte by byte.
    package let key: [UInt8]
    package let id: SessionID
    package let owner: UserID

    package init(key: [UInt8], id: SessionID, owner: UserID) {
        self.key = key
        self.id = id
        self.owner = owner
    }

    init(_ session: Session, by key: SortSessions.Key) {
        func bytes(_ number: Int64) -> [UInt8] {
            // Negative numbers before the others.
            let ordered = UInt64(bitPattern: number) ^ (1 << 63)
            return stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: ordered >> $0) }
        }
        self.key =
            switch key {
            case .created: bytes(session.createdAt)
            case .messages: bytes(Int64(session.messageCount))
            case .title:
                if let title = session.title, !title.isBlank {
                    [0] + NormalForm.of(title).prefix(SessionPlace.titleBytes)
                } else {
                    [1]
                }
            }
        id = session.id
        owner = session.owner
    }

    package static func < (one: SessionPlace, other: SessionPlace) -> Bool {
        if one.key != other.key { return one.key.lexicographicallyPrecedes(other.key) }
        if one.id != other.id { return one.id.text.utf8.lexicographicallyPrecedes(other.id.text.utf8) }
        return one.owner < other.owner
    }
}
