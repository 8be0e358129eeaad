internal import Archive
internal import Conversation
internal import EventLoop
internal import Store
internal import TestSupport
internal import Testing

extension Bench {
    /// Begins to read a session in.
    fileprivate func begin(_ name: String, owner: UserID, head: MessageID, taken: Set<SessionID> = []) throws
        -> ImportState
    {
        let session = Session(id: sessionID(name), owner: owner, cwd: "/tmp", createdAt: 1_000)
        guard
            case .begun(let state) = try write(
                BeginImport(session, head: head, isDryRun: false, taken: taken))
        else { throw ArchiveError(.other, "begin an import", reason: "it is there") }
        return state
    }

    /// Reads a session in, whole.
    @discardableResult
    fileprivate func readIn(
        _ name: String, owner: UserID, _ messages: [NewMessage], turn: TurnID? = nil,
        _ others: [ImportItem] = [], taken: Set<SessionID> = []
    ) throws -> SessionRecord? {
        var parent: MessageID?, items: [ImportItem] = []
        for message in messages {
            items.append(.message(message, parent: parent, isOnPath: true, turn: turn))
            parent = message.id
        }
        let head = try #require(parent)
        var state = try begin(name, owner: owner, head: head, taken: taken)
        state = try write(ImportRecords(items + others, state))
        let session = Session(id: sessionID(name), owner: owner, cwd: "/tmp", createdAt: 1_000)
        return try write(EndImport(session, state, takesCut: false, taken: taken))
    }

    fileprivate func purge(_ record: SessionRecord?) throws {
        let row = try #require(record).row
        var isGone = false
        store.purged = { sums in if sums[row] != nil { isGone = true } }
        #expect(try write(PurgeSession(row)))
        try Patience.until(true) {
            _ = try loop.turn(waiting: false)
            return isGone
        }
    }

    fileprivate func sql(_ sql: String) throws -> String { try TestSupport.shell("sqlite3", path, sql) }
}

@Suite struct `What is read in` {
    private func turn(_ id: TurnID, _ messages: [NewMessage], requestID: String? = nil) -> TurnRecord {
        TurnRecord(
            id: id, state: .complete, promptID: messages.first?.id,
            answerID: messages.last?.id ?? MessageID(high: 1, low: 1), requestID: requestID, createdAt: 1_000)
    }

