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
        /// The looks of each, and whose turn it is when.
        var lines: [UserID?: ArraySlice<ReadJob>] = [:]
        var order: ArraySlice<UserID?> = []
        var isClosed = false

        /// The next of a line that passes; the line goes behind the others.
        mutating func take(where passes: (ReadJob) -> Bool = { _ in true }) -> ReadJob? {
            guard let place = order.firstIndex(where: { lines[$0]?.contains(where: passes) ?? false }) else {
                return nil
            }
            let asker = order.remove(at: place)
            guard let index = lines[asker]?.firstIndex(where: passes) else { return nil }
            let job = lines[asker]?.remove(at: index)
            if lines[asker]?.isEmpty ?? true { lines[asker] = nil } else { order.append(asker) }
            return job
        }
    }
    private let state = Locked(State())

    func add(_ job: ReadJob) {
        state.change {
            if $0.lines[job.asker] == nil { $0.order.append(job.asker) }
            $0.lines[job.asker, default: []].append(job)
        }
    }

    func close() { state.change { $0.isClosed = true } }

    /// The next one, waited for; nil when the queue is closed and empty.
    func next() -> ReadJob? {
        let found: ReadJob?? = state.wait(milliseconds: -1) { state -> ReadJob?? in
            if let job = state.take() { return .some(job) }
            return state.isClosed ? .some(nil) : .none
        }
        return found ?? nil
    }

    /// One of each user's that pass, without waiting.
    func takeRound(where passes: (ReadJob) -> Bool) -> [ReadJob] {
        state.withLock { state in
            var taken: [ReadJob] = []
            for _ in state.order.indices {
                guard
                    let job = state.take(where: { job in
                        passes(job) && !taken.contains { $0.asker == job.asker }
                    })
                else { break }
                taken.append(job)
            }
            return taken
        }
    }
}
