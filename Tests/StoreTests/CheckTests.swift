internal import Archive
internal import Conversation
internal import EventLoop
internal import Posix
internal import Search
internal import Store
internal import TestSupport
internal import Testing

extension Bench {
    fileprivate func check() throws -> [DamageFound] {
        var found: [DamageFound] = [], next: CheckStore? = CheckStore(isQuick: false, limit: 100)
        while let look = next {
            let output = try read(look)
            found += output.found
            next = output.next
        }
        return found
    }

    /// A store with two sessions, branches, a fork, turns' pieces and marks, all indexed.
    fileprivate func fill() throws {
        try session("s")
        try append("s", ["one", "two", "three", "four"])
        let page = try read(ReadMessages(record("s"), .from(1), limit: 9, bytes: 1 << 20)).messages
        _ = try write(MarkMessage(record("s").row, page[0].id, pinned: true))
        _ = try write(
            ForkSession(
                record("s").row, at: page[1].id,
                as: Session(id: sessionID("f"), owner: 0, cwd: "/tmp", createdAt: 1_000)))
        try append("f", ["fork three"])
        _ = try write(EditMessage(record("s").row, page[2].id, message("edited three")))
        try shell(
            """
            INSERT INTO turn (id, uuid, session, state, answer_id, created_at) VALUES (7, randomblob(16), 1, 2, randomblob(16), 0);
            UPDATE message SET turn = 7 WHERE key = (1 << 32) + 4;
            """)
        while try TestSupport.shell(
            "sqlite3", path, "SELECT (SELECT max(arrival) FROM message) - mark FROM search_state") != "0\n"
        {}
    }
}

@Suite struct `A look at the whole store` {
    @Test func `finds nothing where nothing is wrong`() throws {
        let bench = try Bench()
        try bench.fill()
        #expect(try bench.check() == [])
    }

