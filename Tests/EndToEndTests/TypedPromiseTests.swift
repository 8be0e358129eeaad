internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite(.timeLimit(.minutes(30))) struct `What is struck in a search of the history` {
    @Test func `is a key or a paste as elsewhere, and ends the search`() throws {
        let talk = try Talk([fine, fine, fine, fine])
        try talk.enter("find alpha one")
        try talk.sees(["find alpha one"])
        try talk.screen.strike("C-r")
        try talk.screen.type("alpha")
        try talk.screen.see("bck:alpha")
        try talk.screen.strike("End")
        try talk.enter("!")
        try talk.sees(["find alpha one", "find alpha one!"])
        try talk.screen.strike("C-r")
        try talk.screen.type("alpha")
        try talk.screen.see("bck:alpha")
        try talk.screen.paste("\nsecond line\nthird")
        try talk.screen.see("third")
        try talk.screen.strike("Enter")
        try soon("it is sent") { try talk.prompts().count == 3 }
        let sent = try talk.prompts()[2]
        #expect(sent.contains("\nsecond line\nthird") && !sent.contains("200~"), "\(sent)")
        // An escape by itself ends a search, and is no beginning of a key.
        try talk.screen.seeLast("›")
        try talk.screen.strike("C-r")
        try talk.screen.type("one!")
        try talk.screen.see("bck:one!")
        try talk.screen.strike("Escape")
        try soon("the search is over") { try !talk.screen.text().contains("bck:") }
        try talk.screen.strike("End")
        try talk.enter("f")
        try soon("it is sent") { try talk.prompts().count == 4 }
        #expect(try talk.prompts()[3] == sent + "f")
    }
}

@Suite(.timeLimit(.minutes(30))) struct `What is typed ahead` {
    @Test func `answers the question that comes, and what is behind it goes to the chat`() throws {
        let talk = try Talk([fine, fine])
        let file = talk.home.directory.file("f.md")
        try talk.enter("hello")
        try talk.sees(["hello"])
        try talk.enter("/export \(file)")
        try soon("it is written") { try Files.status(file) != nil }
        try Files.replace(file, with: [])
        try talk.screen.strike("/export \(file)", "Enter", "y", "Enter", "mo")
        try soon("it is written again") { try !Files.read(file).isEmpty }
        try talk.screen.strike("re", "Enter")
        try talk.sees(["hello", "more"])
        #expect(try !Files.read(file).isEmpty)
    }

    @Test func `behind a choice of a session goes to its chat`() throws {
        let talk = try Talk([fine, fine])
        try talk.enter("hello")
        try talk.sees(["hello"])
        let screen = try Screen(Built.convo, columns: 80, home: talk.home)
        try screen.see("hello")
        try screen.strike("Down", "Enter", "typed ahead", "Enter")
        try soon("it is sent") { try talk.prompts().count == 2 }
        #expect(try talk.prompts()[1] == "typed ahead")
    }
}

@Suite(.timeLimit(.minutes(30))) struct `A chat on an unusual terminal` {
    @Test func `whose name this machine does not know edits lines all the same`() throws {
        let talk = try Talk([fine], before: "TERM=xterm-nobody-knows", columns: 60)
        try talk.screen.type("word word word word word word word word word word word word word word")
        try talk.screen.strike("C-a")
        try talk.enter("X")
        try soon("it is sent") { try talk.prompts().count == 1 }
        #expect(try talk.prompts()[0].hasPrefix("Xword word"))
        #expect(try !talk.screen.text().contains("No entry"))
    }

    @Test func `is drawn by the width that it has, whatever is exported`() throws {
        let words = (1...60).map { "word\($0)" }.joined(separator: " ")
        let pieces = words.split(separator: " ").map { $0 + " " }
        let talk = try Talk(
            [ScriptedUpstream.answer(pieces.map(String.init))], before: "COLUMNS=120", columns: 80)
        try talk.enter("go")
        let shown = try talk.screen.see("word60")
        for number in 1...60 {
            let count = shown.split { $0 == " " || $0 == "\n" }.count { $0 == "word\(number)" }
            #expect(count == 1, "\(number) is there \(count) times:\n\(shown)")
        }
    }

    @Test func `shows each line of other scripts once, and tables below each other`() throws {
        let hindi = String(repeating: "हिन्दी में लिखा हुआ एक लंबा वाक्य जो पंक्ति के अंत तक जाता है और आगे भी। ", count: 4)
        let answer = hindi + "\n\n| नाम | मूल्य |\n|---|---|\n| क्षेत्र | 1 |\n| ทำงาน | 2 |\n\nend"
        let pieces = answer.map { String($0) }
        let talk = try Talk([ScriptedUpstream.answer(pieces)], columns: 80)
        try talk.enter("go")
        let shown = try talk.screen.see("end")
        #expect(shown.components(of: "हिन्दी").count - 1 == 4, "\(shown)")
    }
}

