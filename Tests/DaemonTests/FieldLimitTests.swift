internal import JSON
internal import TestSupport
internal import Testing

/// A text of so many bytes.
private func words(_ count: Int) -> String { String(repeating: "w", count: count) }

@Suite struct `A field that lists carry` {
    @Test(arguments: [
        (
            "session/new", #"{"cwd":"/\#(words(4_096))","mcpServers":[]}"#,
            "'cwd' may have 4096 bytes, it has 4097"
        ),
        (
            "session/new", #"{"mcpServers":["\#(words(65_536))"]}"#,
            "'mcpServers' may have 65536 bytes, it has 65540"
        ),
        (
            "session/new", #"{"_meta":{"convod":{"window":{"x":"\#(words(65_536))"}}}}"#,
            "window' may have 65536 bytes"
        ),
        (
            "session/new", #"{"_meta":{"convod":{"upstream":"\#(words(257))"}}}"#,
            "upstream' may have 256 bytes"
        ),
        ("session/new", #"{"_meta":{"convod":{"model":"\#(words(257))"}}}"#, "model' may have 256 bytes"),
        (
            "_convod/session/set", #"{"sessionId":"s","window":{"x":"\#(words(65_536))"}}"#,
            "'window' may have"
        ),
        ("session/fork", #"{"sessionId":"s","mcpServers":["\#(words(65_536))"]}"#, "'mcpServers' may have"),
        ("session/load", #"{"sessionId":"s","cwd":"/\#(words(4_096))"}"#, "'cwd' may have"),
        (
            "_convod/message/append", #"{"sessionId":"s","cwd":"/\#(words(4_096))","messages":[]}"#,
            "'cwd' may have"
        ),
        (
            "session/prompt",
            #"{"sessionId":"s","prompt":[],"_meta":{"convod":{"params":{"tools":["\#(words(1 << 20))"]}}}}"#,
            "must hold"
        ),
        ("_convod/turn/start", #"{"sessionId":"s","window":{"x":"\#(words(65_536))"}}"#, "'window' may have"),
        (
            "_convod/turn/start", #"{"sessionId":"s","params":{"tools":["\#(words(1 << 20))"]}}"#,
            "'params' may have 1048576 bytes"
        ),
        ("_convod/session/find", #"{"query":"\#(words(4_097))"}"#, "'query' may have 4096 bytes"),
        ("_convod/session/find", #"{"cursor":"\#(words(300))"}"#, "'cursor' may have 256 bytes"),
        (
            "session/set_config_option", #"{"sessionId":"s","configId":"model","value":"\#(words(300))"}"#,
            "'value' may have 256 bytes"
        ),
    ]) func `has a limit that is told with the value`(method: String, params: String, said: String) throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        client.kept = [daemon]
        try client.open("s")
        let answer = try client.call(method, params)
        #expect(answer.kind == "invalid_params")
        let message = answer.error?["message"]?.string ?? ""
        #expect(
            message.contains(said) || message.contains("nothing but white space"), "\(message.prefix(200))")
    }

    @Test func `of a prompt has at most 10,000 parts`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        client.kept = [daemon]
        try client.open("s")
        func prompt(_ count: Int) throws -> TestClient.Answer {
            let parts = [String](repeating: #"{"type":"text","text":"x"}"#, count: count)
            return try client.call(
                "session/prompt", #"{"sessionId":"s","prompt":[\#(parts.joined(separator: ","))]}"#)
        }
        #expect(try prompt(10_001).error?["message"]?.string == "'prompt' may hold 10000 parts, it has 10001")
        #expect(try client.messages("s").isEmpty)
    }
}

@Suite struct `A line of countless values` {
    @Test(arguments: ["keys", "values"]) func `is refused while it is read`(kind: String) throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        client.kept = [daemon]
        let inner =
            kind == "keys"
            ? "{" + (0..<100_001).map { "\"\($0)\":1" }.joined(separator: ",") + "}"
            : "{\"x\":[" + [String](repeating: "0", count: 1_000_001).joined(separator: ",") + "]}"
        try client.send(
            #"{"jsonrpc":"2.0","id":"many","method":"session/list","params":{"_meta":\#(inner)}}"#)
        let answer = try client.next()
        #expect(answer["error"]?["data"]?["kind"]?.string == "parse_error")
        #expect(answer["error"]?["message"]?.string?.contains(kind == "keys" ? "100000" : "1000000") == true)
        #expect(try client.call("session/list").result != nil)
    }
}

@Suite struct `Requests of one client` {
    @Test func `beyond 256 without an answer are told so, and those before are answered`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        client.kept = [daemon]
        try client.open("s")
        _ = try client.startPrompt("s", "count to 5000")
        _ = try client.update { $0["params"]?["update"]?["sessionUpdate"]?.string == "agent_message_chunk" }
        var lines = ""
        for id in 1_000..<1_300 {
            lines +=
                #"{"jsonrpc":"2.0","id":\#(id),"method":"session/prompt","params":{"sessionId":"s","prompt":[{"type":"text","text":"x"}],"_meta":{"convod":{"requestId":"r\#(id)"}}}}"#
                + "\n"
        }
        try client.send(Array(lines.utf8))
        var refused = 0, answered = 0
        while refused + answered < 301 {
            let message = try client.next()
            guard message["method"] == nil, message["id"] != nil else { continue }
            if message["error"]?["data"]?["kind"]?.string == "overloaded" {
                refused += 1
            } else {
                answered += 1
            }
            if refused == 45 { break }
        }
        #expect(refused == 45, "the 256 that may run are 255 of these and the first prompt")
    }
}
