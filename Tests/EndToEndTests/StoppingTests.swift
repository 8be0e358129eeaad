internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

@Suite struct `SIGTERM` {
    /// A daemon whose upstream is looked up at a server that is silent, and a client with a prompt there.
    private func looking(_ state: String) throws -> (RealDaemon, TestClient, Int, ScriptedUpstream) {
        let upstream = try ScriptedUpstream([[.hold]])
        let daemon = try RealDaemon(
            "{ drain: '2s', upstreams: { up: { kind: 'openai', baseURL: '\(upstream.base)' }, echo: { kind: 'echo' } } }"
        )
        let client = try daemon.client()
        try client.open("s")
        let first = state == "waited" ? try client.startPrompt("s", "count to 400", #""upstream":"echo""#) : 0
        let id = try client.startPrompt("s", "hello")
        if first > 0 { _ = try client.finish(first) }
        try soon("the model is looked up") { upstream.requests.count == 1 }
        return (daemon, client, id, upstream)
    }

    @Test(arguments: ["new", "waited"])
    func `answers a prompt whose model is being looked up, and begins it no more`(_ state: String) throws {
        let (daemon, client, id, upstream) = try looking(state)
        try daemon.signal(Signals.terminate)
        #expect(try client.finish(id).kind == "shutting_down")
        #expect(try daemon.ended() == .exited(0))
        withExtendedLifetime(upstream) {}
        let turns = try daemon.sqlite("SELECT count(*) FROM turn WHERE state = 0")
        #expect(turns == (state == "waited" ? "1" : "0"))
    }

    @Test func `with nothing running ends the daemon quickly, its files left as they should be`() throws {
        // What is bounded is whether it waits for its drain; what else the machine does is not its own.
        let daemon = try RealDaemon(#"{ drain: "1m", upstreams: { echo: { kind: "echo" } } }"#)
        try daemon.client().open("demo")
        #expect(try daemon.stop() == .exited(0))
        #expect(try Files.status(daemon.socket) == nil)
        #expect(try daemon.sqlite("PRAGMA integrity_check") == "ok")
    }

    @Test func `ends the program that was run for a key`() throws {
        let directory = try TemporaryDirectory(), noted = directory.file("pid")
        let daemon = try RealDaemon(
            """
            { drain: '50ms', upstreams: { up: { kind: 'openai', model: 'm', contextLength: 9000, baseURL: 'http://127.0.0.1:1/v1',
              keys: [{ command: ['/bin/sh', '-c', 'echo $$ > \(noted).new; mv \(noted).new \(noted); exec sleep 3600'] }] } } }
            """, in: directory)
        let client = try daemon.client()
        try client.open("s")
        _ = try client.startPrompt("s", "hello")
        try soon("the program runs") { try Files.status(noted) != nil }
        let pid = text(try Files.read(noted)).filter(\.isNumber)
        #expect(try daemon.stop() == .exited(0))
        // What is dead and was not waited for has no command line.
        try soon("it is gone") {
            try Files.status("/proc/\(pid)") == nil || Files.read("/proc/\(pid)/cmdline").isEmpty
        }
    }

    @Test func `in mid-answer keeps the part that came, marked as interrupted`() throws {
        let daemon = try RealDaemon()
        let client = try daemon.client()
        try client.open("demo")
        _ = try client.startPrompt("demo", "count to 1000")
        var received = ""
        func take(_ message: JSONView) {
            let update = message["params"]?["update"]
            guard update?["sessionUpdate"]?.string == "agent_message_chunk" else { return }
            received += update?["content"]?["text"]?.string ?? ""
        }
        _ = try client.update {
            take($0)
            return received.utf8.count > 20
        }
        try daemon.signal(Signals.terminate)
        let answer = try client.update {
            take($0)
            return $0["method"] == nil
        }
        #expect(answer["error"]?["data"]?["kind"]?.string == "interrupted")
        #expect(try daemon.ended() == .exited(0))

        try daemon.start()
        let messages = try daemon.client().messages("demo")
        #expect(messages == ["user: count to 1000", "assistant: \(received) [interrupted]"])
    }

    @Test func `leaves a queued prompt to be taken up at the next start`() throws {
        let daemon = try RealDaemon()
        let client = try daemon.client(), other = try daemon.client()
        try client.open("demo")
        let first = try client.startPrompt("demo", "count to 1000")
        _ = try client.update { $0["params"]?["update"]?["sessionUpdate"]?.string == "agent_message_chunk" }
        _ = try other.startPrompt("demo", "and then?", #""requestId":"second""#)
        _ = try other.update {
            $0["params"]?["update"]?["_meta"]?["convod"]?["state"]?.string == "queued"
        }
        try daemon.signal(Signals.terminate)
        #expect(try client.finish(first).kind == "interrupted")
        #expect(try daemon.ended() == .exited(0))

        try daemon.start()
        let again = try daemon.client().prompt("demo", "and then?", #""requestId":"second""#)
        #expect(again.result?["stopReason"]?.string == "end_turn")
        let messages = try daemon.client().messages("demo")
        #expect(messages.count == 4)
        #expect(messages.filter { $0 == "user: and then?" }.count == 1)
        #expect(messages.last?.hasPrefix("assistant: Message 3 of this session; you said: and then?") == true)
    }

    @Test func `a second time does not wait for running answers`() throws {
        let daemon = try RealDaemon(#"{ drain: "1h", upstreams: { echo: { kind: "echo" } } }"#)
        let client = try daemon.client()
        try client.open("demo")
        let id = try client.startPrompt("demo", "count to 100000")
        _ = try client.update { $0["params"]?["update"]?["sessionUpdate"]?.string == "agent_message_chunk" }
        try daemon.signal(Signals.terminate)
        try soon("the listener is gone") { try Files.status(daemon.socket) == nil }
        try daemon.signal(Signals.terminate)
        #expect(try client.finish(id).kind == "interrupted")
        #expect(try daemon.ended() == .exited(0))
    }
}
