internal import JSON
internal import TestSupport
internal import Testing

@Suite struct `What a server says of a prompt` {
    private static let secret = "my private words"

    @Test func `stays with the turn that got it`() throws {
        let echoing = ScriptedUpstream.failure(
            "503 Service Unavailable", #"{"error":{"message":"cannot handle: my private words"}}"#)
        let bench = try Bench(
            [[echoing, down]], each: "breaker: { failures: 1, cooldown: '1h', longest: '1h' }",
            more: "retry: { attempts: 1, base: '1ms' }")
        let client = bench.client
        let first = try bench.ask("one")
        #expect(first.error?["message"]?.string?.contains(Self.secret) == true, "who asked hears it")

        let other = try bench.daemon.client()
        try other.open("two")
        let second = try other.prompt("two", "hello")
        #expect(second.kind == "upstream_unavailable")
        let heard = other.transcript.joined()
        #expect(!heard.contains(Self.secret), "\(heard)")

        let listed = try client.call("_convod/upstream/list").result?["upstreams"]
        let error = listed?.elements.first { _ in true }?["lastError"]
        #expect(error?["kind"]?.string == "upstream_unavailable")
        #expect(error?["message"]?.string?.contains(Self.secret) == false)
        #expect(error?["status"]?.int == 503)
        let turns = try client.call("_convod/turn/list", #"{"sessionId":"two"}"#).result
        #expect(error?["turnId"]?.string == turns?["turns"]?.elements.first { _ in true }?["turnId"]?.string)
        #expect(turns.map { text($0.raw).contains(Self.secret) } == false)
        let own = try client.call("_convod/turn/list", #"{"sessionId":"one"}"#).result
        #expect(own.map { text($0.raw).contains(Self.secret) } == true, "there an admin finds it")
    }

    @Test func `of a limit is no reason for others`() throws {
        let limited = ScriptedUpstream.failure(
            "429 Too Many Requests", #"{"error":{"message":"too much of: my private words"}}"#,
            headers: "Retry-After: 100\r\n")
        let bench = try Bench([[limited]], more: "retry: { attempts: 1, total: '1s', base: '1ms' }")
        _ = try bench.ask("one")
        let other = try bench.daemon.client()
        try other.open("two")
        #expect(try other.prompt("two", "hello").kind == "throttled")
        #expect(!other.transcript.joined().contains(Self.secret))
    }

    @Test(arguments: [
        "Zq8vX7wB2nM5kL9p", "zq8vx7wb2nm5kl9p", "Zq8v X7wB 2nM5 kL9p", "Zq8v-X7wB-2nM5-kL9p",
        "WnE4dlg3d0Iybk01a0w5cA==", "5a71387658377742326e4d356b4c3970", "xWnE4dlg3d0Iybk01a0w5cA",
    ]) func `holds no key in any spelling`(spelling: String) throws {
        let telling = ScriptedUpstream.failure(
            "400 Bad Request", #"{"error":{"message":"bad key \#(spelling) here"}}"#)
        let reason =
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
            + ScriptedUpstream.chunk(#"{"content":"x"}"#)
            + "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"\(spelling)\"}]}\n\ndata: [DONE]\n\n"
        for script in [telling, [.write(reason)]] {
            let bench = try Bench(
                [[script]], each: "keys: [{ env: 'K' }]", environment: ["K": "Zq8vX7wB2nM5kL9p"])
            let answer = try bench.ask("s")
            let said = text(answer.message.raw)
            #expect(!said.contains(spelling) && !said.contains("Zq8vX7wB"), "\(said)")
        }
    }

    @Test func `of the reason of an end is one short word`() throws {
        let words = String(repeating: "long words ", count: 1_000)
        let bench = try Bench([[ScriptedUpstream.answer(["x"], finish: words)]])
        #expect(try bench.ask("s").extras?["finish"]?.string == "other")
    }
}

@Suite struct `A list of models` {
    private static func page(_ next: String) -> [ScriptedUpstream.Step] {
        let body = #"{"models":[],"nextPageToken":"\#(next)"}"#
        return [
            .write(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
            )
        ]
    }

    @Test func `that never ends is given up after 100 pages`() throws {
        let bench = try Bench([(0..<300).map { Self.page("p\($0)") }], kind: "gemini")
        let answer = try bench.client.call("_convod/model/list", #"{"upstream":"a"}"#).result
        let error = answer?["errors"]?.elements.first { _ in true }?["message"]?.string ?? ""
        #expect(error.contains("does not end") && error.contains("100 pages"), "\(error)")
        #expect(bench.counts == [100])
    }

    @Test func `is asked for once for all who want it at one time, and not when nobody does`() throws {
        let body = #"{"models":[{"name":"models/x"}]}"#
        let bench = try Bench(
            [
                [
                    [
                        .hold,
                        .write(
                            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
                        ),
                    ]
                ]
            ], kind: "gemini")
        let clients = try (0..<20).map { _ in try bench.daemon.client() }
        let ids = try clients.map { try $0.start("_convod/model/list", #"{"upstream":"a"}"#) }
        // Each has been asked for once something behind it is answered.
        for client in clients { _ = try client.call("session/list") }
        bench.servers[0].proceed()
        for (client, id) in zip(clients, ids) {
            #expect(try client.finish(id).result?["models"]?.count == 1)
        }
        #expect(bench.counts == [1])
    }

    @Test func `that was cancelled by all who asked leaves the server alone`() throws {
        let bench = try Bench([[[.untilClosed]]], kind: "gemini")
        let id = try bench.client.start("_convod/model/list", #"{"upstream":"a"}"#)
        while bench.counts == [0] { _ = try bench.client.call("session/list") }
        try bench.client.send(
            #"{"jsonrpc":"2.0","method":"$/cancel_request","params":{"requestId":\#(id)}}"#)
        #expect(try bench.client.finish(id).kind == "cancelled")
        while bench.servers[0].closings.isEmpty { _ = try bench.client.call("session/list") }
    }
}
