internal import ConvoClient
internal import Posix

/// A daemon that is there to be measured, and goes with all that it made.
final class BenchDaemon {
    let socket: String
    private let directory: String
    private let pid: Int32
    private let locator: DaemonLocator

    init(_ environment: [String: String]) throws(CommandError) {
        let base =
            environment["TMPDIR"].flatMap { $0.hasPrefix("/") && $0.utf8.count < 60 ? $0 : nil } ?? "/tmp"
        directory = base + "/convo-bench-" + Machine.random(6).map { String($0, radix: 36) }.joined()
        socket = directory + "/s.sock"
        var own = environment
        for name in ["CONVOD_CONFIG", "CONVOD_SOCKET", "CONVOD_DATABASE"] { own[name] = nil }
        own["XDG_STATE_HOME"] = directory
        own["CONVOD_PARENT"] = "\(Process.id)"
        do throws(PosixError) {
            try Files.makeDirectories(directory)
            let configuration = #"{ upstreams: { echo: { kind: "echo" } } }"#
            try Files.replace(directory + "/config.json5", with: Array(configuration.utf8))
        } catch { throw CommandError(.failure, "cannot make '\(directory)': \(error.reason)") }
        // Its log too is none of the user's.
        locator = DaemonLocator(
            flags: DaemonLocator.Flags(
                configuration: directory + "/config.json5", socket: socket, database: directory + "/c.db"),
            environment: own, locations: Locations(environment: own, uid: Process.userID, home: nil))
        do throws(ClientError) {
            pid = try DaemonStarter(locator, environment: own).connect().peer.pid
        } catch { throw CommandError(error) }
    }

    func remove() {
        _ = try? Process.signal(pid, Signals.terminate)  // one that ended by itself is gone
        let deadline = Machine.monotonic() + 20_000_000_000
        while !locator.isLockFree(), Machine.monotonic() < deadline {
            _ = try? System.wait(readable: [], milliseconds: 10)
        }
        // What cannot be removed is in a directory for what is temporary.
        for path in ["", "/convod"] {
            for name in (try? Files.names(in: directory + path)) ?? [] {
                try? Files.remove(directory + path + "/" + name)
            }
        }
        try? Files.removeDirectory(directory + "/convod")
        try? Files.removeDirectory(directory)
    }
}
