internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

/// A home with some sessions by `echo`.
private func talked() throws -> Home {
    let home = try Home("{ upstreams: { echo: { kind: 'echo' } } }")
    for (name, text) in [
        ("report", "Where is the Quarterly Report of last year, and who has read all of it before Monday?"),
        ("han", "请帮我总结一下这段对话的主要内容，数据库写入必须可靠"), ("code", "let a_b = don't + 100%"),
    ] { #expect(try home.convo("send", "-q", "--new", name, text).code == 0) }
    return home
}

@Suite struct `A search on the command line` {
    @Test func `prints lines for scripts, JSON, and nothing where nothing is found`() throws {
        let home = try talked()
        let lines = try home.convo("search", "--role", "user", "quarterly").said.split(separator: "\n")
        #expect(lines.count == 1)
        let fields = lines[0].split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        #expect(
            fields.count == 6 && fields[0] == "report" && fields[1] == "1" && fields[3] == "user", "\(fields)"
        )
        #expect(fields[5].contains("Quarterly Report"))
        for (words, session) in [
            ("数", "han"), ("写入", "han"), ("a_b", "code"), ("don't", "code"), ("%", "code"),
        ] {
            let found = try home.convo("search", "-n", "1", words)
            #expect(found.code == 0 && found.said.hasPrefix(session + "\t"), "\(words): \(found)")
        }
        #expect(try home.convo("search", "\"last year\"").said.hasPrefix("report\t"))
        #expect(try home.convo("search", "\"year last\"").said.isEmpty)
        #expect(try home.convo("search", "--", "-quarterly", "report").said.isEmpty)
        let record = try Fixtures.json(
            try home.convo("search", "--jsonl", "--role", "user", "-C", "1", "quarterly").said)
        #expect(record["after"]?.elements.map { $0["role"]?.string ?? "" } == ["assistant"])
        #expect(try home.convo("search", "--json", "nowhere").said == "[]\n")
        #expect(try home.convo("search", "--titles", "--json", "quarterly").said.contains("\"report\""))
    }

    @Test func `opens a message where it stands`() throws {
        let home = try talked()
        for text in ["two", "three", "four"] {
            #expect(try home.convo("send", "-q", "-s", "code", text).code == 0)
        }
        let shown = try home.convo("show", "code", "--at", "5").said
        #expect(
            shown.contains("two") && shown.contains("four") && !shown.contains("Message 1 of this"),
            "\(shown)")
        let id = try Fixtures.json(
            try home.convo("search", "--jsonl", "-n", "1", "--role", "user", "three").said)["messageId"]?
            .string
        #expect(try home.convo("show", "code", "--at", id ?? "").said == shown)
        #expect(try home.convo("show", "code", "--at", "99").code == 3)
        #expect(try home.convo("show", "han", "--at", id ?? "").code == 3)
        #expect(try home.convo("show", "code", "--at", "1", "-n", "1").code == 2)
    }

    @Test(arguments: [
        ["search"], ["search", " "], ["search", "\"\""], ["search", "--role", "nobody", "x"],
        ["search", "-C", "9", "x"],
        ["search", "--until", "soon", "x"],
    ])
    func `that cannot be made says why`(words: [String]) throws {
        let home = try Home("{ upstreams: { echo: { kind: 'echo' } } }")
        let said = try Built.run(Built.convo, words, environment: home.environment, input: "")
        #expect(said.code == 2 || words[1...] == ["\"\""] && said.code == 0, "\(said)")
        #expect(!said.said.contains("invalid_params") && !said.said.contains("'query'"), "\(said)")
    }

    @Test(arguments: [40, 80, 200])
    func `shows what was found where it stands`(columns: Int) throws {
        let home = try talked()
        let screen = try Screen(
            "\(Built.convo) search --role user 'quarterly OR 写入'; echo -n fin; echo ished; cat",
            columns: columns,
            rows: 20, home: home)
        let text = try screen.see("finished")
        // How long ago it was, and how the programs are called, are others each time.
        try expectScreen(text.replacing("now", with: "…"), "found.\(columns)")
    }
}
