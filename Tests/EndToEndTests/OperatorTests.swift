internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

private func home(_ scripts: [[ScriptedUpstream.Step]], more: String = "") throws -> (ScriptedUpstream, Home)
{
    let server = try ScriptedUpstream(scripts)
    let home = try Home(
        "{ upstreams: { up: { kind: 'openai', baseURL: '\(server.base)', model: 'm-1' } }, retry: { base: '1ms' }\(more) }"
    )
    home.kept = server
    return (server, home)
}

private let busy = ScriptedUpstream.failure(
    "429 Too Many Requests", #"{"error":{"message":"slow down, secret words"}}"#)
private let refused = ScriptedUpstream.failure("401 Unauthorized", #"{"error":{"message":"bad key"}}"#)

@Suite struct `What failed` {
    @Test func `with its daemon before the first word is said, and asked again by retry`() throws {
        let (server, home) = try home([[.untilClosed], fine])
        #expect(try home.convo("start").code == 0)
        let asked = try Running("asked", ["send", "--new", "trip", "a question"], home)
        try soon("it is asked") { server.requests.count == 1 }
        try home.killDaemon()
        #expect(try Process.reap(asked.pid) == .exited(1))
        let said = try asked.said
        #expect(said.contains("'convo retry'") && !said.contains("convo continue"), "\(said)")
        let shown = try home.convo("show", "trip").said
        #expect(shown.contains("not answered: the daemon ended before a word came"), "\(shown)")
        #expect(try home.convo("retry", "-s", "trip").said.contains("fine"))
        #expect(try !home.convo("show", "trip").said.contains("not answered"))
    }

    @Test func `since the daemon was stopped in mid-answer makes the exit code 1, as its death does`() throws
    {
        let half: [ScriptedUpstream.Step] = [
            .write(ScriptedUpstream.head + ScriptedUpstream.chunk(#"{"content":"half"}"#)), .untilClosed,
        ]
        let (_, home) = try home([half], more: ", drain: '1ms'")
        #expect(try home.convo("start").code == 0)
        let sent = try Running("sent", ["send", "--new", "s", "hello"], home)
        try soon("a word came") { try sent.said.contains("half") }
        #expect(try home.convo("stop").code == 0)
        #expect(try Process.reap(sent.pid) == .exited(1))
        let printed = try sent.said
        #expect(printed.contains("convo continue"), "\(printed)")
    }

    @Test func `is listed with its session and what became of it, and without what was said`() throws {
        let (_, home) = try home([busy, fine, refused])
        #expect(try home.convo("send", "--new", "first", "a question").code == 0)
        #expect(try home.convo("send", "--new", "second", "another").code == 5)
        let table = try home.convo("failures")
        let lines = table.said.split(separator: "\n").map { $0.split(separator: "\t").map(String.init) }
        #expect(lines.count == 2, "\(table)")
        #expect(lines[0][1...4].elementsEqual(["up", "upstream auth (401)", "second", "failed"]))
        #expect(lines[1][1...4].elementsEqual(["up", "throttled (429)", "first", "answered later"]))
        #expect(!table.said.contains("question"))
        let one = try Fixtures.json(try home.convo("failures", "-q", "--jsonl", "-n", "1").said)
        #expect(one["attempt"]?["status"]?.int == 401 && one["sessionId"]?.string == "second")
        #expect(try home.convo("failures", "--since", "2100-01-01").said.isEmpty)
        #expect(try home.convo("failures", "--since", "soon").code == 2)
        #expect(try home.convo("failures", "-n", "0").code == 2)
        // The same for who looks with the sqlite3 shell, when no daemon runs.
        _ = try home.convo("stop")
        let (_, asked) = try run(
            "/usr/bin/sqlite3",
            [
                home.directory.file(".local/share/convod/convod.db"),
                "SELECT session, outcome, status FROM failures WHERE ended_ms > 0",
            ], environment: home.environment)
        #expect(asked == "second|upstream_auth|401\nfirst|throttled|429\n")
        let page = text(try Files.read(Files.directory(of: #filePath) + "/../../schema/README.md"))
        let queries = page.split(separator: "```sql\n").dropFirst().compactMap {
            $0.split(separator: "```").first
        }
        #expect(queries.count >= 3)
        for query in queries {
            let (ending, said) = try run(
                "/usr/bin/sqlite3",
                ["-readonly", home.directory.file(".local/share/convod/convod.db"), String(query)],
                environment: home.environment)
            #expect(
                ending == .exited(0) && (said.contains("up") || said.contains("fits")), "\(query)\n\(said)")
        }
    }

    @Test func `stands in the log with a time, a level and IDs, and no word of a conversation`() throws {
        let (_, home) = try home([busy, fine, refused])
        #expect(try home.convo("send", "--new", "first", "a question").code == 0)
        #expect(try home.convo("send", "--new", "second", "another").code == 5)
        let log = try home.convo("logs").said
        for line in log.split(separator: "\n") {
            #expect(line.prefix(2) == "20" && line.prefix(24).hasSuffix("Z"), "\(line)")
        }
        #expect(log.contains("Z warning event=attempt_failed turn="), "\(log)")
        #expect(log.contains("session=first upstream=up model=m-1 kind=throttled status=429"))
        #expect(log.contains("event=turn_failed"))
        #expect(log.contains("session=second kind=upstream_auth"))
        #expect(!log.contains("question") && !log.contains("secret words") && !log.contains("bad key"))
        #expect(try home.convo("logs", "--since", "1h").said == log)
        #expect(try home.convo("logs", "--since", "2100-01-01").said.isEmpty)
    }

    @Test func `has what a start that failed said too, though no time stands before it`() throws {
        let (_, home) = try home([fine])
        #expect(try home.convo("send", "hello").code == 0)
        #expect(try home.convo("stop").code == 0)
        try Files.replace(home.directory.file(".config/convod/config.json5"), with: Array("{ nope: 1 }".utf8))
        #expect(try home.convo("send", "hello").code != 0)
        let log = try home.convo("logs", "--since", "1h").said
        #expect(log.contains("unknown key 'nope'"), "\(log)")
        #expect(try home.convo("logs", "--since", "2100-01-01").said.isEmpty)
    }

    @Test func `says how to go on where an answer was cut, and what did not go with it`() throws {
        let half: [ScriptedUpstream.Step] = [
            .write(ScriptedUpstream.head + ScriptedUpstream.chunk(#"{"content":"half"}"#))
        ]
        let (server, home) = try home([half, fine, fine])
        let cut = try home.convo("send", "--new", "s", "hello")
        #expect(
            cut.code == 5 && cut.said.contains("'convo continue', in a chat /continue, goes on"), "\(cut)")
        #expect(try home.convo("continue", "-s", "s").said.contains("fine"))
        let file = home.directory.file("a.pdf")
        try Files.replace(file, with: Array("%PDF-1.4 some bytes".utf8))
        let sent = try home.convo("send", "-s", "s", "-a", file, "what is it?")
        #expect(
            sent.code == 0 && sent.said.contains("1 file of the session is not read by this model"), "\(sent)"
        )
        #expect(server.requests.last?.contains("[document file:///a.pdf]") == true)
        let why = try home.convo("why", "-s", "s", "what is it?").said
        #expect(why.contains(": sent; for 1 file of the session a text with its name went"), "\(why)")
        #expect(try !home.convo("why", "-s", "s", "hello").said.contains("file"))
    }

    @Test(.timeLimit(.minutes(30))) func `comes while somebody follows the log`() throws {
        let (_, home) = try home([refused])
        _ = try home.convo("start")
        let screen = try Screen("\(Built.convo) logs -f", columns: 200, home: home)
        try screen.see("event=started")
        #expect(try home.convo("send", "hello").code == 5)
        try screen.see("event=turn_failed")
        try screen.strike("C-c")
        let code = try screen.end()
        #expect(code == "0", "\(code)")
    }
}

@Suite struct `The doctor` {
    @Test func `says of each thing how it is, and what to do where it is not well`() throws {
        let (_, home) = try home([fine])
        let before = try home.convo("doctor")
        #expect(before.code == 0 && before.said.contains("note\tdaemon\tnone runs"), "\(before)")
        _ = try home.convo("send", "hello")
        let broken = try Home("{ upstreams: { up: { kind: 'openai', baseURL: 'ftp://x' } } }")
        let told = try broken.convo("doctor")
        #expect(told.code == 1 && told.said.contains("wrong\tconfiguration"), "\(told)")
        let said = try home.convo("doctor").said
        for part in [
            "well\tconfiguration", "well\tdatabase", "well\tdaemon", "well\tsocket", "SQLite", "libcurl",
            "well\tclock",
        ] {
            #expect(said.contains(part), "\(part): \(said)")
        }
        _ = try run(
            "/bin/chmod", ["644", home.directory.file(".local/share/convod/convod.db")],
            environment: home.environment)
        _ = try run(
            "/bin/chmod", ["666", home.directory.file(".config/convod/config.json5")],
            environment: home.environment)
        let after = try home.convo("doctor")
        #expect(after.code == 1)
        #expect(after.said.contains("chmod 600 '") && after.said.contains("chmod go-w '"), "\(after)")
    }

    @Test func `names keys that cannot be read before a daemon runs, and a model that nobody lists after`()
        throws
    {
        let models = ScriptedUpstream.failure(
            "200 OK", #"{"object":"list","data":[{"id":"m-1"},{"id":"m-2"}]}"#)
        let server = try ScriptedUpstream([models, models])
        let directory = try TemporaryDirectory()
        for (name, words, mode) in [("open", "k", "644"), ("empty", "", "600"), ("good", "k", "600")] {
            try Files.replace(directory.file(name), with: Array(words.utf8))
            try shell("chmod", mode, directory.file(name))
        }
        let upstreams = ["none", "open", "empty", "good"].map {
            "\($0): { kind: 'openai', baseURL: '\(server.base)', model: 'm-3', keys: [{ file: '\(directory.file($0))' }] }"
        }
        let home = try Home("{ upstreams: { \(upstreams.joined(separator: ", ")) } }")
        home.kept = server
        let before = try home.convo("doctor")
        #expect(before.code == 1, "\(before)")
        let wrong = before.said.split(separator: "\n").filter { $0.hasPrefix("wrong\tupstreams") }
        #expect(
            wrong.count == 3 && wrong.contains { $0.contains("is not there") }
                && wrong.contains { $0.contains("is empty") }
                && wrong.contains { $0.contains("can be read by others (mode 644)") }, "\(before)")
        #expect(try home.convo("start").code == 0)
        let after = try home.convo("doctor").said
        #expect(after.contains("warning\tgood\tanswers, but its list of 2 models has no 'm-3'"), "\(after)")
    }

    @Test func `says how a daemon that does not answer is ended`() throws {
        let home = try Home(Home.echo)
        #expect(try home.convo("start").code == 0)
        let pid = try home.daemonPID
        try Process.signal(pid, 19)
        defer { try? Process.signal(pid, 18) }
        let told = try home.convo("doctor")
        #expect(told.code == 1 && told.said.contains("'kill \(pid)' ends it"), "\(told)")
    }

    @Test func `says that a process has the database which nobody can reach`() throws {
        let home = try Home(Home.echo)
        #expect(try home.convo("send", "-q", "words").code == 0)
        #expect(try home.convo("stop", "-q").code == 0)
        let lock = home.directory.file(".local/share/convod/convod.db.lock")
        let told = try Built.run(
            "/bin/sh", ["-c", "exec 9>>'\(lock)'; flock -n 9 && '\(Built.convo)' doctor"],
            environment: home.environment)
        #expect(told.code == 1 && "\(told)".contains("has the database and does not answer"), "\(told)")
    }

    @Test(arguments: [40, 80]) func `fits on a screen`(_ columns: Int) throws {
        let home = try Home(Home.echo)
        _ = try home.convo("start")
        let screen = try Screen("\(Built.convo) doctor", columns: columns, home: home)
        #expect(try screen.end() == "0")
        for line in try screen.text().split(separator: "\n") { #expect(line.count <= columns) }
        try screen.see("✓ echo")
    }
}

@Suite struct `A first configuration` {
    @Test func `is written out of a key on standard input, and tried at once`() throws {
        let server = try ScriptedUpstream([fine])
        let home = try Home()
        #expect(try home.convo("setup", "nobody").code == 2)
        #expect(try home.convo("setup", input: "k").code == 2)
        let made = try home.convo(
            "setup", "server", "--base-url", server.base, "-m", "m-1", input: " sk-secret \n")
        #expect(made.code == 0 && made.said.contains("m-1 answers in"), "\(made)")
        #expect(server.requests.last?.contains("Authorization: Bearer sk-secret\r\n") == true)
        for name in ["config.json5", "keys/server"] {
            let status = try #require(try Files.status(home.directory.file(".config/convod/\(name)")))
            #expect(status.mode & 0o777 == 0o600)
        }
        #expect(
            try home.convo("setup", "gemini", input: "k").code == 1, "what is there is not replaced unasked")
        #expect(try home.convo("send", "hello").said == "fine\n")
    }

    @Test func `is that of an Ollama that answers on this machine`() throws {
        let list = #"{"models":[{"name":"tiny:1b"},{"name":"other:7b"}]}"#
        let tags: [ScriptedUpstream.Step] = [
            .write(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(list.utf8.count)\r\n\r\n\(list)"
            )
        ]
        let server = try ScriptedUpstream([tags, tags, tags, fine])
        let home = try Home()
        var environment = home.environment
        environment["OLLAMA_HOST"] = "127.0.0.1:\(server.port)"
        let made = try Built.run(Built.convo, ["setup"], environment: environment)
        #expect(
            made.code == 0 && made.said.contains("tiny:1b answers in"),
            "\(made) \(server.requests.map { $0.prefix(30) })")
        let written = text(try Files.read(home.directory.file(".config/convod/config.json5")))
        #expect(written.contains("ollama: { kind: \"ollama\", baseURL: \"\(server.origin)\" }"), "\(written)")
        let other = try Built.run(
            Built.convo, ["setup", "--force"], environment: environment, input: "key")
        #expect(other.code == 2, "whose key is it? \(other)")
    }

    @Test func `that does not work says so, and stays to be mended`() throws {
        let server = try ScriptedUpstream([refused])
        let home = try Home()
        let made = try home.convo("setup", "server", "--base-url", server.base, "-m", "m-1", input: "bad\n")
        #expect(made.code == 5, "\(made)")
        #expect(try Files.status(home.directory.file(".config/convod/config.json5")) != nil)
    }

    @Test(.timeLimit(.minutes(30))) func `is asked for by the first chat, with a key that is not shown`()
        throws
    {
        let server = try ScriptedUpstream([fine])
        let home = try Home()
        let screen = try Screen("\(Built.convo) chat", columns: 80, home: home)
        try screen.see("set one up now? [Y/n]")
        try screen.strike("Enter")
        try screen.see("which?")
        try screen.type("5")
        try screen.strike("Enter")
        try screen.see("where is it?")
        try screen.type(server.base)
        try screen.strike("Enter")
        try screen.see("it is not shown")
        try screen.type("sk-secret")
        try screen.strike("Enter")
        try screen.see("which model?")
        try screen.type("m-1")
        try screen.strike("Enter")
        try screen.see("m-1 via server")
        #expect(try !screen.seeLast("›").contains("sk-secret"))
        #expect(server.requests.last?.contains("Bearer sk-secret") == true)
    }
}

@Suite struct `What goes with a prompt` {
    @Test func `are files by what they are, with a limit that is said`() throws {
        let (server, home) = try home([fine])
        let picture = home.directory.file("dot.bin"), text = home.directory.file("notes"),
            empty = home.directory.file("empty")
        try Files.replace(picture, with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 1, 2, 3])
        try Files.replace(text, with: Array("from a file".utf8))
        try Files.replace(empty, with: [])
        #expect(try home.convo("send", "-a", picture, "-a", text, "look").said == "fine\n")
        let body = try Fixtures.json(String(server.requests[0].split(separator: "\r\n").last ?? ""))
        let sent = String(decoding: body["messages"]?.raw ?? [], as: UTF8.self)
        #expect(
            sent.contains("data:image/png;base64,iVBORw0KGgoBAgM=") && sent.contains("from a file"), "\(sent)"
        )
        #expect(try home.convo("send", "-a", "-", "look", input: "piped").code == 0)
        #expect(server.requests[1].contains("piped"))
        for (path, words) in [(empty, "is empty"), ("/nowhere", "cannot read"), ("/bin/true", "is no image")]
        {
            let said = try home.convo("send", "-a", path, "look")
            #expect(said.code == 1 && said.said.contains(words), "\(said)")
        }
        let large = home.directory.file("large")
        try Files.replace(large, with: [UInt8](repeating: 0x61, count: 11 << 20 | 1))
        #expect(try home.convo("send", "-a", large, "look").said.contains("more than 11 MiB"))
    }

    @Test func `are parameters, checked before anything is sent`() throws {
        let (server, home) = try home([fine])
        #expect(
            try home.convo("send", "-o", "temperature=0.2", "-o", "max_tokens=9", "-o", "stop=END", "x").code
                == 0)
        let body = try Fixtures.json(String(server.requests[0].split(separator: "\r\n").last ?? ""))
        #expect(body["temperature"]?.double == 0.2 && body["stop"]?.elements.map(\.string) == ["END"])
        for option in ["temprature=1", "temperature", "=1", "temperature=9"] {
            #expect(try home.convo("send", "-o", option, "x").code == 2, "\(option)")
        }
        #expect(server.requests.count == 1)
    }

    @Test func `is the form that an answer must have`() throws {
        let (server, home) = try home([fine])
        let schema = home.directory.file("schema.json")
        try Files.replace(
            schema, with: Array(#"{"type":"object","properties":{"n":{"type":"integer"}}}"#.utf8))
        #expect(try home.convo("send", "--schema", schema, "-o", "seed=1", "how many?").code == 0)
        let body = try Fixtures.json(String(server.requests[0].split(separator: "\r\n").last ?? ""))
        #expect(body["response_format"]?["json_schema"]?["schema"]?["type"]?.string == "object")
        #expect(body["seed"]?.int == 1)
        // As every editor writes a file.
        try Files.replace(schema, with: Array("{\r\n  \"type\": \"object\"\n}\n".utf8))
        let long = try home.convo("send", "--schema", schema, "-o", "stop=[\n\"END\"\n]", "how many?")
        #expect(long.code == 0, "\(long)")
        for wrong in ["[1]", "{oops"] {
            try Files.replace(schema, with: Array(wrong.utf8))
            #expect(try home.convo("send", "--schema", schema, "x").code == 2, "\(wrong)")
        }
        let echo = try Home(Home.echo)
        try Files.replace(schema, with: Array("{}".utf8))
        let said = try echo.convo("send", "--schema", schema, "x")
        #expect(said.code == 2 && said.said.contains("cannot answer in the form of a schema"), "\(said)")
    }

    @Test func `are templates and aliases`() throws {
        let (server, home) = try home([fine])
        try Files.makeDirectories(home.directory.file(".config/convod/templates"))
        try Files.replace(
            home.directory.file(".config/convod/templates/ask.md"),
            with: Array("---\nsystem: Be {{brief}}.\nmodel: m-2\n---\nIn {{language}}: {{input}}!\n".utf8))
        #expect(try home.convo("template").said == "ask\n")
        #expect(
            try home.convo("send", "-t", "ask", "-p", "language=German", "hello").said.contains(
                "give -p brief=…"))
        #expect(
            try home.convo("send", "-t", "ask", "-p", "language=German", "-p", "brief=short", "hello").code
                == 0)
        #expect(
            server.requests[0].contains("In German: hello!") && server.requests[0].contains(#""model":"m-2""#)
                && server.requests[0].contains("Be short."))
        for (name, words) in [
            ("open", "---\nsystem: x\nhello\n"), ("input", "---\nsystem: x {{input}}\n---\nhello\n"),
        ] {
            try Files.replace(
                home.directory.file(".config/convod/templates/\(name).md"), with: Array(words.utf8))
            let said = try home.convo("send", "-t", name, "x")
            #expect(said.code != 0 && said.said.contains("second"), "\(said)")
            try Files.remove(home.directory.file(".config/convod/templates/\(name).md"))
        }
        let missing = try home.convo("send", "-t", "ask", "hello")
        #expect(missing.code == 2 && missing.said.contains("give -p language=…"))
        #expect(try home.convo("send", "-t", "sak", "hello").code == 3)
        #expect(
            try home.convo(
                "send", "-t", "ask", "-p", "language=x", "-p", "brief=y", "-p", "langauge=y", "hello"
            ).code == 2)
        try Files.replace(
            home.directory.file(".config/convod/templates/dos.md"),
            with: Array("\u{FEFF}---\r\nmodel: m-4\r\n---\r\n{{}} {{input}}\r\n".utf8))
        #expect(try home.convo("send", "-t", "dos", "hello").code == 0)
        #expect(server.requests[1].contains("{{}} hello") && server.requests[1].contains(#""model":"m-4""#))
        #expect(try home.convo("alias", "fast", "m-3").code == 0)
        #expect(try home.convo("alias").said == "fast\tm-3\n")
        #expect(try home.convo("send", "-m", "fast", "hello").code == 0)
        #expect(server.requests[2].contains(#""model":"m-3""#))
        #expect(
            try home.convo("alias", "x", "m\nevil other").code == 2 && home.convo("alias", "x", "").code == 2)
        #expect(
            try home.convo("alias", "--remove", "fast").code == 0 && home.convo("alias", "fast").code == 3)
    }

    @Test func `is a block of code that is wanted alone, and calls of tools that are shown`() throws {
        let call = ScriptedUpstream.chunk(
            #"{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"look","arguments":"{\"x\":1}"}}]}"#
        )
        let (_, home) = try home([
            ScriptedUpstream.answer(["So:\n\n```sh\nls -l\n```\nthat is all"]), fine,
            ScriptedUpstream.answer([], before: call, finish: "tool_calls"), ScriptedUpstream.answer([]),
        ])
        #expect(try home.convo("send", "-x", "how?").said == "ls -l\n")
        #expect(try home.convo("send", "-x", "how?").code == 1)
        let answer = try Fixtures.json(try home.convo("send", "--json", "look").said)
        #expect(answer["toolCalls"]?.elements.first { _ in true }?["arguments"]?["x"]?.int == 1)
        let empty = try home.convo("send", "hello")
        #expect(empty.said.contains("the answer is empty"), "\(empty)")
    }
}

