internal import Archive
internal import Conversation
internal import EventLoop
internal import Posix
internal import Protocol
internal import Store

/// What is kept, wherever it is: on disk, or in memory for sessions that nothing of may stay.
///
/// - Invariant: an ID of a user names one session over both.
final class Archives {
    /// Milliseconds until what could not be read is read again.
    static let readPause = 1_000

    private let disk: Store
    private var memory: Store?
    private var memoryPath: String?
    /// Held while that is used.
    private var memoryLock: Descriptor?
    private let loop: EventLoop
    private let database: String
    private let clock: @Sendable () -> Int64
    private let lateness: Lateness?
    /// Bytes that sessions in memory may have together, where the first of them is made.
    private let mostMemory: () -> Int
    /// Brings pieces on disk to the disk.
    private(set) lazy var syncs = AnswerSyncs(loop) { [weak self] turn in
        // What fails here fails with the next pieces, or with the ending.
        self?.disk.write(Sync(turnRow: turn)) { _ in }
    }
    /// Sessions that are on their way to one of the stores, and how many requests bring them there.
    private var claims: [Claim: (isEphemeral: Bool, count: Int)] = [:]

    /// A session that an ID of a user's names.
    private struct Claim: Hashable {
        let id: SessionID
        let owner: UserID
    }

    /// `database` is the path of what is on disk; where memory files lie is told by it.
    init(
        disk: Store, database: String, loop: EventLoop, lateness: Lateness?,
        clock: @escaping @Sendable () -> Int64, mostMemory: @escaping () -> Int
    ) {
        self.disk = disk
        self.mostMemory = mostMemory
        self.database = database
        self.loop = loop
        self.lateness = lateness
        self.clock = clock
    }

    /// The engine and its version, as in "SQLite 3.40.1".
    var engine: String { disk.engine }
    /// Called with the sessions on disk that changed, after their changes were answered.
    var sessionsChanged: ((Set<SessionRow>) -> Void)? {
        get { disk.sessionsChanged }
        set { disk.sessionsChanged = newValue }
    }
    /// See `Store.purged`; of either store.
    var purged: ((_ isEphemeral: Bool, [SessionRow: PurgeSum]) -> Void)? { didSet { listen() } }
    /// See `Store.heldUp`; of either store.
    var heldUp: ((_ isEphemeral: Bool, HeldUp) -> Void)? { didSet { listen() } }

    private func listen() {
        for (store, isEphemeral) in [(disk, false), (memory, true)] {
            store?.purged = { [weak self] in self?.purged?(isEphemeral, $0) }
            store?.heldUp = { [weak self] in self?.heldUp?(isEphemeral, $0) }
        }
    }
    /// See `Store.backedUp`, of what is on disk.
    var backedUp: ((_ path: String, _ bytes: Result<Int, ArchiveError>) -> Void)? {
        get { disk.backedUp }
        set { disk.backedUp = newValue }
    }
    /// See `Store.logGrown`.
    var logGrown: ((_ bytes: Int) -> Void)? {
        get { disk.logGrown }
        set { disk.logGrown = newValue }
    }
    var hasMemory: Bool { memory != nil }
    /// How many changes are still to be answered.
    var pendingChanges: Int { disk.pendingChanges + (memory?.pendingChanges ?? 0) }
    /// How many answers are still to come.
    var pending: Int { disk.pending + (memory?.pending ?? 0) }

    // MARK: Changes and looks

    /// Asks for a user, whose looks share the reader with those of others; what comes of them is asked for the same one.
    func asking<Failure: Error>(for user: UserID, _ body: () throws(Failure) -> Void) throws(Failure) {
        let other = disk.asker
        func set(_ user: UserID?) {
            disk.asker = user
            memory?.asker = user
        }
        set(user)
        defer { set(other) }
        try body()
    }

    private func store(isEphemeral: Bool) -> Store {
        guard isEphemeral else { return disk }
        guard let memory else { preconditionFailure("what may leave no trace has a store in memory") }
        return memory
    }

    private func store(of row: SessionRow) -> Store { store(isEphemeral: row.isEphemeral) }

    /// Makes a change of a session; `then` is called on the loop once it is as safe as it must be, or has failed.
    func write<Write: LocalWrite>(
        _ change: Write, of row: SessionRow, then: @escaping (Result<Write.Output, ArchiveError>) -> Void
    ) {
        store(of: row).write(change, then: row.isEphemeral ? inMemory(then) : then)
    }

    /// Makes a change where sessions of this kind live; what is in memory needs `makeMemory` before.
    func write<Write: LocalWrite>(
        _ change: Write, isEphemeral: Bool, then: @escaping (Result<Write.Output, ArchiveError>) -> Void
    ) {
        store(isEphemeral: isEphemeral).write(change, then: isEphemeral ? inMemory(then) : then)
    }

