internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

/// A home whose daemon asks a server that a script answers.
private struct Place {
    let server: ScriptedUpstream
    let home: Home

    init(_ scripts: [[ScriptedUpstream.Step]] = [ScriptedUpstream.answer(["fine"])]) throws {
        server = try ScriptedUpstream(scripts)
        home = try Home("{ upstreams: { up: { kind: 'openai', baseURL: '\(server.base)', model: 'm' } } }")
    }

    func terminal(_ arguments: String...) throws -> Terminal {
        try Terminal(Built.convo, arguments, environment: home.environment)
    }

    /// The newest prompt of each request.
    func prompts() throws -> [String] {
        try server.requests.map { request in
            let body = try Fixtures.json(String(request.split(separator: "\r\n").last ?? ""))
            let messages = body["messages"].map { Array($0.elements) } ?? []
            return messages.last?["content"]?.string ?? ""
        }
    }
}

@Suite(.timeLimit(.minutes(30))) struct `A chat at a terminal` {
    @Test func `sends lines that came at once as one prompt, once somebody agrees`() throws {
        let place = try Place()
        let terminal = try place.terminal("chat")
        try terminal.see("› ")
        try terminal.type("one\ntwo\n\tthree\n")
        try terminal.see("3 lines came at once; send them as one prompt? [Y/n] ")
        #expect(terminal.shown.contains("│ two"))
        try terminal.type("y\n")
        try terminal.see("fine")
        try terminal.see("› ")
        try terminal.type("four\nfive\n")
        try terminal.see("2 lines came at once")
        try terminal.type("n\n")
        try terminal.see("› ")
        try terminal.type("six\n")
        try terminal.see("fine")
        #expect(try place.prompts() == ["one\ntwo\n\tthree", "six"])
    }

    @Test func `takes the line without an end of what was pasted with the others`() throws {
        let place = try Place()
        let terminal = try place.terminal("chat")
        try terminal.see("› ")
        try terminal.type("one\ntwo\nthree")
        try terminal.see("2 lines came at once")
        try terminal.type("\n")
        try terminal.see("3 lines came at once")
        try terminal.type("\n")
        try terminal.see("fine")
        #expect(try place.prompts() == ["one\ntwo\nthree"])
    }

    @Test func `refuses a line that the terminal cut, with what takes it`() throws {
        let place = try Place()
        let terminal = try place.terminal("chat")
        try terminal.see("› ")
        try terminal.type(String(repeating: "a", count: 5_000) + "\n")
        try terminal.see("'convo send - < FILE' takes any length")
        try terminal.see("› ")
        try terminal.type("short\n")
        try terminal.see("fine")
        #expect(try place.prompts() == ["short"])
    }

    @Test func `sends no control characters, which keys leave where nothing edits the line`() throws {
        let place = try Place()
        let terminal = try place.terminal("chat")
        try terminal.see("› ")
        try terminal.type("a\u{1B}[Db\u{1B}OAc\u{1B}[1;5Cd\u{07}e\u{1B}x\tf\n")
        try terminal.see("fine")
        #expect(try place.prompts() == ["abcdex\tf"])
    }

    @Test func `is ended by SIGTERM wherever it waits`() throws {
        let place = try Place([ScriptedUpstream.answer(["fine"]), [.untilClosed]])
        let waiting = try place.terminal("chat")
        try waiting.see("› ")
        try waiting.type("hello\n")
        try waiting.see("fine")
        try waiting.see("› ")
        try waiting.type("/retry\n")
        try soon("it is asked again") { place.server.requests.count == 2 }
        try waiting.signal(Signals.terminate)
        #expect(try waiting.end() == 143)
        let other = try Place()
        for words in ["one\ntwo\n", "/export"] {
            let file = other.home.directory.file("out")
            try Files.replace(file, with: Array("mine".utf8))
            let terminal = try other.terminal("chat")
            try terminal.see("› ")
            try terminal.type("hello\n")
            try terminal.see("fine")
            try terminal.see("› ")
            try terminal.type(words == "/export" ? "/export \(file)\n" : words)
            try terminal.see(words == "/export" ? "overwrite it? [y/N] " : "as one prompt? [Y/n] ")
            try terminal.signal(Signals.terminate)
            #expect(try terminal.end() == 143, "\(words)")
        }
    }

    @Test func `takes lines that were typed ahead one by one, commands among them`() throws {
        let answer = ScriptedUpstream.answer(["fine"])
        let place = try Place([[.hold] + answer, answer])
        let terminal = try place.terminal("chat", "--new", "talk")
        try terminal.see("› ")
        try terminal.type("one\n")
        try soon("the first prompt is asked") { place.server.requests.count == 1 }
        try terminal.type("/title Some words\n")
        try terminal.type("two\n")
        place.server.proceed()
        try terminal.see("fine")
        try terminal.see("fine")
        try terminal.see("› ")
        #expect(try place.prompts() == ["one", "two"])
        #expect(try place.home.convo("ls").said.contains("talk\tSome words\t"))
    }

    @Test func `summarizes what is older where it is asked to, and lists that`() throws {
        let place = try Place([
            ScriptedUpstream.answer(["fine"]), ScriptedUpstream.answer(["fine"]),
            ScriptedUpstream.answer(["the gist of it"]),
        ])
        let terminal = try place.terminal("chat", "--new", "talk")
        for words in ["one\n", "two\n"] {
            try terminal.see("› ")
            try terminal.type(words)
            try terminal.see("fine")
        }
        try terminal.see("› ")
        try terminal.type("/compact mind the names\n")
        try terminal.see("the gist of it")
        try terminal.see("› ")
        try terminal.type("/summaries\n")
        try terminal.see("1…2")
        #expect(place.server.requests.last?.contains("Mind this above all: mind the names") == true)
    }

    @Test func `sends a paste that begins with a slash as it was agreed`() throws {
        let place = try Place()
        let terminal = try place.terminal("chat")
        try terminal.see("› ")
        try terminal.type("/usr/lib: error\nsecond line\n")
        try terminal.see("2 lines came at once")
        try terminal.type("y\n")
        try terminal.see("fine")
        #expect(try place.prompts() == ["/usr/lib: error\nsecond line"])
    }

    @Test func `goes on after a line that was cut inside a character, and one that is no text`() throws {
        let place = try Place()
        let terminal = try place.terminal("chat")
        try terminal.see("› ")
        try terminal.type(String(repeating: "я", count: 2_500) + "\n")
        try terminal.see("'convo send - < FILE' takes any length")
        try terminal.see("› ")
        try terminal.type(bytes: [0x61, 0xFF, 0x62, 0x0A])
        try terminal.see("is not UTF-8 text; nothing was sent")
        try terminal.see("› ")
        try terminal.type("short\n")
        try terminal.see("fine")
        #expect(try place.prompts() == ["short"])
    }

    @Test func `lets a line that is typed ahead wait for the answer before it`() throws {
        let answer = ScriptedUpstream.answer(["fine"])
        let place = try Place([[.hold] + answer, answer])
        let terminal = try place.terminal("chat")
        try terminal.see("› ")
        try terminal.type("one\n")
        try soon("the first prompt is asked") { place.server.requests.count == 1 }
        try terminal.type("two\n")
        place.server.proceed()
        try terminal.see("fine")
        try terminal.see("fine")
        #expect(try place.prompts() == ["one", "two"])
        try terminal.see("› ")
        try terminal.type("\u{04}")
        #expect(try terminal.end() == 0)
    }
}

