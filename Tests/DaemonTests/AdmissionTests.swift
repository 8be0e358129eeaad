internal import JSON
internal import TestSupport
internal import Testing

@Suite struct `Prompts at once` {
    private static let count = 12
    private static let words = String(repeating: "word ", count: 200_000)

    private func bench() throws -> Bench {
        let fine = ScriptedUpstream.answer(["fine"])
        return try Bench(
            [[[ScriptedUpstream.Step]](repeating: [.hold] + fine, count: 4) + [fine]],
            each: "contextLength: 1000000",
            more: "limits: { userBuffers: '8MiB', buffers: '64MiB' }")
    }

    @Test func `of one user take no more memory than they may, wait in their sessions, and are all answered`()
        throws
    {
        let bench = try bench()
        var asked: [Int] = []
        for number in 0..<Self.count {
            try bench.client.open("s\(number)")
            asked.append(try bench.client.startPrompt("s\(number)", "\(number) \(Self.words)"))
        }
        // A megabyte each, twice.
        var waiting = 0
        while waiting < Self.count - 4 {
            waiting = try (0..<Self.count).reduce(0) { sum, number in
                let turns = try bench.client.call(
                    "_convod/turn/list", #"{"sessionId":"s\#(number)"}"#
                ).result?["turns"]
                return sum + (turns?.elements.count { $0["state"]?.string == "queued" } ?? 0)
            }
        }
        #expect(bench.counts[0] <= 4 && waiting == Self.count - 4)
        var left = Set(asked)
        func answer(_ reason: String = "end_turn") throws {
            while true {
                let line = try bench.client.next()
                guard let id = line["id"]?.int, left.remove(id) != nil else { continue }
                #expect(line["result"]?["stopReason"]?.string == reason)
                return
            }
        }
        // One that waits and is taken back keeps nobody from being woken.
        try bench.client.send(#"{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"s5"}}"#)
        try answer("cancelled")
        // Whoever holds takes all signals there are.
        for _ in 0..<4 {
            bench.servers[0].proceed()
            try answer()
        }
        while !left.isEmpty { try answer() }
        #expect(bench.counts[0] == Self.count - 1)
    }
}

@Suite struct `One user's many` {
    @Test func `imports are bounded, however fast they come`() throws {
        let daemon = try TestDaemon("{}")
        let client = try daemon.client()
        var ids: [Int] = []
        for number in 0..<80 {
            let record =
                #"{"type":"session","version":1,"harness":"convo","id":"i\#(number)","cwd":"/tmp","createdAt":"2026-01-01T00:00:00.000Z","updatedAt":"2026-01-01T00:00:00.000Z","tags":[],"mcpServers":[]}"#
            ids.append(try client.start("_convod/import", #"{"records":[\#(record)]}"#))
        }
        var kinds: [String: Int] = [:]
        for _ in ids {
            let line = try client.next()
            kinds[line["error"]?["data"]?["kind"]?.string ?? "begun", default: 0] += 1
        }
        #expect(kinds == ["begun": 64, "busy": 16])
    }

    @Test func `searches are read one after the other, and those that nobody waits for are not`() throws {
        let daemon = try TestDaemon(
            "{ upstreams: { echo: { kind: 'echo' } }, routes: { default: ['echo'] } }")
        let client = try daemon.client()
        try client.open("s")
        for number in 0..<20 {
            #expect(try client.prompt("s", "apple \(number)").error == nil)
        }
        let asked = try (0..<30).map { _ in try client.start("_convod/search", #"{"query":"apple"}"#) }
        for id in asked.dropFirst(15) {
            try client.send(#"{"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":\#(id)}}"#)
        }
        var hits = 0, cancelled = 0
        for _ in asked {
            var line = try client.next()
            while line["id"] == nil { line = try client.next() }
            if line["result"] != nil { hits += 1 } else { cancelled += 1 }
        }
        #expect(hits >= 15 && hits + cancelled == 30)
        // A client that goes leaves nothing behind that others wait for.
        let gone = try daemon.client()
        for _ in 0..<100 { _ = try gone.start("_convod/search", #"{"query":"apple"}"#) }
        gone.endSending()
        let last = try client.call("_convod/search", #"{"query":"apple"}"#)
        #expect(last.result?["hits"]?.elements.count { _ in true } ?? 0 > 0, "\(text(last.message.raw))")
    }
}
