internal import JSON
internal import TestSupport
internal import Testing

/// The messages of each request of a server, as they went out.
private func sent(_ bench: Bench) throws -> [[String]] {
    try bench.servers[0].requests.map { request in
        try Fixtures.json(String(request.split(separator: "\r\n").last ?? ""))["messages"]?.elements.map {
            text($0.raw)
        } ?? []
    }
}

@Suite struct `A window that is cut rarely` {
    private let words = String(repeating: "word ", count: 60)

    private func bench(_ turns: Int, _ more: String = "", each: String = "contextLength: 3000") throws
        -> Bench
    {
        try Bench(
            [(0..<turns).map { ScriptedUpstream.answer(["answer \($0)"], usage: "null") }], each: each,
            more: "window: { reserveTokens: 500 }\(more)")
    }

    private func receipt(_ bench: Bench, _ answer: TestClient.Answer) throws -> JSONView? {
        try bench.client.call(
            "_convod/context/receipt", #"{"turnId":"\#(answer.extras?["turnId"]?.string ?? "")"}"#
        ).result?["receipt"]
    }

    @Test func `begins each request with the one before, but at a cut`() throws {
        let bench = try bench(40)
        try bench.client.open("s")
        var rules: [String] = [], anchors: [Int] = []
        for number in 0..<40 {
            let answer = try bench.client.prompt("s", "question \(number) \(words)")
            let receipt = try receipt(bench, answer)
            #expect(receipt?["strategy"]?["chosen"]?.string == "sawtooth")
            rules.append(receipt?["rule"]?.string ?? "")
            anchors.append(receipt?["anchor"]?.int ?? 0)
        }
        let requests = try sent(bench)
        var cuts = 0
        for (before, after) in zip(requests, requests.dropFirst()) {
            if after.starts(with: before) { continue }
            cuts += 1
            #expect(after.count < before.count)
        }
        #expect((2...10).contains(cuts), "\(rules)")
        #expect(rules.filter { $0 == "maxTokens" }.count == cuts && rules.last != "fits", "\(rules)")
        #expect(anchors == anchors.sorted() && Set(anchors).count == cuts + 1, "\(anchors)")
    }

