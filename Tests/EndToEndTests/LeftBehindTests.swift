internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `A clean stop` {
    @Test func `leaves the database alone: a file copied over it is what the next start finds (B179)`() throws
    {
        let daemon = try RealDaemon()
        let client = try daemon.client()
        try client.open("first")
        _ = try client.prompt("first", "first words")
        try daemon.stop()
        try shell("cp", daemon.database, daemon.directory.file("backup.db"))

        try daemon.start()
        for start in stride(from: 0, to: 5_000, by: 1_000) {
            try daemon.fill(
                "second", (0..<1_000).map { "later \(start + $0) \(String(repeating: "w", count: 400))" })
        }
        _ = try daemon.client().call("_convod/message/list", #"{"sessionId":"second"}"#)
        try daemon.stop()
        for end in ["-wal", "-shm"] {
            let left = try Files.status(daemon.database + end)
            #expect(left == nil || left?.size == 0, "\(end) has \(left?.size ?? 0) bytes")
        }
        try shell("cp", daemon.directory.file("backup.db"), daemon.database)
        try daemon.start()
        #expect(try daemon.client().messages("first").first == "user: first words")
        #expect(
            try daemon.client().call("_convod/session/get", #"{"sessionId":"second"}"#).kind == "not_found")
        try daemon.stop()
        #expect(try daemon.sqlite("PRAGMA integrity_check") == "ok")
    }
}

@Suite struct `A database behind a symbolic link` {
    @Test func `is opened after a kill, and has one daemon whatever link leads to it`() throws {
        let directory = try TemporaryDirectory()
        try Files.makeDirectories(directory.file("real"))
        let link = directory.file("link.db"), file = directory.file("real/convod.db")
        try Files.replace(file, with: [])
        try shell("ln", "-s", file, link)
        let daemon = try RealDaemon(in: directory, database: link)
        try daemon.client().open("demo")
        _ = try daemon.client().prompt("demo", "hello")
        let (code, said) = try Built.run(
            Built.convod, ["--socket", directory.file("t.sock"), "--database", file],
            environment: daemon.environment)
        #expect(code == 1 && said.contains("process \(daemon.pid ?? 0),"), "\(said)")
        try daemon.kill()
        try daemon.start()
        #expect(try daemon.client().messages("demo").count == 2)
    }
}

@Suite struct `A file of the daemon's own` {
    @Test(arguments: ["c.db.lock", "s.sock.lock"])
    func `that is a link is not written through (N050)`(name: String) throws {
        let directory = try TemporaryDirectory()
        let precious = directory.file("precious")
        try Files.replace(precious, with: Array("precious".utf8))
        for kind in ["-s", "-f"] {
            try shell("ln", kind, precious, directory.file(name))
            let (code, said) = try Built.run(
                Built.convod, ["--socket", directory.file("s.sock"), "--database", directory.file("c.db")],
                environment: Built.environment(directory))
            #expect(code == 1 && said.contains(name), "\(said)")
            #expect(said.contains("is a link"), "\(said)")
            #expect(text(try Files.read(precious)) == "precious")
            try Files.remove(directory.file(name))
        }
    }

    @Test func `the log that is a link is not written through (N050)`() throws {
        let directory = try TemporaryDirectory()
        try Files.makeDirectories(directory.file(".local/state/convod"))
        let precious = directory.file("precious")
        try Files.replace(precious, with: Array("precious".utf8))
        try shell("ln", "-s", precious, directory.file(".local/state/convod/convod.log"))
        let (code, said) = try Built.run(
            Built.convo, ["start"],
            environment: Built.environment(directory).merging(["CONVOD_SOCKET": directory.file("s.sock")]) {
                $1
            })
        #expect(code == 4 && said.contains("convod.log"), "\(code) \(said)")
        #expect(text(try Files.read(precious)) == "precious")
    }
}

@Suite struct `A path that leads to no file` {
    private static let kinds = ["fifo", "terminal"]

    /// Puts something at a path from which reading would wait for ever.
    private func put(_ kind: String, at path: String) throws {
        if kind == "fifo" { try shell("mkfifo", path) } else { try shell("ln", "-s", "/dev/ptmx", path) }
    }

    @Test(arguments: kinds) func `as configuration is refused at once`(kind: String) throws {
        let directory = try TemporaryDirectory()
        try put(kind, at: directory.file("c.json5"))
        for program in [Built.convod, Built.convo] {
            let (code, said) = try Built.run(
                program, (program == Built.convo ? ["ls"] : []) + ["--config", directory.file("c.json5")],
                environment: Built.environment(directory).merging(["CONVOD_SOCKET": directory.file("s.sock")])
                { $1 })
            #expect(code != 0 && code != 124, "\(program) \(code)")
            #expect(said.contains("no regular file"), "\(said)")
        }
    }

    @Test(arguments: kinds) func `as key or credential fails the prompt, and the daemon goes on`(kind: String)
        throws
    {
        let directory = try TemporaryDirectory()
        try put(kind, at: directory.file("key"))
        let daemon = try RealDaemon(
            """
            { drain: "50ms", retry: { attempts: 1 }, upstreams: {
              echo: { kind: "echo" },
              a: { kind: "openai", model: "m", baseURL: "http://127.0.0.1:9/v1", keys: [{ file: "\(directory.file("key"))" }] },
              b: { kind: "gemini", model: "m", baseURL: "http://127.0.0.1:9", credentials: { serviceAccount: "\(directory.file("key"))" } },
            } }
            """, in: directory)
        let client = try daemon.client()
        try client.open("s")
        for name in ["a", "b"] {
            let answer = try client.prompt("s", "x", #""upstream":"\#(name)""#)
            #expect(answer.kind == "upstream_auth", "\(answer.kind ?? "")")
        }
        #expect(try client.prompt("s", "x", #""upstream":"echo""#).result != nil)
    }

    @Test(arguments: kinds) func `as lock or log is refused at once (N050)`(kind: String) throws {
        let directory = try TemporaryDirectory()
        try put(kind, at: directory.file("c.db.lock"))
        let environment = Built.environment(directory).merging(["CONVOD_SOCKET": directory.file("s.sock")]) {
            $1
        }
        let lock = try Built.run(
            Built.convod, ["--database", directory.file("c.db")], environment: environment)
        #expect(lock.code == 1 && lock.said.contains("c.db.lock"), "\(lock)")
        let found = try Built.run(
            Built.convo, ["status", "--database", directory.file("c.db")], environment: environment)
        #expect(found.code == 4, "\(found)")
        try Files.makeDirectories(directory.file(".local/state/convod"))
        try put(kind, at: directory.file(".local/state/convod/convod.log"))
        for words in [["start"], ["logs"]] {
            let log = try Built.run(Built.convo, words, environment: environment)
            #expect(log.code != 0 && log.code != 124, "\(words): \(log)")
        }
    }

    @Test func `as standard error, full and unread, holds up nobody`() throws {
        let directory = try TemporaryDirectory()
        let pipe = try Process.pipe()
        let reading = Descriptor(owning: pipe.reading)
        let filler = [UInt8](repeating: 0x78, count: 4_096)
        let writer = Descriptor(owning: pipe.writing)
        try writer.setNonBlocking()
        while try System.write(writer.raw, filler) != nil {}
        try shell("true")
        let daemon = try Process.start(
            "/bin/sh",
            [
                "-c",
                "exec \(Built.convod) --socket \(directory.file("s.sock")) --database \(directory.file("c.db"))",
            ], environment: Built.environment(directory), streams: .init(error: writer.raw))
        defer {
            try? Process.signal(daemon, Signals.kill)
            _ = try? Process.reap(daemon)
        }
        try soon("it serves", milliseconds: 5_000) { (try? TestClient(directory.file("s.sock"))) != nil }
        let client = try TestClient(directory.file("s.sock"))
        #expect(try client.call("_convod/server/info").result != nil)
        withExtendedLifetime(reading) {}
    }
}

extension `Under systemd` {
    /// Starts the daemon with something as descriptor 3.
    private func start(with third: String, _ directory: TemporaryDirectory) throws -> (
        code: Int32, said: String
    ) {
        try Built.run(
            "/usr/bin/python3",
            [
                "-c",
                """
                import os, socket, sys
                kind = sys.argv[1]
                if kind == 'tcp':
                    s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(); os.dup2(s.fileno(), 3)
                elif kind == 'datagram':
                    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[4]); os.dup2(s.fileno(), 3)
                elif kind == 'abstract':
                    s = socket.socket(socket.AF_UNIX); s.bind(chr(0) + sys.argv[4]); s.listen(); os.dup2(s.fileno(), 3)
                elif kind == 'connected':
                    a, b = socket.socketpair(); os.dup2(a.fileno(), 3)
                elif kind == 'pipe':
                    r, w = os.pipe(); os.dup2(r, 3)
                elif kind == 'closed':
                    try: os.close(3)
                    except OSError: pass
                if kind != 'closed': os.set_inheritable(3, True)
                os.environ['LISTEN_PID'] = str(os.getpid()); os.environ['LISTEN_FDS'] = '1'
                os.execv(sys.argv[2], [sys.argv[2], '--database', sys.argv[3], '--socket', sys.argv[4]])
                """, third, Built.convod, directory.file("c.db"), directory.file("s.sock"),
            ], environment: Built.environment(directory))
    }

    @Test(arguments: ["tcp", "datagram", "connected", "pipe", "closed"])
    func `a descriptor that is no listening Unix stream socket is refused with a sentence`(third: String)
        throws
    {
        let directory = try TemporaryDirectory()
        let (code, said) = try start(with: third, directory)
        #expect(code == 1, "\(said)")
        #expect(said.contains("no Unix stream socket that listens"), "\(said)")
        #expect(said.split(separator: "\n").count == 1, "\(said)")
    }

    @Test func `one that has no path is refused, since no client would find it`() throws {
        let (code, said) = try start(with: "abstract", try TemporaryDirectory())
        #expect(code == 1 && said.contains("has no path"), "\(said)")
    }
}

@Suite struct `A lock of another program` {
    @Test func `fails all who write after ten seconds, and a stop waits for none of them (B077)`() throws {
        let daemon = try RealDaemon(#"{ drain: "1s", upstreams: { echo: { kind: "echo" } } }"#)
        let clients = try (0..<12).map { _ in try daemon.client() }
        for (number, client) in clients.enumerated() { try client.open("s\(number)") }
        let lock = try WriteLock(daemon)
        defer { withExtendedLifetime(lock) {} }
        let begin = Machine.monotonic()
        let ids = try clients.enumerated().map { try $1.startPrompt("s\($0)", "x") }
        for (client, id) in zip(clients, ids) { #expect(try client.finish(id).kind == "store_failed") }
        let waited = Double(Machine.monotonic() - begin) / 1e9
        // One behind the other they would wait two minutes.
        #expect((9.5..<40).contains(waited), "\(waited) s")
        #expect(try clients[0].call("session/list").result != nil, "reading goes on")

        _ = try clients[0].startPrompt("s0", "y")
        let stopping = Machine.monotonic()
        #expect(try daemon.stop() == .exited(0))
        #expect(Double(Machine.monotonic() - stopping) / 1e9 < 9, "ten seconds are what a write waits")
    }
}

extension `A file of the daemon's own` {
    @Test(arguments: ["1\n", "1\n/nowhere\n", "OWN\n/nowhere\n", String(repeating: "junk ", count: 200_000)])
    func `that is a lock holds by the kernel alone, whatever stands in it (N050)`(content: String) throws {
        let directory = try TemporaryDirectory()
        let words = content.replacing("OWN", with: "\(Process.id)")  // a program that lives, and is no daemon
        for name in ["convod.db.lock", "s.sock.lock"] {
            try Files.replace(directory.file(name), with: Array(words.utf8))
        }
        let began = Machine.monotonic()
        let daemon = try RealDaemon(in: directory)
        #expect(Machine.monotonic() - began < 15_000_000_000)
        let lock = text(try Files.read(daemon.database + ".lock"))
        #expect(lock.hasPrefix("\(daemon.pid ?? 0)\n\(daemon.socket)\n"), "\(lock.prefix(80))")
        #expect(try daemon.client().call("_convod/server/info").result != nil)
    }

    @Test func `that is a directory is refused at once (N050)`() throws {
        let directory = try TemporaryDirectory()
        try Files.makeDirectories(directory.file(".local/state/convod/convod.log"))
        try Files.makeDirectories(directory.file("c.db.lock"))
        let environment = Built.environment(directory).merging(["CONVOD_SOCKET": directory.file("s.sock")]) {
            $1
        }
        let log = try Built.run(Built.convo, ["start"], environment: environment)
        #expect(log.code != 0 && log.code != 124 && log.said.contains("convod.log"), "\(log)")
        let lock = try Built.run(
            Built.convod, ["--database", directory.file("c.db")], environment: environment)
        #expect(lock.code == 1 && lock.said.contains("c.db.lock"), "\(lock)")
    }
}

extension `A lock of another program` {
    @Test func `that stays is told by convo too, which ends with 1 (B077)`() throws {
        let daemon = try RealDaemon()
        try daemon.client().open("s")
        let lock = try WriteLock(daemon)
        defer { withExtendedLifetime(lock) {} }
        let said = try Built.run(
            Built.convo,
            [
                "send", "-n", "-s", "s", "hello", "--config", daemon.directory.file("config.json5"),
                "--socket",
                daemon.socket, "--database", daemon.database,
            ], environment: daemon.environment)
        #expect(said.code == 1 && said.said.contains("another process holds the database"), "\(said)")
        #expect(try daemon.client().messages("s") == [])
    }
}
