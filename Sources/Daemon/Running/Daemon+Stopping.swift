internal import Archive
internal import Conversation
internal import EventLoop
internal import Posix
internal import Protocol

/// How a daemon ends, and how it takes up another configuration.
extension Daemon {
    /// Milliseconds for the last writes at a stop.
    private static let lastPatience = 3_000

    func takeSignals(_ fd: Int32) {
        while let signal = Signals.next(fd) {
            // A refusal is in the log; nobody waits for an answer.
            if signal == Signals.hangup { _ = try? reload() } else { stop() }
        }
    }

    /// No new turns; running ones get their time, then they are cut and kept as interrupted.
    ///
    /// A second call cuts at once.
    func stop() {
        stopRequests += 1
        if stopRequests > 1 {
            archives.hurry()
            return engine.cut()
        }
        // Answers may take longer than the unit gives (sd_notify(3)).
        let most = (configuration.drain + Daemon.lastPatience + 5_000) * 1_000
        manager.notify("STOPPING=1\nEXTEND_TIMEOUT_USEC=\(most)\nSTATUS=stopping")
        options.log.info("stopping", ("running", "\(engine.live.count)"))
        unwatchListener()
        listener?.removeFile()
        // What cannot be stored must not keep the daemon: turns that are left running are closed at the next start.
        loop.after(milliseconds: configuration.drain) { [self] in
            engine.cut()
            archives.hurry()
            loop.after(milliseconds: Daemon.lastPatience) { [self] in loop.stop() }
        }
        summaries.stop()
        engine.drain { [self] in settle() }
    }

    /// Waits for the last commits, writes the last lines and ends the loop.
    ///
    /// Looks are waited for only a little: whoever asks on and on must not hold up the end.
    private func settle(patience: Int = 200) {
        guard archives.pendingChanges == 0 && (archives.pending == 0 || patience == 0) else {
            loop.after(milliseconds: 1) { [self] in settle(patience: max(0, patience - 1)) }
            return
        }
        flush()
        for guest in Array(guests.values) { guest.connection.flush() }
        loop.stop()
    }

    func finish() {
        for guest in Array(guests.values) { guest.connection.close() }
        upstreams.stop()
        archives.close()
        listener = nil
        lock = nil
        options.log.info("stopped")
    }

    /// Reads the configuration again and takes it up, but for the keys that it gives: those need a restart.
    func reload() throws(ConfigurationError) -> [String] {
        guard let read = options.reload else {
            options.log.notice("nothing_to_reload")
            return []
        }
        manager.notify("RELOADING=1\nMONOTONIC_USEC=\(Machine.monotonic() / 1_000)")
        do throws(ConfigurationError) {
            let read = try read(), fixed = options.configuration.fixedKeys(changedIn: read)
            for key in fixed { options.log.warning("reload_ignored", ("key", key), ("needs", "restart")) }
            configuration.adopt(read)
            upstreams.rebuild(read)
            engine.wakeQueues()
            applyAccess()
            trashKeeper.lookSoon()
            options.log.info("reloaded")
            manager.notify("READY=1\nSTATUS=listening at \(options.socket)")
            return fixed
        } catch {
            options.log.error("reload_refused", ("reason", error.description))
            // Who asked by a signal is told nothing else.
            manager.notify(
                "READY=1\nSTATUS=the last reload was refused, what was in force stays: \(error.description)")
            throw error
        }
    }

    /// Who may connect and who sees all is asked anew for everyone who is connected.
    ///
    /// Who is no administrator any more is disconnected: it may look at and work on what it must not see now.
    private func applyAccess() {
        let access = configuration.access
        for guest in Array(guests.values) {
            let connection = guest.connection, client = guest.client, peer = connection.peer
            connection.hold(to: configuration.value.limits)
            let role = access.role(of: peer, daemon: facts.uid)
            guard let role else {
                options.log.notice("peer_refused", ("uid", "\(peer.uid)"), ("pid", "\(peer.pid)"))
                let message =
                    "user \(peer.uid) may not connect any more; an administrator can add it to 'socket.allow'"
                connection.closeForGood(WireError(.permissionDenied, message))
                continue
            }
            // What it may not see or do any more may be under way.
            if client.role != role, role != .administrator {
                let message =
                    client.isAdmin
                    ? "user \(peer.uid) is no administrator any more; connect again to go on with what it may do"
                    : "what user \(peer.uid) may do was changed; connect again to go on"
                connection.closeForGood(WireError(.permissionDenied, message))
            } else {
                client.role = role
            }
        }
    }

    /// Tells that it serves, until that is heard.
    func tellReady() {
        guard manager.notify("READY=1\nSTATUS=listening at \(options.socket)") else { return }
        loop.after(milliseconds: 100) { [weak self] in
            if let self, stopRequests == 0 { tellReady() }
        }
    }

    func pingWatchdog() {
        guard let interval = manager.watchdogInterval else { return }
        manager.notify("WATCHDOG=1")
        loop.after(milliseconds: interval) { [weak self] in self?.pingWatchdog() }
    }
}
