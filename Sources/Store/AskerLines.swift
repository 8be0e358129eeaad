internal import Conversation

/// A line for each who asks: one of each at a time, those of one in their order.
struct AskerLines<Job: Sendable>: Sendable {
    /// Nil is the daemon's own.
    private var lines: [UserID?: ArraySlice<Job>] = [:]
    /// Whose turn it is when.
    private var order: ArraySlice<UserID?> = []

    /// How many have something in their line.
    var count: Int { order.count }

    mutating func add(_ job: Job, of asker: UserID?) {
        if lines[asker] == nil { order.append(asker) }
        lines[asker, default: []].append(job)
    }

    /// The next of a line that passes; the line goes behind the others.
    mutating func take(where passes: (Job) -> Bool = { _ in true }) -> Job? {
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
