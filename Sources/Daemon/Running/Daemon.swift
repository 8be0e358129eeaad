/// Daemon brings sockets, turns, the store and upstreams together on one loop.
internal import Archive
internal import ContextWindow
internal import Conversation
internal import EventLoop
internal import JSON
internal import Posix
internal import Protocol
internal import Store
internal import Upstream

/// One running daemon.
///
/// Everything but `DaemonHandle` belongs to the thread that calls `run`.
package final class Daemon: Connection.Owner {
    private enum Command: Sendable { case stop }

    /// Milliseconds for the last writes at a stop.
    private static let lastPatience = 3_000

    /// Milliseconds for which a full listener is left alone.
    private static let acceptPause = 200

    private let options: DaemonOptions
    private let loop: EventLoop
    private let services: Services
    private let engine: TurnEngine
    private let recovery: Recovery
    private let lists: WatchedLists
    private let facts = ServerFacts()
    private let manager: ServiceManager
    private var dispatcher: Dispatcher?
    private var listener: Listener?
    /// Held until the store is closed.
    private var lock: StoreLock?
    private let mailbox: LoopMailbox<Command>
    private var connections: [Int: Connection] = [:]
    private var nextNumber = 1
    private var dirty: [Connection] = []
    private var signals: Descriptor?
    private var mostConnections: Int
    private var stopRequests = 0
    /// Whether clients are waited for; they are not for a moment after they could not be taken.
    private var isListening = false
    /// Why a name could not be made anew, as it was told last.
    private var nameProblem: String?
    private let budget: BufferBudget
    private let turns: TakingTurns

    /// The database's path without symbolic links.
    private let database: String

    /// Opens the store, recovers what a crash left, and listens; `run` then serves.
    package init(_ options: DaemonOptions) throws(DaemonError) {
        self.options = options
        manager = ServiceManager(environment: options.environment, pid: Process.id)
        mostConnections = min(
            options.configuration.limits.connections, max(16, Process.raiseFileLimit() - 96))
        do throws(PosixError) {
            Signals.ignoreBrokenPipes()
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
            lateness = options.gate.map { Lateness($0) } ?? Lateness.asked(by: options.environment)
        do throws(ArchiveError) {
            lock = try StoreLock(database: database, socket: options.socket)
            store = try Store(
                path: database, durability: options.configuration.isDurabilityFull ? .full : .normal,
                loop: loop, fault: options.readFault, lateness: lateness,
                clock: options.clock)
        } catch { throw DaemonError("cannot \(error.description)") }
        let steady: () -> Int64
        if let given = options.steady {
            steady = given
        } else {
            steady = { [loop] in Int64(loop.now / 1_000_000) }
        }
        let archives = Archives(
            disk: store, database: database, loop: loop, lateness: lateness, clock: options.clock)
        services = Services(
            loop: loop, archives: archives, configuration: options.configuration,
            log: options.log,
            environment: options.environment,
            clock: options.clock,
            steady: steady, random: options.random)
        engine = TurnEngine(services)
        budget = BufferBudget(loop: loop) { [services] in services.configuration.limits }
        turns = TakingTurns(loop: loop) { [services] in services.archives.pendingChanges }
        archives.forgetMemory()
        recovery = Recovery(services, engine)
        lists = WatchedLists(services)
        recover()
        do throws(DaemonError) { try listen() } catch {
            archives.close()
            throw error
        }
        begin()
    }

    /// Closes what a crash left running and reads what was learned, before any client can look; where that cannot be done
    /// it is tried again.
    private func recover() {
        var left = 2
        // What waits is taken up behind that, and before anybody asks for it.
        recovery.begin { [engine] in engine.takeUp { left -= 1 } }
        services.calibrations.read(services.archives, loop) { left -= 1 }
        // A loop that cannot wait says so when it runs, and what is left is closed there.
        while left > 0 { do { try loop.turn(waiting: true) } catch { break } }
    }

    private func listen() throws(DaemonError) {
        if let fd = options.activated {
            do { listener = try Listener(activated: fd) } catch {
                throw DaemonError("cannot use descriptor \(fd) from the service manager: \(error.reason)")
            }
            return
        }
        let locations = Locations(environment: options.environment, uid: Process.userID, home: nil)
        do { try locations.prepareDirectory(ofSocket: options.socket) } catch {
            throw DaemonError(
                "cannot use directory '\(Files.directory(of: options.socket))' for the socket: it must belong to you and be closed to others (\(error.reason))"
            )
        }
        listener = try Listener(path: options.socket, mode: options.configuration.access.mode)
    }

    private func begin() {
        facts.socket = options.socket
        facts.database = options.database
        facts.configuration = options.configurationFile
        facts.startedAt = options.clock()
        facts.connections = { [unowned self] in connections.count }
        budget.connections = { [unowned self] in Array(connections.values) }
        let handlers = Handlers(services, engine: engine, server: facts, lists: lists)
        dispatcher = Dispatcher(limits: { [services] in services.configuration.limits }) {
            (call) throws(WireError) in try handlers.handle(call)
        }
        loop.afterEachTurn { [unowned self] in
            flush()
            turns.turnEnded()
        }
        services.archives.sessionsChanged = { [unowned self] _ in lists.changed() }
        services.archives.logGrown = { [options] bytes in
            options.log.warning(
                "wal_grows", ("bytes", "\(bytes)"), ("database", options.database),
                (
                    "hint",
                    "another program has been reading the database for long; the WAL shrinks when it ends"
                ))
        }
        services.channels.caughtBehind = { [unowned self] in catchUp($0, $1, $2) }
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
            manager.notify("READY=1\nSTATUS=listening at \(options.socket)")
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
    private func catchUp(_ subscription: Channels.Subscription, _ row: SessionRow, _ place: Channels.Place) {
        subscription.holdBack()
        services.archives.read(SessionByRow(row), of: row) { [weak self] result in
            guard let self, !isLeft(subscription) else { return }
            switch result {
            case .success(let session?): catchUp(subscription, session, place)
            case .success(nil): subscription.connection.close()
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
    private func isLeft(_ subscription: Channels.Subscription) -> Bool {
        if !subscription.isJoined { subscription.isReplaying = false }
        return !subscription.isJoined
    }

    private func catchUp(
        _ subscription: Channels.Subscription, _ session: SessionRecord, _ place: Channels.Place
    ) {
        let replay = Replay(subscription, session, services, engine) { [weak self] result in
            guard let self, subscription.isJoined, case .failure(let error) = result else { return }
            leave(subscription, session, error)
        }
        subscription.connection.whenDrained { replay.catchUp(after: place.id, offset: place.offset) }
    }

    /// A client that fell behind cannot catch up on one session, as when its path changed meanwhile: it is told so, and
    /// loses that session, nothing else.
    private func leave(
        _ subscription: Channels.Subscription, _ session: SessionRecord, _ error: WireError
    ) {
        services.channels.unsubscribe(subscription.connection, from: session.row)
        let update = JSONWriter.object {
            $0.member("sessionUpdate", "session_info_update")
            $0.member("_meta") {
                $0.member("convod") {
                    $0.member("left", true)
                    $0.failure(error.kind.rawValue, error.message)
                }
            }
        }
        subscription.connection.send(Channels.line(update: update, of: session.session.id))
    }

    // MARK: Stopping

    private func takeSignals(_ fd: Int32) {
        while let signal = Signals.next(fd) {
            if signal == Signals.hangup { reload() } else { stop() }
        }
    }

    /// No new turns; running ones get their time, then they are cut and kept as interrupted.
    ///
    /// A second call cuts at once.
    private func stop() {
        stopRequests += 1
        if stopRequests > 1 {
            services.archives.hurry()
            return engine.cut()
        }
        manager.notify("STOPPING=1")
        options.log.info("stopping", ("running", "\(engine.live.count)"))
        unwatchListener()
        listener?.removeFile()
        // What cannot be stored must not keep the daemon: turns that are left running are closed at the next start.
        loop.after(milliseconds: services.configuration.drain) { [self] in
            engine.cut()
            services.archives.hurry()
            loop.after(milliseconds: Daemon.lastPatience) { [self] in loop.stop() }
        }
        engine.drain { [self] in settle() }
    }

    /// Waits for the last commits, writes the last lines and ends the loop.
    ///
    /// Looks are waited for only a little: whoever asks on and on must not hold up the end.
    private func settle(patience: Int = 200) {
        let archives = services.archives
        guard archives.pendingChanges == 0 && (archives.pending == 0 || patience == 0) else {
            loop.after(milliseconds: 1) { [self] in settle(patience: max(0, patience - 1)) }
            return
        }
        flush()
        for connection in Array(connections.values) { connection.flush() }
        loop.stop()
    }

    private func finish() {
        for connection in Array(connections.values) { connection.close() }
        services.archives.close()
        listener = nil
        lock = nil
        options.log.info("stopped")
    }

    private func reload() {
        guard let read = options.reload else { return options.log.notice("nothing_to_reload") }
        do {
            let read = try read()
            for key in options.configuration.fixedKeys(changedIn: read) {
                options.log.warning("reload_ignored", ("key", key), ("needs", "restart"))
            }
            services.adopt(read)
            engine.wakeHeld()
            applyAccess()
            options.log.info("reloaded")
        } catch { options.log.error("reload_refused", ("reason", error.description)) }
    }

    /// Who may connect and who sees all is asked anew for everyone who is connected.
    ///
    /// Who is no administrator any more is disconnected: it may look at and work on what it must not see now.
    private func applyAccess() {
        let access = services.configuration.access
        for connection in Array(connections.values) {
            let peer = connection.peer
            let isAdmin = access.isAdmin(peer, daemon: facts.uid)
            if !isAdmin && !access.isAllowed(peer) {
                options.log.notice("peer_refused", ("uid", "\(peer.uid)"), ("pid", "\(peer.pid)"))
                let message =
                    "user \(peer.uid) may not connect any more; an administrator can add it to 'socket.allow'"
                connection.closeForGood(WireError(.permissionDenied, message))
            } else if connection.isAdmin && !isAdmin {
                let message =
                    "user \(peer.uid) is no administrator any more; connect again to go on with your own sessions"
                connection.closeForGood(WireError(.permissionDenied, message))
            } else {
                connection.isAdmin = isAdmin
            }
        }
    }

    private func pingWatchdog() {
        guard let interval = manager.watchdogInterval else { return }
        manager.notify("WATCHDOG=1")
        loop.after(milliseconds: interval) { [weak self] in self?.pingWatchdog() }
    }

    // MARK: Connections

    private func watchListener() throws(PosixError) {
        guard !isListening, let fd = listener?.socket.raw else { return }
        try loop.watch(fd, .reading) { [unowned self] _ in accept(fd) }
        isListening = true
    }

    /// Milliseconds between two looks at the names of the socket and the lock.
    private static let lookPause = 2_000

    /// Makes the socket and the lock file anew where somebody removed them, as cleaners of `/tmp` and logouts do.
    private func lookAfterNames() {
        loop.after(milliseconds: Daemon.lookPause) { [weak self] in
            guard let self, stopRequests == 0 else { return }
            do {
                if try lock?.renew() ?? false { options.log.notice("lock_made_anew") }
                if !(listener?.isInPlace ?? false) { try listenAnew() }
                nameProblem = nil
            } catch {
                let reason = "\(error)"
                // Once, not every two seconds.
                if nameProblem != reason { options.log.error("name_not_made", ("reason", reason)) }
                nameProblem = reason
            }
            lookAfterNames()
        }
    }

    private func listenAnew() throws {
        unwatchListener()
        listener = nil
        try listen()
        try watchListener()
        options.log.notice("socket_made_anew", ("socket", options.socket))
    }

    private func unwatchListener() {
        if isListening, let fd = listener?.socket.raw { loop.unwatch(fd) }
        isListening = false
    }

    private func accept(_ fd: Int32) {
        do throws(PosixError) {
            // A few at a time, so that a flood of clients does not hold up those that are there.
            for _ in 0..<16 {
                guard let socket = try UnixSocket.accept(fd) else { return }
                try admit(socket)
            }
        } catch {
            options.log.warning(
                "accept_paused", ("reason", error.reason), ("connections", "\(connections.count)"))
            unwatchListener()
            loop.after(milliseconds: Daemon.acceptPause) { [self] in
                if stopRequests == 0 { try? watchListener() }
            }
        }
    }

    private func admit(_ socket: consuming Descriptor) throws(PosixError) {
        let peer = try UnixSocket.peer(of: socket.raw)
        let access = services.configuration.access
        let isAdmin = access.isAdmin(peer, daemon: facts.uid)
        let connection = Connection(
            socket, number: nextNumber, peer: peer, isAdmin: isAdmin, loop: loop,
            limits: services.configuration.limits, owner: self)
        nextNumber += 1
        if connections.count >= mostConnections {
            let message =
                "\(connections.count) clients are connected, that is the limit; close some, or raise 'limits.connections'"
            return connection.closeAfter(Outgoing.failure(.null, WireError(.overloaded, message)))
        }
        guard !peer.isNobody, isAdmin || access.isAllowed(peer) else {
            options.log.notice("peer_refused", ("uid", "\(peer.uid)"), ("pid", "\(peer.pid)"))
            let message = "user \(peer.uid) may not connect; an administrator can add it to 'socket.allow'"
            return connection.closeAfter(Outgoing.failure(.null, WireError(.permissionDenied, message)))
        }
        connections[connection.number] = connection
        budget.joined(connection)
        try connection.begin()
    }

    func received(_ line: [UInt8], _ connection: Connection) { dispatcher?.receive(line, connection) }

    func closed(_ connection: Connection) {
        budget.left(connection)
        services.freed()
        connections[connection.number] = nil
        services.channels.forget(connection)
        engine.disconnected(connection)
        dispatcher?.forget(connection)
    }

    func wantsFlush(_ connection: Connection) { dirty.append(connection) }
    func takesHeld(_ connection: Connection) -> Bool { dispatcher?.takesHeld(connection) ?? false }
    func hasHeld(_ connection: Connection) -> Bool { dispatcher?.hasHeld(connection) ?? false }
    func isNext(_ connection: Connection, isPutOff: Bool) -> Bool {
        turns.isNext(connection, isPutOff: isPutOff)
    }
    func hasMore(_ connection: Connection, isPutOff: Bool) { turns.join(connection, isPutOff: isPutOff) }
    var isCrowded: Bool { turns.isCrowded }
    var isHoldingMuch: Bool { budget.isHoldingMuch }
    func heldChanged(by bytes: Int) { budget.heldChanged(by: bytes) }
    func isOverBudget(_ connection: Connection) -> Bool { budget.isOver(connection) }

    func costChanged(_ connection: Connection, by bytes: Int) {
        budget.changed(connection, by: bytes)
        if bytes <= -Daemon.worthTrimming { services.freed() }
    }

    /// Bytes that a client lets go of at once at which free memory is given back to the system a little later.
    private static let worthTrimming = 64 << 10

    private func flush() {
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

extension Configuration.Access {
    func isAdmin(_ peer: Peer, daemon: UInt32) -> Bool {
        peer.uid == 0 || peer.uid == daemon || adminUsers.contains(peer.uid)
            || adminGroups.contains { $0 == peer.gid || peer.groups.contains($0) }
    }

    func isAllowed(_ peer: Peer) -> Bool {
        guard let allowedUsers else { return true }
        return allowedUsers.contains(peer.uid)
            || allowedGroups.contains { $0 == peer.gid || peer.groups.contains($0) }
    }
}
