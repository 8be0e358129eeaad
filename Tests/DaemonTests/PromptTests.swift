internal import JSON
internal import TestSupport
internal import Testing

@Suite struct `A prompt` {
    @Test func `is answered, stored and listed (N032)`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("demo")
        let answer = try client.prompt("demo", "hello 你好")
        #expect(answer.result?["stopReason"]?.string == "end_turn")
        #expect(answer.text() == "Message 1 of this session; you said: hello 你好")
        #expect(
            try client.messages("demo") == [
                "user: hello 你好", "assistant: Message 1 of this session; you said: hello 你好",
            ])
    }

    @Test func `makes exactly two messages, however many came before (B058)`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("demo")
        for number in 1...5 { _ = try client.prompt("demo", "prompt \(number)") }
        #expect(try client.messages("demo").count == 10)
    }

    @Test func `gives the session its title`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("demo")
        _ = try client.prompt("demo", "\n  What is   a window?\nsecond line")
        #expect(
            try client.call("_convod/session/get", #"{"sessionId":"demo"}"#).result?["title"]?.string
                == "What is a window?")
    }

    @Test func `with nothing but white space is refused before anything is stored`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("demo")
        #expect(try client.prompt("demo", " \n\t ").kind == "invalid_params")
        #expect(try client.messages("demo") == [])
    }

    @Test func `that does not fit is refused with both numbers before anything is stored`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("demo", #""system":"translate to German","window":{"maxTokens":60}"#)
        let answer = try client.prompt("demo", String(repeating: "word ", count: 200))
        #expect(answer.kind == "context_overflow")
        #expect(answer.error?["data"]?["budget"]?.int == 60)
        #expect((answer.error?["data"]?["needed"]?.int ?? 0) > 60)
        #expect(try client.messages("demo") == [])
    }

    @Test func `beside more pins than fit is refused with what all of them need`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("demo", #""window":{"maxTokens":3000}"#)
        func append(_ role: String, _ count: Int, _ words: Int) throws {
            let text = String(repeating: "word ", count: words)
            let messages = (0..<count).map { _ in
                #"{"role":"\#(role)","content":[{"type":"text","text":"\#(text)"}]}"#
            }
            let answer = try client.call(
                "_convod/message/append",
                #"{"sessionId":"demo","messages":[\#(messages.joined(separator: ","))]}"#)
            #expect(answer.error == nil)
        }
        try append("system", 40, 300)  // pinned, as the system's are
        try append("user", 40, 300)
        let messages = try client.call("_convod/message/list", #"{"sessionId":"demo"}"#).result?["messages"]
        let pinned =
            messages?.elements.filter { $0["pinned"]?.bool ?? false }
            .reduce(0) { $0 + ($1["tokens"]?.int ?? 0) } ?? 0
        #expect(pinned > 10_000)
        let answer = try client.prompt("demo", "hello")
        #expect(answer.kind == "context_overflow")
        let needed = answer.error?["data"]?["needed"]?.int ?? 0
        #expect((pinned...(pinned + 200)).contains(needed), "\(needed) of \(pinned)")
        #expect(answer.error?["message"]?.string?.contains("unpin") ?? false)
    }

    @Test func `to a session of nobody is an error`() throws {
        let daemon = try TestDaemon()
        #expect(try daemon.client().prompt("no-such", "x").error?["code"]?.int == -32002)
    }

    @Test func `is shown to others on the session, but not to who sent it`() throws {
        let daemon = try TestDaemon()
        let one = try daemon.client(), other = try daemon.client()
        try one.open("demo")
        try other.call("session/resume", #"{"sessionId":"demo","cwd":"/tmp"}"#)
        let answer = try one.prompt("demo", "hello")
        #expect(answer.text("user_message_chunk") == "")
        var seen: [String] = []
        _ = try other.update { message in
            let update = message["params"]?["update"]
            if let text = update?["content"]?["text"]?.string { seen.append(text) }
            return update?["_meta"]?["convod"]?["state"]?.string == "ended"
        }
        #expect(seen.joined(separator: "|") == "hello|Message 1 of this session; you said: hello")
    }

    @Test func `is cancelled by its session and keeps what was said, marked`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("demo")
        let id = try client.startPrompt("demo", "count to a thousand")
        _ = try client.update { $0["params"]?["update"]?["sessionUpdate"]?.string == "agent_message_chunk" }
        try client.send(#"{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"demo"}}"#)
        #expect(try client.finish(id).result?["stopReason"]?.string == "cancelled")
        let messages = try client.messages("demo")
        #expect(messages.count == 2)
        #expect(
            messages.last?.hasPrefix("assistant: 1 ") == true
                && messages.last?.hasSuffix("[cancelled]") == true)
        #expect(try client.prompt("demo", "next").result != nil)
    }

    @Test
    func `is cancelled by its own ID, also when the IDs of two differ in the last of 16 digits (B056, B116)`()
        throws
    {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("a")
        try client.open("b")
        func start(_ id: String, _ session: String) throws {
            try client.send(
                #"{"jsonrpc":"2.0","id":\#(id),"method":"session/prompt","params":{"sessionId":"\#(session)","prompt":[{"type":"text","text":"count to 100"}]}}"#
            )
        }
        try start("9007199254740992", "a")
        try start("9007199254740993", "b")
        _ = try client.update {
            $0["params"]?["sessionId"]?.string == "b"
                && $0["params"]?["update"]?["sessionUpdate"]?.string == "agent_message_chunk"
        }
        try client.send(
            #"{"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":9007199254740992}}"#)
        var reasons: [String: String] = [:]
        while reasons.count < 2 {
            let message = try client.next()
            guard let id = message["id"] else { continue }
            reasons[text(id.raw)] = message["result"]?["stopReason"]?.string ?? ""
        }
        #expect(reasons == ["9007199254740992": "cancelled", "9007199254740993": "end_turn"])
    }

    @Test func `goes on when its client leaves (B046)`() throws {
        let daemon = try TestDaemon("{ upstreams: { echo: { kind: 'echo', delay: '5ms' } } }")
        let watcher = try daemon.client()
        try watcher.open("demo")
        do {
            let client = try daemon.client()
            _ = try client.startPrompt("demo", "one two three four")
            _ = try client.update {
                $0["params"]?["update"]?["sessionUpdate"]?.string == "agent_message_chunk"
            }
        }
        _ = try watcher.update { $0["params"]?["update"]?["_meta"]?["convod"]?["state"]?.string == "ended" }
        #expect(
            try watcher.messages("demo").last
                == "assistant: Message 1 of this session; you said: one two three four")
    }

    @Test func `ends with its client when it asked for that (B046, B047)`() throws {
        let daemon = try TestDaemon()
        let watcher = try daemon.client()
        try watcher.open("demo")
        do {
            let client = try daemon.client()
            _ = try client.startPrompt("demo", "count to a thousand", #""onDisconnect":"cancel""#)
            _ = try client.update {
                $0["params"]?["update"]?["sessionUpdate"]?.string == "agent_message_chunk"
            }
        }
        _ = try watcher.update { $0["params"]?["update"]?["_meta"]?["convod"]?["state"]?.string == "ended" }
        #expect(try watcher.messages("demo").last?.hasSuffix("[cancelled]") == true)
    }

    @Test func `gets a receipt that can be asked for later (B008)`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("demo", #""window":{"maxTurns":2}"#)
        for number in 1...3 { _ = try client.prompt("demo", "prompt \(number)") }
        let last = try client.prompt("demo", "prompt 4")
        let receipt = last.extras?["receipt"]
        #expect(receipt?["rule"]?.string == "maxTurns")
        #expect(receipt?["sentMessages"]?.int == 3)
        #expect(receipt?["leftOutMessages"]?.int == 4)
        let turn = last.extras?["turnId"]?.string ?? ""
        let later = try client.call("_convod/context/receipt", #"{"turnId":"\#(turn)"}"#).result
        #expect(later?["receipt"].map { text($0.raw) } == receipt.map { text($0.raw) })
    }
}

@Suite struct `The queue of a session` {
    @Test func `runs prompts one after the other in the order they came`() throws {
        let daemon = try TestDaemon("{ upstreams: { echo: { kind: 'echo', delay: '1ms' } } }")
        let client = try daemon.client()
        try client.open("demo")
        let ids = try (1...5).map { try client.startPrompt("demo", "prompt \($0)") }
        for id in ids { #expect(try client.finish(id).result?["stopReason"]?.string == "end_turn") }
        let users = try client.messages("demo").filter { $0.hasPrefix("user") }
        #expect(users == (1...5).map { "user: prompt \($0)" })
        #expect(try client.messages("demo").count == 10)
    }

    @Test func `can be listed, and a waiting turn cancelled`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("demo")
        let running = try client.startPrompt("demo", "count to a thousand")
        let waiting = try client.startPrompt("demo", "second")
        let queued = try client.update {
            $0["params"]?["update"]?["_meta"]?["convod"]?["state"]?.string == "queued"
        }
        let turn = queued["params"]?["update"]?["_meta"]?["convod"]?["turnId"]?.string ?? ""
        let open = try client.call("_convod/turn/list", #"{"sessionId":"demo","open":true}"#).result?["turns"]
        #expect(open?.elements.compactMap { $0["state"]?.string } == ["queued", "running"])
        let cancel = try client.start("_convod/turn/cancel", #"{"turnId":"\#(turn)"}"#)
        #expect(try client.finish(waiting).result?["stopReason"]?.string == "cancelled")
        #expect(try client.finish(cancel).result?["state"]?.string == "cancelled")
        try client.send(#"{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"demo"}}"#)
        _ = try client.finish(running)
        #expect(try !client.messages("demo").contains("user: second"))
    }
}

@Suite struct `A request ID` {
    @Test func `that comes again after the end gives the same result and makes no new message (B064)`() throws
    {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("demo")
        let first = try client.prompt("demo", "hello", #""requestId":"k""#)
        let again = try client.prompt("demo", "hello", #""requestId":"k""#)
        #expect(again.extras?["messageId"]?.string == first.extras?["messageId"]?.string)
        #expect(again.extras?["repeated"]?.bool == true)
        #expect(try client.messages("demo").count == 2)
    }

    @Test func `that comes again while its turn runs waits for the same end (B064)`() throws {
        let daemon = try TestDaemon("{ upstreams: { echo: { kind: 'echo', delay: '5ms' } } }")
        let client = try daemon.client(), other = try daemon.client()
        try client.open("demo")
        let first = try client.startPrompt("demo", "one two three", #""requestId":"k""#)
        let again = try other.prompt("demo", "one two three", #""requestId":"k""#)
        #expect(again.extras?["turnId"]?.string == (try client.finish(first)).extras?["turnId"]?.string)
        #expect(try client.messages("demo").count == 2)
    }

    @Test func `with other content is a conflict (B065)`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("demo")
        _ = try client.prompt("demo", "A", #""requestId":"k""#)
        #expect(try client.prompt("demo", "B", #""requestId":"k""#).kind == "conflict")
        try client.open("other")
        #expect(try client.prompt("other", "B", #""requestId":"k""#).result != nil)
    }
}

extension `The queue of a session` {
    @Test func `keeps fifty prompts over five sessions apart, each with one answer (B055)`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        for session in 1...5 { try client.open("s\(session)") }
        var open: Set<Int> = []
        for number in 0..<50 { open.insert(try client.startPrompt("s\(number % 5 + 1)", "p\(number)")) }
        while !open.isEmpty {
            let message = try client.next()
            if message["method"] == nil, let id = message["id"]?.int {
                #expect(message["result"]?["stopReason"]?.string == "end_turn")
                open.remove(id)
            }
        }
        for session in 1...5 {
            let messages = try client.messages("s\(session)")
            #expect(messages.count == 20)
            for (place, pair) in stride(from: 0, to: messages.count, by: 2).enumerated() {
                let words = "p\(place * 5 + session - 1)"
                #expect(messages[pair] == "user: \(words)")
                #expect(
                    messages[pair + 1].hasPrefix(
                        "assistant: Message \(2 * place + 1) of this session; you said: \(words)"),
                    "\(messages[pair + 1])")
            }
        }
    }
}

extension `A prompt` {
    @Test func `beside another on one connection has each chunk under its own session and turn (B056)`()
        throws
    {
        let daemon = try TestDaemon("{ upstreams: { echo: { kind: 'echo', delay: '5ms' } } }")
        let client = try daemon.client()
        try client.open("a")
        try client.open("b")
        let first = try client.startPrompt("a", "count to 30")
        let second = try client.startPrompt("b", "one two three four five")
        var open = [first: "a", second: "b"]
        var said: [String: String] = [:], told: [String: Set<String>] = [:], turns: [String: String] = [:]
        while !open.isEmpty {
            let message = try client.next()
            if message["method"] == nil {
                guard let id = message["id"]?.int, let session = open.removeValue(forKey: id) else {
                    continue
                }
                #expect(message["result"]?["stopReason"]?.string == "end_turn")
                turns[session] = message["result"]?["_meta"]?["convod"]?["turnId"]?.string
                continue
            }
            let update = message["params"]?["update"]
            guard update?["sessionUpdate"]?.string == "agent_message_chunk" else { continue }
            let session = message["params"]?["sessionId"]?.string ?? ""
            said[session, default: ""] += update?["content"]?["text"]?.string ?? ""
            told[session, default: []].insert(message.extras?["turnId"]?.string ?? "")
        }
        #expect(said["a"] == (1...30).map(String.init).joined(separator: " "))
        #expect(said["b"] == "Message 1 of this session; you said: one two three four five")
        #expect(turns["a"] != nil && turns["a"] != turns["b"])
        for session in ["a", "b"] { #expect(told[session] == [turns[session] ?? "none"]) }
    }
}

extension `A request ID` {
    @Test func `belongs to its session, and without one the same words twice are two turns (B065)`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("demo")
        try client.open("other")
        let first = try client.prompt("demo", "A", #""requestId":"k""#)
        let elsewhere = try client.prompt("other", "A", #""requestId":"k""#)
        #expect(elsewhere.result != nil && elsewhere.extras?["repeated"] == nil)
        #expect(elsewhere.extras?["turnId"]?.string != first.extras?["turnId"]?.string)
        #expect(try client.messages("other").count == 2)
        for _ in 0..<2 { #expect(try client.prompt("demo", "ok").extras?["repeated"] == nil) }
        #expect(
            try client.messages("demo").filter { $0.hasPrefix("user") } == [
                "user: A", "user: ok", "user: ok",
            ])
        #expect(try client.messages("demo").count == 6)
    }
}

extension `A prompt` {
    @Test func `has all of its answer before its result, and nothing of it behind (N032)`() throws {
        // All of an answer comes in one packet with its end.
        let server = try ScriptedUpstream([ScriptedUpstream.answer(["one ", "two ", "three"])])
        let daemon = try TestDaemon(
            "{ upstreams: { echo: { kind: 'echo' }, up: { kind: 'openai', baseURL: '\(server.base)', model: 'm' } } }"
        )
        let client = try daemon.client()
        client.kept = [server, daemon]
        try client.open("demo")
        let isContent: (JSONView) -> Bool = { message in
            let kind = message["params"]?["update"]?["sessionUpdate"]?.string ?? ""
            return kind.contains("chunk") || kind.hasPrefix("tool_call")
        }
        for number in 0..<100 {
            let isEcho = number.isMultiple(of: 2)
            let answer = try client.prompt(
                "demo", isEcho ? "count to 20" : "x", #""upstream":"\#(isEcho ? "echo" : "up")""#)
            #expect(
                answer.text() == (isEcho ? (1...20).map(String.init).joined(separator: " ") : "one two three")
            )
            let behind = try client.call("_convod/message/list", #"{"sessionId":"demo","last":1}"#)
            #expect(!behind.updates.contains(where: isContent))
            let stored = behind.result?["messages"]?.elements.map { $0 }.first?["content"]?.elements
                .compactMap { $0["text"]?.string }.joined()
            #expect(stored == answer.text())
        }
        #expect(try !client.call("_convod/server/info").updates.contains(where: isContent))
    }
}
