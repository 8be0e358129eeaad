internal import JSON
internal import Protocol
internal import TestSupport
internal import Testing

@Suite struct `Why a message is in a window or not` {
    /// A session of turns with a window of so many turns, and the IDs of its messages.
    private func talked(_ texts: [String], maxTurns: Int) throws -> (TestClient, [String]) {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        client.kept = [daemon]
        try client.open("s", #""window":{"maxTurns":\#(maxTurns)}"#)
        for text in texts { _ = try client.prompt("s", text) }
        let list = try client.call("_convod/message/list", #"{"sessionId":"s"}"#).result
        return (client, list?["messages"]?.elements.compactMap { $0["id"]?.string } ?? [])
    }

    /// Appends a call of a tool and its result, and gives their IDs.
    private func addCall(_ client: TestClient) throws -> (call: String, result: String) {
        let messages =
            #"[{"role":"assistant","content":[{"type":"tool_call","id":"c","name":"f","arguments":{}}]},{"role":"tool","content":[{"type":"tool_result","toolCallId":"c","content":"needle"}]}]"#
        let ids = try client.call(
            "_convod/message/append", #"{"sessionId":"s","messages":\#(messages)}"#
        ).result?["messageIds"]?.elements.compactMap(\.string)
        return (try #require(ids?.first), try #require(ids?.last))
    }

    private func fates(_ client: TestClient, _ id: String) throws -> [String] {
        let told = try client.call("_convod/context/why", #"{"sessionId":"s","messageId":"\#(id)"}"#)
        return told.result?["turns"]?.elements.map { turn in
            "\(turn["seq"]?.int ?? 0) \(turn["fate"]?.string ?? "")"
                + (turn["rule"]?.string.map { " \($0)" } ?? "")
        } ?? [told.kind ?? ""]
    }

    @Test func `is told for the last turns, newest first, with the rule of each cut`() throws {
        let (client, ids) = try talked(["one", "two", "three"], maxTurns: 2)
        #expect(try fates(client, ids[0]) == ["5 leftOut maxTurns", "3 sent", "1 sent"])
        #expect(try fates(client, ids[1]) == ["5 leftOut maxTurns", "3 sent"])
        #expect(try fates(client, ids[5]) == [])
        _ = try client.call(
            "_convod/message/set", #"{"sessionId":"s","messageId":"\#(ids[0])","pinned":true}"#)
        _ = try client.call(
            "_convod/message/set", #"{"sessionId":"s","messageId":"\#(ids[4])","excluded":true}"#)
        _ = try client.prompt("s", "four")
        #expect(try fates(client, ids[0]).first == "7 pinned")
        #expect(try fates(client, ids[4]).first == "7 excluded")
        #expect(
            try fates(client, ids[2]).first == "7 leftOut maxTurns" || fates(client, ids[2]).first == "7 sent"
        )
    }

    @Test func `is the exclusion of the call that it answers`() throws {
        let (client, _) = try talked(["one"], maxTurns: 9)
        let (call, result) = try addCall(client)
        _ = try client.call(
            "_convod/message/set", #"{"sessionId":"s","messageId":"\#(call)","excluded":true}"#)
        let answer = try client.prompt("s", "two")
        #expect(try fates(client, call) == ["5 excluded"])
        #expect(try fates(client, result) == ["5 leftOut unpaired"])
        let told = try client.call(
            "_convod/context/receipt", #"{"turnId":"\#(answer.extras?["turnId"]?.string ?? "")"}"#
        ).result?["receipt"]
        #expect(
            told?["sentMessages"]?.int == 3 && told?["leftOutMessages"]?.int == 2, "\(text(told?.raw ?? []))")
        #expect(told?["unpaired"]?.elements.compactMap(\.int) == [4])
    }

    @Test func `is that too of what is pinned and answers a call that somebody excluded`() throws {
        let (client, _) = try talked(["one"], maxTurns: 1)
        let (call, result) = try addCall(client)
        _ = try client.call(
            "_convod/message/set", #"{"sessionId":"s","messageId":"\#(result)","pinned":true}"#)
        _ = try client.prompt("s", "two")
        #expect(try fates(client, result).first == "5 pinned")
        _ = try client.call(
            "_convod/message/set", #"{"sessionId":"s","messageId":"\#(call)","excluded":true}"#)
        for prompt in ["three", "four"] { _ = try client.prompt("s", prompt) }
        #expect(try fates(client, result).first == "9 leftOut unpaired")
    }

    @Test func `is told of at most ten turns, and of those of the active path alone`() throws {
        let (client, ids) = try talked((1...13).map { "\($0)" }, maxTurns: 3)
        #expect(try fates(client, ids[0]).count == Method.ContextWhy.most)
        _ = try client.call("_convod/turn/retry", #"{"sessionId":"s","messageId":"\#(ids[2])"}"#)
        let left = try fates(client, ids[0])
        #expect(left == ["4 sent", "1 sent"], "a turn that answers anew has no prompt of its own")
        #expect(try fates(client, ids[8]) == ["conflict"])
        let list = try client.call("_convod/message/list", #"{"sessionId":"s","last":1}"#).result
        let own = list?["messages"]?.elements.first { _ in true }?["id"]?.string ?? ""
        #expect(try fates(client, own) == [], "a turn's own answer was not before it")
    }
}
