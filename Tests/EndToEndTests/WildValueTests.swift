internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

/// A database in which a hand put one value that nobody could have written; each row is one such value.
private let wild: [String] = [
    "UPDATE session SET activity = 9223372036854775807 WHERE name = 'bad'",
    "UPDATE session SET activity = -5 WHERE name = 'bad'",
    "UPDATE session SET created_at = 9223372036854775807 WHERE name = 'bad'",
    "UPDATE session SET updated_at = -9223372036854775808 WHERE name = 'bad'",
    "UPDATE session SET trashed_at = 9223372036854775807 WHERE name = 'bad'",
    "UPDATE session SET head = 9223372036854775807 WHERE name = 'bad'",
    "UPDATE session SET head = -1 WHERE name = 'bad'",
    "UPDATE session SET tokens = 9223372036854775807 WHERE name = 'bad'",
    "UPDATE session SET tokens = -9223372036854775808 WHERE name = 'bad'",
    "UPDATE session SET branch = 9223372036854775807 WHERE name = 'bad'",
    "UPDATE message SET tokens = 9223372036854775807 WHERE key >> 32 = BRANCH",
    "UPDATE message SET total = 9223372036854775807 WHERE key >> 32 = BRANCH",
    "UPDATE message SET created_at = 9223372036854775807 WHERE key >> 32 = BRANCH",
    "UPDATE message SET created_at = -9223372036854775808 WHERE key >> 32 = BRANCH",
    "UPDATE turn SET created_at = 9223372036854775807 WHERE session = SESSION",
    "UPDATE turn SET ended_at = -9223372036854775808 WHERE session = SESSION",
    "UPDATE turn SET state = 0, created_at = 9223372036854775807 WHERE session = SESSION",
    "UPDATE turn SET state = 1, started_at = 9223372036854775807 WHERE session = SESSION",
    "UPDATE turn SET usage = '{\"inputTokens\":9223372036854775807,\"outputTokens\":9223372036854775807}' WHERE session = SESSION",
    "UPDATE branch SET fork_seq = 9223372036854775807 WHERE session = SESSION",
    "UPDATE branch SET created_at = 9223372036854775807 WHERE session = SESSION",
    "UPDATE attempt SET number = 9223372036854775807 WHERE turn IN (SELECT id FROM turn WHERE session = SESSION)",
    "UPDATE attempt SET started_at = 9223372036854775807 WHERE turn IN (SELECT id FROM turn WHERE session = SESSION)",
    "UPDATE usage SET input_tokens = 9223372036854775807, turns = 9223372036854775807 WHERE session = SESSION",
    "UPDATE calibration SET plain = 9223372036854775807, wide_samples = 9223372036854775807",
    "UPDATE message SET size = x'FFFFFFFFFFFFFF' WHERE key >> 32 = BRANCH",
    "UPDATE message SET size = x'F0FFFFFF7FFFFFFFFF3F' WHERE key >> 32 = BRANCH",
    "INSERT INTO mark (session, message, kind) SELECT SESSION, key, 7 FROM message WHERE key >> 32 = BRANCH LIMIT 1",
    // Circles of branches.
    "UPDATE branch SET parent = id, fork_seq = 4294967295 WHERE session = SESSION",
    "UPDATE branch SET parent = id, fork_seq = 1 WHERE session = SESSION",
    "INSERT INTO branch (id, session, parent, fork_seq, created_at) VALUES (900, SESSION, BRANCH, 5, 1); UPDATE branch SET parent = 900, fork_seq = 5 WHERE id = BRANCH",
    // What is no JSON, or stands on two lines.
    "UPDATE session SET mcp_servers = '[1,' WHERE name = 'bad'",
    "UPDATE session SET metadata = '}' WHERE name = 'bad'",
    "UPDATE session SET settings = '{\"window\":}' WHERE name = 'bad'",
    "UPDATE session SET tags = 'x' WHERE name = 'bad'",
    "UPDATE message SET content = '[{' WHERE key >> 32 = BRANCH",
    "UPDATE message SET metadata = '\"' WHERE key >> 32 = BRANCH",
    "UPDATE message SET content = '[{\"type\":\"text\",' || char(10) || '\"text\":\"two lines\"}]' WHERE key >> 32 = BRANCH",
    "UPDATE turn SET receipt = '{,}' WHERE session = SESSION",
    "UPDATE turn SET options = 'x' WHERE session = SESSION",
    "UPDATE turn SET error = '{', state = 5 WHERE session = SESSION",
    "UPDATE turn SET state = 0, prompt = '[' WHERE session = SESSION",
    "UPDATE turn SET usage = 'x' WHERE session = SESSION",
]