    @Test func `keeps its cut over a restart, on a new branch and for a prompt with a window of its own`()
        throws
    {
        let directory = try TemporaryDirectory()
        let server = try ScriptedUpstream(
            (0..<30).map { ScriptedUpstream.answer(["answer \($0)"], usage: "null") })
        let configuration =
            "{ upstreams: { a: { kind: 'openai', baseURL: '\(server.base)', model: 'm', contextLength: 1500 } }, window: { reserveTokens: 500 } }"
        func anchor(_ client: TestClient, _ answer: TestClient.Answer) throws -> Int? {
            try client.call(
                "_convod/context/receipt", #"{"turnId":"\#(answer.extras?["turnId"]?.string ?? "")"}"#
            ).result?["receipt"]?["anchor"]?.int
        }
        var kept: Int?
        do {
            let daemon = try TestDaemon(configuration, in: directory)
            let client = try daemon.client()
            try client.open("s")
            for number in 0..<15 {
                kept = try anchor(client, try client.prompt("s", "question \(number) \(words)"))
            }
            daemon.stop()
        }
        #expect(kept ?? 0 > 1)
        let daemon = try TestDaemon(configuration, in: directory)
        let client = try daemon.client()
        try client.open("s")
        let own = try client.prompt("s", "own", #""window":{"maxTokens":600}"#)
        #expect(try anchor(client, own) != kept)
        let answer = try client.prompt("s", "next")
        #expect(try anchor(client, answer) == kept)
        let id = try client.start(
            "_convod/turn/retry",
            #"{"sessionId":"s","messageId":"\#(answer.extras?["messageId"]?.string ?? "")"}"#)
        #expect(try anchor(client, try client.finish(id)) == kept)
        // A change of the window's settings makes it void.
        _ = try client.call("_convod/session/set", #"{"sessionId":"s","window":{"lowMark":0.3}}"#)
        #expect(try anchor(client, try client.prompt("s", "last")) != kept)
    }

    @Test func `does not forget all before a prompt that gets other words`() throws {
        let bench = try bench(8, each: "contextLength: 2500")
        try bench.client.open("s")
        for number in 0..<6 { _ = try bench.client.prompt("s", "question \(number) \(words)") }
        // It leaves room for itself alone, so the anchor is its own place.
        let large = try bench.client.prompt("s", "large " + String(repeating: words, count: 24))
        let stored = try bench.client.call("_convod/message/list", #"{"sessionId":"s"}"#).result
        let prompt = stored?["messages"]?.elements.map(\.self).last { $0["role"]?.string == "user" }
        #expect(try receipt(bench, large)?["anchor"]?.int == prompt?["seq"]?.int)
        let id = try bench.client.start(
            "_convod/turn/retry",
            #"{"sessionId":"s","messageId":"\#(prompt?["id"]?.string ?? "")","prompt":[{"type":"text","text":"small"}]}"#
        )
        #expect(try bench.client.finish(id).extras?["finish"]?.string == "stop")
        #expect(try sent(bench).last?.count ?? 0 > 8)
    }

    @Test func `is as its upstream says, unless the session or the prompt says otherwise`() throws {
        let bench = try bench(8, each: "contextLength: 3000, window: { maxTurns: 2, strategy: 'slide' }")
        try bench.client.open("s")
        for _ in 0..<3 { _ = try bench.client.prompt("s", "question") }
        let own = try receipt(bench, try bench.client.prompt("s", "question"))
        #expect(own?["rule"]?.string == "maxTurns" && own?["sentMessages"]?.int == 3)
        let prompt = try bench.client.prompt("s", "question", #""window":{"maxTurns":3}"#)
        #expect(try receipt(bench, prompt)?["sentMessages"]?.int == 5)
        _ = try bench.client.call("_convod/session/set", #"{"sessionId":"s","window":{"maxTurns":null}}"#)
        #expect(try receipt(bench, try bench.client.prompt("s", "question"))?["rule"]?.string == "fits")
        let info = try bench.client.call("_convod/server/info", #"{"config":true}"#).result
        let shown = info?["config"]?["upstreams"]?["a"]?["window"]
        #expect(shown?["maxTurns"]?.int == 2 && shown?["strategy"]?.string == "slide")
    }

    @Test func `tells how much of a request was sent before, and what the provider's cache did`() throws {
        let usage =
            #"{"prompt_tokens":900,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":512}}"#
        let bench = try Bench(
            [[ScriptedUpstream.answer(["answer"], usage: usage)]], each: "contextLength: 30000")
        try bench.client.open("s")
        let first = try receipt(
            bench, try bench.client.prompt("s", "first " + String(repeating: words, count: 5)))
        #expect(first?["prefixBytesShared"] == nil && first?["ratio"] == nil)
        #expect(first?["cache"]?["read"]?.int == 512 && first?["cache"]?["written"] == nil)
        let second = try receipt(bench, try bench.client.prompt("s", "second"))
        let bodies = bench.servers[0].requests.map { String($0.split(separator: "\r\n").last ?? "") }
        #expect(first?["bytes"]?.int == bodies[0].utf8.count && second?["bytes"]?.int == bodies[1].utf8.count)
        let shared = zip(bodies[0].utf8, bodies[1].utf8).prefix { $0 == $1 }.count
        #expect(second?["prefixBytesShared"]?.int == shared / 256 * 256 && shared > 512)
        #expect(second?["ratio"]?.double ?? 0 > 1)
        // Another model has read nothing of it.
        let other = try receipt(bench, try bench.client.prompt("s", "third", #""model":"other""#))
        #expect(other?["prefixBytesShared"] == nil)
    }

    @Test func `keeps few anchors of a client that sends another window with each prompt`() throws {
        let bench = try bench(40)
        try bench.client.open("s")
        for number in 0..<40 {
            _ = try bench.client.prompt("s", "q", #""window":{"maxTokens":\#(1_000 + number)}"#)
        }
        let kept = try shell("sqlite3", bench.daemon.database, "SELECT count(*) FROM anchor")
        #expect((1...16).contains(Int(kept.dropLast()) ?? 0), "\(kept)")
    }

    @Test func `is none where the upstream keeps no prompts, or the configuration says so`() throws {
        let bench = try bench(1, each: "contextLength: 3000, promptCache: false")
        let receipt = try receipt(bench, try bench.ask("s"))
        #expect(receipt?["strategy"]?["chosen"]?.string == "slide" && receipt?["anchor"] == nil)
        #expect(receipt?["strategy"]?["why"]?.string == "this upstream keeps no prompts in a cache")
    }
}
