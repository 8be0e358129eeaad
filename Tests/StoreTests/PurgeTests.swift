internal import Archive
internal import Conversation
internal import EventLoop
internal import Posix
internal import Search
internal import Store
internal import TestSupport
internal import Testing

extension Bench {
    /// Purges sessions and waits until they are gone from every file.
    @discardableResult
    fileprivate func purge(_ names: String...) throws -> [SessionRow: PurgeSum] { try purge(names) }

    @discardableResult
    fileprivate func purge(_ names: [String]) throws -> [SessionRow: PurgeSum] {
        let rows = try names.map { try record($0).row }
        var sums: [SessionRow: PurgeSum] = [:]
        store.purged = { sums.merge($0) { $0 + $1 } }
        for row in rows { #expect(try write(PurgeSession(row))) }
        while !rows.allSatisfy({ sums[$0] != nil }) { try loop.turn(waiting: true) }
        return sums
    }

    /// The files that hold a word.
    fileprivate func files(with word: String) throws -> String {
        try TestSupport.shell("sh", "-c", "grep -la -e '\(word)' \(path) \(path)-wal \(path)-shm; true")
    }

    fileprivate func count(_ table: String) throws -> String {
        try TestSupport.shell("sqlite3", path, "SELECT count(*) FROM \(table)")
    }
}

@Suite struct `A session that is purged` {
    @Test func `leaves nothing in any file, and the others whole (B094, B182, N019)`() throws {
        let bench = try Bench()
        try bench.session("other")
        try bench.append("other", (0..<200).map { "kept words \($0)" })
        try bench.session("s")
        for round in 0..<20 {
            try bench.append(
                "s",
                (0..<40).map {
                    "the plantedsecret of \(round) \($0) " + String(repeating: "x", count: $0 * 40)
                })
            try bench.append("other", ["between \(round)"])
        }
        var change = SessionChange()
        change.title = .set("plantedtitle")
        change.system = .set("plantedsystem")
        _ = try bench.write(UpdateSession(sessionID("s"), owner: 0, change))
        let whole = try TestSupport.shell(
            "sqlite3", bench.path, "SELECT ifnull(max(arrival), 0) FROM message")
        try Patience.until(whole) {
            try TestSupport.shell("sqlite3", bench.path, "SELECT mark FROM search_state")
        }
        #expect(try !bench.files(with: "plantedsecret").isEmpty)
        let sum = try bench.purge("s").values.first
        #expect(sum?.messages == 800 && sum?.shared == 0 && sum?.sessions == 1)
        for word in ["plantedsecret", "plantedtitle", "plantedsystem", "plante", "ntedse"] {
            #expect(try bench.files(with: word) == "")
        }
        #expect(try bench.texts("other").count == 220)
        #expect(try bench.count("session") == "1\n")
        #expect(try bench.count("branch") == "1\n")
        #expect(
            try TestSupport.shell(
                "sqlite3", bench.path,
                "PRAGMA integrity_check; PRAGMA foreign_key_check; PRAGMA freelist_count; INSERT INTO search (search) VALUES ('integrity-check')"
            ) == "ok\n0\n")
        let look = SearchMessages(try SearchQuery("plantedsecret"), MessageFilter(owner: 0), limit: 10)
        #expect(try bench.read(look).hits.isEmpty)
        #expect(try bench.read(SessionByName(sessionID("s"), owner: 0)) == nil)
        // Its name is free, and its number is not taken again.
        let old = try bench.record("other").row
        #expect(try bench.session("s").row.number > old.number + 1)
    }