@Suite struct `A shell` {
    @Test func `completes commands, options, sessions`() throws {
        let home = try Home(Home.echo)
        _ = try home.convo("send", "--new", "trip", "to the sea")
        let script = home.directory.file("c.bash")
        try Files.replace(script, with: Array(try home.convo("completion", "bash").said.utf8))
        func completed(_ words: String) throws -> String {
            let line =
                "PATH=\(Files.directory(of: Built.convo)):$PATH; source \(script); COMP_WORDS=(convo \(words)); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _convo; echo ${COMPREPLY[@]}"
            return try run("/bin/bash", ["-c", line], environment: home.environment).1
        }
        _ = try home.convo("send", "--new", "at:two:three", "words")
        #expect(try completed("show at :") == "two:three\n")
        #expect(try completed("send -s at : two : t") == "three\n")
        _ = try home.convo("purge", "-y", "at:two:three")
        #expect(try completed("sho") == "show\n")
        #expect(try completed("show tr") == "trip\n")
        #expect(try completed("send --sess") == "--session\n")
        #expect(try completed("send -s t") == "trip\n")
        #expect(try completed("show sea") == "trip\n", "by its title")
        #expect(try completed("setup ol") == "ollama\n")
        for (words, found) in [
            ("window --strategy sl", "slide"), ("window --strategy=su", "--strategy=summarize"),
            ("export -f mark", "markdown"), ("usage --by mo", "model"), ("send -o tem", "temperature="),
            ("help wind", "window"), ("upstreams te", "test"), ("send --upstream=ec", "--upstream=echo"),
            ("send --upstream = ec", "echo"),
        ] {
            let said = try completed(words).dropLast()
            #expect(said.split { $0 == " " }.contains { $0 == found }, "\(words): \(said)")
        }
        _ = try home.convo("tag", "-s", "trip", "sea")
        #expect(try completed("ls --tag s") == "sea\n")
        _ = try home.convo("send", "--new", "trap", "for mice")
        #expect(try completed("show tr") == "trap for mice trip to the sea\n", "several are told apart")
        #expect(try completed("show e") == "trap for mice trip to the sea\n", "found by their titles")
        #expect(try home.convo("__complete", "--", "show", "tri").said == "trip\tto the sea\n")
        #expect(try home.convo("completion", "tcsh").code == 2)
    }

