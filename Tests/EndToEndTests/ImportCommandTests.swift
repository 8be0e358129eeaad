internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `What was written down` {
    private func home(_ names: [String]) throws -> Home {
        let home = try Home("{ upstreams: { echo: { kind: 'echo' } } }")
        for name in names {
            #expect(try home.convo("send", "-q", "--new", name, "words of \(name)").code == 0)
        }
        return home
    }

    @Test func `is read in elsewhere as it was, once (B164, B172)`() throws {
        let first = try home(["one", "two"]), second = try home([])
        let file = first.directory.file("all.jsonl")
        let wrote = try first.convo("export", "--all", "-o", file)
        #expect(wrote.code == 0 && wrote.said.contains("of 2 sessions in"), "\(wrote)")
        #expect(try second.convo("import", "--dry-run", file).said == "would read 2 sessions\n")
        #expect(try second.convo("ls", "-q").said.isEmpty)
        #expect(
            try second.convo("import", file).said == "read 2 sessions with 4 messages, 2 turns, 0 summaries\n"
        )
        #expect(
            try second.convo("import", file).said
                == "read 0 sessions with 0 messages, 0 turns, 0 summaries; 2 sessions were there already\n")
        let again = try second.convo("export", "--all")
        #expect(again.said == text(try Files.read(file)))
        #expect(
            try second.convo("search", "-q", "--role", "user", "words").said.split(separator: "\n").count == 2
        )
        #expect(try second.convo("send", "-q", "-s", "one", "and on").code == 0)
        let one = try first.convo("export", "one", "two")
        #expect(one.said.split(separator: "\n").count { $0.contains("\"type\":\"session\"") } == 2)
        #expect(try first.convo("export", "--all", "--since", "2100-01-01").said.isEmpty)
    }

    @Test func `as pages is a file that has everything, or a folder with a list`() throws {
        let home = try home(["one", "two"])
        let page = try home.convo("export", "one", "-f", "html").said
        #expect(
            page.hasPrefix("<!DOCTYPE html>") && page.contains("words of one") && page.contains("sha256-"))
        #expect(!page.contains(home.directory.path), "no path of this machine")
        let folder = home.directory.file("pages")
        #expect(try home.convo("export", "--all", "-f", "html").code == 2)
        #expect(try home.convo("export", "--all", "-f", "html", "-o", folder).code == 0)
        #expect(try home.convo("export", "--all", "-f", "html", "-o", folder).code == 1)
        #expect(try home.convo("export", "--all", "-f", "html", "--force", "-o", folder).code == 0)
        #expect(text(try Files.read(folder + "/index.html")).contains("href=\"./two.html\""))
        #expect(text(try Files.read(folder + "/two.html")).contains("words of two"))
    }

    @Test func `comes in the shapes that others take, and as one array`() throws {
        let home = try home(["one", "two"])
        let array = try Fixtures.json(try home.convo("export", "--all", "-f", "json").said)
        #expect(array.elements.map { $0["type"]?.string ?? "" }.count { $0 == "session" } == 2)
        #expect(try Fixtures.json(try home.convo("export", "one", "-f", "json").said).count == 5)
        for format in ["openai", "anthropic", "gemini"] {
            let lines = try home.convo("export", "--all", "-f", format).said.split(separator: "\n")
            #expect(lines.count == 2, "\(format)")
            for line in lines {
                #expect(
                    try Fixtures.json(String(line)).members.contains {
                        $0.key == "messages" || $0.key == "contents"
                    })
            }
        }
        #expect(try home.convo("export", "one", "-f", "docx").code == 2)
        let whole = try home.convo("export", "one").said
        let here = try Fixtures.json(String(whole.prefix { $0 != "\n" }))["cwd"]?.string ?? ""
        #expect(here.count > 1)
        for format in ["jsonl", "json", "markdown", "html", "openai", "anthropic", "gemini"] {
            let bare = try home.convo("export", "one", "--no-paths", "-f", format)
            #expect(bare.code == 0 && !bare.said.contains(here), "\(format)")
        }
    }

    @Test func `may be what follows a message`() throws {
        let home = try home(["one"])
        #expect(try home.convo("send", "-q", "-s", "one", "second words").code == 0)
        let rest = try home.convo("export", "one", "--after", "2").said.split(separator: "\n")
        #expect(rest.count == 4 && rest[1].contains("second words"), "\(rest)")
        #expect(try home.convo("export", "one", "--after", "4").said.split(separator: "\n").count == 2)
        #expect(try home.convo("export", "one", "--after", "9").code == 3)
        #expect(try home.convo("export", "--all", "--after", "2").code == 2)
    }

    @Test func `and is cut at the end of a line is refused whole (B169, B170)`() throws {
        let first = try home(["one"]), second = try home([])
        let lines = try first.convo("export", "one").said.split(separator: "\n").prefix(2).joined(
            separator: "\n")
        let file = first.directory.file("cut.jsonl")
        try Files.replace(file, with: Array((lines + "\n").utf8))
        let told = try second.convo("import", file)
        #expect(told.code == 1 && told.said.contains("was cut: its checksum is not there"), "\(told)")
        let older = lines.replacing(#""checksum":"sha256","#, with: "")
        try Files.replace(file, with: Array((older + "\n").utf8))
        let head = try second.convo("import", "--json", file)
        #expect(head.code == 1 && head.said.contains("the file was cut"), "\(head)")
        #expect(try second.convo("ls", "-q", "--empty").said.isEmpty)
        for text in [lines, older] {
            let third = try home([])
            try Files.replace(file, with: Array((text + "\n").utf8))
            let asked = try third.convo("import", "--changed", file)
            #expect(asked.code == 0 && asked.said.contains("read 1 session with 1 message"), "\(asked)")
            let again = try third.convo("import", "--changed", file)
            #expect(again.code == 0 && again.said.contains("read 0 sessions with 0 messages"), "\(again)")
            #expect(try third.convo("ls").said.split(separator: "\n").count == 1)
        }
        try Files.replace(file, with: [])
        #expect(try second.convo("import", file).said.contains("is empty"))
        let whole = first.directory.file("whole.jsonl")
        #expect(try first.convo("export", "one", "-o", whole).code == 0)
        let both = try second.convo("import", "/nowhere", whole)
        #expect(both.code == 1 && both.said.contains("read 1 session with 2 messages"), "\(both)")
    }

    @Test func `and is not what was written is refused by its checksum, unless that is asked for`() throws {
        let first = try home(["one", "two"]), second = try home([])
        let whole = try first.convo("export", "--all").said
        var lines = whole.split(separator: "\n").map(String.init)
        #expect(lines[1].contains("words of one") && lines[4].contains(#""type":"end","records":4"#))
        let file = first.directory.file("other.jsonl")
        func read(_ lines: [String], _ options: String...) throws -> (code: Int32, said: String) {
            try Files.replace(file, with: Array((lines.joined(separator: "\n") + "\n").utf8))
            return try options.isEmpty
                ? second.convo("import", file) : second.convo("import", options[0], file)
        }
        let more = lines[..<3] + lines[2...]
        let added = try read(Array(more), "--dry-run")
        #expect(added.code == 1 && added.said.contains("has 5 of the 4 records"), "\(added)")
        #expect(added.said.contains("would read 1 session"), "\(added)")
        let behind = try read(Array(lines[..<5]) + [lines[2]] + Array(lines[5...]), "--dry-run")
        #expect(behind.code == 1 && behind.said.contains("session 'one' goes on behind its end"), "\(behind)")
        // Who never promised a checksum is held to none.
        let foreign = lines[0].replacing(#""checksum":"sha256","#, with: "")
        #expect(try read([foreign] + lines[1..<4] + [#"{"type":"end"}"#], "--dry-run").code == 0)
        lines[1] = lines[1].replacing("words of one", with: "other words")
        let told = try read(lines)
        #expect(
            told.code == 1 && told.said.contains("session 'one' was changed since it was exported"), "\(told)"
        )
        #expect(told.said.contains("read 1 session with 2 messages"), "\(told)")
        #expect(try second.convo("ls", "--empty").said.split(separator: "\n").count == 1)
        let forced = try read(lines, "--changed")
        #expect(forced.code == 0 && forced.said.contains("read 1 session"), "\(forced)")
        #expect(try second.convo("show", "one").said.contains("other words"))
        // What was changed is whole again when it is written down.
        #expect(try second.convo("export", "one").said != first.convo("export", "one").said)
    }

    @Test func `and is damaged is said by file and line, and what is whole is read (B163, B169, N025)`()
        throws
    {
        let first = try home(["one", "two"]), second = try home([])
        let one = try first.convo("export", "one").said, two = try first.convo("export", "two").said
        let broken = one.split(separator: "\n").map(String.init).enumerated().map {
            $0.offset == 1
                ? $0.element.replacing("\"role\":\"user\"", with: "\"role\":\"nobody\"") : $0.element
        }.joined(separator: "\n")
        let file = first.directory.file("some.jsonl")
        try Files.replace(file, with: Array((broken + "\nnot json\n" + two).utf8))
        let told = try second.convo("import", file)
        #expect(told.code == 1)
        #expect(told.said.contains("is not JSON"), "\(told)")
        #expect(
            told.said.contains("session 'one'") && told.said.contains("'role' must be a role")
                || told.said.contains("is not JSON"), "\(told)")
        #expect(told.said.contains("read 1 session with 2 messages"), "\(told)")
        #expect(try second.convo("ls", "-q").said.split(separator: "\n").count == 1)
        #expect(try second.convo("import", "/nowhere").code == 1)
        try Files.replace(file, with: Array("{\"a\":1}\n{\"b\":2}\n".utf8))
        let other = try second.convo("import", file)
        #expect(other.code == 1 && other.said.contains("begins with a record of type 'session'"), "\(other)")
    }
}

