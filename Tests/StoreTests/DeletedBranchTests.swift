internal import Archive
internal import Conversation
internal import Posix
internal import Store
internal import TestSupport
internal import Testing

@Suite struct `A deleted branch` {
    /// A session whose active branch 1 has two messages; branch 2 leaves it behind the first and has `count` of its own, and
    /// with `nested` branch 3 leaves that one.
    private func fill(_ directory: TemporaryDirectory, _ count: Int, nested: Bool = false) throws {
        do {
            let bench = try Bench(directory)
            try bench.session("s")
            try bench.append("s", ["one", "two"])
        }
        try shell(
            "sqlite3", directory.file("c.db"),
            """
            INSERT INTO branch (id, session, parent, fork_seq, created_at) VALUES (2, 1, 1, 1, 1000);
            WITH RECURSIVE n(x) AS (SELECT 2 UNION ALL SELECT x + 1 FROM n WHERE x <= \(count))
            INSERT INTO message (key, id, role, status, created_at, tokens, total, content)
            SELECT (2 << 32) + x, randomblob(16), 1, 0, 1000, 5, 5 * x, '[{"type":"text","text":"beside"}]' FROM n;
            """)
        guard nested else { return }
        try shell(
            "sqlite3", directory.file("c.db"),
            "INSERT INTO branch (id, session, parent, fork_seq, created_at) VALUES (3, 1, 2, 2, 1000)")
    }

    private func left(_ bench: Bench) throws -> String {
        try shell(
            "sqlite3", bench.path,
            "SELECT (SELECT count(*) FROM message), (SELECT count(*) FROM branch), (SELECT count(*) FROM branch WHERE deleted_at IS NOT NULL)"
        )
    }

    /// Waits until all that is to go has gone.
    private func settle(_ bench: Bench) throws {
        let deadline = Machine.monotonic() + 60_000_000_000
        while true {
            let left = try left(bench)
            if left == "2|1|0\n" { return }
            try #require(Machine.monotonic() < deadline, "\(left)")
            try bench.append("s", [])
        }
    }

    @Test func `of any length is out of sight at once, and then gone while others write`() throws {
        let directory = try TemporaryDirectory()
        try fill(directory, 100_000)
        let bench = try Bench(directory)
        let session = try bench.record("s")
        let branches = BranchList(session.row, after: BranchRow(0), limit: 10)
        let known = try bench.read(branches), inside = try #require(known.last?.headID)
        #expect(try bench.write(DeleteBranch(session.row, BranchRow(2))) == .deleted(100_000))
        #expect(try bench.read(branches).map(\.id) == [BranchRow(1)])
        #expect(try bench.write(DeleteBranch(session.row, BranchRow(2))) == .missing)
        #expect(try bench.write(SwitchBranch(session.row, to: BranchRow(2))) == nil)
        #expect(try bench.write(ForkSession(session.row, at: inside, as: Bench.empty("fork"))) == .notHere)
        if case .missing(BranchRow(2)) = try bench.read(
            BranchPair(session, BranchRow(1), BranchRow(2), limit: 1, bytes: 1))
        {
        } else {
            Issue.record("it can be compared")
        }
        try settle(bench)
        #expect(try bench.texts("s") == ["one", "two"])
    }

    @Test func `goes on going after a restart, the one that begins in it first`() throws {
        let directory = try TemporaryDirectory()
        try fill(directory, 3_000, nested: true)
        try shell("sqlite3", directory.file("c.db"), "UPDATE branch SET deleted_at = 1000 WHERE id > 1")
        try settle(try Bench(directory))
    }

    @Test func `stays as long as another begins in it`() throws {
        let directory = try TemporaryDirectory()
        try fill(directory, 10, nested: true)
        let bench = try Bench(directory), row = try bench.record("s").row
        #expect(try bench.write(DeleteBranch(row, BranchRow(2))) == .needed(1))
        #expect(try bench.write(DeleteBranch(row, BranchRow(3))) == .deleted(0))
        #expect(try bench.write(DeleteBranch(row, BranchRow(2))) == .deleted(10))
        #expect(try left(bench) == "2|1|0\n")
    }

    @Test func `leaves its number to no other, of whichever session`() throws {
        let directory = try TemporaryDirectory()
        try fill(directory, 1)
        let bench = try Bench(directory), session = try bench.record("s")
        #expect(try bench.write(DeleteBranch(session.row, BranchRow(2))) == .deleted(1))
        #expect(try bench.session("other").branch == BranchRow(3))
        let page = try bench.read(ReadMessages(session, .from(1), limit: 1, bytes: 1))
        var edited = bench.message("edited")
        edited.id = MessageID(high: 9, low: 9)
        let edit = EditMessage(session.row, try #require(page.messages.first?.id), edited)
        #expect(try bench.write(edit)?.record.branch == BranchRow(4))
    }
}
