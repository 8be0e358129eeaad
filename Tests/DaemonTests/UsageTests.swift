internal import JSON
internal import TestSupport
internal import Testing

@Suite struct `What was used` {
    private static let prices =
        "models: { openai: [{ match: 'm', prices: { input: 2, cachedInput: 0.5, output: 10 }, tiers: [{ above: 5000, prices: { input: 4, output: 20 } }] }] }"
    private static let counted =
        #"{"prompt_tokens":1000,"completion_tokens":100,"prompt_tokens_details":{"cached_tokens":600},"completion_tokens_details":{"reasoning_tokens":40}}"#

    private func report(_ client: TestClient, _ params: String = "{}") throws -> JSONView? {
        try client.call("_convod/usage", params).result
    }

    private func rows(_ report: JSONView?) -> [JSONView] {
        report?["rows"].map { $0.elements.map(\.self) } ?? []
    }

    @Test func `is summed up by day with money by the prices of the model, what is cached for less (N001)`()
        throws
    {
        let clock = ManualClock()
        let bench = try Bench(
            [[ScriptedUpstream.answer(["fine"], usage: Self.counted)]], more: Self.prices, clock: clock.now)
        _ = try bench.ask("s")
        _ = try bench.client.prompt("s", "again")
        clock.advance(86_400_000)
        _ = try bench.client.prompt("s", "the next day")
        let found = try report(bench.client), days = rows(found)
        #expect(days.map { $0["prompts"]?.int } == [2, 1])
        #expect(
            days.map { $0["day"]?.string } == days.map { $0["day"]?.string }.sorted { $0 ?? "" < $1 ?? "" })
        // 400 fresh at 2, 600 cached at 0.5, 100 of the answer at 10 dollars a million.
        #expect(days.map { $0["cost"]?.double } == [0.0042, 0.0021])
        let total = found?["total"]
        #expect(total?["inputTokens"]?.int == 3_000 && total?["cachedTokens"]?.int == 1_800)
        #expect(total?["outputTokens"]?.int == 300 && total?["thoughtTokens"]?.int == 120)
        #expect(total?["cost"]?.double == 0.0063 && total?["unpriced"]?.int == 0)
        #expect(total?["latencyMs"]?["p50"]?.int != nil && found?["more"]?.bool == false)
        let today = days.last?["day"]?.string ?? ""
        let one = try report(bench.client, #"{"from":"\#(today)","to":"\#(today)","by":[]}"#)
        #expect(rows(one).map { $0["prompts"]?.int } == [1] && rows(one)[0]["day"] == nil)
        let first = try report(bench.client, #"{"limit":1}"#)
        #expect(rows(first).count == 1 && first?["more"]?.bool == true)
        #expect(first?["total"]?["prompts"]?.int == 3)
    }

    @Test func `costs what is null where nobody knows, and says what is not in a sum`() throws {
        let answer = ScriptedUpstream.answer(["fine"], usage: Self.counted)
        let bench = try Bench([[answer]], more: Self.prices)
        _ = try bench.ask("known")
        try bench.client.open("unknown", #""model":"other""#)
        _ = try bench.client.prompt("unknown", "hello")
        let found = try report(bench.client, #"{"by":["model","upstream","user"]}"#)
        let models = rows(found)
        #expect(models.map { $0["model"]?.string } == ["m", "other"])
        #expect(models[0]["cost"]?.double == 0.0021 && models[1]["cost"]?.isNull == true)
        #expect(models.map { $0["unpriced"]?.int } == [0, 1])
        #expect(models.allSatisfy { $0["upstream"]?.string == "a" && $0["user"]?.int != nil })
        #expect(found?["total"]?["cost"]?.double == 0.0021 && found?["total"]?["unpriced"]?.int == 1)
        let sessions = rows(try report(bench.client, #"{"by":["session"]}"#))
        #expect(sessions.map { $0["sessionId"]?.string } == ["known", "unknown"])
        #expect(sessions.allSatisfy { $0["latencyMs"] == nil })
    }

    @Test func `counts turns that came to nothing, and a large request by its own price`() throws {
        let large = #"{"prompt_tokens":6000,"completion_tokens":100}"#
        let bench = try Bench(
            [
                [
                    ScriptedUpstream.failure("400 Bad Request", "{}"),
                    ScriptedUpstream.answer(["fine"], usage: large),
                ]
            ],
            more: Self.prices)
        let failed = try bench.ask("s")
        #expect(failed.error != nil)
        _ = try bench.client.prompt("s", "again")
        let total = try report(bench.client)?["total"]
        #expect(total?["prompts"]?.int == 2 && total?["failures"]?.int == 1)
        #expect(total?["cost"]?.double == 0.026 && total?["unpriced"]?.int == 0)
    }

    /// An answer of Anthropic's that is cut behind its first words: 1,000 tokens of a prompt, 600 out of the cache.
    private static let cut: [ScriptedUpstream.Step] = [
        .write(
            ScriptedUpstream.head
                + [
                    #"{"type":"message_start","message":{"usage":{"input_tokens":400,"cache_read_input_tokens":600,"output_tokens":1}}}"#,
                    #"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
                    #"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"some words of an answer that is cut"}}"#,
                ].map { "data: \($0)\n\n" }.joined()), .reset,
    ]

    @Test func `is what the provider counted, also where the answer was cut`() throws {
        let bench = try Bench([[Self.cut]], kind: "anthropic")
        let answer = try bench.ask("s")
        #expect(answer.kind == "interrupted" || answer.result?["stopReason"]?.string != nil, "\(answer)")
        let total = try report(bench.client)?["total"]
        #expect(total?["inputTokens"]?.int == 1_000 && total?["cachedTokens"]?.int == 600)
        #expect((5...30).contains(total?["outputTokens"]?.int ?? 0))
        let turns = try bench.client.call("_convod/turn/list", #"{"sessionId":"s"}"#).result?["turns"]
        let turn = turns?.elements.first { _ in true }
        #expect(turn?["usage"]?["inputTokens"]?.int == 1_000)
        let id = turn?["turnId"]?.string ?? ""
        let whole = try bench.client.call("_convod/turn/get", #"{"turnId":"\#(id)"}"#).result
        #expect(whole?["receipt"]?["counted"]?.int == 1_000)
    }

    @Test func `is the request's estimate where a prompt was cancelled before the first word of its answer`()
        throws
    {
        let bench = try Bench([[[.untilClosed]]], more: "quotas: { user: { tokensPerDay: 2500 } }")
        try bench.client.open("s")
        let id = try bench.client.startPrompt("s", String(repeating: "word ", count: 3_000))
        while bench.counts[0] == 0 { _ = try bench.client.call("_convod/server/info") }
        try bench.client.send(#"{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"s"}}"#)
        #expect(try bench.client.finish(id).result?["stopReason"]?.string == "cancelled")
        #expect(try report(bench.client)?["total"]?["inputTokens"]?.int ?? 0 > 2_500)
        #expect(try bench.client.prompt("s", "hello").kind == "quota")
    }

    @Test func `is of tries too whose answers were thrown away`() throws {
        let bench = try Bench(
            [[Self.cut, Self.cut, ScriptedUpstream.fineByAnthropic]], kind: "anthropic",
            more: "retry: { base: '1ms', cutStream: 'restart', attempts: 3 }")
        #expect(try bench.ask("s").text().hasSuffix("fine"))
        let total = try report(bench.client)?["total"]
        #expect(total?["inputTokens"]?.int == 2_003 && total?["cachedTokens"]?.int == 1_200)
        #expect(total?["prompts"]?.int == 1)
    }

    @Test func `has what summaries cost, which are no prompts`() throws {
        let answer = ScriptedUpstream.answer(["fine"], usage: Self.counted)
        let bench = try Bench([[answer]], more: Self.prices)
        for _ in 0..<2 { _ = try bench.ask("s") }
        let made = try bench.client.call("_convod/session/compact", #"{"sessionId":"s"}"#).result
        #expect(made?["cost"]?.double == 0.0021)
        let total = try report(bench.client)?["total"]
        #expect(total?["prompts"]?.int == 2 && total?["inputTokens"]?.int == 3_000)
        #expect(total?["cost"]?.double == 0.0063)
    }

    @Test(arguments: [
        #"{"by":["hour"]}"#, #"{"by":["day","day"]}"#, #"{"from":"yesterday"}"#, #"{"from":"2026-02-30"}"#,
        #"{"from":"2026-11-25","to":"2026-11-24"}"#, #"{"from":"2000-01-01","to":"2026-01-01"}"#,
        #"{"limit":0}"#,
        #"{"from":"0001-01-01"}"#,
    ])
    func `is asked for in a way that says what is wrong`(_ params: String) throws {
        let daemon = try TestDaemon(), client = try daemon.client()
        #expect(try client.call("_convod/usage", params).kind == "invalid_params")
        #expect(daemon.database != "")
    }

    @Test func `is estimated before a prompt is sent, where the price is known`() throws {
        let bench = try Bench(
            [[ScriptedUpstream.answer(["fine"], usage: "null")]], each: "contextLength: 100000",
            more: Self.prices)
        _ = try bench.ask("s", String(repeating: "some words ", count: 400))
        let ask = #"{"sessionId":"s","prompt":[{"type":"text","text":"short"}]}"#
        let preview = try bench.client.call("_convod/context/preview", ask).result
        let tokens = Double(preview?["receipt"]?["estimate"]?.int ?? 0)
        let cost = preview?["cost"]
        #expect(abs((cost?["input"]?.double ?? 0) - tokens * 2 / 1_000_000) < 0.000_002)
        #expect(cost?["cachedInput"]?.double ?? 1 < (cost?["input"]?.double ?? 0) / 3)
        #expect(cost?["output"]?.double == 1_024 * 10 / 1_000_000.0)
        let other = try bench.client.call(
            "_convod/context/build", #"{"sessionId":"s","model":"other"}"#
        ).result
        #expect(other != nil && other?["cost"] == nil)
    }
}

extension `What was used` {
    /// An answer of each kind of upstream with this usage.
    private static func answer(_ kind: String, _ usage: String) -> [ScriptedUpstream.Step] {
        switch kind {
        case "anthropic":
            [
                .write(
                    ScriptedUpstream.head
                        + [
                            #"{"type":"message_start","message":{"usage":{\#(usage)}}}"#,
                            #"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
                            #"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"fine"}}"#,
                            #"{"type":"content_block_stop","index":0}"#,
                            #"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":43}}"#,
                            #"{"type":"message_stop"}"#,
                        ].map { "data: \($0)\n\n" }.joined())
            ]
        case "gemini":
            [
                .write(
                    ScriptedUpstream.head
                        + #"data: {"candidates":[{"content":{"parts":[{"text":"fine"}]},"finishReason":"STOP"}],"usageMetadata":{\#(usage),"candidatesTokenCount":43}}"#
                        + "\r\n\r\n")
            ]
        default: ScriptedUpstream.answer(["fine"], usage: "{\"completion_tokens\":43,\(usage)}")
        }
    }

    /// OpenAI and Gemini count what is cached within the prompt, Anthropic beside it, and llama.cpp says it twice.
    @Test(arguments: [
        (
            "openai", #""prompt_tokens":3000"#,
            #""prompt_tokens":3000,"prompt_tokens_details":{"cached_tokens":2957}"#
        ),
        (
            "openai", #""prompt_tokens":3000"#,
            #""prompt_tokens":3000},"timings":{"cache_n":2957,"prompt_n":43"#
        ),
        (
            "anthropic", #""input_tokens":3000"#,
            #""input_tokens":43,"cache_read_input_tokens":2957,"cache_creation_input_tokens":0"#
        ),
        ("gemini", #""promptTokenCount":3000"#, #""promptTokenCount":3000,"cachedContentTokenCount":2957"#),
    ]) func `holds what was cached once, however a provider says it (N001)`(
        kind: String, fresh: String, cached: String
    ) throws {
        var learned: [String] = []
        for usage in [fresh, cached] {
            let bench = try Bench(
                [[Self.answer(kind, usage)]], kind: kind, each: "contextLength: 65536")
            let answer = try bench.ask("s", String(repeating: "some more words ", count: 800))
            #expect(answer.text() == "fine", "\(text(answer.message.raw))")
            #expect(answer.extras?["usage"]?["inputTokens"]?.int == 3_000, "\(usage)")
            let receipt = answer.extras?["receipt"]
            #expect(receipt?["counted"]?.int == 3_000 && receipt?["cutByServer"] == nil, "\(usage)")
            let used = answer.updates.compactMap { $0["params"]?["update"] }.filter {
                $0["sessionUpdate"]?.string == "usage_update"
            }
            #expect(used.last?["used"]?.int == 3_043 && used.last?["size"]?.int == 65_536, "\(usage)")
            learned.append(
                try shell("sqlite3", bench.daemon.database, "SELECT plain_samples, plain FROM calibration"))
            let next = try bench.client.prompt("s", "and now?").extras?["receipt"]
            #expect(next?["rule"]?.string == "fits" && next?["leftOutMessages"]?.int == 0, "\(usage)")
        }
        #expect(learned[0] == learned[1] && learned[0].hasPrefix("1|"), "\(learned)")
    }

    @Test func `is told to clients by the estimate where the provider counts nothing`() throws {
        let uncounted: [ScriptedUpstream.Step] = [
            .write(
                ScriptedUpstream.head
                    + "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"fine\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
            )
        ]
        let bench = try Bench([[uncounted]], each: "contextLength: 65536")
        let answer = try bench.ask("s", String(repeating: "some more words ", count: 800))
        #expect(answer.text() == "fine" && answer.extras?["usage"]?["inputTokens"] == nil)
        let used = answer.updates.compactMap { $0["params"]?["update"] }.first {
            $0["sessionUpdate"]?.string == "usage_update"
        }
        let estimate = answer.extras?["receipt"]?["estimate"]?.int
        #expect(used?["size"]?.int == 65_536 && used?["used"]?.int == estimate && (estimate ?? 0) > 1_000)
    }
}