extension `What was written down` {
    @Test func `and has a session that cannot be read is named by it, counted, and no success (B163)`() throws
    {
        let first = try home(["one", "two"]), second = try home([])
        let one = try first.convo("export", "one").said.split(separator: "\n").map(String.init)
        let two = try first.convo("export", "two").said
        // As another program would write it: no checksum is promised, and a message lacks what it must have.
        let header = one[0].replacing(#""checksum":"sha256","#, with: "")
        let lacking = one[1].replacing("\"role\":\"user\"", with: "\"role\":\"nobody\"")
        #expect(lacking != one[1])
        let file = first.directory.file("some.jsonl")
        let lines = [header, lacking] + one[2...3]
        try Files.replace(file, with: Array((lines.joined(separator: "\n") + "\n" + two).utf8))
        let told = try second.convo("import", file)
        #expect(told.code == 1, "\(told)")
        #expect(
            told.said.contains("'\(file)', line 1, session 'one'")
                && told.said.contains("'role' must be a role"),
            "\(told)")
        #expect(told.said.contains("read 1 session with 2 messages"), "\(told)")
        let there = try second.convo("ls", "-q", "--empty").said
        #expect(there.hasPrefix("two\t") && there.split(separator: "\n").count == 1, "\(there)")
        let counted = try second.convo("import", "--json", file)
        #expect(
            counted.code == 1 && counted.said.filter { $0 != " " }.contains("\"problems\":1"), "\(counted)")
    }
}