    @Test func `leaves what a fork shares with the fork, and takes it when that goes too`() throws {
        let bench = try Bench()
        try bench.session("s")
        try bench.append("s", ["shared 1", "shared 2", "own 3"])
        let second = try bench.read(ReadMessages(bench.record("s"), .from(1), limit: 9, bytes: 1 << 20))
            .messages[1].id
        _ = try bench.write(
            ForkSession(
                bench.record("s").row, at: second,
                as: Session(id: sessionID("f"), owner: 0, cwd: "/tmp", createdAt: 1_000)))
        try bench.append("f", ["fork 3"])
        let first = try bench.purge("s").values.first
        #expect(first?.messages == 1 && first?.shared == 2)
        #expect(try bench.texts("f") == ["shared 1", "shared 2", "fork 3"])
        #expect(try bench.files(with: "own 3") == "")
        let look = SearchMessages(try SearchQuery("shared"), MessageFilter(owner: 0), limit: 10)
        #expect(try bench.read(look).hits.map(\.session.text) == ["f", "f"])
        let last = try bench.purge("f").values.first
        #expect(last?.messages == 3 && last?.shared == 0)
        #expect(try bench.count("message") == "0\n" && bench.count("branch") == "0\n")
        #expect(try bench.files(with: "shared 1") == "")
    }

    /// Numbers that somebody wrote by hand: the last place of a branch, the first that is none, the last number there is.
    @Test(arguments: ["4294967295", "4294967296", "9223372036854775807"])
    func `goes, and leaves what a fork shares, though the fork begins at no place that can be`(place: String)
        throws
    {
        let bench = try Bench()
        try bench.session("s")
        try bench.append("s", ["shared 1", "shared 2"])
        let last = try bench.read(ReadMessages(bench.record("s"), .from(1), limit: 9, bytes: 1 << 20))
            .messages[1].id
        _ = try bench.write(
            ForkSession(
                bench.record("s").row, at: last,
                as: Session(id: sessionID("f"), owner: 0, cwd: "/tmp", createdAt: 1_000)))
        try bench.shell("UPDATE branch SET fork_seq = \(place) WHERE parent IS NOT NULL")
        let counted = try bench.read(CountPurge([bench.record("s").row]))
        #expect(counted.messages == 0)
        let sum = try bench.purge("s").values.first
        #expect(sum?.messages == 0 && sum?.shared == 2)
        #expect(try bench.read(CountPurge([bench.record("f").row])).messages == 2)
        #expect(try bench.purge("f").values.first?.messages == 2)
        #expect(try bench.count("message") == "0\n" && bench.count("branch") == "0\n")
    }

    @Test func `is gone while others write without a pause`() throws {
        let bench = try Bench()
        try bench.session("other")
        try bench.session("s")
        try bench.append("s", (0..<200).map { "plantedsecret \($0)" })
        var isGone = false, count = 0
        bench.store.purged = { _ in isGone = true }
        #expect(try bench.write(PurgeSession(bench.record("s").row)))
        let end = Machine.monotonic() + UInt64(TestClient.patience) * 3_000_000
        while !isGone, Machine.monotonic() < end {
            try bench.append("other", ["word \(count)"])
            count += 1
        }
        #expect(isGone, "after \(count) changes")
        #expect(try bench.files(with: "plantedsecret") == "")
    }

    @Test func `goes though the index is damaged, which is made anew (B094)`() throws {
        let bench = try Bench()
        try bench.session("s")
        try bench.session("other")
        try bench.append("other", ["kept word"])
        try bench.append("s", (0..<50).map { "plantedsecret \($0)" })
        try Patience.until("51\n") {
            try TestSupport.shell("sqlite3", bench.path, "SELECT mark FROM search_state")
        }
        try bench.shell("UPDATE search_data SET block = zeroblob(length(block)) WHERE id > 10")
        try bench.purge("s")
        #expect(try bench.files(with: "plantedsecret") == "")
        try Patience.until("1\n") {
            try TestSupport.shell("sqlite3", bench.path, "SELECT mark FROM search_state")
        }
        let look = SearchMessages(try SearchQuery("kept"), MessageFilter(owner: 0), limit: 10)
        #expect(try bench.read(look).hits.count == 1)
    }