    /// The same, told of a change in memory: what is full there is no disk.
    private func inMemory<Output>(_ then: @escaping (Result<Output, ArchiveError>) -> Void)
        -> (Result<Output, ArchiveError>) -> Void
    {
        { result in
            then(
                result.mapError { error in
                    guard error.code == .full else { return error }
                    return ArchiveError(
                        .memoryFull, error.doing,
                        reason:
                            "sessions in memory have as much together as 'limits.ephemeral' allows; delete some of them, or raise it"
                    )
                })
        }
    }

    /// Looks where a session lives; see `Store.read`.
    func read<Read: LocalRead>(
        _ look: Read, of row: SessionRow, then: @escaping (Result<Read.Output, ArchiveError>) -> Void
    ) {
        store(of: row).read(look, then: then)
    }

    /// Looks on disk.
    func read<Read: LocalRead>(
        _ look: Read, then: @escaping (Result<Read.Output, ArchiveError>) -> Void
    ) {
        disk.read(look, then: then)
    }

    /// Looks into memory; nil where nothing is there.
    ///
    /// What is not short is looked for away from the loop.
    func readMemory<Read: LocalRead>(
        _ look: Read, isShort: Bool = true, then: @escaping (Result<Read.Output?, ArchiveError>) -> Void
    ) {
        guard let memory else { return then(.success(nil)) }
        if isShort {
            memory.read(look) { result in then(result.map { $0 }) }
        } else {
            memory.readAway(look, map: { $0 }, then: then)
        }
    }

    /// Takes a long look where a session lives; see `Store.readAway`.
    @discardableResult
    func readAway<Read: LocalRead, Value: Sendable>(
        _ look: Read, of row: SessionRow, isShort: Bool = true,
        map: @escaping @Sendable (Read.Output) -> Value,
        then: @escaping (Result<Value, ArchiveError>) -> Void
    ) -> () -> Void {
        store(of: row).readAway(look, isShort: isShort, map: map, then: then)
    }

    /// Takes a long look on disk.
    @discardableResult
    func readAway<Read: LocalRead>(
        _ look: Read, isShort: Bool = true, then: @escaping (Result<Read.Output, ArchiveError>) -> Void
    ) -> () -> Void {
        disk.readAway(look, isShort: isShort, map: { $0 }, then: then)
    }

    // MARK: Over both

    /// A session by its ID: a user's own, or for who may see all and has none anybody's; those in the trash count where no other
    /// has it, and fails with `ArchiveError.Code.ambiguous` where several users have one.
    func session(
        _ id: SessionID, owner: UserID, orAnyones: Bool,
        then: @escaping (Result<SessionRecord?, ArchiveError>) -> Void
    ) {
        ownSession(id, owner) { [self] result in
            guard orAnyones, case .success(nil) = result else { return then(result) }
            sessions(named: id) { then($0.flatMap { Archives.meant(of: $0, id) }) }
        }
    }

    private func ownSession(
        _ id: SessionID, _ owner: UserID, _ then: @escaping (Result<SessionRecord?, ArchiveError>) -> Void
    ) {
        let look = SessionByName(id, owner: owner)
        readMemory(look) { [disk] result in
            let there = result.map { $0.flatMap { $0 } }
            guard case .success(nil) = there else { return then(there) }
            disk.read(look, then: then)
        }
    }

    private func sessions(
        named id: SessionID, _ then: @escaping (Result<[SessionRecord], ArchiveError>) -> Void
    ) {
        let look = SessionsNamed(id)
        readMemory(look) { [disk] result in
            guard case .success(let there) = result else { return then(result.map { $0 ?? [] }) }
            disk.read(look) { stored in then(stored.map { (there ?? []) + $0 }) }
        }
    }

    /// Which of the sessions of an ID is meant by who has none himself.
    private static func meant(of found: [SessionRecord], _ id: SessionID) -> Result<
        SessionRecord?, ArchiveError
    > {
        let live = found.filter { $0.session.trashedAt == nil }
        let meant = live.isEmpty ? found : live
        guard meant.count > 1 else { return .success(meant.first) }
        return .failure(
            ArchiveError(
                .ambiguous(meant.map(\.session.owner)), "find session '\(id.text)'",
                reason: "sessions of several users have this ID"))
    }

    /// A turn by its ID, of one user or with no owner given of any.
    func turn(
        _ id: TurnID, owner: UserID?, then: @escaping (Result<TurnFound?, ArchiveError>) -> Void
    ) {
        let look = TurnByID(id, owner: owner)
        readMemory(look) { [disk] result in
            switch result {
            case .success(nil), .success(.some(nil)): disk.read(look, then: then)
            case .success(.some(.some(let found))): then(.success(found))
            case .failure(let error): then(.failure(error))
            }
        }
    }