extension `What was written down` {
    @Test func `comes back with its branches, times and models, here and elsewhere (B164, B166)`() throws {
        let first = try home(["one"]), second = try home([])
        #expect(try first.convo("send", "-q", "-s", "one", "more words").code == 0)
        #expect(try first.convo("retry", "-s", "one").code == 0)
        #expect(try first.convo("edit", "-s", "one", "1", "other words").code == 0)
        let file = first.directory.file("one.jsonl")
        #expect(try first.convo("export", "one", "-o", file).code == 0)
        let whole = text(try Files.read(file))
        #expect(whole.contains("\"branch_message\"") && whole.contains("\"model\":\"echo\""))
        let shown = try first.convo("show", "one").said
        let branches = try first.convo("branches", "-s", "one").said.split(separator: "\n").count
        #expect(shown.contains("other words") && !shown.contains("more words"))
        #expect(try first.convo("purge", "-y", "one").code == 0)
        for home in [first, second] {
            let read = try home.convo("import", file)
            #expect(read.code == 0 && read.said.hasPrefix("read 1 session with "), "\(read)")
            #expect(try home.convo("export", "one").said == whole, "every time and model among it")
            #expect(try home.convo("show", "one").said == shown, "the same branch is the active one")
            #expect(try home.convo("branches", "-s", "one").said.split(separator: "\n").count == branches)
        }
    }
}

