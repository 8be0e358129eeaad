internal import JSON
internal import TestSupport
internal import Testing

private let fine = ScriptedUpstream.answer(["fine"])

/// A Gemini answer of these chunks.
private func gemini(_ chunks: String...) -> [ScriptedUpstream.Step] {
    [.write(ScriptedUpstream.head + chunks.map { "data: \($0)\r\n\r\n" }.joined())]
}

/// An Anthropic answer of these events.
private func anthropic(_ events: String...) -> [ScriptedUpstream.Step] {
    [.write(ScriptedUpstream.head + events.map { "data: \($0)\n\n" }.joined())]
}

@Suite struct `A repeated question` {
    private func cached(_ scripts: [[ScriptedUpstream.Step]], _ more: String = "") throws -> Bench {
        try Bench([scripts], more: "cache: { enabled: true }\(more)")
    }

    @Test func `is answered from the cache, streamed and marked`() throws {
        let bench = try cached([fine, ScriptedUpstream.answer(["other"])])
        #expect(try bench.ask("s1").extras?["cached"]?.bool == false)
        let answer = try bench.ask("s2")
        #expect(answer.text() == "fine" && answer.extras?["cached"]?.bool == true)
        #expect(bench.counts == [1])
        #expect(try bench.outcomes(answer) == ["a cached"])
        #expect(try bench.client.messages("s2") == ["user: hello", "assistant: fine"])
    }

