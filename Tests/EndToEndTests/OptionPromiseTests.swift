internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite(.timeLimit(.minutes(30))) struct `What a command is given` {
    @Test func `is an alias wherever a model is named`() throws {
        let home = try Home(Home.echo)
        #expect(try home.convo("alias", "short", "echo-long").code == 0)
        #expect(try home.convo("send", "-q", "--new", "one", "-m", "short", "plantedword").code == 0)
        #expect(try home.convo("send", "-q", "--new", "two", "-m", "other", "plantedword").code == 0)
        for words in [["ls", "-m", "short"], ["search", "plantedword", "-m", "short"]] {
            let found = try Built.run(Built.convo, words, environment: home.environment, input: "")
            #expect(found.said.contains("one") && !found.said.contains("two"), "\(found)")
        }
        let would = try home.convo("archive", "--where", "model=short", "--dry-run")
        #expect(would.said.contains("one\t") && would.said.contains("1 session would be"), "\(would)")
        #expect(try home.convo("alias", "x", "a b").code == 2)
        #expect(try home.convo("alias", "--remove").code == 2)
    }

    @Test func `of a template is never dropped without a word`() throws {
        let home = try Home(Home.echo)
        let folder = home.directory.file(".config/convod/templates")
        try Files.makeDirectories(folder)
        try Files.replace(folder + "/sum.md", with: Array("In {{lang}}:\n{{input}}".utf8))
        let given = try home.convo("send", "-t", "sum", "-p", "lang=a", "-p", "input=XYZ", "words")
        #expect(given.code == 2 && given.said.contains("{{input}} is the prompt itself"), "\(given)")
        #expect(try home.convo("ls", "-q").said.isEmpty)
    }

    @Test func `as a session's ID is no word for a summary of another one`() throws {
        let home = try Home(Home.echo)
        for name in ["first-one", "second-one"] {
            #expect(try home.convo("send", "-q", "--new", name, "words").code == 0)
        }
        let named = try home.convo("compact", "first-one")
        #expect(
            named.code == 2 && named.said.contains("'convo compact -s first-one' summarizes it"), "\(named)")
        #expect(try home.convo("compact", "@2").code == 2)
        #expect(try home.convo("summaries", "-s", "second-one").said.contains("no summar"))
    }

    @Test func `with --json is answered in JSON, also where a check has nothing to mend`() throws {
        let home = try Home(Home.echo)
        #expect(try home.convo("start").code == 0)
        let checked = try home.convo("check", "--repair", "--json")
        #expect(checked.code == 0)
        let line = checked.said.split(separator: "\n").first.map(String.init) ?? ""
        #expect(try Fixtures.json(line)["findings"]?.count == 0, "\(checked)")
    }

    @Test func `leads past an archived session, and that is said`() throws {
        let home = try Home(Home.echo)
        for name in ["old", "new"] { #expect(try home.convo("send", "-q", "--new", name, "x").code == 0) }
        #expect(try home.convo("archive", "new").code == 0)
        let sent = try home.convo("send", "-c", "which")
        #expect(
            sent.code == 0 && sent.said.contains("passes over session 'new', which is archived"), "\(sent)")
        #expect(try home.convo("show", "old").said.contains("which"))
    }

    @Test func `makes a daemon of its own write nothing into the user's log`() throws {
        let home = try Home(Home.echo)
        #expect(try home.convo("start").code == 0)
        let before = try home.convo("logs").said
        #expect(try home.convo("bench", "--seconds", "1", "-c", "1").code == 0)
        #expect(try home.convo("logs").said == before)
    }

    @Test func `of a rate holds also where there are more clients than requests`() throws {
        let home = try Home(Home.echo)
        let report = try home.convo("bench", "--rate", "5", "-c", "64", "--seconds", "2", "--json").said
        let requests = try Fixtures.json(report)["kinds"]?.elements.first { _ in true }?["requests"]?.int ?? 0
        #expect((5...11).contains(requests), "\(report)")
    }
}

@Suite(.timeLimit(.minutes(30))) struct `A doctor who finds no daemon` {
    private func says(_ home: Home, _ socket: String) throws -> (code: Int32, said: String) {
        try Built.run(
            Built.convo, ["doctor"], environment: home.environment.merging(["CONVOD_SOCKET": socket]) { $1 },
            input: "")
    }

    @Test func `says where none can start, whatever is in the socket's place`() throws {
        let home = try Home(Home.echo)
        let file = home.directory.file("file")
        try Files.replace(file, with: [0x78])
        let open = home.directory.file("open")
        try Files.makeDirectories(open)
        try shell("chmod", "777", open)
        for (socket, why) in [
            ("/tmp/" + String(repeating: "x", count: 125), "has 130 bytes, and may have 107"),
            (file, "is there and is no socket"), (file + "/s.sock", "is no directory"),
            (open + "/s.sock", "everybody may write into"),
        ] {
            let said = try says(home, socket)
            let words = said.said.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            #expect(said.code == 1 && words.contains(why), "\(said)")
        }
        #expect(try says(home, home.directory.file("s.sock")).code == 0)
    }
}

@Suite(.timeLimit(.minutes(30))) struct `A summary of all that was said` {
    private func place(_ more: String = "") throws -> Home {
        let server = try ScriptedUpstream([fine, fine, ScriptedUpstream.answer(["it was short"])])
        let home = try Home(
            "{ upstreams: { up: { kind: 'openai', baseURL: '\(server.base)', model: 'm-1'\(more) } } }")
        home.kept = server
        return home
    }

    @Test func `is shown before the next prompt after an undo, as it will be sent`() throws {
        let home = try place()
        #expect(try home.convo("send", "-q", "--new", "s", "hello").code == 0)
        #expect(try home.convo("send", "-q", "-s", "s", "more").code == 0)
        let made = try home.convo("compact", "-s", "s")
        #expect(made.code == 0, "\(made)")
        let client = try TestClient(home.directory.file("s.sock"))
        let listed = try client.call("_convod/message/list", #"{"sessionId":"s","last":2}"#).result
        let prompt = listed?["messages"]?.elements.first { _ in true }?["id"]?.string ?? ""
        _ = try client.call("_convod/branch/rewind", #"{"sessionId":"s","before":"\#(prompt)"}"#)
        let shown = try home.convo("context", "s")
        #expect(shown.said.contains("summar") && !shown.said.contains("everything fits"), "\(shown)")
    }

    @Test func `takes no words that no window would hold`() throws {
        let home = try place(", window: { maxTokens: 3000 }")
        #expect(try home.convo("send", "-q", "--new", "s", "hello").code == 0)
        #expect(try home.convo("send", "-q", "-s", "s", "more").code == 0)
        #expect(try home.convo("compact", "-s", "s").code == 0)
        let long = String(repeating: "words of it ", count: 5_000)
        let edited = try home.convo("summaries", "-s", "s", "edit", "1", "-", input: long)
        #expect(edited.code != 0 && edited.said.contains("the summary would need"), "\(edited)")
        #expect(try home.convo("summaries", "-s", "s", "show", "1").said.contains("it was short"))
        let window = try home.convo("window", "s").said
        #expect(window.contains("as upstream 'up' has it (3000)"), "\(window)")
    }
}
