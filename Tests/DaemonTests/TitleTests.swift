internal import JSON
internal import TestSupport
internal import Testing

/// A session of one turn that server `a` answered and that server `b` names.
private struct TitleBench {
    let bench: Bench
    var client: TestClient { bench.client }

    init(_ titles: [[ScriptedUpstream.Step]]) throws {
        bench = try Bench(
            [[ScriptedUpstream.answer(["a monad is a monoid"])], titles],
            more: "summarizer: { upstream: 'b' }")
        try client.open("s")
        _ = try client.prompt("s", "what is a monad?")
    }

    func name() throws -> TestClient.Answer {
        try client.call("_convod/session/title", #"{"sessionId":"s"}"#)
    }

    func title() throws -> String? {
        try client.call("_convod/session/get", #"{"sessionId":"s"}"#).result?["title"]?.string
    }
}

@Suite struct `A title by the model` {
    @Test(arguments: [
        ("Monads explained", "Monads explained"),
        ("\n\n# Title: \"Monads explained.\"\nIt is.", "Monads explained"),
        ("**Monads explained**", "Monads explained"), ("„Monaden erklärt“", "Monaden erklärt"),
        ("标题：单子是什么。", "单子是什么"),
    ])
    func `is what it says without what stands around it, and is told and paid`(said: String, title: String)
        throws
    {
        let bench = try TitleBench([ScriptedUpstream.answer([said])])
        let watcher = try bench.bench.daemon.client()
        _ = try watcher.call("session/load", #"{"sessionId":"s","cwd":"/","mcpServers":[]}"#)
        let named = try bench.name()
        #expect(named.result?["title"]?.string == title)
        #expect(try bench.title() == title)
        let update = try watcher.update { $0["params"]?["update"]?["title"]?.string == title }
        #expect(update["params"]?["update"]?["sessionUpdate"]?.string == "session_info_update")
        let asked = bench.bench.servers[1].requests.last ?? ""
        #expect(asked.contains("what is a monad?") && asked.contains("a monad is a monoid"))
        let usage = try bench.client.call("_convod/usage", #"{"by":["upstream"]}"#).result
        let row = usage?["rows"]?.elements.first { $0["upstream"]?.string == "b" }
        #expect(row?["inputTokens"]?.int == 7 && row?["prompts"]?.int == 0)
        #expect(
            try bench.client.call("_convod/message/list", #"{"sessionId":"s"}"#).result?["messages"]?.count
                == 2)
    }

    @Test func `is made of what is pinned too, and not of what a call gave that is left out`() throws {
        let bench = try TitleBench([ScriptedUpstream.answer(["Monads"])])
        let call = #"{"type":"tool_call","id":"a","name":"f","arguments":{}}"#
        let result = #"{"type":"tool_result","toolCallId":"a","content":"SECRET"}"#
        _ = try bench.client.call(
            "_convod/message/append",
            #"{"sessionId":"s","messages":[{"role":"assistant","content":[\#(call)]},{"role":"tool","content":[\#(result)]}]}"#
        )
        let page = try bench.client.call("_convod/message/list", #"{"sessionId":"s"}"#).result
        let ids = page?["messages"]?.elements.compactMap { $0["id"]?.string } ?? []
        for (id, mark) in [(ids[0], #""pinned":true"#), (ids[2], #""excluded":true"#)] {
            _ = try bench.client.call(
                "_convod/message/set", #"{"sessionId":"s","messageId":"\#(id)",\#(mark)}"#)
        }
        #expect(try bench.name().result?["title"]?.string == "Monads")
        let asked = bench.bench.servers[1].requests.last ?? ""
        #expect(asked.contains("what is a monad?") && !asked.contains("SECRET"))
    }

    @Test func `asked for by many sessions at once uses no more than one behind the other`() throws {
        let title = [.hold] + ScriptedUpstream.answer(["Monads"])
        let bench = try Bench(
            [(1...6).map { _ in title }],
            more: "summarizer: { upstream: 'a' }, quotas: { user: { tokensPerDay: 150 } }")
        for number in 1...6 {
            _ = try bench.client.call(
                "_convod/message/append",
                #"{"sessionId":"s\#(number)","ifMissing":"create","messages":[{"role":"user","content":[{"type":"text","text":"what is a monad?"}]}]}"#
            )
        }
        let asked = try (1...6).map {
            try bench.client.start("_convod/session/title", #"{"sessionId":"s\#($0)"}"#)
        }
        var kinds: [String] = []
        while kinds.count < asked.count {
            let message = try bench.client.next()
            guard let id = message["id"]?.int, asked.contains(id) else { continue }
            if kinds.count == asked.count - 2 { bench.servers[0].proceed() }
            kinds.append(message["error"]?["data"]?["kind"]?.string ?? "done")
        }
        #expect(kinds.count { $0 == "done" } == 1 && kinds.count { $0 == "throttled" } == 5, "\(kinds)")
        #expect(bench.counts == [1])
    }

    @Test func `that does not come leaves the one before, and says why`() throws {
        let down = ScriptedUpstream.failure("400 Bad Request", #"{"error":{"message":"no"}}"#)
        let bench = try TitleBench([down, ScriptedUpstream.answer(["  \n "])])
        let before = try bench.title()
        #expect(try bench.name().kind == "upstream_refused")
        #expect(try bench.name().kind == "upstream_refused")
        #expect(try bench.title() == before)
    }

    @Test func `is broken off by who asked, and not asked for twice at once`() throws {
        let bench = try TitleBench([[.hold] + ScriptedUpstream.answer(["late"])])
        let before = try bench.title()
        let first = try bench.client.start("_convod/session/title", #"{"sessionId":"s"}"#)
        while bench.bench.counts[1] == 0 { _ = try bench.title() }
        let other = try bench.bench.daemon.client()
        #expect(try other.call("_convod/session/title", #"{"sessionId":"s"}"#).kind == "conflict")
        try bench.client.send(
            #"{"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":\#(first)}}"#)
        #expect(try bench.client.finish(first).kind == "cancelled")
        #expect(try bench.title() == before)
    }

    @Test func `is not made of a session that says nothing`() throws {
        let bench = try TitleBench([ScriptedUpstream.answer(["no"])])
        try bench.client.open("empty")
        let answer = try bench.client.call("_convod/session/title", #"{"sessionId":"empty"}"#)
        #expect(answer.kind == "conflict" && bench.bench.counts[1] == 0)
    }
}
