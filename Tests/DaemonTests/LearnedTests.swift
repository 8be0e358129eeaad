internal import JSON
internal import TestSupport
internal import Testing

private let fine = ScriptedUpstream.failure(
    "200 OK",
    #"{"type":"message","role":"assistant","content":[{"type":"text","text":"fine"}],"stop_reason":"end_turn"}"#
)

private func complaint(_ words: String) -> [ScriptedUpstream.Step] {
    ScriptedUpstream.failure(
        "400 Bad Request",
        "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\(quoted(words))}}")
}

/// What each request of a server has under `keys`, as JSON.
private func asked(_ bench: Bench, _ keys: String...) throws -> [[String]] {
    try bench.servers[0].requests.map { request in
        let body = try Fixtures.json(String(request.split(separator: "\r\n").last ?? ""))
        return keys.map { key in body[key].map { text($0.raw) } ?? "-" }
    }
}

@Suite struct `What Anthropic does not take` {
    private func ask(_ complaints: [String], _ params: String, again: String? = nil) throws -> Bench {
        let bench = try Bench([complaints.map(complaint) + [fine]], kind: "anthropic")
        #expect(try bench.ask("s1", "hello", "\"params\":\(params)").text() == "fine")
        #expect(try bench.ask("s2", "hello", "\"params\":\(again ?? params)").text() == "fine")
        return bench
    }

