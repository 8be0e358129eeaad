internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

/// A home over a server that answers by a script.
private func home(_ server: ScriptedUpstream) throws -> Home {
    try Home("{ upstreams: { up: { kind: 'openai', baseURL: '\(server.base)', model: 'm' } } }")
}

/// What a shell says of a script that runs `$convo`, and its exit code.
private func sh(_ script: String, _ home: Home) throws -> (code: Int32, said: String) {
    try Built.run(
        "/bin/bash", ["-c", script], environment: home.environment.merging(["convo": Built.convo]) { $1 })
}

@Suite struct `A script's standard input` {
    @Test func `is left to a loop by -n, and is part of the prompt without`() throws {
        let home = try Home(Home.echo)
        let loop = try sh(
            "printf 'a\\nb\\nc\\n' | while read -r x; do $convo send -n -u echo \"say $x\"; done", home)
        #expect(loop.code == 0)
        #expect(
            loop.said.split(separator: "\n").map { $0.suffix(5) } == ["say a", "say b", "say c"], "\(loop)")
        let idiom = try sh("echo text | $convo send -u echo summarize", home)
        #expect(idiom.said.contains("summarize\ntext"), "\(idiom)")
        #expect(try home.convo("send", "-n").code == 2)
        #expect(
            try home.convo("send", "--no-stdin", "-u", "echo", "alone", input: "more").said.contains("more")
                == false)
    }

    @Test func `that nobody writes to and nobody closes holds no prompt up for ever (N053)`() throws {
        let home = try Home(Home.echo)
        let silent = try sh(
            "{ read -t 20 -r x <> <(:); } 2>/dev/null | $convo send -u echo hello 2>&1 & wait $!; echo code $?",
            home)
        #expect(silent.said.contains("you said: hello\n"), "\(silent)")
        let late = try sh(
            "{ read -t 6 -r x <> <(:); echo late; } 2>/dev/null | $convo send -u echo hello - 2>&1", home)
        #expect(late.said.contains("hello\nlate"), "\(late)")
        #expect(try sh("$convo send -u echo hi <&-", home).said.contains("you said: hi"))
    }

    @Test func `that says nothing for a second is waited for with a word`() throws {
        let home = try Home(Home.echo)
        let said = try sh(
            "{ read -t 3 -r x <> <(:); echo late; } 2>/dev/null | $convo send -u echo hello 2>&1", home)
        #expect(
            said.said.contains("waiting for the end of standard input; '-n' sends TEXT without it"), "\(said)"
        )
        #expect(said.said.contains("hello\nlate"), "\(said)")
        let rest = try sh(
            "{ echo part; read -t 3 -r x <> <(:); } 2>/dev/null | $convo send -u echo --new talk 2>&1", home)
        #expect(rest.said.contains("waiting for the end of standard input; it ends when"), "\(rest)")
        let edit = try sh(
            "{ read -t 3 -r x <> <(:); echo late; } 2>/dev/null | $convo edit -s talk 1 - 2>&1", home)
        #expect(edit.said.contains("waiting for the end of standard input"), "\(edit)")
    }
}

