internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

/// What a model says that has everything in it.
private let everything = """
    # 旅行 plan

    Take the **night train**, *not* the `bus 7`; see [the table](https://example.com/t).

    - 你好世界 and a line that is long enough to be wrapped at forty columns
    - [x] tickets 🎫
      1. window seat

    | City | 人口 |
    |---|--:|
    | 東京 | 14 |
    | Bern | 0.1 |

    ```python
    print("你好")
    ```

    > Who travels, tells.
    """

/// A home whose daemon asks a server that a script answers.
private struct Place {
    let server: ScriptedUpstream
    let home: Home

    init(_ scripts: [[ScriptedUpstream.Step]]) throws {
        server = try ScriptedUpstream(scripts)
        home = try Home("{ upstreams: { up: { kind: 'openai', baseURL: '\(server.base)', model: 'm-1' } } }")
    }

    func chat(_ columns: Int, rows: Int = 60, _ arguments: String...) throws -> Screen {
        try Screen(
            ([Built.convo, "chat"] + arguments).joined(separator: " "), columns: columns, rows: rows,
            home: home)
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

/// A markdown answer in pieces that end anywhere.
private func pieces(_ text: String) -> [String] {
    var rest = text[...], pieces: [String] = []
    while !rest.isEmpty {
        pieces.append(String(rest.prefix(5)))
        rest = rest.dropFirst(5)
    }
    return pieces
}

/// Holds a screen against the file of its name; `CONVOD_WRITE_SCREENS` writes the file, to be looked at.
func expectScreen(_ text: String, _ name: String) throws {
    let folder = #filePath.split(separator: "/").dropLast().joined(separator: "/")
    let path = "/\(folder)/Screens/\(name).txt"
    let steady = text.split(separator: "\n", omittingEmptySubsequences: false).map { line in
        // How fast it was is another each time, and where.
        if line.contains("first word ") { return line.prefix { $0 != "0" } + "…" }
        return line.contains(" messages · /") ? line.prefix { $0 != "/" } + "…" : String(line)
    }.joined(separator: "\n")
    if Process.environment["CONVOD_WRITE_SCREENS"] != nil {
        try Files.replace(path, with: Array((steady + "\n").utf8))
    }
    // How a terminal keeps what joins an emoji is its own affair.
    func plain(_ text: String) -> String {
        String(text.unicodeScalars.filter { $0 != "\u{200D}" }.map(Character.init))
    }
    let known = TestSupport.text(try Files.read(path))
    #expect(plain(steady + "\n") == plain(known), "\(name):\n\(steady)")
}

@Suite(.timeLimit(.minutes(30))) struct `A chat that is edited` {
    @Test(arguments: [40, 80, 200]) func `draws an answer as it streams, and says how it came`(_ columns: Int)
        throws
    {
        let place = try Place([ScriptedUpstream.answer(pieces(everything))])
        let screen = try place.chat(columns)
        try screen.seeLast("›")
        try screen.type("where to, 东京 🗼?")
        try screen.see("🗼?")
        try screen.strike("Enter")
        try screen.see("window ")
        try expectScreen(try screen.seeLast("›"), "answer.\(columns)")
        try screen.strike("C-d")
        #expect(try screen.end() == "0")
    }

    @Test(arguments: [(40, 100), (100, 40), (41, 40), (40, 41)])
    func `goes on with a line when the terminal gets another width, and spoils nothing above it`(
        _ before: Int, _ after: Int
    ) throws {
        let place = try Place([fine])
        let screen = try place.chat(before)
        try screen.seeLast("›")
        let words = "one two 三 four five six seven eight nine ten eleven twelve thirteen"
        try screen.type(words)
        try screen.see("thirteen")
        try screen.resize(columns: after)
        try screen.strike("Home")
        try screen.type("Z")
        try screen.see("Zone")
        let seen = try screen.text().split(separator: "\n").map { String($0) }
        #expect(seen.first?.contains("/help") == true && seen.count { $0.contains("›") } == 1, "\(seen)")
        let line = seen.drop { !$0.hasPrefix("›") }.joined()
        #expect(line.filter { $0 != " " } == "›Z\(words)".filter { $0 != " " }, "\(seen)")
        try screen.strike("Enter")
        try screen.see("fine")
        #expect(place.server.requests[0].contains("Z\(words)"))
        try screen.seeLast("›")
        try screen.strike("C-d")
        #expect(try screen.end() == "0")
    }

    @Test(arguments: [40, 80, 200]) func `edits a prompt of several lines, and takes a paste as one`(
        _ columns: Int
    )
        throws
    {
        let place = try Place([fine, fine, fine])
        let screen = try place.chat(columns)
        try screen.seeLast("›")
        try screen.type("one 世界 two")
        // Keys that mean nothing leave nothing.
        try screen.strike("PPage", "F5", "S-Up", "C-DC", "M-NPage")
        try screen.strike("Left", "Left", "Left", "Left", "BSpace", "BSpace", "Home", "DC", "End", "M-Enter")
        try screen.type("ende 👩‍🚀")
        try screen.see("ende")
        try screen.strike("Enter")
        try screen.see("fine")
        try screen.seeLast("›")
        try screen.paste("a pasted\nparagraph of\n\n\tlines\u{7}\n")
        try screen.see("lines")
        try screen.type("!")
        try screen.strike("Enter")
        try soon("the paste is sent") { place.server.requests.count == 2 }
        try screen.seeLast("›")
        try screen.type("\"\"\"")
        try screen.strike("Enter")
        try screen.type("long")
        try screen.strike("Enter")
        try screen.type("prompt\"\"\"")
        try screen.see("prompt")
        try screen.strike("Enter")
        try soon("the block is sent") { place.server.requests.count == 3 }
        try expectScreen(try screen.seeLast("›"), "editing.\(columns)")
        #expect(
            try place.prompts() == [
                "ne  two\nende 👩‍🚀", "a pasted\nparagraph of\n\n\tlines!", "long\nprompt",
            ])
    }

    @Test func `takes what is pasted as text, whatever keys it looks like, and while it answers as one too`()
        throws
    {
        let place = try Place([fine, [.hold] + fine, fine])
        let screen = try place.chat(80)
        try screen.seeLast("›")
        try screen.paste("stop \u{1A} and \u{3} and \u{1C}\n\u{1B}[201 second line\necho ran\n")
        try screen.see("echo ran")
        try screen.strike("Enter")
        try soon("the paste is sent") { place.server.requests.count == 1 }
        try screen.seeLast("›")
        try screen.type("go")
        try screen.strike("Enter")
        try soon("it is asked") { place.server.requests.count == 2 }
        try screen.paste("one\ntwo\nthree\n")
        place.server.proceed()
        try screen.see("three")
        try screen.strike("Enter")
        try soon("the second paste is sent") { place.server.requests.count == 3 }
        try screen.seeLast("›")
        #expect(
            try place.prompts() == [
                "stop  and  and \n[201 second line\necho ran", "go", "one\ntwo\nthree",
            ])
    }

