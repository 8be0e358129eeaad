internal import Conversation
internal import EventLoop
internal import Posix

/// Whose long lines are taken next: few are worked on at one time, of one user after the other, and behind them the others have
/// as long for themselves.
///
/// So what brings little waits for one commit of what brings much, and not for all that clients think of. A client whose line
/// waits is not heard meanwhile: to it and to all else it is as though the line had come later.
final class LargeLines {
    /// Bytes of them that are worked on together; a commit of so many takes a few milliseconds.
    private static let together = 256 << 10
    /// Nanoseconds after which they are waited for no more: what they ask may take as long as it likes.
    private static let patience: UInt64 = 100_000_000
    /// Nanoseconds of rest behind them at most, and those for which who brought little is thought to bring more.
    private static let longestRest: UInt64 = 50_000_000, memory: UInt64 = 100_000_000

    private enum State { case free, busy, resting }

    private let loop: EventLoop
    private var state = State.free
    private var waiting = UserLines<Connection>()
    /// Lines that are worked on and their bytes, since when, and what bounds that.
    private var running = 0, bytes = 0
    private var began: UInt64 = 0
    private var timer: EventLoop.TimerID?
    /// When a short line was taken last.
    private var lastShort: UInt64 = 0

    init(loop: EventLoop) { self.loop = loop }

    /// A short line is taken.
    func noteShort() { lastShort = loop.now }

    /// Whether a line of so many bytes may be taken at once; else its client is told when it may.
    func mayTake(_ count: Int, of connection: Connection) -> Bool {
        guard state != .resting, waiting.isEmpty, running == 0 || bytes + count <= LargeLines.together else {
            waiting.append(connection, of: UserID(connection.peer.uid))
            return false
        }
        take(count)
        return true
    }

    private func take(_ count: Int) {
        running += 1
        bytes += count
        if state == .busy { return }
        state = .busy
        began = loop.now
        timer = loop.after(nanoseconds: LargeLines.patience) { [weak self] in self?.end() }
    }

    /// What one of them asked for is stored or answered.
    func ended() {
        guard state == .busy else { return }
        running -= 1
        if running == 0 { end() }
    }

    private func end() {
        if let timer = timer.take() { loop.cancel(timer) }
        (running, bytes) = (0, 0)
        let now = loop.now
        guard !waiting.isEmpty else {
            state = .free
            return
        }
        state = .resting
        let rest = now &- lastShort < LargeLines.memory ? min(now &- began, LargeLines.longestRest) : 0
        loop.after(nanoseconds: rest) { [weak self] in self?.goOn() }
    }

    private func goOn() {
        state = .free
        while bytes < LargeLines.together, let connection = waiting.popFirst() {
            // One that has gone has none any more.
            if let count = connection.admit() { take(count) }
        }
    }
}