@Suite struct `A turn of convo's` {
    /// What became of a prompt that was held back, and how many turns the store has in each state.
    private func states(_ home: Home) throws -> String {
        var kept = ""
        try soon("the turn has ended: \(kept)") {
            kept = try home.convo("rpc", "_convod/turn/list", #"{"sessionId":"talk"}"#).said
            return !kept.contains("\"running\"")
        }
        return kept
    }

    @Test func `is cancelled by SIGTERM, which makes the exit code 143`() throws {
        let server = try ScriptedUpstream([[.untilClosed], ScriptedUpstream.answer(["fine"])])
        let home = try home(server)
        #expect(try home.convo("start").code == 0)
        let said = try sh(
            "$convo send -n --new talk hello & sleep 1; kill -TERM $!; wait $!; echo code $?", home)
        #expect(said.said.contains("code 143"), "\(said)")
        #expect(try states(home).contains("\"cancelled\""))
        let chat = try sh(
            "(echo hello; sleep 20) | $convo chat -s talk & sleep 1; kill -TERM $!; wait $!; echo code $?",
            home)
        #expect(chat.said.contains("code 143"), "\(chat)")
    }

    @Test func `is cancelled by an output that nobody reads, which makes it 141 (N058)`() throws {
        let held = [
            ScriptedUpstream.Step.write(
                ScriptedUpstream.head + ScriptedUpstream.chunk(#"{"content":"one"}"#)), .untilClosed,
        ]
        for script in [held, [.untilClosed]] {
            let server = try ScriptedUpstream([script])
            let home = try home(server)
            #expect(try home.convo("start").code == 0)
            let said = try sh("$convo send -n --new talk hello | head -c 0; echo code ${PIPESTATUS[0]}", home)
            #expect(said.said.contains("code 141"), "\(said)")
            // One that is cancelled before it is stored leaves nothing, and is so where looks come late.
            let states = try states(home), isUnstored = states.contains("\"turns\":[]")
            #expect(
                states.contains("\"cancelled\"") || isUnstored && !TestDaemon.lateReads.isEmpty, "\(states)")
        }
        let home = try Home("{ window: { maxTokens: 1000000 }, upstreams: { echo: { kind: 'echo' } } }")
        let said = try sh(
            "yes | head -c 400000 | $convo send -u echo - | head -c 10 >/dev/null; echo code ${PIPESTATUS[2]}",
            home)
        #expect(said.said.contains("code 141"), "\(said)")
    }
}

@Suite struct `The table of exit codes` {
    /// The rows of the README: code and when.
    private func rows() throws -> [(code: Int32, when: String)] {
        var root = Files.directory(of: #filePath)
        for _ in 0..<2 { root = Files.directory(of: root) }
        return text(try Files.read(root + "/README.md")).split(separator: "\n").compactMap { line in
            let cells = line.split(separator: "|").map { $0.drop { $0 == " " } }
            guard line.hasPrefix("| "), cells.count == 2, let code = Int32(cells[0].prefix { $0.isNumber })
            else { return nil }
            return (code, String(cells[1]))
        }
    }

    @Test func `has each code that a command ends with`() throws {
        let codes = try rows().map(\.code)
        #expect(codes == [0, 1, 2, 3, 4, 5, 129, 130, 141, 143])
        let help = try Home().convo("help").said
        for code in codes { #expect(help.contains("\(code) "), "\(code)") }
    }

    @Test func `holds for what can go wrong`() throws {
        let down = try ScriptedUpstream([ScriptedUpstream.failure("401 Unauthorized", "{}")])
        let home = try Home(
            "{ upstreams: { echo: { kind: 'echo' }, up: { kind: 'openai', baseURL: '\(down.base)', model: 'm' } }, routes: { default: ['echo'] } }"
        )
        let cases: [(Int32, [String])] = [
            (0, ["send", "-n", "--new", "talk", "hello"]), (1, ["send", "-n", "--new", "talk", "again"]),
            (
                5,
                ["send", "-n", "-s", "talk", "--window", "x"].dropLast(2) + [
                    "--system", String(repeating: "a", count: 100_000), "x",
                ]
            ),
            (2, ["nonsense"]), (2, ["send", "--nonsense"]), (2, ["show", "talk", "more"]),
            (2, ["rpc", "nonsense"]),
            (2, ["send", "-n", "-s", "talk", "-m", "a b", "x"]),
            (2, ["rpc", "_convod/session/find", "{\"limit\":0}"]),
            (3, ["show", "nobody"]), (3, ["send", "-n", "-s", "nobody", "x"]),
            (3, ["branches", "-s", "talk", "switch", "9"]),
            (3, ["retry", "-s", "talk", "99"]), (3, ["send", "-n", "-u", "nobody", "x"]),
            (3, ["upstreams", "test", "nobody"]),
            (3, ["restore", "nobody"]), (5, ["send", "-n", "-u", "up", "x"]),
            (5, ["upstreams", "test", "up"]),
        ]
        for (code, arguments) in cases {
            let said = try Built.run(Built.convo, arguments, environment: home.environment)
            #expect(
                said.code == code, "\(arguments.map { $0.prefix(40) }): \(said.code) \(said.said.prefix(300))"
            )
            for word in ["_convod/", "ifExists", "sessionId", "16777216", "1048576"] {
                #expect(arguments.first == "rpc" || !said.said.contains(word), "\(said.said.prefix(300))")
            }
        }
        #expect(try home.convo("stop").code == 0)
        #expect(try home.convo("stop").code == 0)
        #expect(try home.convo("status").code == 4)
    }
}

@Suite struct `A session's branches` {
    @Test func `are read with 'show', where a search found something beside the path (N022)`() throws {
        let home = try Home(Home.echo)
        #expect(try home.convo("send", "--new", "other", "x").code == 0)
        for words in ["one zebra", "two"] {
            #expect(try home.convo("send", words == "two" ? "-s" : "--new", "talk", words).code == 0)
        }
        #expect(try home.convo("edit", "-s", "talk", "1", "uno").code == 0)
        let old = try home.convo("show", "talk", "--branch", "1", "--jsonl").said.split(separator: "\n")
        #expect(old.count == 4 && old[0].contains("one zebra"), "\(old)")
        #expect(try home.convo("show", "talk", "--jsonl").said.split(separator: "\n").count == 2)
        let part = try home.convo("show", "talk", "--branch", "1", "--at", "#4", "--jsonl").said
        #expect(part.split(separator: "\n").count == 3, "\(part)")
        let beyond = try home.convo("show", "talk", "--branch", "1", "--at", "9")
        #expect(
            beyond.code == 3 && beyond.said.contains("no message 9 on that branch, it has 4"), "\(beyond)")
        #expect(try home.convo("show", "talk", "--branch", "7").code == 3)
        let first = try Fixtures.json(String(old[0]))["id"]?.string ?? ""
        let beside = try home.convo("show", "talk", "--at", first)
        #expect(
            beside.code == 3 && beside.said.contains("convo show talk --branch 1 --at \(first)"), "\(beside)")
        #expect(try home.convo("show", "talk", "--branch", "1", "--at", first).code == 0)
        // The active one is the path, with what it has.
        let active = try home.convo("show", "talk", "--branch", "2").said
        #expect(active.contains("2 messages") && active.contains("uno"), "\(active)")
    }

    @Test func `keep the files of a prompt whose words are put anew`() throws {
        let home = try Home(Home.echo), file = home.directory.file("a.png")
        try Files.replace(file, with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
        #expect(try home.convo("send", "-q", "--new", "talk", "-a", file, "look").code == 0)
        #expect(try home.convo("edit", "-q", "-s", "talk", "1", "look better").code == 0)
        let shown = try home.convo("export", "talk").said
        let edited = shown.split(separator: "\n").first { $0.contains("look better") } ?? ""
        #expect(edited.contains("image/png"), "\(shown)")
    }

    @Test func `are numbered by age within the session, with a fork's original among them`() throws {
        let home = try Home(Home.echo)
        #expect(try home.convo("send", "--new", "other", "zero").code == 0)
        #expect(try home.convo("send", "--new", "talk", "one").code == 0)
        #expect(try home.convo("edit", "-s", "talk", "1", "two").code == 0)
        let talk = try home.convo("branches", "-s", "talk").said
        #expect(talk == "○ 1, 2 messages  user: one\n└─ ● 2, 2 messages  user: two\n", "\(talk)")
        #expect(try home.convo("fork", "-s", "talk", "--new", "forked").code == 0)
        #expect(try home.convo("edit", "-s", "forked", "1", "three").code == 0)
        let forked = try home.convo("branches", "-s", "forked").said.split(separator: "\n")
        #expect(
            forked.count == 2 && forked[0].hasPrefix("○ 1, 2 messages  as another session")
                && forked[1].hasPrefix("● 2, 2 messages"),
            "\(forked)")
        #expect(try home.convo("branches", "-s", "forked", "switch", "1").code == 0)
        #expect(try home.convo("show", "forked").said.contains("two"))
        let records = try home.convo("branches", "-s", "talk", "--jsonl").said.split(separator: "\n").map {
            try Fixtures.json(String($0))
        }
        #expect(records.map { $0["number"]?.int } == [1, 2] && records[0]["branch"]?.int != 1)
        #expect(try home.convo("branches", "-s", "talk", "delete", "1").code != 3)
        let missing = try home.convo("branches", "-s", "talk", "switch", "7")
        #expect(missing.code == 3 && missing.said.contains("it has 1 to 2"), "\(missing)")
    }
}

@Suite struct `A sentence of convo's` {
    @Test func `leaves names alone that are words of the wire too`() throws {
        let home = try Home(Home.echo)
        #expect(try home.convo("send", "-n", "-u", "model", "x").said.contains("'model'"))
        #expect(try home.convo("send", "-n", "--new", "prompt", "x").code == 0)
        #expect(
            try home.convo("send", "-n", "--new", "prompt", "x").said.contains(
                "session 'prompt' exists already; '-s'"))
        #expect(try home.convo("rm", "prompt").code == 0)
        #expect(
            try home.convo("send", "-n", "--new", "prompt", "x").said.contains(
                "'convo restore ID' brings it back"))
    }

    @Test func `about a branch has the number that is shown`() throws {
        let home = try Home(Home.echo)
        #expect(try home.convo("send", "-n", "--new", "other", "x").code == 0)
        #expect(try home.convo("send", "-n", "--new", "talk", "one").code == 0)
        #expect(try home.convo("edit", "-s", "talk", "1", "two").code == 0)
        #expect(
            try home.convo("branches", "-s", "talk", "compare", "2").said.contains(
                "branch 2 is the active one"))
        #expect(try home.convo("show", "abc").said.contains("4 characters or more"))
        #expect(
            try home.convo("branches", "-s", "talk", "delete", "2").said.contains(
                "branch 2 is the active one"))
        #expect(
            try home.convo("branches", "-s", "talk", "delete", "1").said.contains(
                "a branch or session begins in this branch"))
    }
}

