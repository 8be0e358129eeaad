internal import Archive
internal import Conversation
internal import Posix
internal import TestSupport
internal import Testing

@testable internal import Store

extension Bench {
    /// The messages of a session's path with their marks, as `1p 2 3x`.
    fileprivate func marks(_ name: String) throws -> String {
        try read(ReadMessages(record(name), .from(1), limit: 10_000, bytes: 1 << 30)).messages.map {
            "\($0.seq)\($0.isPinned ? "p" : "")\($0.isExcluded ? "x" : "")"
        }.joined(separator: " ")
    }

    fileprivate func ids(_ name: String) throws -> [MessageID] {
        try read(ReadMessages(record(name), .from(1), limit: 10_000, bytes: 1 << 30)).messages.map(\.id)
    }

    @discardableResult
    fileprivate func mark(_ name: String, _ seq: Int, _ mark: Mark?, pinTokens: Int = .max) throws
        -> MarkMessage.Output
    {
        try write(
            MarkMessage(
                record(name).row, ids(name)[seq - 1], pinned: mark == .pin ? true : mark == nil ? false : nil,
                excluded: mark == .exclusion ? true : mark == nil ? false : nil,
                room: PinRoom(tokens: pinTokens)))
    }
}

@Suite struct `A mark` {
    @Test func `takes the place of the other, and goes again`() throws {
        let bench = try Bench()
        try bench.session("s")
        try bench.append("s", ["a", "b", "c"])
        try bench.mark("s", 1, .pin)
        try bench.mark("s", 3, .exclusion)
        #expect(try bench.marks("s") == "1p 2 3x")
        try bench.mark("s", 1, .exclusion)
        try bench.mark("s", 3, nil)
        #expect(try bench.marks("s") == "1x 2 3")
    }

    @Test func `is taken away alone: no word of one changes the other`() throws {
        let bench = try Bench()
        try bench.session("s")
        try bench.append("s", ["a", "b"])
        try bench.mark("s", 1, .pin)
        try bench.mark("s", 2, .exclusion)
        let row = try bench.record("s").row, ids = try bench.ids("s")
        _ = try bench.write(MarkMessage(row, ids[0], excluded: false))
        _ = try bench.write(MarkMessage(row, ids[1], pinned: false))
        _ = try bench.write(MarkMessage(row, ids[1]))
        #expect(try bench.marks("s") == "1p 2x")
    }

    @Test func `belongs to its session: a fork begins with copies and has its own from there`() throws {
        let bench = try Bench()
        try bench.session("s")
        try bench.append("s", ["a", "b", "c", "d"])
        for seq in [1, 4] { try bench.mark("s", seq, .pin) }
        try bench.mark("s", 2, .exclusion)
        let third = try bench.ids("s")[2]
        _ = try bench.write(
            ForkSession(
                bench.record("s").row, at: third,
                as: Session(id: sessionID("f"), owner: 0, cwd: "/tmp", createdAt: 1_000)))
        #expect(try bench.marks("f") == "1p 2x 3")
        try bench.mark("f", 1, nil)
        try bench.mark("f", 3, .pin)
        try bench.mark("s", 2, nil)
        #expect(try bench.marks("f") == "1 2x 3p")
        #expect(try bench.marks("s") == "1p 2 3 4p")
    }

    @Test func `of a message that is edited goes over to what takes its place`() throws {
        let bench = try Bench()
        try bench.session("s")
        try bench.append("s", ["a", "b"])
        try bench.mark("s", 2, .exclusion)
        var edited = bench.message("B")
        edited.mark = .exclusion
        _ = try bench.write(EditMessage(bench.record("s").row, bench.ids("s")[1], edited))
        #expect(try bench.marks("s") == "1 2x")
    }

