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

    @Test
    func `is appended, replaced at each setup and never added up, and stays when it is not said (N007)`()
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

@Suite struct `A session's own system prompt` {
    @Test
    func `is once in each request, however often its session is opened, and where it is read in (N007)`()
        throws
    {
        let rule = "rule of the house. ", count = 300
        let server = try ScriptedUpstream([ScriptedUpstream.answer(["fine"])])
        func daemon() throws -> TestDaemon {
            try TestDaemon(
                "{ upstreams: { a: { kind: 'openai', baseURL: '\(server.base)', model: 'm', contextLength: 30000 } } }"
            )
        }
        let first = try daemon(), client = try first.client()
        try client.open("s", #""system":\#(quoted(String(repeating: rule, count: count)))"#)
        for _ in 0..<3 {
            let again = try first.client()
            _ = try again.call("session/resume", #"{"sessionId":"s","cwd":"/tmp","mcpServers":[]}"#)
            #expect(try again.prompt("s", "x").text() == "fine")
        }
        let records = try client.call("_convod/export", #"{"sessionId":"s"}"#).updates
            .filter { $0["method"]?.string == "_convod/export/item" }
            .compactMap { $0["params"]?["record"] }.map { text($0.raw) }
        let second = try daemon(), other = try second.client()
        let read = try other.call(
            "_convod/import", #"{"records":[\#(records.joined(separator: ","))],"end":true}"#)
        #expect(read.result?["messages"]?.int == 6, "\(text(read.message.raw))")
        #expect(try other.prompt("s", "x").text() == "fine")
        #expect(try other.messages("s").allSatisfy { !$0.contains(rule) })
        let bodies = server.requests.map { String($0.split(separator: "\r\n").last ?? "") }
        #expect(bodies.count == 4)
        for body in bodies {
            #expect(body.ranges(of: rule).count == count && body.ranges(of: #""role":"system""#).count == 1)
        }
        let growth = zip(bodies, bodies.dropFirst()).map { $1.utf8.count - $0.utf8.count }
        #expect(growth.allSatisfy { (1..<200).contains($0) }, "\(growth)")
    }
}

@Suite struct `What strict clients of ACP read` {
    @Test func `has objects for capabilities, and each option's value among its choices (N035)`() throws {
        let daemon = try TestDaemon(
            """
            { upstreams: { echo: { kind: 'echo' }, up: { kind: 'openai', baseURL: 'http://127.0.0.1:9/v1', model: 'm' },
                           bare: { kind: 'openai', baseURL: 'http://127.0.0.1:9/v1' } }, routes: { default: ['echo'] } }
            """)
        let client = try daemon.client()
        client.kept = [daemon]
        let result = try client.call("initialize", #"{"protocolVersion":1}"#).result
        #expect(result?["authMethods"]?.kind == .array && result?["authMethods"]?.count == 0)
        let abilities = try #require(result?["agentCapabilities"]?["sessionCapabilities"])
        #expect(abilities.members.contains { $0.key == "list" })
        for member in abilities.members { #expect(member.value.kind == .object, "\(member.key)") }
        let made = try client.open("s").result
        var shown = [made?["configOptions"]]
        for (option, value) in [
            ("upstream", "bare"), ("upstream", "up"), ("model", "one-that-nobody-lists"),
            ("upstream", "echo"),
        ] {
            let set = try client.call(
                "session/set_config_option", #"{"sessionId":"s","configId":"\#(option)","value":"\#(value)"}"#
            )
            #expect(set.error == nil)
            shown.append(set.result?["configOptions"])
        }
        for method in ["session/load", "session/resume"] {
            let opened = try client.call(method, #"{"sessionId":"s","cwd":"/tmp","mcpServers":[]}"#).result
            shown.append(opened?["configOptions"])
        }
        for options in shown {
            for option in try #require(options).elements {
                let values = option["options"]?.elements.compactMap { $0["value"]?.string } ?? []
                #expect(values.contains(option["currentValue"]?.string ?? "?"), "\(text(option.raw))")
                // Flat choices alone: no group among them.
                #expect(option["options"]?.elements.allSatisfy { $0["group"] == nil } == true)
            }
        }
        #expect(
            try client.call("session/list").result?["sessions"]?.elements.allSatisfy {
                $0["sessionId"]?.string != nil && $0["cwd"]?.string != nil
            } == true)
    }
}
