internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

private let isRoot = Process.userID == 0
private let setpriv = "/usr/bin/setpriv"

/// A program that listens at a path as user `nobody` and writes down what it is told.
private final class Impostor {
    let heard: String
    private let pid: Int32

    init(at path: String, in directory: TemporaryDirectory) throws {
        heard = directory.file("heard")
        try shell("chmod", "777", directory.path)
        pid = try Process.start(
            setpriv,
            [
                "--reuid=65534", "--clear-groups", "/usr/bin/socat", "UNIX-LISTEN:\(path),fork",
                "OPEN:\(heard),creat,append",
            ], environment: ["PATH": "/usr/bin:/bin"])
        try soon("it listens") { try isListenedTo(path) }
    }

    deinit {
        try? Process.signal(pid, Signals.kill)
        _ = try? Process.reap(pid)
    }
}

@Suite struct `convo` {
    @Test(
        .enabled(
            if: isRoot && Files.isExecutable(setpriv), "another user can listen only where root runs this"))
    func `says nothing to another user's listener, and names that user (N049)`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("s.sock")
        let impostor = try Impostor(at: path, in: directory)
        let environment = Built.environment(directory).merging(["CONVOD_SOCKET": path]) { $1 }
        for words in [["send", "my words"], ["stop"], ["status"], ["ls"], ["restart"], ["start"], ["acp"]] {
            let (code, said) = try Built.run(Built.convo, words, environment: environment)
            #expect(code == 1, "\(words): \(said)")
            #expect(said.contains("user 'nobody'") && said.contains(path), "\(words): \(said)")
            #expect(said.split(separator: "\n").count == 1, "\(words): \(said)")
        }
        #expect(((try? Files.status(impostor.heard)) ?? nil)?.size ?? 0 == 0, "it was told nothing")
    }

    @Test func `stops who listens, whatever process ID is answered`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("s.sock")
        let victim = try Process.start("/bin/sleep", ["60"], environment: [:])
        defer {
            try? Process.signal(victim, Signals.kill)
            _ = try? Process.reap(victim)
        }
        for answered in ["\(victim)", "0", "1099511627776"] {
            let answer =
                #"{"jsonrpc":"2.0","id":1,"result":{"name":"convod","version":"0.1.0","pid":\#(answered),"socket":"x","database":"\#(directory.file("c.db"))"}}"#
            try Files.replace(directory.file("answer"), with: Array((answer + "\n").utf8))
            let liar = try Process.start(
                "/usr/bin/socat",
                ["UNIX-LISTEN:\(path)", "SYSTEM:read x; cat \(directory.file("answer")); cat"],
                environment: ["PATH": "/usr/bin:/bin"])
            try soon("it listens") { try isListenedTo(path) }
            let (code, said) = try Built.run(
                Built.convo, ["stop"],
                environment: Built.environment(directory).merging(["CONVOD_SOCKET": path]) { $1 })
            #expect(code == 1 && said.contains("held by process \(liar)"), "\(code) \(said)")
            #expect(Process.exists(victim))
            try? Process.signal(liar, Signals.kill)
            _ = try Process.reap(liar)
            try Files.remove(path)
        }
    }

    @Test(.enabled(if: isRoot, "only root can be led into another's home"))
    func `and convod leave no files of root's in another user's home (N052)`() throws {
        let directory = try TemporaryDirectory()
        let home = directory.file("home")
        try Files.makeDirectories(home)
        try shell("chown", "65534", home)
        var environment = Built.environment(directory)
        for variable in ["HOME", "XDG_RUNTIME_DIR", "XDG_DATA_HOME"] {
            var led = environment
            led[variable] = home
            for program in [Built.convo, Built.convod] {
                let (code, said) = try Built.run(
                    program, program == Built.convo ? ["send", "hello"] : [], environment: led)
                #expect(code == 1, "\(said)")
                #expect(said.contains("sudo -u nobody") && said.split(separator: "\n").count == 1, "\(said)")
            }
            #expect(try shell("find", home, "-mindepth", "1") == "")
        }
        environment["HOME"] = home
        environment["CONVOD_SOCKET"] = directory.file("s.sock")
        environment["CONVOD_DATABASE"] = directory.file("c.db")
        environment["CONVOD_CONFIG"] = directory.file("c.json5")
        try Files.replace(
            directory.file("c.json5"), with: Array("{ upstreams: { echo: { kind: 'echo' } } }".utf8))
        environment["XDG_STATE_HOME"] = directory.file("state")
        #expect(try Built.run(Built.convo, ["send", "hello"], environment: environment).code == 0)
        _ = try Built.run(Built.convo, ["stop"], environment: environment)
    }
}

@Suite struct `A socket that two users can reach` {
    /// Who is no administrator hears nothing of what only administrators may know.
    @Test(
        .enabled(
            if: isRoot && Files.isExecutable(setpriv), "another user can connect only where root runs this"))
    func `tells administrators alone where things lie and what runs, and who is taken off at once`() throws {
        let directory = try TemporaryDirectory()
        try shell("chmod", "711", directory.path)
        func configuration(_ admins: String, _ users: String) -> String {
            #"{ drain: "50ms", socket: { mode: "0666", admins: [\#(admins)], allow: { users: [\#(users)] } }, upstreams: { echo: { kind: "echo" } } }"#
        }
        let daemon = try RealDaemon(configuration("'nobody'", "'nobody'"), in: directory)
        try daemon.client().open("roots")
        let nobody = try ClientOfNobody(daemon.socket)
        let asAdmin = try nobody.ask("_convod/server/info", "{}")["result"]
        #expect(asAdmin?["isAdmin"]?.bool == true && asAdmin?["database"]?.string == daemon.database)
        #expect(try nobody.ask("_convod/session/get", #"{"sessionId":"roots"}"#)["result"] != nil)

        try daemon.reload(configuration("", "'nobody'"))
        let closing = try nobody.next()
        #expect(closing["method"]?.string == "_convod/closing")
        #expect(closing["params"]?["message"]?.string?.contains("no administrator any more") == true)
        #expect(throws: Late.self) { _ = try nobody.next() }
        #expect(try daemon.client().call("_convod/session/get", #"{"sessionId":"roots"}"#).result != nil)
    }
}