    @Test func `says what others wrote in its session, and asks before it takes that back`() throws {
        let place = try Place([fine])
        let screen = try place.chat(80, rows: 60, "--new", "shared")
        try screen.seeLast("›")
        try screen.type("mine")
        try screen.strike("Enter")
        try screen.see("window ")
        try screen.seeLast("›")
        #expect(try place.home.convo("send", "-s", "shared", "theirs").code == 0)
        try screen.type("/undo")
        try screen.strike("Enter")
        try screen.see("The newest prompt came from elsewhere: “theirs”. Take it back? [y/N]")
        try screen.strike("Enter")
        try screen.see("nothing was changed")
        try screen.seeLast("›")
        try screen.type("mine again")
        try screen.strike("Enter")
        try screen.see("2 messages came from elsewhere since; 'convo show' has all of them")
        try soon("it is sent") { place.server.requests.count == 3 }
        try screen.seeLast("›")
        try screen.type("/undo")
        try screen.strike("Enter")
        try screen.see("back before message 5")
    }

    @Test func `is drawn again when it goes on after Ctrl-Z`() throws {
        let place = try Place([fine])
        let screen = try Screen("PS1='$ ' bash --norc --noprofile -i", columns: 80, home: place.home)
        try screen.seeLast("$")
        try screen.type("\(Built.convo) chat")
        try screen.strike("Enter")
        try screen.seeLast("›")
        try screen.type("half a prompt")
        try screen.see("half a prompt")
        try screen.strike("C-z")
        try screen.see("Stopped")
        try screen.type("fg")
        try screen.strike("Enter")
        try screen.seeLast("› half a prompt")
        try screen.type(" and more")
        try screen.see("half a prompt and more")
        try screen.strike("Enter")
        try soon("it is sent") { place.server.requests.count == 1 }
        #expect(try place.prompts() == ["half a prompt and more"])
    }

