internal import JSON
internal import TestSupport
internal import Testing

@Suite struct `Previews that a provider counts` {
    @Test func `are a few at one time, since each holds a whole request`() throws {
        let bench = try Bench(
            [Array(repeating: [.hold], count: 4)], kind: "anthropic", each: "contextLength: 9000")
        try bench.client.open("s")
        let question = #"{"sessionId":"s","count":true,"prompt":[{"type":"text","text":"x"}]}"#
        for _ in 0..<4 { _ = try bench.client.start("_convod/context/preview", question) }
        let refused = try bench.client.call("_convod/context/preview", question)
        #expect(refused.kind == "busy", "\(text(refused.message.raw))")
        let plain = #"{"sessionId":"s","prompt":[{"type":"text","text":"x"}]}"#
        #expect(try bench.client.call("_convod/context/preview", plain).result != nil)
    }
}

@Suite struct `A request near the limit` {
    private static func counted(_ tokens: Int) -> [ScriptedUpstream.Step] {
        [
            .write(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{\"totalTokens\":\(tokens)}"
            )
        ]
    }

    private static let answer: [ScriptedUpstream.Step] = [
        .write(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"fine\"}]},\"finishReason\":\"STOP\"}]}\n\n"
        )
    ]

    private static let words = String(repeating: "some words ", count: 60)

    /// A session with one turn and a window that just holds that and the next prompt, by the estimate; the answer to that prompt.
    private func ask(_ bench: Bench, _ limit: (Int) -> Int = { $0 + 5 }) throws -> TestClient.Answer {
        try bench.client.open("s", #""window":{"strategy":"slide"}"#)
        #expect(try bench.client.prompt("s", Self.words).result != nil)
        let preview = try bench.client.call(
            "_convod/context/preview",
            #"{"sessionId":"s","prompt":[{"type":"text","text":\#(quoted(Self.words))}]}"#
        ).result
        let estimate = try #require(preview?["receipt"]?["estimate"]?.int)
        _ = try bench.client.call(
            "_convod/session/set",
            #"{"sessionId":"s","window":{"strategy":"slide","maxTokens":\#(limit(estimate))}}"#)
        return try bench.client.prompt("s", Self.words)
    }

    private func bench(_ count: [ScriptedUpstream.Step]) throws -> Bench {
        try Bench([[Self.answer, count, Self.answer]], kind: "gemini", each: "contextLength: 8000")
    }

    private func asked(_ bench: Bench) -> [Bool] {
        bench.servers[0].requests.map { $0.contains(":countTokens") }
    }

    @Test func `is counted by who can, and made anew where that is too much`() throws {
        let bench = try bench(Self.counted(350))
        #expect(try ask(bench).result != nil)
        #expect(asked(bench) == [false, true, false])
        let sizes = bench.servers[0].requests.map { $0.components(of: "some words") }
        #expect(sizes == [60, 120, 60])
    }

    @Test func `goes as it is where the count is within the limit, or none comes`() throws {
        for count in [Self.counted(20), ScriptedUpstream.failure("403 Forbidden", "{}"), Self.counted(-1)] {
            let bench = try bench(count)
            #expect(try ask(bench).result != nil)
            #expect(asked(bench) == [false, true, false])
            #expect(bench.servers[0].requests.last?.components(of: "some words") == 120)
        }
    }

    /// A way of a server of one's own to count: what its list says, what it says of the ways it has and has not, and where they are.
    struct OwnServer: Sendable, CustomTestStringConvertible {
        let owner: String
        let counts: [(status: String, body: String)]
        let paths: [String]
        var isCounted = true
        var testDescription: String { "\(owner) \(paths)" }
    }

    private static let none = (
        status: "404 Not Found", body: #"{"error":{"message":"File Not Found","code":404}}"#
    )
    private static let big = "[" + Array(repeating: "1", count: 500).joined(separator: ",") + "]"

    static let ownServers = [
        OwnServer(
            owner: "llamacpp",
            counts: [("200 OK", #"{"object":"response.input_tokens","input_tokens":500}"#)],
            paths: ["/v1/chat/completions/input_tokens"]),
        OwnServer(
            owner: "llamacpp",
            counts: [
                none, ("200 OK", #"{"prompt":"<s>user some words"}"#), ("200 OK", "{\"tokens\":\(big)}"),
            ],
            paths: ["/v1/chat/completions/input_tokens", "/apply-template", "/tokenize"]),
        OwnServer(
            owner: "vllm", counts: [("200 OK", #"{"count":500,"max_model_len":8000,"tokens":[1,2]}"#)],
            paths: ["/tokenize"]),
        OwnServer(owner: "vllm", counts: [none], paths: ["/tokenize"], isCounted: false),
        OwnServer(
            owner: "llamacpp", counts: [none, ("200 OK", #"{"error":"Unexpected endpoint"}"#)],
            paths: ["/v1/chat/completions/input_tokens", "/apply-template"], isCounted: false),
        OwnServer(owner: "somebody", counts: [], paths: [], isCounted: false),
    ]

    @Test(arguments: ownServers)
    func `is counted by a server of one's own in the way that it has`(_ server: OwnServer) throws {
        let list = ScriptedUpstream.failure(
            "200 OK", "{\"data\":[{\"id\":\"m\",\"owned_by\":\"\(server.owner)\"}]}")
        let answer = ScriptedUpstream.answer(["fine"])
        let bench = try Bench(
            [[list, answer] + server.counts.map { ScriptedUpstream.failure($0.status, $0.body) } + [answer]],
            each: "contextLength: 8000")
        _ = try bench.client.call("_convod/model/list")
        #expect(try ask(bench).result != nil)
        let paths = bench.servers[0].requests.map { String($0.split(separator: " ")[1]) }
        #expect(paths == ["/v1/models", "/v1/chat/completions"] + server.paths + ["/v1/chat/completions"])
        #expect(
            bench.servers[0].requests.last?.components(of: "some words") == (server.isCounted ? 60 : 120))
        for counting in bench.servers[0].requests.dropFirst(2).dropLast() {
            #expect(counting.contains("some words"))
        }
    }

    @Test func `is counted no more where there is room, and once five answers have taught enough`() throws {
        let roomy = try bench(Self.answer)
        #expect(try ask(roomy) { $0 * 2 }.result != nil)
        #expect(asked(roomy) == [false, false])
        let usage = Self.answer.map { step -> ScriptedUpstream.Step in
            guard case .write(let text) = step else { return step }
            return .write(
                text.replacing(
                    "\"finishReason\":\"STOP\"}]}",
                    with: "\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":300}}"))
        }
        let taught = try Bench([[usage]], kind: "gemini", each: "contextLength: 8000")
        for number in 0..<6 { _ = try taught.ask("t\(number)", String(repeating: Self.words, count: 2)) }
        #expect(try ask(taught).result != nil)
        #expect(!asked(taught).contains(true))
    }
}

extension String {
    fileprivate func components(of mark: String) -> Int {
        var count = 0, rest = self[...]
        while let found = rest.firstRange(of: mark) {
            count += 1
            rest = rest[found.upperBound...]
        }
        return count
    }
}
