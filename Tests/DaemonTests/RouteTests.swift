internal import Crypto
internal import JSON
internal import Posix
internal import TestSupport
internal import Testing

private let fine = ScriptedUpstream.answer(["fine"])

/// A 429 with headers and a body.
private func limited(_ headers: String = "", _ body: String = "{}") -> [ScriptedUpstream.Step] {
    ScriptedUpstream.failure("429 Too Many Requests", body, headers: headers)
}

private let spent =
    #"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"quota","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"36s"}]}}"#

@Suite struct `A route of upstreams` {
    @Test
    func `passes over the first while its breaker is open, and takes it again when a probe succeeds (B157)`()
        throws
    {
        let clock = ManualClock()
        let bench = try Bench([[down, down, down, fine], [fine]], clock: clock.now)
        for k in 1...4 { #expect(try bench.ask("s\(k)").extras?["upstream"]?.string == "b") }
        #expect(bench.counts == [3, 4], "three tries opened the breaker, the next prompts left it alone")
        clock.advance(5_000)
        #expect(try bench.ask("s5").extras?["upstream"]?.string == "a")
        #expect(try bench.ask("s6").extras?["upstream"]?.string == "a")
        #expect(bench.counts == [5, 4])
    }

    @Test
    func
        `goes on at once when the wait is long, and leaves the limited one alone until its time (B146, B155)`()
        throws
    {
        let clock = ManualClock()
        let bench = try Bench([[limited("Retry-After: 30\r\n"), fine], [fine]], clock: clock.now)
        for k in 1...3 { #expect(try bench.ask("s\(k)").extras?["upstream"]?.string == "b") }
        #expect(bench.counts == [1, 3])
        clock.advance(30_000)
        #expect(try bench.ask("s4").extras?["upstream"]?.string == "a")
    }

    @Test func `leaves the limited model alone, and asks the same server for another`() throws {
        let bench = try Bench([[limited("Retry-After: 3600\r\n"), fine]])
        #expect(try bench.ask("s1").kind == "throttled")
        #expect(try bench.ask("s2").kind == "throttled" && bench.counts == [1])
        try bench.client.open("other", #""model":"other""#)
        #expect(try bench.client.prompt("other", "hello").text() == "fine")
        #expect(bench.counts == [2])
    }

    @Test func `does not try a spent daily quota again, and says what wait was named (B148, B149)`() throws {
        let bench = try Bench([[limited("", spent)]])
        let answer = try bench.ask("s")
        #expect(answer.kind == "quota" && bench.counts == [1])
        #expect(answer.message["error"]?["data"]?["retryAfterMs"]?.int == 36_000)
        let other = try Bench([[limited("", spent)], [fine]])
        #expect(try other.ask("s").extras?["upstream"]?.string == "b")
    }

    @Test func `fails at once when the wait is beyond the turn's time, and says how long (B145)`() throws {
        let bench = try Bench([[limited("Retry-After: 86400\r\n")]])
        let answer = try bench.ask("s")
        #expect(answer.kind == "throttled" && bench.counts == [1])
        #expect(answer.message["error"]?["data"]?["retryAfterMs"]?.int == 86_400_000)
    }

    @Test func `says on the wire that it waits, for whom and why`() throws {
        let bench = try Bench([[limited("retry-after-ms: 30\r\n"), fine]])
        let answer = try bench.ask("s")
        let retrying = answer.updates.compactMap { $0["params"]?["update"]?["_meta"]?["convod"] }.first {
            $0["state"]?.string == "retrying"
        }
        #expect(retrying?["upstream"]?.string == "a" && (retrying?["retryInMs"]?.int ?? 0) >= 30)
        #expect(retrying?["error"]?["kind"]?.string == "throttled")
        #expect(answer.text() == "fine")
    }

    @Test func `has each try as a row of the turn`() throws {
        let bench = try Bench([[down], [[.reset]], [fine]], more: "retry: { attempts: 1 }")
        let answer = try bench.ask("s")
        #expect(
            try bench.outcomes(answer) == ["a upstream_unavailable", "b upstream_unavailable", "c complete"])
    }

    @Test func `keeps the thoughts of who made them`() throws {
        let thinking = [
            ScriptedUpstream.Step.write(
                ScriptedUpstream.head + ScriptedUpstream.chunk(#"{"reasoning":"hm"}"#)
                    + "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}]}\n\n"
            )
        ]
        let bench = try Bench([[down], [thinking]], more: "retry: { attempts: 1 }")
        _ = try bench.ask("s")
        let list = try bench.client.call("_convod/message/list", #"{"sessionId":"s","last":1}"#).result
        let part = list?["messages"]?.elements.first { _ in true }?["content"]?.elements.first { _ in true }
        let digest = SHA256Digest.of(Array(bench.servers[1].base.utf8)).hexadecimal.prefix(8)
        #expect(part?["issuer"]?.string == "openai:\(digest)", "the second one's")
    }
}

@Suite struct `A limit of one upstream` {
    @Test func `holds a prompt back with a sentence, and the next upstream answers`() throws {
        let clock = ManualClock()
        let bench = try Bench(
            [[fine], [fine]], each: "throttle: { requestsPerMinute: 1 }", clock: clock.now)
        #expect(try bench.ask("s1").extras?["upstream"]?.string == "a")
        #expect(try bench.ask("s2").extras?["upstream"]?.string == "b")
        clock.advance(60_000)
        #expect(try bench.ask("s3").extras?["upstream"]?.string == "a")
    }

    @Test func `ends in a refusal with its wait where that is too long`() throws {
        let clock = ManualClock()
        let bench = try Bench(
            [[fine]], each: "throttle: { tokensPerMinute: 30 }", more: "retry: { total: '1s' }",
            clock: clock.now)
        _ = try bench.ask("s1")
        let answer = try bench.ask("s2")
        #expect(answer.kind == "throttled")
        #expect((answer.message["error"]?["data"]?["retryAfterMs"]?.int ?? 0) > 1_000)
        #expect(bench.counts == [1])
    }
}

extension `A route of upstreams` {
    @Test func `takes the last of two waits that a server names at once (B143)`() throws {
        let bench = try Bench([[limited("Retry-After: 1\r\nRetry-After: 86400\r\n")]])
        let answer = try bench.ask("s")
        #expect(answer.kind == "throttled" && bench.counts == [1])
        #expect(answer.message["error"]?["data"]?["retryAfterMs"]?.int == 86_400_000)
        let unreadable = try Bench([[limited("Retry-After: 86400\r\nRetry-After: abc\r\n"), fine]])
        #expect(try unreadable.ask("s").text() == "fine", "what cannot be read is the usual short wait")
        #expect(unreadable.counts == [2])
    }
}

@Suite struct `A request on a login's behalf` {
    @Test func `names who pays on each call: prompt, models, count and test (N041)`() throws {
        let token = ScriptedUpstream.failure(
            "200 OK", #"{"access_token":"one","expires_in":3599,"token_type":"Bearer"}"#)
        let issuer = try ScriptedUpstream([token])
        let refused = ScriptedUpstream.failure(
            "403 Forbidden",
            #"{"error":{"code":403,"message":"The API requires a quota project.","status":"PERMISSION_DENIED"}}"#
        )
        let server = try ScriptedUpstream([refused])
        let directory = try TemporaryDirectory()
        let login = directory.file("login.json")
        try Files.replace(
            login,
            with: Array(
                #"{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r","quota_project_id":"p1"}"#
                    .utf8))
        // `credentials` as in schema/google.md; the member's names are to be checked there.
        let daemon = try TestDaemon(
            "{ upstreams: { g: { kind: 'gemini', baseURL: '\(server.origin)', model: 'm', credentials: { authorizedUser: '\(login)', tokenURL: '\(issuer.origin)/token' } } }, retry: { attempts: 3, base: '1ms' } }"
        )
        let client = try daemon.client()
        client.kept = [issuer, server, daemon]
        try client.open("s")
        let answer = try client.prompt("s", "hello")
        #expect(answer.kind == "upstream_auth" && server.requests.count == 1, "it is not tried again")
        _ = try client.call("_convod/model/list", #"{"upstream":"g"}"#)
        _ = try client.call(
            "_convod/context/preview",
            #"{"sessionId":"s","prompt":[{"type":"text","text":"hi"}],"count":true}"#)
        _ = try client.call("_convod/upstream/test", #"{"upstream":"g"}"#)
        #expect(server.requests.count == 4 && issuer.requests.count == 1, "and the token stays good")
        for request in server.requests { #expect(request.contains("x-goog-user-project: p1\r\n")) }
    }
}