    @Test func `has manual pages out of what help is made of`() throws {
        let home = try Home(Home.echo)
        let page = try home.convo("man").said
        for command in ["setup", "failures", "doctor", "chat"] {
            #expect(page.contains(".SS convo \(command)"))
        }
        #expect(try home.convo("man", "convod").said.hasPrefix(".TH CONVOD 8"))
    }
}

extension `The doctor` {
    @Test
    func `says that this machine's clock is wrong where Google refuses the time, and by how much (B154)`()
        throws
    {
        // Two hours ahead of here.
        let date = try shell("sh", "-c", "LC_ALL=C date -u -d '2 hours' '+%a, %d %b %Y %H:%M:%S GMT'").prefix
        { $0 != "\n" }
        let tokens = try ScriptedUpstream([
            ScriptedUpstream.failure(
                "400 Bad Request",
                #"{"error":"invalid_grant","error_description":"Invalid JWT: not in a reasonable timeframe"}"#,
                headers: "Date: \(date)\r\n")
        ])
        let directory = try TemporaryDirectory()
        let key = directory.file("key.json")
        try Files.replace(
            key,
            with: Array(
                #"{"type":"service_account","project_id":"p","private_key_id":"k","private_key":\#(quoted(ExampleKey.rsa)),"client_email":"bot@p.example","client_id":"1","token_uri":"\#(tokens.origin)/token"}"#
                    .utf8))
        let home = try Home(
            "{ upstreams: { g: { kind: 'gemini', model: 'm', baseURL: 'http://127.0.0.1:9', credentials: { serviceAccount: '\(key)' } } } }"
        )
        home.kept = tokens
        #expect(try home.convo("start").code == 0)
        let told = try home.convo("doctor")
        #expect(told.code == 1, "\(told)")
        let line = told.said.split(separator: "\n").first { $0.hasPrefix("wrong\tg\t") } ?? ""
        #expect(line.contains("set this machine's clock"), "\(told)")
        #expect(line.contains("2 h behind Google's") || line.contains("119 min behind Google's"), "\(told)")
    }
}

