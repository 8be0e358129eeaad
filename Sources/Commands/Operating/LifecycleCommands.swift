internal import ConvoClient
internal import JSON
internal import Posix
internal import Protocol

extension Command {
    static let start = Command(
        name: "start", summary: "start the daemon if none runs"
    ) { invocation throws(CommandError) in
        if let client = try? invocation.locator.connect() {
            let info = try ServerInfo(of: client)
            invocation.console.note(
                "convod \(info.version) runs already, process \(info.pid), socket '\(info.socket)'")
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
        _ = try stop(invocation)
        return try start(invocation)
    }

    private static func start(_ invocation: Invocation) throws(CommandError) -> ExitCode {
        let info = try ServerInfo(of: try invocation.connect())
        invocation.console.note("convod \(info.version) runs, process \(info.pid), socket '\(info.socket)'")
        return .success
    }

    /// How long a daemon may take to go: the turns' grace and its own cut.
    private static let patience = 60_000

    /// Ends the daemon and waits until its database is free; false when none runs.
    private static func stop(_ invocation: Invocation) throws(CommandError) -> Bool {
        guard let client = try? invocation.locator.connect() else { return false }
        let info = try ServerInfo(of: client)
        let pid = Int32(info.pid)
        do { try Process.signal(pid, Signals.terminate) } catch {
            throw CommandError(.failure, "cannot stop process \(pid): \(error.reason)")
        }
        let locator = DaemonLocator(
            flags: DaemonLocator.Flags(database: info.database), environment: invocation.environment)
        let deadline = Machine.monotonic() + UInt64(patience) * 1_000_000
        while Process.exists(pid) && !locator.isLockFree() {
            guard Machine.monotonic() < deadline else {
                throw CommandError(.failure, "process \(pid) does not end; 'convo logs' may say why")
            }
            _ = try? System.wait(readable: [], milliseconds: 10)
        }
        return true
    }
}
