internal import JSON
internal import TestSupport
internal import Testing

private func daemon(_ more: String, clock: ManualClock = ManualClock()) throws -> TestDaemon {
    try TestDaemon("{ upstreams: { echo: { kind: 'echo' } }, \(more) }", clock: clock.now)
}

@Suite struct `A user's limit of prompts` {
    @Test func `refuses with the wait where that is too long`() throws {
        let clock = ManualClock()
        let daemon = try daemon("throttle: { promptsPerMinute: 1, wait: '10s' }", clock: clock)
        let client = try daemon.client()
        try client.open("s")
        #expect(try client.prompt("s", "one").result != nil)
        let answer = try client.prompt("s", "two")
        #expect(answer.kind == "throttled")
        #expect(answer.message["error"]?["data"]?["retryAfterMs"]?.int == 60_000)
        clock.advance(60_000)
        #expect(try client.prompt("s", "three").result != nil)
        #expect(try client.messages("s").count == 4, "the refused prompt was not stored")
    }

    @Test func `counts a summary that was asked for, and none that only was looked at`() throws {
        let clock = ManualClock()
        let daemon = try daemon("throttle: { promptsPerMinute: 3, wait: '0s' }", clock: clock)
        let client = try daemon.client()
        try client.open("s")
        for text in ["one", "two"] { _ = try client.prompt("s", text) }
        let look = #"{"sessionId":"s","dryRun":true}"#, make = #"{"sessionId":"s"}"#
        for _ in 0..<3 { #expect(try client.call("_convod/session/compact", look).kind != "throttled") }
        #expect(try client.call("_convod/session/compact", make).kind != "throttled")
        #expect(try client.call("_convod/session/compact", make).kind == "throttled")
        #expect(try client.prompt("s", "three").kind == "throttled")
        clock.advance(60_000)
        #expect(try client.prompt("s", "four").result != nil)
    }

    @Test func `puts a prompt into the stored queue where it may wait, and says for how long`() throws {
        let clock = ManualClock()
        let daemon = try daemon("throttle: { promptsPerMinute: 1, wait: '2m' }", clock: clock)
        let client = try daemon.client()
        try client.open("s")
        _ = try client.prompt("s", "one")
        let id = try client.startPrompt("s", "two")
        let update = try client.update { $0.extras?["waitMs"] != nil }
        #expect(update.extras?["waitMs"]?.int == 60_000 && update.extras?["state"]?.string == "queued")
        let turn = update.extras?["turnId"]?.string ?? ""
        #expect(
            try client.call("_convod/turn/get", #"{"turnId":"\#(turn)"}"#).result?["state"]?.string
                == "queued")
        _ = try client.start("_convod/turn/cancel", #"{"turnId":"\#(turn)"}"#)
        #expect(try client.finish(id).result?["stopReason"]?.string == "cancelled")
    }
}

@Suite struct `A quota` {
    @Test func `of a user is not passed by prompts that come at once`() throws {
        // A prompt has about 1,250 tokens, and its answer as many.
        let daemon = try daemon("quotas: { user: { tokensPerDay: 2500 } }"), client = try daemon.client()
        let words = String(repeating: "word ", count: 1_000)
        for number in 0..<12 { try client.open("s\(number)") }
        let ids = try (0..<12).map { try client.startPrompt("s\($0)", words) }
        var kinds: [Int: String] = [:]
        while kinds.count < ids.count {
            let message = try client.next()
            guard let id = message["id"]?.int, ids.contains(id) else { continue }
            kinds[id] = message["error"]?["data"]?["kind"]?.string ?? "answered"
        }
        let answered = kinds.values.count { $0 == "answered" }
        #expect(
            (1...2).contains(answered)
                && kinds.values.count { $0 == "throttled" || $0 == "quota" } == 12 - answered, "\(kinds)")
        #expect(try client.prompt("s0", "one more").kind == "quota", "6,000 tokens are used")
    }

    @Test func `taken by prompts that run refuses no prompt that repeats another`() throws {
        let server = try ScriptedUpstream([
            ScriptedUpstream.answer(["fine"]),
            [.write(ScriptedUpstream.head + ScriptedUpstream.chunk(#"{"content":"half"}"#)), .untilClosed],
        ])
        let daemon = try TestDaemon(
            "{ upstreams: { up: { kind: 'openai', baseURL: '\(server.base)', model: 'm' } }, quotas: { user: { tokensPerDay: 100 } } }"
        )
        let client = try daemon.client()
        for name in ["s", "t"] { try client.open(name) }
        // The server says that it counted ten tokens, and the estimate is some 250, later 160.
        let words = String(repeating: "word ", count: 200)
        #expect(try client.prompt("s", words, #""requestId":"r1""#).result != nil)
        _ = try client.startPrompt("t", words)
        _ = try client.update { $0["params"]?["update"]?["sessionUpdate"]?.string == "agent_message_chunk" }
        #expect(try client.prompt("s", words, #""requestId":"r1""#).extras?["repeated"]?.bool == true)
        let other = try client.prompt("s", words, #""requestId":"r2""#)
        #expect(
            other.kind == "throttled" && other.error?["data"]?["retryable"]?.bool == true, "\(other.message)")
        try client.send(#"{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"t"}}"#)
    }

    @Test func `that prompts take which are being answered is free again where they use less`() throws {
        let daemon = try daemon("quotas: { user: { tokensPerDay: 1000000 } }"), client = try daemon.client()
        for number in 0..<40 { try client.open("s\(number)") }
        for _ in 0..<3 {
            let ids = try (0..<40).map { try client.startPrompt("s\($0)", "hello") }
            var left = Set(ids)
            while !left.isEmpty {
                let line = try client.next()
                if let id = line["id"]?.int, left.remove(id) != nil { #expect(line["result"] != nil) }
            }
        }
    }

    @Test func `of a session pauses it with a sentence, and raising it goes on`() throws {
        let daemon = try daemon("quotas: { session: { tokens: 10 } }")
        let client = try daemon.client()
        try client.open("s")
        let first = try client.startPrompt("s", "count to 20")
        let second = try client.startPrompt("s", "and then")
        #expect(try client.finish(first).result != nil)
        let paused = try client.update { $0.extras?["state"]?.string == "paused" }
        #expect(paused.extras?["reason"]?.string?.contains("is paused: it has used") == true)
        #expect(try client.prompt("s", "third").kind == "paused", "a new prompt is refused")
        let raised = try client.start("_convod/session/set", #"{"sessionId":"s","quota":{"tokens":1000000}}"#)
        var isAnswered = false
        while !isAnswered {
            let message = try client.next()
            if message["id"]?.int == raised {
                #expect(message["result"]?["quota"]?["tokens"]?.int == 1_000_000)
            }
            if message["id"]?.int == second {
                isAnswered = true
                #expect(message["result"] != nil, "the queued prompt went on")
            }
        }
        #expect(try client.prompt("s", "fourth").result != nil)
    }

    @Test func `of a user's day refuses until the next, and counts over sessions`() throws {
        let clock = ManualClock()
        let daemon = try daemon("quotas: { user: { tokensPerDay: 10 } }", clock: clock)
        let client = try daemon.client()
        try client.open("one")
        try client.open("two")
        #expect(try client.prompt("one", "hello").result != nil)
        let answer = try client.prompt("two", "hello")
        #expect(answer.kind == "quota")
        #expect(answer.message["error"]?["data"]?["retryAfterMs"]?.int == 18 * 3_600_000)
        clock.advance(18 * 3_600_000)
        #expect(try client.prompt("two", "hello").result != nil)
    }

    @Test func `counts cost by the price of the upstream, in the database`() throws {
        let server = try ScriptedUpstream([ScriptedUpstream.answer(["hi"])])
        let configuration =
            "{ upstreams: { up: { kind: 'openai', baseURL: '\(server.base)', model: 'm', price: { input: 1000000, output: 2000000 } } }, quotas: { session: { cost: 13 } } }"
        let daemon = try TestDaemon(configuration)
        let client = try daemon.client()
        try client.open("s")
        _ = try client.prompt("s", "one")  // 7 tokens in and 3 out: 13 dollars
        let answer = try client.prompt("s", "two")
        #expect(answer.kind == "paused")
        #expect(answer.error?["message"]?.string?.contains("13.0000 of 13.0000 dollars") == true)
        #expect(
            try shell(
                "sqlite3", daemon.database,
                "SELECT upstream, model, turns, input_tokens, output_tokens, dollars FROM usages")
                == "up|m|1|7|3|13.0\n")
    }
}
