internal import JSON
internal import TestSupport
internal import Testing

@Suite struct `Loading a session` {
    @Test func `replays every message byte for byte before its answer`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("demo")
        let words = "第一行 🌏👩‍👩‍👧\nsecond\t\"quoted\" back\\slash \u{2028} e\u{301} \u{0}end"
        let said = try client.prompt("demo", words).text()
        let loaded = try daemon.client().call(
            "session/load", #"{"sessionId":"demo","cwd":"/tmp","mcpServers":[]}"#)
        #expect(loaded.text("user_message_chunk") == words)
        #expect(loaded.text() == said)
        #expect(loaded.result?["configOptions"] != nil)
    }

    @Test func `gives long messages in chunks of at most 32 KiB (N016)`() throws {
        let daemon = try TestDaemon(
            "{ window: { maxTokens: 10000000 }, upstreams: { echo: { kind: 'echo' } } }")
        let client = try daemon.client()
        try client.open("demo")
        let words = String(repeating: "汉字🌏x", count: 20_000)
        _ = try client.prompt("demo", words)
        let loaded = try daemon.client().call(
            "session/load", #"{"sessionId":"demo","cwd":"/tmp","mcpServers":[]}"#)
        let chunks = loaded.updates.compactMap { $0["params"]?["update"]?["content"]?["text"]?.string }
        #expect(chunks.allSatisfy { $0.utf8.count <= 32 << 10 })
        #expect(loaded.text("user_message_chunk") == words)
    }

    @Test func `gives no chunk for a thought of which only the seal is known`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("demo")
        let parts =
            #"[{"type":"thought","text":"","redacted":true,"signature":"c2VhbA=="},{"type":"thought","text":"","signature":"c2VhbA=="},{"type":"text","text":"said"},{"type":"text","text":""}]"#
        let answer = try client.call(
            "_convod/message/append",
            #"{"sessionId":"demo","messages":[{"role":"user","content":[{"type":"text","text":"x"}]},{"role":"assistant","content":\#(parts)}]}"#
        )
        #expect(answer.result != nil, "\(answer.error.map { text($0.raw) } ?? "")")
        let loaded = try daemon.client().call(
            "session/load", #"{"sessionId":"demo","cwd":"/tmp","mcpServers":[]}"#)
        let kinds = loaded.updates.compactMap { $0["params"]?["update"]?["sessionUpdate"]?.string }
        #expect(kinds.filter { $0.hasSuffix("_chunk") } == ["user_message_chunk", "agent_message_chunk"])
    }

    @Test func `shows appended messages in chunks of at most 32 KiB`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("demo")
        let other = try daemon.client()
        _ = try other.call("session/load", #"{"sessionId":"demo","cwd":"/tmp","mcpServers":[]}"#)
        let words = String(repeating: "汉字🌏x", count: 20_000)
        try client.call(
            "_convod/message/append",
            #"{"sessionId":"demo","messages":[{"role":"user","content":[{"type":"text","text":"\#(words)"}]}]}"#
        )
        var shown = ""
        while shown.utf8.count < words.utf8.count {
            let update = try other.next()["params"]?["update"]
            let text = update?["content"]?["text"]?.string ?? ""
            #expect(text.utf8.count <= 32 << 10)
            shown += text
        }
        #expect(shown == words)
    }

    @Test func `with a limit gives the newest whole turns`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("demo")
        for number in 1...4 { _ = try client.prompt("demo", "p\(number)") }
        let loaded = try daemon.client().call(
            "session/load",
            #"{"sessionId":"demo","cwd":"/tmp","mcpServers":[],"_meta":{"convod":{"limit":3}}}"#)
        #expect(loaded.text("user_message_chunk") == "p3p4")
    }

    @Test func `of one in the trash says how to bring it back`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("demo")
        _ = try client.prompt("demo", "x")
        try client.call("session/delete", #"{"sessionId":"demo"}"#)
        let answer = try client.call("session/load", #"{"sessionId":"demo","cwd":"/tmp","mcpServers":[]}"#)
        #expect(answer.kind == "not_found")
        #expect(answer.error?["message"]?.string?.contains("restore") == true)
        #expect(try client.open("demo").kind == "conflict")
        #expect(try client.call("_convod/session/restore", #"{"sessionId":"demo"}"#).result != nil)
        #expect(try client.messages("demo").count == 2)
    }
}

@Suite struct `Resuming with a cursor` {
    @Test func `gives exactly the rest at every byte of an answer, rounded down inside a character`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("demo")
        let whole = try client.prompt("demo", "é汉🌏 x")
        let id = whole.extras?["messageId"]?.string ?? "", bytes = Array(whole.text().utf8)
        for offset in 0...bytes.count {
            let again = try daemon.client().call(
                "session/resume",
                #"{"sessionId":"demo","cwd":"/tmp","_meta":{"convod":{"after":{"messageId":"\#(id)","offset":\#(offset)}}}}"#
            )
            let start =
                again.updates.first?["params"]?["update"]?["_meta"]?["convod"]?["offset"]?.int ?? bytes.count
            #expect(start <= offset && offset - start < 4)
            #expect(again.text() == String(decoding: bytes[start...], as: UTF8.self))
        }
    }

    @Test func `joins a running answer without a gap and without a double (N010)`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("demo")
        let id = try client.startPrompt("demo", "count to 60")
        let (held, message) = try begin(of: client)
        let other = try daemon.client()
        let resumed = try other.call(
            "session/resume",
            #"{"sessionId":"demo","cwd":"/tmp","_meta":{"convod":{"after":{"messageId":"\#(message)","offset":\#(held.utf8.count)}}}}"#
        )
        var rest = resumed.text()
        _ = try other.update { line in
            rest += line["params"]?["update"]?["content"]?["text"]?.string ?? ""
            return line["params"]?["update"]?["_meta"]?["convod"]?["state"]?.string == "ended"
        }
        #expect(held + rest == (1...60).map(String.init).joined(separator: " "))
        _ = try client.finish(id)
    }