    /// Each kind of damage, how it is made, and what is left of it when it was mended.
    @Test(arguments: [
        (Damage.activeBranch, "UPDATE session SET branch = 99 WHERE name = 's'"),
        (.activeBranch, "UPDATE session SET branch = 2 WHERE name = 's'"),
        (.settings, "UPDATE session SET settings = '{nope', tags = '[1,', metadata = 'x' WHERE name = 's'"),
        (
            .settings,
            "UPDATE session SET settings = '[]', tags = '{}', metadata = '5', mcp_servers = '{}' WHERE name = 's'"
        ),
        (.parent, "UPDATE branch SET fork_seq = 4000000000 WHERE id = 2"),
        (.parent, "UPDATE branch SET fork_seq = 9223372036854775807 WHERE id = 2"),
        (.parent, "UPDATE branch SET fork_seq = 2 WHERE id = 1"),
        (.index, "DROP TABLE search"),
        (.index, "UPDATE search_data SET block = zeroblob(length(block)) WHERE id > 10"),
        (.head, "UPDATE session SET head = 2 WHERE name = 's'"),
        (.head, "UPDATE session SET tokens = 5 WHERE name = 'f'"),
        (.parent, "UPDATE branch SET parent = 55 WHERE id = 2"),
        (.parent, "UPDATE branch SET parent = 3 WHERE id = 2"),
        (
            .strayMessage,
            "UPDATE message SET key = (77 << 32) + 1 WHERE key = (3 << 32) + 3; UPDATE session SET head = 2, tokens = 20 WHERE name = 's'"
        ),
        (.content, "UPDATE message SET content = 'no json' WHERE key = (1 << 32) + 4"),
        (.content, "UPDATE message SET content = '{}' WHERE key = (1 << 32) + 4"),
        (.messageRecord, "UPDATE message SET metadata = '{oops' WHERE key = (1 << 32) + 4"),
        (.messageRecord, "UPDATE message SET binding = '[' WHERE key = (1 << 32) + 4"),
        (.turnRecord, "UPDATE turn SET receipt = '{oops' WHERE id = 7"),
        (.turnRecord, "UPDATE turn SET options = '', usage = '5x', error = '[', prompt = '{' WHERE id = 7"),
        (.turnRecord, "UPDATE turn SET state = 0, prompt = '[oops' WHERE id = 7"),
        (.arrival, "UPDATE message SET arrival = NULL WHERE key = (1 << 32) + 4"),
        (.total, "UPDATE message SET total = 1 WHERE key = (1 << 32) + 4"),
        (.messageTurn, "UPDATE message SET turn = 55 WHERE key = (1 << 32) + 4"),
        (
            .strayTurn,
            "INSERT INTO turn (uuid, session, state, answer_id, created_at) VALUES (randomblob(16), 99, 2, randomblob(16), 0)"
        ),
        (.piece, "INSERT INTO piece VALUES (7, 0, 0, x'61')"),
        (.strayBranch, "INSERT INTO branch (id, session, created_at) VALUES (50, 99, 0)"),
        (
            .strayBranch,
            "UPDATE branch SET session = 99 WHERE id = 2; INSERT INTO branch (id, session, created_at) VALUES (9, 2, 0); UPDATE session SET branch = 9, head = 0, tokens = 0 WHERE name = 'f'; UPDATE branch SET parent = 2, fork_seq = 3 WHERE id = 9; UPDATE session SET head = 3, tokens = (SELECT total FROM message WHERE key = (2 << 32) + 3) WHERE name = 'f'"
        ),
        (
            .strayBranch,
            "UPDATE branch SET session = 99 WHERE id = 1; UPDATE branch SET fork_seq = 9223372036854775807 WHERE parent = 1"
        ),
        (.piece, "INSERT INTO piece VALUES (99, 0, 0, x'61')"),
        (
            .attempt,
            "INSERT INTO attempt (turn, number, upstream, model, started_at, ended_at, outcome) VALUES (99, 1, 'u', 'm', 0, 0, 'ok')"
        ),
        (.anchor, "INSERT INTO anchor VALUES (99, 'u', 'm', '{}', 1)"),
        (
            .summary,
            "INSERT INTO summary (uuid, session, message, first_seq, made_at, created_at, requested) VALUES (randomblob(16), 1, (99 << 32) + 1, 1, 0, 0, 0)"
        ),
        (
            .summaryAttempt,
            "INSERT INTO summary_attempt (summary, number, upstream, model, started_at, ended_at, outcome) VALUES (99, 1, 'u', 'm', 0, 0, 'ok')"
        ),
        (.importedSession, "INSERT INTO import VALUES (99, 0, 'x')"),
        (.importedMessage, "INSERT INTO import_link VALUES ((99 << 32) + 1, randomblob(16))"),
        (.mark, "INSERT INTO mark VALUES (1, (99 << 32) + 1, 0)"),
        (.mark, "INSERT INTO mark VALUES (99, (1 << 32) + 1, 0)"),
        (.index, "INSERT INTO search (search) VALUES ('delete-all')"),
        (.index, "INSERT INTO search_whole VALUES (9999)"),
    ])
    func `finds each kind of damage, and mends it (B094, B095)`(kind: Damage, damage: String) throws {
        let bench = try Bench()
        try bench.fill()
        try bench.shell("PRAGMA foreign_keys = OFF; " + damage)
        let found = try bench.check()
        #expect(found.contains { $0.kind == kind }, "\(found)")
        #expect(kind.isRepairable)
        // What is mended may show what stood behind it.
        for _ in 0..<3 { _ = try bench.write(RepairStore(bench.check())) }
        let left = try bench.check()
        #expect(left == [], "\(left)")
        #expect(
            try TestSupport.shell("sqlite3", bench.path, "PRAGMA integrity_check; PRAGMA foreign_key_check")
                == "ok\n")
        #expect(try !bench.texts("s").isEmpty && !bench.texts("f").isEmpty)
    }

    @Test
    func `takes what an import brought for whole where it can be read, and ends a turn that can never ask`()
        throws
    {
        let bench = try Bench()
        try bench.fill()
        try bench.shell(
            "UPDATE message SET metadata = 'null' WHERE key = (1 << 32) + 4; UPDATE turn SET receipt = '[]' WHERE id = 7"
        )
        #expect(try bench.check() == [])
        try bench.shell("UPDATE turn SET state = 0, prompt = '[oops' WHERE id = 7")
        _ = try bench.write(RepairStore(bench.check()))
        let turn = try TestSupport.shell(
            "sqlite3", bench.path,
            "SELECT state, prompt IS NULL, ended_at IS NOT NULL, json_extract(error, '$.kind') FROM turn WHERE id = 7"
        )
        #expect(turn == "5|1|1|store_failed\n")
    }

    @Test func `finds an index that is not there`() throws {
        let bench = try Bench()
        try bench.fill()
        #expect(try bench.check() == [])
        try bench.shell("DROP INDEX audit_session")
        let found = try bench.check()
        #expect(found.map(\.kind) == [.file] && found[0].words == "the index 'audit_session' is missing")
    }

    @Test func `mends what a session that is gone left behind, and keeps what a fork shares of it`() throws {
        let bench = try Bench()
        try bench.fill()
        let before = try bench.texts("f")
        // The edit of 's' is a branch that begins in its first, and so is the fork's.
        try bench.shell("PRAGMA foreign_keys = OFF; DELETE FROM session WHERE name = 's'")
        #expect(try bench.check().count { $0.kind == .strayBranch } == 2)
        for _ in 0..<3 { _ = try bench.write(RepairStore(bench.check())) }
        let left = try bench.check()
        #expect(left == [], "\(left)")
        #expect(try bench.texts("f") == before && before.count == 3)
        let rows = try TestSupport.shell(
            "sqlite3", bench.path, "SELECT count(*) FROM message; SELECT count(*) FROM branch")
        #expect(rows == "3\n2\n", "what only it had is gone: \(rows)")
    }

    @Test func `says what nobody can mend (B082)`() throws {
        let bench = try Bench()
        try bench.fill()
        try bench.shell("PRAGMA foreign_keys = OFF; DELETE FROM message WHERE key = (1 << 32) + 1")
        let found = try bench.check()
        #expect(found.contains { $0.kind == .gap }, "\(found)")
        #expect(!Damage.gap.isRepairable && !Damage.file.isRepairable)
        // The third page is the root of some table or index: what is written over it is no page of a tree.
        let directory = try TemporaryDirectory()
        do { try Bench(directory).fill() }
        try TestSupport.shell(
            "sh", "-c",
            "printf 'xxxxxxxxxxxxxxxx' | dd of=\(directory.file("c.db")) bs=1 seek=20480 conv=notrunc 2>/dev/null"
        )
        if let broken = try? Bench(directory), let damage = try? broken.check() {
            #expect(damage.contains { $0.kind == .file }, "\(damage)")
        }
    }
}

