internal import JSON
internal import TestSupport
internal import Testing

extension TestClient {
    /// Marks the message at a place of a session's path.
    fileprivate func set(_ session: String, _ seq: Int, _ members: String) throws -> TestClient.Answer {
        let list = try call("_convod/message/list", #"{"sessionId":"\#(session)"}"#).result
        let id = list?["messages"]?.elements.dropFirst(seq - 1).first { _ in true }?["id"]?.string ?? ""
        return try call(
            "_convod/message/set", #"{"sessionId":"\#(session)","messageId":"\#(id)",\#(members)}"#)
    }

    /// The seqs that a window of so many messages has.
    fileprivate func window(_ session: String, _ window: String) throws -> [Int] {
        let built = try call("_convod/context/build", #"{"sessionId":"\#(session)","window":\#(window)}"#)
        return built.result?["messages"]?.elements.compactMap { $0["seq"]?.int } ?? []
    }
}

@Suite struct `A message that is marked` {
    private func talked() throws -> TestClient {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        client.kept = [daemon]
        try client.open("s")
        for text in ["one", "two", "three"] { _ = try client.prompt("s", text) }
        return client
    }

    @Test func `as pinned stays in the window, and as excluded stays out`() throws {
        let client = try talked()
        #expect(try client.window("s", #"{"maxTurns":1}"#) == [5, 6])
        let path = try client.set("s", 1, #""pinned":true"#)
        #expect(path.result?["messageCount"]?.int == 6 && path.result?["branch"]?.int == 1)
        #expect(try client.window("s", #"{"maxTurns":1}"#) == [1, 5, 6])
        #expect(try client.set("s", 6, #""excluded":true"#).error == nil)
        #expect(try client.window("s", #"{"maxTurns":1}"#) == [1, 5])
        #expect(try client.set("s", 1, #""pinned":false"#).error == nil)
        #expect(try client.set("s", 6, #""excluded":false"#).error == nil)
        #expect(try client.window("s", #"{"maxTurns":1}"#) == [5, 6])
    }

    @Test func `as excluded is answered by nobody, until it goes again`() throws {
        let client = try talked()
        #expect(try client.set("s", 5, #""excluded":true"#).error == nil)
        let refused = try client.call("_convod/turn/retry", #"{"sessionId":"s"}"#)
        #expect(refused.kind == "conflict")
        #expect(text(refused.message.raw).contains("message 5 is excluded"), "\(text(refused.message.raw))")
        #expect(try client.set("s", 6, #""excluded":true"#).error == nil)
        let gone = try client.call("_convod/turn/continue", #"{"sessionId":"s"}"#)
        #expect(text(gone.message.raw).contains("message 6 is excluded"), "\(text(gone.message.raw))")
        #expect(try client.set("s", 6, #""excluded":false"#).error == nil)
        #expect(try client.set("s", 5, #""excluded":false"#).error == nil)
        #expect(try client.call("_convod/turn/retry", #"{"sessionId":"s"}"#).result != nil)
    }

    @Test func `as pinned is measured with all that goes along, however many calls it is from`() throws {
        let client = try talked()
        _ = try client.call("_convod/session/set", #"{"sessionId":"s","window":{"pinTokens":300}}"#)
        func call(_ id: String) -> String { #"{"type":"tool_call","id":"\#(id)","name":"f","arguments":{}}"# }
        func result(_ id: String, _ words: String) -> String {
            #"{"role":"tool","content":[{"type":"tool_result","toolCallId":"\#(id)","content":"\#(words)"}]}"#
        }
        let long = String(repeating: "word ", count: 2_000)
        let calls = #"{"role":"assistant","content":[\#(call("a")),\#(call("b"))]}"#
        _ = try client.call(
            "_convod/message/append",
            #"{"sessionId":"s","messages":[\#(calls),\#(result("a", long)),\#(result("b", "mild"))]}"#)
        for seq in 7...9 {
            #expect(try client.set("s", seq, #""pinned":true"#).kind == "context_overflow", "\(seq)")
        }
    }

    @Test func `as pinned brings along its own results, where each call of a session has the same ID`() throws
    {
        let client = try talked()
        _ = try client.call("_convod/session/set", #"{"sessionId":"s","window":{"pinTokens":300}}"#)
        let words = String(repeating: "word ", count: 50)
        let turn =
            #"{"role":"assistant","content":[{"type":"tool_call","id":"call_1","name":"f","arguments":{}}]},"#
            + #"{"role":"tool","content":[{"type":"tool_result","toolCallId":"call_1","content":"\#(words)"}]}"#
        func append(_ messages: String) throws -> TestClient.Answer {
            try client.call("_convod/message/append", #"{"sessionId":"s","messages":[\#(messages)]}"#)
        }
        let system =
            #"{"role":"system","content":[{"type":"text","text":"\#(words)\#(words)\#(words)\#(words)\#(words)\#(words)\#(words)"}]}"#
        #expect(try append("\(system),\(turn)").result != nil, "a system's words are not measured")
        for _ in 0..<5 { #expect(try append(turn).result != nil) }
        // That is pinned, and counts beside others.
        _ = try client.call("_convod/session/set", #"{"sessionId":"s","window":{"pinTokens":700}}"#)
        let last = 6 + 1 + 2 * 6
        let path = try client.set("s", last, #""pinned":true"#)
        #expect(path.result != nil, "\(text(path.message.raw))")
        #expect(try append(turn).result != nil, "it has its result")
    }

    @Test func `as excluded takes the room of what it was given along`() throws {
        let client = try talked()
        let long = String(repeating: "word ", count: 2_000)
        let call = #"{"type":"tool_call","id":"a","name":"f","arguments":{}}"#
        let result = #"{"type":"tool_result","toolCallId":"a","content":"\#(long)"}"#
        _ = try client.call(
            "_convod/message/append",
            #"{"sessionId":"s","messages":[{"role":"user","content":[{"type":"text","text":"look"}]},{"role":"assistant","content":[\#(call)]},{"role":"tool","content":[\#(result)]}]}"#
        )
        #expect(try !client.window("s", #"{"maxTokens":500}"#).contains(1))
        #expect(try client.set("s", 8, #""excluded":true"#).error == nil)
        #expect(try client.window("s", #"{"maxTokens":500}"#) == [1, 2, 3, 4, 5, 6, 7])
    }

    @Test func `as pinned is refused a result that passes the room of pins`() throws {
        let client = try talked()
        _ = try client.call("_convod/session/set", #"{"sessionId":"s","window":{"pinTokens":100}}"#)
        func append(_ message: String) throws -> TestClient.Answer {
            try client.call("_convod/message/append", #"{"sessionId":"s","messages":[\#(message)]}"#)
        }
        let call = #"{"type":"tool_call","id":"c","name":"f","arguments":{}}"#
        #expect(try append(#"{"role":"assistant","pinned":true,"content":[\#(call)]}"#).result != nil)
        func result(_ id: String, _ words: String) -> String {
            #"{"role":"tool","content":[{"type":"tool_result","toolCallId":"\#(id)","content":"\#(words)"}]}"#
        }
        let long = String(repeating: "word ", count: 200)
        let refused = try append(result("c", long))
        #expect(refused.kind == "context_overflow", "\(text(refused.message.raw))")
        #expect(try append(result("other", long)).result != nil)
        #expect(try append(result("c", "mild")).result != nil)
    }

    @Test func `twice keeps the newer mark, and taking the other away changes nothing`() throws {
        let client = try talked()
        for members in [#""pinned":true"#, #""excluded":true"#, #""pinned":false"#] {
            #expect(try client.set("s", 1, members).error == nil)
        }
        let list = try client.call("_convod/message/list", #"{"sessionId":"s","limit":1}"#).result
        let first = list?["messages"]?.elements.first { _ in true }
        #expect(first?["pinned"]?.bool == false && first?["excluded"]?.bool == true)
    }

    @Test func `with new words has its mark on those`() throws {
        let client = try talked()
        _ = try client.set("s", 5, #""pinned":true"#)
        #expect(try client.set("s", 5, #""content":[{"type":"text","text":"other"}]"#).error == nil)
        let list = try client.call("_convod/message/list", #"{"sessionId":"s","last":1}"#).result
        #expect(list?["messages"]?.elements.first { _ in true }?["pinned"]?.bool == true)
    }

    @Test(arguments: [
        (
            #""pinned":true,"excluded":true"#,
            "'pinned' and 'excluded' are both true, and a message is one of them at most"
        ),
        (#""pinned":1"#, "'pinned' must be true or false"),
        (
            #""content":[{"type":"text","text":"x"}],"pinned":true"#,
            "'content' stands alone; set 'pinned' or 'excluded' in a request of their own"
        ),
    ]) func `otherwise than can be is refused`(_ members: String, _ sentence: String) throws {
        let client = try talked()
        let refused = try client.set("s", 1, members)
        #expect(refused.kind == "invalid_params" && refused.error?["message"]?.string == sentence)
    }

    @Test func `as pinned past what pins may have is refused with both numbers`() throws {
        let client = try talked()
        _ = try client.call("_convod/session/set", #"{"sessionId":"s","window":{"pinTokens":10}}"#)
        let refused = try client.set("s", 2, #""pinned":true"#)
        #expect(refused.kind == "context_overflow" && refused.error?["data"]?["budget"]?.int == 10)
        #expect((refused.error?["data"]?["needed"]?.int ?? 0) > 10)
        #expect(try client.window("s", #"{"maxTurns":1}"#) == [5, 6])
        _ = try client.call("_convod/session/set", #"{"sessionId":"s","window":{"maxTokens":200}}"#)
        #expect(try client.set("s", 2, #""pinned":true"#).error == nil, "a quarter of the budget is 50")
        #expect(try client.set("s", 4, #""pinned":true"#).kind == nil)
        #expect(try client.set("s", 6, #""pinned":true"#).kind == "context_overflow")
    }

    @Test(arguments: ["s", "new"])
    func `as it is appended past what pins may have is refused, and nothing of it is stored`(_ id: String)
        throws
    {
        let client = try talked()
        _ = try client.call("_convod/session/set", #"{"sessionId":"s","window":{"maxTokens":200}}"#)
        func append(_ role: String, _ count: Int, _ mark: String) throws -> TestClient.Answer {
            let text = String(repeating: "word ", count: count)
            let first = #"{"role":"user","content":[{"type":"text","text":"hi"}]}"#
            let second = #"{"role":"\#(role)","content":[{"type":"text","text":"\#(text)"}]\#(mark)}"#
            return try client.call(
                "_convod/message/append",
                #"{"sessionId":"\#(id)","ifMissing":"create","messages":[\#(first),\#(second)]}"#)
        }
        // The window of a new session is that of a model that nobody knows.
        let many = id == "s" ? 100 : 10_000, few = id == "s" ? 20 : 1_000
        let refused = try append("user", many, #","pinned":true"#)
        #expect(refused.kind == "context_overflow")
        #expect(
            refused.error?["message"]?.string?.hasPrefix("with what comes the pinned messages would need ")
                == true)
        let room = refused.error?["data"]?["budget"]?.int ?? 0
        #expect((refused.error?["data"]?["needed"]?.int ?? 0) > room && room > 0)
        let after = try client.call("_convod/message/list", #"{"sessionId":"\#(id)"}"#)
        #expect(id == "s" ? after.result?["messages"]?.count == 6 : after.kind == "not_found")
        #expect(try append("user", few, #","pinned":true"#).error == nil)
        #expect(
            try append("user", few * 3 / 2, #","pinned":true"#).kind == "context_overflow",
            "with the one before")
        #expect(try append("user", many, "").error == nil, "what is not pinned has no bound")
        #expect(try append("system", many, "").error == nil, "what a system says is pinned unasked")
    }

    @Test func `while a turn runs is marked at once`() throws {
        let client = try talked()
        let id = try client.startPrompt("s", "count to a thousand")
        _ = try client.update { $0["params"]?["update"]?["sessionUpdate"]?.string == "agent_message_chunk" }
        #expect(try client.set("s", 1, #""pinned":true"#).error == nil)
        #expect(try client.set("s", 1, #""content":[{"type":"text","text":"x"}]"#).kind == "busy")
        try client.send(#"{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"s"}}"#)
        #expect(try client.finish(id).result?["stopReason"]?.string == "cancelled")
    }
}