    @Test func `is no damage to who searches or checks the store meanwhile`() throws {
        let bench = try Bench()
        var problems: [String] = [], looks = 0
        let search = SearchMessages(try SearchQuery("plantedsecret"), MessageFilter(owner: 0), limit: 10)
        for round in 0..<6 {
            try bench.session("s\(round)")
            for part in 0..<5 {
                try bench.append("s\(round)", (0..<100).map { "the plantedsecret \(part) \($0)" })
            }
            var isGone = false
            bench.store.purged = { _ in isGone = true }
            #expect(try bench.write(PurgeSession(bench.record("s\(round)").row)))
            while !isGone {
                looks += 1
                do {
                    #expect(try bench.read(search).hits.isEmpty)
                    var next: CheckStore? = CheckStore(isQuick: false, limit: 100)
                    while let look = next {
                        let output = try bench.read(look)
                        problems += output.found.map { "\($0)" }
                        next = output.next
                    }
                } catch { problems.append("\(error)") }
                try bench.loop.turn(waiting: false)
            }
        }
        #expect(problems.isEmpty, "\(problems.prefix(3)) of \(problems.count) in \(looks) looks")
    }

    /// A trigger of somebody else's makes each step fail until it is taken away.
    @Test func `and cannot go yet is said once to who waits, and goes when it can, counted once`() throws {
        let bench = try Bench()
        try bench.session("s")
        try bench.append("s", (0..<3).map { "the plantedsecret of \($0)" })
        try bench.shell("CREATE TRIGGER stop BEFORE DELETE ON session BEGIN SELECT RAISE(ABORT, 'held'); END")
        var held: [String] = [], sums: [SessionRow: PurgeSum]?
        bench.store.heldUp = { held.append($0.error.description) }
        bench.store.purged = { sums = $0 }
        #expect(try bench.write(PurgeSession(bench.record("s").row)))
        while held.isEmpty { try bench.loop.turn(waiting: true) }
        #expect(held == ["purge a session: held"])
        #expect(sums == nil)
        // Who comes later is told as well.
        try bench.session("t")
        #expect(try bench.write(PurgeSession(bench.record("t").row)))
        while held.count < 2 { try bench.loop.turn(waiting: true) }
        try bench.shell("DROP TRIGGER stop")
        while sums == nil { try bench.loop.turn(waiting: true) }
        #expect(sums?.values.map(\.messages).sorted() == [0, 3])
        #expect(held.count == 2)
        #expect(try bench.files(with: "plantedsecret") == "")
    }

    @Test func `is not one that has changed since it was chosen, or on which a turn is open (B067, B181)`()
        throws
    {
        let bench = try Bench()
        try bench.session("s")
        let chosen = try bench.record("s")
        try bench.append("s", ["new words"])
        #expect(try !bench.write(PurgeSession(chosen.row, unchangedSince: chosen.session.activity)))
        try bench.shell(
            "INSERT INTO turn (uuid, session, state, answer_id, created_at) VALUES (randomblob(16), 1, 1, randomblob(16), 0)"
        )
        #expect(try !bench.write(PurgeSession(chosen.row)))
        #expect(try bench.texts("s") == ["new words"])
    }

    @Test func `is gone from sight at once, and goes on where a process that was killed left it`() throws {
        let directory = try TemporaryDirectory()
        do {
            let bench = try Bench(directory)
            try bench.session("s")
            for round in 0..<50 { try bench.append("s", (0..<100).map { "plantedsecret \(round) \($0)" }) }
            #expect(try bench.write(PurgeSession(bench.record("s").row)))
            #expect(try bench.read(SessionByName(sessionID("s"), owner: 0)) == nil)
            #expect(try bench.read(FindSessions(owner: .all, limit: 9)).sessions.isEmpty)
        }
        let bench = try Bench(directory)
        var isDone = false
        bench.store.purged = { _ in isDone = true }
        if try TestSupport.shell("sqlite3", bench.path, "SELECT phase FROM purge_state") != "0\n" {
            while !isDone { try bench.loop.turn(waiting: true) }
        }
        #expect(try bench.files(with: "plantedsecret") == "")
        #expect(try bench.count("message") == "0\n")
    }
}

