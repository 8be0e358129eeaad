internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `Under systemd` {
    private static let activator = "/usr/bin/systemd-socket-activate"
    private static let analyzer = "/usr/bin/systemd-analyze"

    @Test(.enabled(if: Files.isExecutable(activator), "systemd-socket-activate is not installed"))
    func `a listening socket is taken over, and its file stays`() throws {
        let directory = try TemporaryDirectory()
        let daemon = try RealDaemon(
            in: directory, launcher: [Self.activator, "-l", directory.file("s.sock")])
        let client = try daemon.client()
        try client.open("demo")
        #expect(try client.prompt("demo", "hello").text().contains("hello"))
        let info = try client.call("_convod/server/info").result
        #expect(info?["pid"]?.int == daemon.pid.map { Int($0) })
        #expect(info?["socket"]?.string == daemon.socket)
        #expect(try daemon.stop() == .exited(0))
        #expect(try Files.status(daemon.socket)?.kind == .socket)
    }

    @Test(.enabled(if: Files.isExecutable(activator), "systemd-socket-activate is not installed"))
    func `the socket's own path is told, whatever else it would have been, and its loss is said`() throws {
        let directory = try TemporaryDirectory(), socket = directory.file("own.sock")
        let log = try Files.open(directory.file("log"), .appending)
        let pid = try Process.start(
            Self.activator,
            [
                "-l", socket, "--setenv=CONVOD_SOCKET=\(directory.file("other.sock"))", Built.convod,
                "--database",
                directory.file("c.db"),
            ], environment: Built.environment(directory),
            streams: Process.Streams(error: log.raw))
        defer {
            try? Process.signal(pid, Signals.kill)
            _ = try? Process.reap(pid)
        }
        try soon("it listens") { try isListenedTo(socket) }
        let client = try TestClient(socket)
        #expect(try client.call("_convod/server/info").result?["socket"]?.string == socket)
        #expect(text(try Files.read(directory.file("c.db.lock"))).hasSuffix("\n\(socket)\n"))
        try Files.remove(socket)
        try soon("it is said") { text(try Files.read(directory.file("log"))).contains("event=name_not_made") }
        #expect(try client.call("_convod/server/info").result != nil)
        #expect(try Files.status(socket) == nil)
        _ = consume log
    }

    @Test func `a manager that does not read holds up nobody, and hears that it is ready later`() throws {
        let directory = try TemporaryDirectory(), path = directory.file("notify")
        let notices = try DatagramSocket(at: path)
        while (try? UnixSocket.notify("FULL", to: path)) != nil {}
        let daemon = try RealDaemon(
            in: directory, environment: ["NOTIFY_SOCKET": path, "WATCHDOG_USEC": "100000"])
        #expect(try daemon.client().call("_convod/server/info").result != nil)
        var heard = try notices.next()
        while heard == "FULL" || heard == "WATCHDOG=1" { heard = try notices.next() }
        #expect(heard?.hasPrefix("READY=1\n") == true)
        #expect(try daemon.stop() == .exited(0))
    }

    @Test func `it says that it reads its configuration anew, and that it has, or why not`() throws {
        let directory = try TemporaryDirectory()
        let notices = try DatagramSocket(at: directory.file("notify"))
        let daemon = try RealDaemon(
            in: directory, environment: ["NOTIFY_SOCKET": directory.file("notify")])
        #expect(try notices.next()?.hasPrefix("READY=1\n") == true)
        for (text, said) in [(RealDaemon.standard, "listening at"), ("{ nonsense", "was refused")] {
            try Files.replace(directory.file("config.json5"), with: Array(text.utf8))
            try daemon.signal(Signals.hangup)
            #expect(try notices.next()?.hasPrefix("RELOADING=1\nMONOTONIC_USEC=") == true)
            let heard = try notices.next() ?? ""
            #expect(heard.hasPrefix("READY=1\nSTATUS=") && heard.contains(said), "\(heard)")
        }
    }

    @Test func `it says that it is ready and that it stops`() throws {
        let directory = try TemporaryDirectory()
        let notices = try DatagramSocket(at: directory.file("notify"))
        let daemon = try RealDaemon(
            in: directory,
            environment: ["NOTIFY_SOCKET": directory.file("notify"), "WATCHDOG_USEC": "100000"])
        #expect(try notices.next()?.hasPrefix("READY=1\n") == true)
        for _ in 0..<3 { #expect(try notices.next() == "WATCHDOG=1") }
        try daemon.signal(Signals.terminate)
        var last = try notices.next()
        while last == "WATCHDOG=1" { last = try notices.next() }
        #expect(
            last == "STOPPING=1\nEXTEND_TIMEOUT_USEC=8050000\nSTATUS=stopping",
            "50 ms of drain, three seconds of the store, five more")
        #expect(try daemon.ended() == .exited(0))
    }

    private static let root = Files.directory(of: Files.directory(of: Files.directory(of: #filePath)))

    @Test(.enabled(if: Files.isExecutable(analyzer), "systemd-analyze is not installed"))
    func `the units of the system have nothing that it does not know, and leave little open`() throws {
        let directory = try TemporaryDirectory(), service = directory.file("convod.service")
        let unit = text(try Files.read("\(Self.root)/systemd/system/convod.service"))
        #expect(unit.contains("\nExecStart=/usr/bin/convod\n"))
        // Who a client is is its uid, and models are on the network.
        #expect(unit.contains("\n# PrivateUsers= stays off") && !unit.contains("\nPrivateUsers="))
        #expect(unit.contains("\n# PrivateNetwork= stays off") && !unit.contains("\nPrivateNetwork="))
        try Files.replace(service, with: Array(unit.replacing("/usr/bin/convod", with: Built.convod).utf8))
        try Files.replace(
            directory.file("convod.socket"), with: Files.read("\(Self.root)/systemd/system/convod.socket"))
        for words in [
            ["verify", "--man=no", "--recursive-errors=no", service, directory.file("convod.socket")],
            ["security", "--offline=true", "--threshold=15", service],
        ] {
            let (ending, said) = try run(Self.analyzer, words, environment: Built.environment(directory))
            #expect(ending == .exited(0), "\(said)")
        }
    }

    @Test(.enabled(if: Files.isExecutable(analyzer), "systemd-analyze is not installed"))
    func `the units for users have nothing that it does not know`() throws {
        let directory = try TemporaryDirectory()
        for name in ["convod.service", "convod.socket"] {
            let unit = text(try Files.read("\(Self.root)/systemd/user/\(name)"))
                .split(separator: "\n", omittingEmptySubsequences: false)
                .map { $0.hasPrefix("ExecStart=") ? "ExecStart=\(Built.convod)" : String($0) }
            try Files.replace(directory.file(name), with: Array(unit.joined(separator: "\n").utf8))
        }
        let (ending, said) = try run(
            Self.analyzer,
            [
                "--user", "verify", "--man=no", "--recursive-errors=no", directory.file("convod.service"),
                directory.file("convod.socket"),
            ], environment: Built.environment(directory).merging(["XDG_RUNTIME_DIR": directory.path]) { $1 })
        #expect(ending == .exited(0))
        #expect(said == "")
    }
}