    @Test func `of a temperature beside thinking is learned once, and it goes out without thinking`() throws {
        let words =
            "`temperature` may only be set to 1 when thinking is enabled or in adaptive mode. Please consult our documentation"
        let bench = try ask([words], #"{"temperature":0.5,"thinking":2048}"#, again: #"{"temperature":0.5}"#)
        #expect(try bench.ask("s3", "hello", #""params":{"temperature":0.5,"thinking":-1}"#).text() == "fine")
        #expect(try asked(bench, "temperature").map { $0[0] } == ["0.5", "-", "0.5", "-"])
    }

    @Test func `of top_p beside thinking is learned once`() throws {
        let words = "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled."
        let bench = try ask([words], #"{"topP":0.5,"thinking":2048}"#)
        #expect(try asked(bench, "top_p").map { $0[0] } == ["0.5", "-", "-"])
    }

    @Test(arguments: [
        (
            #""thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior."#,
            "2048", [#"{"type":"enabled","budget_tokens":2048}"#, #"{"type":"adaptive"}"#]
        ),
        (
            "adaptive thinking is not supported on this model", "-1",
            [#"{"type":"adaptive"}"#, #"{"type":"enabled","budget_tokens":4096}"#]
        ),
        (
            "thinking: Input tag 'adaptive' found using 'type' does not match any of the expected tags: 'disabled', 'enabled'",
            "-1", [#"{"type":"adaptive"}"#, #"{"type":"enabled","budget_tokens":4096}"#]
        ),
        ("\"thinking.type.disabled\" is not supported for this model.", "0", [#"{"type":"disabled"}"#, "-"]),
    ]) func `of a form of thinking is learned once`(words: String, budget: String, forms: [String]) throws {
        let bench = try ask([words], "{\"thinking\":\(budget)}")
        #expect(try asked(bench, "thinking").map { $0[0] } == forms + [forms[1]])
    }

    @Test func `of any thinking at all is learned form by form`() throws {
        let words = "thinking is not supported for this model"
        let bench = try ask([words, words], #"{"thinking":2048}"#)
        #expect(
            try asked(bench, "thinking").map { $0[0] } == [
                #"{"type":"enabled","budget_tokens":2048}"#, #"{"type":"adaptive"}"#, "-", "-",
            ])
    }

    @Test func `of an answer's length is learned once, and thinking keeps below it`() throws {
        let words =
            "max_tokens: 200000 > 64000, which is the maximum allowed number of output tokens for claude-x"
        let bench = try ask(
            [words], #"{"maxTokens":200000}"#, again: #"{"maxTokens":200000,"thinking":190000}"#)
        #expect(
            try asked(bench, "max_tokens", "thinking") == [
                ["200000", "-"], ["64000", "-"], ["64000", #"{"type":"enabled","budget_tokens":62976}"#],
            ])
        _ = try bench.ask("s3", "hello", #""params":{"maxTokens":100}"#)
        #expect(try asked(bench, "max_tokens").last == ["100"])
    }

    @Test func `is learned once by two who ask at the same time`() throws {
        let words = "adaptive thinking is not supported on this model"
        let held = [ScriptedUpstream.Step.hold] + complaint(words)
        let bench = try Bench([[held, held, fine]], kind: "anthropic")
        for session in ["s1", "s2"] {
            try bench.client.open(session)
            _ = try bench.client.startPrompt(session, "hello", #""params":{"thinking":-1}"#)
        }
        while bench.counts[0] < 2 { _ = try bench.client.call("_convod/server/info") }
        for _ in 0..<2 {
            bench.servers[0].proceed()
            while try bench.client.next()["result"]?["stopReason"] == nil {}
        }
        let adaptive = #"{"type":"adaptive"}"#, enabled = #"{"type":"enabled","budget_tokens":4096}"#
        #expect(try asked_(bench) == [adaptive, adaptive, enabled, enabled])
    }

    private func asked_(_ bench: Bench) throws -> [String] { try asked(bench, "thinking").map { $0[0] } }

    @Test func `is no complaint about a thought of the history`() throws {
        let words = "messages.1.content.0: Invalid `signature` in `thinking` block"
        let bench = try Bench([[complaint(words), fine]], kind: "anthropic")
        #expect(try bench.ask("s", "hello", #""params":{"thinking":2048}"#).kind == "upstream_refused")
    }
}

@Suite struct `An answer that is too long for a model` {
    @Test(arguments: [
        (
            "openai",
            "max_tokens is too large: 100000. This model supports at most 16384 completion tokens, whereas you provided 100000.",
            16_384
        ),
        ("openai", "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]", 8_192),
        (
            "openai",
            "`max_tokens` must be less than or equal to `32768`, the maximum value for `max_tokens`", 32_768
        ),
        (
            "gemini",
            "Unable to submit request because it has a maxOutputTokens value of 100000 but the supported range is from 1 (inclusive) to 65537 (exclusive).",
            65_536
        ),
    ]) func `is asked for as long as the model makes it, once, in each dialect`(
        kind: String, words: String, most: Int
    ) throws {
        let gemini = ScriptedUpstream.failure(
            "200 OK", #"{"candidates":[{"content":{"parts":[{"text":"fine"}]},"finishReason":"STOP"}]}"#)
        let refused = ScriptedUpstream.failure(
            "400 Bad Request", "{\"error\":{\"message\":\(quoted(words)),\"status\":\"INVALID_ARGUMENT\"}}")
        let bench = try Bench(
            [[refused, kind == "gemini" ? gemini : ScriptedUpstream.answer(["fine"])]], kind: kind)
        for session in ["s1", "s2"] {
            #expect(try bench.ask(session, "hello", #""params":{"maxTokens":100000}"#).text() == "fine")
        }
        let name = kind == "gemini" ? "maxOutputTokens" : "max_tokens"
        let sent = bench.servers[0].requests.map { $0.contains("\"\(name)\":\(most)") }
        #expect(sent == [false, true, true])
    }

    /// Nobody has to refuse what is known before; a server that allows less is believed.
    @Test func `is asked for as long as the table says, and no refusal is needed`() throws {
        let table = #"models: { openai: [{ match: 'm', maxOutput: 4000 }] }"#
        let refused = ScriptedUpstream.failure(
            "400 Bad Request",
            #"{"error":{"message":"Invalid max_tokens value, the valid range of max_tokens is [1, 2048]"}}"#)
        let answer = ScriptedUpstream.answer(["fine"])
        let bench = try Bench([[answer, answer, refused, answer, answer]], more: table)
        func sent(_ tokens: Int) throws -> String? {
            #expect(
                try bench.ask("s\(tokens)", "hello", "\"params\":{\"maxTokens\":\(tokens)}").text() == "fine")
            return bench.servers[0].requests.last?.split(separator: "\"max_tokens\":").last
                .map { String($0.prefix { $0.isNumber }) }
        }
        #expect(try sent(100_000) == "4000")
        #expect(try sent(300) == "300")
        #expect(try sent(3_000) == "2048")
        #expect(try sent(5_000) == "2048")
    }

    @Test func `takes no more room of the window than the table says`() throws {
        let bench = try Bench(
            [[ScriptedUpstream.answer(["fine"])]], each: "contextLength: 9000",
            more: "models: { openai: [{ match: 'm', maxOutput: 1000 }] }")
        #expect(try bench.ask("s", "hello", #""params":{"maxTokens":100000}"#).text() == "fine")
        #expect(bench.servers[0].requests[0].contains("\"max_tokens\":1000"))
    }

    @Test func `of Anthropic's, which must say a length, is what the table allows where nobody asked`() throws
    {
        let bench = try Bench(
            [[ScriptedUpstream.fineByAnthropic]], kind: "anthropic",
            more: #"models: { anthropic: [{ match: 'm', maxOutput: 4096 }] }"#)
        #expect(try bench.ask("s", "hello").result != nil)
        #expect(bench.servers[0].requests[0].contains("\"max_tokens\":4096"))
    }

    @Test func `is told with each answer: a parameter that was asked for and did not go out`() throws {
        let complaint = ScriptedUpstream.failure(
            "400 Bad Request",
            #"{"error":{"message":"Unsupported value: 'temperature' does not support 0.2 with this model.","param":"temperature","code":"unsupported_value"}}"#
        )
        let bench = try Bench([[complaint, ScriptedUpstream.answer(["fine"])]])
        func unsent(_ bench: Bench, _ params: String) throws -> [String] {
            let answer = try bench.ask("s", "hello", #""params":\#(params)"#)
            return answer.extras?["receipt"]?["unsentParameters"]?.elements.compactMap(\.string) ?? []
        }
        #expect(try unsent(bench, #"{"temperature":0.2,"seed":7}"#) == ["temperature"])
        #expect(try unsent(bench, #"{"seed":7}"#) == [])
        let claude = try Bench([[ScriptedUpstream.fineByAnthropic]], kind: "anthropic")
        #expect(try unsent(claude, #"{"temperature":0.2,"seed":7}"#) == ["seed"])
    }
}
