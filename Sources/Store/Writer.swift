internal import Archive
internal import Conversation
internal import Posix

/// The one connection that writes, on its own thread.
///
/// Changes that arrive while a commit is on its way share the next transaction, each undone by itself where it fails, and are
/// answered together after the commit.
package final class Writer {
    struct Answer: Sendable {
        let token: UInt64
        let result: Result<any Sendable, ArchiveError>
    }

    let database: Database
    private let clock: @Sendable () -> Int64
    private let isAlwaysFull: Bool
    private var synchronous: Durability?
    private var log: WriteAheadLog
    private var room: LogRoom
    private var space: DatabaseRoom
    private var pageSize: Int64 = 4_096
    private var activity: Int64
    /// The newest branch's number; none is used again while the daemon runs, since what was looked up may be old.
    private var branch: Int64
    private var changed: Set<SessionRow> = []
    private var files: OpenFiles
    var slot = BackgroundSlot()
    var setbacks = Setbacks()
    private let work: [any BackgroundWork]
    private let removal = SessionRemoval()
    var backups = BackupLine()
    /// Which work is looked at first, so that none waits for another to have nothing to do.
    private var nextWork = 0
    /// Where the newest block of turns that are read in ends.
    private var turnBlock: Int64 = 0
    /// The newest session's number.
    private var session: SessionRow
    /// Whether messages are indexed by what they say.
    private let isIndexing: Bool
    /// The newest message's place in the order of storing; none is used again.
    private var arrival: Int64
    /// Whether a commit went into files that nobody will find again.
    private var isLost = false

    init(
        path: String, version: Int, durability: Durability, firstRow: SessionRow = SessionRow(1),
        index: SearchIndexing? = SearchIndexing(), most: Int? = nil, clock: @escaping @Sendable () -> Int64
    ) throws(ArchiveError) {
        database = try Database(path: path, .writing)
        files = OpenFiles(path)
        log = WriteAheadLog()
        room = LogRoom(path + "-wal")
        space = DatabaseRoom(path)
        database.setPatience(milliseconds: 10_000)  // another program may be at it; the loop does not run yet
        self.clock = clock
        isIndexing = index != nil
        work = [BranchRemoval(), removal, IndexMerging(), FileShrinking()] + (index.map { [$0] } ?? [])
        isAlwaysFull = durability == .full
        try database.execute(
            """
            PRAGMA auto_vacuum = INCREMENTAL;
            PRAGMA journal_mode = WAL;
            PRAGMA foreign_keys = ON;
            PRAGMA secure_delete = FAST;
            PRAGMA temp_store = MEMORY;
            PRAGMA cache_size = -4000;
            PRAGMA wal_autocheckpoint = 0;
            PRAGMA journal_size_limit = 67108864;
            """, doing: "open database '\(path)'")
        try Migrations.migrate(database, from: version, path: path)
        if let most {
            let page = try database.integer("PRAGMA page_size", doing: "look at the file")
            try database.execute(
                "PRAGMA max_page_count = \(max(1, Int64(most) / page))", doing: "bound database '\(path)'")
        }
        let newestSession = try database.integer(
            "SELECT max((SELECT ifnull(max(id), 0) FROM session), (SELECT ifnull(max(session), 0) FROM usage INDEXED BY usage_session))",
            doing: "number sessions")
        session = SessionRow(max(newestSession, firstRow.number - 1))
        var newest: Int64 = 0
        for owner in try database.owners() {
            let last = try database.integer(
                "SELECT activity FROM session INDEXED BY session_recent WHERE owner = ? AND activity < ? ORDER BY activity DESC LIMIT 1",
                [.user(owner), Bound(Row.mostActivity)], doing: "read the newest activity")
            newest = max(newest, last)
        }
        activity = max(newest, 0)
        branch = try database.integer("SELECT ifnull(max(id), 0) FROM branch", doing: "number branches")
        try database.renewIndex()
        arrival = max(try database.newestArrival(), try database.searchMark())
        try abandonImports()
        log.wrote(database.pagesWritten)
        pageSize = try database.integer("PRAGMA page_size", doing: "look at the file")
        database.gatherWrites()
        space.moved()
        _ = files.look()
        database.setPatience(milliseconds: 0)
    }

    /// Milliseconds since 1970, for what is written now.
    var now: Int64 { clock() }

    /// The next number in the order of changes, for a session that changes now.
    func nextActivity(of session: SessionRow) -> Int64 {
        changed.insert(session)
        return nextActivity()
    }

    /// The next number for a session whose row is not known yet; `noteChange` follows.
    ///
    /// It is the time where that is later than the number before, so that nobody reads off their own how much others change.
    func nextActivity() -> Int64 {
        activity = max(activity + 1, min(now, Int64(Timestamp.range.upperBound)))
        return activity
    }

    /// The number of the next session; none is used again, though its session is gone.
    func nextRow() -> SessionRow {
        session = SessionRow(session.number &+ 1)
        return session
    }

    /// Numbers of turns that are read in go down from here, and nobody else has them.
    func nextTurnBlock() throws(ArchiveError) -> Int64 {
        let newest = try database.integer("SELECT ifnull(max(id), 0) FROM turn", doing: "number turns")
        turnBlock = max(turnBlock, newest) &+ Int64(UInt32.max)
        return turnBlock
    }

    /// The number of the next branch.
    func nextBranch() -> BranchRow {
        branch += 1
        return BranchRow(branch)
    }

    /// The next message's place in the order of storing; it will be indexed.
    func nextArrival() -> Int64 {
        arrival += 1
        if isIndexing { slot.want(in: SearchIndexing.patience, now: Machine.monotonic()) }
        return arrival
    }

    func noteChange(of session: SessionRow) { changed.insert(session) }

    /// Sessions that changed since this was asked last.
    private func takeChanged() -> Set<SessionRow> {
        defer { changed = [] }
        return changed
    }

    /// Takes jobs until the queue is closed; `answer` is called with the answers of each commit, `grown` with the bytes of a
    /// WAL that another program keeps from being moved into the database.
    func serve(
        _ queue: WorkQueue<WriteJob>, _ answer: ([Answer], _ changed: Set<SessionRow>) -> Void,
        grown: (_ bytes: Int) -> Void, purged: ([SessionRow: PurgeSum]) -> Void,
        heldUp: (HeldUp) -> Void,
        backedUp tell: (String, Result<Int, ArchiveError>) -> Void
    ) {
        while let jobs = queue.take(milliseconds: pause) {
            if !jobs.isEmpty {
                let answers = perform(jobs, queue)
                answer(answers, takeChanged())
            }
            if slot.isDue(now: Machine.monotonic()) {
                if let held = doBackgroundWork(isBusy: !jobs.isEmpty) { heldUp(held) }
                for (path, result) in backups.takeEnded() { tell(path, result) }
                if hasPurged {
                    hasPurged = false
                    purged(removal.takeSums())
                }
            } else if jobs.isEmpty && (!slot.isWanted || slot.isHeldUp) {
                checkpoint(log.idleWay)
            }
            log.wrote(database.pagesWritten)
            if let way = log.busyWay { checkpoint(way) }
            if let bytes = log.takeGrowth() { grown(bytes) }
        }
        finish()
    }

    /// Milliseconds until something is to be done without a change; -1 for never.
    private var pause: Int32 {
        guard let work = slot.pause(now: Machine.monotonic()) else { return log.pause }
        return log.pause < 0 ? work : min(work, log.pause)
    }

    /// There may be work that nobody waits for.
    func wantBackgroundWork() {
        slot.want()
        setbacks.tellAgain()
    }

    /// What is numbered among the setbacks beside the kinds of work: the look after the files, and the cut behind a purge.
    static let filesNumber = -1, cutNumber = -2

    /// Does a step of the first work of which something is left; what fails is tried again later, and is returned where
    /// somebody should know of it.
    private func doBackgroundWork(isBusy: Bool) -> HeldUp? {
        let start = Machine.monotonic()
        var kind = Writer.filesNumber
        do throws(ArchiveError) {
            if isLost, let gone = files.look() { throw gone }
            setbacks.succeeded(kind)
            kind = Writer.cutNumber
            isCutsTurn.toggle()
            if isCutsTurn, try endPurge(from: start, isBusy: isBusy) { return nil }
            // A copy takes turns with all else.
            isCopysTurn.toggle()
            let found = isCopysTurn && backups.isWanted ? nil : try firstWork(at: start, &kind)
            guard let found else {
                kind = Writer.cutNumber
                if backups.isWanted {
                    copySome(from: start, isBusy: isBusy)
                } else if try !endPurge(from: start, isBusy: isBusy) {
                    rest()
                }
                return nil
            }
            let next = work[found]
            try setSynchronous(.normal)
            let pace = try next.pace(in: database)
            try database.run("BEGIN IMMEDIATE", doing: "begin")
            try next.step(in: database, until: isTight ? start : start &+ pace.step)
            try keepRoom(isFreeing: true)
            try database.run("COMMIT", doing: "commit")
            next.committed()
            if isTight { stepTightly() }
            setbacks.succeeded(kind)
            slot.stepped(from: start, to: Machine.monotonic(), pace, isBusy: isBusy)
            return nil
        } catch {
            // One that fails leaves the transaction open, and the next job's BEGIN says so.
            if !database.isAutocommit { try? database.run("ROLLBACK", doing: "roll back") }
            if error.code == .full, !isTight {
                // The log has little room: it is moved, and the next steps are as small as they can be.
                stepTightly()
                isTight = true
                slot.stepped(from: start, to: Machine.monotonic(), BackgroundSlot.Pace(), isBusy: isBusy)
                return nil
            }
            let isPurge = kind >= 0 ? work[kind].isOfPurge : true
            let isTold = setbacks.failed(kind, error.code, at: start)
            // The other kinds go on in a moment, and who is left waits.
            slot.stepped(from: start, to: Machine.monotonic(), BackgroundSlot.Pace(), isBusy: isBusy)
            if kind == Writer.filesNumber { rest() }
            return isTold ? HeldUp(error: error, isPurge: isPurge) : nil
        }
    }

    /// Whether the log has little room to grow, so that each step of a work is moved at once.
    private var isTight = false

    private func stepTightly() {
        checkpoint(.passive)
        isTight = space.isShort
    }

    /// A copy is wanted.
    func beginBackup(to path: String) {
        backups.add(path)
        slot.want()
    }

    /// Copies some of the database.
    private func copySome(from start: UInt64, isBusy: Bool) {
        backups.step(of: database, until: start &+ BackgroundSlot.step)
        slot.stepped(from: start, to: Machine.monotonic(), .whileSomebodyWaits, isBusy: isBusy)
    }

    /// The number of the first work of which something is left and that does not wait for another try; `kind` is which was
    /// looked at last.
    private func firstWork(at time: UInt64, _ kind: inout Int) throws(ArchiveError) -> Int? {
        for number in work.indices {
            let one = (nextWork + number) % work.count
            if setbacks.waits(one, at: time) { continue }
            kind = one
            if try work[one].isLeft(in: database) {
                nextWork = (one + 1) % work.count
                return one
            }
            setbacks.succeeded(one)
        }
        return nil
    }

    /// Nothing is left to do now; what failed is tried again later.
    private func rest() {
        if let due = setbacks.due { slot.wait(until: due) } else { slot.rest() }
    }

    /// Why the log could not be looked at when it was moved last; nil where it could.
    var checkpointFailure: ArchiveError?
    /// Whether the copy that is being made comes first now.
    private var isCopysTurn = false
    /// Whether the end of a purge comes first now.
    private var isCutsTurn = false
    let cleaning = PageCleaning()
    /// What SQLite says of commits of others, at the last step of a cleaning.
    var dataVersion: Int64 = 0

    /// Whether a purge came to its end since somebody was told.
    var hasPurged = false

    /// Moves all that is in the WAL into the database, so that nothing stays beside it that could be taken for the WAL of
    /// another file, and closes the connection.
    private func finish() {
        backups.abandon()
        database.setPatience(milliseconds: Writer.lastPatience)
        checkpoint(.truncate)
        database.close()
    }

    /// Milliseconds that the checkpoint behind a purge waits for looks that have begun.
    static let cutPatience = 50
    /// Milliseconds that the last checkpoint waits for other programs that read.
    private static let lastPatience = 500
    /// Nanoseconds that a change waits for a program that holds the write lock, from when it was handed over.
    private static let patience: UInt64 = 10_000_000_000
    /// Milliseconds between two looks whether it does still.
    private static let pause: Int32 = 20

    private func perform(_ jobs: [WriteJob], _ queue: WorkQueue<WriteJob>) -> [Answer] {
        lastFailure = ArchiveError(.other, "commit", reason: "the commit failed")
        var rest = jobs, failed: [Answer] = []
        while !rest.isEmpty {
            if let answers = together(rest) { return failed + answers }
            guard lastFailure.code == .busy, database.isAutocommit else { break }
            // All of them wait for the same lock: none is tried by itself, and each waits its own time.
            let now = Machine.monotonic(), isLast = queue.mustHurry
            let late = rest.filter { isLast || now &- $0.at >= Writer.patience }
            failed += late.map { Answer(token: $0.token, result: .failure(lastFailure)) }
            rest.removeAll { job in late.contains { $0.token == job.token } }
            if !rest.isEmpty { queue.pause(milliseconds: Writer.pause) }
        }
        if rest.isEmpty { return failed }
        if lastFailure.code == .full {
            // The WAL may be what fills the disk: its pages fit into the database, and then there is room again.
            checkpoint(.truncate)
            if let answers = together(rest) { return failed + answers }
        }
        // SQLite ended the transaction by itself (as on a full disk), or the commit failed: each job for itself.
        return failed
            + rest.flatMap { together([$0]) ?? [Answer(token: $0.token, result: .failure(lastFailure))] }
    }

    private var lastFailure = ArchiveError(.other, "commit", reason: "the commit failed")
    /// Pages that the file had, or will have once the log is moved, at the last look.
    private var pages: Int64 = 0

    /// Before a commit: its pages must have room in the file.
    private func keepRoom(isFreeing: Bool = false) throws(ArchiveError) {
        pages = try database.integer("PRAGMA page_count", doing: "look at the file")
        try space.provide(pages * pageSize, isFreeing: isFreeing)
    }

    /// One transaction over all jobs; nil when it could not be committed, with the reason in `lastFailure`.
    private func together(_ jobs: [WriteJob]) -> [Answer]? {
        if isLost, let gone = files.look() { return fail(jobs, gone) }
        isLost = false
        do {
            let isFull = isAlwaysFull && jobs.contains { $0.durability == .full }
            try setSynchronous(isFull ? .full : .normal)
            if !isFull, jobs.count == 1, jobs[0].isOneStatement, space.hasSlack(for: pages * pageSize) {
                return byItself(jobs[0])
            }
            try database.run("BEGIN IMMEDIATE", doing: "begin")
            if isAlwaysFull { room.provide(behind: log.bytes) }
            var answers: [Answer] = []
            for job in jobs {
                let result =
                    jobs.count == 1 ? alone(job) : job.isOneStatement ? asStatement(job) : inSavepoint(job)
                if database.isAutocommit {
                    if case .failure(let error) = result { lastFailure = error }
                    return jobs.count == 1 && lastFailure.code != .full
                        ? [Answer(token: job.token, result: result)] : nil
                }
                answers.append(Answer(token: job.token, result: result))
            }
            try keepRoom()
            // What is refused is not there either when the file comes back.
            if jobs.contains(where: { $0.durability == .full }), let gone = files.look() {
                try database.run("ROLLBACK", doing: "roll back")
                return lose(jobs, gone)
            }
            try database.run("COMMIT", doing: "commit")
            if let gone = files.look() { return lose(jobs, gone) }
            return answers
        } catch {
            lastFailure = error
            // One that fails leaves the transaction open, and the next job's BEGIN says so.
            if !database.isAutocommit { try? database.run("ROLLBACK", doing: "roll back") }
            return nil
        }
    }

    /// One statement, as most pieces of answers are: it is a transaction without saying so, which spares two statements.
    private func byItself(_ job: WriteJob) -> [Answer]? {
        let result = asStatement(job)
        if case .failure(let error) = result {
            lastFailure = error
            return nil
        }
        if let gone = files.look() { return lose([job], gone) }
        return [Answer(token: job.token, result: result)]
    }

    /// What was to be committed, or was just now, is where nobody will find it; what was before is kept where that can be.
    private func lose(_ jobs: [WriteJob], _ gone: ArchiveError) -> [Answer] {
        isLost = true
        room.close()
        // The WAL alone has what was committed since the last checkpoint, and it is open still.
        if files.hasDatabase() { checkpoint(.truncate) }
        return fail(jobs, gone)
    }

    private func fail(_ jobs: [WriteJob], _ error: ArchiveError) -> [Answer] {
        jobs.map { Answer(token: $0.token, result: .failure(error)) }
    }

    private func alone(_ job: WriteJob) -> Result<any Sendable, ArchiveError> {
        let result = Result { () throws(ArchiveError) in try job.run(self) }
        if case .failure = result, !database.isAutocommit {
            // As above: what is left open fails the next job.
            try? database.run("ROLLBACK", doing: "roll back")
        }
        return result
    }

    /// A statement that fails leaves nothing behind (SQLite's ON CONFLICT ABORT, lang_conflict.html), so it needs no savepoint.
    private func asStatement(_ job: WriteJob) -> Result<any Sendable, ArchiveError> {
        Result { () throws(ArchiveError) in try job.run(self) }
    }

    private func inSavepoint(_ job: WriteJob) -> Result<any Sendable, ArchiveError> {
        do throws(ArchiveError) {
            try database.run("SAVEPOINT job", doing: "begin a change")
            let result = try job.run(self)
            try database.run("RELEASE job", doing: "end a change")
            return .success(result)
        } catch {
            if !database.isAutocommit {
                // Where either fails the whole transaction does, at its COMMIT.
                try? database.run("ROLLBACK TO job", doing: "undo a change")
                try? database.run("RELEASE job", doing: "end a change")  // as the line above
            }
            return .failure(error)
        }
    }

    /// Set between transactions only; SQLite ignores it inside one.
    func setSynchronous(_ wanted: Durability) throws(ArchiveError) {
        if synchronous == wanted { return }
        switch wanted {
        case .full: try database.run("PRAGMA synchronous = FULL", doing: "set synchronous")
        case .normal: try database.run("PRAGMA synchronous = NORMAL", doing: "set synchronous")
        }
        synchronous = wanted
    }

    /// Moves the WAL's pages into the database as far as no reader stands in the way.
    ///
    /// True where all of them were moved.
    @discardableResult
    func checkpoint(_ way: WriteAheadLog.Way) -> Bool {
        var found: WriteAheadLog.Checkpoint?
        checkpointFailure = nil
        // Where it cannot be known which pages are moved, all are looked at again.
        do throws(ArchiveError) { try cleaning.willMove(database.log) } catch { cleaning.begin() }
        do throws(ArchiveError) {
            try database.rows(way.sql, doing: "checkpoint") { row in
                found = WriteAheadLog.Checkpoint(
                    isBlocked: row.int(0) != 0, frames: Int(row.int(1)), moved: Int(row.int(2)))
                return true
            }
        } catch { checkpointFailure = error }  // it is tried again with the next
        log.checkpointed(way, found, database.pagesWritten)
        space.moved()
        if case .truncate = way { room.cut() }
        return found?.isWhole ?? false
    }
}
