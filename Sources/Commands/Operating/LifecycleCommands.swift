internal import ConvoClient
internal import Posix

extension Command {
    static let start = Command(
        name: "start", summary: "start the daemon if none runs"
    ) { invocation throws(CommandError) in
        if let (_, daemon) = try invocation.running() {
            invocation.console.note(
                "convod \(daemon.version) runs already, process \(daemon.pid), socket '\(daemon.socket)'")
            return .success
        }
        return try start(invocation)
    }

    static let stop = Command(
        name: "stop", summary: "stop the daemon; running answers get a moment to end"
    ) { invocation throws(CommandError) in
        if try !stop(invocation) { invocation.console.note("no daemon runs") }
        return .success
    }

    static let restart = Command(
        name: "restart", summary: "stop the daemon and start it with this environment"
    ) { invocation throws(CommandError) in
        // A daemon that cannot be started again is not stopped.
        let starter = DaemonStarter(invocation.locator, environment: invocation.environment)
        do throws(ClientError) { try starter.check() } catch {
            let isRunning = try invocation.running() != nil
            throw CommandError(
                .failure,
                isRunning ? "\(error.description); the daemon that runs goes on as it is" : error.description)
        }
        _ = try stop(invocation)
        return try start(invocation)
    }

    private static func start(_ invocation: Invocation) throws(CommandError) -> ExitCode {
        let daemon = try invocation.connected().identity
        invocation.console.note(
            "convod \(daemon.version) runs, process \(daemon.pid), socket '\(daemon.socket)'")
        return .success
    }

    /// How long a daemon may take to go: the turns' grace and its own cut.
    private static let patience = 60_000

    /// Ends the daemon and waits until its database is free; false when none runs.
    static func stop(_ invocation: Invocation) throws(CommandError) -> Bool {
        guard let (client, daemon) = try invocation.running() else {
            // One that cannot be asked goes on all the same.
            if let problem = invocation.locator.unreachable(orElsewhere: false) {
                throw CommandError(.failure, problem)
            }
            return false
        }
        // Who listens is asked of the kernel, not of the answer.
        let pid = client.peer.pid
        guard pid > 1, daemon.pid == Int(pid) else {
            throw CommandError(
                .failure,
                "the socket is held by process \(pid), and process \(daemon.pid) answers at it: it is a service manager's; stop the daemon with it, as 'systemctl --user stop convod.socket convod.service' does"
            )
        }
        do { try Process.signal(pid, Signals.terminate) } catch {
            throw CommandError(.failure, "cannot stop process \(pid): \(error.reason)")
        }
        let locator = DaemonLocator(
            flags: DaemonLocator.Flags(database: daemon.database), environment: invocation.environment)
        let deadline = Machine.monotonic() + UInt64(patience) * 1_000_000
        while Process.exists(pid) && (daemon.database == nil || !locator.isLockFree()) {
            guard Machine.monotonic() < deadline else {
                throw CommandError(.failure, "process \(pid) does not end; 'convo logs' may say why")
            }
            _ = try? System.wait(readable: [], milliseconds: 10)
        }
        return true
    }
}