    @Test func `beyond what is stored is told to rewind`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("demo")
        let whole = try client.prompt("demo", "x")
        let id = whole.extras?["messageId"]?.string ?? ""
        let answer = try client.call(
            "session/resume",
            #"{"sessionId":"demo","cwd":"/tmp","_meta":{"convod":{"after":{"messageId":"\#(id)","offset":99999}}}}"#
        )
        #expect(answer.extras?["rewind"]?["offset"]?.int == whole.text().utf8.count)
    }

    @Test func `off the session's path is a conflict`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("demo")
        _ = try client.prompt("demo", "x")
        let answer = try client.call(
            "session/resume",
            #"{"sessionId":"demo","cwd":"/tmp","_meta":{"convod":{"after":{"messageId":"01890a5d-ac96-774b-bcce-b302099a8057","offset":0}}}}"#
        )
        #expect(answer.kind == "conflict")
    }

    @Test func `is not needed to resume without a replay`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("demo")
        _ = try client.prompt("demo", "x")
        #expect(
            try daemon.client().call("session/resume", #"{"sessionId":"demo","cwd":"/tmp"}"#).updates.isEmpty)
    }
}

extension `Resuming with a cursor` {
    @Test func `gives the rest to who comes back, however often they left before its first byte (N010)`()
        throws
    {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("demo")
        let id = try client.startPrompt("demo", "count to 300")
        let (held, message) = try begin(of: client)
        let offset = held.utf8.count
        let resume =
            #"{"sessionId":"demo","cwd":"/tmp","_meta":{"convod":{"after":{"messageId":"\#(message)","offset":\#(offset)}}}}"#
        for _ in 0..<20 {
            let left = try daemon.client()
            try left.start("session/resume", resume)
        }
        let other = try daemon.client()
        let resumed = try other.call("session/resume", resume)
        let first = resumed.updates.first { $0["params"]?["update"]?["content"] != nil }
        #expect(first == nil || first?.extras?["offset"]?.int == offset)
        var rest = resumed.text()
        if resumed.extras?["running"] != nil {
            _ = try other.update { line in
                rest += line["params"]?["update"]?["content"]?["text"]?.string ?? ""
                return line.extras?["state"]?.string == "ended"
            }
        }
        #expect(held + rest == (1...300).map(String.init).joined(separator: " "))
        _ = try client.finish(id)
        // The same cursor still means the same place.
        #expect(try daemon.client().call("session/resume", resume).text() == rest)
    }
}

