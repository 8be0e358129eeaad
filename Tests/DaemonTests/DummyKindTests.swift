internal import JSON
internal import TestSupport
internal import Testing
internal import Upstream

@Suite struct `A kind of upstream that convod has not` {
    /// Registered by one line.
    private static let kinds = UpstreamKinds(UpstreamKinds.standard.all + [DummyDialect.kind])

    @Test func `is configured, asked and shown like the others`() throws {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
        let server = try ScriptedUpstream([[.write(head + "hello back")]])
        let daemon = try TestDaemon(
            "{ upstreams: { d: { kind: 'dummy', baseURL: '\(server.origin)', model: 'm', loud: true } } }",
            kinds: Self.kinds)
        let client = try daemon.client()
        client.kept = [server]
        client.isChecked = false
        try client.open("s")
        let answer = try client.prompt("s", "hello")
        #expect(answer.text() == "hello back")
        #expect(server.requests.first?.hasSuffix("\r\n\r\nHELLO") == true)
        let built = try client.call("_convod/context/build", #"{"sessionId":"s","dialect":"dummy"}"#)
        #expect(built.result?["messages"]?.elements.map { $0["role"]?.string } == ["user", "assistant"])
        let shown = try client.call("_convod/server/info", #"{"config":true}"#)
        let settings = shown.result?["config"]?["upstreams"]?["d"]
        #expect(settings?["kind"]?.string == "dummy" && settings?["loud"]?.bool == true)
    }

    @Test func `is unknown to a daemon that was not told of it`() throws {
        #expect(throws: (any Error).self) {
            _ = try TestDaemon("{ upstreams: { d: { kind: 'dummy', model: 'm' } } }")
        }
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("s")
        let built = try client.call("_convod/context/build", #"{"sessionId":"s","dialect":"dummy"}"#)
        #expect(
            built.error?["message"]?.string
                == "'dialect' must be 'anthropic' or 'gemini' or 'ollama' or 'openai'")
    }

    #if os(Linux)
        @Test func `traps where it has the name of another`() async {
            await #expect(processExitsWith: .failure) {
                _ = UpstreamKinds([.openai, .gemini, .openai])
            }
        }
    #endif
}
