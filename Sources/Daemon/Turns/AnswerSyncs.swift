internal import Archive
internal import EventLoop

/// Brings the pieces of running answers to the disk in time: those of all answers by one commit, which costs the same however
/// many there are.
final class AnswerSyncs {
    /// Milliseconds after which a piece is on the disk in any case.
    static let pause = 250

    private let loop: EventLoop
    private let sync: (TurnRow) -> Void
    private var waiting: [TurnRow: () -> Bool] = [:]
    private var timer: EventLoop.TimerID?

    /// `sync` makes a commit that reaches the disk, and with it all before it; it changes something of the turn, which runs.
    init(_ loop: EventLoop, sync: @escaping (TurnRow) -> Void) {
        self.loop = loop
        self.sync = sync
    }

    /// Pieces of a turn are stored, or on their way there, that are not on the disk: once until `take` is called, which tells
    /// whether there are some still when the time has come, and counts them as brought there.
    func want(_ turn: TurnRow, _ take: @escaping () -> Bool) {
        waiting[turn] = take
        guard timer == nil else { return }
        timer = loop.after(milliseconds: AnswerSyncs.pause) { [weak self] in self?.syncAll() }
    }

    /// A turn ends, and brings its pieces to the disk by itself.
    func forget(_ turn: TurnRow) {
        waiting[turn] = nil
        guard waiting.isEmpty, let timer else { return }
        loop.cancel(timer)
        self.timer = nil
    }

    private func syncAll() {
        timer = nil
        let all = waiting
        waiting = [:]
        // Each is asked: all of them are brought there.
        let unsynced = all.filter { $0.value() }
        if let turn = unsynced.keys.min(by: { $0.number < $1.number }) { sync(turn) }
    }
}
