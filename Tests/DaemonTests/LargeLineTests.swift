internal import JSON
internal import TestSupport
internal import Testing

/// Parameters of an append of so many bytes that begins with a number.
private func append(_ session: String, _ number: Int, bytes: Int) -> String {
    let words = "\(number) " + String(repeating: "w", count: bytes)
    return
        #"{"sessionId":"\#(session)","messages":[{"role":"user","content":[{"type":"text","text":"\#(words)"}]}]}"#
}

@Suite struct `Clients with long lines` {
    @Test func `have what each of them sends stored in its order, long and short lines mixed`() throws {
        let daemon = try TestDaemon()
        let clients = try (0..<4).map { _ in try daemon.client() }
        for (number, client) in clients.enumerated() { try client.open("s\(number)") }
        for round in 0..<6 {
            for (number, client) in clients.enumerated() {
                // Long enough to wait for the others, and short enough to be overtaking.
                let bytes = round.isMultiple(of: 2) ? 200 << 10 : 10
                _ = try client.start("_convod/message/append", append("s\(number)", round, bytes: bytes))
            }
        }
        for (number, client) in clients.enumerated() {
            let starts = try client.messages("s\(number)").map { $0.prefix(7) }
            #expect(starts == (0..<6).map { "user: \($0)" }, "\(number)")
        }
    }

    @Test func `are all answered, those in a batch and those that are no requests too`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client(), other = try daemon.client()
        try client.open("s")
        let filler = String(repeating: " ", count: 40_000)
        for number in 0..<5 {
            _ = try other.start("_convod/message/append", append("s", number, bytes: 100_000))
        }
        // Each of these is a long line that nobody works on, or one of several parts.
        try client.send(Array("{\(filler)\n".utf8))
        try client.send(Array("{\"jsonrpc\":\"2.0\",\"method\":\"none\"\(filler)}\n".utf8))
        try client.send(Array("{\"jsonrpc\":\"2.0\",\"id\":900,\"method\":\"none\"\(filler)}\n".utf8))
        let info = #"{"jsonrpc":"2.0","id":901,"method":"_convod/server/info"}"#
        try client.send(Array("[\(filler)\(info)]\n".utf8))
        var seen: Set<Int> = []
        while !seen.isSuperset(of: [900, 901]) {
            let message = try client.next()
            for one in message.kind == .array ? Array(message.elements) : [message] {
                if let id = one["id"]?.int { seen.insert(id) }
            }
        }
        #expect(try client.call("_convod/server/info").result != nil)
        // Each of the same session waits for the one before.
        #expect(try other.messages("s").count == 5)
    }

    @Test func `that leave while theirs waits hold nobody up`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("s")
        do {
            let leaving = try (0..<8).map { _ in try daemon.client() }
            for (number, one) in leaving.enumerated() {
                _ = try one.start("_convod/message/append", append("s", number, bytes: 300_000))
            }
        }
        #expect(try client.call("_convod/message/append", append("s", 9, bytes: 300_000)).result != nil)
    }

    @Test func `may take back a long prompt, which then never runs`() throws {
        let directory = try TemporaryDirectory()
        do {
            let daemon = try TestDaemon(in: directory)
            let client = try daemon.client(), other = try daemon.client()
            try client.open("s")
            for name in ["a", "b", "c"] {
                try other.open(name)
                _ = try other.start("_convod/message/append", append(name, 0, bytes: 300_000))
            }
            _ = try client.startPrompt("s", "count to a thousand")
            let queued = try client.startPrompt("s", String(repeating: "w", count: 100_000))
            try client.send(#"{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"s"}}"#)
            #expect(try client.finish(queued).result?["stopReason"]?.string == "cancelled")
            daemon.stop()
        }
        let daemon = try TestDaemon(in: directory)
        let turns = try daemon.client().call("_convod/turn/list", #"{"sessionId":"s"}"#).result?["turns"]
        let states = turns?.elements.compactMap { $0["state"]?.string } ?? []
        #expect(!states.contains("queued") && !states.contains("running"), "\(states)")
    }
}
