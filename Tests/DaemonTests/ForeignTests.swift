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
            ("500 Internal Server Error", "this model is missing data required for image input"),
            ("400 Bad Request", "'messages.0' : for 'role:user' messages[0].content must be a string"),
            ("400 Bad Request", "Vision add-on is not loaded, but images were provided for processing"),
            ("400 Bad Request", "Image inputs are not supported by this model"),
            ("400 Bad Request", "Image input is not enabled for this model"),
            ("400 Bad Request", "messages.content.type 参数非法，取值范围 ['text']"),
            ("400 Bad Request", "Unexpected item type in content."),
            (
                "400 Bad Request",
                "'messages.0' : for 'role:user' the following must be satisfied[('messages.0.content' : value must be a string)]"
            ),
            (
                "400 Bad Request",
                "This model doesn't support the image content block that you provided. Update the content block and try again."
            ),
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
        let answer = try bench.client.finish(id)
        #expect(answer.text() == "fine")
        #expect(answer.extras?["receipt"]?["mapped"]?["parts"]?.int == 1)
        #expect(try bench.client.prompt("s", "and?").text() == "again")
        let requests = bench.servers[0].requests
        #expect(requests.map { $0.contains("image_url") } == [true, false, false])
        #expect(requests[1].contains("[image image/png]") && requests[2].contains("[image image/png]"))
    }

    @Test(arguments: ["openai", "anthropic", "gemini"])
    func `of an image in the history, and says of in words that nobody knows, is not sent there again`(
        _ kind: String
    ) throws {
        let refusal = ScriptedUpstream.failure(
            "400 Bad Request", #"{"error":{"message":"I cannot make sense of that"}}"#)
        let fine = ScriptedUpstream.answer(["fine"])
        // To other dialects it is no answer, which says as much of what was sent.
        let bench = try Bench([[refusal, fine, fine, refusal, fine]], kind: kind)
        try bench.client.open("s")
        let image = #"{"type":"image","mimeType":"image/png","data":"iVBORw0KGgo="}"#
        try bench.client.call(
            "_convod/message/append",
            #"{"sessionId":"s","messages":[{"role":"user","content":[{"type":"text","text":"look"},\#(image)]},{"role":"assistant","content":[{"type":"text","text":"nice"}]}]}"#
        )
        _ = try bench.client.prompt("s", "and?")
        let requests = bench.servers[0].requests
        try #require(requests.count >= 2)
        #expect(requests[0].contains("iVBORw0KGgo") && !requests[1].contains("iVBORw0KGgo"))
        #expect(requests[1].contains("[image image/png]"))
        guard kind == "openai" else { return }
        // It was taken without the image: that is not tried again there.
        #expect(try bench.client.prompt("s", "once more").text() == "fine")
        #expect(bench.servers[0].requests.map { $0.contains("iVBORw0KGgo") } == [true, false, false])
        // Another refusal is of something else.
        #expect(try bench.client.prompt("s", "and more").error != nil)
        #expect(bench.servers[0].requests.count == 4)
        // What is asked about now goes there all the same.
        let other = #"{"type":"image","mimeType":"image/png","data":"iVBORw0KGgpvdGhlcg=="}"#
        let id = try bench.client.start(
            "session/prompt", #"{"sessionId":"s","prompt":[{"type":"text","text":"and this?"},\#(other)]}"#)
        #expect(try bench.client.finish(id).text() == "fine")
        let last = bench.servers[0].requests[4]
        #expect(last.contains("iVBORw0KGgpvdGhlcg==") && !last.contains("iVBORw0KGgo="))
    }

    @Test func `of an image of the prompt itself is said, and nothing else is asked in its place`() throws {
        let refusal = ScriptedUpstream.failure(
            "400 Bad Request", #"{"error":{"message":"I cannot make sense of that"}}"#)
        let bench = try Bench([[refusal, ScriptedUpstream.answer(["fine"])]])
        try bench.client.open("s")
        let image = #"{"type":"image","mimeType":"image/png","data":"iVBORw0KGgo="}"#
        let id = try bench.client.start(
            "session/prompt", #"{"sessionId":"s","prompt":[{"type":"text","text":"look"},\#(image)]}"#)
        #expect(try bench.client.finish(id).error?["message"]?.string?.contains("make sense") == true)
        #expect(bench.servers[0].requests.count == 1)
        #expect(try bench.client.prompt("s", "then without").text() == "fine")
    }

    @Test func `of an image of a prompt that is answered anew is said too`() throws {
        let refusal = ScriptedUpstream.failure(
            "400 Bad Request", #"{"error":{"message":"I cannot make sense of that"}}"#)
        let bench = try Bench([[ScriptedUpstream.answer(["fine"]), refusal, refusal]])
        try bench.client.open("s")
        let image = #"{"type":"image","mimeType":"image/png","data":"iVBORw0KGgo="}"#
        let id = try bench.client.start(
            "session/prompt", #"{"sessionId":"s","prompt":[{"type":"text","text":"look"},\#(image)]}"#)
        #expect(try bench.client.finish(id).text() == "fine")
        let again = try bench.client.call("_convod/turn/retry", #"{"sessionId":"s"}"#)
        #expect(again.error?["message"]?.string?.contains("make sense") == true)
        #expect(bench.servers[0].requests.count == 2)
    }

    @Test func `of an image is known by the table of models, before a server says so`() throws {
        let bench = try Bench(
            [[ScriptedUpstream.answer(["fine"])]], more: "models: { openai: [{ match: 'm', image: false }] }")
        try bench.client.open("s")
        let image = #"{"type":"image","mimeType":"image/png","data":"iVBO"}"#
        let id = try bench.client.start(
            "session/prompt", #"{"sessionId":"s","prompt":[{"type":"text","text":"look"},\#(image)]}"#)
        #expect(try bench.client.finish(id).text() == "fine")
        let request = try #require(bench.servers[0].requests.first)
        #expect(request.contains("[image image/png]") && !request.contains("image_url"))
    }

    @Test func `of several messages of the system is one of them (N007)`() throws {
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

    @Test func `of a thought goes back behind what it was made behind, and nowhere else (N004)`() throws {
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

    @Test func `of a thought is sent once and never again, when no new one comes either`() throws {
        let refusal = ScriptedUpstream.failure(
            "400 Bad Request",
            "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"messages.1.content.0: Invalid `signature` in `thinking` block\"}}"
        )
        let plain = ScriptedUpstream.failure(
            "200 OK",
            #"{"type":"message","role":"assistant","content":[{"type":"text","text":"plain"}],"stop_reason":"end_turn"}"#
        )
        let bench = try Bench([[thinking("S1"), refusal, plain]], kind: "anthropic")
        for words in ["one", "two", "three", "four"] {
            #expect(try ["fine", "plain"].contains(bench.ask("s", words).text()))
        }
        let requests = bench.servers[0].requests
        #expect(requests.count == 5, "one refusal in four prompts")
        #expect(requests.map { $0.contains("\"signature\":\"S1\"") } == [false, true, false, false, false])
        // What it thought is kept; only what it was bound to is forgotten.
        let list = try bench.client.call("_convod/message/list", #"{"sessionId":"s"}"#).result
        let stored = text(list?.raw ?? [])
        #expect(stored.contains("\"signature\":\"S1\""))
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

extension `What a provider does not take` {
    @Test func `of a thought goes back to who made it with any of its models, and to nobody else (N004)`()
        throws
    {
        let bench = try Bench(
            [[thinking("S1"), thinking("S2"), thinking("S3")], [thinking("S9")]], kind: "anthropic")
        let client = bench.client
        #expect(try bench.ask("s", "one").text() == "fine")
        // The same upstream with another of its models.
        #expect(try client.prompt("s", "two", #""model":"other""#).text() == "fine")
        let second = bench.servers[0].requests[1]
        #expect(second.contains(#"{"type":"thinking","thinking":"hm","signature":"S1"}"#))
        // Another upstream of the same kind: no seal, no block without one, and no copy as text.
        #expect(try client.prompt("s", "three", #""upstream":"b""#).text() == "fine")
        let foreign = try #require(bench.servers[1].requests.first)
        for word in ["signature", "thinking", "\"hm\""] { #expect(!foreign.contains(word), "\(word)") }
        #expect(foreign.ranges(of: #""text":"fine""#).count == 2)
        // A dialect without thoughts.
        let built = try client.call("_convod/context/build", #"{"sessionId":"s","dialect":"openai"}"#).result
        let plain = text(built?["messages"]?.raw ?? [])
        #expect(!plain.contains("\"hm\"") && !plain.contains("S1") && plain.ranges(of: "fine").count == 3)
        // And back: its own, and none of the other's.
        #expect(try client.prompt("s", "four").text() == "fine")
        let last = bench.servers[0].requests[2]
        #expect(last.contains(#""signature":"S1""#) && last.contains(#""signature":"S2""#))
        #expect(!last.contains("S9"))
    }

    /// A client that calls the model itself sends what the daemon would, and its answer's thoughts are bound to just that.
    @Test func `of a thought stands in what is built for its own provider, and in no other's`() throws {
        let bench = try Bench([[thinking("S1"), thinking("S9")]], kind: "anthropic")
        let client = bench.client
        #expect(try bench.ask("s", "one").text() == "fine")
        func built(_ dialect: String) throws -> (messages: String, told: JSONView?, id: String) {
            let result = try client.call(
                "_convod/context/build",
                #"{"sessionId":"s","dialect":"\#(dialect)","prompt":[{"type":"text","text":"two"}]}"#
            ).result
            return (text(result?["messages"]?.raw ?? []), result, result?["windowId"]?.string ?? "")
        }
        let own = try built("anthropic")
        #expect(own.messages.contains(#""signature":"S1""#))
        #expect(own.told?["receipt"]?["thoughts"]?["sent"]?.int == 1)
        let other = try built("openai")
        #expect(!other.messages.contains("S1") && !other.id.contains("S1"))
        #expect(
            other.told?["receipt"]?["thoughts"].map { text($0.raw) }
                == #"{"sent":0,"leftOut":1,"reason":"foreign"}"#)
        // Its answer goes back behind what it was made behind.
        try client.call(
            "_convod/message/append",
            #"{"sessionId":"s","windowId":\#(quoted(own.id)),"messages":[{"role":"user","content":[{"type":"text","text":"two"}]},{"role":"assistant","content":[{"type":"thought","text":"hm","signature":"S2"},{"type":"text","text":"fine"}]}]}"#
        )
        #expect(try client.prompt("s", "three").text() == "fine")
        let last = bench.servers[0].requests[1]
        #expect(last.contains(#""signature":"S1""#) && last.contains(#""signature":"S2""#))
    }

    @Test func `of a tool's name comes back by what is built for another provider`() throws {
        let bench = try Bench([[ScriptedUpstream.answer(["fine"])]])
        try bench.client.open("s")
        try bench.client.call(
            "_convod/message/append",
            #"{"sessionId":"s","messages":[{"role":"user","content":[{"type":"text","text":"q"}]},{"role":"assistant","content":[{"type":"tool_call","id":"c1","name":"get.weather","arguments":{}}]},{"role":"tool","content":[{"type":"tool_result","toolCallId":"c1","content":"r"}]}]}"#
        )
        for (dialect, sent) in [
            ("anthropic", "get_weather"), ("openai", "get_weather"), ("gemini", "get.weather"),
        ] {
            let built = try bench.client.call(
                "_convod/context/build", #"{"sessionId":"s","dialect":"\#(dialect)"}"#
            ).result
            let messages = text(built?["messages"]?.raw ?? [])
            #expect(messages.contains("\"\(sent)\""), "\(dialect)")
            let name = built?["toolNames"]?[sent]?.string
            #expect(name == (sent == "get.weather" ? nil : "get.weather"), "\(dialect)")
        }
    }

    @Test func `of a thought that was read in goes to nobody, and its words stay (N004)`() throws {
        let bench = try Bench([[thinking("S1")], [thinking("S2")]], kind: "anthropic")
        func id(_ number: Int) -> String { "01890a5d-ac96-774b-bcce-00000000000\(number)" }
        let records = [
            #"{"type":"session","version":1,"harness":"convo","id":"s","cwd":"/","createdAt":"2026-11-25T06:00:00.000Z","tags":[],"mcpServers":[],"head":"\#(id(2))"}"#,
            #"{"type":"message","id":"\#(id(1))","parentId":null,"message":{"role":"user","content":"q","timestamp":1},"status":"complete"}"#,
            #"{"type":"message","id":"\#(id(2))","parentId":"\#(id(1))","message":{"role":"assistant","content":"ok","timestamp":1},"parts":[{"type":"thought","text":"hm","issuer":"a","signature":"SIG-A"},{"type":"text","text":"ok"}],"status":"complete"}"#,
        ]
        let read = try bench.client.call(
            "_convod/import", #"{"records":[\#(records.joined(separator: ","))],"end":true}"#)
        #expect(read.result?["messages"]?.int == 2, "\(text(read.message.raw))")
        for upstream in ["a", "b"] {
            let answer = try bench.client.prompt("s", "on", #""upstream":"\#(upstream)""#)
            let sent = try #require(bench.servers[upstream == "a" ? 0 : 1].requests.last)
            #expect(!sent.contains("SIG-A") && !sent.contains("\"hm\""), "\(upstream)")
            #expect(sent.contains(#""text":"ok""#), "\(upstream)")
            if upstream == "a" {
                #expect(answer.extras?["receipt"]?["thoughts"]?["leftOut"]?.int == 1)
            }
        }
    }

    @Test func `of a thought is counted in the receipt where another provider is asked (N004)`() throws {
        let bench = try Bench([[thinking("S1")], [thinking("S2")]], kind: "anthropic")
        #expect(try bench.ask("s", "one").extras?["receipt"]?["thoughts"] == nil)
        let told = try bench.client.prompt("s", "two", #""upstream":"b""#).extras?["receipt"]?["thoughts"]
        #expect(told?["sent"]?.int == 0 && told?["leftOut"]?.int == 1)
    }
}
