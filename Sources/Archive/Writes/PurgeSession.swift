/// Takes a session out of everybody's sight for good; what it holds goes in the background, and `Store.purged` says when.
package struct PurgeSession: ArchiveWrite {
    /// Whether it was there, as it was chosen, and no turn of it is open.
    package typealias Output = Bool
    package let row: SessionRow
    /// Whether only one in the trash is meant.
    package let onlyTrashed: Bool
    /// Its place in the order of changes when it was chosen: one that changed since is left; nil for any.
    package let activity: Int64?

    package init(_ row: SessionRow, onlyTrashed: Bool = false, unchangedSince activity: Int64? = nil) {
        self.row = row
        self.onlyTrashed = onlyTrashed
        self.activity = activity
    }
}

/// What went with sessions that were purged.
package struct PurgeSum: Sendable, Equatable {
    package var sessions = 0
    /// Messages that are gone.
    package var messages = 0
    /// Bytes of the contents of those.
    package var bytes = 0
    /// Messages that other sessions hold too, and that stay.
    package var shared = 0
    package init() {}

    /// Both together.
    package static func + (a: PurgeSum, b: PurgeSum) -> PurgeSum {
        var sum = a
        sum.sessions += b.sessions
        sum.messages += b.messages
        sum.bytes += b.bytes
        sum.shared += b.shared
        return sum
    }
}
