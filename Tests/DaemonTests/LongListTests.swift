internal import JSON
internal import TestSupport
internal import Testing

@Suite struct `A list that is longer than what is read at once` {
    /// The pages of a list, joined.
    private func all(_ client: TestClient, _ method: String, _ field: String, _ id: String, _ extras: String)
        throws -> [String]
    {
        var found: [String] = [], cursor = "", pages = 0
        while true {
            let page = try #require(
                try client.call(method, #"{"sessionId":"s"\#(extras)\#(cursor)}"#).result)
            found +=
                page[field]?.elements.map { $0[id].map { String(decoding: $0.raw, as: UTF8.self) } ?? "" }
                ?? []
            pages += 1
            guard let next = page["nextCursor"]?.string, pages < 1_000 else { return found }
            cursor = #","cursor":\#(quoted(next))"#
        }
    }

    @Test func `says the same as its short pages, of messages`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("s")
        let long = String(repeating: "long ", count: 500)
        for _ in 0..<3 {
            let batch = (0..<70).map { _ in #"{"role":"user","content":[{"type":"text","text":"\#(long)"}]}"#
            }
            _ = try client.call(
                "_convod/message/append", #"{"sessionId":"s","messages":[\#(batch.joined(separator: ","))]}"#)
        }
        func list(_ extras: String) throws -> [String] {
            try all(client, "_convod/message/list", "messages", "id", extras)
        }
        let known = try list(#","limit":7"#)
        #expect(Set(known).count == 210)
        for limit in [100, 101, 1_000] {
            #expect(try list(#","limit":\#(limit)"#) == known)
            #expect(try list(#","order":"desc","limit":\#(limit)"#) == known.reversed())
        }
        #expect(try list(#","last":150"#) == known.suffix(150))
        #expect(try list(#","last":20"#) == known.suffix(20))
    }

    @Test func `has the answer that is coming in behind its messages`() throws {
        let daemon = try TestDaemon(
            "{ window: { maxTokens: 10000000 }, upstreams: { echo: { kind: 'echo' } } }")
        let client = try daemon.client(), other = try daemon.client()
        try client.open("s")
        let batch = (0..<150).map { _ in #"{"role":"user","content":[{"type":"text","text":"x"}]}"# }
        _ = try client.call(
            "_convod/message/append", #"{"sessionId":"s","messages":[\#(batch.joined(separator: ","))]}"#)
        let id = try client.startPrompt("s", "count to 2000")
        _ = try client.update { $0["params"]?["update"]?["sessionUpdate"]?.string == "agent_message_chunk" }
        let list = try other.call("_convod/message/list", #"{"sessionId":"s","limit":1000}"#).result
        let messages = Array(try #require(list?["messages"]?.elements))
        #expect(messages.count == 152 && messages.last?["status"]?.string == "streaming")
        try client.send(#"{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"s"}}"#)
        _ = try client.finish(id)
    }

    @Test func `says the same as its short pages, of turns and branches`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("s")
        for number in 0..<105 { _ = try client.prompt("s", "\(number)") }
        let turns = try all(client, "_convod/turn/list", "turns", "turnId", #","limit":10"#)
        #expect(Set(turns).count == 105)
        #expect(try all(client, "_convod/turn/list", "turns", "turnId", #","limit":1000"#) == turns)
        #expect(try all(client, "_convod/turn/list", "turns", "turnId", #","limit":103"#) == turns)
        let first = try client.call("_convod/message/list", #"{"sessionId":"s","limit":1}"#).result
        let id = try #require(first?["messages"]?.elements.first { _ in true }?["id"]?.string)
        for _ in 0..<105 {
            _ = try client.call(
                "_convod/message/set",
                #"{"sessionId":"s","messageId":"\#(id)","content":[{"type":"text","text":"x"}]}"#)
            _ = try client.call("_convod/branch/switch", #"{"sessionId":"s","branch":1}"#)
        }
        let branches = try all(client, "_convod/branch/list", "branches", "branch", #","limit":10"#)
        #expect(Set(branches).count == 106)
        #expect(try all(client, "_convod/branch/list", "branches", "branch", "") == branches)
        #expect(try all(client, "_convod/branch/list", "branches", "branch", #","limit":104"#) == branches)
    }
}