    @Test(arguments: [40, 80, 200]) func `finds what was typed before, here and in another chat`(
        _ columns: Int
    ) throws {
        let place = try Place([fine, fine, fine])
        let first = try place.chat(columns)
        try first.seeLast("›")
        for words in ["apples and pears", "bread"] {
            try first.type(words)
            try first.see(words)
            try first.strike("Enter")
            try first.see("window ")
            try first.seeLast("›")
        }
        try first.strike("C-d")
        _ = try first.end()
        let history = try #require(try Files.status(place.home.directory.file(".local/state/convod/prompts")))
        #expect(history.mode & 0o777 == 0o600)
        let other = try Screen(
            "\(Built.convo) chat", columns: columns, home: place.home)
        try other.seeLast("›")
        try other.strike("Up")
        try other.see("› bread")
        try other.strike("Up")
        try other.see("› apples and pears")
        try other.strike("Down", "C-r")
        try other.see("bck:")
        try other.type("app")
        try other.see("bck:app")
        try expectScreen(try other.text(), "search.\(columns)")
        try other.strike("Enter")
        try soon("it is sent") { place.server.requests.count == 3 }
        #expect(try place.prompts().last == "apples and pears")
    }

    @Test(arguments: [
        "Intro:\n- one\n- two\n\nend", "a\nb\nc\n# head\n\ntext",
        "> q\n\n1. x\n2. y\n\n```\ncode\n```\nbehind",
    ])
    func `draws while it streams what a whole text looks like`(_ text: String) throws {
        let place = try Place([ScriptedUpstream.answer(text.map { String($0) })])
        let screen = try place.chat(60)
        try screen.seeLast("›")
        try screen.type("go")
        try screen.strike("Enter")
        // The last line is the same before the keys have come.
        try screen.see("first word")
        let drawn = try screen.seeLast("›").split(separator: "\n", omittingEmptySubsequences: false)
        let whole = try Screen(
            "PAGER= \(Built.convo) show -c", columns: 60, rows: 60, home: place.home)
        _ = try whole.end()
        let shown = try whole.text().split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(shown.lastIndex { $0.hasPrefix("── assistant") })
        let expected = shown[(start + 1)...].prefix { !$0.hasPrefix("code ") }
        var lines = drawn.drop { !$0.hasPrefix("› go") }.dropFirst().prefix { !$0.contains("first word") }
        while lines.last?.isEmpty ?? false { lines.removeLast() }
        #expect(Array(lines) == Array(expected.reversed().drop { $0.isEmpty }.reversed()))
    }

    @Test(arguments: ["chat", ""]) func `gives the terminal back to whatever ends it`(_ command: String)
        throws
    {
        let place = try Place([fine])
        _ = try place.home.convo("send", "hello")
        for end in ["TERM", "HUP", "QUIT"] {
            let screen = try Screen(
                "set -m; sh -c 'echo pid $$; exec \(Built.convo) \(command)'; stty -a | grep -q ' echo ' && echo given back",
                columns: 80, home: place.home)
            let shown = try screen.see(command.isEmpty ? "▸ a new session" : "new session")
            if !command.isEmpty { try screen.seeLast("›") }
            let line = shown.split(separator: "\n").first { $0.hasPrefix("pid ") }
            let pid = try #require(line.flatMap { Int32($0.dropFirst(4)) })
            try Process.signal(pid, end == "TERM" ? 15 : end == "HUP" ? 1 : 3)
            try screen.see("given back")
        }
    }

