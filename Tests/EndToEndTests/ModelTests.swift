internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `A daemon and a small model of it` {
    private static let steps = Process.environment["CONVOD_STEPS"].flatMap { Int($0) } ?? 10_000

    @Test func `agree over a random interleaving of clients, kills and restarts (N032)`() throws {
        var random = SeededRandom()
        let run = try ModelRun(random, clients: 5)
        let began = Machine.monotonic()
        do {
            for number in 1...Self.steps where run.model.problems.isEmpty {
                try run.step(number, ModelStep(&random))
            }
            if run.model.problems.isEmpty { try run.sync() }
        } catch { run.model.wrong("\(error)") }
        let seconds = (Machine.monotonic() - began) / 1_000_000_000
        let counts = run.model.counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        print(
            "model: \(Self.steps) steps in \(seconds) s, \(run.model.restarts) restarts, \(run.syncs) looks, \(random): \(counts.joined(separator: ", "))"
        )
        #expect(run.model.problems == [], "\(random)")
        guard run.model.problems.isEmpty else { return run.printTrail() }
        try run.daemon.stop()
        try Self.checkFile(run.daemon)
    }

    /// The database is whole, and its counters are what they count.
    private static func checkFile(_ daemon: RealDaemon) throws {
        #expect(try daemon.sqlite("PRAGMA integrity_check") == "ok")
        #expect(try daemon.sqlite("PRAGMA foreign_key_check") == "")
        #expect(try daemon.sqlite("SELECT count(*) FROM turn WHERE state < 2") == "0")
        #expect(try daemon.sqlite("SELECT count(*) FROM piece") == "0")
        // The path of each session, from its head down through the branches that it shares.
        let paths = """
            WITH RECURSIVE part (session, branch, last) AS (
                SELECT id, branch, head FROM session
                UNION ALL
                SELECT part.session, branch.parent, min(branch.fork_seq, part.last) FROM part JOIN branch ON branch.id = part.branch
                 WHERE branch.parent IS NOT NULL),
            path (session, seq, tokens, total) AS (
                SELECT part.session, key & 4294967295, message.tokens, total
                  FROM part JOIN message ON key BETWEEN part.branch << 32 AND part.branch << 32 | part.last)
            """
        #expect(
            try daemon.sqlite(
                """
                \(paths)
                SELECT session.name, session.head, count(seq), count(DISTINCT seq), max(seq), session.tokens, sum(path.tokens)
                  FROM session JOIN path ON path.session = session.id GROUP BY session.id
                HAVING session.head <> count(seq) OR count(DISTINCT seq) <> count(seq) OR max(seq) <> count(seq)
                    OR session.tokens <> sum(path.tokens)
                """) == "", "counters of sessions are the sums over their paths, without a gap")
        #expect(
            try daemon.sqlite(
                """
                SELECT turn.session, request_id, count(*) FROM turn WHERE request_id IS NOT NULL
                 GROUP BY 1, 2 HAVING count(*) > 1
                """) == "")
    }
}
