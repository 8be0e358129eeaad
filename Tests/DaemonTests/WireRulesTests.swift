internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `The socket` {
    @Test(arguments: [1, 2, 3, 7, 64]) func `answers each request once however its bytes are cut`(size: Int)
        throws
    {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        let line =
            Array(#"{"jsonrpc":"2.0","id":1,"method":"_convod/server/info","params":{}}"#.utf8) + [
                0x0D, 0x0A,
            ]
        let bytes =
            line + Array(#"{"jsonrpc":"2.0","id":2,"method":"no/such","params":{"x":"\u2028"}}"#.utf8) + [
                0x0A
            ]
        var at = 0
        while at < bytes.count {
            try client.send(Array(bytes[at..<min(at + size, bytes.count)]))
            at += size
        }
        #expect(try client.next()["id"]?.int == 1)
        #expect(try client.next()["error"]?["code"]?.int == -32601)
    }

    @Test func `answers what stands before a half-close, a streaming prompt too, and then closes (B125)`()
        throws
    {
        let daemon = try TestDaemon("{ upstreams: { echo: { kind: 'echo', delay: '2ms' } } }")
        let client = try daemon.client()
        try client.open("demo")
        let id = try client.startPrompt("demo", "a b c d")
        client.endSending()
        #expect(try client.finish(id).result?["stopReason"]?.string == "end_turn")
        #expect(throws: TestClient.Ended.self) { try client.next() }
    }

    @Test func `answers a last line without its newline at a half-close`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.send(Array(#"{"jsonrpc":"2.0","id":7,"method":"_convod/server/info"}"#.utf8))
        client.endSending()
        #expect(try client.next()["id"]?.int == 7)
    }

    @Test func `refuses a line over the limit once and goes on at the next newline (B124)`() throws {
        let daemon = try TestDaemon("{ limits: { line: '64KiB' }, upstreams: { echo: { kind: 'echo' } } }")
        let client = try daemon.client()
        try client.send([UInt8](repeating: 0x61, count: 3 << 20))
        let error = try client.next()["error"]
        #expect(error?["data"]?["kind"]?.string == "line_too_long" && error?["code"]?.int == -32700)
        try client.send([0x0A])
        #expect(try client.call("_convod/server/info").result != nil)
    }

    @Test func `takes prompts of 65535, 65536, 65537 bytes and of 10 MB (B128)`() throws {
        let daemon = try TestDaemon(
            "{ window: { maxTokens: 100000000 }, upstreams: { echo: { kind: 'echo' } } }")
        let client = try daemon.client()
        for size in [65_535, 65_536, 65_537, 10_000_000] {
            try client.open("s\(size)")
            let words = String(repeating: "a", count: size)
            let answer = try client.prompt("s\(size)", words)
            #expect(answer.text().utf8.count == size + "Message 1 of this session; you said: ".utf8.count)
        }
    }

    @Test func `answers binary garbage line by line and stays open (B124)`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.send([0xFF, 0xFE, 0x00, 0x0A, 0x80, 0x0A, 0x7B, 0x0A])
        for _ in 0..<3 {
            let message = try client.next()
            #expect(message["id"]?.isNull == true && message["error"]?["code"]?.int == -32700)
        }
        #expect(try client.call("_convod/server/info").result != nil)
    }

    @Test func `answers the requests of a batch in one line, and no notification`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.send(
            #"[{"jsonrpc":"2.0","id":1,"method":"session/list"},{"jsonrpc":"2.0","method":"x"},{"jsonrpc":"2.0","id":"1","method":"nope"},7]"#
        )
        let answers = try client.next()
        #expect(answers.kind == .array && answers.count == 3)
        try client.send(#"[{"jsonrpc":"2.0","method":"x"},{"jsonrpc":"2.0","method":"y"}]"#)
        try client.send(#"[{"jsonrpc":"2.0","id":3,"method":"session/prompt","params":{}}]"#)
        #expect(try client.next().elements.first { _ in true }?["error"]?["code"]?.int == -32600)
    }

    @Test func `lets a later request see what an earlier one of the same client stored`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        let append = try client.start(
            "_convod/message/append",
            #"{"sessionId":"s","ifMissing":"create","messages":[{"role":"user","content":[{"type":"text","text":"x"}]}]}"#
        )
        let list = try client.start("_convod/message/list", #"{"sessionId":"s"}"#)
        #expect(try client.finish(append).result != nil)
        #expect(try client.finish(list).result?["messages"]?.count == 1)
    }

    @Test func `refuses an ID that is in use (B116)`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("demo")
        let id = try client.startPrompt("demo", "count to a thousand")
        try client.send(#"{"jsonrpc":"2.0","id":\#(id),"method":"session/list"}"#)
        let refused = try client.update { $0["error"] != nil }
        #expect(refused["error"]?["data"]?["kind"]?.string == "invalid_request")
        try client.send(#"{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"demo"}}"#)
        _ = try client.finish(id)
    }

    @Test func `has its mode from the first moment, and so have the files`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("demo")
        for name in ["s.sock", "convod.db", "convod.db-wal", "convod.db-shm", "convod.db.lock"] {
            #expect(try Files.status(daemon.directory.file(name))?.mode == 0o600, "\(name)")
        }
    }

    @Test func `costs others nothing when a client does not read (B053, B133)`() throws {
        let daemon = try TestDaemon(
            "{ limits: { outbox: '256KiB' }, window: { maxTokens: 10000000 }, upstreams: { echo: { kind: 'echo' } } }"
        )
        let deaf = try daemon.client(), client = try daemon.client()
        try client.open("demo")
        try deaf.call("session/resume", #"{"sessionId":"demo","cwd":"/tmp"}"#)
        let words = String(repeating: "words that nobody reads ", count: 20_000)
        for _ in 0..<4 {
            #expect(try client.prompt("demo", words, #""window":{"maxTurns":1}"#).result != nil)
        }
        // It was not told live; when it reads at last, the log gives it everything once.
        var answers = 0
        _ = try deaf.update { message in
            let update = message["params"]?["update"]
            if update?["sessionUpdate"]?.string == "agent_message_chunk" {
                answers += update?["content"]?["text"]?.string?.utf8.count ?? 0
            }
            return answers == 4 * (words.utf8.count + "Message 1 of this session; you said: ".utf8.count) + 3
                * "\nBefore that: “…”".utf8.count + 3 * 60
        }
    }
}

@Suite struct `Text` {
    @Test func `with a lone surrogate is refused in a prompt and kept raw in metadata`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("demo", #""metadata":{"half":"\ud83d","big":12345678901234567890.10}"#)
        let refused = try client.call(
            "session/prompt", #"{"sessionId":"demo","prompt":[{"type":"text","text":"a\udc81b"}]}"#)
        #expect(refused.kind == "invalid_params")
        let session = try client.call("_convod/session/get", #"{"sessionId":"demo"}"#).result
        #expect(
            session?["metadata"].map { text($0.raw) } == #"{"half":"\ud83d","big":12345678901234567890.10}"#)
    }

    @Test func `that spells a special token or an escape is ordinary text (B176)`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("demo")
        for words in ["<|endoftext|>", "<|im_start|>system", #"\u0000 written out"#, "\u{0}", "\u{FFFD}"] {
            #expect(try client.prompt("demo", words).text().contains(words))
        }
        #expect(try client.messages("demo").count == 10)
    }
}

@Suite struct `A session ID` {
    @Test(arguments: [
        "../../x", "a/b", "..", ".", "", "a\u{0}b", "%2e%2e", "é", "-x", "_x", "\u{202E}x",
        String(repeating: "x", count: 129),
    ])
    func `outside the alphabet is refused`(id: String) throws {
        let daemon = try TestDaemon()
        #expect(
            try daemon.client().call(
                "session/new", #"{"cwd":"/","mcpServers":[],"_meta":{"convod":{"sessionId":\#(quoted(id))}}}"#
            ).kind == "invalid_params")
    }

    @Test func `counts its case`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("abc")
        try client.open("ABC")
        _ = try client.prompt("abc", "small")
        #expect(try client.messages("ABC") == [])
    }
}

@Suite struct `A long answer` {
    @Test func `read a little at a time is whole, byte for byte (B134)`() throws {
        let daemon = try TestDaemon(
            "{ window: { maxTokens: 10000000 }, upstreams: { echo: { kind: 'echo' } } }")
        let client = try daemon.client()
        try client.open("demo")
        let words = (0..<500_000).map { "word \($0) é" }.joined(separator: " ")
        let content = #"[{"type":"text","text":\#(quoted(words))}]"#
        let stored = try client.call(
            "_convod/message/append",
            #"{"sessionId":"demo","messages":[{"role":"user","content":\#(content)}]}"#)
        #expect(stored.result != nil)
        let ask =
            #"{"jsonrpc":"2.0","id":7,"method":"_convod/message/list","params":{"sessionId":"demo","last":1}}"#
        let socket = try UnixSocket.connect(to: daemon.socket)
        _ = try System.send(socket.raw, Array((ask + "\n").utf8))
        var line: [UInt8] = [], size = 1
        while line.last != 0x0A {
            // Pieces of sizes that fit nothing.
            size = size % 9_973 + 1_301
            guard let count = try System.read(socket.raw, into: &line, most: size), count > 0 else { break }
        }
        let messages = try JSONDocument(Array(line.dropLast())).root["result"]?["messages"]
        let read = messages?.elements.first { _ in true }?["content"]
        #expect(messages?.count == 1)
        #expect(read?.elements.first { _ in true }?["text"]?.string == words)
    }
}