@Suite struct `A relative path in the environment` {
    @Test func `is where convo runs, also for the daemon that it starts`() throws {
        let directory = try TemporaryDirectory()
        try Files.makeDirectories(directory.file("d"))
        try Files.replace(directory.file("c.json5"), with: Array(Home.echo.utf8))
        let said = try Built.run(
            "/bin/bash",
            [
                "-c",
                "cd \(directory.path) && export CONVOD_CONFIG=c.json5 CONVOD_DATABASE=d/c.db CONVOD_SOCKET=d/s.sock; $convo send -n hello && $convo send -n -c again; ls d; $convo stop; echo stop $?",
            ], environment: Built.environment(directory).merging(["convo": Built.convo]) { $1 })
        #expect(said.said.contains("you said: again") && said.said.contains("c.db\n"), "\(said)")
        #expect(said.said.contains("stop 0"), "\(said)")
    }
}

@Suite struct `A title` {
    @Test func `comes from the model where that is asked for, and lists can go by it`() throws {
        let server = try ScriptedUpstream([
            ScriptedUpstream.answer(["hi"]), ScriptedUpstream.answer(["\"Zebras at noon.\""]),
            ScriptedUpstream.answer(["hi"]), ScriptedUpstream.answer(["Ants"]),
        ])
        let home = try home(server)
        for name in ["one", "two"] {
            #expect(try home.convo("send", "--new", name, "hello there").code == 0)
            #expect(try home.convo("rename", name, "--generate").code == 0)
        }
        let listed = try home.convo("ls", "--sort", "title").said.split(separator: "\n")
        #expect(listed.map { $0.split(separator: "\t")[1] } == ["Ants", "Zebras at noon"])
        #expect(try home.convo("ls", "--sort", "created", "--oldest").said.hasPrefix("one\t"))
        #expect(try home.convo("rename", "one").code == 2)
        #expect(try home.convo("rename", "one", "x", "--generate").code == 2)
        #expect(try home.convo("ls", "--sort", "size").code == 2)
    }

