internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `Starting is refused` {
    /// Runs `convod` to its end and checks that it said one line.
    private func refused(
        _ directory: TemporaryDirectory, socket: String, database: String, _ more: [String] = []
    ) throws -> (code: Int32, said: String) {
        let (code, said) = try Built.run(
            Built.convod, ["--socket", socket, "--database", database] + more,
            environment: Built.environment(directory))
        #expect(said.hasPrefix("convod: ") && said.split(separator: "\n").count == 1, "\(said)")
        return (code, said)
    }

    @Test func `on a database that another daemon has, with its owner named (B079)`() throws {
        let daemon = try RealDaemon()
        let (code, said) = try refused(
            daemon.directory, socket: daemon.directory.file("t.sock"), database: daemon.database)
        #expect(code == 1)
        #expect(said.contains("process \(daemon.pid ?? 0),") && said.contains(daemon.socket), "\(said)")
        #expect(try daemon.client().call("_convod/server/info").result != nil)
    }

    @Test func `on a socket where another daemon listens (B137)`() throws {
        let daemon = try RealDaemon()
        let (code, said) = try refused(
            daemon.directory, socket: daemon.socket, database: daemon.directory.file("other.db"))
        #expect(code == 1)
        #expect(said.contains(daemon.socket) && said.contains("--socket"), "\(said)")
        #expect(try daemon.client().call("_convod/server/info").result != nil)
    }

    @Test(arguments: ["regular", "directory", "symlink"])
    func `at a path where something else lies, which stays (B139)`(kind: String) throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("s.sock"), other = directory.file("other")
        switch kind {
        case "regular": try Files.replace(path, with: [0x78])
        case "directory": try Files.makeDirectories(path)
        default:
            try Files.replace(other, with: [0x78])
            try shell("ln", "-s", other, path)
        }
        let before = try Files.status(path)
        let (code, said) = try refused(directory, socket: path, database: directory.file("convod.db"))
        #expect(code == 1)
        #expect(said.contains(path) && said.contains("no socket"), "\(said)")
        #expect(try Files.status(path) == before)
        if kind == "symlink" { #expect(try Files.read(other) == [0x78]) }
    }

    @Test func `with its database below a regular file`() throws {
        let directory = try TemporaryDirectory()
        try Files.replace(directory.file("file"), with: [0x78])
        let (code, said) = try refused(
            directory, socket: directory.file("s.sock"), database: directory.file("file/convod.db"))
        #expect(code == 1)
        #expect(said.contains(directory.file("file")), "\(said)")
        #expect(try Files.read(directory.file("file")) == [0x78])
    }

    @Test(.enabled(if: canMount, "this user may not mount a file system"))
    func `on a read-only file system`() throws {
        let directory = try TemporaryDirectory()
        let mount = directory.file("ro")
        try Files.makeDirectories(mount)
        try shell("mount", "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs", mount)
        defer { _ = try? shell("umount", mount) }
        let (code, said) = try refused(
            directory, socket: directory.file("s.sock"), database: mount + "/convod.db")
        #expect(code == 1)
        #expect(said.contains(mount) && said.contains("read-only"), "\(said)")
        #expect(try Files.status(directory.file("s.sock")) == nil)
    }

    @Test func `for a socket's path of 108 bytes, with the limit and its length`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/" + String(repeating: "s", count: 107 - directory.path.utf8.count)
        let (code, said) = try refused(directory, socket: path, database: directory.file("convod.db"))
        #expect(code == 1)
        #expect(said.contains("107") && said.contains("108"), "\(said)")
    }

    @Test func `for an argument that nobody knows`() throws {
        let directory = try TemporaryDirectory()
        let (code, said) = try refused(
            directory, socket: directory.file("s.sock"), database: directory.file("convod.db"), ["--sokcet"])
        #expect(code == 2)
        #expect(said.contains("--sokcet") && said.contains("--help"), "\(said)")
    }

    @Test func `for a key of the configuration that nobody knows, with its place and what was meant`() throws
    {
        let directory = try TemporaryDirectory()
        let path = directory.file("config.json5")
        try Files.replace(path, with: Array("{\r\n  // a comment\r\n  upstreems: {},\r\n}\r\n".utf8))
        let (code, said) = try refused(
            directory, socket: directory.file("s.sock"), database: directory.file("convod.db"),
            ["--config", path])
        #expect(code == 2)
        #expect(said.contains("\(path):3:") && said.contains("'upstreams'"), "\(said)")
        #expect(try Files.status(directory.file("convod.db")) == nil)
    }

    @Test func `on a database from the future, before anything in it is touched (B085, B086)`() throws {
        let daemon = try RealDaemon()
        try daemon.client().open("demo")
        try daemon.stop()
        _ = try daemon.sqlite("PRAGMA user_version = 9999; DROP VIEW IF EXISTS readable_sessions")
        let before = try Files.read(daemon.database)
        let (code, said) = try refused(daemon.directory, socket: daemon.socket, database: daemon.database)
        #expect(code == 1)
        #expect(said.contains(daemon.database) && said.contains("9999"), "\(said)")
        #expect(try Files.read(daemon.database) == before)
        let listed = try Built.run(
            Built.convo, ["ls", "--socket", daemon.socket, "--database", daemon.database],
            environment: daemon.environment)
        #expect(listed.code == 4 && listed.said.contains("9999"), "\(listed)")
        #expect(listed.said.split(separator: "\n").count == 1, "\(listed)")
        #expect(try Files.read(daemon.database) == before)
    }
}

extension `Starting is refused` {
    @Test(arguments: [
        ["ls"], ["show", "demo"], ["search", "hello"], ["export", "demo"], ["context", "demo"],
    ])
    func `on a database from the future, which each command says in one line (B086)`(_ command: [String])
        throws
    {
        let daemon = try RealDaemon()
        try daemon.client().open("demo")
        try daemon.stop()
        _ = try daemon.sqlite("PRAGMA user_version = 9999")
        let before = try Files.read(daemon.database)
        let told = try Built.run(
            Built.convo, command + ["--socket", daemon.socket, "--database", daemon.database],
            environment: daemon.environment)
        #expect(told.code == 4 && told.said.contains("9999") && told.said.contains("newer build"), "\(told)")
        #expect(told.said.split(separator: "\n").count == 1, "\(told)")
        #expect(try Files.read(daemon.database) == before)
    }
}
