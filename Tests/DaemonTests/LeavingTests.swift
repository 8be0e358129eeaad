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
