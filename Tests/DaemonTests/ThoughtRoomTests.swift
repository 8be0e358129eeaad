internal import JSON
internal import TestSupport
internal import Testing

@Suite struct `What a model thought` {
    private static let long = String(repeating: "let me think about that again, ", count: 130)
    private static let thinking = ScriptedUpstream.answer(
        ["fine"], before: ScriptedUpstream.chunk("{\"reasoning_content\":\"\(long)\"}"))

    /// Most servers get none of it back.
    @Test(arguments: ["slide", "sawtooth"])
    func `takes no room in a window that it does not go into`(_ strategy: String) throws {
        let bench = try Bench(
            [[Self.thinking]], each: "contextLength: 4000",
            more: "window: { strategy: '\(strategy)', reserveTokens: 500 }")
        try bench.client.open("s")
        for number in 1...30 { #expect(try bench.client.prompt("s", "prompt \(number).").text() == "fine") }
        let last = bench.servers[0].requests.last ?? ""
        #expect((1...30).allSatisfy { last.contains("prompt \($0).") })
        #expect(!last.contains("let me think"))
        let page = try bench.client.call("_convod/message/list", #"{"sessionId":"s"}"#).result
        let tokens = page?["messages"]?.elements.compactMap { $0["tokens"]?.int } ?? []
        #expect(tokens.allSatisfy { $0 < 50 }, "\(tokens)")
    }

    /// What the provider counts of a request teaches nothing of thoughts that did not go, and each counts once.
    @Test func `counts as what is said does, once`() throws {
        let counted = { (words: String) in
            ScriptedUpstream.sealedByAnthropic("U0VBTA==", "yes").map { step in
                if case .write(let text) = step {
                    return ScriptedUpstream.Step.write(
                        text.replacing(#""input_tokens":3"#, with: #""input_tokens":\#(words)"#))
                }
                return step
            }
        }
        // About 660 tokens each, of which the server counts twice as many, thoughts too.
        let words = String(repeating: "word ", count: 600)
        let bench = try Bench(
            [["1400", "2930", "4450", "5980", "7500"].map(counted)], kind: "anthropic",
            more: "window: { strategy: 'slide', maxTokens: 50000 }")
        try bench.client.open("s")
        var last: JSONView?
        for _ in 1...5 { last = try bench.client.prompt("s", words).extras?["receipt"] }
        let ratio = Double(last?["estimate"]?.int ?? 0) / Double(last?["counted"]?.int ?? 1)
        #expect(abs(ratio - 1) < 0.02, "\(ratio)")
    }

    /// A sawtooth's requests begin as those before them until it cuts, so it leaves out no thought in between.
    @Test(arguments: ["sawtooth", "summarize"])
    func `goes back until the window is full with it, which is cut then`(_ strategy: String) throws {
        let bench = try Bench(
            [(1...16).map { ScriptedUpstream.sealedByAnthropic("U0VBTDA\(100 + $0)", "yes") }],
            kind: "anthropic",
            more: "window: { strategy: '\(strategy)', maxTokens: 2000, lowMark: 0.5 }")
        try bench.client.open("s")
        var cuts = 0, reasons: Set<String> = []
        for number in 1...16 {
            let words = "prompt \(number) " + String(repeating: "word ", count: 220)
            let receipt = try bench.client.prompt("s", words).extras?["receipt"]
            cuts += receipt?["rule"]?.string == "anchor" || receipt?["rule"]?.string == "fits" ? 0 : 1
            if let reason = receipt?["thoughts"]?["reason"]?.string { reasons.insert(reason) }
        }
        #expect(cuts > 1 && reasons == ["changed"], "\(cuts), \(reasons)")
        let sent = bench.servers[0].requests.map { $0.split(separator: "U0VBTDA").count - 1 }
        #expect(sent.prefix(6) == [0, 1, 2, 3, 4, 5] && sent.max() ?? 0 < 7, "\(sent)")
    }

    private static func gemini(_ part: String) -> [ScriptedUpstream.Step] {
        [
            .write(
                ScriptedUpstream.head
                    + "data: {\"candidates\":[{\"content\":{\"parts\":[\(part)]},\"finishReason\":\"STOP\"}]}\n\n"
            )
        ]
    }

    @Test(arguments: [
        "Corrupted thought signature.", "Invalid thought signature.", "Thought signature is not valid",
    ])
    func `and sealed goes back no more once its seal was refused`(_ words: String) throws {
        let call = Self.gemini(#"{"functionCall":{"name":"f","args":{}},"thoughtSignature":"U0VBTA=="}"#)
        let fine = Self.gemini(#"{"text":"fine"}"#)
        let refused = ScriptedUpstream.failure(
            "400 Bad Request",
            "{\"error\":{\"code\":400,\"message\":\(quoted(words)),\"status\":\"INVALID_ARGUMENT\"}}")
        let bench = try Bench([[call, refused, fine, fine]], kind: "gemini")
        #expect(try bench.ask("s").result != nil)
        try bench.client.call(
            "_convod/message/append",
            #"{"sessionId":"s","messages":[{"role":"tool","content":[{"type":"tool_result","toolCallId":"\#(try callID(bench))","content":"18C"}]}]}"#
        )
        #expect(try bench.client.prompt("s", "go on").text() == "fine")
        #expect(try bench.client.prompt("s", "and on").text() == "fine")
        let sent = bench.servers[0].requests.map { $0.contains("U0VBTA==") }
        #expect(sent == [false, true, false, false])
    }

    private func callID(_ bench: Bench) throws -> String {
        let page = try bench.client.call("_convod/message/list", #"{"sessionId":"s"}"#).result
        let parts = page?["messages"]?.elements.flatMap { $0["content"]?.elements.map(\.self) ?? [] } ?? []
        return parts.compactMap { $0["toolCallId"]?.string ?? $0["id"]?.string }.first ?? ""
    }

    /// The receipt is of what was sent in the end.
    @Test func `and was refused is said to have stayed out`() throws {
        let thinking = ScriptedUpstream.sealedByAnthropic("U0VBTA==", "yes")
        let refused = ScriptedUpstream.failure(
            "400 Bad Request",
            #"{"type":"error","error":{"type":"invalid_request_error","message":"messages.1.content.0: Invalid `signature` in `thinking` block."}}"#
        )
        let bench = try Bench([[thinking, refused, ScriptedUpstream.fineByAnthropic]], kind: "anthropic")
        #expect(try bench.ask("s").text() == "yes")
        let turn = try bench.client.prompt("s", "again").extras?["turnId"]?.string ?? ""
        #expect(bench.servers[0].requests.map { $0.contains("U0VBTA==") } == [false, true, false])
        let receipt = try bench.client.call("_convod/context/receipt", #"{"turnId":"\#(turn)"}"#).result
        #expect(
            receipt?["receipt"]?["thoughts"].map { text($0.raw) }
                == #"{"sent":0,"leftOut":1,"reason":"changed"}"#)
    }
}