    @Test func `goes with its message when a branch is deleted`() throws {
        let bench = try Bench()
        try bench.session("s")
        try bench.append("s", ["a", "b"])
        let first = try bench.record("s").branch
        _ = try bench.write(EditMessage(bench.record("s").row, bench.ids("s")[1], bench.message("B")))
        let second = try bench.record("s").branch
        try bench.mark("s", 1, .pin)
        try bench.mark("s", 2, .pin)
        _ = try bench.write(SwitchBranch(bench.record("s").row, to: first))
        #expect(try bench.write(DeleteBranch(bench.record("s").row, second)) == .deleted(1))
        #expect(
            try shell("sqlite3", bench.path, "SELECT count(*) FROM mark; PRAGMA foreign_key_check") == "1\n")
    }

    @Test func `that makes the pins more than they may be is refused with their sum, and changes nothing`()
        throws
    {
        let bench = try Bench()
        try bench.session("s")
        try bench.append("s", ["a", "b", "c"])
        try bench.mark("s", 1, .pin, pinTokens: 20)
        try bench.mark("s", 2, .pin, pinTokens: 20)
        try bench.mark("s", 3, .exclusion)
        #expect(try bench.mark("s", 3, .pin, pinTokens: 20) == .tooMuch(30))
        #expect(try bench.marks("s") == "1p 2p 3x")
    }

    @Test(arguments: [(20, 0), (19, 20), (9, 20)])
    func `that comes with its message is measured with those that are there`(_ most: Int, _ sum: Int) throws {
        let bench = try Bench()
        try bench.session("s")
        try bench.append("s", ["a"])
        try bench.mark("s", 1, .pin)
        func message(_ mark: Mark?, _ role: Message.Role) -> NewMessage {
            NewMessage(
                id: bench.id(), role: role, content: Part.encode([.text("x")]), size: ContentSize(tokens: 5),
                mark: mark)
        }
        let messages = [
            message(nil, .user), message(.pin, .assistant), message(nil, .tool), message(nil, .user),
        ]
        let written = try bench.write(
            AppendMessages(sessionID("s"), owner: 0, messages, ifMissing: nil, room: PinRoom(tokens: most)))
        guard sum == 0 else {
            #expect(written == .tooMuch(sum))
            #expect(try bench.marks("s") == "1p")
            return
        }
        #expect(try bench.marks("s") == "1p 2 3p 4 5")
    }

    @Test func `of a tool call counts its results, which go along`() throws {
        let bench = try Bench()
        try bench.session("s")
        try bench.append("s", ["a"])
        let call = NewMessage(
            id: bench.id(), role: .assistant,
            content: Part.encode([.toolCall(.init(id: "1", name: "t", arguments: Array("{}".utf8)))]),
            size: ContentSize(tokens: 10))
        let result = NewMessage(
            id: bench.id(), role: .tool,
            content: Part.encode([
                .toolResult(.init(callID: "1", content: Array(#""r""#.utf8), isError: false))
            ]),
            size: ContentSize(tokens: 100))
        _ = try bench.write(AppendMessages(sessionID("s"), owner: 0, [call, result], ifMissing: nil))
        #expect(try bench.mark("s", 2, .pin, pinTokens: 109) == .tooMuch(110))
        guard case .marked = try bench.mark("s", 2, .pin, pinTokens: 110) else {
            Issue.record("110 of 110 tokens were refused")
            return
        }
    }

    @Test func `is read with its message in either direction, however many there are`() throws {
        var random = SeededRandom()
        let bench = try Bench()
        try bench.session("s")
        try bench.append("s", (0..<400).map { "\($0)" })
        let row = try bench.record("s").row, branch = try bench.record("s").branch.number
        var kinds: [Int: Int] = [:]
        for seq in 1...400 where random.int(0...9) < 7 { kinds[seq] = random.int(0...1) }
        let rows = kinds.map { "(\(row.number), \(branch << 32 | Int64($0.key)), \($0.value))" }
        try bench.shell("INSERT INTO mark (session, message, kind) VALUES \(rows.joined(separator: ","))")
        for start in [PageStart.from(1), .from(200), .backFrom(400), .backFrom(77), .newest(150)] {
            let page = try bench.read(ReadMessages(bench.record("s"), start, limit: 1_000, bytes: 1 << 30))
            #expect(!page.messages.isEmpty)
            for message in page.messages {
                #expect(
                    message.isPinned == (kinds[message.seq] == 0)
                        && message.isExcluded == (kinds[message.seq] == 1),
                    "message \(message.seq), \(random)")
            }
        }
    }

    @Test func `of a database that had them on messages goes to each session that sees the message`() throws {
        let directory = try TemporaryDirectory()
        let schema = Files.directory(of: #filePath) + "/../../schema"
        for version in 1...6 {
            try shell(
                "sh", "-c", "cat \(schema)/migrations/v00\(version)_*.sql | sqlite3 \(directory.file("c.db"))"
            )
        }
        let first = Int64(1) << 32, second = Int64(2) << 32
        func message(_ key: Int64, _ pinned: Int, _ excluded: Int) -> String {
            """
            INSERT INTO message (key, id, role, status, created_at, tokens, total, pinned, excluded, content)
            VALUES (\(key), randomblob(16), 1, 0, 0, 5, 5, \(pinned), \(excluded), '[{"type":"text","text":"x"}]');
            """
        }
        try shell(
            "sqlite3", directory.file("c.db"),
            """
            CREATE VIEW messages AS SELECT pinned FROM message;
            INSERT INTO session (owner, name, cwd, branch, head, created_at, updated_at, activity)
                VALUES (0, 's', '/', 1, 3, 0, 0, 1), (0, 'f', '/', 2, 3, 0, 0, 2);
            INSERT INTO branch (session, parent, fork_seq, created_at) VALUES (1, NULL, 0, 0), (2, 1, 2, 0);
            \(message(first + 1, 1, 0)) \(message(first + 2, 1, 1)) \(message(first + 3, 1, 0))
            \(message(second + 3, 0, 1))
            PRAGMA application_id = 1131312740; PRAGMA user_version = 6;
            """)
        let bench = try Bench(directory)
        #expect(try bench.marks("s") == "1p 2x 3p")
        #expect(try bench.marks("f") == "1p 2x 3x")
        #expect(
            try shell(
                "sqlite3", bench.path, "SELECT session, seq, pinned, excluded FROM messages ORDER BY 1, 2")
                == "f|3|0|1\ns|1|1|0\ns|2|0|1\ns|3|1|0\n")
    }
}