extension `Loading a session` {
    @Test
    func
        `and resuming it give all its options with the stored values, and watchers are told of a change (N038)`()
        throws
    {
        let directory = try TemporaryDirectory()
        let configuration =
            "{ upstreams: { echo: { kind: 'echo' }, up: { kind: 'openai', baseURL: 'http://127.0.0.1:9/v1', model: 'm' } }, routes: { default: ['echo'] } }"
        func values(_ options: JSONView?) -> [String] {
            options?.elements.map { "\($0["id"]?.string ?? "")=\($0["currentValue"]?.string ?? "")" } ?? []
        }
        do {
            let daemon = try TestDaemon(configuration, in: directory), client = try daemon.client()
            try client.open("demo")
            for (option, value) in [("upstream", "up"), ("model", "one-that-nobody-lists")] {
                let set = try client.call(
                    "session/set_config_option",
                    #"{"sessionId":"demo","configId":"\#(option)","value":"\#(value)"}"#)
                #expect(set.error == nil)
            }
            daemon.stop()
        }
        let daemon = try TestDaemon(configuration, in: directory)
        let watcher = try daemon.client(), other = try daemon.client()
        let wanted = ["upstream=up", "model=one-that-nobody-lists"]
        for (client, method) in [(watcher, "session/load"), (other, "session/resume")] {
            let opened = try client.call(method, #"{"sessionId":"demo","cwd":"/tmp","mcpServers":[]}"#)
            #expect(values(opened.result?["configOptions"]) == wanted, "\(method)")
        }
        _ = try other.call(
            "session/set_config_option", #"{"sessionId":"demo","configId":"model","value":"m"}"#)
        let told = try watcher.update {
            $0["params"]?["update"]?["sessionUpdate"]?.string == "config_option_update"
        }
        #expect(values(told["params"]?["update"]?["configOptions"]) == ["upstream=up", "model=m"])
    }
}

extension `Loading a session` {
    @Test func `gives back every block of a prompt in order, and the model gets what it can read (N037)`()
        throws
    {
        let server = try ScriptedUpstream([ScriptedUpstream.answer(["fine"])])
        let daemon = try TestDaemon(
            "{ upstreams: { up: { kind: 'openai', baseURL: '\(server.base)', model: 'm' } } }")
        let client = try daemon.client()
        client.kept = [server, daemon]
        try client.open("demo")
        let link = #"{"type":"resource_link","uri":"file:///tmp/a%20b.rs#L9:15","name":"a b.rs"}"#
        let note =
            #"{"type":"resource","resource":{"uri":"attachment:///n.txt","mimeType":"text/plain","text":"hello"}}"#
        let binary =
            #"{"type":"resource","resource":{"uri":"attachment:///b.bin","mimeType":"application/octet-stream","blob":"aGVsbG8="}}"#
        let blocks = #"[{"type":"text","text":"Review"},\#(link),\#(note),\#(binary)]"#
        let answer = try client.call("session/prompt", #"{"sessionId":"demo","prompt":\#(blocks)}"#)
        #expect(answer.result != nil, "\(text(answer.message.raw))")
        let alone = try client.call("session/prompt", #"{"sessionId":"demo","prompt":[\#(link)]}"#)
        #expect(alone.result != nil, "a link alone is not nothing")
        let loaded = try daemon.client().call(
            "session/load", #"{"sessionId":"demo","cwd":"/tmp","mcpServers":[]}"#)
        let shown = loaded.updates.compactMap { message -> String? in
            let update = message["params"]?["update"]
            guard update?["sessionUpdate"]?.string == "user_message_chunk" else { return nil }
            return update?["content"].map { text($0.raw) }
        }
        #expect(shown == [#"{"type":"text","text":"Review"}"#, link, note, binary, link])
        let sent = server.requests[0]
        for words in [
            "hello", "a b.rs", "file:///tmp/a%20b.rs#L9:15", "[binary resource attachment:///b.bin]",
        ] {
            #expect(sent.contains(words), "\(words)")
        }
        #expect(!sent.contains("aGVsbG8="))
        // A binary that is only named is no part that was sent as it is.
        let turn = answer.extras?["turnId"]?.string ?? ""
        let receipt = try client.call("_convod/context/receipt", #"{"turnId":"\#(turn)"}"#)
        let words = text(receipt.message.raw)
        #expect(words.contains(#""mapped":{"parts":1"#), "\(words)")
    }
}

/// What a client holds of an answer that has begun, and the message that it is.
private func begin(of client: TestClient) throws -> (held: String, message: String) {
    var held = "", message = ""
    _ = try client.update { line in
        let update = line["params"]?["update"]
        held += update?["content"]?["text"]?.string ?? ""
        message = update?["messageId"]?.string ?? message
        return held.utf8.count > 20
    }
    return (held, message)
}
