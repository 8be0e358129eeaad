internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `A command that takes something away` {
    @Test func `takes an ID in the trash for no beginning of another (B073)`() throws {
        let home = try Home(Home.echo)
        for name in ["deadbeef-0001", "deadbeef-00010"] {
            #expect(try home.convo("send", "--new", name, "hello").code == 0)
        }
        #expect(try home.convo("rm", "deadbeef-0001").code == 0)
        for arguments in [["rm"], ["show"], ["context", "-s"], ["send", "x", "-s"]] {
            let said = try Built.run(
                Built.convo, arguments + ["deadbeef-0001"], environment: home.environment)
            #expect(
                said.code == 3 && said.said.contains("convo restore deadbeef-0001"), "\(arguments) \(said)")
        }
        #expect(try home.convo("ls").said.hasPrefix("deadbeef-00010\t"))
    }

    @Test func `wants a whole ID where nobody can be asked`() throws {
        let home = try Home(Home.echo)
        #expect(try home.convo("send", "--new", "deadbeef-0001", "hello").code == 0)
        for arguments in [
            ["rm", "dead"], ["rm", "@last"], ["branches", "delete", "2"], ["branches", "delete", "2", "-c"],
            ["branches", "delete", "2", "-s", "deadb"],
        ] {
            let said = try Built.run(Built.convo, arguments, environment: home.environment)
            #expect(
                said.code == 1 && said.said.contains("'deadbeef-0001' now: give that"), "\(arguments) \(said)"
            )
        }
        #expect(try home.convo("ls").said.hasPrefix("deadbeef-0001\t"))
    }

    @Test func `finds a whole ID behind many in the trash that begin like it`() throws {
        let home = try Home(Home.echo)
        let names = (0..<12).map { "abcd-\($0 / 10)\($0 % 10)" }
        for name in names + ["abcd-9"] { #expect(try home.convo("send", "--new", name, "x").code == 0) }
        for name in names { #expect(try home.convo("rm", name).code == 0) }
        #expect(try home.convo("show", "abcd").said.contains("abcd-9"))
    }
}

@Suite struct `convo restart` {
    @Test func `leaves a daemon running that could not be started again`() throws {
        let home = try Home(Home.echo)
        #expect(try home.convo("start").code == 0)
        let before = try home.convo("status", "--json").said
        try Files.replace(
            home.directory.file(".config/convod/config.json5"),
            with: Array("{ upstreams: { x: { kind: 3 } } }".utf8))
        let refused = try home.convo("restart")
        #expect(refused.code == 1 && refused.said.contains("goes on as it is"), "\(refused)")
        #expect(refused.said.contains("kind"), "\(refused)")
        let after = try home.convo("status", "--json").said
        #expect(
            try Fixtures.json(before)["pid"]?.int == Fixtures.json(after)["pid"]?.int, "\(before) \(after)")
    }
}

@Suite struct `An edit` {
    @Test func `of an answer is refused, and says of what it can be`() throws {
        let home = try Home(Home.echo)
        #expect(try home.convo("send", "--new", "talk", "hello").code == 0)
        let refused = try home.convo("edit", "-s", "talk", "2", "other words")
        #expect(refused.code == 1 && refused.said.contains("is not a prompt"), "\(refused)")
        #expect(try home.convo("edit", "-s", "talk", "1", "other words").code == 0)
    }
}