    @Test func `remembers nothing of a session in memory only`() throws {
        let place = try Place([fine])
        let screen = try place.chat(80, "--ephemeral")
        try screen.seeLast("›")
        try screen.type("secret")
        try screen.see("secret")
        try screen.strike("Enter")
        try screen.see("fine")
        #expect(try Files.status(place.home.directory.file(".local/state/convod/prompts")) == nil)
    }

    @Test(arguments: [40, 80, 200]) func `completes commands, and says which there are`(_ columns: Int) throws
    {
        let place = try Place([fine])
        let screen = try place.chat(columns)
        try screen.seeLast("›")
        try screen.type("/th")
        try screen.strike("Tab")
        try screen.see("› /thoughts")
        try screen.strike("Enter")
        try screen.see("thoughts are shown from here on")
        try screen.type("/un")
        try screen.strike("Tab")
        try screen.see("/unpin")
        try screen.type("x")
        try screen.see("/unx")
        try screen.strike("C-u")
        try screen.strike("/", "h", "e", "l", "p", "Enter")
        try screen.see("Ctrl-D leaves")
        try expectScreen(try screen.seeLast("›"), "completion.\(columns)")
    }

    @Test(arguments: [40, 80, 200])
    func `is cancelled by Ctrl-C, left by two, and the terminal is as it was`(_ columns: Int) throws {
        let place = try Place([[.untilClosed], fine])
        let screen = try Screen(
            "\(Built.convo) chat; echo was $?; stty -a | grep -q ' echo ' && echo given back",
            columns: columns, home: place.home)
        try screen.seeLast("›")
        try screen.type("hello")
        try screen.see("hello")
        try screen.strike("Enter")
        try screen.see("asking m-1 via up")
        try screen.strike("C-c")
        try screen.see("cancelled")
        try screen.seeLast("›")
        try screen.type("half 東京 🗼")
        try screen.see("🗼")
        try screen.strike("C-c")
        try screen.seeLast("›")
        try screen.strike("C-c")
        try screen.see("(Ctrl-C once more, or Ctrl-D, leaves)")
        try screen.seeLast("›")
        try screen.strike("C-c")
        try screen.see("was 130")
        try screen.see("given back")
        try expectScreen(try screen.seeLast("code 0"), "cancelled.\(columns)")
    }

    @Test func `says what is waited for, with a countdown`() throws {
        let busy = ScriptedUpstream.failure(
            "429 Too Many Requests", #"{"error":{"message":"slow down"}}"#, headers: "retry-after: 3\r\n")
        let place = try Place([busy, fine])
        let screen = try place.chat(80)
        try screen.seeLast("›")
        try screen.type("hello")
        try screen.strike("Enter")
        try screen.see("asking again · in ")
        try screen.see("fine")
        #expect(try !screen.seeLast("›").contains("asking again · in"), "the quiet line goes")
    }

    @Test(arguments: [40, 80, 200]) func `erases words and lines, whatever is in them`(_ columns: Int) throws
    {
        let place = try Place([fine, fine])
        let screen = try place.chat(columns)
        try screen.seeLast("›")
        try screen.type("one 世界 two 👩‍🚀 three")
        try screen.see("three")
        try screen.strike("C-w", "C-w", "C-w")
        try screen.type("四")
        try screen.see("四")
        try expectScreen(try screen.text(), "erased.\(columns)")
        try screen.strike("C-a", "C-k")
        try screen.type("é a very long line that goes on over the end of a row of the terminal 你好, and on")
        try screen.strike("C-a", "M-f", "M-f", "M-d", "C-e", "C-w")
        try screen.strike("Enter")
        try soon("it is sent") { place.server.requests.count == 1 }
        try screen.type("all of this goes")
        try screen.strike("C-u")
        try screen.type("x")
        try screen.strike("Enter")
        try soon("the rest is sent") { place.server.requests.count == 2 }
        #expect(
            try place.prompts() == [
                "é a long line that goes on over the end of a row of the terminal 你好, and ", "x",
            ])
    }