extension `What was written down` {
    @Test(
        arguments: [
            ([], "is empty"), (Array("\n \n".utf8), "is empty"),
            (Array("not json\nnor this\n".utf8), "is not JSON"),
            ([0x7F, 0x45, 0x4C, 0x46, 0, 1, 0x0A, 0xFF, 0xFE, 0, 0x0A], "is not JSON"),
        ] as [([UInt8], String)])
    func `and holds no session at all is an error that says so (B169)`(content: [UInt8], why: String) throws {
        let home = try home([]), file = home.directory.file("some.jsonl")
        try Files.replace(file, with: content)
        let told = try home.convo("import", file)
        #expect(told.code == 1 && told.said.contains(why), "\(told)")
        #expect(told.said.contains("read 0 sessions with 0 messages"), "\(told)")
        let counted = try home.convo("import", "--json", file)
        #expect(
            counted.code == 1 && counted.said.filter { $0 != " " }.contains("\"problems\":1"), "\(counted)")
        #expect(try home.convo("ls", "-q", "--empty").said.isEmpty)
    }
}

extension `What was written down` {
    @Test func `and is damaged stops none of the files beside it (B170)`() throws {
        let first = try home(["one", "bad", "two"]), second = try home([])
        let files = ["one", "bad", "two"].map { first.directory.file($0 + ".jsonl") }
        for (name, file) in zip(["one", "bad", "two"], files) {
            #expect(try first.convo("export", name, "-o", file).code == 0)
        }
        let lines = text(try Files.read(files[1])).split(separator: "\n")
        try Files.replace(files[1], with: Array((lines[0] + "\n" + lines[1].dropLast(9)).utf8))
        let told = try second.convo("import", files[0], files[1], files[2])
        #expect(told.code == 1, "\(told)")
        #expect(told.said.contains("'\(files[1])', line 2 is not JSON"), "\(told)")
        #expect(told.said.contains("read 2 sessions with 4 messages"), "\(told)")
        let there = try second.convo("ls", "-q", "--empty").said.split(separator: "\n").map {
            $0.prefix { $0 != "\t" }
        }.sorted()
        #expect(there == ["one", "two"])
    }
}

