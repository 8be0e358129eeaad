internal import Archive
internal import Conversation
internal import Posix
internal import Search
internal import Store
internal import TestSupport
internal import Testing

extension Bench {
    /// What a search finds, page by page, as `session/seq`.
    fileprivate func search(
        _ question: String, limit: Int = 1_000, pages: Int = .max,
        _ change: (inout MessageFilter) -> Void = { _ in }
    ) throws -> [String] {
        var filter = MessageFilter(owner: 0)
        change(&filter)
        var look = SearchMessages(try SearchQuery(question), filter, limit: limit)
        // So that every slice is a short one.
        look.slice = 0
        var found: [String] = []
        for _ in 0..<pages {
            let output = try read(look)
            found += output.hits.map { "\($0.session.text)/\($0.seq)" }
            guard let next = output.next else { break }
            look.place = next
        }
        return found
    }

    /// Waits until every message that is stored is in the index.
    fileprivate func untilIndexed() throws {
        while true {
            let left = try TestSupport.shell(
                "sqlite3", path,
                "SELECT (SELECT ifnull(max(arrival), 0) FROM message) - mark FROM search_state")
            if (Int(left.split(separator: "\n")[0]) ?? 1) <= 0 { return }
        }
    }

    /// What is wrong with the index, and how many grams it has.
    fileprivate func index() throws -> (check: String, grams: Int) {
        let check = try TestSupport.shell(
            "sqlite3", path, "PRAGMA integrity_check; INSERT INTO search (search) VALUES ('integrity-check');"
        )
        let grams = try TestSupport.shell(
            "sqlite3", path,
            "CREATE VIRTUAL TABLE temp.grams USING fts5vocab(main, 'search', 'row'); SELECT count(*) FROM temp.grams"
        )
        return (check, Int(grams.split(separator: "\n")[0]) ?? -1)
    }
}

@Suite struct `A search through messages` {
    @Test func `finds what is not indexed yet, and the same when it is, the last stored first (B104, B107)`()
        throws
    {
        let bench = try Bench()
        try bench.session("s")
        try bench.append("s", ["The Quarterly Report", "数据库的用法", "a_b", "quarterly 100%"])
        for _ in 0..<2 {
            #expect(try bench.search("quarterly") == ["s/4", "s/1"])
            #expect(try bench.search("quarterly report") == ["s/1"])
            #expect(try bench.search("数") == ["s/2"])
            #expect(try bench.search("据库") == ["s/2"])
            #expect(try bench.search("%") == ["s/4"])
            #expect(try bench.search("a") == ["s/4", "s/3", "s/1"])
            #expect(try bench.search("quarterly -report") == ["s/4"])
            #expect(try bench.search("_ OR 数") == ["s/3", "s/2"])
            #expect(try bench.search("-quarterly") == ["s/3", "s/2"])
            #expect(try bench.search("nothing") == [])
            try bench.untilIndexed()
        }
        #expect(try bench.index().check == "ok\n")
    }

    @Test func `goes on behind a page while others write`() throws {
        let bench = try Bench()
        try bench.session("s")
        try bench.append("s", (1...30).map { "word \($0)" })
        try bench.untilIndexed()
        var look = SearchMessages(try SearchQuery("word"), MessageFilter(owner: 0), limit: 7)
        var seqs: [Int] = []
        while true {
            let output = try bench.read(look)
            seqs += output.hits.map(\.seq)
            try bench.append("s", ["word that came in between"])
            guard let next = output.next else { break }
            look.place = next
        }
        #expect(seqs == (1...30).reversed().map { $0 })
    }