    @Test(arguments: [40, 80, 200]) func `chooses models and upstreams out of lists`(_ columns: Int) throws {
        let list = ScriptedUpstream.failure(
            "200 OK",
            #"{"data":[{"id":"m-1"},{"id":"模型-2","context_length":128000},{"id":"a-model-with-a-name-that-is-long"}]}"#
        )
        let place = try Place([list, list, fine])
        let screen = try place.chat(columns)
        try screen.seeLast("›")
        try screen.type("/model")
        try screen.strike("Enter")
        try screen.see("model [1-3, Enter: none]?")
        try screen.type("9")
        try screen.strike("Enter")
        try screen.see("is no number")
        try screen.type("2")
        try screen.strike("Enter")
        try screen.see("answers from here on")
        try screen.seeLast("›")
        try screen.type("/upstream")
        try screen.strike("Enter")
        try screen.see("upstream or route [1-2, Enter: none]?")
        try screen.strike("Enter")
        try expectScreen(try screen.seeLast("›"), "choice.\(columns)")
    }

    @Test(arguments: [40, 80, 200]) func `hides thoughts until somebody wants them`(_ columns: Int) throws {
        let thought = ScriptedUpstream.chunk(#"{"reasoning_content":"let me see 考え"}"#)
        let thinking = ScriptedUpstream.answer(["four"], before: thought)
        let place = try Place([thinking, thinking])
        let screen = try place.chat(columns)
        try screen.seeLast("›")
        try screen.type("2+2")
        try screen.strike("Enter")
        try screen.see(
            columns == 40
                ? "(thought for 0 s; /thoughts shows it\nfrom here on)"
                : "(thought for 0 s; /thoughts shows it from here on)")
        #expect(try !screen.seeLast("›").contains("let me see"))
        try screen.type("/thoughts")
        try screen.strike("Enter")
        try screen.see("thoughts are shown")
        try screen.type("3+1")
        try screen.strike("Enter")
        try screen.see("let me see")
        try screen.see("window ")
        try expectScreen(try screen.seeLast("›"), "thoughts.\(columns)")
    }

    @Test func `takes back a prompt, chooses a model, attaches a file`() throws {
        let place = try Place([fine, fine])
        let file = place.home.directory.file("notes.txt")
        try Files.replace(file, with: Array("from the file".utf8))
        let screen = try place.chat(80)
        try screen.seeLast("›")
        try screen.type("/attach \(place.home.directory.path)/not")
        try screen.strike("Tab")
        try screen.see("notes.txt")
        try screen.strike("Enter")
        try screen.see("with the next prompt go notes.txt (13 bytes)")
        try screen.type("read it")
        try screen.strike("Enter")
        try screen.see("fine")
        #expect(place.server.requests[0].contains("from the file"))
        try screen.seeLast("›")
        try screen.type("/undo")
        try screen.strike("Enter")
        try screen.see("back before message 1")
        try screen.type("again")
        try screen.strike("Enter")
        try soon("it is asked anew") { place.server.requests.count == 2 }
        #expect(!place.server.requests[1].contains("from the file"))
    }
}

@Suite(.timeLimit(.minutes(30))) struct `What is copied in a chat` {
    private func chat(_ place: Place, _ environment: [String: String]) throws -> Terminal {
        let terminal = try Terminal(
            Built.convo, ["chat"], environment: place.home.environment.merging(environment) { $1 })
        try terminal.type("say it\r")
        try terminal.see("answer")
        try terminal.type("/copy\r")
        return terminal
    }

    @Test(arguments: [
        ("WAYLAND_DISPLAY", "wl-copy", ""), ("DISPLAY", "xclip", "-selection clipboard"),
        ("DISPLAY", "xsel", "--clipboard --input"),
    ]) func `is in the desktop's clipboard where there is a program for it`(
        display: String, program: String, arguments: String
    ) throws {
        let place = try Place([ScriptedUpstream.answer(["the answer\nof two lines"])])
        let file = place.home.directory.file("clipboard"), bin = place.home.directory.file("bin")
        try Files.makeDirectories(bin)
        try Files.replace(
            "\(bin)/\(program)", with: Array("#!/bin/sh\n{ cat; echo \"|$*\"; } > \(file)\n".utf8))
        try shell("chmod", "755", "\(bin)/\(program)")
        let path = "\(bin):\(place.home.environment["PATH"] ?? "/usr/bin:/bin")"
        let terminal = try chat(place, [display: ":0", "PATH": path])
        try terminal.see("is in the clipboard")
        #expect(text(try Files.read(file)) == "the answer\nof two lines|\(arguments)\n")
        #expect(!terminal.shown.contains("]52;"))
    }

    @Test func `is given to the terminal where there is no desktop, or its program fails`() throws {
        for environment in [[:], ["WAYLAND_DISPLAY": "wayland-0"]] {
            let place = try Place([ScriptedUpstream.answer(["the answer"])])
            let bin = place.home.directory.file("bin")
            try Files.makeDirectories(bin)
            try Files.replace("\(bin)/wl-copy", with: Array("#!/bin/sh\nexit 1\n".utf8))
            try shell("chmod", "755", "\(bin)/wl-copy")
            let path = "\(bin):\(place.home.environment["PATH"] ?? "/usr/bin:/bin")"
            let terminal = try chat(place, environment.merging(["PATH": path]) { $1 })
            try terminal.see("if this terminal lets programs write it")
            #expect(terminal.shown.contains("]52;c;dGhlIGFuc3dlcg=="))
        }
    }
}

@Suite(.timeLimit(.minutes(30))) struct `Sessions on a screen` {
    @Test(arguments: [40, 80, 200]) func `are read, listed, and chosen from`(_ columns: Int) throws {
        let place = try Place([ScriptedUpstream.answer(pieces(everything)), fine])
        for (id, words) in [
            ("trip", "plan a trip to 東京 with 🚄 and a title that is long"), ("bread", "bake bread"),
        ] {
            #expect(try place.home.convo("send", "--new", id, words).code == 0)
        }
        let screen = try Screen(
            "\(Built.convo) ls; PAGER= \(Built.convo) show trip; \(Built.convo)",
            columns: columns, rows: 70, home: place.home)
        try screen.see("▸ a new session")
        try expectScreen(try screen.text(), "sessions.\(columns)")
        try screen.type("TRIP")
        try screen.see("› TRIP")
        try screen.strike("BSpace", "BSpace", "BSpace", "BSpace")
        try screen.type("東京")
        try screen.see("› 東京")
        try screen.strike("Up", "Down")
        try expectScreen(
            try screen.text().split(separator: "\n").suffix(4).joined(separator: "\n"), "filtered.\(columns)")
        try screen.strike("Enter")
        try screen.see("/help")
        try screen.seeLast("›")
        try screen.strike("C-d")
        try screen.see("code 0")
    }

    @Test func `are filtered by what is pasted, of which no line chooses one`() throws {
        let home = try Home(Home.echo)
        for (id, words) in [("trip", "go away"), ("bread", "bake it")] {
            #expect(try home.convo("send", "--new", id, words).code == 0)
        }
        let screen = try Screen(Built.convo, columns: 80, home: home)
        try screen.see("▸ a new session")
        try screen.paste("bake\nbread\n")
        try screen.see("› bake bread")
        #expect(try screen.text().contains("▸ bake it"))
        try screen.strike("Escape")
        #expect(try screen.end() == "0")
    }

    @Test(arguments: [40, 80, 200]) func `are explained in lines that fit`(_ columns: Int) throws {
        let home = try Home()
        let screen = try Screen(
            "\(Built.convo) help | cat >/dev/null; \(Built.convo) help; \(Built.convo) send --help",
            columns: columns, rows: 200, home: home)
        try expectScreen(try screen.seeLast("code 0"), "help.\(columns)")
    }
}
