package import Conversation

/// A user's session by its ID; one in the trash too.
package struct SessionByName: ArchiveRead {
    package typealias Output = SessionRecord?
    package let id: SessionID
    package let owner: UserID

    package init(_ id: SessionID, owner: UserID) {
        self.id = id
        self.owner = owner
    }
}

/// The sessions of all users that have an ID, those in the trash too.
package struct SessionsNamed: ArchiveRead {
    package typealias Output = [SessionRecord]
    package let id: SessionID
    package init(_ id: SessionID) { self.id = id }
}

/// Everyone who has a session.
package struct Owners: ArchiveRead {
    package typealias Output = [UserID]
    package init() {}
}

/// A session by its row, as it is now; nil when it is gone.
package struct SessionByRow: ArchiveRead {
    package typealias Output = SessionRecord?
    package let row: SessionRow
    package init(_ row: SessionRow) { self.row = row }
}

/// Sessions whose ID begins with some text, by ID, as lists show them, out of the first 2,000 there are.
package struct SessionsByPrefix: ArchiveRead {
    package typealias Output = FindSessions.Output
    package let owner: UserID
    /// What the ID begins with, compared by bytes.
    package let prefix: String
    /// What they must be besides, and how many sessions and bytes there may be.
    package let search: FindSessions

    package init(_ prefix: String, owner: UserID, _ search: FindSessions) {
        self.prefix = prefix
        self.owner = owner
        self.search = search
    }
}

/// A user's sessions that changed after a point in the order of changes, oldest change first, trashed ones too, as lists
/// show them.
package struct Changes: ArchiveRead {
    /// What changed, and where to go on.
    package struct Output: Sendable {
        /// Each as it is now, by its last change.
        package let records: [SessionRecord]
        /// The point up to which all changes are in `records`.
        package let cursor: Int64
        /// Whether there are more behind it.
        package let isMore: Bool

        package init(records: [SessionRecord], cursor: Int64, isMore: Bool) {
            self.records = records
            self.cursor = cursor
            self.isMore = isMore
        }
    }

    package let owner: UserID
    /// nil asks only where the order of changes ends now.
    package let after: Int64?
    /// Sessions at most.
    package let limit: Int
    /// Bytes of the page, about, and at least one session.
    package let bytes: Int

    package init(owner: UserID, after: Int64?, limit: Int, bytes: Int) {
        self.owner = owner
        self.after = after
        self.limit = limit
        self.bytes = bytes
    }
}

/// What a client that opens a session is told when it has read its history.
package struct Opening: ArchiveRead {
    /// Where the session stands.
    package struct Output: Sendable {
        /// The newest message of the path; nil for none.
        package let headID: MessageID?
        /// The turn that ended last, without its prompt, and whether its answer is on the path; nil when none has.
        package let last: (turn: TurnRecord, hasMessage: Bool)?

        package init(headID: MessageID?, last: (turn: TurnRecord, hasMessage: Bool)?) {
            self.headID = headID
            self.last = last
        }
    }

    /// The session with the path that was read.
    package let record: SessionRecord
    package init(_ record: SessionRecord) { self.record = record }
}

/// The IDs of a user's sessions.
package struct NamesOf: ArchiveRead {
    package typealias Output = Set<SessionID>
    package let owner: UserID
    package init(_ owner: UserID) { self.owner = owner }
}
