internal import JSON
internal import TestSupport
internal import Testing

private let fine = ScriptedUpstream.answer(["fine"])

private func tooLong(_ words: String) -> [ScriptedUpstream.Step] {
    ScriptedUpstream.failure(
        "400 Bad Request", #"{"error":{"message":"\#(words)","code":"context_length_exceeded"}}"#)
}

/// A daemon with a route of upstreams by their context lengths; nil is one that nobody knows.
private struct Lengths {
    let servers: [ScriptedUpstream]
    let client: TestClient

    init(_ upstreams: [(Int?, [[ScriptedUpstream.Step]])], _ more: String = "") throws {
        let servers = try upstreams.map { try ScriptedUpstream($0.1) }
        self.servers = servers
        let names = ["a", "b", "c"].prefix(upstreams.count)
        let entries = names.enumerated().map { index, name in
            let length = upstreams[index].0.map { ", contextLength: \($0)" } ?? ""
            return
                "\(name): { kind: 'openai', baseURL: '\(servers[index].base)', model: 'm-\(name)'\(length) }"
        }
        let daemon = try TestDaemon(
            """
            { upstreams: { \(entries.joined(separator: ", ")) },
              routes: { default: [\(names.map { "'\($0)'" }.joined(separator: ", "))] },
              retry: { base: '1ms', attempts: 1 }\(more) }
            """)
        client = try daemon.client()
        client.kept = [daemon] + servers
        try client.open("s")
    }

    var counts: [Int] { servers.map(\.requests.count) }
}

/// About 3,000 tokens.
private let long = String(repeating: "some more words ", count: 800)

@Suite struct `A prompt that an upstream of the route cannot hold` {
    @Test func `goes to the next whose known length is larger, and the receipt names both`() throws {
        let lengths = try Lengths([(2_048, [fine]), (1_536, [fine]), (32_768, [fine])])
        let answer = try lengths.client.prompt("s", long)
        #expect(answer.text() == "fine", "\(text(answer.message.raw))")
        #expect(lengths.counts == [0, 0, 1])
        let receipt = answer.extras?["receipt"]
        #expect(receipt?["upstream"]?.string == "c" && answer.extras?["upstream"]?.string == "c")
        let small = receipt?["tooSmall"]?.elements.map { $0 } ?? []
        #expect(small.map { $0["upstream"]?.string } == ["a"])
        #expect((small.first?["needed"]?.int ?? 0) > (small.first?["budget"]?.int ?? .max))
        let turn = answer.extras?["turnId"]?.string ?? ""
        let kept = try lengths.client.call("_convod/context/receipt", #"{"turnId":"\#(turn)"}"#).result
        #expect(kept?["receipt"]?["tooSmall"]?.count == 1 && kept?["upstream"]?.string == "c")
        let preview = try lengths.client.call(
            "_convod/context/preview",
            #"{"sessionId":"s","prompt":[{"type":"text","text":"\#(long)"}]}"#)
        #expect(preview.result?["upstream"]?.string == "c")
    }

    @Test func `also where it waited in the queue`() throws {
        let lengths = try Lengths([(2_048, [[.hold] + fine]), (32_768, [fine])])
        let first = try lengths.client.startPrompt("s", "short")
        let second = try lengths.client.startPrompt("s", long)
        lengths.servers[0].proceed()
        #expect(try lengths.client.finish(first).text() == "fine")
        #expect(try lengths.client.finish(second).extras?["upstream"]?.string == "b")
        #expect(lengths.counts == [1, 1])
    }

    @Test func `is refused by a route of one, or of smaller ones, with what holds it back`() throws {
        for others in [[], [(1_536, [fine])], [(nil, [fine])]] as [[(Int?, [[ScriptedUpstream.Step]])]] {
            let lengths = try Lengths([(2_048, [fine])] + others)
            let answer = try lengths.client.prompt("s", long)
            #expect(answer.kind == "context_overflow" && lengths.counts.allSatisfy { $0 == 0 })
            let words = answer.error?["message"]?.string ?? ""
            #expect(words.hasPrefix("the newest turn needs "), "\(words)")
            #expect(
                words.contains("model 'm-a' holds 2048, of which 1024 are kept for the answer"), "\(words)")
            #expect(
                !words.contains("system prompt") && !words.contains("pin") && !words.contains("maxTokens"))
        }
    }

    @Test func `is refused by the window's own limit wherever it would go`() throws {
        let lengths = try Lengths([(8_192, [fine]), (32_768, [fine])], ", window: { maxTokens: 1000 }")
        let answer = try lengths.client.prompt("s", long)
        #expect(answer.kind == "context_overflow" && lengths.counts == [0, 0])
        #expect(answer.error?["message"]?.string?.hasSuffix("or raise 'window.maxTokens'") == true)
    }

    @Test func `goes on to the next when the server itself says so`() throws {
        let lengths = try Lengths([
            (4_096, [tooLong("too long")]), (32_768, [fine]),
        ])
        let answer = try lengths.client.prompt("s", long)
        #expect(answer.text() == "fine", "\(text(answer.message.raw))")
        let small = answer.extras?["receipt"]?["tooSmall"]?.elements.first { _ in true }
        #expect(small?["upstream"]?.string == "a" && answer.extras?["receipt"]?["upstream"]?.string == "b")
    }
}

@Suite struct `An outage of the first of a route` {
    @Test func `is not hidden by an overflow at the second`() throws {
        let lengths = try Lengths([(32_768, [down]), (2_048, [fine])])
        let answer = try lengths.client.prompt("s", long)
        #expect(answer.kind == "upstream_unavailable", "\(text(answer.message.raw))")
        let words = answer.error?["message"]?.string ?? ""
        #expect(words.contains("HTTP 503") && words.contains("upstream 'b'"), "\(words)")
        let told = try Lengths([(32_768, [down]), (16_384, [tooLong("too long")])])
        #expect(try told.client.prompt("s", long).kind == "upstream_unavailable")
    }
}

@Suite struct `An outage of an upstream that then says too long` {
    @Test func `is over: what it said last is told`() throws {
        let server = try ScriptedUpstream([down, tooLong("too long")])
        let daemon = try TestDaemon(
            "{ upstreams: { a: { kind: 'openai', baseURL: '\(server.base)', model: 'm', contextLength: 32768 } }, retry: { base: '1ms' } }"
        )
        let client = try daemon.client()
        client.kept = [daemon, server]
        try client.open("s")
        #expect(try client.prompt("s", long).kind == "context_overflow")
    }
}

@Suite struct `An answer that is too long for an upstream of the route` {
    private let asked = #""params":{"maxTokens":8192}"#

    @Test func `is asked of the next whose known length is larger`() throws {
        let lengths = try Lengths([(8_192, [fine]), (32_768, [fine])])
        let answer = try lengths.client.prompt("s", "hello", asked)
        #expect(
            answer.extras?["upstream"]?.string == "b" && lengths.counts == [0, 1],
            "\(text(answer.message.raw))")
        let one = try Lengths([(8_192, [fine])])
        #expect(try one.client.prompt("s", "hello", asked).kind == "invalid_params")
    }

    @Test func `hides no outage of the first`() throws {
        let lengths = try Lengths([(32_768, [down]), (8_192, [fine]), (65_536, [fine])])
        #expect(try lengths.client.prompt("s", "hello", asked).extras?["upstream"]?.string == "c")
        let two = try Lengths([(32_768, [down]), (8_192, [fine])])
        #expect(try two.client.prompt("s", "hello", asked).kind == "upstream_unavailable")
    }
}

@Suite struct `A local server's own words` {
    @Test func `of a context too small are told with both numbers`() throws {
        let body =
            #"{"error":{"code":400,"message":"the request exceeds the available context size, try increasing it","type":"exceed_context_size_error","n_prompt_tokens":9731,"n_ctx":4096}}"#
        let lengths = try Lengths([(nil, [ScriptedUpstream.failure("400 Bad Request", body)])])
        let words = try lengths.client.prompt("s", long).error?["message"]?.string ?? ""
        #expect(words.contains("9731") && words.contains("4096"), "\(words)")
    }

    @Test func `of its context in the list of models are the model's length`() throws {
        let list =
            #"{"data":[{"id":"m-a","meta":{"n_ctx":2048,"n_ctx_train":131072}}]}"#
        let lengths = try Lengths([
            (nil, [ScriptedUpstream.failure("200 OK", list), fine])
        ])
        let models = try lengths.client.call("_convod/model/list").result
        let model = models?["models"]?.elements.first { $0["id"]?.string == "m-a" }
        #expect(model?["contextLength"]?.int == 2_048, "\(models.map { text($0.raw) } ?? "")")
        #expect(try lengths.client.prompt("s", long).kind == "context_overflow")
    }
}
