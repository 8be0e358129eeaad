package import Conversation
internal import JSON

/// What one turn used.
package struct TurnUsage: Sendable, Equatable {
    package var owner: UInt32
    /// Tokens as the provider counted, or estimated where it did not.
    package var input: Int
    package var output: Int
    package var cached: Int
    /// Millionths of a dollar.
    package var cost: Int

    package init(owner: UInt32, input: Int, output: Int, cached: Int, cost: Int) {
        self.owner = owner
        self.input = input
        self.output = output
        self.cached = cached
        self.cost = cost
    }
}

/// Sums over some turns.
package struct UsageSum: Sendable, Equatable {
    package var turns = 0
    package var tokens = 0
    /// Millionths of a dollar.
    package var cost = 0

    /// A number that two of them can be added and stay one.
    static func bounded(_ value: Int) -> Int { min(max(value, 0), 1 << 61) }

    package init(turns: Int = 0, tokens: Int = 0, cost: Int = 0) {
        self.turns = turns
        self.tokens = tokens
        self.cost = cost
    }
}

/// A day since 1970 in UTC.
package enum UsageDay {
    package static let milliseconds: Int64 = 86_400_000
    package static func of(_ time: Int64) -> Int64 { time / milliseconds }
    /// Milliseconds from `time` to the next day.
    package static func rest(of time: Int64) -> Int { Int(milliseconds - time % milliseconds) }
}

extension Writer {
    func add(_ used: TurnUsage, of stored: StoredTurn, _ upstream: String, _ model: String)
        throws(StoreError)
    {
        try database.run(
            """
            INSERT INTO usage (owner, day, session, upstream, model, turns, input_tokens, output_tokens, cached_tokens, cost)
            VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, ?)
            ON CONFLICT (owner, day, session, upstream, model) DO UPDATE SET turns = turns + 1,
                   input_tokens = input_tokens + excluded.input_tokens,
                   output_tokens = output_tokens + excluded.output_tokens,
                   cached_tokens = cached_tokens + excluded.cached_tokens, cost = cost + excluded.cost
            """,
            [
                .int(Int64(used.owner)), .int(UsageDay.of(now)), .int(stored.sessionRow),
                .text(upstream), .text(model), Bound(used.input), Bound(used.output), Bound(used.cached),
                Bound(used.cost),
            ], doing: "add to the usage")
    }

    func keep(_ content: [UInt8], under key: [UInt8], _ ending: Turn.Ending) throws(StoreError) {
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

/// How many tokens a provider counts for one of our estimate.
package struct Learned: Sendable, Equatable {
    package let upstream: String
    package let model: String
    /// Thousandths.
    package let ratio: Int
    package let samples: Int

    package init(upstream: String, model: String, ratio: Int, samples: Int) {
        self.upstream = upstream
        self.model = model
        self.ratio = ratio
        self.samples = samples
    }
}

extension Writer {
    func keep(_ learned: Learned) throws(StoreError) {
        try database.run(
            "INSERT OR REPLACE INTO calibration (upstream, model, ratio, samples) VALUES (?, ?, ?, ?)",
            [.text(learned.upstream), .text(learned.model), Bound(learned.ratio), Bound(learned.samples)],
            doing: "keep a calibration")
    }
}

/// Drops kept answers that are too old or too many.
package struct PruneResponses: StoreWrite {
    package let before: Int64
    package let most: Int

    /// `before` is in milliseconds since 1970; `most` answers stay.
    package init(before: Int64, most: Int) {
        self.before = before
        self.most = most
    }

    package func run(on writer: Writer) throws(StoreError) {
        try writer.database.run(
            "DELETE FROM response WHERE created_at < ?", [.int(before)], doing: "drop old answers")
        try writer.database.run(
            """
            DELETE FROM response WHERE created_at <=
                   (SELECT created_at FROM response WHERE created_at > 0 ORDER BY created_at DESC LIMIT 1 OFFSET ?)
            """, [Bound(most)], doing: "drop the oldest answers")
    }
}

/// An answer that was given before.
package struct KeptResponse: Sendable, Equatable {
    /// Raw JSON array of parts.
    package let content: [UInt8]
    package let finish: String
    package let usage: Usage?
    package let createdAt: Int64
}

extension Reader {
    /// The answer kept under a key, nil when there is none.
    package func response(_ key: [UInt8]) throws(StoreError) -> KeptResponse? {
        try database.first(
            "SELECT content, finish, usage, created_at FROM response WHERE key = ?", [.blob(key)],
            doing: "find a kept answer"
        ) { (row) throws(StoreError) in
            // `optionalJSON` has checked that it is JSON.
            let usage = try row.optionalJSON(2, "usage", of: .response).flatMap { try? JSONDocument($0).root }
            return KeptResponse(
                content: try row.json(0, "content", of: .response), finish: row.text(1),
                usage: usage.map { Usage($0) }, createdAt: try row.time(3, "created_at", of: .response))
        }
    }

    /// What was learned of a model's tokens, nil for nothing.
    package func learned(upstream: String, model: String) throws(StoreError) -> Learned? {
        try database.first(
            "SELECT ratio, samples FROM calibration WHERE upstream = ? AND model = ?",
            [.text(upstream), .text(model)], doing: "read a calibration"
        ) { row in
            // What nobody can have learned counts as little as nothing.
            Learned(
                upstream: upstream, model: model, ratio: min(max(Int(row.int(0)), 1), 1_000_000),
                samples: min(max(Int(row.int(1)), 0), 1_000_000))
        }
    }

    /// What a user used on a day.
    package func usage(owner: UInt32, day: Int64) throws(StoreError) -> UsageSum {
        try sum(
            "SELECT sum(turns), sum(input_tokens + output_tokens), sum(cost) FROM usage WHERE owner = ? AND day = ?",
            [.int(Int64(owner)), .int(day)])
    }

    /// What a session has used in all.
    package func usage(session row: Int64) throws(StoreError) -> UsageSum {
        try sum(
            "SELECT sum(turns), sum(input_tokens + output_tokens), sum(cost) FROM usage WHERE session = ?",
            [.int(row)])
    }

    private func sum(_ sql: SQL, _ values: [Bound]) throws(StoreError) -> UsageSum {
        try database.first(sql, values, doing: "sum up the usage") { row in
            let (turns, tokens, cost) = (Int(row.int(0)), Int(row.int(1)), Int(row.int(2)))
            return UsageSum(
                turns: UsageSum.bounded(turns), tokens: UsageSum.bounded(tokens),
                cost: UsageSum.bounded(cost))
        } ?? UsageSum()
    }
}
