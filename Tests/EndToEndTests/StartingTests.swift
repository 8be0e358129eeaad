internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `Starting a daemon` {
    private static let stop: Int32 = 19
    private static let goOn: Int32 = 18

    @Test func `from 20 commands at once after a kill gives each an answer and leaves one daemon`() throws {
        let daemon = try RealDaemon()
        try daemon.client().open("demo")
        try daemon.kill()
        #expect(try Files.status(daemon.socket)?.kind == .socket)
        let options = [
            "--config", daemon.directory.file("config.json5"), "--socket", daemon.socket, "--database",
            daemon.database,
        ]
        let environment = daemon.environment
        let ends = try onThreads(20) { _ in
            let end = try? Built.run(Built.convo, ["ls"] + options, environment: environment)
            return end ?? (code: -1, said: "did not start")
        }
        #expect(ends.filter { $0.code != 0 }.map(\.said) == [])
        try soon("one daemon is left") { try daemons(daemon.socket).count == 1 }
        let info = try daemon.client().call("_convod/server/info").result
        #expect(try daemons(daemon.socket) == ["\(info?["pid"]?.int ?? 0)"])
        #expect(
            try Built.run(Built.convo, ["stop"] + options, environment: environment).code == 0)
        try soon("no daemon is left") { try daemons(daemon.socket).isEmpty }
        #expect(try Files.status(daemon.socket) == nil)
    }

    /// The process IDs of daemons on a socket.
    private func daemons(_ socket: String) throws -> [String] {
        let (_, said) = try run(
            "/usr/bin/pgrep", ["-f", "^\(Built.convod) .*\(socket)"], environment: [:])
        return said.split(separator: "\n").map(String.init)
    }

    @Test func `replaces a socket that nobody listens at`() throws {
        let daemon = try RealDaemon()
        try daemon.kill()
        #expect(try Files.status(daemon.socket)?.kind == .socket)
        #expect(throws: PosixError.self) { _ = try UnixSocket.connect(to: daemon.socket).release() }
        try daemon.start()
        #expect(try Files.status(daemon.socket)?.mode == 0o600)
        #expect(try daemon.client().call("_convod/server/info").result != nil)
    }

    @Test func `does not replace one that was stopped and lives`() throws {
        let daemon = try RealDaemon()
        let before = try Files.status(daemon.socket)
        try daemon.signal(Self.stop)
        for database in [daemon.database, daemon.directory.file("other.db")] {
            let (code, said) = try Built.run(
                Built.convod, ["--socket", daemon.socket, "--database", database],
                environment: daemon.environment)
            #expect(code == 1, "\(said)")
        }
        #expect(try Files.status(daemon.socket) == before)
        try daemon.signal(Self.goOn)
        #expect(try daemon.client().call("_convod/server/info").result != nil)
    }
}
