internal import EventLoop

/// Whose requests are looked at next, so that nobody waits long for those who ask without end.
///
/// While there is time everyone is served at once. When a turn of the loop is full, those with something to say stand in a
/// line in which they are heard one after the other; what is no part of a conversation (lists, previews, descriptions, new
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
    private static let longestPendingWait: UInt64 = 50_000_000
    /// Changes on their way to the store at which the second line waits.
    private static let mostPending = 32

    private let loop: EventLoop
    private let pending: () -> Int
    private var heard = Fifo<Connection>()
    private var putOff = Fifo<Connection>()
    private var isDue = false
    private var lastPutOff: UInt64 = 0
    /// When the first client of this turn of the loop was served at once; nil before that.
    private var began: UInt64?

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
        guard !isCrowded, now &- (began ?? now) < TakingTurns.share else {
            join(connection, isPutOff: isPutOff)
            return false
        }
        began = began ?? now
        return true
    }

    /// A turn of the loop is over.
    func turnEnded() { began = nil }

    /// Puts a client that has more to do behind the others.
    func join(_ connection: Connection, isPutOff: Bool) {
        if connection.isInLine { return }
        connection.isInLine = true
        if isPutOff { putOff.append(connection) } else { heard.append(connection) }
        if !isDue { arm(after: 0) }
    }

    private func arm(after milliseconds: Int) {
        isDue = true
        loop.after(milliseconds: milliseconds) { [weak self] in self?.serve() }
    }

    private func serve() {
        isDue = false
        serve(heard.count, isPutOff: false) { heard.popFirst() }
        if mayServePutOff {
            lastPutOff = loop.now
            serve(putOff.count, isPutOff: true) { putOff.popFirst() }
        }
        if isCrowded && !isDue { arm(after: heard.isEmpty && pending() >= TakingTurns.mostPending ? 1 : 0) }
    }

    /// The second line gets the turns in which nothing else is to do, and one from time to time.
    private var mayServePutOff: Bool {
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
