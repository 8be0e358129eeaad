internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `A cancelled answer` {
    /// An upstream that gives one piece and then waits for the connection to be closed.
    private func waiting() throws -> Bench {
        try Bench([
            [
                [
                    .write(ScriptedUpstream.head + ScriptedUpstream.chunk(#"{"content":"half"}"#)),
                    .untilClosed,
                ],
                ScriptedUpstream.answer(["fine"]),
            ]
        ])
    }

    private func begin(_ bench: Bench, _ extras: String = "") throws -> Int {
        try bench.client.open("s")
        let id = try bench.client.startPrompt("s", "hello", extras)
        _ = try bench.client.update {
            $0["params"]?["update"]?["sessionUpdate"]?.string == "agent_message_chunk"
        }
        return id
    }

    @Test(arguments: [
        #"{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"s"}}"#,
        #"{"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":2}}"#,
    ])
    func
        `closes the connection upstream within 50 ms, is kept and marked, and the next prompt goes on (N014)`(
            line: String
        ) throws
    {
        // What waits for something is slow each time, a busy machine now and then.
        var times: [UInt64] = []
        repeat {
            times.append(try timeToClose(by: line))
        } while times.last ?? 0 >= 50_000_000 && times.count < 8
        #expect(times.last ?? .max < 50_000_000, "\(times.map { $0 / 1_000_000 }) ms")
    }

    /// Nanoseconds from a line that cancels to the end of the connection upstream.
    private func timeToClose(by line: String) throws -> UInt64 {
        let bench = try waiting()
        let id = try begin(bench)
        let began = Machine.monotonic()
        try bench.client.send(line)
        #expect(try bench.client.finish(id).result?["stopReason"]?.string == "cancelled")
        #expect(try bench.client.prompt("s", "again").text() == "fine")
        let closed = try #require(bench.servers[0].closings.first)
        #expect(
            try bench.client.messages("s") == [
                "user: hello", "assistant: half [cancelled]", "user: again", "assistant: fine",
            ])
        #expect(
            bench.servers[0].requests[1].contains(
                #"{"role":"assistant","content":"half"},{"role":"user","content":"again"}"#))
        return closed > began ? closed - began : 0
    }

    @Test(arguments: [
        #"{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"s"}}"#,
        #"{"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":"p"}}"#,
    ]) func `finds its prompt behind changes that are not stored yet, and nothing of it is kept (N008)`(
        cancel: String
    ) throws {
        for before in [
            #""session/set_config_option","params":{"sessionId":"s","configId":"upstream","value":"echo"}"#,
            #""_convod/session/set","params":{"sessionId":"s","title":"t"}"#,
            #""_convod/message/append","params":{"sessionId":"s","messages":[{"role":"user","content":[{"type":"text","text":"a"}]}]}"#,
        ] {
            let daemon = try TestDaemon()
            let client = try daemon.client()
            try client.open("s")
            let prompt =
                #"{"jsonrpc":"2.0","id":"p","method":"session/prompt","params":{"sessionId":"s","prompt":[{"type":"text","text":"count to 5000"}]}}"#
            try client.send(
                Array(#"{"jsonrpc":"2.0","id":"c","method":\#(before)}\#n\#(prompt)\#n\#(cancel)\#n"#.utf8))
            var answers: [String: JSONView] = [:]
            while answers.count < 2 {
                let message = try client.next()
                if let id = message["id"]?.string { answers[id] = message }
            }
            #expect(answers["c"]?["result"] != nil, "\(before)")
            #expect(answers["p"]?["result"]?["stopReason"]?.string == "cancelled", "\(before)")
            // On a busy machine the change may be stored before the cancel is read.
            if answers["p"]?["result"]?["_meta"] == nil {
                let turns = try client.call("_convod/turn/list", #"{"sessionId":"s"}"#).result?["turns"]
                #expect(turns?.count == 0)
                #expect(try client.messages("s").allSatisfy { !$0.contains("5000") })
            }
            #expect(try client.prompt("s", "next").result?["stopReason"]?.string == "end_turn")
        }
    }

    @Test func `finds its prompt behind the session that it is for (N008)`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.send(
            Array(
                (#"{"jsonrpc":"2.0","id":"n","method":"session/new","params":{"cwd":"/","mcpServers":[],"_meta":{"convod":{"sessionId":"new"}}}}"#
                    + "\n"
                    + #"{"jsonrpc":"2.0","id":"p","method":"session/prompt","params":{"sessionId":"new","prompt":[{"type":"text","text":"count to 5000"}]}}"#
                    + "\n" + #"{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"new"}}"#
                    + "\n").utf8))
        var stop: String?
        while stop == nil {
            let message = try client.next()
            if message["id"]?.string == "p" { stop = message["result"]?["stopReason"]?.string ?? "none" }
        }
        #expect(stop == "cancelled")
    }

    @Test
    func `of a client that left ends with it where that was asked`()
        throws
    {
        let bench = try waiting()
        try bench.client.open("s")
        var other: TestClient? = try bench.daemon.client()
        _ = try bench.client.call(
            "session/resume", #"{"sessionId":"s","cwd":"/tmp","mcpServers":[]}"#)
        _ = try other?.startPrompt("s", "hello", #""onDisconnect":"cancel""#)
        _ = try bench.client.update { $0.extras?["state"]?.string == "waiting" }
        other = nil
        let ended = try bench.client.update {
            $0["params"]?["update"]?["_meta"]?["convod"]?["state"]?.string == "ended"
        }
        #expect(ended["params"]?["update"]?["_meta"]?["convod"]?["stopReason"]?.string == "cancelled")
    }
}

@Suite struct `A session that one client closes` {
    private static let close = #"{"sessionId":"s"}"#

    @Test func `has its prompt ended whose model is being looked up`() throws {
        let server = try ScriptedUpstream([[.hold] + ScriptedUpstream.failure("404 Not Found", "{}")])
        let daemon = try TestDaemon(
            "{ upstreams: { up: { kind: 'openai', baseURL: '\(server.base)' }, echo: { kind: 'echo' } } }")
        let client = try daemon.client()
        client.kept = [server, daemon]
        try client.open("s")
        let id = try client.startPrompt("s", "hello")
        while server.requests.isEmpty { _ = try client.call("_convod/server/info") }
        let closed = try client.start("session/close", Self.close)
        var answers: [Int: JSONView] = [:]
        while answers.count < 2 {
            let message = try client.next()
            if let number = message["id"]?.int { answers[number] = message["result"] }
        }
        // It is told at once; what was looked up for it is known to nobody.
        #expect(answers[id]?["stopReason"]?.string == "cancelled" && answers[closed] != nil)
        server.proceed()
        #expect(try client.messages("s") == [])
    }

    @Test func `goes on for another client that waits for the same answer`() throws {
        let bench = try Bench([
            [
                [
                    .write(ScriptedUpstream.head), .hold,
                    .write(
                        ScriptedUpstream.chunk(#"{"content":"whole"}"#)
                            + "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
                    ),
                ]
            ]
        ])
        let one = bench.client, two = try bench.daemon.client()
        try one.open("s")
        let first = try one.startPrompt("s", "hello", #""requestId":"r""#)
        _ = try one.update { $0.extras?["state"]?.string == "waiting" }
        let second = try two.startPrompt("s", "hello", #""requestId":"r""#)
        // Its answer says that what came before on this connection was taken.
        _ = try two.call("_convod/server/info")
        #expect(try one.call("session/close", Self.close).result != nil)
        bench.servers[0].proceed()
        #expect(try two.finish(second).result?["stopReason"]?.string == "end_turn")
        #expect(try one.finish(first).result?["stopReason"]?.string == "end_turn")
    }
}

extension `A cancelled answer` {
    private static let cancel = #"{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"s"}}"#

    /// Sends a prompt with a cancel in one write, and gives why the prompt stopped.
    private func stop(_ client: TestClient, _ id: String, _ words: String, cancelsFirst: Bool) throws
        -> String
    {
        let prompt =
            #"{"jsonrpc":"2.0","id":"\#(id)","method":"session/prompt","params":{"sessionId":"s","prompt":[{"type":"text","text":"\#(words)"}]}}"#
        let lines = cancelsFirst ? [Self.cancel, prompt] : [prompt, Self.cancel]
        try client.send(Array((lines.joined(separator: "\n") + "\n").utf8))
        while true {
            let message = try client.next()
            if message["method"] == nil, message["id"]?.string == id {
                return message["result"]?["stopReason"]?.string ?? message["error"].map { text($0.raw) } ?? ""
            }
        }
    }

    @Test func `is that of a prompt right before the cancel, and of none right behind it (N008)`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("s")
        for round in 0..<40 {
            #expect(try stop(client, "a\(round)", "count to 5000", cancelsFirst: false) == "cancelled")
            #expect(try stop(client, "b\(round)", "count to 3", cancelsFirst: true) == "end_turn")
        }
        let turns = try client.call("_convod/turn/list", #"{"sessionId":"s"}"#).result?["turns"]
        let states = turns?.elements.compactMap { $0["state"]?.string } ?? []
        #expect(states.count { $0 == "complete" } == 40)
        #expect(states.allSatisfy { $0 == "complete" || $0 == "cancelled" }, "\(states)")
    }

    @Test func `is at once that of a prompt whose server never says a word (N008)`() throws {
        let bench = try Bench([[[.untilClosed]]])
        try bench.client.open("s")
        for round in 0..<20 {
            #expect(try stop(bench.client, "a\(round)", "hello", cancelsFirst: false) == "cancelled")
        }
        let open = try bench.client.call("_convod/turn/list", #"{"sessionId":"s","open":true}"#).result
        #expect(open?["turns"]?.count == 0)
    }
}

extension `A cancelled answer` {
    @Test(arguments: [false, true])
    func `is what the prompt that cut it follows, though both came at once (N014)`(interrupts: Bool) throws {
        let bench = try waiting(), client = bench.client
        _ = try begin(bench)
        let meta = interrupts ? #","_meta":{"convod":{"ifBusy":"interrupt"}}"# : ""
        let prompt =
            #"{"jsonrpc":"2.0","id":"next","method":"session/prompt","params":{"sessionId":"s","prompt":[{"type":"text","text":"again"}]\#(meta)}}"#
        let cancel = #"{"jsonrpc":"2.0","method":"session/cancel","params":{"sessionId":"s"}}"#
        try client.send(Array(((interrupts ? "" : cancel + "\n") + prompt + "\n").utf8))
        var stops: [String] = []
        while stops.count < 2 {
            let message = try client.next()
            if message["method"] == nil { stops.append(message["result"]?["stopReason"]?.string ?? "error") }
        }
        #expect(stops == ["cancelled", "end_turn"])
        #expect(
            try client.messages("s") == [
                "user: hello", "assistant: half [cancelled]", "user: again", "assistant: fine",
            ])
        let list = try client.call("_convod/message/list", #"{"sessionId":"s"}"#).result
        let messages = list?["messages"]?.elements.map(\.self) ?? []
        #expect(messages.first?["parentId"]?.string == nil)
        for (before, behind) in zip(messages, messages.dropFirst()) {
            #expect(behind["parentId"]?.string == before["id"]?.string)
        }
        let branches = try client.call("_convod/branch/list", #"{"sessionId":"s"}"#).result
        #expect(branches?["branches"]?.count == 1)
        #expect(
            bench.servers[0].requests[1].contains(
                #"{"role":"user","content":"hello"},{"role":"assistant","content":"half"},{"role":"user","content":"again"}"#
            ))
    }
}