extension `A look at the whole store` {
    @Test func `finds damage in any part of the index, and messages are stored all the same (B095)`() throws {
        let bench = try Bench()
        try bench.session("s")
        var random = SeededRandom("damaged index")
        let letters = Array("abcdefghijklmnopqrstuvwxy")
        // Each ends with the same word, so that a look for the last one of each sees nothing of the others.
        let texts = (0..<300).map { _ in
            (0..<60).map { _ in String((0..<5).map { _ in random.pick(letters) }) }.joined(separator: " ")
                + " zz"
        }
        try bench.append("s", texts)
        func untilIndexed() throws {
            while try TestSupport.shell(
                "sqlite3", bench.path, "SELECT (SELECT max(arrival) FROM message) - mark FROM search_state")
                != "0\n"
            {}
        }
        try untilIndexed()
        #expect(try bench.check() == [])
        // One page in the middle of the largest segment: of words that begin with 'h' or a letter behind it.
        try bench.shell(
            """
            PRAGMA busy_timeout = 10000;
            UPDATE search_data SET block = zeroblob(length(block)) WHERE id =
                (SELECT (segid << 37) + (pgno >> 1) FROM search_idx
                  WHERE segid = (SELECT segid FROM search_idx GROUP BY segid ORDER BY count(*) DESC LIMIT 1) AND term >= x'3068'
                  ORDER BY term LIMIT 1)
            """)
        let found = try bench.check()
        #expect(found.contains { $0.kind == .index }, "\(found)")
        try bench.append("s", ["stored all the same"])
        #expect(try bench.texts("s").last == "stored all the same")
        for _ in 0..<3 { _ = try bench.write(RepairStore(bench.check())) }
        try untilIndexed()
        let left = try bench.check()
        #expect(left == [], "\(left)")
    }
}

extension `A look at the whole store` {
    @Test func `names the message whose bytes are no text, and mends it (B089)`() throws {
        let bench = try Bench()
        try bench.fill()
        // [{"type":"text","text":"…"}] with half of a surrogate pair in UTF-8, and a byte that never stands in it.
        try bench.shell(
            "UPDATE message SET content = CAST(x'5b7b2274797065223a2274657874222c2274657874223a22eda080ff227d5d' AS TEXT) WHERE key = (1 << 32) + 4"
        )
        let found = try bench.check()
        #expect(found.contains { $0.kind == .content && $0.words == "message 4 of branch 1" }, "\(found)")
        for _ in 0..<3 { _ = try bench.write(RepairStore(bench.check())) }
        let left = try bench.check()
        #expect(left == [], "\(left)")
        let bytes = try TestSupport.shell(
            "sqlite3", bench.path, "SELECT hex(content) FROM message WHERE key = (1 << 32) + 4")
        #expect(bytes.contains("EFBFBD") && !bytes.contains("EDA080") && !bytes.contains("FF22"), "\(bytes)")
    }
}
