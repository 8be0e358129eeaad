internal import Conversation
internal import Posix

/// Changes that bring much with them: few are with the writer at a time, and behind each the others have as long for themselves,
/// so that a small one waits for one commit of theirs and not for all that clients think of.
struct LargeChanges {
    /// Bytes from which on a change is one of these, and those that go to the writer together.
    ///
    /// A commit of so many takes a few milliseconds.
    static let least = 16 << 10, together = 256 << 10
    /// Nanoseconds of rest behind them at most, and those for which who sent a small one is thought to send more.
    private static let longestRest: UInt64 = 50_000_000, memory: UInt64 = 100_000_000

    private enum State {
        case free
        /// Some are with the writer.
        case busy(tokens: Set<UInt64>, since: UInt64)
        case resting
    }

    private var state = State.free
    private var lines = AskerLines<WriteJob>()
    /// When a small change was sent last, in monotonic nanoseconds.
    private var lastSmall: UInt64 = 0

    /// Notes that a change is sent that brings little.
    mutating func noteSmall(at time: UInt64) { lastSmall = time }

    /// Puts one in line; gives those that go to the writer now.
    mutating func add(_ job: WriteJob, of asker: UserID?) -> [WriteJob] {
        lines.add(job, of: asker)
        guard case .free = state else { return [] }
        return next()
    }

    /// A change was answered; gives for how many nanoseconds the next ones wait, nil where it was not the last of these.
    mutating func answered(_ token: UInt64) -> UInt64? {
        guard case .busy(var tokens, let start) = state, tokens.remove(token) != nil else { return nil }
        guard tokens.isEmpty else {
            state = .busy(tokens: tokens, since: start)
            return nil
        }
        state = .resting
        let now = Machine.monotonic()
        return now &- lastSmall < LargeChanges.memory ? min(now &- start, LargeChanges.longestRest) : 0
    }

    /// Takes out the next ones, none where none waits.
    mutating func next() -> [WriteJob] {
        var jobs: [WriteJob] = [], bytes = 0
        // They wait for other programs from now on only.
        let now = Machine.monotonic()
        while var job = lines.take(where: { jobs.isEmpty || bytes + $0.bytes <= LargeChanges.together }) {
            job.at = now
            bytes += job.bytes
            jobs.append(job)
        }
        state = jobs.isEmpty ? .free : .busy(tokens: Set(jobs.map(\.token)), since: now)
        return jobs
    }
}
