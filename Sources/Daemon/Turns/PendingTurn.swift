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
    var preparation = Preparation.none
    /// Whether it counts to what its user may ask a minute.
    var isCounted = false
    /// What its user had used of the day when that was looked at; nil where nobody did.
    var used: (sum: UsageSum, mark: Int)?
    /// What it counts for among its user's turns that run.
    var share: QuotaKeeper.Share?
    /// Nil while it waits or runs.
    var outcome: Outcome? { didSet { if outcome != nil { (share, admission) = (nil, nil) } } }
    /// Its place among the turns that may run; nil while it waits.
    var admission: Admissions.Share?

    /// How far it has come to being begun.
    enum Preparation {
        case none
        /// Its window is being made.
        case making(WindowMaking)
        case ready(WindowRequest, WindowChoice)
        /// The archive has put it there, on a branch of its own where it left another.
        case begun(TurnRow, PathPlace, leftBranch: BranchRow?)
    }

    /// What became of it.
    enum Outcome {
        /// What its askers are told, and where it ended.
        case ran(Result<[UInt8], WireError>, TurnRecord.State)
        /// It repeats another turn, whose answer is on the active path or is not.
        case repeated(TurnRecord, hasMessage: Bool)
    }

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