@Suite(.timeLimit(.minutes(30))) struct `An answer longer than the screen` {
    @Test func `has each item of its list once, though it becomes a loose one at its end`() throws {
        let items = (1...40).map { "- item number \($0) of it\n" }
        let talk = try Talk(
            [ScriptedUpstream.answer(items + ["\n- the last item\n", "\nthe end\n"])], columns: 80, rows: 20)
        try talk.enter("go")
        let shown = try talk.screen.see("the end")
        for number in 1...40 {
            let count = shown.split(separator: "\n").count { $0.contains("item number \(number) of it") }
            #expect(count == 1, "\(number) is there \(count) times:\n\(shown)")
        }
    }
}

@Suite(.timeLimit(.minutes(30))) struct `What is refused` {
    @Test func `as an upstream of a new chat changes nothing`() throws {
        let talk = try Talk([fine])
        try talk.enter("/upstream nope")
        try talk.screen.see("there is no upstream or route 'nope'")
        try talk.enter("hello")
        try talk.sees(["hello"])
    }

    @Test func `for how it was asked leaves no session behind, and -c where it was`() throws {
        let talk = try Talk([fine, fine, fine, fine])
        let home = talk.home
        #expect(try home.convo("send", "-n", "-q", "--new", "ann", "my name is Ann").code == 0)
        let refused = try home.convo("send", "-n", "-q", "--new", "zb", "-o", "temperature=9", "hi")
        #expect(refused.code == 2, "\(refused)")
        #expect(try home.convo("send", "-n", "-q", "-o", "temperature=9", "oops").code == 2)
        #expect(try home.convo("send", "-n", "-q", "-c", "what is my name?").code == 0)
        #expect(talk.server.requests.last?.contains("my name is Ann") == true)
        #expect(try home.convo("send", "-n", "-q", "--new", "zb", "-o", "temperature=1", "hi").code == 0)
        // What was sent once is there, however it is sent again.
        func once(_ words: String...) throws -> Int32 {
            let all = ["send", "-n", "-q", "--new", "once", "--request-id", "r"] + words
            return try Built.run(Built.convo, all, environment: home.environment).code
        }
        #expect(try once("hi") == 0)
        #expect(try once("-o", "temperature=9", "hi") == 2)
        #expect(try home.convo("show", "once").said.contains("hi"))
    }
}

@Suite(.timeLimit(.minutes(30))) struct `A narrow terminal` {
    @Test func `shows how long is waited, however long the names are`() throws {
        let server = try ScriptedUpstream([[.hold]])
        let home = try Home(
            "{ upstreams: { up: { kind: 'openai', baseURL: '\(server.base)', model: 'm-1' } } }")
        let screen = try Screen(
            "\(Built.convo) send -n -m very-long-model-name-for-narrow-terminals-2026-11-preview hi",
            columns: 40,
            home: home)
        let shown = try screen.see(" s")
        #expect(shown.contains("asking very-long") && shown.contains("… · "), "\(shown)")
    }
}

extension String {
    fileprivate func components(of part: String) -> [Substring] {
        split(separator: part, omittingEmptySubsequences: false)
    }
}
