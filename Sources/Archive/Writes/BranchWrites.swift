package import Conversation

/// Makes a session that begins as another one is up to a message; nothing is copied.
package struct ForkSession: ArchiveWrite {
    /// The new session, or why there is none.
    package enum Output: Sendable, Equatable {
        /// The new session, its path ending at the message.
        case forked(SessionRecord)
        /// The ID is taken.
        case existed
        /// The source is gone or in the trash.
        case missing
        /// The message is on no path of the source.
        case notHere
    }

    package let source: SessionRow
    /// The last message that is shared; nil means the newest.
    package let message: MessageID?
    /// The new session's own fields; those of its path come from the source.
    package let session: Session

    package init(_ source: SessionRow, at message: MessageID?, as session: Session) {
        self.source = source
        self.message = message
        self.session = session
    }
}

/// A session after its path was changed.
package struct PathChange: Sendable, Equatable {
    /// With the path as it is now.
    package let record: SessionRecord
    /// The newest message of the path; nil for none.
    package let headID: MessageID?

    package init(record: SessionRecord, headID: MessageID?) {
        self.record = record
        self.headID = headID
    }
}

/// Makes another branch of a session the active one, at its newest message.
package struct SwitchBranch: ArchiveWrite {
    /// nil when it has no such branch.
    package typealias Output = PathChange?
    package let session: SessionRow
    /// The one to go on from.
    package let branch: BranchRow

    package init(_ session: SessionRow, to branch: BranchRow) {
        self.session = session
        self.branch = branch
    }
}

/// Goes back to before a message of the active path, on a branch of its own; what was said since stays on the other.
package struct RewindPath: ArchiveWrite {
    /// nil when the message is not on its active path.
    package typealias Output = PathChange?
    package let session: SessionRow
    /// The first message that is not on the path any more.
    package let message: MessageID

    package init(_ session: SessionRow, before message: MessageID) {
        self.session = session
        self.message = message
    }
}

/// Removes a branch with the messages that only it has.
package struct DeleteBranch: ArchiveWrite {
    /// What became of it; only `deleted` removed something.
    package enum Output: Sendable, Equatable {
        /// Removed, with so many messages.
        case deleted(Int)
        /// The session has no such branch.
        case missing
        /// It is the active one.
        case active
        /// Others begin in it: so many.
        case needed(Int)
    }

    package let session: SessionRow
    package let branch: BranchRow

    package init(_ session: SessionRow, _ branch: BranchRow) {
        self.session = session
        self.branch = branch
    }
}

/// Puts a message with other content in the place of one on the active path, on a branch of its own.
package struct EditMessage: ArchiveWrite {
    /// With the edited message at its head; nil when the message is not on its active path.
    package typealias Output = PathChange?
    package let session: SessionRow
    /// The message that is replaced; it stays on its own branch.
    package let message: MessageID
    /// What takes its place, under an ID of its own.
    package let edited: NewMessage

    package init(_ session: SessionRow, _ message: MessageID, _ edited: NewMessage) {
        self.session = session
        self.message = message
        self.edited = edited
    }
}

/// Gives a prompt that waits in the queue other words.
package struct EditQueued: ArchiveWrite {
    /// Whether it still waited.
    package typealias Output = Bool
    /// A turn that waits.
    package let turn: TurnID
    /// Raw JSON parts.
    package let prompt: [UInt8]
    /// SHA-256 of what is asked for then, for a turn with a request ID; nil leaves the stored one.
    package let hash: [UInt8]?

    package init(_ turn: TurnID, prompt: [UInt8], hash: [UInt8]?) {
        self.turn = turn
        self.prompt = prompt
        self.hash = hash
    }
}
