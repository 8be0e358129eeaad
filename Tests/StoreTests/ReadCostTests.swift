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
            SELECT x, randomblob(16), \(row), 2, randomblob(16), randomblob(16), 1000, 1000, 1000 FROM n;
            WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < \(2 * turns))
            INSERT INTO message (key, id, role, status, turn, created_at, tokens, total, pinned, content)
            SELECT ((SELECT branch FROM session) << 32) + x, randomblob(16), 2, 0, (x + 1) / 2, 1000, 5, 5 * x,
                   x % 3 = 0, '[{"type":"text","text":"x"}]' FROM n;
            UPDATE session SET head = \(2 * turns), tokens = \(10 * turns);
            """)
        let bench = try Bench(directory)
        return (bench, try bench.record("s"))
    }

    @Test func `costs no more in a session of 40,000 turns than 2,000 rows do`() throws {
        let (bench, session) = try bench(40_000)
        let reader = bench.store.reader
        func check(_ name: String, _ read: () throws -> Void) throws {
            _ = reader.database.takeSteps()
            try read()
            // A row of messages takes about 25 steps.
            #expect(reader.database.takeSteps() < 2_000 * 40, "\(name)")
        }
        // What handlers, the engine and the window ask at once, each with the most that a client may ask for.
        try check("open turns") { _ = try reader.turns(session, openOnly: true, before: nil, limit: 1_000) }
        try check("turns") { _ = try reader.turns(session, openOnly: false, before: nil, limit: 1_000) }
        try check("the turn that ended last") { _ = try reader.lastEnded(session) }
        try check("a prompt without an answer") { _ = try reader.unansweredPrompt(session) }
        try check("open turns of all") { _ = try reader.openTurns() }
        try check("where a million begin") { _ = try reader.start(ofNewest: 1_000_000, in: session) }
        try check("where ten begin") { _ = try reader.start(ofNewest: 10, in: session) }
        try check("messages") { _ = try reader.messages(session, .from(1), limit: 1_000, bytes: 1 << 20) }
        try check("a session") { _ = try reader.session(row: session.row) }
        try check("the newest message") { _ = try reader.headID(of: session) }
        let all = HistoryNeed(tokens: Int.max, hasPrompt: true)
        try check("a window of all") { _ = try reader.history(session, all, within: .loop) }
        let few = HistoryNeed(tokens: 1_000_000, messages: 4, hasPrompt: true)
        try check("a window of few") { _ = try reader.history(session, few, within: .loop) }
    }
}
