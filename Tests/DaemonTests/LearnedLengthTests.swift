internal import JSON
internal import TestSupport
internal import Testing

private let fine = ScriptedUpstream.answer(["fine"])

/// About 3,000 tokens.
private let long = String(repeating: "some more words ", count: 800)

private func listed(_ length: String) -> [ScriptedUpstream.Step] {
    let body = #"{"data":[{"id":"m","owned_by":"vllm"\#(length)}]}"#
    return [
        .write(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
        )
    ]
}

@Suite struct `The length of a model that nobody told` {
    private func ask(_ steps: [[ScriptedUpstream.Step]], _ more: String = "") throws -> (
        server: ScriptedUpstream, client: TestClient
    ) {
        let server = try ScriptedUpstream(steps)
        let daemon = try TestDaemon(
            "{ upstreams: { up: { kind: 'openai', baseURL: '\(server.base)', model: 'm'\(more) } }, retry: { base: '1ms', attempts: 1 } }"
        )
        let client = try daemon.client()
        client.kept = [daemon, server]
        try client.open("s")
        return (server, client)
    }

    private func lists(_ server: ScriptedUpstream) -> [Bool] { server.requests.map { $0.hasPrefix("GET ") } }

    @Test func `is asked of the server before anything is left out for want of it`() throws {
        let (server, client) = try ask([fine, listed(#","max_model_len":32768"#), fine, fine, fine])
        for number in 1...4 {
            let answer = try client.prompt("s", "prompt \(number): \(long)")
            #expect(answer.text() == "fine")
            #expect(answer.extras?["receipt"]?["leftOutMessages"]?.int ?? 0 == 0)
        }
        #expect(lists(server) == [false, true, false, false, false])
        #expect(server.requests.last?.contains("prompt 1:") == true)
    }

    @Test(arguments: ["", "404"])
    func `is asked for once where the server does not know it either`(_ answer: String) throws {
        let unknown = answer.isEmpty ? listed("") : ScriptedUpstream.failure("404 Not Found", "{}")
        let (server, client) = try ask([fine, unknown, fine, fine])
        for number in 1...3 { #expect(try client.prompt("s", "prompt \(number): \(long)").text() == "fine") }
        #expect(lists(server) == [false, true, false, false])
        #expect(server.requests.last?.contains("prompt 1:") == false)
    }

    @Test(arguments: [", contextLength: 32768", ", window: { maxTokens: 4000 }"])
    func `is not asked for where it does not matter`(_ more: String) throws {
        let (server, client) = try ask([fine, fine, fine], more)
        for number in 1...3 { #expect(try client.prompt("s", "prompt \(number): \(long)").text() == "fine") }
        #expect(lists(server) == [false, false, false])
    }

    @Test func `is waited for no longer than somebody wants the answer`() throws {
        let (_, client) = try ask([fine, [.hold], fine])
        #expect(try client.prompt("s", long).text() == "fine")
        let id = try client.startPrompt("s", "again \(long)")
        try client.send(#"{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"s"}}"#)
        let answer = try client.finish(id)
        #expect(answer.result?["stopReason"]?.string == "cancelled", "\(text(answer.message.raw))")
        // A list that never comes holds nothing up for long.
        #expect(try client.prompt("s", "and again \(long)").text() == "fine")
    }
}
