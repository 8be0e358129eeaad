package import Archive
internal import Conversation
internal import JSON

extension Writer {
    /// Adds what was used to the day's sums; what is no turn, as a summary, counts with `turns` 0.
    func add(_ used: TurnUsage, of session: SessionRow, turns: Int, _ upstream: String, _ model: String)
        throws(ArchiveError)
    {
        try database.run(
            """
            INSERT INTO usage (owner, day, session, upstream, model, turns, input_tokens, output_tokens, cached_tokens, cost,
                               written_tokens, thought_tokens, failures, priced, unpriced)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT (owner, day, session, upstream, model) DO UPDATE SET turns = turns + excluded.turns,
                   input_tokens = input_tokens + excluded.input_tokens,
                   output_tokens = output_tokens + excluded.output_tokens,
                   cached_tokens = cached_tokens + excluded.cached_tokens, cost = cost + excluded.cost,
                   written_tokens = written_tokens + excluded.written_tokens,
                   thought_tokens = thought_tokens + excluded.thought_tokens, failures = failures + excluded.failures,
                   priced = priced + excluded.priced, unpriced = unpriced + excluded.unpriced
            """,
            [
                .user(used.owner), .int(UsageDay.of(now)), .int(session), .text(upstream), .text(model),
                Bound(turns), Bound(used.input), Bound(used.output), Bound(used.cached),
                Bound(used.cost ?? 0), Bound(used.written), Bound(used.thoughts),
                .int(used.hasFailed ? 1 : 0),
                .int(used.cost == nil ? 0 : 1), .int(used.cost == nil && used.isCall ? 1 : 0),
            ], doing: "add to the usage")
        guard turns > 0, let first = used.firstMs else { return }
        try database.run(
            """
            INSERT INTO latency (owner, day, upstream, model, bound, turns) VALUES (?, ?, ?, ?, ?, 1)
            ON CONFLICT (owner, day, upstream, model, bound) DO UPDATE SET turns = turns + 1
            """,
            [
                .user(used.owner), .int(UsageDay.of(now)), .text(upstream), .text(model),
                Bound(LatencyBounds.bound(of: first)),
            ], doing: "add to the latencies")
    }

    func keep(_ content: [UInt8], under key: [UInt8], _ ending: Turn.Ending) throws(ArchiveError) {
        var usage: [UInt8]?
        if let counted = ending.usage {
            var writer = JSONWriter()
            counted.write(to: &writer)
            usage = writer.bytes
        }
        try database.run(
            """
            INSERT OR REPLACE INTO response (key, content, finish, usage, created_at) VALUES (?, ?, ?, ?, ?)
            """,
            [.blob(key), .utf8(content), .text(ending.finish ?? "stop"), Bound(usage), .int(now)],
            doing: "keep an answer")
    }
}

extension Writer {
    func keep(_ learned: Learned) throws(ArchiveError) {
        try database.run(
            """
            INSERT OR REPLACE INTO calibration (upstream, model, plain, plain_samples, wide, wide_samples)
            VALUES (?, ?, ?, ?, ?, ?)
            """,
            [
                .text(learned.upstream), .text(learned.model), Bound(learned.plain),
                Bound(learned.plainSamples), Bound(learned.wide), Bound(learned.wideSamples),
            ],
            doing: "keep a calibration")
    }
}

extension PruneResponses: LocalWrite {
    package func run(on writer: Writer) throws(ArchiveError) {
        try writer.database.run(
            "DELETE FROM response WHERE created_at < ?", [.int(before)], doing: "drop old answers")
        try writer.database.run(
            """
            DELETE FROM response WHERE created_at <=
                   (SELECT created_at FROM response WHERE created_at > 0 ORDER BY created_at DESC LIMIT 1 OFFSET ?)
            """, [Bound(most)], doing: "drop the oldest answers")
    }
}

extension Reader {
    /// The answer kept under a key, nil when there is none.
    func response(_ key: [UInt8]) throws(ArchiveError) -> KeptResponse? {
        try database.first(
            "SELECT content, finish, usage, created_at FROM response WHERE key = ?", [.blob(key)],
            doing: "find a kept answer"
        ) { (row) throws(ArchiveError) in
            // `optionalJSON` has checked that it is JSON.
            let usage = try row.optionalJSON(2, "usage", of: .response).flatMap { try? JSONDocument($0).root }
            return KeptResponse(
                content: try row.json(0, "content", of: .response), finish: row.text(1),
                usage: usage.map { Usage($0) }, createdAt: try row.time(3, "created_at", of: .response))
        }
    }

    /// A secret of this database, nil where there is none of that name.
    func secret(_ name: String) throws(ArchiveError) -> [UInt8]? {
        try database.first("SELECT value FROM secret WHERE name = ?", [.text(name)], doing: "read a secret") {
            $0.bytes(0)
        }
    }

    /// What was learned of models' tokens.
    func allLearned(limit: Int) throws(ArchiveError) -> [Learned] {
        var found: [Learned] = []
        try database.rows(
            """
            SELECT upstream, model, plain, plain_samples, wide, wide_samples FROM calibration
             ORDER BY upstream, model LIMIT ?
            """,
            [Bound(limit)], doing: "read calibrations"
        ) { row in
            // What nobody can have learned counts as little as nothing.
            func bounded(_ column: Int32, from least: Int) -> Int {
                min(max(Int(row.int(column)), least), 1_000_000)
            }
            found.append(
                Learned(
                    upstream: row.text(0), model: row.text(1), plain: bounded(2, from: 1),
                    plainSamples: bounded(3, from: 0), wide: bounded(4, from: 1),
                    wideSamples: bounded(5, from: 0)))
            return true
        }
        return found
    }

    /// What a user used on a day.
    func usage(owner: UserID, day: Int64) throws(ArchiveError) -> UsageSum {
        try sum(
            "SELECT sum(turns), sum(input_tokens + output_tokens), sum(cost) FROM usage WHERE owner = ? AND day = ?",
            [.user(owner), .int(day)])
    }

    /// What a session has used in all.
    func usage(session row: SessionRow) throws(ArchiveError) -> UsageSum {
        try sum(
            "SELECT sum(turns), sum(input_tokens + output_tokens), sum(cost) FROM usage WHERE session = ?",
            [.int(row)])
    }

    private func sum(_ sql: SQL, _ values: [Bound]) throws(ArchiveError) -> UsageSum {
        try database.first(sql, values, doing: "sum up the usage") { row in
            let (turns, tokens, cost) = (Int(row.int(0)), Int(row.int(1)), Int(row.int(2)))
            return UsageSum(
                turns: UsageSum.bounded(turns), tokens: UsageSum.bounded(tokens),
                cost: UsageSum.bounded(cost))
        } ?? UsageSum()
    }
}
