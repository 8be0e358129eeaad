internal import JSON
internal import Posix
internal import Protocol
internal import TestSupport
internal import Testing

private let isRoot = Process.userID == 0
private let setpriv = "/usr/bin/setpriv"

/// Sends lines as user nobody, with groups, and gives all that came back.
private func asNobody(_ socket: String, _ lines: [String], groups: String? = nil) throws -> String {
    let rights = groups.map { "--groups=\($0)" } ?? "--clear-groups"
    let (_, said) = try run(
        setpriv, ["--reuid=65534", rights, "/usr/bin/socat", "-t", "10", "-", "UNIX-CONNECT:\(socket)"],
        environment: [:], input: lines.map { $0 + "\n" }.joined())
    return said
}

@Suite(
    .enabled(if: isRoot && Files.isExecutable(setpriv), "another user can connect only where root runs this"))
struct `Another user` {
    private func daemon(_ access: String) throws -> RealDaemon {
        let directory = try TemporaryDirectory()
        try shell("chmod", "711", directory.path)
        return try RealDaemon(
            #"{ drain: "50ms", socket: { mode: "0666", \#(access) }, upstreams: { echo: { kind: "echo" } } }"#,
            in: directory)
    }

    /// Runs a command as user nobody.
    private func convoOfNobody(_ command: String, _ daemon: RealDaemon) throws -> (code: Int32, said: String)
    {
        // Where the programs are that user may not go.
        let program = daemon.directory.file("convo")
        try shell("cp", Built.convo, program)
        return try Built.run(
            setpriv, ["--reuid=65534", "--clear-groups", program, "--socket", daemon.socket, command],
            environment: ["PATH": "/usr/bin:/bin", "HOME": "/nonexistent"])
    }

    @Test func `is known by its group even where it has 300 of them`() throws {
        let daemon = try daemon("allow: { users: [], groups: ['games'] }")
        let info = #"{"jsonrpc":"2.0","id":1,"method":"_convod/server/info"}"#
        let games = try shell("getent", "group", "games").split(separator: ":")[2]
        let many = ([games] + (1_000..<1_300).map { Substring("\($0)") }).joined(separator: ",")
        #expect(try asNobody(daemon.socket, [info], groups: many).contains(#""uid":65534"#))
        #expect(try asNobody(daemon.socket, []).contains("permission_denied"))
    }

    @Test func `is not told where things lie, what runs, or that another's turn is there`() throws {
        let daemon = try daemon("allow: { users: ['nobody'] }")
        let client = try daemon.client()
        try client.open("s")
        let turn = try client.prompt("s", "secret words").extras?["turnId"]?.string ?? ""
        let info = try asNobody(
            daemon.socket,
            [
                #"{"jsonrpc":"2.0","id":1,"method":"_convod/server/info"}"#,
                #"{"jsonrpc":"2.0","id":2,"method":"_convod/turn/get","params":{"turnId":"\#(turn)"}}"#,
                #"{"jsonrpc":"2.0","id":3,"method":"_convod/context/receipt","params":{"turnId":"\#(turn)"}}"#,
                #"{"jsonrpc":"2.0","id":4,"method":"_convod/session/get","params":{"sessionId":"s"}}"#,
            ])
        for word in ["database", "sessionsRunning", "environment", daemon.database, "secret"] {
            #expect(!info.contains(word), "\(word)")
        }
        #expect(info.split(separator: "\n").count { $0.contains("not_found") } == 3, "\(info)")
    }

