internal import JSON
internal import TestSupport
internal import Testing

/// What of a conversation another provider would refuse for ever.
@Suite struct `What a provider does not take` {
    @Test func `of a tool's name goes out as another, and comes back as the tool's own`() throws {
        let call =
            #"{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"get_weather_v2","arguments":"{}"}}]}"#
        let bench = try Bench([
            [
                [
                    .write(
                        ScriptedUpstream.head + ScriptedUpstream.chunk(call)
                            + "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n"
                    )
                ], ScriptedUpstream.answer(["fine"]),
            ]
        ])
        let tools =
            #""params":{"tools":[{"type":"function","function":{"name":"get.weather v2","parameters":{"type":"object"}}}],"toolChoice":{"type":"function","function":{"name":"get.weather v2"}}}"#
        let answer = try bench.ask("s", "weather?", tools)
        let updates = answer.updates.compactMap { $0["params"]?["update"] }
        #expect(
            updates.first { $0["sessionUpdate"]?.string == "tool_call" }?["title"]?.string == "get.weather v2"
        )
        let first = bench.servers[0].requests[0]
        #expect(
            first.contains(#""tools":[{"type":"function","function":{"name":"get_weather_v2","parameters""#))
        #expect(first.contains(#""tool_choice":{"type":"function","function":{"name":"get_weather_v2"}}"#))
        let turn = answer.extras?["turnId"]?.string ?? ""
        let receipt = try bench.client.call("_convod/context/receipt", #"{"turnId":"\#(turn)"}"#).result
        #expect(receipt?["receipt"]?["mapped"]?["names"]?.int == 1)

        let stored = try bench.client.call("_convod/message/list", #"{"sessionId":"s"}"#).result
        #expect(
            stored?["messages"]?.elements.map(\.self).last?["content"]?.elements.map(\.self).first?["name"]?
                .string
                == "get.weather v2")
        try bench.client.call(
            "_convod/message/append",
            #"{"sessionId":"s","messages":[{"role":"tool","content":[{"type":"tool_result","toolCallId":"c1","content":"18C"}]}]}"#
        )
        #expect(try bench.client.prompt("s", "go on").text() == "fine")
        #expect(
            bench.servers[0].requests[1].contains(#""function":{"name":"get_weather_v2","arguments":"{}"}"#))
    }

    @Test(
        arguments: [
            ("404 Not Found", "No endpoints found that support image input"),
            ("400 Bad Request", "Model do not support image input. Request id: 0217"),
            (
                "500 Internal Server Error",
                "image input is not supported - hint: you may need to provide the mmproj"
            ),
            ("400 Bad Request", "messages[0]: unknown variant `image_url`, expected `text`"),
        ])
    func `of an image in the history is learned once, and a text stands for it`(
        _ status: String, _ words: String
    )
        throws
    {
        let refusal = ScriptedUpstream.failure(status, "{\"error\":{\"message\":\(quoted(words))}}")
        let bench = try Bench([
            [refusal, ScriptedUpstream.answer(["fine"]), ScriptedUpstream.answer(["again"])]
        ])
        try bench.client.open("s")
        let image = #"{"type":"image","mimeType":"image/png","data":"iVBO"}"#
        let id = try bench.client.start(
            "session/prompt", #"{"sessionId":"s","prompt":[{"type":"text","text":"look"},\#(image)]}"#)
        #expect(try bench.client.finish(id).text() == "fine")
        #expect(try bench.client.prompt("s", "and?").text() == "again")
        let requests = bench.servers[0].requests
        #expect(requests.map { $0.contains("image_url") } == [true, false, false])
        #expect(requests[1].contains("[image image/png]") && requests[2].contains("[image image/png]"))
    }

    @Test func `of several messages of the system is one of them`() throws {
        let bench = try Bench([[ScriptedUpstream.answer(["fine"])]])
        try bench.client.open("s", #""system":"zero""#)
        try bench.client.call(
            "_convod/message/append",
            #"{"sessionId":"s","messages":[{"role":"system","content":[{"type":"text","text":"one"}]}]}"#)
        #expect(try bench.client.prompt("s", "hello").text() == "fine")
        #expect(
            bench.servers[0].requests[0].contains(
                #""messages":[{"role":"system","content":"zero\n\none"},{"role":"user","content":"hello"}]"#))
        let built = try bench.client.call(
            "_convod/context/build",
            #"{"sessionId":"s","dialect":"anthropic","prompt":[{"type":"text","text":"x"}]}"#
        ).result
        #expect(built?["system"]?.string == "zero\n\none")
    }

    private func thinking(_ seal: String) -> [ScriptedUpstream.Step] {
        ScriptedUpstream.failure(
            "200 OK",
            #"{"type":"message","role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"\#(seal)"},{"type":"text","text":"fine"}],"stop_reason":"end_turn"}"#
        )
    }

    @Test func `of a thought goes back behind what it was made behind, and nowhere else`() throws {
        let refusal = ScriptedUpstream.failure(
            "400 Bad Request",
            "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"messages.1.content.0: Invalid `signature` in `thinking` block. The block is bound to a different conversation.\"}}"
        )
        let bench = try Bench(
            [[thinking("S1"), thinking("S2"), thinking("S3"), refusal, thinking("S4"), thinking("S5")]],
            kind: "anthropic")
        func seals() -> [String] {
            let last = bench.servers[0].requests.last ?? ""
            return (1...5).map { "S\($0)" }.filter { last.contains("\"signature\":\"\($0)\"") }
        }
        #expect(try bench.ask("s", "one").text() == "fine")
        _ = try bench.client.prompt("s", "two")
        #expect(seals() == ["S1"])
        _ = try bench.client.prompt("s", "three")
        #expect(seals() == ["S1", "S2"])
        // The refusal is answered once without any, and what was made then stands alone.
        #expect(try bench.client.prompt("s", "four").text() == "fine")
        #expect(bench.servers[0].requests.count == 5 && seals() == [])
        #expect(try bench.client.prompt("s", "five").text() == "fine")
        #expect(seals() == ["S4"])
    }

    @Test func `of a thought behind an edited message stays out`() throws {
        let bench = try Bench([[thinking("S1"), thinking("S2"), thinking("S3")]], kind: "anthropic")
        try bench.client.open("s", #""system":"one""#)
        _ = try bench.client.prompt("s", "one")
        _ = try bench.client.prompt("s", "two")
        #expect(bench.servers[0].requests[1].contains(#""signature":"S1""#))
        _ = try bench.client.call("_convod/session/set", #"{"sessionId":"s","system":"two"}"#)
        _ = try bench.client.prompt("s", "three")
        #expect(!bench.servers[0].requests[2].contains("signature"))
    }
}