@Suite(.timeLimit(.minutes(30))) struct `What turns text around` {
    private let words = "a\u{202E}b\u{2066}c\u{200F}d"

    @Test func `shows as a sign of its own on a terminal, and stays as it is elsewhere (N056)`() throws {
        let place = try Place([ScriptedUpstream.answer([words])])
        let terminal = try place.terminal("send", "-n", "--new", "talk", "hello")
        let shown = try terminal.see("d")
        #expect(shown.contains("a\u{FFFD}b\u{FFFD}c\u{FFFD}d"))
        #expect(try terminal.end() == 0)
        #expect(try place.home.convo("show", "talk").said.contains(words))
        #expect(try place.home.convo("export", "talk").said.contains(words))
        #expect(try place.home.convo("rename", "talk", words).code == 0)
        #expect(try place.home.convo("ls").said.contains(words))
        let list = try place.terminal("ls")
        try list.see("talk")
        #expect(try list.see("a\u{FFFD}b").contains("\u{202E}") == false)
    }
}

@Suite(.timeLimit(.minutes(30))) struct `A question before something is lost` {
    @Test func `says what a branch begins with, also where its session is named whole`() throws {
        let place = try Place()
        #expect(try place.home.convo("send", "--new", "talk", "first words").code == 0)
        #expect(try place.home.convo("edit", "-s", "talk", "1", "other words").code == 0)
        for (answer, code, count) in [("n", Int32(1), 2), ("y", 0, 1)] {
            let terminal = try place.terminal("branches", "-s", "talk", "delete", "2")
            try terminal.see(
                "Delete branch 2 of 'first words', 2 messages from 'other words' on (talk)? [y/N] ")
            if answer == "y" {
                // The active one stays.
                #expect(try place.home.convo("branches", "-s", "talk", "switch", "1").code == 0)
            }
            try terminal.type("\(answer)\n")
            #expect(try terminal.end() == code)
            let list = try place.home.convo("branches", "-s", "talk").said
            #expect(list.split(separator: "\n").count == count, "\(list)")
        }
    }

    @Test func `comes before an export overwrites a file`() throws {
        let place = try Place()
        #expect(try place.home.convo("send", "--new", "talk", "hello").code == 0)
        let file = place.home.directory.file("out.jsonl")
        try Files.replace(file, with: Array("mine".utf8))
        for (answer, code) in [("", Int32(1)), ("y", 0)] {
            let terminal = try place.terminal("export", "talk", "-o", file)
            try terminal.see("'\(file)' is there already; overwrite it? [y/N] ")
            #expect(text(try Files.read(file)) == "mine")
            try terminal.type("\(answer)\n")
            #expect(try terminal.end() == code)
        }
        #expect(text(try Files.read(file)).contains("hello"))
    }
}