    @Test func `keeps to what was asked for`() throws {
        let bench = try Bench()
        for name in ["a", "b", "c"] {
            try bench.session(name)
            try bench.append(name, ["word of \(name)"])
        }
        try bench.session("d", owner: 7)
        _ = try bench.write(
            AppendMessages(sessionID("d"), owner: 7, [bench.message("word of d")], ifMissing: nil))
        _ = try bench.write(
            AppendMessages(
                sessionID("a"), owner: 0, [bench.message("word again", .assistant)], ifMissing: nil))
        _ = try bench.write(TrashSession(sessionID("b"), owner: 0))
        try bench.shell("UPDATE session SET archived = 1, tags = '[\"x\"]' WHERE name = 'c'")
        for _ in 0..<2 {
            #expect(try bench.search("word") == ["a/2", "a/1"])
            #expect(try bench.search("word") { $0.isTrashed = true } == ["b/1"])
            #expect(try bench.search("word") { $0.isArchived = true } == ["c/1"])
            #expect(
                try bench.search("word") {
                    $0.isArchived = true; $0.tag = "x"
                } == ["c/1"])
            #expect(
                try bench.search("word") {
                    $0.isArchived = true; $0.tag = "y"
                } == [])
            #expect(try bench.search("word") { $0.role = .assistant } == ["a/2"])
            #expect(try bench.search("word") { $0.owner = 7 } == ["d/1"])
            #expect(try bench.search("word") { $0.to = 1_000 } == [])
            #expect(try bench.search("word") { $0.from = 1_000 } == ["a/2", "a/1"])
            let session = try bench.record("b")
            #expect(
                try bench.search("word") {
                    $0.owner = nil; $0.session = session
                } == ["b/1"])
            try bench.untilIndexed()
        }
    }

    @Test func `looks at long messages that are not indexed, and forgets them with the others`() throws {
        let bench = try Bench()
        try bench.session("s")
        try bench.append("s", ["needle", String(repeating: "hay ", count: 80_000) + "needle", "hay"])
        for _ in 0..<2 {
            #expect(try bench.search("needle") == ["s/2", "s/1"])
            #expect(try bench.search("hay") == ["s/3", "s/2"])
            try bench.untilIndexed()
        }
        #expect(try shell("sqlite3", bench.path, "SELECT count(*) FROM search_whole") == "1\n")
    }

    @Test func `is told by a fork what its source does not show any more`() throws {
        let bench = try Bench()
        try bench.session("s")
        try bench.append("s", ["shared word", "own word"])
        let first = try bench.read(ReadMessages(bench.record("s"), .from(1), limit: 9, bytes: 1 << 20))
            .messages[0].id
        _ = try bench.write(
            ForkSession(
                bench.record("s").row, at: first,
                as: Session(id: sessionID("f"), owner: 0, cwd: "/tmp", createdAt: 1_000)))
        #expect(try bench.search("word") == ["s/2", "s/1"])
        _ = try bench.write(TrashSession(sessionID("s"), owner: 0))
        #expect(try bench.search("word") == ["f/1"])
        let fork = try bench.record("f")
        #expect(try bench.search("word") { $0.session = fork } == ["f/1"])
    }

    @Test func `finds other branches only when asked, and nothing of one that was deleted (B094, N022)`()
        throws
    {
        let bench = try Bench()
        try bench.session("s")
        try bench.append("s", ["one", "old word"])
        let second = try bench.read(ReadMessages(bench.record("s"), .from(1), limit: 9, bytes: 1 << 20))
            .messages[1].id
        let record = try bench.record("s")
        _ = try bench.write(EditMessage(record.row, second, bench.message("new word")))
        try bench.untilIndexed()
        #expect(try bench.search("word") == ["s/2"])
        #expect(try bench.search("old") == [])
        #expect(try bench.search("old") { $0.includesAllBranches = true } == ["s/2"])
        let now = try bench.record("s")
        #expect(
            try bench.search("word") {
                $0.includesAllBranches = true; $0.session = now
            } == ["s/2", "s/2"])
        let before = try bench.index().grams
        _ = try bench.write(SwitchBranch(now.row, to: BranchRow(1)))
        guard case .deleted = try bench.write(DeleteBranch(now.row, BranchRow(2))) else {
            Issue.record("the branch was not deleted")
            return
        }
        #expect(try bench.search("word") { $0.includesAllBranches = true } == ["s/2"])
        #expect(try bench.index().grams < before)
        #expect(try bench.index().check == "ok\n")
    }
}