    @Test func `that is empty takes the title away`() throws {
        let home = try Home(Home.echo)
        #expect(try home.convo("send", "--new", "talk", "one").code == 0)
        let renamed = try home.convo("rename", "talk", "")
        #expect(renamed.code == 0 && renamed.said.contains("'talk' has no title now"), "\(renamed)")
        #expect(
            try home.convo("rpc", "_convod/session/get", #"{"sessionId":"talk"}"#).said.contains("\"title\"")
                == false)
        let gone = try home.convo("rm", "talk")
        #expect(gone.said.contains("'talk' is in the trash"), "\(gone)")
        let beginning = try home.convo("show", "tal")
        #expect(beginning.code == 3)
        #expect(try home.convo("send", "--new", "longer-name", "x").code == 0)
        #expect(try home.convo("rm", "longer-name").code == 0)
        #expect(try home.convo("show", "longer").said.contains("convo restore longer-name"))
    }
}

@Suite struct `An export into a file` {
    @Test
    func `that is there needs --force where nobody can be asked, and names it when it cannot be written`()
        throws
    {
        let home = try Home(Home.echo)
        #expect(try home.convo("send", "--new", "talk", "one").code == 0)
        let file = home.directory.file("out.md")
        #expect(try home.convo("export", "talk", "-o", file).code == 0)
        try Files.replace(file, with: Array("mine".utf8))
        let refused = try home.convo("export", "talk", "-o", file)
        #expect(
            refused.code == 1 && refused.said.contains("'\(file)' is there already; --force overwrites it"),
            "\(refused)")
        #expect(text(try Files.read(file)) == "mine")
        #expect(try home.convo("export", "talk", "--force", "-o", file).code == 0)
        #expect(text(try Files.read(file)).contains("one"))
        let full = try home.convo("export", "talk", "-o", "/dev/full")
        #expect(full.code == 1 && full.said.contains("cannot write '/dev/full'"), "\(full)")
    }
}