extension `The doctor` {
    /// A home with one session stored and no daemon, and where its database lies.
    private func stored() throws -> (home: Home, database: String) {
        let home = try Home(Home.echo)
        #expect(try home.convo("send", "-q", "--new", "talk", "words").code == 0)
        #expect(try home.convo("stop").code == 0)
        return (home, home.directory.file(".local/share/convod/convod.db"))
    }

    @Test func `calls no database well whose first bytes are gone, and nobody touches it (B082)`() throws {
        let (home, database) = try stored()
        try shell("dd", "if=/dev/zero", "of=\(database)", "bs=16", "count=1", "conv=notrunc", "status=none")
        let before = try Files.read(database)
        let told = try home.convo("doctor")
        #expect(told.code == 1 && told.said.contains("wrong\tdatabase\t"), "\(told)")
        #expect(told.said.contains("'convo backup --restore FILE' puts a copy in its place"), "\(told)")
        let listed = try home.convo("ls")
        #expect(listed.code == 4 && listed.said.contains(database), "\(listed)")
        #expect(try Files.read(database) == before)
    }

    @Test func `finds a page that was written over, with a daemon and without one (B082)`() throws {
        let (home, database) = try stored()
        let root = try shell(
            "sqlite3", database, "SELECT rootpage - 1 FROM sqlite_schema WHERE name = 'message'")
        try shell(
            "dd", "if=/dev/zero", "of=\(database)", "bs=4096", "count=1",
            "seek=\(root.prefix { $0 != "\n" })",
            "conv=notrunc", "status=none")
        let before = try Files.read(database)
        let told = try home.convo("doctor")
        #expect(told.code == 1 && told.said.contains("wrong\tdatabase\t"), "\(told)")
        #expect(try Files.read(database) == before)
        // A daemon may start on it, since other pages are whole; then it is the one who says it.
        _ = try home.convo("start")
        let running = try home.convo("doctor")
        #expect(running.code == 1 && running.said.contains("wrong\t"), "\(running)")
    }

