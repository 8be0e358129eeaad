internal import JSON
internal import Store
internal import TestSupport
internal import Testing

@Suite struct `What happens between a look and its answer` {
    private static let echo = "{ upstreams: { echo: { kind: 'echo' } } }"

    /// Asks something short until the look is held back.
    private func wait(_ gate: LookGate, _ client: TestClient, _ count: Int = 1) throws {
        for _ in 0..<20_000 where gate.held < count { _ = try client.call("_convod/server/info") }
        try #require(gate.held >= count, "nobody takes such a look")
    }

    @Test func `raises a quota that a queue is looked at for, and the queue goes on`() throws {
        let gate = LookGate()
        let daemon = try TestDaemon(
            "{ upstreams: { echo: { kind: 'echo' } }, quotas: { session: { tokens: 10 } } }", gate: gate)
        let client = try daemon.client(), other = try daemon.client()
        try client.open("s")
        let first = try client.startPrompt("s", "count to 100")
        _ = try client.update { $0["params"]?["update"]?["sessionUpdate"]?.string == "agent_message_chunk" }
        let second = try client.startPrompt("s", "second")
        _ = try client.update { $0.extras?["state"]?.string == "queued" }
        gate.hold("TurnByID")
        _ = try client.finish(first)
        try wait(gate, other)
        let raised = try other.call("_convod/session/set", #"{"sessionId":"s","quota":{"tokens":1000000}}"#)
        #expect(raised.result != nil)
        gate.open()
        #expect(try client.finish(second).result?["stopReason"]?.string == "end_turn")
    }

    @Test func `holds up what the same client asks of that session, and nothing else`() throws {
        let gate = LookGate()
        let daemon = try TestDaemon(Self.echo, gate: gate)
        let client = try daemon.client(), other = try daemon.client()
        try client.open("a")
        try client.open("b")
        gate.hold("BranchList")
        let slow = try client.start("_convod/branch/list", #"{"sessionId":"a"}"#)
        try wait(gate, other)
        let behind = try client.start("_convod/session/get", #"{"sessionId":"a"}"#)
        let prompt = try client.prompt("b", "hello")
        #expect(prompt.result?["stopReason"]?.string == "end_turn")
        let list = try client.start("session/list")
        let info = try client.call("_convod/server/info")
        // A list waits for all of its client's looks.
        #expect((prompt.updates + info.updates).allSatisfy { $0["id"] == nil })
        gate.open()
        for id in [slow, behind, list] { #expect(try client.finish(id).result != nil) }
    }

    /// The looks are for the user's own in memory and on disk, and for the name in memory.
    @Test(arguments: [1, 2])
    func `begins a turn, and messages that come late are refused`(_ skip: Int) throws {
        let gate = LookGate()
        let server = try ScriptedUpstream([[.hold] + ScriptedUpstream.answer(["fine"])])
        let daemon = try TestDaemon(
            "{ upstreams: { up: { kind: 'openai', baseURL: '\(server.base)', model: 'm' } } }", gate: gate)
        let client = try daemon.client(), other = try daemon.client()
        client.kept = [server]
        try client.open("s")
        try client.open("memory", #""ephemeral":true"#)
        gate.hold("SessionByName", after: skip)
        let append = try client.start(
            "_convod/message/append",
            #"{"sessionId":"s","ifMissing":"create","messages":[{"role":"user","content":[{"type":"text","text":"late"}]}]}"#
        )
        try wait(gate, other)
        let prompt = try other.startPrompt("s", "hello")
        while server.requests.isEmpty { _ = try other.call("_convod/server/info") }
        gate.open()
        #expect(try client.finish(append).kind == "busy")
        server.proceed()
        _ = try other.finish(prompt)
        #expect(try client.messages("s") == ["user: hello", "assistant: fine"])
    }

    @Test func `answers another prompt, and a cut answer is gone on with no more`() throws {
        let gate = LookGate()
        let cut = [
            ScriptedUpstream.Step.write(
                ScriptedUpstream.head + ScriptedUpstream.chunk(#"{"content":"half"}"#))
        ]
        let server = try ScriptedUpstream([cut, ScriptedUpstream.answer(["whole"])])
        let daemon = try TestDaemon(
            "{ upstreams: { up: { kind: 'openai', baseURL: '\(server.base)', model: 'm' } }, retry: { attempts: 1 } }",
            gate: gate)
        let client = try daemon.client(), other = try daemon.client()
        client.kept = [server]
        try client.open("s")
        #expect(try client.prompt("s", "hello").kind == "interrupted")
        gate.hold("ReadMessages")
        let goOn = try client.start("_convod/turn/continue", #"{"sessionId":"s"}"#)
        try wait(gate, other)
        #expect(try other.prompt("s", "again").text() == "whole")
        gate.open()
        #expect(try client.finish(goOn).kind == "conflict")
        #expect(server.requests.count == 2)
    }

    @Test func `changes a list, and each of two watchers is told of it`() throws {
        let gate = LookGate()
        let daemon = try TestDaemon(Self.echo, gate: gate)
        let one = try daemon.client(), two = try daemon.client(), writer = try daemon.client()
        for name in ["a", "b"] { try writer.open(name) }
        _ = try one.call("_convod/watch", "{}")
        gate.hold("Changes")
        let watch = try two.start("_convod/watch", "{}")
        try wait(gate, writer)
        func title(_ id: String) throws {
            _ = try writer.call("_convod/session/set", #"{"sessionId":"\#(id)","title":"new \#(id)"}"#)
        }
        func told(_ client: TestClient, _ id: String) throws {
            while try client.next()["params"].map({ !text($0.raw).contains("new \(id)") }) ?? true {}
        }
        try title("a")
        try told(one, "a")
        gate.hold("Changes")
        try title("b")
        try wait(gate, writer, 2)
        gate.open()
        #expect(try two.finish(watch).result != nil)
        try told(two, "b")
        try told(one, "b")
        // What changed while it was asked for came before.
        #expect(two.transcript.contains { $0.hasPrefix("<-") && $0.contains("new a") })
    }

    @Test func `closes a session on which its client fell behind, and its prompt is answered`() throws {
        let gate = LookGate()
        let daemon = try TestDaemon(
            "{ window: { maxTokens: 10000000 }, upstreams: { echo: { kind: 'echo' } } }", gate: gate)
        let client = try daemon.client(), other = try daemon.client()
        try client.open("s")
        // The next one is that of who fell behind.
        gate.hold("SessionByRow")
        let prompt = try client.startPrompt("s", String(repeating: "many words ", count: 200_000))
        try wait(gate, other)
        var isOver = false
        while !isOver {
            let open = try other.call("_convod/turn/list", #"{"sessionId":"s","open":true}"#).result?["turns"]
            isOver = open?.count == 0
        }
        let close = try client.start("session/close", #"{"sessionId":"s"}"#)
        _ = try other.call("_convod/server/info")
        gate.open()
        var answered: Set<Int> = []
        while answered.count < 2 { if let id = try client.next()["id"]?.int { answered.insert(id) } }
        #expect(answered == [prompt, close])
        // Nothing of the session comes behind that.
        #expect(try client.call("_convod/server/info").updates.isEmpty)
    }

    /// A session with one prompt, whose clients' looks can be held back, and the parameters of a retry that replaces that.
    private func asked() throws -> (gate: LookGate, client: TestClient, other: TestClient, edit: String) {
        let gate = LookGate()
        let daemon = try TestDaemon("{ upstreams: { echo: { kind: 'echo' } } }", gate: gate)
        let client = try daemon.client(), other = try daemon.client()
        other.kept = [daemon]
        try other.open("s")
        _ = try other.prompt("s", "first")
        let page = try other.call("_convod/message/list", #"{"sessionId":"s","limit":1}"#).result
        let first = page?["messages"]?.elements.first { _ in true }?["id"]?.string ?? ""
        let edit = #"{"sessionId":"s","messageId":"\#(first)","prompt":[{"type":"text","text":"other"}]}"#
        return (gate, client, other, edit)
    }

    @Test func `moves the path under a client that joins, and it joins the other one`() throws {
        let (gate, client, other, edit) = try asked()
        gate.hold("Opening")
        let resume = try client.start("session/resume", #"{"sessionId":"s","cwd":"/"}"#)
        try wait(gate, other)
        // It comes while the client joins, is found on the path, and leaves that.
        _ = try other.prompt("s", "second")
        gate.hold("PlacesOnPath")
        gate.open()
        try wait(gate, other, 2)
        #expect(try other.call("_convod/turn/retry", edit).result != nil)
        gate.open()
        #expect(try client.finish(resume).result != nil)
        _ = try other.prompt("s", "third")
        _ = try client.update { $0["params"]?["update"]?["content"]?["text"]?.string == "third" }
        _ = try client.update { $0["params"]?["update"]?["_meta"]?["convod"]?["state"]?.string == "ended" }
    }

    @Test func `moves the path under a client that loads, and it is not told the end of what it never saw`()
        throws
    {
        let (gate, client, other, edit) = try asked()
        gate.hold("SessionByRow")
        let load = try client.start("session/load", #"{"sessionId":"s","cwd":"/","mcpServers":[]}"#)
        try wait(gate, other)
        let left = try other.prompt("s", "second").extras?["messageId"]?.string ?? "none"
        let kept = try other.call("_convod/turn/retry", edit).extras?["messageId"]?.string ?? "none"
        gate.open()
        #expect(try client.finish(load).result != nil)
        _ = try other.prompt("s", "third")
        _ = try client.update { $0["params"]?["update"]?["content"]?["text"]?.string == "third" }
        #expect(!client.transcript.contains { $0.contains(left) })
        #expect(client.transcript.contains { $0.contains(kept) && $0.contains("agent_message_chunk") })
        #expect(client.transcript.contains { $0.contains(kept) && $0.contains("ended") })
    }

    @Test func `brings a piece to a client whose load is cancelled then, and it gets that too`() throws {
        let gate = LookGate()
        let rest =
            #"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"# + "\n\ndata: [DONE]\n\n"
        let server = try ScriptedUpstream([
            [
                .write(ScriptedUpstream.head + ScriptedUpstream.chunk(#"{"content":"one "}"#)), .hold,
                .write(ScriptedUpstream.chunk(#"{"content":"two "}"#) + rest),
            ]
        ])
        let daemon = try TestDaemon(
            "{ upstreams: { up: { kind: 'openai', baseURL: '\(server.base)', model: 'm' } } }", gate: gate)
        let client = try daemon.client(), other = try daemon.client()
        client.kept = [server]
        try client.open("s")
        let prompt = try client.startPrompt("s", "hello")
        _ = try client.update { $0["params"]?["update"]?["sessionUpdate"]?.string == "agent_message_chunk" }
        gate.hold("SessionByRow")
        let load = try client.start("session/load", #"{"sessionId":"s","cwd":"/","mcpServers":[]}"#)
        try wait(gate, other)
        server.proceed()
        try Patience.until("assistant: one two ") { try other.messages("s").last }
        // The load goes on to its next look, and is cancelled there.
        gate.hold("SessionByRow")
        gate.open()
        try wait(gate, other, 2)
        try client.send(#"{"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":\#(load)}}"#)
        #expect(try client.finish(load).kind == "cancelled")
        gate.open()
        let answer = try client.finish(prompt)
        #expect(answer.result?["stopReason"]?.string == "end_turn")
        let said = client.transcript.filter { $0.contains("agent_message_chunk") && $0.contains(#""two ""#) }
        #expect(said.count == 1 && said.first?.contains(#""offset":4"#) == true, "\(said)")
    }
}