@Suite struct `A check of the configuration` {
    private func check(_ configuration: String, _ environment: [String: String] = [:]) throws -> (
        code: Int32, said: String
    ) {
        let directory = try TemporaryDirectory()
        let file = directory.file("c.json5")
        try Files.replace(file, with: Array(configuration.utf8))
        return try Built.run(
            Built.convod,
            [
                "--check", "--config", file, "--socket", directory.file("s"), "--database",
                directory.file("d"),
            ],
            environment: Built.environment(directory).merging(environment) { $1 })
    }

    @Test func `warns of what a daemon would lack, and ends with 0`() throws {
        let directory = try TemporaryDirectory()
        let open = directory.file("open")
        try Files.replace(open, with: Array("key\n".utf8))
        try shell("chmod", "644", open)
        let cases: [(String, String)] = [
            ("{ upstreams: {} }", "no upstream is configured"), ("{}", "no upstream is configured"),
            ("{ upstreams: { a: { kind: 'openai' } } }", "upstream 'a': no 'model' is set"),
            (
                "{ upstreams: { a: { kind: 'openai', model: 'm', keys: [{ env: 'NOPE' }] } } }",
                "the variable 'NOPE' is not set"
            ),
            (
                "{ upstreams: { a: { kind: 'openai', model: 'm', keys: [{ file: '/nowhere/key' }] } } }",
                "'/nowhere/key' is not there"
            ),
            (
                "{ upstreams: { a: { kind: 'openai', model: 'm', keys: [{ file: '\(open)' }] } } }",
                "can be read by others"
            ),
            (
                "{ upstreams: { a: { kind: 'openai', model: 'm', keys: [{ command: ['no-such-x'] }] } } }",
                "is not in the daemon's PATH"
            ),
            (
                "{ upstreams: { a: { kind: 'gemini', model: 'm', credentials: { serviceAccount: '/nowhere/k' } } } }",
                "'/nowhere/k' is not there"
            ),
            (
                "{ upstreams: { a: { kind: 'openai', model: 'm', caFile: '\(open)' } } }",
                "holds no certificate in PEM"
            ),
            (
                "{ upstreams: { a: { kind: 'openai', model: 'm', caFile: '/nowhere/ca' } } }",
                "/nowhere/ca is not there"
            ),
            (
                "{ upstreams: { a: { kind: 'openai', model: 'm', signing: { secret: { env: 'NOPE' } } } } }",
                "the variable 'NOPE' is not set"
            ),
        ]
        for (configuration, words) in cases {
            let said = try check(configuration)
            let warnings = said.said.split(separator: "\n").filter { $0.hasPrefix("warning: ") }
            #expect(
                said.code == 0 && warnings.count == 1 && said.said.contains(words), "\(configuration) \(said)"
            )
        }
    }

    @Test func `says nothing of a good one, and counts its upstreams`() throws {
        let one = try check(
            "{ upstreams: { a: { kind: 'openai', model: 'm', keys: [{ env: 'KEY' }] } } }", ["KEY": "sk-1"])
        #expect(one.code == 0 && !one.said.contains("warning"), "\(one)")
        #expect(one.said.contains("is good: 1 upstream, socket"), "\(one)")
        #expect(
            try check("{ upstreams: { a: { kind: 'echo' }, b: { kind: 'echo' } } }").said.contains(
                "2 upstreams"))
    }

    @Test func `ends with 2 where a daemon would not start`() throws {
        for configuration in ["{ upstreams: { a: { kind: 3 } } }", "{ nonsense: 1 }", "{"] {
            #expect(try check(configuration).code == 2)
        }
    }

    @Test func `with a warning keeps no daemon from a restart`() throws {
        let home = try Home("{ upstreams: { a: { kind: 'openai', model: 'm', keys: [{ env: 'NOPE' }] } } }")
        #expect(try home.convo("start").code == 0)
        #expect(try home.convo("restart").code == 0)
    }
}

