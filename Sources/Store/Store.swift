package import Archive
package import Conversation
package import EventLoop
internal import Posix

/// A change that SQLite can make: it runs on the writer's thread, in a transaction with others.
package protocol LocalWrite: ArchiveWrite {
    /// Whether it is one statement, which is undone by itself where it fails; false unless said otherwise.
    var isOneStatement: Bool { get }
    /// Makes the change; what it throws rolls back this change alone.
    func run(on writer: Writer) throws(ArchiveError) -> Output
}

extension LocalWrite {
    package var isOneStatement: Bool { false }
}

/// A look that SQLite can answer: on the loop where it is bounded, to about 2,000 rows or 4 MiB and one row more, else on
/// the reader's thread.
package protocol LocalRead: ArchiveRead {
    /// Whether it takes several statements, which must see the same commits and so are one transaction; false unless said
    /// otherwise.
    var isSeveral: Bool { get }
    /// Looks; belongs to the thread of the reader.
    func run(on reader: Reader) throws(ArchiveError) -> Output
}

extension LocalRead {
    package var isSeveral: Bool { false }
}

/// An archive in SQLite, as the loop sees it (nothing above it sees SQL): everything is answered by a call on the loop, changes and long looks later, bounded
/// looks before `read` returns, made on the loop's own connection.
///
/// - Invariant: answers to changes come in the order in which they were sent.
package final class Store {
    private enum Letter: Sendable {
        case answer(UInt64, Result<any Sendable, ArchiveError>)
        /// Rows of sessions that a commit changed; it comes behind the answers of that commit.
        case changed(Set<SessionRow>)
        /// A copy has come to its end, with its bytes.
        case backedUp(String, Result<Int, ArchiveError>)
        /// What was purged is in no file any more.
        case purged([SessionRow: PurgeSum])
        /// Work that nobody waits for fails, and not for a moment.
        case heldUp(HeldUp)
        /// Bytes of a WAL that somebody keeps from being moved into the database.
        case grown(Int)
    }

    /// Called with the rows of sessions that changed, after their changes were answered.
    package var sessionsChanged: ((Set<SessionRow>) -> Void)?

    /// Called when a copy is there, or could not be made, with its path and its bytes.
    package var backedUp: ((_ path: String, _ bytes: Result<Int, ArchiveError>) -> Void)?

    /// Called when what was purged is gone from the file, the index and the WAL, with what went since the last time; it comes
    /// behind the answers of the changes that purged it.
    package var purged: (([SessionRow: PurgeSum]) -> Void)?
    /// Called when work in the background (a purge, the index) fails and not for a moment only; it is tried again by itself.
    package var heldUp: ((HeldUp) -> Void)?

    /// Called with the bytes of a WAL that cannot be emptied since another program reads, once for each 64 MiB.
    package var logGrown: ((_ bytes: Int) -> Void)?

    /// The engine and its version, as in "SQLite 3.40.1".
    package let engine: String

    /// Reads on the loop's thread.
    let reader: Reader
    /// Makes bounded looks come late; nil but in tests.
    private let lateness: Lateness?
    private let loop: EventLoop
    private let mailbox: LoopMailbox<Letter>
    private let writes = WorkQueue<WriteJob>()
    private let reads = ReadQueue()
    private var waiting: [UInt64: (Result<any Sendable, ArchiveError>) -> Void] = [:]
    private var nextToken: UInt64 = 1
    private var writerThread: Thread?
    private var readerThread: Thread?

    /// Opens the database, brings it to the newest version and starts the writer's and the reader's thread.
    ///
    /// A file from a newer version or of another program is refused before anything in it is touched.
    ///
    /// `firstRow` is the number of the first session, so that rows of two stores can be told apart. Without `isIndexing`
    /// messages are searched one by one; `most` is how many bytes the file may have. For tests, `fault` makes reads on the loop
    /// fail, by what they do, and `lateness` makes them come late.
    package init(
        path: String, durability: Durability, loop: EventLoop, firstRow: SessionRow = SessionRow(1),
        isIndexing: Bool = true, fault: (@Sendable (String) -> ArchiveError?)? = nil,
        lateness: Lateness? = nil, most: Int? = nil,
        clock: @escaping @Sendable () -> Int64
    ) throws(ArchiveError) {
        try Store.prepareFile(path)
        let version = try Migrations.version(ofFileAt: path)
        let index = isIndexing ? SearchIndexing() : nil
        let writer = try Writer(
            path: path, version: version ?? 0, durability: durability, firstRow: firstRow,
            index: index, most: most, clock: clock)
        reader = try Reader(path: path)
        engine = try reader.engine()
        reader.database.fault = fault
        self.loop = loop
        self.lateness = lateness
        do {
            mailbox = try LoopMailbox()
            let mailbox = mailbox, writes = writes, reads = reads
            let box = Locked<Writer?>(writer)
            writerThread = try Thread(named: "writer") {
                guard let writer = box.withLock({ $0.take() }) else { return }
                writer.serve(writes) { answers, changed in
                    let letters = answers.map { Letter.answer($0.token, $0.result) }
                    mailbox.post(changed.isEmpty ? letters : letters + [.changed(changed)])
                } grown: {
                    mailbox.post(.grown($0))
                } purged: {
                    mailbox.post(.purged($0))
                } heldUp: {
                    mailbox.post(.heldUp($0))
                } backedUp: {
                    mailbox.post(.backedUp($0, $1))
                }
            }
            readerThread = try Thread(named: "reader") {
                let reader = Result { () throws(ArchiveError) in try Reader(path: path) }
                func serve(_ job: ReadJob) {
                    if job.isCancelled() { return }
                    mailbox.post(.answer(job.token, job.answer(reader)))
                }
                if case .success(let reader) = reader {
                    reader.index = index
                    reader.betweenSlices = {
                        for job in reads.takeRound(where: \.isShort) { serve(job) }
                    }
                }
                while let job = reads.next() { serve(job) }
                if case .success(let reader) = reader { reader.close() }
            }
        } catch { throw ArchiveError(.other, "start the store", reason: error.description) }
        do { try mailbox.deliver(on: loop) { [weak self] in self?.receive($0) } } catch {
            throw ArchiveError(.other, "start the store", reason: error.description)
        }
    }

    /// Sends a change away; `then` is called on the loop once it is as safe as it must be, or has failed.
    package func write<Write: LocalWrite>(
        _ change: Write, then: @escaping (Result<Write.Output, ArchiveError>) -> Void
    ) {
        pendingChanges += 1
        let token = expect { [weak self] (result: Result<Write.Output, ArchiveError>) in
            self?.pendingChanges -= 1
            then(result)
        }
        writes.add(
            WriteJob(
                token: token, durability: change.durability, isOneStatement: change.isOneStatement
            ) { writer throws(ArchiveError) in
                try change.run(on: writer)
            })
    }

    /// Answers a bounded look, before it returns.
    package func read<Read: LocalRead>(
        _ look: Read, then: @escaping (Result<Read.Output, ArchiveError>) -> Void
    ) {
        guard let lateness else { return then(reader.result(of: look)) }
        pendingReads += 1
        lateness.delay("\(Read.self)", on: loop, { [reader] in reader.result(of: look) }) {
            [weak self] result in
            self?.pendingReads -= 1
            then(result)
        }
    }

    /// Sends a long look away; what it gives is made into a value there, and `then` is called on the loop with that.
    ///
    /// A look that is not short gives way to those that are between its slices. What is returned cancels it: then nothing
    /// is called any more.
    @discardableResult
    package func readAway<Read: LocalRead, Value: Sendable>(
        _ look: Read, isShort: Bool = true, map: @escaping @Sendable (Read.Output) -> Value,
        then: @escaping (Result<Value, ArchiveError>) -> Void
    ) -> () -> Void {
        pendingReads += 1
        let isCancelled = Locked(false)
        let token = expect { [weak self] (result: Result<Value, ArchiveError>) in
            self?.pendingReads -= 1
            then(result)
        }
        reads.add(
            ReadJob(
                token: token, asker: asker, isShort: isShort, isCancelled: { isCancelled.withLock { $0 } }
            ) {
                reader throws(ArchiveError) in
                let before = reader.isCancelled
                defer { reader.isCancelled = before }
                reader.isCancelled = { isCancelled.withLock { $0 } }
                return map(try reader.answer(look))
            })
        return { [weak self] in
            isCancelled.withLock { $0 = true }
            guard let self, waiting.removeValue(forKey: token) != nil else { return }
            pendingReads -= 1
        }
    }

    /// For whom it is asked now, nil for nobody: looks of one user wait for no more than one of each other user's.
    package var asker: UserID?

    /// How many answers are still to come.
    package var pending: Int { pendingChanges + pendingReads }

    /// How many changes are still to be answered.
    package private(set) var pendingChanges = 0
    private var pendingReads = 0

    /// Ends both threads after all that was sent, and waits for them; answers that nobody waits for are dropped.
    ///
    /// Those that read close first and the writer last, so that it leaves no WAL behind. A lock of another program is not
    /// waited for any more.
    package func close() {
        reads.close()
        if let thread = readerThread.take() { thread.join() }
        reader.close()
        writes.close()
        if let thread = writerThread.take() { thread.join() }
        mailbox.leave(loop)
    }

    /// No change waits for a lock of another program from now on.
    package func hurry() { writes.hurry() }

    private func expect<Output: Sendable>(_ then: @escaping (Result<Output, ArchiveError>) -> Void) -> UInt64
    {
        let token = nextToken
        nextToken += 1
        let asker = asker
        waiting[token] = { [weak self] result in
            // What it goes on to ask is asked for the same one.
            let other = self?.asker
            self?.asker = asker
            defer { self?.asker = other }
            switch result {
            case .failure(let error): then(.failure(error))
            case .success(let value):
                guard let output = value as? Output else {
                    preconditionFailure("a job answers with its own type")
                }
                then(.success(output))
            }
        }
        return token
    }

    private func receive(_ letter: Letter) {
        switch letter {
        case .answer(let token, let result): waiting.removeValue(forKey: token)?(result)
        case .changed(let rows): sessionsChanged?(rows)
        case .grown(let bytes): logGrown?(bytes)
        case .purged(let sums): purged?(sums)
        case .heldUp(let error): heldUp?(error)
        case .backedUp(let path, let result): backedUp?(path, result)
        }
    }

    /// Makes the file with mode 0600 before SQLite would make it with the umask's; -wal and -shm take its mode over.
    private static func prepareFile(_ path: String) throws(ArchiveError) {
        do {
            try Files.makeDirectories(Files.directory(of: path))
            if try Files.status(path) == nil { _ = try Files.open(path, .readingAndCreating) }
        } catch { throw ArchiveError(.readOnly, "open database '\(path)'", reason: error.description) }
    }
}