@Suite struct `A session whose only prompt failed` {
    @Test func `is in the lists, is the latest, and is sent again by a retry (N055)`() throws {
        let upstream = try ScriptedUpstream([
            ScriptedUpstream.answer(["old answer"]),
            ScriptedUpstream.failure("500 Internal Server Error", #"{"error":{"message":"broken"}}"#),
            ScriptedUpstream.answer(["at last"]),
        ])
        let home = try Home(
            "{ upstreams: { up: { kind: 'openai', baseURL: '\(upstream.base)', model: 'm' } }, retry: { attempts: 1 } }"
        )
        #expect(try home.convo("send", "--new", "old", "hello").code == 0)
        #expect(try home.convo("send", "--new", "failed", "my question").code == 5)
        #expect(try home.convo("ls").said.hasPrefix("failed\t"))
        let shown = try home.convo("show", "-c")
        #expect(shown.said.contains("failed") && shown.said.contains("convo retry"), "\(shown)")
        let retried = try home.convo("retry")
        #expect(retried.code == 0 && retried.said.contains("at last"), "\(retried)")
        #expect(upstream.requests[2].contains("my question"))
        #expect(try home.convo("show", "failed").said.contains("at last"))
    }

    @Test func `comes before those in memory, which are marked and never the latest (N055)`() throws {
        let home = try Home(Home.echo)
        #expect(try home.convo("send", "--ephemeral", "--new", "gone", "hello").code == 0)
        #expect(try home.convo("show", "-c").code == 3)
        #expect(try home.convo("send", "--new", "kept", "hello").code == 0)
        #expect(try home.convo("send", "--ephemeral", "--new", "gone2", "hello").code == 0)
        let lines = try home.convo("ls").said.split(separator: "\n")
        #expect(lines.map { $0.prefix { $0 != "\t" } } == ["kept", "gone2", "gone"])
        #expect(lines.count { $0.contains("(in memory)") } == 2)
        #expect(try home.convo("send", "-c", "more").code == 0)
        #expect(try home.convo("show", "kept").said.contains("more"))
    }
}

@Suite struct `What is sent once` {
    @Test func `names the session that it is sent once in`() throws {
        let home = try Home(Home.echo)
        for arguments in [[], ["-c"], ["-s", "@last"], ["--ephemeral", "--new", "x"]] {
            let refused = try Built.run(
                Built.convo, ["send", "--request-id", "r"] + arguments + ["hello"],
                environment: home.environment)
            #expect(refused.code == 2 && refused.said.contains("--request-id"), "\(arguments) \(refused)")
        }
        let turns = "SELECT count(*) FROM turn"
        for _ in 0..<2 {
            let said = try home.convo("send", "--request-id", "r", "--new", "job", "hello")
            #expect(said.code == 0 && said.said.contains("you said: hello"), "\(said)")
        }
        #expect(try home.convo("send", "--request-id", "r", "-s", "job", "hello").code == 0)
        let database = home.directory.file(".local/share/convod/convod.db")
        #expect(try shell("sqlite3", database, turns) == "1\n")
        let other = try home.convo("send", "--request-id", "r2", "--new", "job", "hello")
        #expect(other.code == 1 && other.said.contains("'job' exists already"), "\(other)")
        // One that was made, and in which the first sending got no further.
        let made = #"{"cwd":"/","mcpServers":[],"_meta":{"convod":{"sessionId":"made"}}}"#
        #expect(try home.convo("rpc", "session/new", made).code == 0)
        #expect(try home.convo("send", "--request-id", "r", "--new", "made", "hello").code == 0)
    }
}

@Suite struct `Standard input without an end` {
    @Test(arguments: ["send -", "edit -s talk 1 -", "rpc session/list -", "chat"])
    func `is refused at what a prompt may have`(_ command: String) throws {
        let home = try Home(Home.echo)
        #expect(try home.convo("send", "--new", "talk", "hello").code == 0)
        let (code, said) = try Built.run(
            "/bin/sh", ["-c", "ulimit -v 4000000; \(Built.convo) \(command) < /dev/full"],
            environment: home.environment)
        #expect(code == 1 && said.contains("more than a prompt may have"), "\(code) \(said)")
    }
}

/// A command at a terminal of its own, made by script(1).
private final class AtTerminal {
    private let program: PipedProgram
    private(set) var shown = ""

    init(_ command: String, _ environment: [String: String]) throws {
        program = try PipedProgram(
            "/usr/bin/script", ["-qfec", command, "/dev/null"], environment: environment)
    }

    func type(_ text: String) throws { _ = try System.write(program.to.raw, Array(text.utf8)) }

    /// Reads until what was shown since the last time holds something so many times.
    func wait(for words: String, times: Int = 1) throws {
        shown = ""
        while shown.ranges(of: words).count < times {
            guard try !System.wait(readable: [program.from.raw], milliseconds: 20_000).isEmpty else {
                throw Late(description: "'\(words)' is not shown: \(shown)")
            }
            var bytes: [UInt8] = []
            if try System.read(program.from.raw, into: &bytes, most: 65_536) == 0 {
                throw Late(description: "the command ended: \(shown)")
            }
            shown += String(decoding: bytes, as: UTF8.self)
        }
    }
}

@Suite(.enabled(if: Files.isExecutable("/usr/bin/script"), "script(1) makes the terminal"))
struct `A person at a terminal` {
    @Test func `who says nothing in a chat starts no daemon, and is connected again at the next word`() throws
    {
        let home = try Home(Home.echo)
        #expect(try home.convo("send", "--new", "talk", "hello").code == 0)
        let chat = try AtTerminal("\(Built.convo) chat -s talk", home.environment)
        try chat.wait(for: "› ")
        #expect(try home.convo("stop").code == 0)
        // The chat has seen the end of its connection when it has taken an empty line.
        try chat.type("\n")
        try chat.wait(for: "› ")
        #expect(try home.convo("status").code == 4)
        try chat.type("here again\n")
        try chat.wait(for: "you said: here again")
        #expect(try home.convo("status").code == 0)
    }

