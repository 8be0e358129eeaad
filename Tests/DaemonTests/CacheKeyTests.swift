internal import JSON
internal import TestSupport
internal import Testing

@Suite struct `The name of a conversation for a provider's cache` {
    private func key(_ client: TestClient, _ session: String) throws -> String {
        let preview = try client.call(
            "_convod/context/preview",
            #"{"sessionId":"\#(session)","prompt":[{"type":"text","text":"x"}]}"#)
        return preview.result?["request"]?["prompt_cache_key"]?.string ?? ""
    }

    @Test func `is left out from then on where a server does not take it`() throws {
        let refused = ScriptedUpstream.failure(
            "400 Bad Request",
            #"{"error":{"message":"Unsupported parameter: 'prompt_cache_key'","code":"unsupported_parameter","param":"prompt_cache_key"}}"#
        )
        let fine = ScriptedUpstream.answer(["fine"])
        let server = try ScriptedUpstream([refused, fine, fine])
        let daemon = try TestDaemon(
            "{ upstreams: { a: { kind: \"openai\", baseURL: \"\(server.base)\", model: \"m\", promptCacheKey: true } }, routes: { default: [\"a\"] } }"
        )
        let client = try daemon.client()
        try client.open("s")
        #expect(try client.prompt("s", "one").text() == "fine")
        #expect(try client.prompt("s", "two").text() == "fine")
        #expect(server.requests.map { $0.contains("prompt_cache_key") } == [true, false, false])
    }

    @Test func `stays over a restart, is another for each session, and tells nothing`() throws {
        let directory = try TemporaryDirectory()
        let upstream =
            #"upstreams: { a: { kind: "openai", baseURL: "http://127.0.0.1:9/v1", model: "m", promptCacheKey: true } }, routes: { default: ["a"] }"#
        var keys: [String] = []
        for _ in 0..<2 {
            let daemon = try TestDaemon("{ \(upstream) }", in: directory)
            let client = try daemon.client()
            for session in ["s", "t"] {
                try client.open(session, #""ifExists":"resume""#)
                keys.append(try key(client, session))
            }
            daemon.stop()
        }
        #expect(keys.count == 4 && keys[0] == keys[2] && keys[1] == keys[3] && keys[0] != keys[1])
        #expect(keys.allSatisfy { $0.wholeMatch(of: /[0-9a-f]{32}/) != nil })
    }
}
