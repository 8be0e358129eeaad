internal import Archive
internal import Posix
@testable internal import Store
internal import TestSupport
internal import Testing

/// A file with rows in tables and indexes of each kind, changed at random without a care for what is left behind.
private struct Litter {
    let directory: TemporaryDirectory
    let database: Database
    private var random: SeededRandom
    private var keys: [Int] = []
    private var next = 0

    var path: String { directory.file("l.db") }

    init(page: Int, _ random: SeededRandom) throws {
        directory = try TemporaryDirectory()
        self.random = random
        database = try Database(path: directory.file("l.db"), .writing)
        try database.execute(
            """
            PRAGMA page_size = \(page); PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
            PRAGMA secure_delete = OFF; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = 20;
            CREATE TABLE rows (key INTEGER PRIMARY KEY, word TEXT, long BLOB);
            CREATE INDEX rows_word ON rows (word, key);
            CREATE TABLE pairs (word TEXT PRIMARY KEY, long TEXT) WITHOUT ROWID;
            CREATE VIRTUAL TABLE found USING fts5 (word, content='', detail=none);
            """, doing: "make")
    }

    /// A word that no other row has, and no part of another's.
    private func word(_ key: Int) -> String { "planted\(key)x" }

    mutating func change(_ most: Int = 120) throws {
        try database.execute("BEGIN", doing: "begin")
        for _ in 0..<random.int(1...most) {
            let key = random.int(0...40) * 1_000_000 + next
            next += 1
            let size =
                random.oneIn(60) ? random.int(0...80_000) : random.pick([0, 10, 100, 700, 3_000, 9_000])
            let word = word(key)
            let text = word + String(repeating: random.oneIn(9) ? word : "y", count: size)
            // Cut text would make a word with what is beside it.
            let long = text.prefix(max(word.count, size)) + "."
            try database.execute(
                """
                INSERT INTO rows VALUES (\(key), '\(word)', '\(long)'); INSERT INTO pairs VALUES ('\(word)', '\(long)');
                INSERT INTO found (rowid, word) VALUES (\(key), '\(word)');
                """, doing: "insert")
            keys.append(key)
        }
        for key in keys where random.oneIn(4) { try remove(key) }
        keys = try keys.filter(exists)
        if random.oneIn(2) {
            try database.execute("PRAGMA incremental_vacuum(\(random.int(1...20)))", doing: "shrink")
        }
        try database.execute("COMMIT", doing: "end")
    }

    func checkpoint() throws { try database.execute("PRAGMA wal_checkpoint(TRUNCATE)", doing: "checkpoint") }

    /// Until it is merged the index holds what it will leave out.
    func merge() throws {
        try database.execute("INSERT INTO found (found) VALUES ('optimize')", doing: "merge")
        try checkpoint()
    }

    private func exists(_ key: Int) throws -> Bool {
        try database.first("SELECT 1 FROM rows WHERE key = ?", [Bound(key)], doing: "look") { $0.int(0) }
            != nil
    }

    private func remove(_ key: Int) throws {
        let word = word(key)
        try database.execute(
            """
            DELETE FROM rows WHERE key = \(key); DELETE FROM pairs WHERE word = '\(word)';
            INSERT INTO found (found, rowid, word) VALUES ('delete', \(key), '\(word)');
            """, doing: "delete")
    }

    /// Words in the file that no row has any more.
    func stale() throws -> [String] {
        let words = try TestSupport.shell("sh", "-c", "grep -aoE 'planted[0-9]+x' \(path) | sort -u")
        let there = Set(keys.map(word))
        return words.split(separator: "\n").map(String.init).filter { !there.contains($0) }
    }

    func dump() throws -> String {
        try TestSupport.shell(
            "sqlite3", path,
            "PRAGMA integrity_check; SELECT * FROM rows; SELECT * FROM pairs; SELECT id, hex(block) FROM found_data; INSERT INTO found (found) VALUES ('integrity-check')"
        )
    }
}

@Suite struct `What is free in a file's pages` {
    @Test(arguments: [512, 1_024, 4_096, 65_536])
    func `is wiped, and nothing else is (B094, B182)`(page: Int) throws {
        let random = SeededRandom()
        var litter = try Litter(page: page, random), found = 0
        for round in 0..<12 {
            try litter.change()
            try litter.merge()
            found += try litter.stale().count
            let before = try litter.dump()
            #expect(before.hasPrefix("ok\n"))
            let cleaning = PageCleaning()
            // A deadline that has passed leaves one piece to each step.
            while try !cleaning.step(in: litter.database, until: 0) {}
            litter.database.forgetPages()
            #expect(try litter.stale() == [], "round \(round), \(random)")
            #expect(try litter.dump() == before, "round \(round), \(random)")
        }
        #expect(found > 0, "nothing was left to wipe, \(random)")
    }

    /// Rows move on meanwhile, and the pages that are kept in memory are as they were before they were wiped.
    @Test func `is wiped of what was gone at its beginning, whatever is written between its steps`() throws {
        let random = SeededRandom()
        var litter = try Litter(page: 512, random), steps = 0
        for round in 0..<8 {
            for _ in 0..<3 { try litter.change() }
            try litter.merge()
            let gone = try litter.stale()
            let cleaning = PageCleaning()
            while try !cleaning.step(in: litter.database, until: 0) {
                litter.database.forgetPages()
                steps += 1
                if steps % 3 == 0 { continue }
                try litter.change(12)
                try cleaning.willMove(litter.database.log)
                try litter.checkpoint()
            }
            let left = try Set(litter.stale()).intersection(gone)
            #expect(left.isEmpty, "round \(round), \(random)")
            #expect(try litter.dump().hasPrefix("ok\n"))
        }
        #expect(steps > 50)
    }

    /// What is known of a file that somebody damaged is not enough to write into it.
    @Test func `is left where a page is not what it says`() throws {
        var random = SeededRandom()
        var litter = try Litter(page: 1_024, random)
        for _ in 0..<6 { try litter.change() }
        try litter.merge()
        let file = try #require(litter.database.file), size = try file.size()
        for _ in 0..<400 {
            let at = random.int(100...(size - 9))
            try file.wipe(at..<(at + random.int(1...8)))
        }
        // Any step that does not trap will do: what it takes for free may be what was damaged.
        let cleaning = PageCleaning()
        while try !cleaning.step(in: litter.database, until: 0) {}
    }
}