/// Work in the background that fails.
package struct HeldUp: Sendable {
    package let error: ArchiveError
    /// Whether it is a purge, or what a purge ends with.
    package let isPurge: Bool
}

/// A change on its way to the writer.
struct WriteJob: Sendable {
    let token: UInt64
    let durability: Durability
    let isOneStatement: Bool
    /// When it was handed over, in monotonic nanoseconds.
    let at = Machine.monotonic()
    let run: @Sendable (Writer) throws(ArchiveError) -> any Sendable

    init(
        token: UInt64, durability: Durability, isOneStatement: Bool,
        run: @escaping @Sendable (Writer) throws(ArchiveError) -> any Sendable
    ) {
        self.token = token
        self.durability = durability
        self.isOneStatement = isOneStatement
        self.run = run
    }
}

/// Jobs for one thread: many threads add, one takes all there are.
final class WorkQueue<Job: Sendable>: Sendable {
    private struct State {
        var jobs: [Job] = []
        var isClosed = false
        var mustHurry = false
    }
    private let state = Locked(State())

    func add(_ job: Job) { state.change { $0.jobs.append(job) } }

    func close() {
        state.change {
            $0.isClosed = true
            $0.mustHurry = true
        }
    }

    /// Whoever works on jobs does not wait for others any more.
    func hurry() { state.change { $0.mustHurry = true } }

    var mustHurry: Bool { state.withLock { $0.mustHurry } }

    /// Waits a moment, or until nobody may wait for others any more.
    func pause(milliseconds: Int32) {
        let hurriesAlready = mustHurry
        _ = state.wait(milliseconds: milliseconds) { $0.mustHurry && !hurriesAlready ? true : nil }
    }

    /// All jobs there are, waiting for the first; nil when the queue is closed and empty.
    ///
    /// With a time limit, an empty array means that none came in time.
    func take(milliseconds: Int32 = -1) -> [Job]? {
        let found: Taken? = state.wait(milliseconds: milliseconds) { state in
            if state.jobs.isEmpty { return state.isClosed ? .end : nil }
            defer { state.jobs = [] }
            return .jobs(state.jobs)
        }
        return switch found {
        case .jobs(let jobs): jobs
        case .end: nil
        case nil: []
        }
    }

    private enum Taken {
        case jobs([Job])
        case end
    }
}
