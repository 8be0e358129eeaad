internal import JSON
internal import TestSupport
internal import Testing

@Suite struct `A notice` {
    private func client(_ daemon: TestDaemon, shows: Bool = true) throws -> TestClient {
        let client = try daemon.client()
        let session = shows ? #"{"notices":{}}"# : #"{}"#
        _ = try client.call(
            "initialize", #"{"protocolVersion":1,"clientCapabilities":{"session":\#(session)}}"#)
        return client
    }

    /// The notices that came before an answer.
    private func notices(_ answer: TestClient.Answer) -> [String] {
        answer.updates.compactMap { message in
            let update = message["params"]?["update"]
            return
                update?["sessionUpdate"]?.string == "notice"
                ? "\(update?["severity"]?.string ?? ""): \(update?["title"]?.string ?? "")" : nil
        }
    }

    @Test func `says that another upstream is asked, to who shows such alone`() throws {
        let down = try ScriptedUpstream([ScriptedUpstream.failure("503 Service Unavailable", "{}")])
        let fine = try ScriptedUpstream([ScriptedUpstream.answer(["fine"])])
        let daemon = try TestDaemon(
            """
            { upstreams: { a: { kind: "openai", baseURL: "\(down.base)", model: "m" },
                           b: { kind: "openai", baseURL: "\(fine.base)", model: "m" } },
              routes: { default: ["a", "b"] }, retry: { attempts: 1 } }
            """)
        let shown = try client(daemon), other = try client(daemon, shows: false)
        try shown.open("s")
        _ = try other.call("session/resume", #"{"sessionId":"s","cwd":"/tmp","mcpServers":[]}"#)
        let answer = try shown.prompt("s", "hello")
        #expect(notices(answer) == ["warning: 'b' is asked in place of 'a'"])
        var heard = 0
        _ = try other.update { message in
            if message["params"]?["update"]?["sessionUpdate"]?.string == "notice" { heard += 1 }
            return message["params"]?["update"]?["_meta"]?["convod"]?["state"]?.string == "ended"
        }
        #expect(heard == 0)
    }

    /// Who is not asked at all is passed over; a window that holds less for who is asked cuts more.
    @Test func `says whom the first is passed over for, and what is cut for who is asked in its place`()
        throws
    {
        let first = try ScriptedUpstream([
            ScriptedUpstream.answer(["fine"]), ScriptedUpstream.answer(["fine"]),
            ScriptedUpstream.answer(["fine"]),
            ScriptedUpstream.failure("503 Service Unavailable", "{}", headers: "retry-after: 600\r\n"),
        ])
        let second = try ScriptedUpstream([ScriptedUpstream.answer(["fine"])])
        let daemon = try TestDaemon(
            """
            { upstreams: { a: { kind: "openai", baseURL: "\(first.base)", model: "m", contextLength: 8000 },
                           b: { kind: "openai", baseURL: "\(second.base)", model: "m", contextLength: 1200 } },
              routes: { default: ["a", "b"] }, retry: { attempts: 1 }, window: { strategy: "sawtooth", reserveTokens: 200 } }
            """)
        let client = try client(daemon)
        client.kept = [first, second]
        try client.open("s")
        let words = String(repeating: "some words ", count: 90)
        for _ in 1...3 { #expect(try notices(client.prompt("s", words)) == []) }
        let failedOver = try notices(client.prompt("s", words))
        #expect(
            failedOver.count == 2 && failedOver.first == "warning: 'b' is asked in place of 'a'",
            "\(failedOver)")
        #expect(failedOver.last?.hasSuffix("messages are left out from here on") ?? false, "\(failedOver)")
        let passedOver = try notices(client.prompt("s", "and?"))
        #expect(passedOver.first == "warning: 'b' is asked in place of 'a'", "\(passedOver)")
    }

    /// A thought that goes no more is told each time, that of another provider once.
    @Test func `says which thoughts are not sent again, and why`() throws {
        let first = try ScriptedUpstream(
            (1...8).map { ScriptedUpstream.sealedByAnthropic("U0VBT00\($0)", "yes") })
        let second = try ScriptedUpstream([
            ScriptedUpstream.answer(["fine"]), ScriptedUpstream.answer(["fine"]),
        ])
        let daemon = try TestDaemon(
            """
            { upstreams: { a: { kind: "anthropic", baseURL: "\(first.base)", model: "claude-x" },
                           b: { kind: "openai", baseURL: "\(second.base)", model: "m" } },
              routes: { default: ["a"] } }
            """)
        let client = try client(daemon)
        client.kept = [first, second]
        try client.open("s")
        for _ in 1...3 { #expect(try notices(client.prompt("s", "go on")) == []) }
        for expected in [["info: 3 thoughts are not sent again"], []] {
            let answer = try client.prompt("s", "and you?", #""upstream":"b""#)
            #expect(notices(answer) == expected)
        }
        for (prompt, expected) in [("one", [3]), ("two", []), ("three", [2])] {
            if !expected.isEmpty {
                _ = try client.call("_convod/session/set", #"{"sessionId":"s","system":"\#(prompt)"}"#)
            }
            #expect(
                try notices(client.prompt("s", prompt))
                    == expected.map { "info: \($0) thoughts are not sent again" }, "\(prompt)")
        }
    }

    @Test func `says that a quota is used up`() throws {
        let daemon = try TestDaemon()
        let client = try client(daemon)
        try client.open("s")
        _ = try client.call("_convod/session/set", #"{"sessionId":"s","quota":{"tokens":1}}"#)
        let told = try notices(client.prompt("s", "one"))
        let later =
            told.isEmpty ? try notices(client.call("_convod/session/get", #"{"sessionId":"s"}"#)) : told
        #expect(later == ["warning: nothing more is asked here for now"])
    }

    @Test
    func
        `says under slide at the first cut that messages are left out, and again after other settings (B008)`()
        throws
    {
        let daemon = try TestDaemon()
        let client = try client(daemon)
        try client.open("s", #""window":{"maxTurns":1}"#)
        #expect(try notices(client.prompt("s", "one")) == [])
        #expect(try notices(client.prompt("s", "two")) == ["info: 2 messages are left out from here on"])
        #expect(try notices(client.prompt("s", "three")) == [])
        _ = try client.call("_convod/session/set", #"{"sessionId":"s","window":{"maxTurns":2}}"#)
        #expect(try notices(client.prompt("s", "four")) == ["info: 4 messages are left out from here on"])
    }

    @Test func `says at each of a sawtooth's cuts, and between them nothing`() throws {
        let daemon = try TestDaemon()
        let client = try client(daemon)
        try client.open("s", #""window":{"strategy":"sawtooth","maxTurns":4,"lowMark":0.5}"#)
        let told = try (1...9).map { try notices(client.prompt("s", "\($0)")).count }
        #expect(told == [0, 0, 0, 0, 1, 0, 0, 1, 0])
    }

    @Test func `is nothing that a later client is told`() throws {
        let daemon = try TestDaemon()
        let first = try client(daemon)
        try first.open("s", #""window":{"maxTurns":1}"#)
        _ = try first.prompt("s", "one")
        _ = try first.prompt("s", "two")
        let late = try client(daemon)
        let loaded = try late.call("session/load", #"{"sessionId":"s","cwd":"/tmp","mcpServers":[]}"#)
        #expect(notices(loaded) == [] && loaded.error == nil)
    }
}
