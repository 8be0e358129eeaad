internal import Posix
internal import TestSupport
internal import Testing

private func locations(_ environment: [String: String]) -> Locations {
    Locations(environment: environment, uid: 1000, home: "/home/of/passwd")
}

@Suite struct `A place for files` {
    @Test(
        arguments: [
            (
                [:], "/home/of/passwd/.config/convod/config.json5",
                "/home/of/passwd/.local/share/convod/convod.db",
                "/home/of/passwd/.local/state/convod/convod.log"
            ),
            (
                ["HOME": "/h/"], "/h/.config/convod/config.json5", "/h/.local/share/convod/convod.db",
                "/h/.local/state/convod/convod.log"
            ),
            (
                ["HOME": "/h", "XDG_CONFIG_HOME": "/c", "XDG_DATA_HOME": "/d", "XDG_STATE_HOME": "/s"],
                "/c/convod/config.json5", "/d/convod/convod.db",
                "/s/convod/convod.log"
            ),
            (
                ["HOME": "/h", "XDG_CONFIG_HOME": "c", "XDG_DATA_HOME": "", "XDG_STATE_HOME": "./s"],
                "/h/.config/convod/config.json5",
                "/h/.local/share/convod/convod.db", "/h/.local/state/convod/convod.log"
            ),
            (
                [
                    "HOME": "/h", "CONFIGURATION_DIRECTORY": "/etc/convod",
                    "STATE_DIRECTORY": "/var/lib/convod",
                ], "/etc/convod/config.json5",
                "/var/lib/convod/convod.db", "/h/.local/state/convod/convod.log"
            ),
        ] as [([String: String], String, String, String)])
    func `follows the environment`(
        _ environment: [String: String], _ configuration: String, _ database: String, _ log: String
    ) {
        let locations = locations(environment)
        #expect(
            [locations.configuration, locations.database, locations.log] == [configuration, database, log])
    }

    @Test(
        arguments: [
            (["XDG_RUNTIME_DIR": "/run/user/7"], true, "/run/user/7/convod/convod.sock"),
            ([:], true, "/run/user/1000/convod/convod.sock"),
            ([:], false, "/tmp/convod-1000/convod.sock"),
            (["XDG_RUNTIME_DIR": "relative"], false, "/tmp/convod-1000/convod.sock"),
            (["RUNTIME_DIRECTORY": "/run/convod", "XDG_RUNTIME_DIR": "/x"], true, "/run/convod/convod.sock"),
        ] as [([String: String], Bool, String)])
    func `is found for the socket without XDG_RUNTIME_DIR too (N052)`(
        _ environment: [String: String], _ isUsable: Bool, _ path: String
    ) {
        #expect(locations(environment).socket { $0 == "/run/user/1000" && isUsable } == path)
    }
}

extension `A place for files` {
    @Test(arguments: ["directory of another", "link to a directory", "file"])
    func `in /tmp that somebody made first is refused, and left as it is (N049)`(kind: String) throws {
        // A user who is not there: what this process makes is another's for that one.
        let uid = UInt32(4_000_000_000) + UInt32(Machine.random(2).reduce(0) { $0 * 256 + Int($1) })
        let locations = Locations(environment: [:], uid: uid, home: nil)
        let path = "/tmp/convod-\(uid)", directory = try TemporaryDirectory()
        #expect(locations.socket { _ in false } == path + "/convod.sock")
        defer { _ = try? shell("rm", "-rf", path) }
        switch kind {
        case "file": try Files.replace(path, with: [0x78])
        case "link to a directory": try shell("ln", "-s", directory.path, path)
        default:
            try Files.makeDirectories(path)
            try shell("chmod", "777", path)
        }
        let before = try Files.status(path)
        #expect(throws: PosixError.self) {
            try locations.prepareDirectory(ofSocket: path + "/convod.sock", mode: 0o600)
        }
        #expect(try Files.status(path) == before)
        #expect(try shell("ls", "-A", directory.path) == "")
    }
}

extension `A place for files` {
    @Test(arguments: [(0o600, "700"), (0o660, "710"), (0o666, "711")])
    func `of a socket that others may use is a directory that they may go through`(mode: UInt32, seen: String)
        throws
    {
        let directory = try TemporaryDirectory()
        let me = Locations(environment: [:], uid: Process.userID, home: nil)
        try me.prepareDirectory(ofSocket: directory.file("a/b/convod.sock"), mode: mode)
        for path in ["a", "a/b"] {
            #expect(try shell("stat", "-c", "%a", directory.file(path)) == seen + "\n")
        }
        let socket = directory.file("a/b/convod.sock")
        #expect(me.closedDirectory(ofSocket: socket, mode: mode) == nil)
        try shell("chmod", "700", directory.file("a/b"))
        #expect((me.closedDirectory(ofSocket: socket, mode: mode) == nil) == (mode == 0o600))
    }

    @Test func `of a socket is no directory in which others could put another socket (N049)`() throws {
        let directory = try TemporaryDirectory()
        let other = Locations(environment: [:], uid: 4_000_000_000, home: nil)
        let me = Locations(environment: [:], uid: Process.userID, home: nil)
        let path = directory.file("there"), socket = path + "/convod.sock"
        try Files.makeDirectories(path)
        try me.prepareDirectory(ofSocket: socket, mode: 0o600)
        for (mode, isGood) in [("755", true), ("770", true), ("1777", true), ("777", false), ("702", false)] {
            try shell("chmod", mode, path)
            #expect((me.problem(listeningIn: path) == nil) == isGood, "\(mode)")
        }
        try shell("chmod", "700", path)
        // What belongs to root is nobody's who would.
        if Process.userID == 0 { try shell("chown", "65534", path) }
        let problem = (Process.userID == 0 ? me : other).problem(listeningIn: path)
        #expect(problem?.contains("who could put another socket in its place") ?? false, "\(problem ?? "")")
        #expect(throws: PosixError.self) {
            try (Process.userID == 0 ? me : other).prepareDirectory(ofSocket: socket, mode: 0o600)
        }
    }

    @Test func `keeps its mode from others, whoever brought it, and a link to it is left as it is`() throws {
        let directory = try TemporaryDirectory(), file = directory.file("a.db"), link = directory.file("l")
        try Files.replace(file, with: [0x78])
        try shell("chmod", "644", file)
        try shell("ln", "-s", file, link)
        #expect(try Files.close(link) == nil)
        #expect(try Files.status(file)?.mode == 0o644)
        #expect(try Files.close(file) == 0o644)
        #expect(try Files.status(file)?.mode == 0o600)
        #expect(try Files.close(file) == nil && Files.close(directory.file("none")) == nil)
    }

    @Test func `is not the runtime directory that another user left in the environment (N052)`() {
        let locations = locations(["XDG_RUNTIME_DIR": "/run/user/0"])
        #expect(
            locations.socket(isUsable: { $0 == "/run/user/1000" }, isForeign: { $0 == "/run/user/0" })
                == "/run/user/1000/convod/convod.sock")
        #expect(
            locations.socket(isUsable: { _ in false }, isForeign: { $0 == "/run/user/0" })
                == "/tmp/convod-1000/convod.sock")
        // One that is not there yet is made, as before.
        #expect(
            locations.socket(isUsable: { _ in false }, isForeign: { _ in false })
                == "/run/user/0/convod/convod.sock")
    }
}
