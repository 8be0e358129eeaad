internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

/// A line without its newline.
private func line(_ id: String, _ method: String, _ params: String) -> String {
    #"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method)","params":\#(params)}"#
}

@Suite struct `One client that asks without end` {
    private static let many = 100_000

    @Test func `for the same session while its history waits to be read grows no stack`() throws {
        let daemon = try RealDaemon()
        let words = String(repeating: "w", count: 200_000)
        try daemon.fill("long", [words, words, words])
        let client = try RawClient(daemon.socket)
        let open = #"{"sessionId":"long","cwd":"/tmp","mcpServers":[]}"#
        var lines = line("0", "session/load", open) + "\n"
        for id in 1...Self.many { lines += line("\(id)", "session/resume", open) + "\n" }
        try client.write(lines)
        try soon("some thousand were taken") { client.sentBytes > 300_000 }
        #expect(try client.read(lines: Self.many), "the daemon ended")
        try daemon.checkAtEase(peakMiB: 150, "100,000 resumes behind a load")
    }

    @Test func `for prompts without words behind a long change grows no stack`() throws {
        let daemon = try RealDaemon()
        try daemon.client().open("s")
        for start in stride(from: 0, to: 20_000, by: 1_000) {
            try daemon.fill("s", (0..<1_000).map { "m\(start + $0)" })
        }
        let client = try daemon.client()
        let first = try client.call("_convod/message/list", #"{"sessionId":"s","limit":1}"#)
        let id = first.result?["messages"]?.elements.first { _ in true }?["id"]?.string ?? ""
        #expect(
            try client.call(
                "_convod/message/set",
                #"{"sessionId":"s","messageId":"\#(id)","content":[{"type":"text","text":"other"}]}"#
            ).result != nil)
        let branches = try client.call("_convod/branch/list", #"{"sessionId":"s"}"#).result?["branches"]
        let other = branches?.elements.first { $0["active"]?.bool == false }?["branch"]?.int ?? 0
        try flood(
            daemon, behind: line("0", "_convod/branch/delete", #"{"sessionId":"s","branch":\#(other)}"#))
    }

    @Test func `for prompts without words behind one whose model is looked up grows no stack`() throws {
        let silent = listenOnLoopback()
        let daemon = try RealDaemon(
            #"{ drain: "50ms", upstreams: { local: { kind: "openai", baseURL: "http://127.0.0.1:\#(silent.port)/v1" } } }"#
        )
        try daemon.client().open("s")
        try flood(
            daemon,
            behind: line("0", "session/prompt", #"{"sessionId":"s","prompt":[{"type":"text","text":"x"}]}"#))
        _ = Descriptor(owning: silent.descriptor)
    }

    private func flood(_ daemon: RealDaemon, behind first: String) throws {
        let client = try RawClient(daemon.socket)
        var lines = first + "\n"
        for id in 1...Self.many { lines += line("\(id)", "session/prompt", "{}") + "\n" }
        try client.write(lines)
        #expect(try client.read(lines: Self.many), "the daemon ended")
        try daemon.checkAtEase(peakMiB: 150, "100,000 empty prompts")
    }
}

@Suite struct `Memory` {
    @Test func `of what was asked is free when the answer begins, however long that takes`() throws {
        let upstream = try ScriptedUpstream([
            [.write(ScriptedUpstream.head + ScriptedUpstream.chunk(#"{"content":"so"}"#)), .untilClosed]
        ])
        let daemon = try RealDaemon(
            "{ drain: '50ms', upstreams: { up: { kind: 'openai', baseURL: '\(upstream.base)', model: 'm', contextLength: 100000000 } } }"
        )
        let client = try daemon.client()
        try client.open("s")
        _ = try client.startPrompt("s", String(repeating: "long words ", count: 1_400_000))
        _ = try client.update { $0["params"]?["update"]?["content"]?["text"]?.string == "so" }
        if daemon.isSanitized { return }
        // A debug build is larger by itself.
        try soon("what was asked is free") { try daemon.kibibytes("VmRSS") < 40 << 10 }
    }

    @Test func `of a batch of 64 long answers is that of one or two`() throws {
        let daemon = try RealDaemon()
        try daemon.fill("s", [String(repeating: "w", count: 15 << 20)])
        let client = try RawClient(daemon.socket)
        let entries = (0..<64).map { line("\($0)", "_convod/message/list", #"{"sessionId":"s"}"#) }
        try client.write("[" + entries.joined(separator: ",") + "]\n")
        #expect(try client.read(lines: 1))
        #expect(String(decoding: client.tail, as: UTF8.self).contains(#""kind":"overloaded""#))
        client.close()
        try daemon.checkAtEase(peakMiB: 256, "a batch of 64 on 15 MiB")
    }

    @Test func `of prompts that wait is that of one, however long they are and whoever lists them`() throws {
        let daemon = try RealDaemon(
            #"{ drain: "50ms", window: { maxTokens: 100000000 }, upstreams: { echo: { kind: "echo" } } }"#)
        let client = try daemon.client()
        try client.open("s")
        _ = try client.startPrompt("s", "count to 2000")
        _ = try client.update { $0["params"]?["update"]?["sessionUpdate"]?.string == "agent_message_chunk" }
        let words = String(repeating: "w", count: 10 << 20)
        let raw = try RawClient(daemon.socket)
        let prompt = #"{"sessionId":"s","prompt":[{"type":"text","text":"\#(words)"}]}"#
        var bytes: [UInt8] = []
        for id in 0..<12 { bytes += Array((line("\(id)", "session/prompt", prompt) + "\n").utf8) }
        try raw.write(bytes)
        // 64 MiB may wait in one session: six of them, and the others are told.
        var refused = 0
        try soon("six wait and six are refused") {
            _ = try raw.read(lines: raw.lines + 1)
            refused += String(decoding: raw.tail, as: UTF8.self).contains("overloaded") ? 1 : 0
            return try client.call("_convod/session/get", #"{"sessionId":"s"}"#).result?["queued"]?.int == 6
                && refused > 0
        }
        let listed = try client.call("_convod/turn/list", #"{"sessionId":"s","open":true}"#).result
        #expect(listed?["turns"]?.count == 1 && listed?["nextCursor"] != nil, "a page has 1 MiB or one row")
        if !daemon.isSanitized { #expect(try daemon.kibibytes("VmHWM") >> 10 <= 256) }
        raw.close()
        client.endSending()
        let other = try daemon.client()
        let turns = try other.call("_convod/session/get", #"{"sessionId":"s"}"#).result
        #expect(turns?["running"] != nil, "a turn goes on without its client")
        try soon("idle, under 40 MiB", milliseconds: 10_000) {
            try daemon.isSanitized || daemon.kibibytes("VmRSS") < 40 << 10
        }
    }

    @Test func `of 100 half lines of 15 MiB is bounded, and who holds too much is told and closed`() throws {
        let daemon = try RealDaemon(
            #"{ drain: "50ms", limits: { buffers: "64MiB", userBuffers: "48MiB" }, upstreams: { echo: { kind: "echo" } } }"#
        )
        let honest = try daemon.client()
        try honest.open("s")
        let half = [UInt8](repeating: 0x78, count: 15 << 20)
        let clients = try (0..<100).map { _ in try RawClient(daemon.socket) }
        for client in clients { try client.write(half) }
        var closed = 0
        try soon("some are closed", milliseconds: 20_000) {
            let answer = try honest.prompt("s", "hello")
            #expect(answer.result?["stopReason"]?.string == "end_turn")
            closed = 0
            for client in clients.prefix(20) where (try? client.read(lines: 1, milliseconds: 1)) ?? false {
                closed += 1
                #expect(String(decoding: client.tail, as: UTF8.self).contains("userBuffers"))
            }
            return closed >= 5
        }
        for client in clients { client.close() }
        try daemon.checkAtEase(peakMiB: 200, "100 half lines")
    }

    @Test func `of clients that never read what they ask for is bounded (B133)`() throws {
        let daemon = try RealDaemon(
            #"{ drain: "50ms", limits: { buffers: "64MiB", userBuffers: "48MiB" }, upstreams: { echo: { kind: "echo" } } }"#
        )
        try daemon.fill("s", (0..<20).map { "\($0)" + String(repeating: "w", count: 60_000) })
        let clients = try (0..<100).map { _ in try RawClient(daemon.socket) }
        for client in clients {
            try client.write(
                (0..<20).map { line("\($0)", "_convod/message/list", #"{"sessionId":"s"}"#) + "\n" }.joined())
        }
        let honest = try daemon.client()
        for _ in 0..<20 { #expect(try honest.call("session/list").result != nil) }
        for client in clients { client.close() }
        try daemon.checkAtEase(peakMiB: 200, "100 clients that never read")
    }

    @Test func `of a long answer is free as far as the socket took it`() throws {
        let daemon = try RealDaemon()
        // A little more than a socket takes, so that 400 clients leave 80 MiB behind if what was sent stays.
        try daemon.fill("s", (0..<100).map { "\($0)" + String(repeating: "w", count: 2_000) })
        let clients = try (0..<400).map { _ in try RawClient(daemon.socket) }
        for client in clients {
            try client.write(line("1", "_convod/message/list", #"{"sessionId":"s"}"#) + "\n")
        }
        for client in clients { try soon("each has some of its answer") { try client.hasMore } }
        if !daemon.isSanitized {
            try soon("what waits is little") { try daemon.kibibytes("VmRSS") < 64 << 10 }
        }
        for client in clients { #expect(try client.read(lines: 1), "the rest comes") }
        for client in clients { client.close() }
        try daemon.checkAtEase(peakMiB: 96, "400 answers that are half read")
    }

    @Test func `of the sessions that a client sees counts, and who sees too many is told and closed`() throws
    {
        let daemon = try RealDaemon(
            #"{ drain: "50ms", limits: { userBuffers: "1MiB" }, upstreams: { echo: { kind: "echo" } } }"#)
        let honest = try daemon.client()
        try honest.open("s")
        let client = try RawClient(daemon.socket)
        let new = (0..<100).map { line("\($0)", "session/new", #"{"cwd":"/","mcpServers":[]}"#) + "\n" }
            .joined()
        var rounds = 0
        while !String(decoding: client.tail, as: UTF8.self).contains("_convod/closing"), rounds < 100 {
            guard (try? client.write(new)) != nil, try client.read(lines: (rounds + 1) * 100) else { break }
            rounds += 1
        }
        #expect((30...60).contains(rounds), "256 bytes a session")
        #expect(String(decoding: client.tail, as: UTF8.self).contains("close sessions"))
        #expect(try honest.prompt("s", "hello").result?["stopReason"]?.string == "end_turn")
    }

    @Test func `and descriptors of clients that left in the middle of what they asked for are free (N010)`()
        throws
    {
        let daemon = try RealDaemon()
        try daemon.fill("s", (0..<200).map { "\($0)" + String(repeating: "w", count: 2_000) })
        let honest = try daemon.client()
        try honest.open("mine")
        let before = try daemon.descriptors()
        let kinds = [
            line("1", "_convod/context/preview", #"{"sessionId":"s","prompt":[{"type":"text","text":"x"}]}"#),
            line("1", "_convod/message/list", #"{"sessionId":"s"}"#), line("1", "session/list", "{}"),
            line("1", "session/new", #"{"cwd":"/","mcpServers":[]}"#),
            line(
                "1", "session/prompt", #"{"sessionId":"s","prompt":[{"type":"text","text":"count to 100"}]}"#),
        ]
        let clients = try (0..<100).map { number in
            let client = try RawClient(daemon.socket)
            let asked = kinds[number % kinds.count].split(
                separator: #""id":1"#, omittingEmptySubsequences: false)
            try client.write((0..<200).map { asked.joined(separator: #""id":\#($0)"#) + "\n" }.joined())
            return client
        }
        for client in clients where try client.read(lines: 1) { client.close() }
        try soon("descriptors are free", milliseconds: 20_000) {
            _ = try honest.call("_convod/server/info")
            return try daemon.descriptors() <= before
        }
    }

    @Test func `that a long line took is free when the line is done`() throws {
        let daemon = try RealDaemon()
        let clients = try (0..<10).map { _ in try RawClient(daemon.socket) }
        let long = #"{"jsonrpc":"2.0","id":1,"method":"authenticate","params":{"x":""#
        for client in clients {
            try client.write(long + String(repeating: "w", count: 14 << 20) + "\"}}\n")
            #expect(try client.read(lines: 1))
        }
        try daemon.checkAtEase(peakMiB: 256, "ten long lines")
        withExtendedLifetime(clients) {}
    }

    @Test func `of a list of branches is not that of their first messages`() throws {
        let daemon = try RealDaemon()
        let client = try daemon.client()
        try client.open("s")
        for number in 0..<8 {
            try daemon.fill("s", ["first \(number)" + String(repeating: "w", count: 8 << 20)])
            let head = try client.call("_convod/message/list", #"{"sessionId":"s","last":1}"#).result
            let id = head?["messages"]?.elements.first { _ in true }?["id"]?.string ?? ""
            #expect(
                try client.call(
                    "_convod/message/set",
                    #"{"sessionId":"s","messageId":"\#(id)","content":[{"type":"text","text":"e\#(number)"}]}"#
                ).result != nil)
        }
        try daemon.stop()
        try daemon.start()
        let list = try daemon.client().call("_convod/branch/list", #"{"sessionId":"s"}"#).result
        #expect(list?["branches"]?.count == 9)
        #expect(
            list?["branches"]?.elements.first { _ in true }?["first"]?["text"]?.string?
                .hasPrefix("first 0www") == true)
        try daemon.checkAtEase(peakMiB: 60, "a list of branches")
    }
}

extension `Memory` {
    @Test
    func
        `of a server that writes as fast as it can for a client that does not read is bounded, and others are answered (B053)`()
        throws
    {
        let piece = ScriptedUpstream.chunk(#"{"content":"\#(String(repeating: "w", count: 1 << 20))"}"#)
        let upstream = try ScriptedUpstream([
            [.write(ScriptedUpstream.head)] + [ScriptedUpstream.Step](repeating: .write(piece), count: 200)
        ])
        let daemon = try RealDaemon(
            "{ drain: '50ms', retry: { attempts: 1 }, upstreams: { up: { kind: 'openai', baseURL: '\(upstream.base)', model: 'm' }, echo: { kind: 'echo' } } }"
        )
        let honest = try daemon.client()
        try honest.open("s")
        try honest.open("t")
        let open = #"{"sessionId":"s","open":true}"#
        _ = try honest.call("session/close", #"{"sessionId":"s"}"#)
        let deaf = try RawClient(daemon.socket)
        try deaf.write(
            line("1", "session/prompt", #"{"sessionId":"s","prompt":[{"type":"text","text":"go"}]}"#) + "\n")
        try soon("it is asked") { !upstream.requests.isEmpty }
        var answered = 0
        try soon("the turn has ended", milliseconds: 120_000) {
            let answer = try honest.prompt("t", "hello", #""upstream":"echo","window":{"maxTurns":1}"#)
            #expect(answer.result?["stopReason"]?.string == "end_turn")
            answered += 1
            return try honest.call("_convod/turn/list", open).result?["turns"]?.count == 0
        }
        // Seconds would be the machine's: who waited for the whole flood was answered once.
        #expect(answered > 3)
        deaf.close()
        try daemon.checkAtEase(peakMiB: 512, "200 MiB for a client that does not read")
    }
}