    @Test(arguments: [UserID(1), UserID(0)])
    func `belongs to no turn that another user reads in, and keeps no session from being purged`(
        other: UserID
    ) throws {
        let bench = try Bench()
        let messages = [bench.message("words"), bench.message("an answer", .assistant)]
        let id: TurnID = bench.id()
        // A fork's file has its messages alone, the original's the turn.
        let fork = try bench.readIn("fork", owner: other, messages, turn: id)
        let whole = try bench.readIn(
            "whole", owner: 0, messages, turn: id, [.turn(turn(id, messages))])
        let tied = try bench.sql("SELECT count(*) FROM message WHERE turn IS NOT NULL")
        // Of the same user they are the same messages; another's have other IDs, and a turn of their own alone.
        #expect(tied == "2\n")
        let foreign = try bench.sql(
            "SELECT count(*) FROM message m JOIN branch b ON b.id = m.key >> 32 JOIN session s ON s.id = b.session JOIN turn t ON t.id = m.turn JOIN session o ON o.id = t.session WHERE s.owner <> o.owner"
        )
        #expect(foreign == "0\n")
        try bench.purge(whole)
        try bench.purge(fork)
        #expect(
            try bench.sql(
                "SELECT count(*) FROM message; SELECT count(*) FROM session; PRAGMA foreign_key_check")
                == "0\n0\n")
    }

    @Test func `has its summary whoever else has one of its ID`() throws {
        let bench = try Bench()
        let messages = [bench.message("words"), bench.message("an answer", .assistant)]
        let summary = Summary(
            id: bench.id(), first: 1, last: 2, text: "what was said", madeAt: 2, createdAt: 1_000)
        for owner in [UserID(0), 1, 2, 3] {
            #expect(
                try bench.readIn(
                    "s", owner: owner, messages, [.summary(summary, end: messages[1].id)]) != nil)
        }
        #expect(try bench.sql("SELECT count(DISTINCT uuid) FROM summary") == "4\n")
    }

    @Test(arguments: ["'requestId'", "'id'"]) func `is refused where two turns have one ID`(name: String)
        throws
    {
        let bench = try Bench()
        let messages = [bench.message("words"), bench.message("an answer", .assistant)]
        let id: TurnID = bench.id()
        for owner in [UserID(1), 0] {
            // Where another user has it too, the first of them gets another.
            let turns = (0..<2).map { _ in
                ImportItem.turn(
                    name == "'id'"
                        ? turn(id, messages) : turn(bench.id(), messages, requestID: "the same"))
            }
            _ = try? bench.readIn("whole", owner: owner, messages, [turns[0]])
            let error = #expect(throws: ArchiveError.self) {
                try bench.readIn("s", owner: owner, messages, turns)
            }
            #expect(error?.code == .refused && error?.reason.contains(name) ?? false)
        }
    }

    @Test func `shares a message that is to be deleted, and says so before it is shown`() throws {
        let bench = try Bench()
        let messages = [bench.message("words"), bench.message("an answer", .assistant)]
        let whole = try #require(try bench.readIn("whole", owner: 0, messages))
        let newest = bench.message("more")
        let state = try bench.begin("longer", owner: 0, head: newest.id)
        _ = try bench.write(
            ImportRecords(
                [
                    .message(messages[0], parent: nil, isOnPath: true, turn: nil),
                    .message(newest, parent: messages[0].id, isOnPath: true, turn: nil),
                ], state))
        let deleted = try bench.write(
            DeleteMessage(messages[0].id, of: whole.row, isEverywhere: false, isByAdministrator: false))
        guard case .shared = deleted else {
            Issue.record("\(deleted)")
            return
        }
    }

    @Test func `and shares messages with what is purged meanwhile says so`() throws {
        let bench = try Bench()
        let messages = [bench.message("words"), bench.message("an answer", .assistant)]
        let whole = try bench.readIn("whole", owner: 0, messages)
        let newest = bench.message("more")
        var state = try bench.begin("longer", owner: 0, head: newest.id)
        state = try bench.write(
            ImportRecords([.message(messages[0], parent: nil, isOnPath: true, turn: nil)], state))
        #expect(state.counts.shared == 1)
        try bench.purge(whole)
        let error = #expect(throws: ArchiveError.self) {
            try bench.write(
                ImportRecords(
                    [.message(newest, parent: messages[0].id, isOnPath: true, turn: nil)], state))
        }
        #expect(error?.code == .refused && error?.reason.contains("meanwhile; begin again") ?? false)
    }

    @Test func `may share what ends with a message that was deleted before`() throws {
        let bench = try Bench()
        var messages = [bench.message("words"), bench.message("an answer", .assistant)]
        let whole = try #require(try bench.readIn("whole", owner: 0, messages))
        _ = try bench.write(
            DeleteMessage(messages[1].id, of: whole.row, isEverywhere: true, isByAdministrator: false))
        // As a file has it, and then one more.
        messages[1].content = Array("[]".utf8)
        messages.append(bench.message("more"))
        let longer = try bench.readIn("longer", owner: 0, messages)
        #expect(longer?.session.messageCount == 3)
        #expect(try bench.sql("SELECT count(*) FROM message") == "3\n")
    }

    @Test func `is called otherwise than what is in memory`() throws {
        let bench = try Bench()
        let record = try bench.readIn(
            "s", owner: 0, [bench.message("words")], taken: [sessionID("s"), sessionID("s.2")])
        #expect(record?.session.id.text == "s.3")
    }
}

extension `What is read in` {
    @Test func `and purged leaves its place in the order of changes to none that comes later`() throws {
        let directory = try TemporaryDirectory()
        let seen: Int64
        do {
            let bench = try Bench(directory)
            let record = try bench.session("s")
            try bench.append("s", ["words"])
            seen = try bench.record("s").session.activity
            try bench.purge(record)
        }
        let bench = try Bench(directory, now: 2_000)
        #expect(try bench.session("new").session.activity > seen)
    }

    @Test func `a message that a session shares that is being purged can be deleted`() throws {
        let bench = try Bench()
        let source = try bench.session("s")
        try bench.append("s", ["one", "two"])
        var fork = Session(id: sessionID("fork"), owner: 0, cwd: "/tmp", createdAt: 1_000)
        fork.title = "fork"
        guard case .forked(let record) = try bench.write(ForkSession(source.row, at: nil, as: fork)) else {
            throw ArchiveError(.other, "fork", reason: "it did not")
        }
        let message = try #require(
            try bench.read(ReadMessages(bench.record("fork"), .from(1), limit: 1, bytes: 1)).messages.first)
        // As a purge leaves it before it has removed anything.
        try bench.shell("UPDATE session SET owner = -1, name = '~' || id WHERE id = \(source.row.number)")
        let deleted = try bench.write(
            DeleteMessage(message.id, of: record.row, isEverywhere: false, isByAdministrator: false))
        guard case .deleted(let gone, _) = deleted else {
            Issue.record("\(deleted)")
            return
        }
        #expect(gone == [message.id])
    }
}
