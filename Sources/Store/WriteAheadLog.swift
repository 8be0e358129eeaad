/// What is known of the write-ahead log, and when its pages are to be moved into the database.
///
/// SQLite begins a log anew only when all of it was moved and nobody reads in it: a program that reads for a long time lets
/// it grow, and so does who never moves it (https://sqlite.org/wal.html, sections 2.3 and 6).
struct WriteAheadLog {
    /// How pages are moved.
    enum Way {
        /// As far as nobody reads there; waits for nobody.
        case passive
        /// The same, and where all was moved and nobody reads the file is cut to nothing.
        case truncate

        var sql: SQL {
            switch self {
            case .passive: "PRAGMA wal_checkpoint(PASSIVE)"
            case .truncate: "PRAGMA wal_checkpoint(TRUNCATE)"
            }
        }
    }

    /// What moving found: the row of `PRAGMA wal_checkpoint`.
    struct Checkpoint {
        let isBlocked: Bool
        /// Pages in the log, and how many of them are in the database now; -1 where nothing could be looked at.
        let frames: Int
        let moved: Int
        var isWhole: Bool { !isBlocked && frames == moved }
    }

    /// A page with its header in the log, in bytes.
    private static let page = 4_096 + 24
    /// Bytes that are written until pages are moved although more changes come.
    private static let step = 16 << 20
    /// Bytes of a log above which it is to be cut, and for each of which one is told.
    private static let most = 64 << 20
    /// Milliseconds without a change until pages are moved, and between tries to empty the log.
    private static let idle: Int32 = 100, patience: Int32 = 5_000

    /// Where the log stands once no more changes come.
    private enum Rest { case empty, moved, changed, blocked }
    private var rest = Rest.changed
    /// Pages in the log when it was looked at last, those of them that stay in it, and those written since.
    private var seen = 0, known = 0, written = 0
    private var counter = 0
    private var warnedSize = 0
    private var growth: Int?

    /// About the bytes of the log that count.
    var bytes: Int { (known + written) * WriteAheadLog.page }

    /// Milliseconds to wait for changes before something is done; -1 for ever.
    var pause: Int32 {
        switch rest {
        case .empty: -1
        case .changed: WriteAheadLog.idle
        case .moved, .blocked: WriteAheadLog.patience
        }
    }

    /// How pages are moved when nothing came for that long.
    var idleWay: Way { if case .moved = rest { .truncate } else { .passive } }

    /// How pages are moved between changes; nil when they are not.
    var busyWay: Way? {
        guard written * WriteAheadLog.page >= WriteAheadLog.step else { return nil }
        // Perhaps somebody was reading when the log was to begin anew.
        let pages = max(seen, known + written)
        return pages * WriteAheadLog.page >= WriteAheadLog.most ? .truncate : .passive
    }

    /// Takes note of commits, by how many pages were ever written.
    mutating func wrote(_ pages: Int) {
        guard pages != counter else { return }
        written += pages - counter
        counter = pages
        rest = .changed
    }

    mutating func checkpointed(_ way: Way, _ found: Checkpoint?, _ pages: Int) {
        counter = pages
        guard let found, found.frames >= 0 else {
            known += written
            written = 0
            rest = .blocked
            return
        }
        written = 0
        // A log that was moved whole begins anew with the next change.
        seen = found.frames
        known = found.isWhole ? 0 : found.frames
        rest = !found.isWhole ? .blocked : way == .truncate ? .empty : .moved
        if known * WriteAheadLog.page < WriteAheadLog.most { warnedSize = 0 }
        let size = bytes / WriteAheadLog.most
        if size > warnedSize {
            warnedSize = size
            growth = bytes
        }
    }

    /// Bytes of a log that grew past another bound since this was asked last; nil when it did not.
    mutating func takeGrowth() -> Int? {
        defer { growth = nil }
        return growth
    }
}
