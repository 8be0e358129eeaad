internal import JSON
internal import TestSupport
internal import Testing

@Suite struct `A system prompt that a client brings along` {
    private func brought(_ mode: String, _ text: String) -> String {
        #""systemPrompt":{"mode":"\#(mode)","content":[{"type":"text","text":"\#(text)"}]}"#
    }

    /// What a model would get for the system prompt of a session, asked by a client.
    private func system(_ client: TestClient, _ session: String = "s") throws -> String? {
        try client.call("_convod/context/build", #"{"sessionId":"\#(session)","dialect":"anthropic"}"#)
            .result?["system"]?
            .string
    }

    private func new(_ client: TestClient, _ prompt: String, own: String = #","system":"own""#) throws
        -> TestClient.Answer
    {
        try client.call(
            "session/new",
            #"{"cwd":"/tmp","mcpServers":[],\#(prompt),"_meta":{"convod":{"sessionId":"s","ifExists":"resume"\#(own)}}}"#
        )
    }

    private func resume(_ client: TestClient, _ more: String) throws -> TestClient.Answer {
        try client.call("session/resume", #"{"sessionId":"s","cwd":"/tmp","mcpServers":[]\#(more)}"#)
    }

    @Test func `is appended, replaced at each setup and never added up, and stays when it is not said`()
        throws
    {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        #expect(try new(client, brought("append", "one")).error == nil)
        _ = try client.prompt("s", "hello")
        #expect(try system(client) == "own\n\none")
        #expect(try resume(client, "," + brought("append", "two")).error == nil)
        #expect(try system(client) == "own\n\ntwo")
        #expect(try resume(client, "").error == nil)
        let loaded = try client.call(
            "session/load", #"{"sessionId":"s","cwd":"/tmp","mcpServers":[],\#(brought("append", "three"))}"#)
        #expect(loaded.error == nil && loaded.text() == "Message 1 of this session; you said: hello")
        #expect(try system(client) == "own\n\nthree")
        let shown = try client.call("_convod/session/get", #"{"sessionId":"s"}"#).result
        #expect(shown?["system"]?.string == "own" && shown?["appendedSystem"]?.string == "three")
        #expect(try resume(client, #","systemPrompt":{"mode":"append","content":[]}"#).error == nil)
        #expect(try system(client) == "own")
    }

    @Test func `stands in place of the session's for this client's prompts alone`() throws {
        let server = try ScriptedUpstream([
            ScriptedUpstream.answer(["fine"]), ScriptedUpstream.answer(["fine"]),
        ])
        let daemon = try TestDaemon(
            "{ upstreams: { a: { kind: \"openai\", baseURL: \"\(server.base)\", model: \"m\" } }, routes: { default: [\"a\"] } }"
        )
        let one = try daemon.client(), other = try daemon.client()
        #expect(try new(one, brought("append", "appended")).error == nil)
        #expect(try resume(other, "," + brought("override", "mine")).error == nil)
        _ = try one.prompt("s", "first")
        _ = try other.prompt("s", "second")
        #expect(server.requests[0].contains(#""content":"own\n\nappended""#))
        #expect(server.requests[1].contains(#""content":"mine""#) && !server.requests[1].contains("appended"))
        #expect(try system(other) == "mine" && system(one) == "own\n\nappended")
        // Who has left and comes again brings it along anew, or has it no more.
        _ = try other.call("session/close", #"{"sessionId":"s"}"#)
        _ = try resume(other, "")
        #expect(try system(other) == "own\n\nappended")
    }

    @Test func `is there for a prompt that comes right behind, in whatever order the setups came`() throws {
        let server = try ScriptedUpstream([ScriptedUpstream.answer(["fine"])])
        let daemon = try TestDaemon(
            "{ upstreams: { a: { kind: \"openai\", baseURL: \"\(server.base)\", model: \"m\" } }, routes: { default: [\"a\"] } }"
        )
        let client = try daemon.client()
        #expect(try new(client, brought("append", "a")).error == nil)
        for text in ["b", "a", "c"] {
            try client.start(
                "session/resume",
                #"{"sessionId":"s","cwd":"/tmp","mcpServers":[],\#(brought("append", text))}"#)
        }
        let id = try client.startPrompt("s", "hello")
        #expect(try client.finish(id).error == nil)
        #expect(server.requests[0].contains(#""content":"own\n\nc""#))
    }

    @Test func `is in no list of sessions, and an override in no turn that has ended`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        #expect(try new(client, brought("append", "appended")).error == nil)
        #expect(try resume(client, "," + brought("override", "overridden")).error == nil)
        _ = try client.prompt("s", "hello")
        let kept = try shell(
            "sqlite3", daemon.database,
            "SELECT appended_system, settings FROM session; SELECT options FROM turn")
        #expect(kept == "appended|{}\n{}\n")
        let listed = try client.call("session/list", "{}")
        #expect(!text(listed.message.raw).contains("appended"))
    }

    @Test func `is offered, and refused where it cannot be`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        let offered = try client.call("initialize", #"{"protocolVersion":1}"#).result?["agentCapabilities"]
        #expect(offered?["sessionCapabilities"]?["systemPrompt"]?["mode"]?["override"] != nil)
        for (prompt, words) in [
            (brought("_x", "y"), "'systemPrompt.mode' must be 'append' or 'override'"),
            (#""systemPrompt":{"mode":"append"}"#, "'systemPrompt.content' must be an array of text blocks"),
            (
                #""systemPrompt":{"mode":"append","content":[{"type":"image","mimeType":"image/png","data":""}]}"#,
                "cannot stand in a message of role 'system'"
            ),
        ] {
            let refused = try new(client, prompt)
            #expect(
                refused.kind == "invalid_params" && refused.error?["message"]?.string?.contains(words) == true
            )
        }
        _ = try new(client, brought("append", "x"))
        let observer = try resume(
            client, #",\#(brought("append", "z")),"_meta":{"convod":{"role":"observer"}}"#)
        #expect(observer.kind == "invalid_params")
    }
}
