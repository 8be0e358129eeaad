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

    @Test func `is read in elsewhere as it was, once`() throws {
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

    @Test func `and is cut at the end of a line is refused whole`() throws {
        let first = try home(["one"]), second = try home([])
        let lines = try first.convo("export", "one").said.split(separator: "\n").prefix(2).joined(
            separator: "\n")
        let file = first.directory.file("cut.jsonl")
        try Files.replace(file, with: Array((lines + "\n").utf8))
        let told = try second.convo("import", file)
        #expect(told.code == 1 && told.said.contains("was cut: its checksum is not there"), "\(told)")
        let older = lines.replacing(#""checksum":"sha256","#, with: "")
        for (text, option) in [(lines, "--changed"), (older, "--json")] {
            try Files.replace(file, with: Array((text + "\n").utf8))
            let head = try second.convo("import", option, file)
            #expect(head.code == 1 && head.said.contains("the file was cut"), "\(head)")
        }
        #expect(try second.convo("ls", "-q", "--empty").said.isEmpty)
        try Files.replace(file, with: [])
        #expect(try second.convo("import", file).said.contains("is empty"))
        let whole = first.directory.file("whole.jsonl")
        #expect(try first.convo("export", "one", "-o", whole).code == 0)
        let both = try second.convo("import", "/nowhere", whole)
        #expect(both.code == 3 && both.said.contains("read 1 session with 2 messages"), "\(both)")
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

    @Test func `and is damaged is said by file and line, and what is whole is read`() throws {
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
        #expect(try second.convo("import", "/nowhere").code == 3)
        try Files.replace(file, with: Array("{\"a\":1}\n{\"b\":2}\n".utf8))
        let other = try second.convo("import", file)
        #expect(other.code == 1 && other.said.contains("begins with a record of type 'session'"), "\(other)")
    }
}
