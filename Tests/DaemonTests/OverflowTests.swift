internal import JSON
internal import TestSupport
internal import Testing

/// About 60 tokens.
private let words = String(repeating: "word ", count: 55)

private func refusal(_ words: String, _ status: String = "400 Bad Request") -> [ScriptedUpstream.Step] {
    ScriptedUpstream.failure(status, #"{"error":{"message":\#(quoted(words))}}"#)
}

/// A daemon and a session with 60 prompts and answers, of about 60 tokens each.
private func filled(
    _ script: [[ScriptedUpstream.Step]], kind: String = "openai", notices: Bool = false
) throws -> Bench {
    // Where nobody knows what the model holds, its server's list of models is asked for first.
    let bench = try Bench([script], kind: kind, each: "contextLength: 32000")
    if notices {
        _ = try bench.client.call(
            "initialize",
            #"{"protocolVersion":1,"clientCapabilities":{"session":{"notices":{}}}}"#)
    }
    try bench.client.open("s")
    let messages = (1...60).map { number in
        #"{"role":"\#(number.isMultiple(of: 2) ? "assistant" : "user")","content":[{"type":"text","text":"message \#(number) \#(words)"}]}"#
    }
    _ = try bench.client.call(
        "_convod/message/append",
        #"{"sessionId":"s","messages":[\#(messages.joined(separator: ","))]}"#)
    return bench
}

/// How many of its messages each request has.
private func counts(_ bench: Bench) -> [Int] {
    bench.servers[0].requests.map { $0.split(separator: "message ").count - 1 }
}

private func cap(_ request: String) -> Int? {
    request.firstRange(of: "\"max_tokens\":").flatMap {
        Int(request[$0.upperBound...].prefix { $0.isNumber })
    }
}

@Suite struct `A request that an upstream refuses as too long` {
    @Test func `keeps its history where the answer's reserve is most of the context`() throws {
        let bench = try filled(
            [
                refusal("input length and `max_tokens` exceed context limit: 3814 + 4096 > 4096"),
                ScriptedUpstream.fineByAnthropic, ScriptedUpstream.fineByAnthropic,
            ], kind: "anthropic")
        let answer = try bench.client.prompt("s", "question")
        #expect(answer.text() == "fine", "\(text(answer.message.raw))")
        let sent = counts(bench), caps = bench.servers[0].requests.map(cap)
        #expect(sent.count == 2 && sent[0] == 60 && sent[1] > 20, "\(sent)")
        #expect(caps.first == 4_096 && (caps.last ?? nil).map { $0 < 2_000 && $0 >= 512 } ?? false, "\(caps)")
        #expect(try bench.client.prompt("s", "another").text() == "fine")
        #expect(counts(bench).count == 3)
    }

    @Test func `teaches what its server holds, however much a table says that it does`() throws {
        let fine = ScriptedUpstream.answer(["fine"])
        let bench = try Bench(
            [[refusal("prompt is too long"), fine, fine]], each: "contextLength: 1000000")
        let messages = (1...60).map { number in
            #"{"role":"\#(number.isMultiple(of: 2) ? "assistant" : "user")","content":[{"type":"text","text":"message \#(number) \#(words)"}]}"#
        }
        _ = try bench.client.call(
            "_convod/message/append",
            #"{"sessionId":"s","ifMissing":"create","messages":[\#(messages.joined(separator: ","))]}"#)
        for question in ["one", "two"] { #expect(try bench.client.prompt("s", question).text() == "fine") }
        let sent = counts(bench)
        #expect(sent.count == 3 && sent[0] == 60 && sent[2] < 60 && sent[2] > 20, "\(sent)")
    }

    @Test func `with pictures teaches nothing of what text counts`() throws {
        let fine = ScriptedUpstream.answer(["fine"])
        let bench = try Bench(
            [[refusal("prompt is too long: 60000 tokens > 50000 maximum"), fine, fine]],
            each: "contextLength: 100000")
        try bench.client.open("s")
        let image =
            #"{"type":"image","mimeType":"image/png","data":"\#(String(repeating: "iVBO", count: 500))"}"#
        _ = try bench.client.call(
            "_convod/message/append", #"{"sessionId":"s","messages":[{"role":"user","content":[\#(image)]}]}"#
        )
        _ = try bench.client.prompt("s", "and now?")
        let preview = try bench.client.call(
            "_convod/context/preview", #"{"sessionId":"s","prompt":[{"type":"text","text":"x"}]}"#)
        #expect(preview.result?["receipt"]?["ratio"] == nil, "\(text(preview.message.raw))")
    }

    @Test func `has less in all with each try where nobody says what fits`() throws {
        let wordless = refusal("Input is too long for requested model.")
        let bench = try filled(
            [wordless, wordless, ScriptedUpstream.fineByAnthropic, ScriptedUpstream.fineByAnthropic],
            kind: "anthropic")
        #expect(try bench.client.prompt("s", "question").text() == "fine")
        let sent = counts(bench), caps = bench.servers[0].requests.compactMap(cap)
        #expect(sent.count == 3 && sent[0] > sent[1] && sent[1] > sent[2], "\(sent)")
        #expect(caps[0] >= caps[1] && caps[1] >= caps[2] && caps[2] <= 1_024, "\(caps)")
    }

    @Test func `is sent again with a shorter answer where somebody asked for one that takes it all`() throws {
        let said =
            "'max_tokens' or 'max_completion_tokens' is too large: 2900. This model's maximum context length is 3000 tokens and your request has 2950 input tokens"
        let bench = try filled([refusal(said), ScriptedUpstream.answer(["fine"])])
        let answer = try bench.client.prompt("s", "question", #""params":{"maxTokens":2900}"#)
        #expect(answer.text() == "fine", "\(text(answer.message.raw))")
        let sent = counts(bench), caps = bench.servers[0].requests.map(cap)
        #expect(sent.count == 2 && sent[1] > 5 && sent[1] < sent[0], "\(sent)")
        #expect(caps == [2_900, 750], "\(caps)")
    }

    @Test(arguments: [
        "Cannot truncate prompt with n_keep (3835) >= n_ctx (2000)",
        "prompt too long; exceeded max context length by 1900 tokens",
    ]) func `is made to fit by the words of other servers`(said: String) throws {
        let bench = try filled([refusal(said), ScriptedUpstream.answer(["fine"])])
        #expect(try bench.client.prompt("s", "question").text() == "fine")
        let sent = counts(bench)
        #expect(sent.count == 2 && sent[1] > 5 && sent[1] < 40, "\(sent)")
    }

    @Test func `by what a minute may have is sent less, and what that is is remembered`() throws {
        let said = refusal(
            "Request too large for model `x` in organization `y` on tokens per minute (TPM): Limit 2000, Requested 3900, please reduce your message size and try again.",
            "413 Payload Too Large")
        let fine = ScriptedUpstream.answer(["fine"], usage: "null")
        let bench = try filled([said, fine, fine])
        for _ in 1...2 { #expect(try bench.client.prompt("s", "question").text() == "fine") }
        let sent = counts(bench)
        #expect(sent.count == 3 && sent[1] > 5 && sent[2] > 5 && sent[2] < 40, "\(sent)")
    }

    @Test func `without a number goes out with few of its newest messages the second time, and that is said`()
        throws
    {
        let said = refusal("Context size has been exceeded.")
        let bench = try filled(
            [said, said, ScriptedUpstream.answer(["fine"])], notices: true)
        let answer = try bench.client.prompt("s", "question")
        #expect(answer.text() == "fine")
        let sent = counts(bench), receipt = answer.extras?["receipt"]
        #expect(sent.count == 3 && sent[2] > 2 && sent[2] < 20, "\(sent)")
        #expect(receipt?["rule"]?.string == "overflow" && receipt?["budget"]?.int ?? 0 < 1_100)
        let left = receipt?["leftOutMessages"]?.int ?? 0
        #expect(left == 61 - sent[2] - 1, "\(left) \(sent)")
        let told = answer.updates.map { text($0.raw) }.filter { $0.contains("\"notice\"") }
        #expect(
            told.last?.contains("\(left) messages are left out") ?? false
                && told.last?.contains("the provider refused more; they stay stored") ?? false, "\(told)")
    }

    @Test func `is not refused here then for what went through there`() throws {
        let said = refusal("Context size has been exceeded.")
        let fine = ScriptedUpstream.answer(["fine"], usage: "null")
        let bench = try filled([said, said, fine, fine, fine])
        let long = String(repeating: "long ", count: 1_500)
        for _ in 1...3 { #expect(try bench.client.prompt("s", long).text() == "fine") }
        #expect(counts(bench).count == 5)
    }

    @Test
    func `for an answer of all that the server holds is not asked for so again, nor shortened for others`()
        throws
    {
        let said = refusal(
            "This model's maximum context length is 4096 tokens. However, you requested 9800 tokens (3800 in the messages, 6000 in the completion)."
        )
        let fine = ScriptedUpstream.answer(["fine"], usage: "null")
        let bench = try filled([said, fine, fine, fine])
        for _ in 1...2 {
            #expect(try bench.client.prompt("s", "q", #""params":{"maxTokens":6000}"#).text() == "fine")
        }
        #expect(try bench.client.prompt("s", "plain").text() == "fine")
        let sent = counts(bench), caps = bench.servers[0].requests.map(cap)
        #expect(sent.count == 4 && sent.dropFirst().allSatisfy { $0 > 10 }, "\(sent)")
        #expect(caps[1...2].allSatisfy { $0 == 1_024 } && caps[3] == nil, "\(caps)")
    }

    @Test func `goes out with its newest turn alone where even the least does not hold that`() throws {
        let said = refusal("Context size has been exceeded.")
        let bench = try filled([said, said, ScriptedUpstream.answer(["fine"])])
        let answer = try bench.client.prompt("s", String(repeating: "long ", count: 1_500))
        #expect(answer.text() == "fine", "\(text(answer.message.raw))")
        let receipt = answer.extras?["receipt"]
        #expect(counts(bench).last == 0 && receipt?["rule"]?.string == "overflow")
        #expect(receipt?["budget"]?.int == receipt?["estimate"]?.int)
    }
}

@Suite struct `A server that wants back what its model thought` {
    @Test(arguments: [
        "The `reasoning_content` in the thinking mode must be passed back to the API.",
        "thinking is enabled but reasoning_content is missing in assistant tool call message at index 1",
    ]) func `is sent it, wherever it stands`(said: String) throws {
        let call =
            #"{"index":0,"id":"c1","type":"function","function":{"name":"look","arguments":"{}"}}"#
        let thinking: [ScriptedUpstream.Step] = [
            .write(
                ScriptedUpstream.head + ScriptedUpstream.chunk(#"{"reasoning_content":"a deep thought"}"#)
                    + ScriptedUpstream.chunk(#"{"tool_calls":[\#(call)]}"#)
                    + "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: [DONE]\n\n"
            )
        ]
        let fine = ScriptedUpstream.answer(["fine"])
        let bench = try Bench([[thinking, refusal(said), fine, fine]])
        _ = try bench.ask("s")
        _ = try bench.client.call(
            "_convod/message/append",
            #"{"sessionId":"s","messages":[{"role":"tool","content":[{"type":"tool_result","toolCallId":"c1","content":"seen"}]}]}"#
        )
        #expect(try bench.client.prompt("s", "go on").text() == "fine")
        #expect(try bench.client.prompt("s", "and on").text() == "fine")
        let sent = bench.servers[0].requests.map { $0.contains(#""reasoning_content":"a deep thought""#) }
        #expect(sent == [false, false, true, true])
    }
}