@Suite(.timeLimit(.minutes(30))) struct `What would steer a terminal` {
    private static let words =
        "a\u{1B}[31mred\u{1B}[2K\u{1B}[1A\u{1B}]0;pwned\u{07}\u{1B}]52;c;aGk=\u{07}\u{9B}31m\rb\u{08}c\u{0}end"
    private static let harmless =
        "a␛[31mred␛[2K␛[1A␛]0;pwned␇␛]52;c;aGk=␇\u{FFFD}31m␍b␈c␀end"

    @Test(arguments: [nil, "1"])
    func `comes from no message, title or error onto one, however it is cut, and is exact in a pipe (N056)`(
        noColor: String?
    ) throws {
        // Each sequence comes in pieces.
        let place = try Place([ScriptedUpstream.answer(Self.words.unicodeScalars.map { String($0) })])
        let more = noColor.map { ["NO_COLOR": $0] } ?? [:]
        func terminal(_ arguments: String...) throws -> Terminal {
            try Terminal(
                Built.convo, arguments, environment: place.home.environment.merging(more) { $1 })
        }
        let sending = try terminal("send", "-n", "--new", "talk", "hello")
        #expect(try sending.see("end").contains(Self.harmless))
        #expect(try sending.end() == 0)
        for arguments in ["show talk", "search --role assistant pwned", "context talk", "show talk --json"] {
            // The last word tells when all was shown.
            let shown = try Terminal(
                "/bin/sh", ["-c", "\(Built.convo) \(arguments); printf fin; printf 'ished\\n'"],
                environment: place.home.environment.merging(["PAGER": "cat"]) { $1 }.merging(more) { $1 })
            let all = try shown.see("finished")
            #expect(try shown.end() == 0)
            #expect(all.contains("pwned"), "\(arguments): \(all)")
            // The terminal's own line ends have a CR; no other control byte is from what was said.
            for wrong in ["\u{1B}]", "\u{1B}[31mred", "\u{1B}[1A", "\u{07}", "\u{9B}", "\u{08}", "\u{0}"] {
                #expect(!all.contains(wrong), "\(arguments) \(wrong.debugDescription)")
            }
        }
        let piped = try place.home.convo("show", "talk", "--jsonl").said.split(separator: "\n").map {
            try Fixtures.json(String($0))
        }
        let said = piped.last?["content"]?.elements.compactMap { $0["text"]?.string }.joined()
        #expect(said == Self.words)
        #expect(try place.home.convo("show", "talk").said.contains(Self.words))
    }
}
