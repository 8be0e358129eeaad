internal import Archive
internal import Conversation
internal import TestSupport
internal import Testing

@testable internal import Store

@Suite struct `A read on the loop` {
    /// A store with a session of so many turns, each a prompt and an answer, and what else may stand in the way.
    private func bench(_ turns: Int) throws -> (Bench, SessionRecord) {
        let directory = try TemporaryDirectory()
        let row = try Bench(directory).session("s").row
        try shell(
            "sqlite3", directory.file("c.db"),
            """
            WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < \(turns))
            INSERT INTO turn (id, uuid, session, state, prompt_id, answer_id, created_at, started_at, ended_at)
            SELECT x, randomblob(16), \(row.number), 2, randomblob(16), randomblob(16), 1000, 1000, 1000 FROM n;
            WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < \(2 * turns))
            INSERT INTO message (key, id, role, status, turn, created_at, tokens, total, content)
            SELECT ((SELECT branch FROM session) << 32) + x, randomblob(16), 2, 0, (x + 1) / 2, 1000, 5, 5 * x,
                   '[{"type":"text","text":"x"}]' FROM n;
            INSERT INTO mark (session, message, kind) SELECT \(row.number), key, 0 FROM message WHERE key % 3 = 0;
            UPDATE session SET head = \(2 * turns), tokens = \(10 * turns);
            """)
        let bench = try Bench(directory)
        return (bench, try bench.record("s"))
    }

    @Test func `costs no more in a session of 40,000 turns than 2,000 rows do (B097)`() throws {
        let (bench, session) = try bench(40_000)
        let reader = bench.store.reader
        func check(_ look: some LocalRead) throws {
            _ = reader.database.takeSteps()
            _ = try bench.read(look)
            // A row of messages takes about 25 steps.
            #expect(reader.database.takeSteps() < 2_000 * 40, "\(type(of: look))")
        }
        // What handlers, the engine and the window ask at once, each with the most that a client may ask for.
        let row = session.row, bytes = 1 << 20
        try check(TurnList(row, .open, before: nil, limit: 1_000, bytes: bytes))
        try check(TurnList(row, .all, before: nil, limit: 1_000, bytes: bytes))
        try check(Opening(session))
        try check(PromptBase(session, nil, farthest: 64))
        try check(OpenTurns(.running))
        try check(ReadMessages(session, .newest(1_000_000), limit: 1, bytes: 1))
        try check(ReadMessages(session, .newest(10), limit: 1, bytes: 1))
        try check(ReadMessages(session, .from(1), limit: 1_000, bytes: bytes))
        try check(SessionByRow(row))
        try check(BranchList(row, after: BranchRow(0), limit: 1_000))
        let all = HistoryNeed(tokens: Int.max, hasPrompt: true)
        try check(WindowRead(session, all, within: .loop))
        let few = HistoryNeed(tokens: 1_000_000, messages: 4, hasPrompt: true)
        try check(WindowRead(session, few, within: .loop))
    }
}

extension `A read on the loop` {
    @Test func `costs no more among 10,000 sessions than a page of them does (B097)`() throws {
        let directory = try TemporaryDirectory()
        do { _ = try Bench(directory) }
        try shell(
            "sqlite3", directory.file("c.db"),
            """
            WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 10000)
            INSERT INTO session (id, owner, name, cwd, branch, head, tokens, created_at, updated_at, activity)
            SELECT x, 0, 's' || x, '/', x, 10, 50, 1000, 1000, x FROM n;
            INSERT INTO branch (id, session, created_at) SELECT id, id, 1000 FROM session;
            WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 10)
            INSERT INTO message (key, id, role, status, created_at, tokens, total, content, arrival)
            SELECT (s.id << 32) + x, randomblob(16), 1, 0, 1000, 5, 5 * x, '[{"type":"text","text":"x"}]', s.id * 10 + x
              FROM session s, n;
            WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 5000)
            INSERT INTO audit (at, uid, pid, method, session, outcome) SELECT 1, 7, 1, 'm', 'theirs', 'done' FROM n;
            """)
        let bench = try Bench(directory)
        let reader = bench.store.reader, session = try bench.record("s5000")
        func check(_ look: some LocalRead, rows: Int) throws {
            _ = reader.database.takeSteps()
            _ = try bench.read(look)
            // A row takes about 25 steps, and 40 of a session; some more for where the look begins.
            #expect(reader.database.takeSteps() < (rows + 10) * 100, "\(type(of: look))")
        }
        try check(FindSessions(owner: .user(0), limit: 20), rows: 20)
        try check(ReadMessages(session, .newest(20), limit: 20, bytes: 1 << 20), rows: 10)
        try check(SessionByName(sessionID("s5000"), owner: 0), rows: 1)
        try check(Opening(session), rows: 10)
        try check(PromptBase(session, nil, farthest: 64), rows: 64)
        try check(OpenTurns(.running), rows: 1)
        // Who did nothing there learns nothing, from the time neither.
        let audit = AuditList(user: 8, session: "theirs", since: 0, limit: 20)
        try check(audit, rows: 0)
        #expect(try bench.read(audit).isEmpty)
        #expect(try bench.read(AuditList(user: 7, session: "theirs", since: 0, limit: 20)).count == 20)
    }
}
