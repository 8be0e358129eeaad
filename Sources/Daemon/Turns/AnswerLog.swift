internal import Archive
internal import Conversation
internal import EventLoop
internal import Sessions
internal import Store

/// Writes the pieces of one turn's answer as they come, so that a crash loses little of them.
final class AnswerLog {
    /// Text that is not in the archive at which the upstream is made to wait, and pieces that must reach the disk.
    private static let bounds = PieceLog.Bounds(unstored: 1 << 20, unsynced: 4 << 10)
    /// Milliseconds after which they do so in any case.
    private static let syncPause = 250

    /// What the turn hears of its log.
    enum Report {
        /// The upstream must wait, or may go on.
        case pause, resume
        /// So many pieces of the turn are stored.
        case stored(Int)
        case failed(ArchiveError)
    }

    private let archives: Archives
    private let loop: EventLoop
    private let session: SessionRow
    private let turn: TurnRow
    private let report: (Report) -> Void
    private var log = PieceLog(AnswerLog.bounds)
    private var timer: EventLoop.TimerID?

    init(
        _ turn: TurnRow, of session: SessionRow, _ archives: Archives, _ loop: EventLoop,
        report: @escaping (Report) -> Void
    ) {
        self.turn = turn
        self.session = session
        self.archives = archives
        self.loop = loop
        self.report = report
    }

    func store(_ pieces: [Piece]) {
        let write = log.add(count: pieces.count, bytes: pieces.reduce(0) { $0 + $1.bytes.count })
        if write.pauses { report(.pause) }
        if !write.isSynced { startTimer() }
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

    /// The answer is whole, or given up: what is not on the disk gets there with the turn's end.
    func end() {
        if let timer { loop.cancel(timer) }
        timer = nil
    }

    private func startTimer() {
        guard timer == nil else { return }
        timer = loop.after(milliseconds: AnswerLog.syncPause) { [weak self] in
            guard let self else { return }
            timer = nil
            guard log.syncDue() else { return }
            // What fails here fails with the next pieces, or with the ending.
            archives.write(Sync(turnRow: turn), of: session) { _ in }
        }
    }
}
