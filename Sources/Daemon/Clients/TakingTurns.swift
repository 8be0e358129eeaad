internal import Conversation
internal import EventLoop
internal import Posix

/// Whose requests are looked at next, so that nobody waits long for those who ask without end.
///
/// While there is time everyone is served at once. When a turn of the loop is full, those with something to say stand in a
/// line in which one client of each user is heard after the other; what is no part of a conversation (lists, previews, descriptions, new
/// sessions, long answers that are read) is put off to a second line with a share of its own, and so is who says nothing that
/// anybody understands, or is in the middle of a long line. So a short prompt waits for nothing but other clients' reading,
/// however many of them ask for something large.
final class TakingTurns {
    /// Nanoseconds a turn of the loop for each line, and for those who are served at once.
    ///
    /// Short, since a prompt takes some turns of the loop until its answer is there.
    private static let share: UInt64 = 300_000
    /// Nanoseconds after which the second line has its share also while there is something else to do.
    private static let longestWait: UInt64 = 5_000_000
    /// The same while the store has much to do.
    private static let longestPendingWait: UInt64 = 10_000_000
    /// Nanoseconds that the second line rests at most behind one that took long, and those for which somebody who was heard is
    /// thought to have more to say.
    private static let longestRest: UInt64 = 50_000_000, memory: UInt64 = 100_000_000
    /// Changes on their way to the store at which the second line waits.
    private static let mostPending = 32

    private let loop: EventLoop
    private let pending: () -> Int
    private var heard = UserLines<Connection>()
    private var putOff = UserLines<Connection>()
    private var isDue = false
    /// What it is due by where that is not the next turn of the loop.
    private var late: EventLoop.TimerID?
    private var lastPutOff: UInt64 = 0
    /// When the first client of this turn of the loop was served at once; nil before that.
    private var began: UInt64?
    /// When one of the second line's was served at once in this turn of the loop.
    private var beganPutOff: UInt64?
    /// When somebody was heard last, and until when the second line rests for those.
    private var lastHeard: UInt64 = 0
    private var restsUntil: UInt64 = 0

    /// `pending` is how many changes are on their way to the store.
    init(loop: EventLoop, pending: @escaping () -> Int) {
        self.loop = loop
        self.pending = pending
    }

    /// Whether some wait for their turn.
    var isCrowded: Bool { !heard.isEmpty || !putOff.isEmpty }

    /// Whether a client that has something to say may be served at once; else it is called when its turn has come.
    func isNext(_ connection: Connection, isPutOff: Bool) -> Bool {
        if connection.isInLine { return false }
        let now = loop.now
        endPutOff(now)
        guard !isCrowded, now &- (began ?? now) < TakingTurns.share, !isPutOff || !isResting(now) else {
            join(connection, isPutOff: isPutOff)
            return false
        }
        began = began ?? now
        if isPutOff { beganPutOff = now } else { lastHeard = now }
        return true
    }

    /// A turn of the loop is over.
    func turnEnded() {
        began = nil
        if beganPutOff != nil { endPutOff(loop.now) }
    }

    /// Behind one of the second line that could not be cut short the others have as long for themselves, where there are such.
    private func endPutOff(_ now: UInt64) {
        guard let start = beganPutOff.take() else { return }
        let took = now &- start
        if took > TakingTurns.share { restsUntil = now &+ min(took, TakingTurns.longestRest) }
    }

    private func isResting(_ now: UInt64) -> Bool {
        now < restsUntil && now &- lastHeard < TakingTurns.memory
    }

    /// Puts a client that has more to do behind the others.
    func join(_ connection: Connection, isPutOff: Bool) {
        if connection.isInLine { return }
        connection.isInLine = true
        let user = UserID(connection.peer.uid)
        if isPutOff { putOff.append(connection, of: user) } else { heard.append(connection, of: user) }
        // Who is heard waits for no rest of the second line.
        if let timer = late, !isPutOff {
            loop.cancel(timer)
            isDue = false
        }
        if !isDue { arm(after: 0) }
    }

    private func arm(after milliseconds: Int) {
        isDue = true
        let timer = loop.after(milliseconds: milliseconds) { [weak self] in self?.serve() }
        late = milliseconds > 0 ? timer : nil
    }

    private func serve() {
        isDue = false
        late = nil
        endPutOff(loop.now)
        if !heard.isEmpty { lastHeard = loop.now }
        serve(heard.count, isPutOff: false) { heard.popFirst() }
        if !putOff.isEmpty, mayServePutOff {
            let start = loop.now
            (lastPutOff, beganPutOff) = (start, start)
            serve(putOff.count, isPutOff: true) { putOff.popFirst() }
            endPutOff(loop.now)
        }
        guard isCrowded && !isDue else { return }
        let mayWait = heard.isEmpty && (pending() >= TakingTurns.mostPending || isResting(loop.now))
        arm(after: mayWait ? 1 : 0)
    }

    /// The second line gets the turns in which nothing else is to do, and one from time to time.
    private var mayServePutOff: Bool {
        if isResting(loop.now) { return false }
        guard pending() < TakingTurns.mostPending else {
            return loop.now &- lastPutOff > TakingTurns.longestPendingWait
        }
        return loop.isQuiet || loop.now &- lastPutOff > TakingTurns.longestWait
    }

    private func serve(_ count: Int, isPutOff: Bool, _ next: () -> Connection?) {
        let start = loop.now
        for _ in 0..<count {
            guard let connection = next() else { return }
            connection.isInLine = false
            connection.serve(runsSteps: isPutOff)
            if loop.now &- start >= TakingTurns.share { return }
        }
    }
}
