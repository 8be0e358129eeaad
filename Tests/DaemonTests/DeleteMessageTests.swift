internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `A message that is taken out` {
    private func files(_ daemon: TestDaemon, _ word: String) throws -> [String] {
        try ["", "-wal", "-shm"].filter { end in
            guard try Files.status(daemon.database + end) != nil else { return false }
            return text(try Files.read(daemon.database + end)).contains(word)
        }
    }

    @Test func `leaves its place empty, and nothing of what it said in any file`() throws {
        let daemon = try TestDaemon(), client = try daemon.client()
        try client.open("s")
        _ = try client.prompt("s", "my key is plantedsecret")
        _ = try client.prompt("s", "and on")
        let list = try client.call("_convod/message/list", #"{"sessionId":"s"}"#).result
        let ids = list?["messages"]?.elements.compactMap { $0["id"]?.string } ?? []
        for id in [ids[0], ids[1]] {
            let gone = try client.call("_convod/message/delete", #"{"sessionId":"s","messageId":"\#(id)"}"#)
            #expect(
                gone.result?["messageIds"]?.elements.map { $0.string ?? "" } == [id], "\(gone.message.raw)")
        }
        // The second answer tells of what was said before.
        _ = try client.call("_convod/message/delete", #"{"sessionId":"s","messageId":"\#(ids[3])"}"#)
        #expect(try client.call("_convod/session/get", #"{"sessionId":"s"}"#).result?["title"]?.string == nil)
        #expect(try files(daemon, "plantedsecret") == [])
        let after = try client.call("_convod/message/list", #"{"sessionId":"s"}"#).result?["messages"]?
            .elements.map { $0 }
        #expect(after?.map { $0["deleted"]?.bool ?? false } == [true, true, false, true])
        #expect(after?[0]["content"]?.count == 0)
        #expect(try client.call("_convod/search", #"{"query":"plantedsecret"}"#).result?["hits"]?.count == 0)
        #expect(try client.prompt("s", "still here").result?["stopReason"]?.string == "end_turn")
    }

    @Test func `takes along what belongs to its tool call, and is refused where others show it`() throws {
        let daemon = try TestDaemon(), client = try daemon.client()
        try client.open("s")
        _ = try client.call(
            "_convod/message/append",
            #"{"sessionId":"s","messages":[{"role":"user","content":[{"type":"text","text":"hi"}]},"#
                + #"{"role":"assistant","content":[{"type":"tool_call","id":"c1","name":"f","arguments":{}}]},"#
                + #"{"role":"tool","content":[{"type":"tool_result","toolCallId":"c1","content":"plantedresult"}]},"#
                + #"{"role":"assistant","content":[{"type":"text","text":"done"}]}]}"#)

        _ = try client.call("_convod/session/fork", #"{"sessionId":"s","newSessionId":"f"}"#)
        let list = try client.call("_convod/message/list", #"{"sessionId":"s"}"#).result
        let ids = list?["messages"]?.elements.compactMap { $0["id"]?.string } ?? []
        let refused = try client.call(
            "_convod/message/delete", #"{"sessionId":"s","messageId":"\#(ids[1])"}"#)
        #expect(refused.kind == "conflict" && text(refused.message.raw).contains("'f'"))
        let gone = try client.call(
            "_convod/message/delete", #"{"sessionId":"s","messageId":"\#(ids[1])","everywhere":true}"#)
        #expect(gone.result?["messageIds"]?.elements.map { $0.string ?? "" } == [ids[1], ids[2]])
        let fork = try client.call("_convod/message/list", #"{"sessionId":"f"}"#).result?["messages"]?
            .elements.map { $0 }
        #expect(fork?.map { $0["deleted"]?.bool ?? false } == [false, true, true, false])
        #expect(fork?[1]["excluded"]?.bool == true)
        #expect(try files(daemon, "plantedresult") == [])
        #expect(try client.prompt("f", "on").result?["stopReason"]?.string == "end_turn")
    }
}
