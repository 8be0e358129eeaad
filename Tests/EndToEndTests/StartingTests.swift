internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `Starting a daemon` {
    private static let stop: Int32 = 19
    private static let goOn: Int32 = 18

    @Test
    func `from 20 commands at once after a kill gives each an answer and leaves one daemon (B079, B139)`()
        throws
    {
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

    @Test func `gives back what it took, and once more when nobody is there any more`() throws {
        let daemon = try RealDaemon()
        if daemon.isSanitized { return }
        let peak = try daemon.kibibytes("VmHWM")
        // It listens before it has given all of it back.
        try soon("what starting took is given back") { try daemon.kibibytes("RssFile") < peak * 3 / 4 }
        var begun = 0, equal = 0
        try soon("all of it is given back") {
            let now = try daemon.kibibytes("RssFile")
            equal = now == begun ? equal + 1 : 0
            begun = now
            return equal == 5
        }
        do {
            let client = try daemon.client()
            try client.open("s")
            #expect(try client.prompt("s", "hello").error == nil)
        }
        let used = try daemon.kibibytes("RssFile")
        #expect(used > begun)
        try soon("it is given back") { try daemon.kibibytes("RssFile") < used * 3 / 4 }
    }

    @Test func `from a command takes over nothing of its caller: no lock, no manager, no journal`() throws {
        let directory = try TemporaryDirectory()
        let notices = try DatagramSocket(at: directory.file("notify"))
        try Files.makeDirectories(directory.file(".config/convod"))
        try Files.replace(directory.file(".config/convod/config.json5"), with: Array(Home.echo.utf8))
        var environment = Built.environment(directory)
        environment["CONVOD_SOCKET"] = directory.file("s.sock")
        environment["NOTIFY_SOCKET"] = directory.file("notify")
        environment["WATCHDOG_USEC"] = "100000"
        environment["JOURNAL_STREAM"] = "8:12345"
        let script =
            "exec 9>\(directory.file("lock")); flock -n 9 && exec '\(Built.convo)' ls"
        for _ in 0..<2 {
            #expect(try Built.run("/bin/sh", ["-c", script], environment: environment).code == 0)
        }
        #expect(try notices.next(milliseconds: 0) == nil)
        let log = text(try Files.read(directory.file(".local/state/convod/convod.log")))
        #expect(log.hasPrefix("20") && log.contains("Z info event=started"), "\(log)")
        #expect(try Built.run(Built.convo, ["stop"], environment: environment).code == 0)
    }

    @Test func `that fails says so to the journal by its level`() throws {
        let directory = try TemporaryDirectory(), config = directory.file("config.json5")
        try Files.replace(config, with: Array("{ nonsense: 1 }".utf8))
        let journal = directory.file("journal")
        // A file stands for the journal's socket: the variable names whatever standard error is.
        let script =
            "exec 2>\(journal); JOURNAL_STREAM=$(stat -c %d:%i \(journal)) exec '\(Built.convod)' --config \(config)"
        #expect(
            try Built.run("/bin/sh", ["-c", script], environment: Built.environment(directory)).code != 0)
        let said = text(try Files.read(journal))
        #expect(said.hasPrefix("<3>") && said.contains("'nonsense'"), "\(said)")
    }

    /// The process IDs of daemons on a socket.
    private func daemons(_ socket: String) throws -> [String] {
        let (_, said) = try run(
            "/usr/bin/pgrep", ["-f", "^\(Built.convod) .*\(socket)"], environment: [:])
        return said.split(separator: "\n").map(String.init)
    }

    @Test func `replaces a socket that nobody listens at (B137)`() throws {
        let daemon = try RealDaemon()
        try daemon.kill()
        #expect(try Files.status(daemon.socket)?.kind == .socket)
        #expect(throws: PosixError.self) { _ = try UnixSocket.connect(to: daemon.socket).release() }
        try daemon.start()
        #expect(try Files.status(daemon.socket)?.mode == 0o600)
        #expect(try daemon.client().call("_convod/server/info").result != nil)
    }

    @Test func `takes a database from others that somebody copied there with its mode, and says so`() throws {
        let daemon = try RealDaemon()
        _ = try daemon.client().open("s")
        try daemon.stop()
        try shell("chmod", "644", daemon.database)
        try daemon.start()
        _ = try daemon.client().open("t")
        for end in ["", "-wal", "-shm"] {
            #expect(try Files.status(daemon.database + end)?.mode == 0o600, "\(end)")
        }
        #expect(daemon.logged.contains("file_was_open_to_others") && daemon.logged.contains("mode=644"))
    }

    @Test(.enabled(if: Process.userID == 0, "only root can give files away"))
    func `writes no conversation into files that somebody else put beside its database`() throws {
        let directory = try TemporaryDirectory(), database = directory.file("c.db")
        let home = directory.path, environment = Built.environment(directory)
        func start() throws -> (code: Int32, said: String) {
            try Built.run(
                Built.convod, ["--socket", home + "/s.sock", "--database", database], environment: environment
            )
        }
        for end in ["-wal", "-shm", "-journal"] {
            try Files.replace(database + end, with: [])
            try shell("chown", "65534", database + end)
            let (code, said) = try start()
            #expect(code == 1 && said.contains("c.db\(end)' belongs to user 'nobody'"), "\(code) \(said)")
            try Files.remove(database + end)
        }
    }

    @Test(.enabled(if: Process.userID == 0, "only root can give files away"), arguments: [true, false])
    func `takes no database of somebody else's, and none in a directory of theirs`(isFile: Bool) throws {
        let directory = try TemporaryDirectory(), place = directory.file("place")
        let database = place + "/c.db", program = directory.file("convod")
        try shell("chmod", "755", directory.path)
        try Files.makeDirectories(place, mode: 0o777)
        if isFile { try Files.replace(database, with: []) }
        try shell("chown", isFile ? "65534" : "1", place)
        if isFile { try shell("chown", "1", database) }
        if isFile { try shell("chmod", "666", database) }
        try shell("cp", Built.convod, program)
        let (code, said) = try Built.run(
            "/usr/bin/setpriv",
            [
                "--reuid=65534", "--clear-groups", program, "--socket", place + "/s.sock", "--database",
                database,
            ], environment: ["HOME": place, "PATH": "/usr/bin:/bin"])
        #expect(
            code == 1 && said.contains("\(isFile ? database : place)' belongs to user 'daemon'"), "\(said)")
    }

    @Test func `puts its log aside when it is long, while it runs`() throws {
        let home = try Home(Home.echo), log = home.directory.file(".local/state/convod/convod.log")
        #expect(try home.convo("send", "-n", "-q", "hi").code == 0)
        try shell("/bin/sh", "-c", "head -c 5000000 /dev/zero >> '\(log)'")
        try Process.signal(try home.daemonPID, Signals.hangup)
        try soon("the log is put aside") { try Files.status(log + ".1") != nil }
        try soon("it goes on") { try Files.status(log) != nil }
        let sizes = try [log, log + ".1"].map { try Files.status($0)?.size ?? 0 }
        #expect(sizes[0] < 100_000 && sizes[1] > 4_000_000)
        let said = text(try Files.read(log))
        #expect(said.contains("event=reloaded"), "\(said)")
    }

    @Test func `does not replace one that was stopped and lives (B139)`() throws {
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

extension `Starting a daemon` {
    @Test
    func
        `from five commands at once in a fresh directory answers each, with one daemon and a whole schema (B079)`()
        throws
    {
        let directory = try TemporaryDirectory()
        let socket = directory.file("s.sock"), database = directory.file("convod.db")
        try Files.replace(directory.file("config.json5"), with: Array(RealDaemon.standard.utf8))
        let options = [
            "--config", directory.file("config.json5"), "--socket", socket, "--database", database,
        ]
        let environment = Built.environment(directory)
        defer { _ = try? Built.run(Built.convo, ["stop"] + options, environment: environment) }
        let ends = try onThreads(5) { number in
            let end = try? Built.run(
                Built.convo, ["send", "-n", "--new", "s\(number)", "hello"] + options,
                environment: environment)
            return end ?? (code: -1, said: "did not start")
        }
        #expect(ends.filter { $0.code != 0 }.map(\.said) == [])
        try soon("one daemon is left") { try daemons(socket).count == 1 }
        #expect(
            try shell("sqlite3", database, "PRAGMA integrity_check; SELECT count(*) FROM session")
                == "ok\n5\n")
    }

    @Test
    func
        `five times at once on one fresh database leaves one that runs, and the others name the file (B079)`()
        throws
    {
        let directory = try TemporaryDirectory()
        let database = directory.file("convod.db"), environment = Built.environment(directory)
        var ends: [Int: Process.Ending] = [:], pids: [Int32] = []
        defer {
            for (number, pid) in pids.enumerated() where ends[number] == nil {
                try? Process.signal(pid, Signals.kill)
                _ = try? Process.reap(pid)
            }
        }
        for number in 0..<5 {
            let log = try Files.open(directory.file("log\(number)"), .appending)
            pids.append(
                try Process.start(
                    Built.convod, ["--socket", directory.file("s\(number).sock"), "--database", database],
                    environment: environment, streams: .init(output: log.raw, error: log.raw)))
        }
        try soon("four have ended") {
            for (number, pid) in pids.enumerated() where ends[number] == nil {
                if let ending = try Process.reap(pid, isWaiting: false) { ends[number] = ending }
            }
            return ends.count >= 4
        }
        let left = try #require((0..<5).first { ends[$0] == nil })
        for (number, ending) in ends {
            let said = text(try Files.read(directory.file("log\(number)")))
            #expect(ending == .exited(1) && said.contains(database), "\(said)")
        }
        let socket = directory.file("s\(left).sock")
        try soon("it serves") { (try? TestClient(socket)) != nil }
        #expect(try TestClient(socket).open("s").result != nil)
        #expect(try shell("sqlite3", database, "PRAGMA integrity_check") == "ok\n")
    }
}
