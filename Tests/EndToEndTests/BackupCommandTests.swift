internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `A copy of the database` {
    @Test func `is made while others write, and put back with nothing of the old in it (B178, B179, N050)`()
        throws
    {
        let home = try Home("{ upstreams: { echo: { kind: 'echo' } } }")
        let copy = home.directory.file("copy.db"),
            place = home.directory.file(".local/share/convod/convod.db")
        for name in ["one", "two"] {
            #expect(try home.convo("send", "-q", "--new", name, "words of \(name)").code == 0)
        }
        let made = try home.convo("backup", copy)
        #expect(made.code == 0 && made.said.contains("in '\(copy)'"), "\(made)")
        #expect(try Files.status(copy)?.mode == 0o600)
        let taken = try home.convo("backup", copy)
        #expect(taken.code == 2 && taken.said.contains("there is something at this path already"), "\(taken)")
        #expect(try home.convo("send", "-q", "--new", "later", "not in the copy").code == 0)
        #expect(try home.convo("backup", "--restore", copy).code == 1, "a daemon runs")
        // A daemon that was killed leaves its log: none of it may be played into the copy.
        let lock = text(try Files.read(place + ".lock"))
        try Process.signal(
            try #require(lock.split(separator: "\n").first.flatMap { Int32($0) }), Signals.kill)
        try soon("it is gone") { try home.convo("backup", "--restore", copy).code == 0 }
        #expect(try Files.status(place + "-wal") == nil)
        let names = try home.convo("ls", "--jsonl").said
        #expect(
            names.contains("\"one\"") && names.contains("\"two\"") && !names.contains("\"later\""), "\(names)"
        )
        #expect(
            try home.convo("search", "-q", "--role", "user", "words").said.split(separator: "\n").count == 2)
        func old() throws -> Int {
            try Files.names(in: Files.directory(of: place)).count {
                $0.hasPrefix("convod.db.before-") && !$0.hasSuffix("-wal") && !$0.hasSuffix("-shm")
            }
        }
        let before = try old()
        #expect(before >= 1, "what was there stays")
        _ = try home.convo("stop")
        for _ in 0..<3 { #expect(try home.convo("backup", "--restore", copy).code == 0) }
        #expect(try old() == before + 3, "each under a name of its own")
        #expect(try home.convo("backup", "--restore", place).code == 1, "the database itself")
    }

    @Test(arguments: [
        ("SQLite format 3", "it is no database"),
        (String(repeating: "x", count: 600), "it is no database of convod's"),
    ])
    func `that is none is not restored`(content: String, why: String) throws {
        let home = try Home("{ upstreams: { echo: { kind: 'echo' } } }")
        let file = home.directory.file("other")
        try Files.replace(file, with: Array(content.utf8))
        let said = try home.convo("backup", "--restore", file)
        #expect(said.code == 1 && said.said.contains(why), "\(said)")
        #expect(try home.convo("backup", "--restore", file + "-nowhere").code == 1)
    }

    @Test func `goes to a file, and to no stream`() throws {
        let home = try Home(Home.echo)
        for words in [["-"], ["--restore", "-"]] {
            let said = try Built.run(Built.convo, ["backup"] + words, environment: home.environment)
            #expect(said.code == 2 && said.said.contains("./-"), "\(said)")
        }
    }

    @Test func `that is damaged somewhere is not restored unless that is said`() throws {
        let home = try Home("{ upstreams: { echo: { kind: 'echo' } } }")
        #expect(try home.convo("send", "-q", "--new", "one", "words").code == 0)
        let copy = home.directory.file("copy.db")
        #expect(try home.convo("backup", copy).code == 0)
        #expect(try home.convo("stop").code == 0)
        // The sixth page is the root of some table or index: what is written over it is no page of a tree.
        var bytes = try Files.read(copy)
        bytes.replaceSubrange(20_480..<20_500, with: Array(repeating: 0x78, count: 20))
        try Files.replace(copy, with: bytes)
        let said = try home.convo("backup", "--restore", copy)
        #expect(said.code == 1 && said.said.contains("is not restored: SQLite finds it damaged"), "\(said)")
        #expect(try home.convo("ls", "--jsonl").said.contains("\"one\""))
        #expect(try home.convo("stop").code == 0)
        #expect(try home.convo("backup", "--restore", "--damaged", copy).code == 0)
    }

    @Test func `that was cut is not restored`() throws {
        let home = try Home("{ upstreams: { echo: { kind: 'echo' } } }")
        #expect(try home.convo("send", "-q", "--new", "one", "words").code == 0)
        let copy = home.directory.file("copy.db")
        #expect(try home.convo("backup", copy).code == 0)
        #expect(try home.convo("stop").code == 0)
        try Files.replace(copy, with: Array(try Files.read(copy).dropLast(5_000)))
        let said = try home.convo("backup", "--restore", copy)
        #expect(said.code == 1 && said.said.contains("it was cut"), "\(said)")
    }
}
