package import Conversation

/// Begins to read a session in that was written down elsewhere; nobody sees it before `EndImport`.
package struct BeginImport: ArchiveWrite {
    /// What came of it.
    package enum Output: Sendable {
        /// Records may follow.
        case begun(ImportState)
        /// This very session is there already, under that ID, perhaps in the trash, or as it was before.
        case exists(SessionID, isTrashed: Bool, isOlder: Bool)
    }

    /// As it was written down; the owner is who reads it in.
    package let session: Session
    /// The newest message of its path; nil for none.
    package let head: MessageID?
    /// Whether nothing is written, and it is only said what would come of it.
    package let isDryRun: Bool
    /// IDs that sessions of the user's in memory have.
    package let taken: Set<SessionID>

    package init(_ session: Session, head: MessageID?, isDryRun: Bool, taken: Set<SessionID>) {
        self.session = session
        self.head = head
        self.isDryRun = isDryRun
        self.taken = taken
    }
}

/// How far reading a session in is; whoever reads passes it on from call to call.
package struct ImportState: Sendable {
    /// What was read so far.
    package struct Counts: Sendable, Equatable {
        package var messages = 0
        /// Of these such as are there already, in a session that this one shares them with.
        package var shared = 0
        package var turns = 0
        package var summaries = 0
        /// Messages that got another ID, since theirs was taken.
        package var renamed = 0
        package init() {}
    }

    package let row: SessionRow
    package let owner: UserID
    /// What the session will be called.
    package let name: SessionID
    /// The newest message of its path, by the file; nil for none.
    package let head: MessageID?
    /// Tells IDs that were taken apart from those of other copies; 1 for a first copy.
    package let copy: Int
    /// The last message of the path so far, by its ID in the file.
    package var last: MessageID?
    /// The end of the path so far.
    package var path: PathPlace
    /// Where the path ends in another session that has it too; nil where it begins on its own.
    package var shared: (branch: BranchRow, seq: Int)?
    /// Whether what the message there said was taken out before it was shared.
    package var sharesDeleted = false
    /// Whether every message so far is another session's too.
    package var isSharing = true
    /// The end of the branch beside the path that is being read, and its last message.
    package var side: (place: PathPlace, last: MessageID, isShared: Bool)?
    /// IDs that messages were given in place of theirs.
    package var ids: [MessageID: MessageID] = [:]
    /// The number of the next copy of those, so that many messages of one ID are not tried one by one.
    package var copies: [MessageID: Int] = [:]
    /// Turns come newest first, so their numbers go down from here.
    package var nextTurn: Int64
    package var counts = Counts()

    package init(
        row: SessionRow, owner: UserID, name: SessionID, head: MessageID?, copy: Int, path: PathPlace,
        nextTurn: Int64
    ) {
        self.row = row
        self.owner = owner
        self.name = name
        self.head = head
        self.copy = copy
        self.path = path
        self.nextTurn = nextTurn
    }
}

/// A record of a session that is read in.
package enum ImportItem: Sendable {
    case message(NewMessage, parent: MessageID?, isOnPath: Bool, turn: TurnID?)
    case turn(TurnRecord)
    /// A summary, and the last message that it covers.
    case summary(Summary, end: MessageID)
}

/// Reads records in, all of them or none.
package struct ImportRecords: ArchiveWrite {
    /// How far it is then; a record that cannot be is an error of code `refused`, and none of these is taken.
    package typealias Output = ImportState

    package let state: ImportState
    package let items: [ImportItem]
    package init(_ items: [ImportItem], _ state: ImportState) {
        self.items = items
        self.state = state
    }
}

/// Shows a session that was read in; its turns and their usage are history and count in no quota.
package struct EndImport: ArchiveWrite {
    /// The session, or one that has it already; nil where it was given up meanwhile.
    ///
    /// One whose newest message did not come is an error of code `refused`, unless that is taken: its file was cut.
    package typealias Output = SessionRecord?
    package let state: ImportState
    /// As it was written down.
    package let session: Session
    /// Whether what is left of a file that was cut is taken, and ends where that does.
    package let takesCut: Bool
    /// IDs that sessions of the user's in memory have.
    package let taken: Set<SessionID>

    package init(_ session: Session, _ state: ImportState, takesCut: Bool, taken: Set<SessionID>) {
        self.session = session
        self.state = state
        self.takesCut = takesCut
        self.taken = taken
    }
}

/// Gives up a session that was being read in; what came of it is purged.
package struct AbandonImport: ArchiveWrite {
    package typealias Output = Void
    package let row: SessionRow
    package init(_ row: SessionRow) { self.row = row }
}