@Suite struct `An output that ends early` {
    @Test(arguments: ["", "trap '' PIPE; "])
    func `is a quiet end with 0 or 141, and no fault of anybody's (N058)`(trap: String) throws {
        let home = try Home("{ window: { maxTokens: 1000000 }, upstreams: { echo: { kind: 'echo' } } }")
        #expect(try home.convo("send", "-q", "--new", "talk", "hello").code == 0)
        for number in 0..<60 {
            #expect(
                try home.convo("rpc", "session/fork", #"{"sessionId":"talk","cwd":"/tmp","mcpServers":[]}"#)
                    .code == 0, "\(number)")
        }
        for pipe in [
            "$convo ls --jsonl | head -1", "$convo export talk --format jsonl | head -c 10",
            "$convo search hello | true", "$convo send -n -u echo 'count to 1000' | head -1",
        ] {
            // What convo says on standard error goes beside the pipe.
            let said = try sh("\(trap)\(pipe) > /dev/null; echo code ${PIPESTATUS[0]}", home).said
            #expect(said == "code 0\n" || said == "code 141\n", "\(pipe): \(said)")
        }
        let full = try sh("$convo ls > /dev/full; echo code $?", home)
        #expect(
            full.said.contains("cannot write to standard output") && full.said.contains("code 1"), "\(full)")
        #expect(full.said.split(separator: "\n").count == 2, "one line, and the code")
        #expect(
            try sh("$convo ls 2>&- | tail -1 > /dev/null; echo code ${PIPESTATUS[0]}", home).said.contains(
                "code 0"))
        let log = try home.convo("logs", "-n", "1000").said
        #expect(!log.contains("level=error"), "\(log)")
    }
}

@Suite struct `A file that is written for somebody` {
    /// Under the most open umask: an export as the umask says, since its user may mean it for others, and all else closed.
    @Test func `is closed to others from the first moment where it is the daemon's (B140)`() throws {
        let home = try Home(Home.echo)
        let folder = home.directory.file("state")
        var environment = home.environment
        environment["XDG_STATE_HOME"] = folder
        try shell("chmod", "755", home.directory.path)
        let begun = try Built.run(
            "/bin/sh",
            ["-c", "umask 000; '\(Built.convo)' send -q --new talk words; '\(Built.convo)' logs -q -n 1"],
            environment: environment)
        #expect(begun.code == 0, "\(begun)")
        let open = try shell(
            "find", home.directory.path, "-type", "f", "-perm", "/077", "-not", "-name", "config.json5")
        #expect(open == "")
        let directories = try shell(
            "find", home.directory.path, "-mindepth", "1", "-type", "d", "-name", "convod", "-perm", "/077",
            "-not", "-path",
            "*/.config/*")
        #expect(directories == "")
    }

    @Test(arguments: ["0777", "0277"])
    func `is open to its own user, whatever the mask`(mask: String) throws {
        let home = try Home(Home.echo)
        for words in ["one", "two"] {
            let done = try Built.run(
                "/bin/sh",
                [
                    "-c",
                    "umask \(mask); '\(Built.convo)' send -q --new \(words) words && '\(Built.convo)' stop -q",
                ], environment: home.environment)
            #expect(done.code == 0, "\(done)")
        }
        #expect(try shell("find", home.directory.path, "-type", "f", "-not", "-perm", "-0600") == "")
    }

    @Test(arguments: ["rm", "mv"])
    func `is made anew where the log was removed or put aside`(_ how: String) throws {
        let home = try Home(Home.echo)
        #expect(try home.convo("send", "-q", "--new", "talk", "words").code == 0)
        let log = home.directory.file(".local/state/convod/convod.log")
        try shell("sh", "-c", how == "rm" ? "rm '\(log)'" : "mv '\(log)' '\(log).1'")
        #expect(try home.convo("stop", "-q").code == 0)
        #expect(TestSupport.text(try Files.read(log)).contains("event=stopped"))
        #expect(try shell("stat", "-c", "%a", log) == "600\n")
        #expect(try home.convo("logs", "-n", "5").said.contains("stopped"))
    }
}
