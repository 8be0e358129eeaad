internal import Archive
internal import Conversation
internal import Protocol
internal import Sessions

/// A turn of a session's line with its words: what the line's driver needs to store it and to begin it.
final class PendingTurn {
    let id: TurnID
    /// The session as it was when it was looked at last.
    var session: SessionRecord
    /// As it came in; nil once it waits in the archive, which has its words then.
    var submission: Submission?
    /// As it is stored, without its words; nil before that is tried.
    private(set) var record: TurnRecord?
    /// What the archive's queue has of it, read when it is its turn.
    var prompt: [UInt8]?
    /// The window that is being made for it, and the one that was.
    var making: WindowMaking?
    var window: (question: WindowRequest, choice: WindowChoice)?
    /// Whether it counts to what its user may ask a minute.
    var isCounted = false
    /// Where the archive put it, once it has begun.
    var begun: (row: TurnRow, place: PathPlace, leftBranch: BranchRow?)?
    /// What its askers are told, and where it ended, once it ran.
    var ran: (answer: Result<[UInt8], WireError>, state: TurnRecord.State)?
    /// The turn that it repeats, and whether that one's answer is on the active path.
    var known: (turn: TurnRecord, hasMessage: Bool)?

    init(_ id: TurnID, _ submission: Submission) {
        self.id = id
        session = submission.session
        self.submission = submission
    }

    /// One that waited when the daemon was started.
    init(_ found: TurnFound) {
        id = found.stored.turn.id
        session = found.session
        keep(found.stored.turn)
    }

    /// It is stored as this, or is about to be.
    func keep(_ record: TurnRecord) {
        self.record = record
        self.record?.queuedPrompt = nil
    }

    var options: TurnOptions { submission?.turn.options ?? record?.options ?? TurnOptions() }
}