    @Test func `is asked anew when anything of the request differs`() throws {
        let bench = try cached([fine])
        _ = try bench.ask("s1")
        _ = try bench.ask("s2", "hello", #""params":{"temperature":0.1}"#)
        _ = try bench.ask("s3", "hello", #""model":"n""#)
        _ = try bench.ask("s4", "hello!")
        #expect(bench.counts == [4])
    }

    @Test func `is asked anew when the answer was cut at the limit, or is too old`() throws {
        let bench = try cached([ScriptedUpstream.answer(["cut"], finish: "length")])
        _ = try bench.ask("s1")
        _ = try bench.ask("s2")
        #expect(bench.counts == [2])
        let clock = ManualClock()
        let aged = try Bench([[fine]], more: "cache: { enabled: true, age: '1h' }", clock: clock.now)
        _ = try aged.ask("s1")
        clock.advance(3_600_000)
        _ = try aged.ask("s2")
        #expect(aged.counts == [2])
    }

    @Test func `is asked each time where the cache is off, as it is by default`() throws {
        let bench = try Bench([[fine]])
        _ = try bench.ask("s1")
        _ = try bench.ask("s2")
        #expect(bench.counts == [2])
    }
}

@Suite struct `An answer that is cut` {
    private let cut = [
        ScriptedUpstream.Step.write(ScriptedUpstream.head + ScriptedUpstream.chunk(#"{"content":"half"}"#))
    ]

    @Test func `is kept and marked, and not asked for again, by default`() throws {
        let bench = try Bench([[cut, fine]])
        let answer = try bench.ask("s")
        #expect(answer.kind == "interrupted" && bench.counts == [1])
        #expect(try bench.client.messages("s") == ["user: hello", "assistant: half [interrupted]"])
        #expect(try bench.client.prompt("s", "go on").text() == "fine")
    }

    @Test
    func `begins anew under another message ID where that is wanted, and the partial one is off the path`()
        throws
    {
        let bench = try Bench([[cut, fine]], more: "retry: { cutStream: 'restart', base: '1ms' }")
        let answer = try bench.ask("s")
        #expect(answer.extras?["upstream"]?.string == "a")
        let chunks = answer.updates.compactMap { $0["params"]?["update"] }.filter {
            $0["sessionUpdate"]?.string == "agent_message_chunk"
        }
        #expect(chunks.map { $0["content"]?["text"]?.string } == ["half", "fine"])
        #expect(chunks[1]["_meta"]?["convod"]?["offset"]?.int == 0)
        let partial = chunks[0]["messageId"]?.string
        #expect(chunks[1]["_meta"]?["convod"]?["replaces"]?.string == partial)
        #expect(answer.extras?["messageId"]?.string == chunks[1]["messageId"]?.string)
        #expect(try bench.client.messages("s") == ["user: hello", "assistant: fine"])
        let kept = "SELECT status, text FROM messages WHERE role = 'assistant' ORDER BY status"
        #expect(try shell("sqlite3", bench.daemon.database, kept) == "complete|fine\nfailed|half\n")
        #expect(try bench.outcomes(answer) == ["a interrupted", "a complete"])
    }
}

@Suite struct `A context that a provider calls too long` {
    private func tooLong(_ words: String) -> [ScriptedUpstream.Step] {
        ScriptedUpstream.failure(
            "400 Bad Request", #"{"error":{"message":"\#(words)","code":"context_length_exceeded"}}"#)
    }

    /// A session with some history, over a script for what comes then.
    private func told(_ scripts: [[ScriptedUpstream.Step]]) throws -> Bench {
        let bench = try Bench([Array(repeating: fine, count: 8) + scripts])
        try bench.client.open("s")
        for k in 1...8 {
            _ = try bench.client.prompt("s", "question \(k) " + String(repeating: "word ", count: 100))
        }
        return bench
    }

    @Test func `is trimmed by its numbers and sent again`() throws {
        let bench = try told([
            tooLong(
                "This model's maximum context length is 600 tokens. However, your messages resulted in 900 tokens"
            ),
            fine,
        ])
        let answer = try bench.client.prompt("s", "the last one")
        #expect(answer.text() == "fine", "\(text(answer.message.raw))")
        #expect(try bench.outcomes(answer) == ["a context_overflow", "a complete"])
        guard bench.counts == [10] else { return }
        #expect((answer.extras?["receipt"]?["leftOutMessages"]?.int ?? 0) > 0)
        let last = bench.servers[0].requests[9]
        #expect(last.contains("the last one") && !last.contains("question 1 "))
        #expect(bench.servers[0].requests[8].contains("question 1 "))
    }

    @Test func `is trimmed at most twice`() throws {
        let bench = try told([tooLong("too long")])
        let answer = try bench.client.prompt("s", "the last one")
        #expect(answer.kind == "context_overflow" && bench.counts == [11])
    }

    @Test func `keeps its history when a shorter answer is all that is needed`() throws {
        let bench = try told([
            tooLong(
                "maximum context length is 4096 tokens. However, you requested 4500 tokens (900 in the messages, 3600 in the completion)"
            ),
            fine,
        ])
        let answer = try bench.client.prompt("s", "the last one", #""params":{"maxTokens":3600}"#)
        #expect(answer.text() == "fine")
        #expect(bench.servers[0].requests[9].contains("question 1 "))
        #expect(bench.servers[0].requests[9].contains(#""max_tokens":2940"#))
    }
}

@Suite struct `A model that counts more tokens than we estimate` {
    @Test func `is estimated so from then on, and that is remembered`() throws {
        let answer = ScriptedUpstream.answer(["x"], usage: #"{"prompt_tokens":700,"completion_tokens":1}"#)
        let bench = try Bench([[answer]], each: "contextLength: 9000")
        let words = String(repeating: "word ", count: 250)
        let before = try bench.ask("s", words).extras?["receipt"]
        let after = try bench.ask("t", words).extras?["receipt"]
        #expect(before?["budget"]?.int == 7_976 && after?["budget"]?.int == 7_976)
        #expect((before?["estimate"]?.int ?? 700) < 450)
        #expect(abs((after?["estimate"]?.int ?? 0) - 700) < 3)
        let kept = "SELECT upstream, model, plain_samples FROM calibration"
        #expect(try shell("sqlite3", bench.daemon.database, kept) == "a|m|2\n")
    }
}

@Suite struct `A server that drops messages without a word` {
    @Test(arguments: [("100", true), ("4096", true), ("5100", false)])
    func `is found out by what it counted`(counted: String, isCut: Bool) throws {
        let answer = ScriptedUpstream.answer(
            ["x"], usage: "{\"prompt_tokens\":\(counted),\"completion_tokens\":1}")
        let bench = try Bench([[answer]], each: "contextLength: 32768")
        let receipt = try bench.ask("s", String(repeating: "some more words ", count: 1_600)).extras?[
            "receipt"]
        #expect((receipt?["estimate"]?.int ?? 0) > 5_000)
        #expect(receipt?["counted"]?.int == Int(counted))
        #expect((receipt?["cutByServer"]?.bool ?? false) == isCut)
    }
}

@Suite struct `A conversation that grows past what a server reads` {
    /// Prompts of about 300 tokens with what a server counts that reads 4,096 tokens at most, as whole messages fit.
    @Test func `is found out as soon as it is told more and counts less, and then teaches nothing`() throws {
        let counts = [700, 1_300, 1_900, 2_500, 3_100, 3_700, 4_060, 3_800, 4_020, 4_060, 3_700]
        let answers = (counts + [3_000]).map {
            ScriptedUpstream.answer(["x"], usage: #"{"prompt_tokens":\#($0),"completion_tokens":1}"#)
        }
        let bench = try Bench([answers], each: "contextLength: 32768")
        var cut: [Int] = []
        for (index, _) in counts.enumerated() {
            let words = "\(index) " + String(repeating: "word ", count: 540)
            let receipt = try bench.ask("s", words).extras?["receipt"]
            if receipt?["cutByServer"]?.bool ?? false { cut.append(index) }
        }
        #expect(cut == [7, 8, 9, 10])
        let after = try bench.ask("other", String(repeating: "word ", count: 2_700)).extras?["receipt"]
        #expect((2_800...3_200).contains(after?["estimate"]?.int ?? 0), "\(after?["estimate"]?.int ?? 0)")
    }
}

@Suite struct `A parameter that a model refuses` {
    @Test func `is called by its other name, once, and that is remembered`() throws {
        let bench = try Bench([
            [
                ScriptedUpstream.failure(
                    "400 Bad Request",
                    #"{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}"#
                ),
                fine,
            ]
        ])
        #expect(try bench.ask("s1", "hello", #""params":{"maxTokens":50}"#).text() == "fine")
        _ = try bench.ask("s2", "hello", #""params":{"maxTokens":50}"#)
        let named = bench.servers[0].requests.map { $0.contains(#""max_completion_tokens":50"#) }
        #expect(named == [false, true, true])
    }

    @Test func `is left out when it has no other name`() throws {
        let bench = try Bench([
            [
                ScriptedUpstream.failure(
                    "400 Bad Request",
                    #"{"error":{"message":"Unsupported value: 'temperature' does not support 0.2 with this model.","param":"temperature","code":"unsupported_value"}}"#
                ),
                fine,
            ]
        ])
        #expect(try bench.ask("s", "hello", #""params":{"temperature":0.2}"#).text() == "fine")
        #expect(!bench.servers[0].requests[1].contains("temperature"))
    }
}

@Suite struct `An answer of Gemini` {
    @Test func `that was blocked is a refusal with the reason, and the prompt stays out of the next request`()
        throws
    {
        let bench = try Bench(
            [
                [
                    gemini(
                        #"{"promptFeedback":{"blockReason":"SAFETY","safetyRatings":[{"category":"HARM_CATEGORY_HARASSMENT","blocked":true}]},"usageMetadata":{"promptTokenCount":3}}"#
                    ),
                    gemini(
                        #"{"candidates":[{"content":{"parts":[{"text":"fine"}]},"finishReason":"STOP"}]}"#),
                ]
            ], kind: "gemini")
        let answer = try bench.ask("s", "bad words")
        #expect(answer.result?["stopReason"]?.string == "refusal")
        #expect(
            answer.extras?["detail"]?.string == "the prompt was blocked: SAFETY (HARM_CATEGORY_HARASSMENT)")
        #expect(try bench.client.prompt("s", "hello").text() == "fine")
        #expect(!bench.servers[0].requests[1].contains("bad words"))
        let turns = try bench.client.call("_convod/turn/list", #"{"sessionId":"s"}"#).result
        #expect(
            turns?["turns"]?.elements.contains { $0["detail"]?.string?.contains("SAFETY") == true } == true)
    }

    @Test func `with several candidates keeps the first, and the others as branches`() throws {
        let bench = try Bench(
            [
                [
                    gemini(
                        #"{"candidates":[{"content":{"parts":[{"text":"one"}]}},{"index":1,"content":{"parts":[{"text":"two"}]}}]}"#,
                        #"{"candidates":[{"index":1,"content":{"parts":[{"text":" more"}]},"finishReason":"STOP"},{"index":0,"finishReason":"STOP"}]}"#
                    )
                ]
            ], kind: "gemini")
        let answer = try bench.ask("s", "hello", #""params":{"candidates":2}"#)
        #expect(answer.text() == "one")
        #expect(bench.servers[0].requests[0].contains(#""candidateCount":2"#))
        #expect(answer.extras?["alternatives"]?.count == 1)
        #expect(try bench.client.messages("s") == ["user: hello", "assistant: one"])
        let kept = "SELECT branch > 1, seq, text FROM messages WHERE role = 'assistant' ORDER BY branch"
        #expect(try shell("sqlite3", bench.daemon.database, kept) == "0|2|one\n1|2|two more\n")
    }

    @Test func `carries its signature with the call, byte for byte, and back to Gemini only (N005)`() throws {
        let call = gemini(
            #"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"look","args":{"a":1}},"thoughtSignature":"c2ln+/=="}]},"finishReason":"STOP"}]}"#
        )
        let bench = try Bench(
            [
                [
                    call,
                    gemini(
                        #"{"candidates":[{"content":{"parts":[{"text":"done"}]},"finishReason":"STOP"}]}"#),
                ]
            ],
            kind: "gemini")
        let answer = try bench.ask("s")
        #expect(answer.extras?["finish"]?.string == "tool_calls")
        _ = try bench.client.call(
            "_convod/message/append",
            #"{"sessionId":"s","messages":[{"role":"tool","content":[{"type":"tool_result","toolCallId":"call_1","content":"42"}]}]}"#
        )
        #expect(try bench.client.call("_convod/turn/start", #"{"sessionId":"s"}"#).text() == "done")
        let request = bench.servers[0].requests[1]
        #expect(
            request.contains(
                #"{"functionCall":{"name":"look","args":{"a":1}},"thoughtSignature":"c2ln+/=="}"#))
        #expect(request.contains(#"{"functionResponse":{"name":"look","response":{"output":"42"}}}"#))
        let other = try bench.client.call(
            "_convod/context/build", #"{"sessionId":"s","dialect":"openai"}"#
        ).result
        let messages = text(other?["messages"]?.raw ?? [])
        #expect(messages.contains("look") && !messages.contains("c2ln"))
    }
}

@Suite struct `An answer of Anthropic` {
    @Test func `has its thinking sent back with the signature, byte for byte`() throws {
        let thinking = anthropic(
            #"{"type":"message_start","message":{"usage":{"input_tokens":5,"cache_read_input_tokens":7,"output_tokens":1}}}"#,
            #"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}"#,
            #"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
            #"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"Ab+/9=="}}"#,
            #"{"type":"content_block_stop","index":0}"#,
            #"{"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"opaque=="}}"#,
            #"{"type":"content_block_stop","index":1}"#,
            #"{"type":"content_block_start","index":2,"content_block":{"type":"text","text":""}}"#,
            #"{"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"yes"}}"#,
            #"{"type":"content_block_stop","index":2}"#,
            #"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}"#,
            #"{"type":"message_stop"}"#)
        let bench = try Bench([[thinking]], kind: "anthropic")
        let answer = try bench.ask("s")
        #expect(answer.text("agent_thought_chunk") == "hm" && answer.text() == "yes")
        #expect(answer.extras?["usage"]?["inputTokens"]?.int == 12)
        _ = try bench.client.prompt("s", "again")
        let request = bench.servers[0].requests[1]
        #expect(request.contains("anthropic-version: 2023-06-01"))
        #expect(
            request.contains(
                #"{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"Ab+/9=="},{"type":"redacted_thinking","data":"opaque=="},{"type":"text","text":"yes"}]}"#
            ))
        #expect(request.contains(#"{"type":"text","text":"again","cache_control":{"type":"ephemeral"}}"#))
    }

    @Test func `that breaks off overloaded is kept and marked`() throws {
        let broken = anthropic(
            #"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"par"}}"#,
            #"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#)
        let bench = try Bench([[broken]], kind: "anthropic")
        let answer = try bench.ask("s")
        #expect(answer.kind == "upstream_unavailable")
        #expect(try bench.client.messages("s").last?.hasPrefix("assistant: par [") ?? false)
    }
}

@Suite struct `The list of upstreams` {
    @Test func `shows keys masked, breakers, errors and latency`() throws {
        let bench = try Bench(
            [[ScriptedUpstream.failure("401 Unauthorized", "{}"), fine]],
            each: "keys: [{ env: 'ONE' }, { env: 'TWO' }, { env: 'NOPE' }]",
            environment: ["ONE": "sk-planted-key-number-1111", "TWO": "sk-planted-key-number-2222"])
        _ = try bench.ask("s")
        let list = try bench.client.call("_convod/upstream/list")
        let first = list.result?["upstreams"]?.elements.first { _ in true }
        let states = first?["keys"]?.elements.compactMap { $0["state"]?.string }
        #expect(states == ["refused", "ready", "missing"])
        #expect(first?["breaker"]?.string == "closed" && first?["answers"]?.int == 1)
        #expect(first?["lastError"]?["kind"]?.string == "upstream_auth" && first?["latencyMs"] != nil)
        #expect(!text(list.message.raw).contains("planted") && text(list.message.raw).contains("…2222"))
    }

    @Test func `can test one, and says what to do when it fails`() throws {
        let bench = try Bench([
            [
                fine, ScriptedUpstream.failure("404 Not Found", #"{"error":{"message":"no such model"}}"#),
            ]
        ])
        let good = try bench.client.call("_convod/upstream/test", #"{"upstream":"a"}"#).result
        #expect(good?["ok"]?.bool == true && good?["text"]?.string == "fine")
        let bad = try bench.client.call("_convod/upstream/test", #"{"upstream":"a"}"#).result
        #expect(bad?["ok"]?.bool == false && bad?["status"]?.int == 404)
        #expect(bad?["hint"]?.string?.contains("convo models") == true)
        #expect(try bench.client.call("_convod/upstream/test", #"{"upstream":"x"}"#).kind == "invalid_params")
    }

    @Test func `counts the tokens of a proposed prompt where the provider can`() throws {
        let count =
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{\"input_tokens\":33}"
        let bench = try Bench([[[.write(count)]]], kind: "anthropic")
        try bench.client.open("s")
        let preview = try bench.client.call(
            "_convod/context/preview",
            #"{"sessionId":"s","prompt":[{"type":"text","text":"hi"}],"count":true}"#)
        #expect(preview.result?["counted"]?.int == 33)
        #expect(bench.servers[0].requests[0].hasPrefix("POST /v1/messages/count_tokens "))
        #expect(!bench.servers[0].requests[0].contains("max_tokens"))
    }
}

extension `An answer of Anthropic` {
    @Test func `whose request was changed by the provider says so in its receipt`() throws {
        let told = ScriptedUpstream.fineByAnthropic.map { step -> ScriptedUpstream.Step in
            guard case .write(let text) = step else { return step }
            return .write(
                text.replacing(
                    #""message":{"#,
                    with:
                        #""message":{"input_transformations":[{"type":"thinking_dropped","path":"messages.1.content.0","reason":"model_binding_mismatch"}],"#
                ))
        }
        let bench = try Bench([[told]], kind: "anthropic")
        let turn = try bench.ask("s").extras?["turnId"]?.string ?? ""
        let receipt = try bench.client.call("_convod/context/receipt", #"{"turnId":"\#(turn)"}"#).result
        #expect(
            receipt?["receipt"]?["transformations"].map { text($0.raw) }
                == #"[{"type":"thinking_dropped","reason":"model_binding_mismatch","count":1}]"#)
    }

    @Test func `keeps its words and calls in their order, in lists, replays and exports (N016)`() throws {
        func block(_ index: Int, _ begin: String, _ delta: String) -> [String] {
            [
                #"{"type":"content_block_start","index":\#(index),"content_block":{\#(begin)}}"#,
                #"{"type":"content_block_delta","index":\#(index),"delta":{\#(delta)}}"#,
                #"{"type":"content_block_stop","index":\#(index)}"#,
            ]
        }
        func words(_ index: Int, _ text: String) -> [String] {
            block(index, #""type":"text","text":"""#, #""type":"text_delta","text":"\#(text)""#)
        }
        func call(_ index: Int, _ id: String) -> [String] {
            block(
                index, #""type":"tool_use","id":"\#(id)","name":"f","input":{}"#,
                #""type":"input_json_delta","partial_json":"{}""#)
        }
        let events =
            [#"{"type":"message_start","message":{"usage":{"input_tokens":5}}}"#]
            + words(0, "a") + call(1, "c1") + words(2, "b") + call(3, "c2") + words(4, "c")
            + [
                #"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":9}}"#,
                #"{"type":"message_stop"}"#,
            ]
        let answer = ScriptedUpstream.Step.write(
            ScriptedUpstream.head + events.map { "data: \($0)\n\n" }.joined())
        let bench = try Bench([[[answer]]], kind: "anthropic")
        let expected = ["a", "c1", "b", "c2", "c"]
        func parts(_ content: JSONView?) -> [String] {
            content?.elements.compactMap { $0["text"]?.string ?? $0["id"]?.string } ?? []
        }
        func told(_ updates: [JSONView]) -> [String] {
            updates.compactMap { $0["params"]?["update"] }.compactMap { update in
                switch update["sessionUpdate"]?.string {
                case "agent_message_chunk": update["content"]?["text"]?.string
                case "tool_call": update["toolCallId"]?.string
                default: nil
                }
            }
        }
        #expect(told(try bench.ask("s").updates) == expected)
        let list = try bench.client.call("_convod/message/list", #"{"sessionId":"s","last":1}"#).result
        #expect(parts(list?["messages"]?.elements.first { _ in true }?["content"]) == expected)
        let loaded = try bench.daemon.client().call(
            "session/load", #"{"sessionId":"s","cwd":"/tmp","mcpServers":[]}"#)
        #expect(told(loaded.updates) == expected)
        let records = try bench.client.call("_convod/export", #"{"sessionId":"s"}"#).updates
            .compactMap { $0["params"]?["record"] }
        let said = records.first { $0["message"]?["role"]?.string == "assistant" }
        #expect(parts(said?["parts"]) == expected)
    }

    @Test func `has one thought of a word in each event, stored and told as one (N016)`() throws {
        let thoughts = (0..<1_500).map { "w\($0) " }
        let answer = ScriptedUpstream.answer(
            ["said"],
            before: thoughts.map { ScriptedUpstream.chunk(#"{"reasoning":"\#($0)"}"#) }.joined())
        let bench = try Bench([[answer]])
        #expect(try bench.ask("s").text("agent_thought_chunk") == thoughts.joined())
        let list = try bench.client.call("_convod/message/list", #"{"sessionId":"s","last":1}"#).result
        let content = list?["messages"]?.elements.first { _ in true }?["content"]
        #expect(content?.elements.compactMap { $0["type"]?.string } == ["thought", "text"])
        let loaded = try bench.daemon.client().call(
            "session/load", #"{"sessionId":"s","cwd":"/tmp","mcpServers":[]}"#)
        let chunks = loaded.updates.filter {
            $0["params"]?["update"]?["sessionUpdate"]?.string == "agent_thought_chunk"
        }
        #expect(chunks.count == 1 && loaded.text("agent_thought_chunk") == thoughts.joined())
    }
}

extension `An answer that is cut` {
    @Test func `by silence is told so and not asked for again (B049)`() throws {
        let half = ScriptedUpstream.head + ScriptedUpstream.chunk(#"{"content":"half"}"#)
        let bench = try Bench(
            [[[.write(half), .untilClosed], ScriptedUpstream.answer(["fine"])]],
            each: "timeouts: { gap: '300ms' }")
        let answer = try bench.ask("s")
        #expect(answer.kind == "interrupted" && bench.counts == [1])
        #expect(answer.error?["message"]?.string?.contains("sent nothing for 300 ms") == true)
        #expect(try bench.client.messages("s") == ["user: hello", "assistant: half [interrupted]"])
    }
}

@Suite struct `A context that is full` {
    private func ended(_ prompt: Int, _ completion: Int) throws -> (Bench, TestClient.Answer) {
        let script = ScriptedUpstream.answer(
            ["half"], finish: "length",
            usage: "{\"prompt_tokens\":\(prompt),\"completion_tokens\":\(completion)}")
        let bench = try Bench([[script]], each: "contextLength: 32768")
        return (bench, try bench.ask("s"))
    }

    @Test func `ends the turn once with what came, and says that it is full (B022)`() throws {
        let (bench, answer) = try ended(32_638, 130)
        #expect(answer.result?["stopReason"]?.string == "max_tokens")
        let detail = answer.extras?["detail"]?.string ?? ""
        #expect(detail.contains("context of 32768 tokens is full") && detail.contains("32638"), "\(detail)")
        #expect(try bench.client.messages("s") == ["user: hello", "assistant: half"])
        let turn = try bench.client.call(
            "_convod/turn/get", #"{"turnId":"\#(answer.extras?["turnId"]?.string ?? "")"}"#)
        #expect(turn.result?["detail"]?.string == detail)
        #expect(bench.counts == [1], "nobody asked for more")
    }

    @Test func `is not what an answer ends for that has reached its own limit (B022)`() throws {
        let (bench, answer) = try ended(7, 3)
        #expect(answer.result?["stopReason"]?.string == "max_tokens" && bench.counts == [1])
        #expect(answer.extras?["detail"] == nil)
    }
}
