internal import JSON
internal import TestSupport
internal import Testing

/// Thoughts go back to the server that had them, by whatever name it is asked.
@Suite struct `Thoughts of one server` {
    /// An answer of Anthropic's with a sealed thought.
    private let thinking: [ScriptedUpstream.Step] = [
        .write(
            ScriptedUpstream.head
                + [
                    #"{"type":"message_start","message":{"usage":{"input_tokens":5,"output_tokens":1}}}"#,
                    #"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}"#,
                    #"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}"#,
                    #"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"seal=="}}"#,
                    #"{"type":"content_block_stop","index":0}"#,
                    #"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#,
                    #"{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"yes"}}"#,
                    #"{"type":"content_block_stop","index":1}"#,
                    #"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}"#,
                    #"{"type":"message_stop"}"#,
                ].map { "data: \($0)\n\n" }.joined())
    ]

    /// Asks `first` and then `second` in one session; whether the second request has the first one's thought.
    private func comesBack(
        _ first: String, _ second: String, model: String = "claude-opus-5-5",
        keys: (String, String) = ("K", "K"),
        isOther: Bool = false
    ) throws -> Bool {
        let server = try ScriptedUpstream([thinking]), other = try ScriptedUpstream([thinking])
        let bases = (server.origin, isOther ? other.origin : server.origin)
        let daemon = try TestDaemon(
            """
            { upstreams: {
                \(first): { kind: 'anthropic', baseURL: '\(bases.0)', model: '\(model)', keys: [{ env: '\(keys.0)' }] },
                \(second): { kind: 'anthropic', baseURL: '\(bases.1)', model: '\(model)', keys: [{ env: '\(keys.1)' }] } } }
            """, environment: ["K": "key-1", "L": "key-2"])
        let client = try daemon.client()
        client.kept = [server, other, daemon]
        try client.open("s")
        #expect(try client.prompt("s", "hello", "\"upstream\":\"\(first)\"").text() == "yes")
        #expect(try client.prompt("s", "again", "\"upstream\":\"\(second)\"").text() == "yes")
        return (isOther ? other.requests[0] : server.requests[1]).contains("seal==")
    }

    @Test func `go back to it under another name`() throws {
        #expect(try comesBack("opus", "deep"))
        #expect(try comesBack("opus", "deep", keys: ("K", "L")), "most models read each account's")
    }

    @Test func `go to no other server`() throws {
        #expect(try !comesBack("opus", "deep", isOther: true))
    }

    @Test(arguments: ["claude-sonnet-5-5", "claude-haiku-5-5"])
    func `go back to their account alone, where the model reads no other's`(model: String) throws {
        #expect(try comesBack("mine", "also", model: model))
        #expect(try !comesBack("mine", "theirs", model: model, keys: ("K", "L")))
    }

    @Test func `are told by a word that names neither an address nor a key`() throws {
        let server = try ScriptedUpstream([thinking])
        let daemon = try TestDaemon(
            "{ upstreams: { up: { kind: 'anthropic', baseURL: '\(server.origin)', model: 'claude-sonnet-5-5', keys: [{ env: 'K' }] } } }",
            environment: ["K": "key-1"])
        let client = try daemon.client()
        client.kept = [server, daemon]
        try client.open("s")
        _ = try client.prompt("s", "hello")
        let list = try client.call("_convod/message/list", #"{"sessionId":"s","last":1}"#).result
        let part = list?["messages"]?.elements.first { _ in true }?["content"]?.elements.first { _ in true }
        let issuer = try #require(part?["issuer"]?.string)
        #expect(issuer.wholeMatch(of: /anthropic:[0-9a-f]{8}\.[0-9a-f]{8}/) != nil, "\(issuer)")
    }

    /// As messages before 2026-11-29 have it, and clients that call the model themselves may.
    @Test func `go back where they are stored under the upstream's name`() throws {
        let server = try ScriptedUpstream([
            [
                .write(
                    ScriptedUpstream.head
                        + "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"fine\"}]},\"finishReason\":\"STOP\"}]}\r\n\r\n"
                )
            ]
        ])
        let daemon = try TestDaemon(
            "{ upstreams: { up: { kind: 'gemini', baseURL: '\(server.origin)', model: 'm' }, to: { kind: 'gemini', baseURL: '\(server.origin)', model: 'm' } } }"
        )
        let client = try daemon.client()
        client.kept = [server, daemon]
        try client.open("s")
        _ = try client.call(
            "_convod/message/append",
            #"{"sessionId":"s","messages":[{"role":"user","content":[{"type":"text","text":"a"}]},{"role":"assistant","content":[{"type":"text","text":"b"},{"type":"thought","text":"","issuer":"up","signature":"c2VhbA=="}]}]}"#
        )
        _ = try client.prompt("s", "hello", #""upstream":"up""#)
        _ = try client.prompt("s", "hello", #""upstream":"to""#)
        #expect(server.requests[0].contains("c2VhbA=="))
        #expect(!server.requests[1].contains("c2VhbA=="), "nobody knows that this is the same")
    }
}