    @Test
    func `has an administrator's messages in the one session of an ID, whether something runs or not`() throws
    {
        let daemon = try daemon("allow: { users: ['nobody'] }")
        let client = try daemon.client(), nobody = try ClientOfNobody(daemon.socket)
        func new(_ id: String) -> String {
            #"{"sessionId":"\#(id)","ifMissing":"create","messages":[{"role":"user","content":[{"type":"text","text":"x"}]}]}"#
        }
        #expect(try nobody.ask("_convod/message/append", new("theirs"))["error"] == nil)
        for seqs in [2, 3] {
            #expect(try client.call("_convod/message/append", new("theirs")).result?["firstSeq"]?.int == seqs)
            // Behind this somebody looks on, and the session is looked for first.
            if seqs == 2 {
                try client.open("own")
                _ = try client.call(
                    "session/resume",
                    #"{"sessionId":"own","cwd":"/","_meta":{"convod":{"role":"observer"}}}"#)
            }
        }
        #expect(try nobody.ask("_convod/message/append", new("own"))["result"]?["firstSeq"]?.int == 1)
    }

    @Test func `finds nothing of another's, by whatever method it asks`() throws {
        let daemon = try daemon("allow: { users: ['nobody'] }")
        let client = try daemon.client()
        try client.open("demo")
        let turn = try client.prompt("demo", "secret words").extras?["turnId"]?.string ?? ""
        let nobody = try ClientOfNobody(daemon.socket)
        var asked = 0
        for method in Method.allCases where !method.isNotification && method != .sessionNew {
            for example in SchemaChecker.shared.examples(of: method.rawValue) {
                var params = text(example.params)
                guard !params.contains("ifMissing"),
                    params.contains(#""sessionId":"demo""#) || params.contains("turnId")
                else { continue }
                if let at = params.firstRange(of: #""turnId":""#)?.upperBound {
                    params.replaceSubrange(at..<params.index(at, offsetBy: 36), with: turn)
                }
                asked += 1
                let answer = try nobody.ask(method.rawValue, params)
                // What is to be gone is gone for who never had it.
                let isFine = method == .sessionDelete && answer["result"] != nil
                let said = text(answer.raw)
                #expect(
                    isFine || answer["error"]?["data"]?["kind"]?.string == "not_found", "\(method): \(said)")
                #expect(!said.contains("secret"))
            }
        }
        #expect(asked > 20, "\(asked)")
        #expect(try client.messages("demo").count == 2)
    }

    @Test
    func `who watches is answered about everybody's sessions where nothing is changed, and nowhere else`()
        throws
    {
        let daemon = try daemon("allow: { users: [] }, watchers: ['nobody']")
        let client = try daemon.client()
        try client.open("demo")
        let turn = try client.prompt("demo", "secret words").extras?["turnId"]?.string ?? ""
        let nobody = try ClientOfNobody(daemon.socket)
        var refused = 0
        for method in Method.allCases where !method.isNotification {
            guard let example = SchemaChecker.shared.examples(of: method.rawValue).first else { continue }
            var params = text(example.params)
            if let at = params.firstRange(of: #""turnId":""#)?.upperBound {
                params.replaceSubrange(at..<params.index(at, offsetBy: 36), with: turn)
            }
            var answer = try nobody.ask(method.rawValue, params)
            while answer["method"] != nil { answer = try nobody.next() }
            let isRefused = answer["error"]?["data"]?["kind"]?.string == "permission_denied"
            #expect(isRefused != method.contract.isForWatchers, "\(method): \(text(answer.raw))")
            refused += isRefused ? 1 : 0
        }
        #expect(refused > 25)
        let whole = try nobody.ask("_convod/message/list", #"{"sessionId":"demo"}"#)
        #expect(text(whole.raw).contains("secret words"))
        #expect(try nobody.ask("_convod/session/find", #"{"owner":"*"}"#)["result"]?["sessions"]?.count == 1)
        #expect(try nobody.ask("_convod/server/metrics")["result"] != nil)
        for method in ["session/load", "session/resume"] {
            for mode in ["append", "override"] {
                let brought = #"{"mode":"\#(mode)","content":[{"type":"text","text":"obey"}]}"#
                var answer = try nobody.ask(
                    method, #"{"sessionId":"demo","cwd":"/","mcpServers":[],"systemPrompt":\#(brought)}"#)
                while answer["method"] != nil { answer = try nobody.next() }
                #expect(
                    answer["error"]?["data"]?["kind"]?.string == "permission_denied", "\(text(answer.raw))")
            }
        }
        #expect(
            try client.call("_convod/session/get", #"{"sessionId":"demo"}"#).result?["appendedSystem"] == nil)
        // What it says of a running turn does not count either, though it has the session open.
        let running = try client.startPrompt("demo", "count to 60")
        var opened = try nobody.ask("session/load", #"{"sessionId":"demo","cwd":"/","mcpServers":[]}"#)
        while opened["method"] != nil { opened = try nobody.next() }
        #expect(opened["result"] != nil)
        try nobody.tell("session/cancel", #"{"sessionId":"demo"}"#)
        #expect(try client.finish(running).result?["stopReason"]?.string == "end_turn")
        #expect(try client.messages("demo").count == 4)
    }

    @Test
    func `in whose session an administrator says something has that kept, and their own words not twice`()
        throws
    {
        let daemon = try daemon("allow: { users: ['nobody'] }")
        let nobody = try ClientOfNobody(daemon.socket), client = try daemon.client()
        for (method, params) in [
            ("session/new", #"{"cwd":"/","mcpServers":[],"_meta":{"convod":{"sessionId":"theirs"}}}"#),
            (
                "_convod/message/append",
                #"{"sessionId":"theirs","messages":[{"role":"user","content":[{"type":"text","text":"a"}]}]}"#
            ),
        ] {
            #expect(try nobody.ask(method, params)["result"] != nil)
        }
        #expect(try client.call("_convod/session/find", #"{"owner":"*"}"#).result?["sessions"]?.count == 1)
        try client.open("mine")
        let own = try client.prompt("mine", "words").extras?["turnId"]?.string ?? ""
        _ = try client.call("session/load", #"{"sessionId":"theirs","cwd":"/","mcpServers":[]}"#)
        _ = try client.prompt("theirs", "from above")
        _ = try client.call("_convod/turn/cancel", #"{"turnId":"\#(own)"}"#)
        var told: [String] = []
        try soon("it is kept") {
            told =
                try client.call("_convod/audit").result?["changes"]?.elements.map {
                    "\($0["uid"]?.int ?? -1) \($0["method"]?.string ?? "") \($0["session"]?.string ?? "")"
                } ?? []
            return told.count >= 4
        }
        #expect(
            told.sorted() == [
                "0 _convod/turn/cancel mine", "0 session/new mine", "0 session/prompt theirs",
                "65534 session/new theirs",
            ])
    }

    @Test func `who ends another's answer, or changes what its model is told, is kept`() throws {
        let daemon = try daemon("admins: ['nobody']")
        let client = try daemon.client()
        try client.open("s")
        let running = try client.startPrompt("s", "count to a thousand")
        _ = try client.update {
            $0["params"]?["update"]?["sessionUpdate"]?.string == "agent_message_chunk"
        }
        let brought = #"{"mode":"append","content":[{"type":"text","text":"obey"}]}"#
        let nobody = try ClientOfNobody(daemon.socket)
        var answer = try nobody.ask(
            "session/resume",
            #"{"sessionId":"s","cwd":"/","mcpServers":[],"systemPrompt":\#(brought)}"#)
        while answer["method"] != nil { answer = try nobody.next() }
        #expect(answer["error"] == nil, "\(text(answer.raw))")
        _ = try asNobody(
            daemon.socket, [#"{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"s"}}"#])
        #expect(try client.finish(running).result?["stopReason"]?.string == "cancelled")
        try Patience.until(["session/cancel", "session/resume"]) {
            try client.call("_convod/audit").result?["changes"]?.elements.compactMap {
                $0["uid"]?.int == 65_534 ? $0["method"]?.string : nil
            } ?? []
        }
    }

    @Test func `who may not connect reads why in every command`() throws {
        let daemon = try daemon("allow: { users: [] }")
        for _ in 0..<10 {
            for command in ["status", "ls"] {
                let (code, said) = try convoOfNobody(command, daemon)
                #expect(code != 0 && said.contains("user 65534 may not connect"), "\(command): \(said)")
            }
        }
    }

    @Test func `who may not go to the socket is not told that no daemon runs`() throws {
        let directory = try TemporaryDirectory()
        try shell("chmod", "711", directory.path)
        let daemon = try RealDaemon(#"{ upstreams: { echo: { kind: "echo" } } }"#, in: directory)
        for command in ["status", "stop", "doctor"] {
            let (code, said) = try convoOfNobody(command, daemon)
            #expect(code != 0 && said.contains("you may not use"), "\(command): \(code) \(said)")
        }
    }

    @Test func `has half of the connections, and an administrator finds room`() throws {
        let directory = try TemporaryDirectory()
        try shell("chmod", "711", directory.path)
        let daemon = try RealDaemon(
            #"{ socket: { mode: "0666" }, limits: { connections: 16 }, upstreams: { echo: { kind: "echo" } } }"#,
            in: directory)
        let script = """
            import socket, sys, time
            held, said = [], b''
            for _ in range(9):
                s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); held.append(s)
                s.sendall(b'{"jsonrpc":"2.0","id":1,"method":"session/list"}\\n')
                said += s.recv(65536).split(b'\\n')[0] + b'\\n'
            print(said.decode(), flush=True)
            sys.stdin.read()
            """
        let others = try PipedProgram(
            setpriv, ["--reuid=65534", "--clear-groups", "/usr/bin/python3", "-c", script, daemon.socket],
            environment: ["PATH": "/usr/bin:/bin"])
        var said: [UInt8] = []
        try soon("it has asked with all") {
            if try !System.wait(readable: [others.from.raw], milliseconds: 100).isEmpty {
                _ = try System.read(others.from.raw, into: &said, most: 65_536)
            }
            return said.count { $0 == 0x0A } >= 9
        }
        let lines = text(said).split(separator: "\n")
        #expect(lines.prefix(8).allSatisfy { $0.contains("\"result\"") }, "\(lines)")
        #expect(lines.last?.contains("8 clients of user 65534 are connected, half of what may be") == true)
        let own = try (0..<8).map { _ in try daemon.client() }
        for client in own { #expect(try client.call("_convod/server/info").result != nil) }
        #expect((try? daemon.client().call("_convod/server/info").result) == nil)
    }

    @Test(
        .enabled(
            if: (try? shell("unshare", "-U", "-r", "true")) != nil, "this user may make no user namespace"))
    func `without a number in the daemon's user namespace is turned away`() throws {
        let directory = try TemporaryDirectory()
        try shell("chmod", "711", directory.path)
        let daemon = try RealDaemon(
            #"{ socket: { mode: "0666" }, upstreams: { echo: { kind: "echo" } } }"#, in: directory,
            launcher: ["/usr/bin/unshare", "-U", "-r"])
        #expect(try daemon.client().call("_convod/server/info").result != nil)
        for user in ["7", "65534"] {
            let (_, said) = try run(
                setpriv,
                [
                    "--reuid=\(user)", "--clear-groups", "/usr/bin/socat", "-t", "10", "-",
                    "UNIX-CONNECT:\(daemon.socket)",
                ],
                environment: [:], input: "")
            #expect(said.contains("the kernel does not tell the daemon who you are"), "\(said)")
        }
    }

    @Test(arguments: ["branch", "summary", "path"])
    func `reads in nothing that goes on from another's messages, though it knows their IDs`(_ kind: String)
        throws
    {
        let daemon = try daemon("allow: { users: ['nobody'] }")
        let nobody = try ClientOfNobody(daemon.socket), client = try daemon.client()
        try client.open("theirs")
        _ = try client.prompt("theirs", "secret words")
        let list = try client.call("_convod/message/list", #"{"sessionId":"theirs"}"#).result
        let ids = list?["messages"]?.elements.compactMap { $0["id"]?.string } ?? []
        let first = "019a5a5a-5a5a-7a5a-815a-5a5a5a5a5a5a", second = "019a5a5a-5a5a-7a5a-815a-5a5a5a5a5a5b"
        let parent = kind == "path" ? "\"\(ids[1])\"" : "null"
        var records = [
            #"{"type":"session","version":1,"harness":"convo","id":"mine","cwd":"/"}"#,
            #"{"type":"message","id":"\#(first)","parentId":\#(parent),"message":{"role":"user","content":"a","timestamp":1}}"#,
        ]
        if kind == "branch" {
            records.append(
                #"{"type":"branch_message","id":"\#(second)","parentId":"\#(ids[1])","message":{"role":"user","content":"b","timestamp":1}}"#
            )
        } else if kind == "summary" {
            records.append(
                #"{"type":"summary","id":"\#(second)","firstSeq":1,"lastSeq":1,"messageId":"\#(ids[0])","text":"t","madeAt":1,"createdAt":"2026-11-25T06:00:00.000Z"}"#
            )
        }
        let read = try nobody.ask(
            "_convod/import", #"{"records":[\#(records.joined(separator: ","))],"end":true}"#)
        #expect(read["error"]?["data"]?["kind"]?.string == "invalid_params", "\(text(read.raw))")
        for branch in 1...4 {
            let seen = try nobody.ask("_convod/message/list", #"{"sessionId":"mine","branch":\#(branch)}"#)
            #expect(!text(seen.raw).contains("secret"), "\(text(seen.raw))")
        }
    }

    @Test func `is told that the socket is another's, and starts no daemon beside it`() throws {
        let daemon = try RealDaemon()
        let place = try TemporaryDirectory(), home = place.file("home")
        // Programs that this user may run, and a home of his own.
        for program in [Built.convo, Built.convod] {
            try shell("install", "-m", "755", program, place.path)
        }
        try Files.makeDirectories(home)
        try shell("chown", "65534", home)
        try shell("chmod", "711", place.path)
        let (code, said) = try run(
            setpriv, ["--reuid=65534", "--clear-groups", place.file("convo"), "ls"],
            environment: ["HOME": home, "CONVOD_SOCKET": daemon.socket])
        #expect(code == .exited(4) && said.contains("you may not use '\(daemon.socket)'"), "\(said)")
        #expect(try shell("find", home, "-type", "f") == "")
    }

    @Test func `has a session of the same ID as a third: an administrator's request goes to neither`() throws
    {
        let daemon = try daemon("allow: { users: ['nobody', 'games', 'root'] }")
        func open(_ user: String, _ name: String = "notes") throws {
            let (_, said) = try run(
                setpriv,
                [
                    "--reuid=\(user)", "--clear-groups", "/usr/bin/socat", "-t", "10", "-",
                    "UNIX-CONNECT:\(daemon.socket)",
                ],
                environment: [:],
                input:
                    #"{"jsonrpc":"2.0","id":1,"method":"session/new","params":{"cwd":"/","mcpServers":[],"_meta":{"convod":{"sessionId":"\#(name)"}}}}"#
                    + "\n")
            #expect(said.contains("\"result\""), "\(said)")
        }
        let client = try daemon.client()
        try open("65534")
        #expect(
            try client.call("_convod/session/get", #"{"sessionId":"notes"}"#).result?["owner"]?.int == 65_534)
        try open("games")
        for method in ["_convod/session/get", "_convod/session/purge", "_convod/message/list"] {
            let refused = try client.call(method, #"{"sessionId":"notes"}"#)
            #expect(refused.kind == "invalid_params", "\(method)")
            #expect(
                refused.error?["message"]?.string?.hasPrefix("users 5 and 65534 each have a session") == true)
        }
        #expect(try daemon.sqlite("SELECT count(*) FROM session WHERE trashed_at IS NULL") == "2")
        try client.open("notes")
        // One in memory is before no other either.
        let nobody = try ClientOfNobody(daemon.socket)
        for name in ["mine", "theirs"] {
            #expect(
                try nobody.ask(
                    "session/new",
                    #"{"cwd":"/","mcpServers":[],"_meta":{"convod":{"sessionId":"\#(name)","ephemeral":true}}}"#
                )[
                    "result"] != nil)
        }
        try open("games", "theirs")
        try client.open("mine")
        for name in ["notes", "mine"] {
            let found = try client.call("_convod/session/get", #"{"sessionId":"\#(name)"}"#).result
            #expect(found?["owner"]?.int == 0 && found?["ephemeral"]?.bool != true, "\(name)")
        }
        #expect(try client.call("_convod/session/get", #"{"sessionId":"theirs"}"#).kind == "invalid_params")
    }

    @Test func `is not told what an administrator calls a session that has its messages`() throws {
        let daemon = try daemon("allow: { users: ['nobody'] }")
        let nobody = try ClientOfNobody(daemon.socket), client = try daemon.client()
        _ = try nobody.ask(
            "session/new", #"{"cwd":"/","mcpServers":[],"_meta":{"convod":{"sessionId":"mine"}}}"#)
        let added = try nobody.ask(
            "_convod/message/append",
            #"{"sessionId":"mine","messages":[{"role":"user","content":[{"type":"text","text":"a"}]}]}"#)
        let id = added["result"]?["messageIds"]?.elements.first { _ in true }?.string ?? ""
        let fork =
            #"{"sessionId":"mine","cwd":"/","mcpServers":[],"_meta":{"convod":{"sessionId":"inquiry"}}}"#
        #expect(try client.call("session/fork", fork).error == nil)
        for everywhere in ["false", "true"] {
            let said = try nobody.ask(
                "_convod/message/delete",
                #"{"sessionId":"mine","messageId":"\#(id)","everywhere":\#(everywhere)}"#)
            let words = said["error"]?["message"]?.string ?? ""
            #expect(words.contains("sessions of other users") && !words.contains("inquiry"), "\(words)")
        }
    }

    @Test func `fills no table with what is no session`() throws {
        let daemon = try daemon("allow: { users: ['nobody'] }")
        let nobody = try ClientOfNobody(daemon.socket), client = try daemon.client()
        let long = String(repeating: "x", count: 100_000)
        #expect(try nobody.ask("_convod/session/purge", #"{"sessionId":"\#(long)"}"#)["error"] != nil)
        try soon("it is kept") { try daemon.sqlite("SELECT count(*) FROM audit") == "1" }
        #expect(try daemon.sqlite("SELECT length(session) FROM audit") == "")
        #expect(try client.call("_convod/audit").result?["changes"]?.count == 1)
    }

    @Test func `who is taken off the list is closed at once, and told why`() throws {
        let daemon = try daemon("allow: { users: ['nobody'] }")
        let client = try ClientOfNobody(daemon.socket)
        #expect(try client.ask("session/list")["result"] != nil)
        try Files.replace(
            daemon.directory.file("config.json5"),
            with: Array(
                #"{ drain: "50ms", socket: { mode: "0666", allow: { users: ["root"] } }, upstreams: { echo: { kind: "echo" } } }"#
                    .utf8))
        try daemon.signal(Signals.hangup)
        let said = try client.rest()
        #expect(said.contains("may not connect any more"), "\(said)")
    }
}

@Suite struct `The daemon's memory` {
    @Test func `goes into no core file`() throws {
        let daemon = try RealDaemon()
        let limits = text(try Files.read("/proc/\(daemon.pid ?? 0)/limits"))
        let core = limits.split(separator: "\n").first { $0.hasPrefix("Max core file size") } ?? ""
        #expect(core.split(separator: " ").count { $0 == "0" } == 2, "\(core)")
    }
}

@Suite(.enabled(if: canMount, "this user may not mount a file system"))
struct `A disk that takes no writing` {
    private func mounted(_ body: (TemporaryDirectory, String) throws -> Void) throws {
        let directory = try TemporaryDirectory()
        let mount = directory.file("small")
        try Files.makeDirectories(mount)
        try shell("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", mount)
        defer { _ = try? shell("umount", "-l", mount) }
        try body(directory, mount)
    }

    @Test func `since it is full lets what is stored be read after a restart`() throws {
        try mounted { directory, mount in
            let daemon = try RealDaemon(in: directory, database: mount + "/convod.db")
            let client = try daemon.client()
            try client.open("demo")
            _ = try client.prompt("demo", "hello")
            try daemon.kill()
            _ = try? shell("dd", "if=/dev/zero", "of=\(mount)/filler", "bs=4k")
            try daemon.start()
            #expect(try daemon.client().messages("demo").count == 2)
            // More than the log has room for.
            let words = String(repeating: "is there room? ", count: 150_000)
            let refused = try daemon.client().call(
                "_convod/message/append",
                #"{"sessionId":"demo","messages":[{"role":"user","content":[{"type":"text","text":"\#(words)"}]}]}"#
            )
            #expect(refused.kind == "disk_full", "\(refused.message)")
            try Files.remove(mount + "/filler")
            #expect(try daemon.client().prompt("demo", "is there room?").result != nil)
            try daemon.stop()
        }
    }

    @Test func `since it is read-only now is not called full`() throws {
        try mounted { directory, mount in
            let daemon = try RealDaemon(in: directory, database: mount + "/convod.db")
            let client = try daemon.client()
            try client.open("demo")
            _ = try client.prompt("demo", "hello")
            // Somebody else's eyes on it: the file cannot grow for this daemon, and it is not a matter of room.
            try daemon.stop()
            try shell("mount", "-o", "remount,ro", mount)
            let (code, said) = try Built.run(
                Built.convod, ["--socket", directory.file("t.sock"), "--database", mount + "/convod.db"],
                environment: daemon.environment)
            #expect(code == 1 && !said.contains("full"), "\(said)")
            #expect(said.contains("read-only") || said.contains("readonly"), "\(said)")
        }
    }
}