extension `What was written down` {
    @Test
    func `has each branch where a session that was forked comes before the one that it was forked from`()
        throws
    {
        let home = try Home(Home.echo), other = try Home(Home.echo)
        #expect(try home.convo("send", "-q", "--new", "orig", "one").code == 0)
        #expect(try home.convo("edit", "-q", "-s", "orig", "1", "uno").code == 0)
        #expect(try home.convo("fork", "-s", "orig", "2", "--new", "fk").code == 0)
        #expect(try home.convo("switch", "-s", "orig", "1").code == 0)
        #expect(try home.convo("send", "-q", "-s", "orig", "go on").code == 0)
        let file = home.directory.file("all.jsonl"), again = other.directory.file("all.jsonl")
        #expect(try home.convo("export", "-q", "--all", "-o", file).code == 0)
        #expect(try other.convo("import", "-q", file).code == 0)
        let tree = try other.convo("branches", "-s", "orig").said
        #expect(tree.contains("4 messages") && tree.contains("2, 2 messages"), "\(tree)")
        #expect(try other.convo("switch", "-s", "orig", "2").code == 0)
        #expect(try other.convo("show", "-s", "orig").said.contains("uno"))
        #expect(try other.convo("check").code == 0)
        #expect(try other.convo("switch", "-s", "orig", "1").code == 0)
        #expect(try other.convo("export", "-q", "--all", "-o", again).code == 0)
        func records(_ path: String) throws -> Int {
            text(try Files.read(path)).split(separator: "\n").count { $0.contains(#""branch_message""#) }
        }
        #expect(try records(file) == records(again) && records(file) == 2)
    }

    @Test func `is read in a second time as nothing, and once it went on without doubling a message (B172)`()
        throws
    {
        let first = try home(["one", "two"]), second = try home([])
        let file = first.directory.file("all.jsonl"), later = first.directory.file("later.jsonl")
        #expect(try first.convo("export", "--all", "-o", file).code == 0)
        #expect(try second.convo("import", file).code == 0)
        let again = try second.convo("import", file)
        #expect(again.code == 0 && again.said.hasPrefix("read 0 sessions with 0 messages"), "\(again)")
        #expect(again.said.contains("2 sessions were there already"), "\(again)")
        for number in 1...3 {
            #expect(try first.convo("send", "-q", "-s", "one", "more \(number)").code == 0)
        }
        #expect(try first.convo("export", "--all", "-o", later).code == 0)
        let grown = try second.convo("import", later)
        #expect(grown.code == 0 && grown.said.hasPrefix("read 1 session with 8 messages"), "\(grown)")
        func stored() throws -> String {
            try shell(
                "sqlite3", second.directory.file(".local/share/convod/convod.db"),
                "SELECT count(*) FROM message")
        }
        // Two of each session, and the six that were new: what both hold is there once.
        #expect(try stored() == "10\n")
        let there = try second.convo("ls", "-q").said.split(separator: "\n").map { $0.prefix { $0 != "\t" } }
            .sorted()
        #expect(there == ["one", "one.2", "two"])
        let last = try second.convo("import", later)
        #expect(last.code == 0 && last.said.hasPrefix("read 0 sessions"), "\(last)")
        #expect(try stored() == "10\n")
    }
}

extension `What was written down` {
    @Test(arguments: ["markdown", "openai", "anthropic", "gemini"])
    func `in a shape of one path says what of other branches is not in it (B166)`(format: String) throws {
        let home = try home(["one"])
        let before = try home.convo("export", "one", "-f", format)
        #expect(before.code == 0 && !before.said.contains("on other branches"), "\(before)")
        #expect(try home.convo("retry", "-s", "one").code == 0)
        let file = home.directory.file("one.txt")
        let told = try home.convo("export", "one", "-f", format, "-o", file)
        #expect(told.code == 0 && told.said.contains("1 message on other branches"), "\(told)")
        #expect(!text(try Files.read(file)).contains("on other branches"))
        let whole = try home.convo("export", "one", "-f", "jsonl", "-o", home.directory.file("one.jsonl"))
        #expect(whole.code == 0 && !whole.said.contains("on other branches"), "\(whole)")
    }
}

extension `What was written down` {
    @Test
    func
        `and is cut inside its last line is reported, and has its whole lines where that is asked for (B175)`()
        throws
    {
        let first = try home([])
        #expect(try first.convo("send", "-q", "--new", "one", "words 汉🌏").code == 0)
        let lines = try first.convo("export", "one").said.split(separator: "\n")
        let answer = Array(lines[2].utf8), file = first.directory.file("cut.jsonl")
        let sign = try #require(answer.firstIndex(of: 0xE6), "the first byte of 汉")
        let head = Array((lines[0] + "\n" + lines[1] + "\n").utf8)
        for cut in [1, sign - 1] + Array(sign...(sign + 7)) + [answer.count - 1] {
            try Files.replace(file, with: head + answer[..<cut])
            let second = try home([])
            let told = try second.convo("import", file)
            #expect(told.code == 1 && told.said.contains("'\(file)', line 3 is not JSON"), "\(cut) \(told)")
            #expect(told.said.contains("read 0 sessions"), "\(cut) \(told)")
            let asked = try second.convo("import", "--changed", file)
            #expect(asked.code == 1 && asked.said.contains("line 3 is not JSON"), "\(cut) \(asked)")
            #expect(asked.said.contains("read 1 session with 1 message"), "\(cut) \(asked)")
            #expect(try second.convo("show", "one").said.contains("words 汉🌏"))
        }
    }
}

extension `What was written down` {
    /// The lines of an export of one session.
    private func lines(_ home: Home) throws -> [String] {
        try home.convo("export", "one").said.split(separator: "\n").map(String.init)
    }

    @Test func `is read in with either end of a line (B112)`() throws {
        let first = try home(["one"]), second = try home([])
        let file = first.directory.file("crlf.jsonl")
        let lines = try lines(first)
        try Files.replace(file, with: Array((lines.joined(separator: "\r\n") + "\r\n").utf8))
        let told = try second.convo("import", file)
        #expect(told.code == 0 && told.said.hasPrefix("read 1 session with 2 messages"), "\(told)")
        #expect(try self.lines(second) == lines)
        try Files.replace(file, with: Array((lines[0] + "\r\n" + lines[1] + "\r\nno record\r\n").utf8))
        #expect(try second.convo("import", file).said.contains("line 3 is not JSON"))
    }

    @Test func `and has half a character keeps a sign in its place, as its writer spelled it (B088)`() throws
    {
        let first = try home(["one"]), second = try home([])
        let file = first.directory.file("half.jsonl")
        let lines = try lines(first).map { $0.replacing("words of one", with: #"words \udc81 of one"#) }
        try Files.replace(file, with: Array((lines.joined(separator: "\n") + "\n").utf8))
        let told = try second.convo("import", "--changed", file)
        #expect(told.code == 0 && told.said.hasPrefix("read 1 session"), "\(told)")
        #expect(try second.convo("show", "one").said.contains("words \u{FFFD} of one"))
        #expect(try second.convo("search", "-q", "words").code == 0)
    }

    @Test func `and is nested without end is refused by its line, and the daemon goes on (B118)`() throws {
        let first = try home(["one"]), second = try home([])
        let file = first.directory.file("deep.jsonl")
        var lines = try lines(first)
        let deep = String(repeating: "[", count: 100_000)
        lines.insert(#"{"type":"message","x":\#(deep)"#, at: 1)
        try Files.replace(file, with: Array((lines.joined(separator: "\n") + "\n").utf8))
        let told = try second.convo("import", file)
        #expect(told.code == 1 && told.said.contains("line 2"), "\(told)")
        #expect(try second.convo("send", "-q", "--new", "other", "words").code == 0)
    }

    @Test func `by somebody else with raw line ends in a text is refused by its line (B173)`() throws {
        let first = try home(["one"]), second = try home([])
        let file = first.directory.file("raw.jsonl")
        let lines = try lines(first).map { $0.replacing("words of one", with: "words\nof one") }
        try Files.replace(file, with: Array((lines.joined(separator: "\n") + "\n").utf8))
        let told = try second.convo("import", file)
        #expect(told.code == 1 && told.said.contains("line 1 is not JSON"), "\(told)")
        #expect(try second.convo("ls", "-q").said.isEmpty)
    }
}
