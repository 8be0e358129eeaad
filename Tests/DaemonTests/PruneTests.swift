internal import JSON
internal import Posix
internal import Protocol
internal import TestSupport
internal import Testing

@Suite struct `Pruning` {
    private func pruned(_ client: TestClient, _ params: String) throws -> String {
        let answer = try client.call("_convod/store/prune", "{\(params)}")
        guard let result = answer.result else { return answer.kind ?? "" }
        return
            "\(result["sessions"]?.int ?? -1) \(result["messages"]?.int ?? -1) \(result["bytes"]?.int ?? -1)"
    }

    private func names(_ client: TestClient, _ params: String = "{}") throws -> [String] {
        try client.call("_convod/session/find", params).result?["sessions"]?.elements.compactMap {
            $0["sessionId"]?.string
        }.sorted() ?? []
    }

    @Test func `takes what its dry run counted, in the trash unless more is asked for (B181)`() throws {
        let daemon = try TestDaemon(), client = try daemon.client()
        for name in ["a", "b", "c", "d"] {
            try client.open(name, name == "c" ? #""tags":["old"]"# : "")
            _ = try client.prompt(name, "words of \(name)")
        }
        for name in ["a", "b"] { _ = try client.call("session/delete", #"{"sessionId":"\#(name)"}"#) }
        let would = try pruned(client, #""dryRun":true"#)
        #expect(would.hasPrefix("2 4 "))
        #expect(try names(client, #"{"trashed":true}"#) == ["a", "b"])
        #expect(try pruned(client, "") == would)
        #expect(try names(client, #"{"trashed":true}"#) == [])
        #expect(try pruned(client, #""scope":"all""#) == "invalid_params")
        let tagged = try pruned(client, #""scope":"live","tag":"old","dryRun":true"#)
        #expect(try pruned(client, #""scope":"live","tag":"old""#) == tagged)
        #expect(try names(client) == ["d"])
        #expect(try pruned(client, #""scope":"live","before":"2020-01-01T00:00:00.000Z""#) == "0 0 0")
        #expect(try pruned(client, #""scope":"live","before":"2100-01-01T00:00:00.000Z""#).hasPrefix("1 2 "))
        #expect(try names(client) == [])
    }

    @Test func `of one session is refused while it answers, and of one that is not there`() throws {
        let daemon = try TestDaemon(), client = try daemon.client()
        #expect(try client.call("_convod/session/purge", #"{"sessionId":"none"}"#).kind == "not_found")
        try client.open("m", #""ephemeral":true"#)
        _ = try client.prompt("m", "words")
        let gone = try client.call("_convod/session/purge", #"{"sessionId":"m"}"#).result
        #expect(gone?["messages"]?.int == 2)
        #expect(try client.call("_convod/session/get", #"{"sessionId":"m"}"#).kind == "not_found")
    }

    @Test(arguments: [nil, "temp"])
    func `is done by itself with what changed longest ago, where there is more than is to be kept`(
        tag: String?
    )
        throws
    {
        let directory = try TemporaryDirectory(), words = String(repeating: "word ", count: 6_000)
        do {
            let daemon = try TestDaemon(in: directory)
            let client = try daemon.client()
            for name in ["a", "b", "shelf", "c", "d"] {
                try client.open(name, name == "a" || name == "shelf" ? #""tags":["temp"]"# : "")
                _ = try client.call(
                    "_convod/message/append",
                    #"{"sessionId":"\#(name)","messages":[{"role":"user","content":[{"type":"text","text":"\#(words)"}]}]}"#
                )
            }
            _ = try client.call("_convod/session/set", #"{"sessionId":"shelf","archived":true}"#)
            daemon.stop()
        }
        // Each holds 30,000 bytes: the two that changed last fit.
        let rule = tag.map { ", tag: '\($0)'" } ?? ""
        let daemon = try TestDaemon(
            "{ upstreams: { echo: { kind: 'echo' } }, retention: { size: '64KiB'\(rule) } }", in: directory)
        let client = try daemon.client()
        let gone = tag == nil ? ["a", "b"] : ["a"]
        try Patience.until(gone + ["shelf"]) { try names(client, #"{"trashed":true}"#) }
        #expect(try names(client, #"{"trashed":true,"archived":true}"#) == ["shelf"])
        #expect(try names(client) == ["b", "c", "d"].filter { !gone.contains($0) })
        try Patience.until(gone + ["shelf"]) {
            let changes = try client.call("_convod/audit").result?["changes"]?.elements
            return changes?.compactMap { $0["method"]?.string == "retention" ? $0["session"]?.string : nil }
                .sorted() ?? []
        }
    }

    @Test
    func
        `is done by itself with what was in the trash for thirty days, and with what nobody touched as long as is said`()
        throws
    {
        let directory = try TemporaryDirectory(), time = Locked(Int64(1_700_000_000_000))
        let day: Int64 = 86_400_000
        do {
            let daemon = try TestDaemon(in: directory, clock: { time.withLock { $0 } })
            let client = try daemon.client()
            for name in ["old", "trashed", "tagged"] {
                try client.open(name, name == "tagged" ? #""tags":["temp"]"# : "")
                _ = try client.prompt(name, "words")
            }
            _ = try client.call("session/delete", #"{"sessionId":"trashed"}"#)
            daemon.stop()
        }
        time.withLock { $0 += 29 * day }
        let retention = "{ upstreams: { echo: { kind: 'echo' } }, retention: { age: '20d', tag: 'temp' } }"
        do {
            let daemon = try TestDaemon(retention, in: directory, clock: { time.withLock { $0 } })
            let client = try daemon.client()
            try Patience.until(["tagged", "trashed"]) { try names(client, #"{"trashed":true}"#) }
            #expect(try names(client) == ["old"])
            daemon.stop()
        }
        time.withLock { $0 += 2 * day }
        let daemon = try TestDaemon(retention, in: directory, clock: { time.withLock { $0 } })
        let client = try daemon.client()
        try Patience.until(["tagged"]) { try names(client, #"{"trashed":true}"#) }
        #expect(try names(client) == ["old"])
    }
}

extension `Pruning` {
    @Test func `goes by a clock that leapt ahead a day later only`() throws {
        let directory = try TemporaryDirectory(), wall = ManualClock(), steady = ManualClock()
        let day: Int64 = 86_400_000
        let words = [String](repeating: "word", count: 15_000).joined(separator: " ")
        let daemon = try TestDaemon(
            "{ upstreams: { echo: { kind: 'echo' } }, retention: { size: '64KiB' } }", in: directory,
            clock: wall.now, steady: steady.now)
        let client = try daemon.client()
        for name in ["trashed", "later", "other"] { try client.open(name) }
        _ = try client.prompt("trashed", "hello")
        _ = try client.call("session/delete", #"{"sessionId":"trashed"}"#)
        wall.advance(40 * day)
        _ = try client.call(
            "_convod/message/append",
            #"{"sessionId":"later","messages":[{"role":"user","content":[{"type":"text","text":"\#(words)"}]}]}"#
        )
        // That this one went, for its size, says that the look is over.
        _ = try client.prompt("other", "hello")
        _ = try client.call("_convod/server/reload")
        try Patience.until(["later", "trashed"]) { try names(client, #"{"trashed":true}"#) }
        steady.advance(day)
        wall.advance(day)
        _ = try client.call("_convod/server/reload")
        try Patience.until([String]()) { try names(client, #"{"trashed":true}"#).filter { $0 == "trashed" } }
    }

    @Test
    func `leaves alone what answers, and a deletion ends the turn first and leaves nothing behind (B067)`()
        throws
    {
        let daemon = try TestDaemon()
        let client = try daemon.client(), other = try daemon.client()
        try client.open("s")
        let running = try client.startPrompt("s", "count to a thousand")
        _ = try client.update { $0["params"]?["update"]?["sessionUpdate"]?.string == "agent_message_chunk" }
        let session = #"{"sessionId":"s"}"#
        #expect(try other.call("_convod/session/purge", session).kind == "busy")
        let all = #"{"scope":"live","before":"2100-01-01T00:00:00.000Z"}"#
        #expect(try other.call("_convod/store/prune", all).result?["sessions"]?.int == 0)

        #expect(try other.call("session/delete", session).result != nil)
        let end = try client.finish(running)
        #expect(end.result?["stopReason"]?.string == "cancelled")
        // Nothing more is told of it, and one end is told.
        #expect(try client.call("_convod/server/info").updates.allSatisfy { $0["method"] != nil })
        #expect(try other.call("_convod/session/purge", session).result?["messages"]?.int == 2)
        for table in ["session", "message", "turn", "piece"] {
            #expect(
                try shell("sqlite3", daemon.database, "SELECT count(*) FROM \(table)") == "0\n", "\(table)")
        }
        #expect(try shell("sqlite3", daemon.database, "PRAGMA foreign_key_check") == "")
        #expect(
            daemon.logged.allSatisfy {
                !$0.contains("not_stored") && !$0.lowercased().contains("constraint")
            }, "\(daemon.logged)")
    }
}

extension `Pruning` {
    @Test func `leaves what answers now, and takes what changed before the moment, not at it (B068, B181)`()
        throws
    {
        let clock = ManualClock(), steady = ManualClock()
        let bench = try Bench(
            [
                [
                    [
                        .write(ScriptedUpstream.head + ScriptedUpstream.chunk(#"{"content":"half"}"#)),
                        .untilClosed,
                    ]
                ]
            ], clock: clock.now, steady: steady.now)
        let client = bench.client
        try client.open("busy")
        let running = try client.startPrompt("busy", "hello")
        _ = try client.update { $0["params"]?["update"]?["sessionUpdate"]?.string == "agent_message_chunk" }
        for name in ["old", "edge"] {
            clock.advance(1_000)
            try client.open(name, #""upstream":"echo""#)
            _ = try client.prompt(name, "words of \(name)")
        }
        let edge = try client.call("_convod/session/get", #"{"sessionId":"edge"}"#).result
        let moment = try #require(edge?["updatedAt"]?.string)
        // The clock goes back: what is older is told by the sessions' own times all the same.
        clock.advance(-86_400_000)
        let scope = #""scope":"live","before":"\#(moment)""#
        let would = try pruned(client, scope + #","dryRun":true"#)
        #expect(would.hasPrefix("1 2 "), "\(would)")
        #expect(try pruned(client, scope) == would)
        #expect(try names(client) == ["busy", "edge"])
        let all = #""scope":"live","before":"2100-01-01T00:00:00.000Z""#
        let rest = try pruned(client, all + #","dryRun":true"#)
        #expect(rest.hasPrefix("1 2 "), "\(rest)")
        #expect(try pruned(client, all) == rest)
        #expect(try names(client) == ["busy"])
        #expect(try client.call("_convod/session/purge", #"{"sessionId":"busy"}"#).kind == "busy")
        try client.send(#"{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"busy"}}"#)
        #expect(try client.finish(running).result?["stopReason"]?.string == "cancelled")
        #expect(try client.messages("busy") == ["user: hello", "assistant: half [cancelled]"])
    }
}

extension `Pruning` {
    @Test func `gives the pages back at once, and the statistics say what is free in the file (N019)`() throws
    {
        let daemon = try TestDaemon(), client = try daemon.client()
        let result = String(repeating: "tool output ", count: 17_000)
        func file() throws -> (bytes: Int, free: Int) {
            let file = try client.call("_convod/store/stats").result?["file"]
            return (file?["bytes"]?.int ?? -1, file?["free"]?.int ?? -1)
        }
        for number in 0..<20 {
            try client.open("s\(number)")
            let answer = try client.call(
                "_convod/message/append",
                #"{"sessionId":"s\#(number)","messages":[{"role":"user","content":[{"type":"text","text":"q"}]},{"role":"assistant","content":[{"type":"tool_call","id":"c","name":"f","arguments":{}}]},{"role":"tool","content":[{"type":"tool_result","toolCallId":"c","content":\#(quoted(result))}]}]}"#
            )
            #expect(answer.error == nil)
        }
        let full = try file()
        #expect(full.bytes > 20 * result.utf8.count)
        for number in 1..<20 { _ = try client.call("session/delete", #"{"sessionId":"s\#(number)"}"#) }
        #expect(try pruned(client, "").hasPrefix("19 57 "))
        let after = try file()
        #expect(after.free == 0 && after.bytes < full.bytes / 4, "\(full) \(after)")
        #expect(try client.messages("s0").count == 3)
    }
}

@Suite struct `A file that holds more than it needs` {
    @Test func `is made smaller on request, and answered when it is`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("s")
        let words = String(repeating: "words that go ", count: 2_000)
        for _ in 0..<40 {
            let message = #"{"role":"user","content":[{"type":"text","text":\#(quoted(words))}]}"#
            #expect(
                try client.call(
                    "_convod/message/append", #"{"sessionId":"s","messages":[\#(message)]}"#
                ).result != nil)
        }
        // Free pages, as somebody's own statement leaves them.
        try shell(
            "sqlite3", daemon.database,
            "PRAGMA busy_timeout = 5000; DELETE FROM search_state; UPDATE message SET content = '[]'")
        let done = try client.call("_convod/store/compact", "{}").result
        let before = done?["bytesBefore"]?.int ?? 0, now = done?["bytes"]?.int ?? 0
        #expect(before > 1_000_000 && now < before / 2, "\(before) \(now)")
        #expect(try Files.status(daemon.database)?.size == Int64(now))
        #expect(try client.messages("s").count == 40)
        // Nothing is left to do, and that is answered too.
        #expect(try client.call("_convod/store/compact", "{}").result?["bytes"]?.int == now)
    }
}
