internal import Archive
internal import Conversation
internal import Posix

/// A read on its way to the reader.
struct ReadJob: Sendable {
    let token: UInt64
    /// Whose it is; nil for the daemon's own.
    let asker: UserID?
    /// Whether it takes a slice of time at most; others let such pass.
    let isShort: Bool
    let isCancelled: @Sendable () -> Bool
    let run: @Sendable (Reader) throws(ArchiveError) -> any Sendable

    func answer(_ reader: Result<Reader, ArchiveError>) -> Result<any Sendable, ArchiveError> {
        Result { () throws(ArchiveError) in try run(try reader.get()) }
    }
}

/// Looks for the reader's thread: those of one user in their order, and one of each user at a time.
final class ReadQueue: Sendable {
    private struct State {
        var lines = AskerLines<ReadJob>()
        var isClosed = false
    }
    private let state = Locked(State())

    func add(_ job: ReadJob) {
        state.change { $0.lines.add(job, of: job.asker) }
    }

    func close() { state.change { $0.isClosed = true } }

    /// The next one, waited for; nil when the queue is closed and empty.
    func next() -> ReadJob? {
        let found: ReadJob?? = state.wait(milliseconds: -1) { state -> ReadJob?? in
            if let job = state.lines.take() { return .some(job) }
            return state.isClosed ? .some(nil) : .none
        }
        return found ?? nil
    }

    /// One of each user's that pass, without waiting.
    func takeRound(where passes: (ReadJob) -> Bool) -> [ReadJob] {
        state.withLock { state in
            var taken: [ReadJob] = []
            for _ in 0..<state.lines.count {
                guard
                    let job = state.lines.take(where: { job in
                        passes(job) && !taken.contains { $0.asker == job.asker }
                    })
                else { break }
                taken.append(job)
            }
            return taken
        }
    }
}
