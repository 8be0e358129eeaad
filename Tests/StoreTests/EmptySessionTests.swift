internal import Archive
internal import Conversation
internal import Store
internal import TestSupport
internal import Testing

@Suite struct `Sessions in which nothing was said` {
    /// A store with so many of them, s0 the oldest, of which every hundredth has a message.
    private func bench(_ count: Int) throws -> Bench {
        let directory = try TemporaryDirectory()
        try Bench(directory).session("first")
        try shell(
            "sqlite3", directory.file("c.db"),
            """
            WITH RECURSIVE n(x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM n WHERE x < \(count - 1))
            INSERT INTO session (id, owner, name, cwd, branch, head, created_at, updated_at, activity)
            SELECT x + 10, 0, 's' || x, '/tmp', x + 10, x % 100 = 0, 1000, 1000, x + 10 FROM n;
            INSERT INTO branch (id, session, created_at) SELECT id, id, 1000 FROM session WHERE id >= 10;
            """)
        return try Bench(directory)
    }

    /// All that a search finds, page by page and slice by slice, and how many slices that took.
    private func all(_ bench: Bench, _ limit: Int, _ slice: Int, empty: Bool = false) throws -> (
        names: [String], slices: Int
    ) {
        var search = FindSessions(owner: .user(0), limit: limit), names: [String] = [], slices = 0
        search.slice = slice
        search.includesEmpty = empty
        while true {
            let output = try bench.read(search)
            slices += 1
            names += output.sessions.map(\.session.id.text)
            guard let next = output.next else { return (names, slices) }
            search.after = next
        }
    }

    @Test func `one after the other cost a search once`() throws {
        let bench = try Bench()
        try bench.session("old")
        try bench.append("old", ["x"])
        for number in 0..<600 { bench.store.write(CreateSession(Bench.empty("e\(number)"))) { _ in } }
        try bench.session("new")
        try bench.append("new", ["x"])
        #expect(try all(bench, 10, 200) == (["new", "old"], 4))
        #expect(try all(bench, 10, 200) == (["new", "old"], 1))
        try bench.append("e300", ["found again"])
        #expect(try all(bench, 10, 200) == (["e300", "new", "old"], 1))
        #expect(try all(bench, 1_000, 1_000, empty: true).names.count == 602)
    }

    @Test func `hide no other, whatever happens between searches`() throws {
        var random = SeededRandom()
        let bench = try bench(3_000)
        for step in 0..<300 {
            switch random.int(0...9) {
            case 0:
                for extra in 0..<random.int(1...150) {
                    bench.store.write(CreateSession(Bench.empty("n\(step)-\(extra)"))) { _ in }
                }
            case 1: try bench.append("s\(random.int(0...2_999))", ["said"])
            case 2: _ = try bench.write(TrashSession(sessionID("s\(random.int(0...2_999))"), owner: 0))
            case 3: _ = try bench.write(RestoreSession(sessionID("s\(random.int(0...2_999))"), owner: 0))
            default:
                let known = try FindSessions.everything(bench)
                let found = try all(bench, random.int(1...60), random.int(20...900)).names
                #expect(found == known, "\(random)")
            }
        }
    }
}

extension Bench {
    /// An empty session that is not stored yet.
    static func empty(_ name: String) -> Session {
        Session(id: sessionID(name), owner: 0, cwd: "/tmp", createdAt: 1_000)
    }
}

extension FindSessions {
    /// The names of all that have something said in them, found without leaps.
    fileprivate static func everything(_ bench: Bench) throws -> [String] {
        var search = FindSessions(owner: .user(0), limit: 1_000_000)
        search.slice = 1_000_000
        search.bytes = 1 << 40
        search.includesEmpty = true
        return try bench.read(search).sessions.filter { $0.session.messageCount > 0 }.map(
            \.session.id.text)
    }
}
