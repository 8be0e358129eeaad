internal import Archive

/// Which of the writer's background work fails, each kind by itself: it is tried again later, while the others go on, and told
/// once where that is no matter of a moment.
struct Setbacks {
    /// Nanoseconds until what failed is tried again, and what met damage, which will not be whole in a moment.
    private static let patience: UInt64 = 1_000_000_000, damagePatience: UInt64 = 10_000_000_000
    /// Nanoseconds that another program may be in the way before that is told.
    private static let busyPatience: UInt64 = 10_000_000_000

    /// One kind that has failed and not gone well since.
    private struct Setback {
        /// Since when, and when it is tried again, in monotonic nanoseconds.
        let since: UInt64
        var due: UInt64
        var isTold = false
    }

    private var all: [Int: Setback] = [:]

    /// Whether a kind waits for another try.
    func waits(_ kind: Int, at now: UInt64) -> Bool { all[kind].map { $0.due > now } ?? false }

    /// When the next is tried again; nil where none failed.
    var due: UInt64? { all.values.map(\.due).min() }

    /// A kind went well.
    mutating func succeeded(_ kind: Int) { all[kind] = nil }

    /// A kind failed; true where that is to be told.
    mutating func failed(_ kind: Int, _ code: ArchiveError.Code, at now: UInt64) -> Bool {
        var setback = all[kind] ?? Setback(since: now, due: now)
        let isFirst = setback.since == now
        setback.due = now &+ (code == .corrupt ? Setbacks.damagePatience : Setbacks.patience)
        defer { all[kind] = setback }
        let isOfAMoment =
            code == .busy ? now &- setback.since < Setbacks.busyPatience : isFirst && code != .corrupt
        if setback.isTold || isOfAMoment { return false }
        setback.isTold = true
        return true
    }

    /// Somebody new waits for what is left to do, and is to be told as those before were.
    mutating func tellAgain() { for kind in all.keys { all[kind]?.isTold = false } }
}
