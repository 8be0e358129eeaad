package import Conversation

/// Makes a session, or finds the one that has its ID.
package struct CreateSession: ArchiveWrite {
    /// The session, and whether it was made now.
    package enum Output: Sendable, Equatable {
        /// Made as it was given.
        case created(SessionRecord)
        /// It was there before, and is left as it is.
        case existed(SessionRecord)
        /// The ID is taken by a session in the trash.
        case trashed(SessionRecord)
    }

    package let session: Session
    package init(_ session: Session) { self.session = session }
}

/// Changes a session's own fields; messages stay as they are.
package struct UpdateSession: ArchiveWrite {
    /// The session afterwards; nil when there is none, or it is in the trash.
    package typealias Output = SessionRecord?
    package let id: SessionID
    package let owner: UserID
    package let change: SessionChange

    package init(_ id: SessionID, owner: UserID, _ change: SessionChange) {
        self.id = id
        self.owner = owner
        self.change = change
    }
}

/// Moves a session to the trash; one that is not there is fine.
package struct TrashSession: ArchiveWrite {
    /// Whether there was something to move.
    package typealias Output = Bool
    package let id: SessionID
    package let owner: UserID
    /// Where it stood in the order of changes; at another place it changed meanwhile, and stays; nil for any.
    package let activity: Int64?
    package init(_ id: SessionID, owner: UserID, unchangedSince activity: Int64? = nil) {
        self.id = id
        self.owner = owner
        self.activity = activity
    }
}

/// Takes a session out of the trash.
package struct RestoreSession: ArchiveWrite {
    /// The session afterwards; nil when there is none.
    ///
    /// One that was not in the trash stays as it is.
    package typealias Output = SessionRecord?
    package let id: SessionID
    package let owner: UserID
    package init(_ id: SessionID, owner: UserID) {
        self.id = id
        self.owner = owner
    }
}