    /// What decides whether a session may begin a turn; a user's usage is that on disk and in memory.
    func read(
        _ look: PromptLook, of row: SessionRow,
        then: @escaping (Result<PromptLook.Output, ArchiveError>) -> Void
    ) {
        if look.isEmpty { return then(.success(PromptLook.Output())) }
        store(of: row).read(look) { [self] result in
            guard case .success(let found) = result, let usage = found.userUsage, let memory else {
                return then(result)
            }
            var rest = PromptLook()
            rest.user = look.user
            (row.isEphemeral ? disk : memory).read(rest) { other in
                then(
                    other.map { more in
                        var found = found
                        found.userUsage = usage + (more.userUsage ?? UsageSum())
                        return found
                    })
            }
        }
    }

    /// What was used, on disk and in memory, summed up away from the loop.
    @discardableResult
    func usage(
        _ report: UsageReport, then: @escaping (Result<UsageReport.Output, ArchiveError>) -> Void
    ) -> () -> Void {
        readAway(report, isShort: false) { [self] result in
            guard case .success(let found) = result else { return then(result) }
            readMemory(report, isShort: false) { more in
                then(more.map { $0.map { report.joined(found, $0) } ?? found })
            }
        }
    }

    /// Tries that came to nothing, on disk and in memory, the newest first.
    func failures(
        _ look: FailedAttempts, then: @escaping (Result<[FailedAttempt], ArchiveError>) -> Void
    ) -> () -> Void {
        readAway(look, isShort: false) { [self] result in
            guard case .success(let found) = result else { return then(result) }
            readMemory(look, isShort: false) { more in
                then(
                    more.map { more in
                        let all = found + (more ?? [])
                        return Array(
                            all.sorted { $0.attempt.endedAt > $1.attempt.endedAt }.prefix(look.limit))
                    })
            }
        }
    }

    // MARK: Names

    /// Keeps an ID for the store that a session is on its way to, and looks whether the other one has it already; the second
    /// value must be called once the session is there, or is not.
    func claim(
        _ id: SessionID, owner: UserID, isEphemeral: Bool,
        then: @escaping (Result<(elsewhere: SessionRecord?, release: () -> Void), WireError>) -> Void
    ) {
        let claim = Claim(id: id, owner: owner)
        if let known = claims[claim], known.isEphemeral != isEphemeral {
            return then(
                .failure(
                    WireError(
                        .conflict, "session '\(id.text)' is being made by another request; choose another ID")
                ))
        }
        claims[claim] = (isEphemeral, (claims[claim]?.count ?? 0) + 1)
        let release = { [self] in
            let count = (claims[claim]?.count ?? 1) - 1
            claims[claim] = count == 0 ? nil : (isEphemeral, count)
        }
        // Behind the claim: who brings it into the other store has brought it there before, or is refused.
        guard let other = isEphemeral ? disk : memory else { return then(.success((nil, release))) }
        other.read(SessionByName(id, owner: owner)) { result in
            switch result {
            case .success(let found): then(.success((found, release)))
            case .failure(let error):
                release()
                then(.failure(WireError(error)))
            }
        }
    }

    // MARK: Memory

    /// Makes the store of sessions in memory where there is none yet.
    ///
    /// Its file stands in the kernel's memory file system, where nothing reaches a disk, and goes with the daemon.
    func makeMemory() throws(WireError) {
        if memory != nil { return }
        guard let path = MemoryFile.path(for: database) else {
            throw WireError(.storeFailed, MemoryFile.problem)
        }
        MemoryFile.remove(path)  // a daemon that was killed may have left it
        do throws(PosixError) { memoryLock = try MemoryFile.hold(path) } catch {
            throw WireError(.storeFailed, "sessions in memory have no place: \(error.description)")
        }
        do throws(ArchiveError) {
            memory = try Store(
                path: path, durability: .normal, loop: loop, firstRow: .firstEphemeral, lateness: lateness,
                most: mostMemory(), clock: clock)
            memoryPath = path
            listen()
        } catch {
            memoryLock = nil
            throw WireError(error)
        }
    }

    /// Removes what daemons that were killed left in memory.
    func forgetMemory() { MemoryFile.sweep(for: database) }

    /// No change waits for a lock of another program from now on.
    func hurry() {
        disk.hurry()
        memory?.hurry()
    }

    /// Ends both, after all that was sent; the sessions in memory are gone.
    func close() {
        disk.close()
        memory?.close()
        memory = nil
        memoryLock = nil
        if let memoryPath { MemoryFile.remove(memoryPath) }
    }
}