    @Test func `is asked before something is taken away by the beginning of its ID`() throws {
        let home = try Home(Home.echo)
        #expect(try home.convo("send", "--new", "deadbeef-0001", "hello").code == 0)
        let no = try AtTerminal("\(Built.convo) rm dead", home.environment)
        try no.wait(for: "Move 'hello' to the trash (deadbeef-0001)? [y/N]")
        try no.type("\n")
        try no.wait(for: "nothing was changed")
        #expect(try home.convo("ls").said.hasPrefix("deadbeef-0001\t"))
        let yes = try AtTerminal("\(Built.convo) rm dead", home.environment)
        try yes.wait(for: "[y/N]")
        try yes.type("y\n")
        try yes.wait(for: "is in the trash")
        #expect(try home.convo("ls").said == "")
    }

    @Test func `may put a number in the place of a prompt, in quotes`() throws {
        let home = try Home(Home.echo)
        #expect(try home.convo("send", "--new", "talk", "hello").code == 0)
        let chat = try AtTerminal("\(Built.convo) chat -s talk", home.environment)
        try chat.wait(for: "› ")
        try chat.type("/edit 1\n")
        try chat.wait(for: "/edit 1 TEXT")
        try chat.type("/edit 2 words\n")
        try chat.wait(for: "is not a prompt")
        try chat.type("/edit \"42\"\n")
        try chat.wait(for: "you said: 42")
        try chat.type("/edit #1 other words\n")
        try chat.wait(for: "you said: other words")
    }
}

@Suite struct `The beginning of an ID` {
    @Test func `that several have names them, has no wildcards, and is not one that is whole (B073)`() throws
    {
        let home = try Home(Home.echo)
        let names = ["deadbeef-0001", "deadbeef-0002", "deadbeef-00010"]
        for (name, words) in zip(names, ["first", "second", "third"]) {
            #expect(try home.convo("send", "-n", "--new", name, words).code == 0)
        }
        let several = try home.convo("show", "dead")
        #expect(several.code == 1 && several.said.contains("several IDs"), "\(several)")
        for name in names { #expect(several.said.contains(name), "\(several)") }
        for wild in ["dead%", "%0002", "dea_", "dead_eef-0002", "dead*", "deadbeef-000?"] {
            let none = try home.convo("show", wild)
            #expect(none.code == 3 && none.said.contains("there is no session '\(wild)'"), "\(wild) \(none)")
        }
        let whole = try home.convo("show", "deadbeef-0001")
        #expect(whole.code == 0 && whole.said.contains("you said: first"), "\(whole)")
        #expect(!whole.said.contains("third"), "\(whole)")
        #expect(try home.convo("show", "deadbeef-0002").said.contains("you said: second"))
    }
}

@Suite struct `The session that -c goes on with` {
    private func latest(_ home: Home) throws -> String {
        let said = try home.convo("show", "-c", "--jsonl").said
        return said.contains("you said: x") ? "zz" : said.contains("you said: y") ? "aa" : said
    }

    @Test func `is the one that convo used last, and no import or editor moves it (N055)`() throws {
        let elsewhere = try Home(Home.echo), home = try Home(Home.echo)
        #expect(try home.convo("show", "-c").code == 3, "there is none, and it says what makes one")
        for (name, words) in [("zz", "x"), ("aa", "y")] {
            #expect(try home.convo("send", "-q", "--new", name, words).code == 0)
        }
        #expect(try home.convo("send", "-q", "-s", "zz", "z").code == 0)
        #expect(try home.convo("send", "-c", "w").said.contains("Message 5 of this session"))
        // Read in from another machine, newer than all that is here.
        let file = elsewhere.directory.file("all.jsonl")
        for name in ["one", "two"] {
            #expect(try elsewhere.convo("send", "-q", "--new", name, "far").code == 0)
        }
        #expect(try elsewhere.convo("export", "--all", "-o", file).code == 0)
        #expect(try home.convo("import", file).code == 0)
        #expect(try latest(home) == "zz")
        // An editor's own session.
        let made = #"{"cwd":"/","mcpServers":[],"_meta":{"convod":{"sessionId":"editor"}}}"#
        #expect(try home.convo("rpc", "session/new", made).code == 0)
        let prompt = #"{"sessionId":"editor","prompt":[{"type":"text","text":"from afar"}]}"#
        #expect(try home.convo("rpc", "session/prompt", prompt).code == 0)
        #expect(try latest(home) == "zz")
        #expect(try home.convo("chat", "-c", input: "v\n").said.contains("Message 7 of this session"))
        #expect(try home.convo("rm", "zz").code == 0)
        #expect(try latest(home) == "aa", "what lies in the trash is passed over")
        #expect(try home.convo("send", "-c", "-s", "aa", "u").code == 2)
    }
}