    @Test(arguments: [
        ("mkdir -p %", "is no file"), ("mkfifo %", "is no file"),
        ("ln -s /nowhere/at/all %", "is a link to something"),
    ])
    func `says what lies where the database should be`(_ command: String, _ said: String) throws {
        let home = try Home(Home.echo)
        let database = home.directory.file(".local/share/convod/convod.db")
        try Files.makeDirectories(Files.directory(of: database))
        try shell("sh", "-c", command.split(separator: "%").joined() + database)
        let told = try home.convo("doctor")
        #expect(told.code == 1 && told.said.contains("wrong\tdatabase\t"), "\(told)")
        #expect(told.said.contains(said), "\(told)")
    }

    @Test(arguments: [
        "rm -- %", "cp -- % %.new && mv -- %.new %", "d=$(dirname %) && mv -- $d $d.aside",
    ])
    func `says that the daemon's database was taken away, and makes no new one (B082)`(_ command: String)
        throws
    {
        let home = try Home(Home.echo)
        #expect(try home.convo("send", "-q", "--new", "talk", "words").code == 0)
        let database = home.directory.file(".local/share/convod/convod.db")
        try shell(
            "sh", "-c",
            command.split(separator: "%", omittingEmptySubsequences: false).joined(separator: database))
        let before = try Files.status(database)
        let told = try home.convo("doctor")
        #expect(told.code == 1 && told.said.contains("wrong\t"), "\(told)")
        #expect(try Files.status(database) == before)
    }
}
