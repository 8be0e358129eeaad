internal import JSON
internal import TestSupport
internal import Testing

/// A client of a daemon whose first upstream answers by a script.
private func scripted(
    _ scripts: [[ScriptedUpstream.Step]], _ more: String = "", retry: String = "attempts: 3"
) throws -> (ScriptedUpstream, TestClient) {
    let upstream = try ScriptedUpstream(scripts)
    let daemon = try TestDaemon(
        "{ upstreams: { up: { kind: 'openai', baseURL: '\(upstream.base)', model: 'm'\(more) }, echo: { kind: 'echo' } }, retry: { \(retry) } }"
    )
    let client = try daemon.client()
    client.kept = [upstream, daemon]
    return (upstream, client)
}

@Suite struct `An OpenAI-compatible upstream` {
    @Test func `streams its answer, and its usage is kept`() throws {
        let (upstream, client) = try scripted([ScriptedUpstream.answer(["Hi", " 你", "好"])])
        try client.open("demo", #""system":"be brief""#)
        let answer = try client.prompt("demo", "hello")
        #expect(answer.text() == "Hi 你好")
        #expect(answer.extras?["usage"]?["inputTokens"]?.int == 7)
        #expect(answer.extras?["upstream"]?.string == "up")
        let request = upstream.requests[0]
        #expect(
            request.contains(
                #""messages":[{"role":"system","content":"be brief"},{"role":"user","content":"hello"}]"#))
        #expect(!request.contains("Authorization"))
    }

    @Test func `is sent the whole window with the answers before`() throws {
        let (upstream, client) = try scripted([
            ScriptedUpstream.answer(["one"]), ScriptedUpstream.answer(["two"]),
        ])
        try client.open("demo")
        _ = try client.prompt("demo", "1")
        _ = try client.prompt("demo", "2")
        #expect(
            upstream.requests[1].contains(
                #"[{"role":"user","content":"1"},{"role":"assistant","content":"one"},{"role":"user","content":"2"}]"#
            ))
    }

    @Test func `gets its parameters in its own names`() throws {
        let (upstream, client) = try scripted([ScriptedUpstream.answer(["x"])])
        try client.open("demo")
        _ = try client.prompt(
            "demo", "1",
            #""model":"other","params":{"temperature":0.5,"maxTokens":100,"stop":["END"],"seed":7}"#)
        let request = upstream.requests[0]
        for part in [
            #""model":"other""#, #""temperature":0.5"#, #""max_tokens":100"#, #""stop":["END"]"#,
            #""seed":7"#,
        ] { #expect(request.contains(part)) }
    }

    @Test func `that fails before any text is asked again, and the turn says so`() throws {
        let (upstream, client) = try scripted([
            ScriptedUpstream.failure(
                "503 Service Unavailable", #"{"error":{"message":"loading"}}"#, headers: "Retry-After: 0\r\n"),
            [.reset], ScriptedUpstream.answer(["fine"]),
        ])
        try client.open("demo")
        let answer = try client.prompt("demo", "hello")
        #expect(answer.text() == "fine")
        #expect(upstream.requests.count == 3)
        #expect(
            answer.updates.contains {
                $0["params"]?["update"]?["_meta"]?["convod"]?["state"]?.string == "retrying"
            })
        let turn = answer.extras?["turnId"]?.string ?? ""
        let attempts = try client.call("_convod/turn/get", #"{"turnId":"\#(turn)"}"#).result?["attempts"]
        #expect(
            attempts?.elements.compactMap { $0["outcome"]?.string } == [
                "upstream_unavailable", "upstream_unavailable", "complete",
            ])
    }

    @Test func `that refuses the request is asked once, and the prompt leaves the path (B061)`() throws {
        let (upstream, client) = try scripted([
            ScriptedUpstream.failure(
                "400 Bad Request",
                #"{"error":{"message":"no such parameter","type":"invalid_request_error"}}"#),
            ScriptedUpstream.answer(["fine"]),
        ])
        try client.open("demo")
        let refused = try client.prompt("demo", "hello", #""requestId":"k""#)
        #expect(refused.kind == "upstream_refused")
        #expect(upstream.requests.count == 1)
        #expect(try client.messages("demo") == [])
        // The same request ID runs again: nothing of the failed try is in the way.
        #expect(try client.prompt("demo", "hello", #""requestId":"k""#).text() == "fine")
        #expect(try client.messages("demo") == ["user: hello", "assistant: fine"])
    }

    @Test func `that says the key is wrong is an auth error without the key in it`() throws {
        let (_, client) = try scripted([
            ScriptedUpstream.failure(
                "401 Unauthorized",
                #"{"error":{"message":"Incorrect API key provided: sk-secret123","code":"invalid_api_key"}}"#)
        ])
        try client.open("demo")
        let refused = try client.prompt("demo", "hello")
        #expect(refused.kind == "upstream_auth")
        #expect(!text(refused.message.raw).contains("sk-secret"))
    }

    @Test func `that is cut after text leaves the text, marked, and the prompt in place`() throws {
        let (_, client) = try scripted([
            [.write(ScriptedUpstream.head + ScriptedUpstream.chunk(#"{"content":"half"}"#))],
            ScriptedUpstream.answer(["more"]),
        ])
        try client.open("demo")
        let cut = try client.prompt("demo", "hello")
        #expect(cut.kind == "interrupted")
        #expect(cut.error?["data"]?["messageId"]?.string != nil)
        #expect(try client.messages("demo") == ["user: hello", "assistant: half [interrupted]"])
        #expect(try client.prompt("demo", "go on").text() == "more")
    }

    @Test func `that answers 200 and nothing is a failure, not an empty answer (B037)`() throws {
        let (_, client) = try scripted([[.write(ScriptedUpstream.head)]], retry: "attempts: 1")
        try client.open("demo")
        #expect(try client.prompt("demo", "hello").kind == "upstream_protocol")
        #expect(try client.messages("demo") == [])
    }

    @Test func `that refuses for its content is a refusal, kept out of the next request`() throws {
        let (upstream, client) = try scripted([
            ScriptedUpstream.answer(["no"], finish: "content_filter"), ScriptedUpstream.answer(["ok"]),
        ])
        try client.open("demo")
        #expect(try client.prompt("demo", "bad").result?["stopReason"]?.string == "refusal")
        _ = try client.prompt("demo", "good")
        #expect(upstream.requests[1].contains(#""messages":[{"role":"user","content":"good"}]"#))
    }

    @Test func `that stops at its limit ends with max_tokens (B022)`() throws {
        let (_, client) = try scripted([ScriptedUpstream.answer(["cut"], finish: "length")])
        try client.open("demo")
        #expect(try client.prompt("demo", "x").result?["stopReason"]?.string == "max_tokens")
    }

    @Test func `that says nothing in time is given up (B049)`() throws {
        let (upstream, client) = try scripted(
            [[.hold]], ", timeouts: { firstToken: '50ms' }", retry: "attempts: 1")
        try client.open("demo")
        #expect(try client.prompt("demo", "x").kind == "upstream_timeout")
        upstream.proceed()
    }

    @Test func `that nobody can reach fails over to the next of its route`() throws {
        let daemon = try TestDaemon(
            "{ upstreams: { dead: { kind: 'openai', baseURL: 'http://127.0.0.1:9/v1', model: 'm' }, echo: { kind: 'echo' } }, routes: { default: ['dead', 'echo'] }, retry: { attempts: 1 } }"
        )
        let client = try daemon.client()
        try client.open("demo")
        let answer = try client.prompt("demo", "hello")
        #expect(answer.extras?["upstream"]?.string == "echo")
        #expect(answer.text().contains("hello"))
    }

    @Test func `asks for tools, and goes on after their results (N020)`() throws {
        let call =
            #"{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"weather","arguments":"{\"city\":"}}]}"#
        let rest = #"{"tool_calls":[{"index":0,"function":{"arguments":"\"巴黎\"}"}}]}"#
        let (upstream, client) = try scripted([
            [
                .write(
                    ScriptedUpstream.head + ScriptedUpstream.chunk(call) + ScriptedUpstream.chunk(rest)
                        + "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n"
                )
            ],
            ScriptedUpstream.answer(["18 度"]),
        ])
        try client.open("demo")
        let asked = try client.prompt("demo", "weather?")
        #expect(asked.result?["stopReason"]?.string == "end_turn")
        #expect(asked.extras?["finish"]?.string == "tool_calls")
        #expect(asked.updates.contains { $0["params"]?["update"]?["sessionUpdate"]?.string == "tool_call" })
        try client.call(
            "_convod/message/append",
            #"{"sessionId":"demo","messages":[{"role":"tool","content":[{"type":"tool_result","toolCallId":"c1","content":"18C"}]}]}"#
        )
        let id = try client.start("_convod/turn/start", #"{"sessionId":"demo"}"#)
        #expect(try client.finish(id).text() == "18 度")
        #expect(
            upstream.requests[1].contains(
                #"{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"巴黎\"}"}}]},{"role":"tool","tool_call_id":"c1","content":"18C"}"#
            ))
    }
}

extension `An OpenAI-compatible upstream` {
    @Test func `that sends comments before its answer shows none of them to clients (B029)`() throws {
        let comments = String(repeating: ": OPENROUTER PROCESSING\n\n", count: 3)
        let bench = try Bench([[ScriptedUpstream.answer(["Hi"], before: comments)]])
        let answer = try bench.ask("s")
        let chunks = answer.updates.compactMap { $0["params"]?["update"] }.filter {
            $0["sessionUpdate"]?.string == "agent_message_chunk"
        }
        #expect(chunks.map { $0["content"]?["text"]?.string } == ["Hi"])
        #expect(answer.updates.allSatisfy { !text($0.raw).contains("PROCESSING") })
        #expect(try bench.client.messages("s") == ["user: hello", "assistant: Hi"])
    }
}
