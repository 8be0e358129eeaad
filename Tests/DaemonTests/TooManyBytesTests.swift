internal import JSON
internal import TestSupport
internal import Testing

/// What a server says of a request that has too many bytes, and what it says when it takes one.
private struct Server: CustomStringConvertible, Sendable {
    let kind: String
    let refusal: [ScriptedUpstream.Step]
    let fine: [ScriptedUpstream.Step]
    /// Whether the refusal names the limit, which is 6,000 bytes.
    var isTold = false
    var description: String { kind + (isTold ? ", which says the limit" : "") }

    static let page = "<html><head><title>413 Request Entity Too Large</title></head></html>"
    static let gemini = ScriptedUpstream.write(
        [#"{"candidates":[{"content":{"parts":[{"text":"fine"}]},"finishReason":"STOP"}]}"#])
    static let all = [
        Server(
            kind: "openai", refusal: ScriptedUpstream.failure("413 Request Entity Too Large", page),
            fine: ScriptedUpstream.answer(["fine"])),
        Server(
            kind: "openai",
            refusal: ScriptedUpstream.failure(
                "413 Payload Too Large", #"{"error":{"message":"Request too large","code":413}}"#),
            fine: ScriptedUpstream.answer(["fine"])),
        Server(
            kind: "anthropic", refusal: ScriptedUpstream.failure("413 Payload Too Large", page),
            fine: ScriptedUpstream.fineByAnthropic),
        Server(
            kind: "gemini",
            refusal: ScriptedUpstream.failure(
                "400 Bad Request",
                #"{"error":{"code":400,"message":"Request payload size exceeds the limit: 6000 bytes.","status":"INVALID_ARGUMENT"}}"#
            ), fine: gemini, isTold: true),
    ]
}

extension ScriptedUpstream {
    fileprivate static func write(_ events: [String]) -> [Step] {
        [.write(head + events.map { "data: \($0)\n\n" }.joined())]
    }
}

private let words = String(repeating: "word ", count: 200)

@Suite struct `A request of too many bytes` {
    @Test(arguments: Server.all)
    private func `goes again with less of the history, and the next one is made by what was taken`(
        server: Server
    ) throws {
        let fine = [[ScriptedUpstream.Step]](repeating: server.fine, count: 8)
        let bench = try Bench(
            [fine + [server.refusal, server.fine]], kind: server.kind, more: "window: { strategy: 'slide' }")
        try bench.client.open("s")
        for number in 1...10 {
            #expect(try bench.client.prompt("s", "prompt \(number) \(words)").text() == "fine")
        }
        let sent = bench.servers[0].requests.filter { !$0.hasPrefix("POST") || !$0.contains(":countTokens") }
        let count = sent.map { $0.split(separator: "prompt ").count - 1 }
        #expect(count.prefix(9) == [1, 2, 3, 4, 5, 6, 7, 8, 9] && count.count == 11, "\(count)")
        #expect((1..<9).contains(count[9]) && (1..<9).contains(count[10]), "\(count)")
        // What is shown before is what goes, and it is said by what it was cut.
        let next = "prompt 11 \(words)"
        let shown = try bench.client.call(
            "_convod/context/preview", #"{"sessionId":"s","prompt":[{"type":"text","text":"\#(next)"}]}"#)
        let receipt = try bench.client.prompt("s", next).extras?["receipt"]
        #expect(
            shown.result?["receipt"]?["sent"].map { text($0.raw) } == receipt?["sent"].map { text($0.raw) })
        #expect(receipt?["rule"]?.string == "maxBytes" && (receipt?["budget"]?.int ?? 0) > 4_000)
        #expect(bench.servers[0].requests.filter { !$0.contains(":countTokens") }.count == 12)
        if server.isTold {
            for body in sent[9...] {
                #expect((3_000...6_600).contains(body.utf8.count), "\(body.utf8.count)")
            }
        }
    }

    @Test func `goes to another upstream where nothing smaller is left`() throws {
        let refusal = Server.all[0].refusal, fine = Server.all[0].fine
        let bench = try Bench([[refusal], [fine]])
        #expect(try bench.ask("s").text() == "fine")
        #expect(bench.counts[1] == 1)
    }

    @Test func `that is refused all the same says so, with no word of tokens`() throws {
        let bench = try Bench([[Server.all[0].refusal]])
        let answer = try bench.ask("s")
        #expect(answer.kind == "context_overflow")
        let said = answer.message["error"]?["message"]?.string ?? ""
        #expect(
            said.contains("more bytes than the upstream takes (HTTP 413)") && !said.contains("token"),
            "\(said)")
    }
}

@Suite struct `An upstream without a model of its own` {
    @Test(arguments: [("401 Unauthorized", "upstream_auth"), ("500 Oops", "upstream_unavailable")])
    func `is asked for its list, and what it said to that is what its prompts are refused with`(
        _ status: String, _ kind: String
    ) throws {
        let server = try ScriptedUpstream([ScriptedUpstream.failure(status, "{}")])
        let daemon = try TestDaemon("{ upstreams: { a: { kind: 'openai', baseURL: '\(server.base)' } } }")
        let client = try daemon.client()
        client.kept = [daemon, server]
        try client.open("s")
        for answer in [
            try client.prompt("s", "hello"), try client.call("_convod/upstream/test", #"{"upstream":"a"}"#),
        ] {
            let said = answer.message["error"]?["message"]?.string ?? ""
            #expect(answer.kind == kind && said.contains("HTTP \(status.prefix(3))"), "\(said)")
            #expect(said.hasPrefix("upstream 'a' has no model of its own"), "\(said)")
        }
    }
}
