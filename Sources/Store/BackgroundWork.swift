internal import Archive
internal import Conversation
internal import Posix

/// Work that nobody waits for: the writer does some of it in its slot between commits, in transactions of its own.
protocol BackgroundWork {
    /// Whether something is left to do, by a look that changes nothing.
    func isLeft(in database: Database) throws(ArchiveError) -> Bool
    /// How long a step of it is, and how much of the time it gets.
    func pace(in database: Database) throws(ArchiveError) -> BackgroundSlot.Pace
    /// Does some of it, inside a transaction, until `deadline` (nanoseconds) has passed.
    func step(in database: Database, until deadline: UInt64) throws(ArchiveError)
    /// What the last step did is committed.
    func committed()
    /// Whether somebody waits for it who purged something.
    var isOfPurge: Bool { get }
}

extension BackgroundWork {
    func pace(in database: Database) throws(ArchiveError) -> BackgroundSlot.Pace { .init() }
    func committed() {}
    var isOfPurge: Bool { false }
}

/// When the writer does some of the work that nobody waits for.
///
/// While changes come it gets a fifth of the time, or what its pace says, else half of it: a change waits for one step at
/// most.
struct BackgroundSlot {
    /// Nanoseconds of one step, about.
    static let step: UInt64 = 2_000_000

    /// How work is done.
    struct Pace {
        /// Nanoseconds of one step, about.
        var step = BackgroundSlot.step
        /// How many times as long as a step there is none after it, while changes come.
        var rest: UInt64 = 4
        /// The same while none come.
        var idleRest: UInt64 = 1

        /// While no changes come it gets all of the time.
        static let whileSomebodyWaits = Pace(idleRest: 0)
    }
    /// Whether there may be something to do.
    private(set) var isWanted = true
    /// Whether what is left waits for another try.
    private(set) var isHeldUp = false
    private var due: UInt64 = 0

    /// There is something to do.
    mutating func want() { isWanted = true }

    /// There is something to do that may wait for more of its kind.
    mutating func want(in milliseconds: UInt64, now: UInt64) {
        if isWanted { return }
        isWanted = true
        due = max(due, now &+ milliseconds * 1_000_000)
    }

    /// Nothing is left.
    mutating func rest() {
        isWanted = false
        isHeldUp = false
    }

    /// Milliseconds until the next step; nil when nothing is to be done.
    func pause(now: UInt64) -> Int32? {
        guard isWanted else { return nil }
        return due <= now ? 0 : Int32(clamping: (due - now) / 1_000_000 + 1)
    }

    func isDue(now: UInt64) -> Bool { isWanted && due <= now }

    /// A step took from `start` to `end`.
    mutating func stepped(from start: UInt64, to end: UInt64, _ pace: Pace, isBusy: Bool) {
        isHeldUp = false
        due = end &+ (end &- start) * (isBusy ? pace.rest : pace.idleRest)
    }

    /// What is left is tried again later.
    mutating func wait(until time: UInt64) {
        isHeldUp = true
        due = time
    }
}

/// Takes away the messages of branches that were deleted, and then the branches.
struct BranchRemoval: BackgroundWork {
    /// Messages of one statement.
    private static let few = 32

    func isLeft(in database: Database) throws(ArchiveError) -> Bool { try next(in: database) != nil }

    func step(in database: Database, until deadline: UInt64) throws(ArchiveError) {
        while let branch = try next(in: database) {
            guard try BranchRemoval.removeSome(of: branch, in: database, until: deadline),
                Machine.monotonic() < deadline
            else { return }
        }
    }

    /// A deleted branch in which no other begins: the newest, since those that begin in it are newer.
    private func next(in database: Database) throws(ArchiveError) -> BranchRow? {
        try database.first(
            """
            SELECT id FROM branch INDEXED BY branch_deleted
             WHERE deleted_at IS NOT NULL AND id > 0
               AND NOT EXISTS (SELECT 1 FROM branch child INDEXED BY branch_parent WHERE child.parent = branch.id)
             ORDER BY id DESC LIMIT 1
            """, [], doing: "find a deleted branch"
        ) { BranchRow($0.int(0)) }
    }

    /// Takes away a branch's messages from the newest on until `deadline` has passed; true when it is gone.
    static func removeSome(of branch: BranchRow, in database: Database, until deadline: UInt64)
        throws(ArchiveError) -> Bool
    {
        let keys = MessageKey.keys(of: branch)
        while true {
            let newest = try database.newest(few, of: keys)
            try database.removeMessages(newest)
            if newest.lowerBound == keys.lowerBound { break }
            if Machine.monotonic() >= deadline { return false }
        }
        try database.run("DELETE FROM branch WHERE id = ?", [.int(branch)], doing: "delete a branch")
        return true
    }
}

extension Database {
    /// The keys of the newest few messages of some; all keys where there are no more than that.
    func newest(_ few: Int, of keys: ClosedRange<Int64>) throws(ArchiveError) -> ClosedRange<Int64> {
        let key = try first(
            "SELECT key FROM message WHERE key BETWEEN ? AND ? ORDER BY key DESC LIMIT 1 OFFSET ?",
            [.int(keys.lowerBound), .int(keys.upperBound), Bound(few)], doing: "find messages to remove"
        ) { $0.int(0) }
        return (key ?? keys.lowerBound)...keys.upperBound
    }

    /// Removes messages, and what the index has of them.
    func removeMessages(_ keys: ClosedRange<Int64>) throws(ArchiveError) {
        try unindex(keys)
        try run(
            "DELETE FROM message WHERE key BETWEEN ? AND ?", [.int(keys.lowerBound), .int(keys.upperBound)],
            doing: "remove messages")
    }
}