@Suite(.serialized) struct `A wild value in the database` {
    /// A stopped daemon's files with two sessions, made once.
    private static func original() throws -> (RealDaemon, row: String, branch: String) {
        let daemon = try RealDaemon()
        let client = try daemon.client()
        for name in ["good", "bad"] {
            try client.open(name)
            _ = try client.prompt(name, "hello to \(name)")
            _ = try client.prompt(name, "once more")
            _ = try client.call("_convod/turn/retry", #"{"sessionId":"\#(name)"}"#)
        }
        try daemon.stop()
        return (
            daemon, try daemon.sqlite("SELECT id FROM session WHERE name = 'bad'"),
            try daemon.sqlite(
                "SELECT min(id) FROM branch WHERE session = (SELECT id FROM session WHERE name = 'bad')")
        )
    }

    @Test func `costs its own session, which says which row it is, and nobody else`() throws {
        let (daemon, row, branch) = try Self.original()
        let copy = daemon.directory.file("original.db")
        try shell("cp", daemon.database, copy)
        var named = 0
        for statement in wild {
            try shell("cp", copy, daemon.database)
            let sql = statement.replacing("SESSION", row).replacing("BRANCH", branch)
            _ = try daemon.sqlite("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON; \(sql)")
            try daemon.start()
            named += try check(daemon, sql) ? 1 : 0
            #expect(try daemon.stop() == .exited(0), "\(sql)")
        }
        // All but what is repaired while it is read, or nobody reads.
        #expect(named >= wild.count - 8, "\(named) of \(wild.count) were named")
    }

    /// Asks everything of both sessions; whether the damaged row was named.
    private func check(_ daemon: RealDaemon, _ sql: String) throws -> Bool {
        let client = try daemon.client()
        var said = ""
        for (method, params) in [
            ("_convod/session/get", #"{"sessionId":"bad"}"#),
            ("_convod/message/list", #"{"sessionId":"bad"}"#),
            ("_convod/message/list", #"{"sessionId":"bad","last":1}"#),
            ("session/load", #"{"sessionId":"bad","cwd":"/","mcpServers":[]}"#),
            ("_convod/turn/list", #"{"sessionId":"bad"}"#), ("_convod/branch/list", #"{"sessionId":"bad"}"#),
            (
                "_convod/branch/compare",
                #"{"sessionId":"bad","branch":\#(Int(try daemon.sqlite("SELECT min(id) FROM branch WHERE session = (SELECT id FROM session WHERE name = 'bad')")) ?? 1)}"#
            ),
            ("_convod/context/preview", #"{"sessionId":"bad","prompt":[{"type":"text","text":"x"}]}"#),
            ("_convod/context/build", #"{"sessionId":"bad","dialect":"openai"}"#),
            ("_convod/export", #"{"sessionId":"bad"}"#), ("session/list", "{}"),
            ("_convod/session/find", "{}"), ("_convod/session/find", #"{"trashed":true}"#),
            ("_convod/session/find", #"{"idPrefix":"ba"}"#), ("_convod/watch", #"{"cursor":"w0"}"#),
            ("session/prompt", #"{"sessionId":"bad","prompt":[{"type":"text","text":"x"}]}"#),
            ("_convod/turn/retry", #"{"sessionId":"bad"}"#),
            ("_convod/turn/continue", #"{"sessionId":"bad"}"#),
            ("session/fork", #"{"sessionId":"bad","cwd":"/","mcpServers":[]}"#),
            (
                "_convod/message/append",
                #"{"sessionId":"bad","messages":[{"role":"user","content":[{"type":"text","text":"x"}]}]}"#
            ),
            ("_convod/session/set", #"{"sessionId":"bad","title":"t"}"#),
        ] {
            let answer = try client.call(method, params)
            said += text(answer.message.raw)
            #expect(answer.kind != "internal", "\(sql): \(method)")
        }
        let turns = try daemon.sqlite("SELECT lower(hex(uuid)) FROM turn").split(separator: "\n")
        for id in turns {
            let parts = [
                id.prefix(8), id.dropFirst(8).prefix(4), id.dropFirst(12).prefix(4),
                id.dropFirst(16).prefix(4), id.dropFirst(20),
            ]
            let answer = try client.call(
                "_convod/turn/get", #"{"turnId":"\#(parts.joined(separator: "-"))"}"#)
            said += text(answer.message.raw)
        }
        #expect(
            try client.prompt("good", "still here?").result?["stopReason"]?.string == "end_turn", "\(sql)")
        #expect(try client.messages("good").count == 6, "\(sql)")
        let listed = try client.call("_convod/session/find").result
        #expect(
            listed?["sessions"]?.elements.contains { $0["sessionId"]?.string == "good" } == true, "\(sql)")
        return said.contains("convo check --repair")
    }
}

extension String {
    /// The text with each `mark` as `other`.
    fileprivate func replacing(_ mark: String, _ other: String) -> String {
        var out = "", rest = self[...]
        while let range = rest.firstRange(of: mark) {
            out += rest[..<range.lowerBound] + other
            rest = rest[range.upperBound...]
        }
        return out + rest
    }
}
