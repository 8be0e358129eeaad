internal import Archive
internal import Conversation
internal import EventLoop
internal import Posix
internal import Protocol
internal import Store

/// Who connects.
extension Daemon {
    /// Milliseconds for which a full listener is left alone.
    private static let acceptPause = 200

    func watchListener() throws(PosixError) {
        guard !isListening, let fd = listener?.socket.raw else { return }
        try loop.watch(fd, .reading) { [unowned self] _ in accept(fd) }
        isListening = true
    }

    /// Milliseconds between two looks at the names of the socket and the lock.
    private static let lookPause = 2_000

    /// Makes the socket and the lock file anew where somebody removed them, as cleaners of `/tmp` and logouts do.
    func lookAfterNames() {
        loop.after(milliseconds: Daemon.lookPause) { [weak self] in
            guard let self, stopRequests == 0 else { return }
            // Where the lock cannot be made anew the socket may be all the same: they lie in two places.
            var lockProblem: (any Error)?
            do { if try lock?.renew() ?? false { options.log.notice("lock_made_anew") } } catch {
                lockProblem = error
            }
            do {
                if !(listener?.isInPlace ?? false) {
                    guard !(listener?.isActivated ?? false) else {
                        throw DaemonError(
                            "'\(options.socket)' was removed, and only the service manager can make it anew; restart the socket's unit, as with 'systemctl restart convod.socket'"
                        )
                    }
                    try listenAnew()
                } else if !isListening {
                    try watchListener()
                }
                if let lockProblem { throw lockProblem }
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

    func unwatchListener() {
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
                "accept_paused", ("reason", error.reason), ("connections", "\(guests.count)"))
            unwatchListener()
            loop.after(milliseconds: Daemon.acceptPause) { [self] in
                if stopRequests == 0 { try? watchListener() }
            }
        }
    }

    private func admit(_ socket: consuming Descriptor) throws(PosixError) {
        let peer = try UnixSocket.peer(of: socket.raw)
        let role = configuration.access.role(of: peer, daemon: facts.uid)
        let connection = Connection(
            socket, number: nextNumber, peer: peer, loop: loop, limits: configuration.limits, owner: self)
        nextNumber += 1
        if let message = crowd(peer, role) {
            return connection.closeAfter(Outgoing.failure(.null, WireError(.overloaded, message)))
        }
        let isUnknown = peer.isNobody || peer.uid == unmappedUser
        guard let role, !isUnknown else {
            noteRefused(peer)
            let message =
                isUnknown
                ? "the kernel does not tell the daemon who you are: it runs in a namespace of its own, where users or processes of others have no number"
                : "user \(peer.uid) may not connect; an administrator can add it to 'socket.allow'"
            return connection.closeAfter(Outgoing.failure(.null, WireError(.permissionDenied, message)))
        }
        let client = Client(
            number: connection.number, user: UserID(peer.uid), role: role,
            link: connection)
        client.pid = Int(peer.pid)
        client.connectedAt = options.clock()
        guests[connection.number] = Guest(connection: connection, client: client)
        connectionsByUser[peer.uid, default: 0] += 1
        budget.add(connection)
        do throws(PosixError) { try connection.begin() } catch {
            connection.close()
            throw error
        }
    }

    /// Why there is no room for one more; nil where there is.
    ///
    /// One user has half of it, and administrators find room where others do not: else whoever opens as many as there may be
    /// shuts all others out.
    private func crowd(_ peer: Peer, _ role: Client.Role?) -> String? {
        let isConfigured = mostConnections == options.configuration.limits.connections
        let bound = isConfigured ? "'limits.connections'" : "the daemon's limit of open files"
        if guests.count >= mostConnections {
            return
                "\(guests.count) clients are connected, that is the limit; close some, or have \(bound) raised"
        }
        if role == .administrator { return nil }
        if mostConnections - guests.count <= min(Daemon.reservedConnections, mostConnections / 8) {
            return
                "\(guests.count) clients are connected, and what is left is for administrators; close some, or have \(bound) raised"
        }
        let own = connectionsByUser[peer.uid] ?? 0
        guard own >= max(1, mostConnections / 2) else { return nil }
        return
            "\(own) clients of user \(peer.uid) are connected, half of what may be; close some, or have \(bound) raised"
    }

    /// Connections that only administrators get.
    private static let reservedConnections = 16

    /// Notes that somebody was turned away, a user once a minute.
    private func noteRefused(_ peer: Peer) {
        if let last = refusedAt[peer.uid], loop.now - last < 60_000_000_000 { return }
        if refusedAt.count >= 1_000 { refusedAt = [:] }
        refusedAt[peer.uid] = loop.now
        options.log.notice("peer_refused", ("uid", "\(peer.uid)"), ("pid", "\(peer.pid)"))
    }
}

/// What connections ask of the house.
extension Daemon: Connection.Owner {
    private func client(_ connection: Connection) -> Client? { guests[connection.number]?.client }

    func received(_ line: [UInt8], _ connection: Connection) {
        if let client = client(connection) { dispatcher.receive(line, client) }
    }

    func closed(_ connection: Connection) {
        budget.remove(connection)
        memory.add()
        guard let client = guests.removeValue(forKey: connection.number)?.client else { return }
        let left = (connectionsByUser[client.user.number] ?? 1) - 1
        connectionsByUser[client.user.number] = left > 0 ? left : nil
        channels.forget(client)
        engine.disconnected(client)
        dispatcher.forget(client)
    }

    func wantsFlush(_ connection: Connection) { dirty.append(connection) }
    func takesWaiting(_ connection: Connection) -> Bool {
        client(connection).map(dispatcher.takesWaiting) ?? false
    }
    func hasWaiting(_ connection: Connection) -> Bool { client(connection)?.hasWaiting ?? false }
    func isAwaited(_ connection: Connection) -> Bool {
        client(connection).map { !$0.calls.isEmpty } ?? false
    }
    func isNext(_ connection: Connection, isPutOff: Bool) -> Bool {
        turns.isNext(connection, isPutOff: isPutOff)
    }
    func hasMore(_ connection: Connection, isPutOff: Bool) { turns.join(connection, isPutOff: isPutOff) }
    var isCrowded: Bool { turns.isCrowded }
    var isHoldingMuch: Bool { budget.isHoldingMuch }
    func mayTake(_ bytes: Int, of connection: Connection) -> Bool {
        if bytes < Connection.large {
            largeLines.noteShort()
            return true
        }
        return largeLines.mayTake(bytes, of: connection)
    }
    func largeEnded() { largeLines.ended() }
    func heldChanged(by bytes: Int) { budget.heldChanged(by: bytes) }
    func isOverBudget(_ connection: Connection) -> Bool { budget.isOver(connection) }

    func costChanged(_ connection: Connection, by bytes: Int) {
        budget.changed(connection, by: bytes)
        if bytes <= -Daemon.worthTrimming { memory.add() }
    }

    /// Bytes that a client lets go of at once at which free memory is given back to the system a little later.
    private static let worthTrimming = 64 << 10
}
