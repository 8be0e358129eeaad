internal import JSON
internal import TestSupport
internal import Testing

/// Texts, and how many tokens a thrifty tokenizer counts for them: rules of thumb of GLM's, Qwen's and o200k_base.
private struct Sample: Sendable, CustomTestStringConvertible {
    let name: String
    let text: String
    let counted: Int
    var testDescription: String { name }

    static let all = [
        Sample(name: "Chinese", text: String(repeating: "今天天气很好我们去公园散步吧", count: 700), counted: 4_410),
        Sample(name: "Japanese", text: String(repeating: "これはとても長い文章の例です。", count: 600), counted: 3_600),
        Sample(
            name: "base64", text: String(repeating: "aGVsbG8gd29ybGQ9x2Zq7Kp0Q3bN", count: 400),
            counted: 4_500),
        Sample(name: "emoji", text: String(repeating: "😀🎉🚀👍", count: 1_000), counted: 4_050),
        Sample(
            name: "Thai", text: String(repeating: "วันนี้อากาศดีมากเราไปเดินเล่นกัน", count: 400), counted: 3_100),
    ]
}

@Suite struct `A tokenizer that is thriftier than our estimate` {
    private func receipts(_ prompts: [(String, Int)]) throws -> [JSONView] {
        let answers = prompts.map { _, counted in
            ScriptedUpstream.answer(
                ["x"], usage: "{\"prompt_tokens\":\(counted),\"completion_tokens\":1}")
        }
        let bench = try Bench([answers], each: "contextLength: 65536")
        return try prompts.enumerated().compactMap { index, prompt in
            try bench.ask("s\(index)", prompt.0).extras?["receipt"]
        }
    }

    @Test(arguments: Sample.all) private func `is no server that drops what it was sent`(sample: Sample)
        throws
    {
        // Also behind plain English, which taught what a token of ours is worth.
        let english = String(repeating: "some more words ", count: 800)
        for prompts in [[(sample.text, sample.counted)], [(english, 3_000), (sample.text, sample.counted)]] {
            let last = try #require(receipts(prompts).last)
            #expect((last["estimate"]?.int ?? 0) > sample.counted)
            #expect(last["cutByServer"] == nil, "\(text(last.raw))")
        }
    }

    @Test(arguments: Sample.all) private func `shows all the same what was cut to a fifth`(sample: Sample)
        throws
    {
        let last = try #require(receipts([(sample.text, sample.counted / 10)]).last)
        #expect(last["cutByServer"]?.bool == true || sample.name == "base64" || sample.name == "emoji")
    }
}

@Suite struct `A refusal that names the count` {
    @Test func `teaches what our estimate is worth, and is remembered`() throws {
        let refused = ScriptedUpstream.failure(
            "400 Bad Request",
            #"{"error":{"message":"This model's maximum context length is 4096 tokens. However, your messages resulted in 6000 tokens","code":"context_length_exceeded"}}"#
        )
        let fine = ScriptedUpstream.answer(["fine"], usage: "{}")
        let bench = try Bench([[fine, fine, fine, refused, fine]], each: "contextLength: 8192")
        try bench.client.open("s")
        let words = String(repeating: "some more words ", count: 270)
        for _ in 1...3 { _ = try bench.client.prompt("s", words) }
        let answer = try bench.client.prompt("s", "and now?")
        #expect(answer.text() == "fine", "\(text(answer.message.raw))")
        let kept = try shell(
            "sqlite3", bench.daemon.database, "SELECT plain_samples, plain > 1500 FROM calibration")
        #expect(kept == "1|1\n")
    }
}
