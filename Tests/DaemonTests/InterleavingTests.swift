internal import JSON
internal import TestSupport
internal import Testing

/// What two clients, or one that does not wait, can do to each other's turns.
@Suite struct `A repeated request ID in the queue` {
    private func running() throws -> (TestDaemon, TestClient, Int) {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("demo")
        let id = try client.startPrompt("demo", "count to 200", #""requestId":"x""#)
        _ = try client.update { $0["params"]?["update"]?["sessionUpdate"]?.string == "agent_message_chunk" }
        return (daemon, client, id)
    }

    /// One line of a repeat, with a line behind it in the same write.
    private func burst(_ client: TestClient, _ words: String, _ behind: String) throws {
        let prompt =
            #"{"jsonrpc":"2.0","id":"p2","method":"session/prompt","params":{"sessionId":"demo","prompt":[{"type":"text","text":"\#(words)"}],"_meta":{"convod":{"requestId":"x"}}}}"#
        try client.send(prompt + "\n" + behind)
    }

    @Test(arguments: [
        ("count to 200", #"{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"demo"}}"#),
        ("count to 200", #"{"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":"p2"}}"#),
        ("something else", #"{"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":"p2"}}"#),
        (
            "count to 200",
            #"{"jsonrpc":"2.0","id":"d","method":"session/delete","params":{"sessionId":"demo"}}"#
        ),
    ]) func `is answered once, whatever is cancelled meanwhile (B067)`(words: String, behind: String) throws {
        let (daemon, client, id) = try running()
        try burst(client, words, behind)
        var answered: [String] = []
        let wanted = behind.contains("\"id\":\"d\"") ? 3 : 2
        try client.send(#"{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"demo"}}"#)
        while answered.count < wanted {
            let message = try client.next()
            if let id = message["id"], message["method"] == nil { answered.append(text(id.raw)) }
        }
        #expect(Set(answered).count == wanted && answered.contains("\(id)") && answered.contains("\"p2\""))
        #expect(try daemon.client().call("_convod/server/info").result != nil)
    }

    @Test func `is answered once while the first turn ends`() throws {
        let daemon = try TestDaemon()
        let one = try daemon.client(), other = try daemon.client()
        try one.open("demo")
        for round in 0..<40 {
            let extras = #""requestId":"r\#(round)""#
            let first = try one.startPrompt("demo", "hi", extras)
            let second = try other.startPrompt("demo", "hi", extras + #","window":{"maxTokens":1000}"#)
            #expect(try one.finish(first).result != nil)
            #expect(try other.finish(second).result != nil)
        }
    }
}

@Suite struct `A turn out of the queue that cannot begin` {
    @Test func `answers who cancels it meanwhile`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client(), other = try daemon.client()
        try client.open("demo")
        for _ in 0..<20 {
            let first = try client.startPrompt("demo", "count to 2")
            let second = try client.startPrompt("demo", "does not fit", #""window":{"maxTokens":1}"#)
            let queued = try client.update {
                $0["params"]?["update"]?["_meta"]?["convod"]?["state"]?.string == "queued"
            }
            let turn = queued["params"]?["update"]?["_meta"]?["convod"]?["turnId"]?.string ?? ""
            _ = try client.finish(first)
            #expect(try other.call("_convod/turn/cancel", #"{"turnId":"\#(turn)"}"#).result?["state"] != nil)
            _ = try client.finish(second)
        }
    }
}

@Suite struct `Two replays on one connection` {
    @Test func `do not mix, and the live answer comes once behind them (N011)`() throws {
        let daemon = try TestDaemon(
            "{ window: { maxTokens: 10000000 }, upstreams: { echo: { kind: 'echo' } } }")
        let writer = try daemon.client(), reader = try daemon.client()
        try writer.open("demo")
        let filler = String(repeating: "filler ", count: 300)
        let batch = (0..<300).map { _ in
            #"{"role":"user","content":[{"type":"text","text":\#(quoted(filler))}]}"#
        }.joined(separator: ",")
        try writer.call("_convod/message/append", #"{"sessionId":"demo","messages":[\#(batch)]}"#)
        let id = try writer.startPrompt("demo", "count to 60")
        _ = try writer.update { $0["params"]?["update"]?["sessionUpdate"]?.string == "agent_message_chunk" }
        let load =
            #"{"jsonrpc":"2.0","id":"l","method":"session/load","params":{"sessionId":"demo","cwd":"/","mcpServers":[]}}"#
        let resume =
            #"{"jsonrpc":"2.0","id":"r","method":"session/resume","params":{"sessionId":"demo","cwd":"/"}}"#
        try reader.send(load + "\n" + resume)
        var said = ""
        _ = try reader.update { message in
            let update = message["params"]?["update"]
            if update?["sessionUpdate"]?.string == "agent_message_chunk" {
                said += update?["content"]?["text"]?.string ?? ""
            }
            return update?["_meta"]?["convod"]?["state"]?.string == "ended"
        }
        #expect(said == (1...60).map(String.init).joined(separator: " "))
        _ = try writer.finish(id)
    }
}

@Suite struct `A script that does not wait` {
    @Test func `gets every answer after its half-close, however much they are`() throws {
        let daemon = try TestDaemon("{ limits: { outbox: '1MiB' }, upstreams: { echo: { kind: 'echo' } } }")
        let client = try daemon.client()
        try client.send(
            (1...120).map { #"{"jsonrpc":"2.0","id":\#($0),"method":"rpc.discover"}"# }.joined(
                separator: "\n"))
        client.endSending()
        for number in 1...120 { #expect(try client.next()["id"]?.int == number) }
        #expect(throws: TestClient.Ended.self) { try client.next() }
    }

    @Test func `finds sessions of a directory with a slash at its end`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.call(
            "session/new", #"{"cwd":"/tmp/foo/","mcpServers":[],"_meta":{"convod":{"sessionId":"demo"}}}"#)
        _ = try client.prompt("demo", "x")
        for cwd in ["/tmp/foo", "/tmp/foo/"] {
            #expect(try client.call("session/list", #"{"cwd":"\#(cwd)"}"#).result?["sessions"]?.count == 1)
            #expect(
                try client.call("_convod/session/find", #"{"cwd":"\#(cwd)"}"#).result?["sessions"]?.count == 1
            )
        }
    }

    @Test func `cannot give a title that would fill every list`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        #expect(
            try client.open("demo", #""title":"\#(String(repeating: "T", count: 1_025))""#).kind
                == "invalid_params")
    }
}

@Suite struct `A session that is made` {
    @Test func `is named by no line before the answer that gives its ID out (N031)`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client(), other = try daemon.client()
        var ids: Set<String> = []
        for _ in 0..<100 {
            let made = try client.call("session/new", #"{"cwd":"/tmp","mcpServers":[]}"#)
            #expect(made.updates.isEmpty)
            ids.insert(made.result?["sessionId"]?.string ?? "")
        }
        try client.open("source")
        _ = try client.prompt("source", "hello")
        for _ in 0..<20 {
            let made = try client.call(
                "session/fork", #"{"sessionId":"source","cwd":"/tmp","mcpServers":[]}"#)
            #expect(made.updates.isEmpty)
            ids.insert(made.result?["sessionId"]?.string ?? "")
        }
        #expect(ids.count == 120 && !ids.contains(""))
        #expect(
            try other.call("_convod/server/info").updates.isEmpty, "who did not ask hears nothing of them")
        #expect(try other.isQuiet)
        // Where many are asked for at once each answer still comes first.
        let requests = try (0..<50).map { _ in
            try client.start("session/new", #"{"cwd":"/tmp","mcpServers":[]}"#)
        }
        for id in requests { #expect(try client.finish(id).updates.allSatisfy { $0["method"] == nil }) }
    }
}
