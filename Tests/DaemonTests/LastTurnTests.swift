internal import JSON
internal import TestSupport
internal import Testing

@Suite struct `Who comes back to a session` {
    /// What opening it says of the turn that ended last, by each way of opening.
    private func last(_ daemon: TestDaemon, _ session: String = "s") throws -> [JSONView?] {
        try ["session/resume", "session/load"].map { method in
            let opened = try daemon.client().call(
                method, #"{"sessionId":"\#(session)","cwd":"/tmp","mcpServers":[]}"#)
            return try #require(opened.result?["_meta"]?["convod"])["lastTurn"]
        }
    }

    @Test func `is told how the last turn ended, and nothing where there was none (B047)`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("s")
        #expect(try last(daemon).allSatisfy { $0 == nil })
        let answer = try client.prompt("s", "hello")
        for told in try last(daemon) {
            #expect(told?["turnId"]?.string == answer.extras?["turnId"]?.string)
            #expect(told?["messageId"]?.string == answer.extras?["messageId"]?.string)
            #expect(told?["state"]?.string == "complete" && told?["stopReason"]?.string == "end_turn")
            #expect(told?["endedAt"] != nil && told?["error"] == nil)
        }
    }

    @Test func `is told of a failure by its kind, and of no answer (B061)`() throws {
        let bench = try Bench(
            [[ScriptedUpstream.failure("401 Unauthorized", "{}")]])
        let failed = try bench.ask("s")
        #expect(failed.kind == "upstream_auth")
        for told in try last(bench.daemon) {
            #expect(told?["state"]?.string == "failed" && told?["error"]?["kind"]?.string == "upstream_auth")
            #expect(told?["error"]?["message"]?.string?.isEmpty == false)
            #expect(told?["messageId"] == nil && told?["stopReason"] == nil)
        }
    }

    @Test func `is told of the turn that ended last, not of the one that was asked for last`() throws {
        let daemon = try TestDaemon()
        let client = try daemon.client()
        try client.open("s")
        let running = try client.startPrompt("s", "count to 200")
        let waiting = try client.startPrompt("s", "waits")
        let update = try client.update {
            $0["params"]?["update"]?["_meta"]?["convod"]?["state"]?.string == "queued"
        }
        let turn = update["params"]?["update"]?["_meta"]?["convod"]?["turnId"]?.string ?? ""
        _ = try client.start("_convod/turn/cancel", #"{"turnId":"\#(turn)"}"#)
        #expect(try client.finish(waiting).result?["stopReason"]?.string == "cancelled")
        #expect(try last(daemon).allSatisfy { $0 == nil }, "one runs")
        let answer = try client.finish(running)
        for told in try last(daemon) {
            #expect(told?["turnId"]?.string == answer.extras?["turnId"]?.string)
        }
    }
}
