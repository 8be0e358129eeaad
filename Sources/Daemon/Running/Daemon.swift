/// Daemon brings sockets, turns, the store and upstreams together on one loop.
internal import Archive
internal import ContextWindow
internal import Conversation
internal import EventLoop
internal import JSON
internal import Posix
internal import Protocol
internal import Sessions
internal import Store
internal import Upstream

/// One running daemon.
///
/// Everything but `DaemonHandle` belongs to the thread that calls `run`.
package final class Daemon {
    enum Command: Sendable { case stop }

    let options: DaemonOptions
    let loop: EventLoop
    let archives: Archives
    let channels = Channels()
    let configuration: CurrentConfiguration
    let upstreams: UpstreamTable
    let calibrations = Calibrations()
    let cacheKeys = CacheKeys()
    let memory: FreeMemory
    let engine: TurnEngine
    let summaries: Summaries
    let recovery: Recovery
    let trashKeeper: TrashKeeper
    let lists: WatchedLists
    let facts = ServerFacts()
    let manager: ServiceManager
    let dispatcher: Dispatcher
    /// A client with its socket.
    struct Guest {
        let connection: Connection
        let client: Client
    }

    var listener: Listener?
    /// Held until the store is closed.
    var lock: StoreLock?
    let mailbox: LoopMailbox<Command>
    /// Those that are connected, by number.
    var guests: [Int: Guest] = [:]
    /// How many of them a user has.
    var connectionsByUser: [UInt32: Int] = [:]
    /// When a user was turned away, by the loop's clock.
    var refusedAt: [UInt32: UInt64] = [:]
    /// What all users are called that have no number here, of whom none must be taken for another.
    let unmappedUser = Process.unmappedUser
    var nextNumber = 1
    var dirty: [Connection] = []
    var signals: Descriptor?
    var mostConnections: Int
    var stopRequests = 0
    /// Whether clients are waited for; they are not for a moment after they could not be taken.
    var isListening = false
    /// Why a name could not be made anew, as it was told last.
    var nameProblem: String?
    let budget: BufferBudget
    let turns: TakingTurns
    let largeLines: LargeLines

    /// Turns that run at one time, where there are descriptors enough.
    private static let mostTurns = 4_096

    /// The database's path without symbolic links.
    let database: String

    /// Opens the store, recovers what a crash left, and listens; `run` then serves.
    package init(_ options: DaemonOptions) throws(DaemonError) {
        self.options = options
        manager = ServiceManager(environment: options.environment, pid: Process.id)
        // Files of its own aside, what descriptors there are is for clients, and for the upstreams of the turns that run.
        let descriptors = max(20, Process.raiseFileLimit() - 96)
        mostConnections = min(options.configuration.limits.connections, descriptors * 3 / 4)
        let mostTurns = min(Daemon.mostTurns, descriptors - mostConnections)
        do throws(PosixError) {
            Signals.ignoreBrokenPipes()
            Signals.ignoreFileLimits()
            Process.giveBackLargeBlocks()
            // Before any thread starts, so that every thread has them blocked.
            if options.handlesSignals {
                signals = try Signals.descriptor(for: [Signals.terminate, Signals.interrupt, Signals.hangup])
            }
            loop = try EventLoop()
            mailbox = try LoopMailbox()
            try Files.makeDirectories(Files.directory(of: options.database))
            // SQLite keeps its files beside the file itself, and so does the lock: two links lead to one daemon.
            database =
                try Files.status(options.database) == nil
                ? options.database : try Files.resolved(options.database)
        } catch { throw DaemonError("cannot start: \(error)") }
        let store: Store,
            lateness = options.gate.map { Lateness($0) } ?? Lateness.setting(in: options.environment)
        try Daemon.checkSides(of: database)
        do throws(PosixError) {
            let directory = Files.directory(of: database)
            if let mode = try Files.status(directory, follows: true)?.mode, mode & 0o002 != 0,
                mode & 0o1000 == 0
            {
                options.log.warning(
                    "directory_is_open_to_others", ("path", directory), ("mode", String(mode, radix: 8)))
            }
            // What was copied here may have brought its mode; nobody else reads conversations.
            for path in [database, database + "-wal", database + "-shm"] {
                guard let mode = try Files.close(path) else { continue }
                options.log.warning(
                    "file_was_open_to_others", ("path", path), ("mode", String(mode, radix: 8)),
                    ("now", "600"))
            }
        } catch { throw DaemonError("cannot close the database to other users: \(error)") }
        do throws(ArchiveError) {
            lock = try StoreLock(database: database, socket: options.socket)
            store = try Store(
                path: database, durability: options.configuration.isDurabilityFull ? .full : .normal,
                loop: loop, isIndexing: options.configuration.isIndexing, fault: options.readFault,
                lateness: lateness,
                clock: options.clock)
        } catch { throw DaemonError("cannot \(error.description)") }
        let loop = loop, log = options.log, configuration = CurrentConfiguration(options.configuration)
        let steady: () -> Int64
        if let given = options.steady {
            steady = given
        } else {
            steady = { Int64(loop.now / 1_000_000) }
        }
        let clocks = Clocks(now: options.clock, steady: steady)
        facts.startedSteady = clocks.steady()
        let archives = Archives(
            disk: store, database: database, loop: loop, lateness: lateness, clock: options.clock
        ) { configuration.limits.ephemeral }
        let ids = IDSource(clocks, random: options.random), memory = FreeMemory(loop)
        upstreams = UpstreamTable(
            options.configuration, loop: loop, environment: options.environment, clocks: clocks,
            log: log)
        let maker = WindowMaker(
            archives: archives, calibrations: calibrations, cacheKeys: cacheKeys,
            configuration: configuration, clocks: clocks,
            loop: loop)
        let routes = Routes(
            upstreams, maker, ResponseCache(archives, configuration, clocks), configuration, clocks, ids,
            loop, log)
        let quotas = QuotaKeeper(configuration, clocks), askers = Askers()
        let admissions = Admissions(loop, mostTurns: mostTurns) { configuration.limits }
        let summaries = Summaries(
            SummaryTools(
                archives: archives, channels: channels, routes: routes, quotas: quotas,
                configuration: configuration, ids: ids, clocks: clocks, loop: loop, log: log))
        engine = TurnEngine(archives, loop, log) { [channels] session, report in
            SessionDriver(
                session, archives: archives, channels: channels, routes: routes, quotas: quotas,
                admissions: admissions, summaries: summaries, askers: askers, configuration: configuration,
                ids: ids, clocks: clocks,
                loop: loop, log: log,
                memory: memory, report: report)
        }
        lists = WatchedLists(archives, channels, configuration, loop)
        let handlers = Handlers(
            archives: archives, channels: channels, engine: engine, askers: askers, routes: routes,
            summaries: summaries, configuration: configuration, clocks: clocks, ids: ids, loop: loop,
            server: facts, lists: lists,
            formats: options.formats)
        handlers.audit(options.log)
        dispatcher = Dispatcher(limits: { configuration.limits }, tally: handlers.tally) {
            (call) throws(WireError) in
            try handlers.handle(call)
        } leave: { [engine] session, client in
            engine.close(session: session, of: client)
        }
        budget = BufferBudget(loop: loop) { configuration.limits }
        largeLines = LargeLines(loop: loop)
        turns = TakingTurns(loop: loop) { archives.pendingChanges }
        recovery = Recovery(archives, engine, clocks, loop, log)
        trashKeeper = TrashKeeper(
            archives, handlers.purges, configuration,
            Clocks(now: options.clock, steady: options.steady ?? Machine.sinceStart), loop, log,
            isUsed: { [engine] row in
                engine.running(on: row) != nil || engine.line(on: row)?.isTaken ?? false
            },
            purged: { [handlers] row, id, owner in
                handlers.tellPurged(id, of: owner, wasTrashed: true, on: row)
            })
        archives.heldUp = { [log, purges = handlers.purges] isEphemeral, held in
            log.warning(
                "background_work_failed", ("problem", held.error.description),
                (
                    "hint",
                    "\(held.isPurge ? "a purge" : "the search index or a deleted branch") waits; it is tried again by itself"
                ))
            if held.isPurge { purges.heldUp(isEphemeral, held.error) }
        }
        self.archives = archives
        self.configuration = configuration
        self.memory = memory
        self.summaries = summaries
        archives.forgetMemory()
        recover()
        do throws(DaemonError) { try listen() } catch {
            archives.close()
            throw error
        }
        begin()
        trashKeeper.begin()
    }

    /// Closes what a crash left running and reads what was learned, before any client can look; where that cannot be done
    /// it is tried again.
    private func recover() {
        var awaited = 3
        // What waits is taken up behind that, and before anybody asks for it.
        recovery.begin { [engine] in engine.takeUp { awaited -= 1 } }
        calibrations.read(archives, loop) { awaited -= 1 }
        cacheKeys.read(archives, loop) { awaited -= 1 }
        // A loop that cannot wait says so when it runs, and what is left is closed there.
        while awaited > 0 { do { try loop.turn(waiting: true) } catch { break } }
    }

    /// Somebody else's files beside the database would get its conversations.
    private static func checkSides(of database: String) throws(DaemonError) {
        let problem: String?
        do { problem = try self.problem(beside: database) } catch {
            throw DaemonError("cannot look at the database's files: \(error)")
        }
        if let problem { throw DaemonError(problem) }
    }

    private static func problem(beside database: String) throws(PosixError) -> String? {
        func name(_ user: UInt32) -> String { Process.userName(user).map { "'\($0)'" } ?? "\(user)" }
        let own = Process.userID
        // Root may read everything anyway, and in a container it works on what its host gives it.
        let its = try Files.status(database, follows: true)?.owner
        if let owner = its, owner != own, own != 0 {
            return
                "'\(database)' belongs to user \(name(owner)), who could read all that is said here; give it to user \(name(own)) with 'chown', or another place with --database"
        }
        for path in [database + "-wal", database + "-shm", database + "-journal"] {
            guard let owner = try Files.status(path)?.owner, owner != own, owner != its else { continue }
            return
                "'\(path)' belongs to user \(name(owner)), who would get what is said here; look at it, and take it away"
        }
        let directory = Files.directory(of: database)
        guard let status = try Files.status(directory, follows: true) else { return nil }
        let advice = "give it a directory of your own"
        if status.owner != own, status.owner != 0, own != 0 {
            return
                "'\(directory)' belongs to user \(name(status.owner)), who could put another file in the place of the database; \(advice)"
        }
        guard status.mode & 0o002 != 0, status.mode & 0o1000 == 0 else { return nil }
        return
            "everybody may write into '\(directory)' (mode \(String(status.mode, radix: 8))), and put another file in the place of the database; \(advice)"
    }

    /// Says that more may connect by the configuration than the socket's unit lets through.
    private func warnOfUnitsMode(_ fd: Int32) {
        let wanted = options.configuration.access.mode
        // One that cannot be looked at is the service manager's affair too.
        guard let path = UnixSocket.path(of: fd), let status = try? Files.status(path),
            wanted & ~status.mode & 0o777 != 0
        else { return }
        options.log.warning(
            "socket_mode_is_the_units", ("path", path), ("mode", String(status.mode & 0o777, radix: 8)),
            ("wanted", String(wanted, radix: 8)),
            ("set", "SocketMode= and DirectoryMode= of the socket's unit, and restart it"))
    }

    func listen() throws(DaemonError) {
        if let fd = options.activated {
            do { listener = try Listener(activated: fd) } catch {
                throw DaemonError("cannot use descriptor \(fd) from the service manager: \(error.reason)")
            }
            warnOfUnitsMode(fd)
            return
        }
        let locations = Locations(environment: options.environment, uid: Process.userID, home: nil)
        do {
            try locations.prepareDirectory(ofSocket: options.socket, mode: options.configuration.access.mode)
        } catch {
            let problem = locations.problem(listeningIn: Files.directory(of: options.socket))
            throw DaemonError("cannot listen at '\(options.socket)': \(problem ?? error.description)")
        }
        let mode = options.configuration.access.mode
        listener = try Listener(path: options.socket, mode: mode)
        if let directory = locations.closedDirectory(ofSocket: options.socket, mode: mode) {
            options.log.warning(
                "socket_directory_closed", ("directory", directory),
                ("needs", mode & 0o006 != 0 ? "chmod a+x" : "chmod g+x"))
        }
    }

    private func begin() {
        facts.socket = options.socket
        facts.database = options.database
        facts.configuration = options.configurationFile
        facts.startedAt = options.clock()
        facts.connections = { [unowned self] in guests.count }
        facts.clients = { [unowned self] in guests.values.map(\.client) }
        facts.reload = { [unowned self] () throws(ConfigurationError) in try reload() }
        memory.isQuiet = { [unowned self] in guests.isEmpty }
        budget.connections = { [unowned self] in guests.values.map(\.connection) }
        facts.keyVariables = KeyVariable.names(in: options.environment)
        loop.afterEachTurn { [unowned self] in
            flush()
            turns.turnEnded()
        }
        archives.sessionsChanged = { [unowned self] _ in lists.changed() }
        archives.logGrown = { [options] bytes in
            options.log.warning(
                "wal_grows", ("bytes", "\(bytes)"), ("database", options.database),
                (
                    "hint",
                    "another program has been reading the database for long; the WAL shrinks when it ends"
                ))
        }
        channels.caughtBehind = { [unowned self] in catchUp($0, $1, $2) }
        if let kind = Files.networkFileSystem(Files.directory(of: options.database)) {
            options.log.warning(
                "network_file_system", ("path", options.database), ("kind", kind),
                (
                    "hint",
                    "SQLite's locks may not hold there; put the database on a local disk with --database"
                ))
        }
    }

    /// Whoever may stop the daemon from another thread.
    package var handle: DaemonHandle {
        let mailbox = mailbox
        return DaemonHandle { mailbox.post(.stop) }
    }

    /// Serves until it is stopped.
    package func run() throws(DaemonError) {
        do throws(PosixError) {
            try mailbox.deliver(on: loop) { [unowned self] _ in stop() }
            if let fd = signals?.raw { try loop.watch(fd, .reading) { [unowned self] _ in takeSignals(fd) } }
            try watchListener()
            // What starting took is not needed any more.
            Process.giveBackCode()
            tellReady()
            pingWatchdog()
            lookAfterNames()
            options.log.info(
                "started", ("version", Version.text), ("pid", "\(Process.id)"), ("socket", options.socket),
                ("database", options.database))
            try loop.run()
        } catch { throw DaemonError("the loop failed: \(error)") }
        finish()
    }

    /// A client that reads slowly gets the pieces from the log, as fast as it takes them.
    private func catchUp(_ subscription: Subscription, _ row: SessionRow, _ place: ReplayPlan.Place) {
        subscription.holdBack()
        archives.read(SessionByRow(row), of: row) { [weak self] result in
            guard let self, !isLeft(subscription) else { return }
            switch result {
            case .success(let session?): catchUp(subscription, session, place)
            case .success(nil): subscription.link.close()
            case .failure:
                // It may be read in a moment: what is missing shows there again.
                loop.after(milliseconds: Archives.readPause) { [weak self] in
                    guard let self, !isLeft(subscription) else { return }
                    catchUp(subscription, row, place)
                }
            }
        }
    }

    /// Whether the client has left the session meanwhile; what was held back for it goes out then.
    private func isLeft(_ subscription: Subscription) -> Bool {
        if !subscription.isJoined { subscription.release() }
        return !subscription.isJoined
    }

    private func catchUp(
        _ subscription: Subscription, _ session: SessionRecord, _ place: ReplayPlan.Place
    ) {
        let start = ReplayPlan.Start.after(place.id, offset: place.offset)
        let replay = Replay(subscription, session, start, archives, channels, engine, loop) {
            [weak self] result in
            guard let self, subscription.isJoined, case .failure(let error) = result else { return }
            // It fell behind and cannot catch up, as when the path changed meanwhile: it loses that session, nothing else.
            channels.dismiss(
                guests[subscription.client]?.client, subscription, from: session.row, session.session.id,
                error)
        }
        subscription.link.whenDrained { replay.catchUp() }
    }

    func flush() {
        while !dirty.isEmpty {
            let connections = dirty
            dirty = []
            for connection in connections { connection.flush() }
        }
    }
}

/// Stops a daemon from another thread.
package struct DaemonHandle: Sendable {
    /// Asks the daemon to stop; a second call does not wait for running turns.
    package let stop: @Sendable () -> Void
}
