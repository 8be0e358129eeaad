internal import JSON
internal import TestSupport
internal import Testing

@Suite struct `A prompt that nobody saw an answer to` {
    private static let thought = ScriptedUpstream.chunk(#"{"reasoning_content":"hm"}"#)
    private static let cancel = #"{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"s"}}"#

    /// Has the first prompt cancelled while its server has said no more than this.
    private func cancelled(_ said: String, _ more: [ScriptedUpstream.Step]...) throws -> Bench {
        let bench = try Bench([[[.write(ScriptedUpstream.head + said), .untilClosed]] + more])
        try bench.client.open("s")
        let id = try bench.client.startPrompt("s", "hello")
        _ = try bench.client.update {
            said.isEmpty
                ? $0.extras?["state"]?.string == "waiting"
                : $0["params"]?["update"]?["sessionUpdate"]?.string?.hasPrefix("agent_") ?? false
        }
        // The server's first script is for this request and for no later one.
        while bench.counts[0] == 0 {
            _ = try bench.client.call("_convod/session/get", #"{"sessionId":"s"}"#)
        }
        try bench.client.send(Self.cancel)
        let answer = try bench.client.finish(id)
        #expect(answer.result?["stopReason"]?.string == "cancelled")
        return bench
    }

    @Test(arguments: ["", thought])
    func `and that is cancelled leaves the path, stays on a branch, and is sent again by a retry`(
        _ said: String
    ) throws {
        let bench = try cancelled(
            said, ScriptedUpstream.answer(["fine"]), ScriptedUpstream.answer(["better"]))
        #expect(try bench.client.messages("s") == [])
        let branches = try bench.client.call("_convod/branch/list", #"{"sessionId":"s"}"#).result
        #expect(branches?["branches"]?.elements.first { _ in true }?["first"]?["text"]?.string == "hello")
        #expect(try bench.client.prompt("s", "other").text() == "fine")
        #expect(bench.servers[0].requests[1].contains(#""messages":[{"role":"user","content":"other"}]"#))
    }

    @Test func `is what a retry sends, whatever end its turn had`() throws {
        let bench = try cancelled("", ScriptedUpstream.answer(["fine"]))
        let retry = try bench.client.call("_convod/turn/retry", #"{"sessionId":"s"}"#)
        #expect(retry.result?["stopReason"]?.string == "end_turn")
        #expect(try bench.client.messages("s") == ["user: hello", "assistant: fine"])
    }

    @Test func `and waited is what a retry sends, with an older one answered before it`() throws {
        let bench = try Bench([
            [
                [.hold] + ScriptedUpstream.answer(["one"]),
                ScriptedUpstream.answer(["two"]),
            ]
        ])
        try bench.client.open("s")
        let first = try bench.client.startPrompt("s", "first")
        let second = try bench.client.startPrompt("s", "second")
        let queued = try bench.client.update { $0.extras?["state"]?.string == "queued" }
        let turn = queued.extras?["turnId"]?.string ?? ""
        let cancel = try bench.client.start("_convod/turn/cancel", #"{"turnId":"\#(turn)"}"#)
        #expect(try bench.client.finish(second).result?["stopReason"]?.string == "cancelled")
        #expect(try bench.client.finish(cancel).result?["state"]?.string == "cancelled")
        bench.servers[0].proceed()
        _ = try bench.client.finish(first)
        let retry = try bench.client.call("_convod/turn/retry", #"{"sessionId":"s"}"#)
        #expect(retry.result?["stopReason"]?.string == "end_turn")
        #expect(
            try bench.client.messages("s") == [
                "user: first", "assistant: one", "user: second", "assistant: two",
            ])
    }

    @Test func `is not one whose answer was seen, though the path went elsewhere`() throws {
        let bench = try Bench([
            [
                [
                    .write(ScriptedUpstream.head + ScriptedUpstream.chunk(#"{"content":"half"}"#)),
                    .untilClosed,
                ],
                ScriptedUpstream.answer(["better"]),
            ]
        ])
        try bench.client.open("s")
        let id = try bench.client.startPrompt("s", "hello")
        _ = try bench.client.update { $0["params"]?["update"]?["content"]?["text"]?.string == "half" }
        try bench.client.send(Self.cancel)
        _ = try bench.client.finish(id)
        let page = try bench.client.call("_convod/message/list", #"{"sessionId":"s"}"#).result?["messages"]
        let prompt = page?.elements.first { _ in true }?["id"]?.string ?? ""
        _ = try bench.client.call(
            "_convod/message/set",
            #"{"sessionId":"s","messageId":"\#(prompt)","content":[{"type":"text","text":"other"}]}"#)
        let retry = try bench.client.call("_convod/turn/retry", #"{"sessionId":"s"}"#)
        #expect(retry.result != nil, "\(retry.message)")
        #expect(try bench.client.messages("s") == ["user: other", "assistant: better"])
    }

    @Test func `after thoughts alone keeps them behind it, beside the path`() throws {
        let bench = try cancelled(Self.thought)
        #expect(try bench.client.messages("s") == [])
        let call = try bench.client.call("_convod/branch/switch", #"{"sessionId":"s","branch":1}"#)
        #expect(call.result != nil)
        let page = try bench.client.call("_convod/message/list", #"{"sessionId":"s"}"#).result?["messages"]
        let kept = page.map { Array($0.elements) } ?? []
        #expect(kept.map { $0["role"]?.string } == ["user", "assistant"])
        #expect(
            kept.last?["content"].map { String(decoding: $0.raw, as: UTF8.self) }?.contains("hm") ?? false)
    }
}

@Suite struct `An answer that something cuts` {
    /// What cuts an answer that began, and the kind that it is told as.
    private static let cuts: [(end: String, kind: String)] = [
        (#"data: {"error":{"message":"Overloaded","type":"overloaded_error"}}"#, "upstream_unavailable"),
        (#"data: {"error":{"message":"spent","code":"insufficient_quota"}}"#, "quota"),
        (#"data: {"error":{"message":"slow","code":"rate_limit_exceeded"}}"#, "throttled"),
        (#"data: {"error":{"message":"odd","type":"invalid_request_error"}}"#, "upstream_refused"),
        (#"data: {"error":{"message":"internal","code":500}}"#, "upstream_unavailable"),
        (#"data: {"choices":[{"delta":{"content"#, "upstream_protocol"),
        ("", "interrupted"),
    ]

    @Test(arguments: cuts)
    func `is kept as interrupted with the kind of what cut it, and can be gone on with (N043)`(
        _ cut: (end: String, kind: String)
    ) throws {
        let bench = try Bench([
            [
                [
                    .write(
                        ScriptedUpstream.head + ScriptedUpstream.chunk(#"{"content":"Partial"}"#)
                            + "\(cut.end)\n\n")
                ], ScriptedUpstream.answer([" and whole"]),
            ]
        ])
        let answer = try bench.ask("s")
        #expect(answer.kind == cut.kind)
        let words = try #require(answer.message["error"]?["message"]?.string)
        #expect(!words.contains("HTTP"))
        #expect(try bench.client.messages("s") == ["user: hello", "assistant: Partial [interrupted]"])
        let id = answer.message["error"]?["data"]?["turnId"]?.string ?? ""
        let turn = try bench.client.call("_convod/turn/get", #"{"turnId":"\#(id)"}"#).result
        #expect(turn?["state"]?.string == "interrupted")
        let tries = turn?["attempts"].map { Array($0.elements) } ?? []
        #expect(tries.count == 1 && (tries[0]["status"]?.int ?? 200) == 200)
        let more = try bench.client.call("_convod/turn/continue", #"{"sessionId":"s"}"#)
        #expect(more.result?["stopReason"]?.string == "end_turn", "\(more.message)")
    }
}

@Suite struct `A turn without a prompt` {
    @Test(arguments: [
        #"[{"role":"assistant","content":[{"type":"text","text":"Welcome."}]}]"#,
        #"[{"role":"user","content":[{"type":"text","text":" \n"}]}]"#,
        #"[{"role":"system","content":[{"type":"text","text":"Be brief."}]}]"#,
    ])
    func `is refused where there is nothing to answer, and keeps nothing`(_ messages: String) throws {
        let bench = try Bench([[ScriptedUpstream.answer(["fine"])]])
        try bench.client.open("s")
        _ = try bench.client.call(
            "_convod/message/append", #"{"sessionId":"s","messages":\#(messages)}"#)
        let refused = try bench.client.call("_convod/turn/start", #"{"sessionId":"s"}"#)
        #expect(refused.kind == "conflict", "\(refused.message)")
        #expect(bench.counts == [0])
        let turns = try bench.client.call("_convod/turn/list", #"{"sessionId":"s"}"#).result?["turns"]
        #expect(turns?.count == 0)
        #expect(try bench.client.prompt("s", "hello").text() == "fine")
    }
}
