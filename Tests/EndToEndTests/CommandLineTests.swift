internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

/// `convo` in a home of its own; the daemon that it starts is ended with it.
final class Home {
    static let echo = #"{ upstreams: { echo: { kind: "echo" } } }"#

    let directory: TemporaryDirectory
    let environment: [String: String]
    /// What must live as long as it.
    var kept: AnyObject?

    /// A home without a configuration, or with one.
    init(_ configuration: String? = nil) throws {
        directory = try TemporaryDirectory()
        if let configuration {
            try Files.makeDirectories(directory.file(".config/convod"))
            try Files.replace(
                directory.file(".config/convod/config.json5"), with: Array(configuration.utf8))
        }
        environment = Built.environment(directory).merging(["CONVOD_SOCKET": directory.file("s.sock")]) { $1 }
    }

    deinit { _ = try? Built.run(Built.convo, ["stop"], environment: environment) }

    /// Runs a command; what it says must not be more than the test looks at.
    func convo(_ arguments: String..., input: String = "") throws -> (code: Int32, said: String) {
        try Built.run(Built.convo, arguments, environment: environment, input: input)
    }
}

@Suite struct `The command line` {
    @Test func `starts a daemon, keeps a session, and changes and shows it`() throws {
        let home = try Home(Home.echo)
        #expect(try home.convo("status").code == 4)
        let first = try home.convo("send", "--new", "trip", "hello")
        #expect(first == (0, "Message 1 of this session; you said: hello\n"))
        let second = try home.convo("send", "-c", "two")
        #expect(second.said.hasPrefix("Message 3 of this session; you said: two"))
        let third = try home.convo("send", "-c", "-", input: "three\n")
        #expect(third.said.hasPrefix("Message 5 of this session; you said: three"), "\(third)")
        #expect(third.code == 0)

        let listed = try home.convo("ls")
        #expect(
            listed.code == 0 && listed.said.hasPrefix("trip\t") && listed.said.contains("\t6\t"), "\(listed)")
        let shown = try home.convo("show", "trip")
        #expect(
            shown.code == 0 && shown.said.contains("hello") && shown.said.contains("Message 5"), "\(shown)")
        let drawn = try home.convo("context")
        #expect(drawn.code == 0 && drawn.said.contains("6 of 6 messages go to the model"), "\(drawn)")

        let set = try home.convo("window", "trip", "--strategy", "sawtooth", "--max-tokens", "4000")
        #expect(set.code == 0 && set.said.contains("strategy            sawtooth\n"), "\(set)")
        let kept = try home.convo("window", "trip", "--max-tokens", "none", "--low-mark", "0.5", "--json")
        #expect(kept.code == 0 && kept.said.contains(#""strategy": "sawtooth""#), "\(kept)")
        #expect(!kept.said.contains("maxTokens") && kept.said.contains(#""lowMark": 0.5"#), "\(kept)")
        #expect(try home.convo("context", "trip").said.contains("strategy sawtooth, since it is set"))
        let wrong = try home.convo("window", "trip", "--max-turns", "some")
        #expect(wrong.code == 2 && wrong.said.contains("must be a number or 'none', not 'some'"), "\(wrong)")
        let refused = try home.convo("window", "trip", "--low-mark", "7")
        #expect(refused.code == 2, "\(refused)")
        #expect(
            refused.said.contains("--low-mark must be a number from 0.1 to 0.95, or 'none'"), "\(refused)")
        let reset = try home.convo("window", "trip", "--reset")
        #expect(
            reset.code == 0 && reset.said.contains("strategy            as configured (auto)\n"), "\(reset)")
        #expect(
            reset.said.contains(
                "in force            slide, since this upstream keeps no prompts in a cache; "))
        let byDefault = try home.convo("window", "--default")
        #expect(byDefault.code == 0 && byDefault.said.contains("kept for the answer 1024\n"), "\(byDefault)")
        #expect(byDefault.said.contains("most tokens         what the model holds\n"))

        let compact = try home.convo("compact", "mind", "the", "names", "-s", "trip")
        #expect(
            compact.code == 0 && compact.said.contains("Mind this above all: mind the names"), "\(compact)")
        let summaries = try home.convo("summaries")
        #expect(summaries.code == 0 && summaries.said.contains("  1  1…4  "), "\(summaries)")
        #expect(try home.convo("summaries", "edit", "1", "A short talk.").code == 0)
        let summarized = try home.convo("context", "trip").said
        #expect(summarized.contains("summary of messages 1 to 4") && summarized.contains("summarized · "))
        let told = try home.convo("summaries", "show", "1").said
        #expect(told.contains("messages 1 to 4 · by echo echo") && told.contains("A short talk."), "\(told)")
        let none = try home.convo("summaries", "show", "2")
        #expect(none.code == 3 && none.said.contains("has no summary 2, it has one"), "\(none)")
        #expect(try home.convo("summaries", "burn", "1").code == 2)
        #expect(try home.convo("summaries", "delete", "1").code == 0)
        #expect(try home.convo("context", "trip").said.contains("6 of 6 messages go to the model"))

        let tagged = try home.convo("tag", "sea", "sun", "-s", "trip")
        #expect(tagged.code == 0 && tagged.said == "sea\nsun\n", "\(tagged)")
        #expect(try home.convo("untag", "sun", "-s", "trip").said == "sea\n")
        #expect(try home.convo("tag", "-s", "trip").said == "sea\n")
        let archived = try home.convo("archive", "trip")
        #expect(
            archived.code == 0 && archived.said.contains("'convo unarchive trip' brings it back"),
            "\(archived)")
        #expect(
            try !home.convo("ls").said.contains("trip\t")
                && home.convo("ls", "--archived").said.contains("trip\t"))
        #expect(try home.convo("unarchive", "trip").code == 0 && home.convo("ls").said.contains("trip\t"))
        #expect(try home.convo("switch", "9", "-s", "trip").code == 3)
        #expect(try home.convo("switch", "1", "-s", "trip").said.contains("is the active one"))
        #expect(try home.convo("switch", "one", "-s", "trip").code == 2)

        let used = try home.convo("usage", "--by", "model")
        #expect(used.code == 0 && used.said.hasPrefix("echo\t"), "\(used)")
        let hour = try home.convo("usage", "--by", "hour")
        #expect(
            hour.code == 2 && hour.said.contains("--by takes day, model, upstream, user, session, not 'hour'")
        )
        #expect(try home.convo("usage", "--from", "2026-13-01").code == 2)
        let none2 = try home.convo("usage", "--from", "2001-01-01", "--to", "2001-01-02")
        #expect(none2.code == 0 && none2.said.contains("nothing was used from 2001-01-01 to 2001-01-02"))

        let setUp = try home.convo("set", "trip", "--system", "be brief", "--tags", "sea, sun", "-u", "echo")
        #expect(setUp.code == 0 && setUp.said.contains("system prompt   be brief\n"), "\(setUp)")
        #expect(
            setUp.said.contains("tags            sea, sun\n") && setUp.said.contains("upstream        echo\n")
        )
        let cleared = try home.convo("set", "--system", "none", "--tags", "none")
        #expect(
            cleared.said.contains("system prompt   none\n") && cleared.said.contains("tags            none\n")
        )
        #expect(try home.convo("set", "trip", "-u", "nobody").code == 3)

        #expect(try home.convo("pin", "1", "-s", "trip").code == 0)
        #expect(try home.convo("exclude", "2", "3", "-s", "trip").code == 0)
        let marked = try home.convo("context", "trip")
        #expect(marked.said.contains("4 of 6 messages go to the model") && marked.said.contains("pinned"))
        let why = try home.convo("why", "HELLO", "-s", "trip")
        #expect(
            why.code == 0 && why.said.hasPrefix("#4 assistant") && why.said.contains("also #1 user: hello"))
        #expect(why.said.contains("turn #5"), "\(why)")
        #expect(try home.convo("why", "#1", "-s", "trip").said.contains("● turn #1"))
        #expect(try home.convo("why", "nothing", "of", "this").code == 3)
        #expect(try home.convo("why", " ", "-s", "trip").code == 2, "what is nothing is in every message")
        #expect(try home.convo("window", "trip", "--default").code == 2)
        let past = try home.convo("context", "trip", "--turn", "3")
        #expect(past.code == 0 && past.said.contains("3 of 3 messages go to the model"), "\(past)")
        #expect(
            !past.said.contains("pinned") && !past.said.contains("excluded"),
            "nothing was marked then: \(past)")
        #expect(try home.convo("unpin", "1", "-s", "trip").code == 0)
        #expect(try home.convo("include", "2", "3", "9", "-s", "trip").code == 3)
        #expect(try home.convo("context", "trip").said.contains("6 of 6 messages go to the model"))

        #expect(try home.convo("rename", "trip", "Lisbon") == (0, ""))
        #expect(try home.convo("ls").said.contains("Lisbon"))
        #expect(try home.convo("rm", "trip").code == 0)
        #expect(try home.convo("ls") == (0, ""))
        #expect(try home.convo("show", "trip").code == 3)
        #expect(try home.convo("restore", "trip").code == 0)
        #expect(try home.convo("ls").said.contains("Lisbon"))
    }

    @Test func `exports a session whole`() throws {
        let home = try Home(Home.echo)
        for words in ["one", "two"] { #expect(try home.convo("send", "--new", words, words).code == 0) }
        let exported = try home.convo("export", "one")
        #expect(exported.code == 0)
        let records = try exported.said.split(separator: "\n").map { try Fixtures.json(String($0)) }
        #expect(records.count > 2)
        #expect(exported.said.contains("you said: one") && !exported.said.contains("you said: two"))
        #expect(try home.convo("export", "one", "-o", home.directory.file("one.jsonl")).code == 0)
        #expect(text(try Files.read(home.directory.file("one.jsonl"))) == exported.said)
        #expect(try home.convo("export", "one", "-f", "markdown").said.contains("you said: one"))
        #expect(try home.convo("export", "nowhere").code == 3)
    }

    @Test func `says with its exit code how it went`() throws {
        let home = try Home()
        #expect(try home.convo("status").code == 4)
        #expect(try home.convo("stop").code == 0)
        #expect(try home.convo("frobnicate").code == 2)
        #expect(try home.convo("send", " ").code == 2)
        #expect(try home.convo("start").code == 0)
        #expect(try home.convo("status").code == 0)
        let echo = try home.convo("send", "hello")
        #expect(echo.code == 5 && echo.said.contains("-u echo"), "\(echo)")
        #expect(
            try home.convo("send", "-u", "echo", "hello") == (
                0, "Message 1 of this session; you said: hello\n"
            ))
        #expect(try home.convo("send", "-s", "nowhere", "hello").code == 3)
        #expect(try home.convo("rpc", "no/such").code == 2)
        #expect(try home.convo("stop").code == 0)
        #expect(try home.convo("status").code == 4)
    }

    @Test func `takes each line of a pipe as a prompt of one chat`() throws {
        let home = try Home(Home.echo)
        let chat = try home.convo("chat", input: "hi\nagain\n")
        #expect(chat.code == 0)
        #expect(chat.said.contains("Message 1 of this session; you said: hi"), "\(chat)")
        #expect(chat.said.contains("Message 3 of this session; you said: again"), "\(chat)")
    }

    @Test func `is an ACP agent that answers what came before the end of its input`() throws {
        let home = try Home(Home.echo)
        let spoken = try home.convo(
            "acp",
            input: #"""
                {"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":1,"clientCapabilities":{}}}
                {"jsonrpc":"2.0","id":"1","method":"session/new","params":{"cwd":"/tmp","mcpServers":[],"_meta":{"convod":{"sessionId":"demo"}}}}
                {"jsonrpc":"2.0","id":2,"method":"session/prompt","params":{"sessionId":"demo","prompt":[{"type":"text","text":"hello"}]}}

                """#)
        #expect(spoken.code == 0)
        let lines = try spoken.said.split(separator: "\n").map { try Fixtures.json(String($0)) }
        #expect(lines.first?["id"]?.int == 0 && lines.first?["result"]?["protocolVersion"]?.int == 1)
        #expect(lines.contains { $0["id"]?.string == "1" && $0["result"]?["sessionId"]?.string == "demo" })
        #expect(lines.last?["id"]?.int == 2 && lines.last?["result"]?["stopReason"]?.string == "end_turn")
    }
}

extension `The command line` {
    @Test func `shows wherever an answer is read that it was cut when its client left (B047)`() throws {
        let home = try Home(Home.echo)
        #expect(try home.convo("start").code == 0)
        let watcher = try TestClient(home.directory.file("s.sock"))
        try watcher.open("talk")
        do {
            let client = try TestClient(home.directory.file("s.sock"))
            _ = try client.startPrompt("talk", "count to a thousand", #""onDisconnect":"cancel""#)
            _ = try client.update {
                $0["params"]?["update"]?["sessionUpdate"]?.string == "agent_message_chunk"
            }
        }
        _ = try watcher.update { $0.extras?["state"]?.string == "ended" }
        let shown = try home.convo("show", "talk")
        #expect(shown.code == 0 && shown.said.contains("cancelled"), "\(shown)")
        let record = try home.convo("export", "talk").said.split(separator: "\n").first {
            $0.contains(#""role":"assistant""#)
        }
        #expect(record?.contains(#""status":"cancelled""#) == true, "\(record ?? "")")
        let markdown = try home.convo("export", "talk", "-f", "markdown").said
        #expect(markdown.contains("· cancelled"), "\(markdown)")
        for method in ["session/resume", "session/load"] {
            let opened = try TestClient(home.directory.file("s.sock")).call(
                method, #"{"sessionId":"talk","cwd":"/tmp","mcpServers":[]}"#)
            let last = opened.result?["_meta"]?["convod"]?["lastTurn"]
            #expect(last?["state"]?.string == "cancelled" && last?["messageId"] != nil, "\(method)")
        }
    }
}