@Suite struct `Pages that were written anew` {
    /// SQLite moves rows between pages and leaves copies of them in what is free of a page, and in the last page of what is
    /// longer than one (`rebuildPage` and `fillInCell` of its btree.c): `secure_delete` wipes neither.
    @Test func `hold nothing of what was purged out of them before (B094, B182)`() throws {
        var random = SeededRandom()
        for round in 0..<4 {
            let bench = try Bench()
            var there: [Int] = [], next = 0
            for _ in 0..<8 {
                for _ in 0..<random.int(1...12) {
                    try bench.session("s\(next)")
                    there.append(next)
                    next += 1
                }
                for session in there where random.oneIn(2) {
                    let texts = (0..<random.int(1...3)).map { _ in
                        "planted\(session)x"
                            + String(repeating: "y", count: random.pick([0, 10, 100, 1_000, 5_000]))
                    }
                    try bench.append("s\(session)", texts)
                }
                let gone = there.filter { _ in random.oneIn(3) }
                there.removeAll(where: gone.contains)
                if gone.isEmpty { continue }
                try bench.purge(gone.map { "s\($0)" })
                for end in ["", "-wal"] {
                    let words = try TestSupport.shell(
                        "sh", "-c", "grep -aoE 'planted[0-9]+x' \(bench.path)\(end) | sort -u")
                    let found = words.split(separator: "\n").compactMap { Int($0.dropFirst(7).dropLast()) }
                    let stale = Set(found).subtracting(there).sorted()
                    #expect(stale.isEmpty, "round \(round), c.db\(end), \(random)")
                    if !stale.isEmpty { return }
                }
            }
            #expect(
                try TestSupport.shell(
                    "sqlite3", bench.path, "PRAGMA integrity_check; PRAGMA foreign_key_check")
                    == "ok\n")
        }
    }
}

@Suite struct `Sessions that are purged together` {
    /// Forks of forks at random, and sets of them at random: what is counted before is what then goes.
    @Test func `take with them what was counted before, and nothing that others share (B181)`() throws {
        var random = SeededRandom("purge")
        for round in 0..<12 {
            let bench = try Bench()
            var names = ["s0"]
            try bench.session("s0")
            try bench.append("s0", (0..<5).map { "s0 \($0) \(String(repeating: "a", count: $0))" })
            for number in 1..<10 {
                let source = random.pick(names), name = "s\(number)"
                let page = try bench.read(
                    ReadMessages(bench.record(source), .from(1), limit: 99, bytes: 1 << 20)
                ).messages
                let new = Session(id: sessionID(name), owner: 0, cwd: "/tmp", createdAt: 1_000)
                if page.isEmpty || random.oneIn(4) {
                    try bench.session(name)
                } else {
                    _ = try bench.write(
                        ForkSession(bench.record(source).row, at: random.pick(page).id, as: new))
                }
                try bench.append(name, (0..<random.int(0...4)).map { "\(name) é \($0)" })
                names.append(name)
            }
            var before: [String: [String]] = [:]
            for name in names { before[name] = try bench.texts(name) }
            let gone = names.filter { _ in random.oneIn(2) }
            let kept = names.filter { !gone.contains($0) }
            let counted = try bench.read(CountPurge(try gone.map { try bench.record($0).row }))
            var sums: [SessionRow: PurgeSum] = [:]
            if !gone.isEmpty {
                let rows = try gone.map { try bench.record($0).row }
                bench.store.purged = { sums.merge($0) { $0 + $1 } }
                for row in rows { #expect(try bench.write(PurgeSession(row))) }
                while !rows.allSatisfy({ sums[$0] != nil }) { try bench.loop.turn(waiting: true) }
            }
            let sum = sums.values.reduce(PurgeSum(), +)
            #expect(
                (sum.sessions, sum.messages, sum.bytes) == (
                    counted.sessions, counted.messages, counted.bytes
                ),
                "round \(round), CONVOD_SEED=\(SeededRandom.runSeed)")
            for name in kept {
                #expect(
                    try bench.texts(name) == before[name],
                    "round \(round), CONVOD_SEED=\(SeededRandom.runSeed)")
            }
            let left = kept.reduce(into: Set<String>()) { $0.formUnion(before[$1] ?? []) }
            #expect(
                try TestSupport.shell(
                    "sqlite3", bench.path, "SELECT count(*) FROM message; PRAGMA foreign_key_check")
                    == "\(left.count)\n", "round \(round), CONVOD_SEED=\(SeededRandom.runSeed)")
        }
    }
}
