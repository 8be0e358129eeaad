internal import JSON
internal import TestSupport
internal import Testing

/// A client that goes, comes again, or comes between: none of it may cost a turn.
@Suite struct `A turn whose client leaves` {
    @Test(arguments: ["_convod/turn/retry", "_convod/turn/continue"])
    func `goes on, however it was asked for`(method: String) throws {
        let daemon = try TestDaemon()
        let other = try daemon.client()
        try other.open("s")
        let first = try other.startPrompt("s", "count to 30")
        if method.hasSuffix("continue") {
            _ = try other.update {
                $0["params"]?["update"]?["sessionUpdate"]?.string == "agent_message_chunk"
            }
            try other.send(#"{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"s"}}"#)
        }
        _ = try other.finish(first)
        do {
            let client = try daemon.client()
            _ = try client.start(method, #"{"sessionId":"s"}"#)
            _ = try other.update {
                $0["params"]?["update"]?["_meta"]?["convod"]?["state"]?.string == "waiting"
            }
        }
        let end = try other.update {
            $0["params"]?["update"]?["_meta"]?["convod"]?["state"]?.string == "ended"
        }
        #expect(end["params"]?["update"]?["_meta"]?["convod"]?["stopReason"]?.string == "end_turn")
    }
}

@Suite struct `A turn that ends with its client` {
    @Test func `goes on for another client that repeated it, and ends when nobody is left (B064)`() throws {
        let daemon = try TestDaemon()
        let other = try daemon.client()
        try other.open("s")
        let asked = #""requestId":"r","onDisconnect":"cancel""#
        var attached = 0
        do {
            let client = try daemon.client()
            _ = try client.startPrompt("s", "count to 200", asked)
            _ = try other.update { $0.isChunk }
            attached = try other.startPrompt("s", "count to 200", asked)
            _ = try other.call("_convod/server/info")
        }
        let answer = try other.finish(attached)
        #expect(answer.result?["stopReason"]?.string == "end_turn")
        do {
            let client = try daemon.client()
            _ = try client.startPrompt("s", "count to 3000", #""onDisconnect":"cancel""#)
            _ = try other.update { $0.isChunk }
        }
        let end = try other.update { $0.extras?["state"]?.string == "ended" }
        #expect(end.extras?["stopReason"]?.string == "cancelled")
    }

    @Test func `is told to have ended also when it waited and did not begin`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client(), other = try daemon.client()
        try client.open("s")
        _ = try other.call("session/resume", #"{"sessionId":"s","cwd":"/","mcpServers":[]}"#)
        let running = try client.startPrompt("s", "count to 3000")
        _ = try other.update { $0.isChunk }
        let queued = try client.startPrompt("s", "and then?")
        let id = try other.update { $0.extras?["state"]?.string == "queued" }.extras?["turnId"]?.string
        try client.send(
            #"{"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":\#(queued)}}"#)
        let end = try other.update { $0.extras?["state"]?.string == "ended" }.extras
        #expect(end?["turnId"]?.string == id && end?["stopReason"]?.string == "cancelled")
        _ = try client.finish(queued)
        try client.send(#"{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"s"}}"#)
        _ = try client.finish(running)
    }
}

@Suite struct `A session that is opened at a message which is not there` {
    @Test func `is not joined, and a client that was there stays what it was`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client(), other = try daemon.client(), watcher = try daemon.client()
        try client.open("s")
        _ = try client.prompt("s", "one")
        _ = try watcher.call("_convod/watch", #"{"sessions":["s"]}"#)
        let nowhere =
            #"{"sessionId":"s","cwd":"/","mcpServers":[],"_meta":{"convod":{"after":{"messageId":"01a211bd-7321-7000-8074-7667af49e4be"}}}}"#
        for guest in [other, watcher] {
            #expect(try guest.call("session/resume", nowhere).kind == "conflict")
        }
        _ = try client.prompt("s", "two")
        let other2 = try other.call("_convod/server/info")
        #expect(other2.updates.isEmpty)
        _ = try watcher.update { $0.isChunk }
        #expect(try watcher.prompt("s", "may I?").kind != nil)
    }
}

extension JSONView {
    fileprivate var isChunk: Bool {
        self["params"]?["update"]?["sessionUpdate"]?.string == "agent_message_chunk"
    }
}

@Suite struct `A repeated request ID` {
    @Test func `attaches to its own turn where a busy session is to refuse, and gives back one that ended`()
        throws
    {
        let daemon = try TestDaemon()
        let client = try daemon.client(), again = try daemon.client()
        try client.open("s")
        let old = try client.prompt("s", "hello", #""requestId":"old""#)
        let running = try client.startPrompt("s", "count to 30", #""requestId":"now","ifBusy":"reject""#)
        _ = try client.update { $0["params"]?["update"]?["sessionUpdate"]?.string == "agent_message_chunk" }
        let repeated = try again.prompt("s", "hello", #""requestId":"old","ifBusy":"reject""#)
        #expect(repeated.extras?["turnId"]?.string == old.extras?["turnId"]?.string)
        let attached = try again.prompt("s", "count to 30", #""requestId":"now","ifBusy":"reject""#)
        let first = try client.finish(running)
        #expect(first.result != nil && attached.extras?["turnId"]?.string == first.extras?["turnId"]?.string)
    }

    @Test func `of a turn that is cancelled in the queue meanwhile is cancelled too`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("s")
        let running = try client.startPrompt("s", "count to 30")
        let queued = try client.startPrompt("s", "hello", #""requestId":"r""#)
        _ = try client.update { $0["params"]?["update"]?["_meta"]?["convod"]?["state"]?.string == "queued" }
        let again =
            #"{"jsonrpc":"2.0","id":"again","method":"session/prompt","params":{"sessionId":"s","prompt":[{"type":"text","text":"hello"}],"_meta":{"convod":{"requestId":"r"}}}}"#
        try client.send(
            again + "\n" + #"{"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":\#(queued)}}"#
        )
        var stops: [String] = []
        while stops.count < 2 {
            let message = try client.next()
            guard message["method"] == nil else { continue }
            stops.append(
                message["result"]?["stopReason"]?.string ?? message["error"]?["data"]?["kind"]?.string ?? "")
        }
        #expect(stops == ["cancelled", "cancelled"])
        _ = try client.finish(running)
    }
}

@Suite struct `A prompt that comes while another client chooses a path` {
    @Test func `is answered from the path that it stands on`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client(), other = try daemon.client()
        for round in 1...20 {
            let session = "s\(round)"
            try client.open(session)
            for words in ["one", "two"] { _ = try client.prompt(session, words) }
            let list = try client.call("_convod/message/list", #"{"sessionId":"\#(session)"}"#).result
            let first = list?["messages"]?.elements.first { _ in true }?["id"]?.string ?? ""
            let edit = try client.start(
                "_convod/message/set",
                #"{"sessionId":"\#(session)","messageId":"\#(first)","content":[{"type":"text","text":"uno"}]}"#
            )
            let prompt = try other.prompt(session, "then")
            let edited = try client.finish(edit)
            guard edited.result != nil else { continue }  // the prompt was there first
            #expect(edited.result?["messageCount"]?.int == 1)
            let messages = try client.messages(session)
            guard messages.count == 3 else { continue }
            #expect(messages[0] == "user: uno" && prompt.text().hasSuffix("Before that: “uno”"))
            #expect(edited.result?["headId"]?.string != nil)
        }
    }
}

extension `A repeated request ID` {
    @Test
    func `of a client that was lost asks its upstream once, while it runs and when it has ended (B064)`()
        throws
    {
        let whole =
            ScriptedUpstream.chunk(#"{"content":"whole"}"#)
            + "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
        let bench = try Bench([[[.write(ScriptedUpstream.head), .hold, .write(whole)]]])
        try bench.client.open("s")
        var lost: TestClient? = try bench.daemon.client()
        _ = try lost?.startPrompt("s", "hello", #""requestId":"k""#)
        _ = try bench.client.update { $0.extras?["state"]?.string == "waiting" }
        lost = nil
        let second = try bench.client.startPrompt("s", "hello", #""requestId":"k""#)
        // Its answer says that what came before on this connection was taken.
        let info = try bench.client.call("_convod/server/info")
        #expect(info.result != nil)
        bench.servers[0].proceed()
        let answer = try bench.client.finish(second)
        #expect(answer.result?["stopReason"]?.string == "end_turn")
        let again = try bench.client.prompt("s", "hello", #""requestId":"k""#)
        #expect(again.extras?["repeated"]?.bool == true)
        #expect(again.extras?["turnId"]?.string == answer.extras?["turnId"]?.string)
        #expect(bench.counts == [1])
        #expect(try bench.client.messages("s") == ["user: hello", "assistant: whole"])
    }
}
