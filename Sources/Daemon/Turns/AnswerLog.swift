internal import Archive
internal import Conversation
internal import Sessions
internal import Store

/// Writes the pieces of one turn's answer as they come, so that a crash loses little of them.
final class AnswerLog {
    /// Text that is not in the archive at which the upstream is made to wait, and pieces that must reach the disk.
    private static let bounds = PieceLog.Bounds(unstored: 1 << 20, unsynced: 4 << 10)

    /// What the turn hears of its log.
    enum Report {
        /// The upstream must wait, or may go on.
        case pause, resume
        /// So many pieces of the turn are stored.
        case stored(Int)
        case failed(ArchiveError)
    }

    private let archives: Archives
    private let session: SessionRow
    private let turn: TurnRow
    private let report: (Report) -> Void
    private var log = PieceLog(AnswerLog.bounds)
    /// Whether somebody asks in time what is not on the disk.
    private var isSyncWanted = false

    init(
        _ turn: TurnRow, of session: SessionRow, _ archives: Archives,
        report: @escaping (Report) -> Void
    ) {
        self.turn = turn
        self.session = session
        self.archives = archives
        self.report = report
    }

    func store(_ pieces: [Piece]) {
        let write = log.add(count: pieces.count, bytes: pieces.reduce(0) { $0 + $1.bytes.count })
        if write.pauses { report(.pause) }
        // What is in memory reaches no disk.
        if !write.isSynced && !session.isEphemeral && !isSyncWanted {
            isSyncWanted = true
            archives.syncs.want(turn) { [weak self] in self?.takeUnsynced() ?? false }
        }
        let change = StorePieces(
            turnRow: turn, first: write.first, pieces, write.isSynced ? .full : .normal)
        archives.write(change, of: session) { [weak self] result in
            guard let self else { return }
            if log.stored(write) { report(.resume) }
            switch result {
            case .success: report(.stored(write.end))
            case .failure(let error): report(.failed(error))
            }
        }
    }

    /// Whether there is something that is not on the disk, which is brought there now.
    private func takeUnsynced() -> Bool {
        isSyncWanted = false
        return log.syncDue()
    }

    /// The answer is whole, or given up: what is not on the disk gets there with the turn's end.
    func end() { archives.syncs.forget(turn) }
}
