internal import JSON
internal import TestSupport
internal import Testing

@Suite struct `Prompts at once` {
    private static let count = 12
    private static let words = String(repeating: "word ", count: 200_000)

    private func bench() throws -> Bench {
        let fine = ScriptedUpstream.answer(["fine"])
        return try Bench(
            [[[ScriptedUpstream.Step]](repeating: [.hold] + fine, count: 4) + [fine]], each: "contextLength: 1000000",
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
        func answer() throws {
            while true {
                let line = try bench.client.next()
                guard let id = line["id"]?.int, left.remove(id) != nil else { continue }
                #expect(line["result"]?["stopReason"]?.string == "end_turn")
                return
            }
        }
        // Whoever holds takes all signals there are.
        for _ in 0..<4 {
            bench.servers[0].proceed()
            try answer()
        }
        while !left.isEmpty { try answer() }
        #expect(bench.counts[0] == Self.count)
    }
}
