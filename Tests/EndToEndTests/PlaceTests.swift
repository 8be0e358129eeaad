internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

/// Homes of one user's that share a runtime directory.
private final class Homes {
    let directory: TemporaryDirectory
    let names: [String]

    init(_ names: String...) throws {
        directory = try TemporaryDirectory()
        self.names = names
        for name in names {
            try Files.makeDirectories(directory.file("\(name)/.config/convod"))
            try Files.makeDirectories(directory.file("\(name)/run"))
            try Files.replace(
                directory.file("\(name)/.config/convod/config.json5"), with: Array(Home.echo.utf8))
        }
        try Files.makeDirectories(directory.file("run"))
    }

    deinit {
        for name in names {
            for socket in ["run", "\(name)/run"] {
                _ = try? Built.run(Built.convo, ["stop"], environment: environment(name, run: socket))
            }
        }
    }

    /// What a shell in a home has set; `run` is the runtime directory.
    func environment(_ home: String, run: String = "run") -> [String: String] {
        ["HOME": directory.file(home), "XDG_RUNTIME_DIR": directory.file(run), "PATH": "/usr/bin:/bin"]
    }

    func convo(
        _ home: String, run: String = "run", _ arguments: String..., more: [String: String] = [:]
    ) throws -> (code: Int32, said: String) {
        try Built.run(
            Built.convo, arguments, environment: environment(home, run: run).merging(more) { $1 })
    }

    /// The process that the daemon of a home has written into its lock file.
    func pid(_ home: String) throws -> Int32 {
        let lock = text(try Files.read(directory.file("\(home)/.local/share/convod/convod.db.lock")))
        return try #require(lock.split(separator: "\n").first.flatMap { Int32($0) })
    }
}

@Suite struct `The places that convo goes to` {
    private static let verbs = [["ls"], ["status"], ["stop"], ["restart"], ["start"], ["send", "hello"]]

    @Test func `writes into no other home's database, and stops no other home's daemon`() throws {
        let homes = try Homes("one", "two")
        #expect(try homes.convo("one", "send", "--new", "mine", "hello").code == 0)
        let pid = try homes.pid("one")
        for verb in Self.verbs {
            let said = try Built.run(Built.convo, verb, environment: homes.environment("two"))
            #expect(said.code == 1, "\(verb) \(said)")
            for words in [
                "one/.local/share/convod/convod.db", "two/.local/share/convod/convod.db", "--database",
            ] {
                #expect(said.said.contains(words), "\(verb) \(said)")
            }
        }
        #expect(Process.exists(pid))
        #expect(try homes.convo("one", "ls").said.split(separator: "\n").count == 1)
        #expect(try Files.status(homes.directory.file("two/.local/share/convod/convod.db")) == nil)
        let database = homes.directory.file("one/.local/share/convod/convod.db")
        #expect(try homes.convo("two", "--database", database, "ls").said.hasPrefix("mine\t"))
    }

    @Test func `compares beside a socket that was named what was named, through links`() throws {
        let homes = try Homes("one", "two")
        let socket = homes.directory.file("s.sock")
        #expect(
            try homes.convo("one", "send", "--new", "mine", "hello", more: ["CONVOD_SOCKET": socket]).code
                == 0)
        #expect(try homes.convo("two", "--socket", socket, "ls").said.hasPrefix("mine\t"))
        let link = homes.directory.file("link"), file = "one/.config/convod/config.json5"
        _ = try shell("ln", "-s", homes.directory.file("one"), link)
        for (flag, path) in [("--config", file), ("--database", "one/.local/share/convod/convod.db")] {
            for root in [homes.directory.file("one"), link] {
                let path = root + path.dropFirst(3)
                #expect(try homes.convo("two", "--socket", socket, flag, path, "status").code == 0, "\(path)")
            }
            let other = homes.directory.file("two" + path.dropFirst(3))
            let refused = try homes.convo("two", "--socket", socket, flag, other, "stop")
            #expect(
                refused.code == 1 && refused.said.contains(other) && refused.said.contains(flag), "\(refused)"
            )
        }
        let info = try homes.convo("one", "--socket", socket, "rpc", "_convod/server/info").said
        #expect(try Fixtures.json(info)["configuration"]?.string == homes.directory.file(file))
    }

    @Test func `does not follow the lock file of a daemon that is dead (N050)`() throws {
        let homes = try Homes("one", "two")
        #expect(try homes.convo("one", "start").code == 0)
        // What a daemon of this home left that was killed, and whose socket another one has now.
        let data = homes.directory.file("two/.local/share/convod")
        try Files.makeDirectories(data)
        let socket = homes.directory.file("run/convod/convod.sock")
        try Files.replace(data + "/convod.db.lock", with: Array("4000000\n\(socket)\n".utf8))
        #expect(try homes.convo("two", run: "two/run", "status").code == 4)
        #expect(try homes.convo("two", run: "two/run", "send", "--new", "here", "hello").code == 0)
        #expect(try homes.convo("two", run: "two/run", "ls").said.hasPrefix("here\t"))
        #expect(try homes.convo("one", "ls").said.isEmpty)
    }

    @Test(arguments: [
        ["run/convod/convod.sock"], ["run/convod"], ["run/convod", "one/.local/share/convod/convod.db.lock"],
    ])
    func `finds a daemon again whose names were removed, and starts no second one`(_ removed: [String]) throws
    {
        let homes = try Homes("one")
        #expect(try homes.convo("one", "send", "--new", "mine", "hello").code == 0)
        let pid = try homes.pid("one")
        for name in removed { _ = try shell("rm", "-rf", homes.directory.file(name)) }
        let status = try homes.convo("one", "status")
        // On a busy machine the daemon may have looked meanwhile.
        #expect(
            status.code == 0 || status.code == 4 && status.said.contains("process \(pid) without its socket"),
            "\(status)")
        let began = Machine.monotonic()
        #expect(try homes.convo("one", "ls").said.hasPrefix("mine\t"))
        #expect(Machine.monotonic() - began < 20_000_000_000)
        try soon("the lock file names its holder") { (try? homes.pid("one")) == pid }
        #expect(try homes.convo("one", "status", "--json").said.contains("\"pid\":\(pid)"))
    }

    @Test func `and convod name the process that has the database where its lock file is gone`() throws {
        let daemon = try RealDaemon()
        try Files.remove(daemon.database + ".lock")
        let second = try Built.run(
            Built.convod, ["--socket", daemon.directory.file("other.sock"), "--database", daemon.database],
            environment: daemon.environment)
        #expect(second.code == 1 && second.said.contains("process \(daemon.pid ?? 0)"), "\(second)")
        try daemon.client().open("s")
        #expect(try daemon.sqlite("SELECT count(*) FROM session") == "1")
    }
}
