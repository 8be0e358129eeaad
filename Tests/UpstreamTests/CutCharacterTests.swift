internal import Conversation
internal import TestSupport
internal import Testing
internal import Upstream

private let openAI = OpenAIDialect(base: "https://example.org/v1")
private let anthropic = AnthropicDialect(base: ""), gemini = GeminiDialect(base: "")

private func chat(_ deltas: String...) -> String {
    deltas.map { "data: {\"choices\":[{\"index\":0,\"delta\":\($0)}]}\n\n" }.joined()
        + "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
}

private func messages(_ block: String, _ deltas: String...) -> String {
    (["{\"type\":\"content_block_start\",\"index\":0,\"content_block\":\(block)}"]
        + deltas.map { "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":\($0)}" }
        + [
            #"{"type":"content_block_stop","index":0}"#,
            #"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#, #"{"type":"message_stop"}"#,
        ]).map { "data: \($0)\n\n" }.joined()
}

private func contents(_ parts: String...) -> String {
    parts.map { "data: {\"candidates\":[{\"content\":{\"parts\":[\($0)]}}]}\r\n\r\n" }.joined()
        + "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\r\n\r\n"
}

@Suite struct `A character whose halves come in two events` {
    @Test func `is whole in texts and thoughts of every dialect (B052)`() {
        let text = #"[{"type":"text","text":"a😀b"}]"#
        let thought = #"[{"type":"thought","text":"a😀b","issuer":"me"}]"#
        let high = #"a\ud83d"#, low = #"\ude00b"#
        func read(_ body: String, _ dialect: any Dialect) -> String {
            StreamReading.of(body, dialect).content
        }
        for key in ["reasoning_content", "reasoning"] {
            let body = chat(
                "{\"\(key)\":\"\(high)\",\"content\":\"\"}", "{\"\(key)\":\"\(low)\",\"content\":\"\"}")
            #expect(read(body, openAI) == thought)
        }
        #expect(read(chat("{\"content\":\"\(high)\"}", "{\"content\":\"\(low)\"}"), openAI) == text)
        #expect(read(chat("{\"refusal\":\"\(high)\"}", "{\"refusal\":\"\(low)\"}"), openAI) == text)
        #expect(
            read(
                messages(
                    #"{"type":"text","text":""}"#, "{\"type\":\"text_delta\",\"text\":\"\(high)\"}",
                    "{\"type\":\"text_delta\",\"text\":\"\(low)\"}"), anthropic) == text)
        #expect(
            read(
                messages(
                    #"{"type":"thinking","thinking":""}"#,
                    "{\"type\":\"thinking_delta\",\"thinking\":\"\(high)\"}",
                    "{\"type\":\"thinking_delta\",\"thinking\":\"\(low)\"}"), anthropic) == thought)
        #expect(read(contents("{\"text\":\"\(high)\"}", "{\"text\":\"\(low)\"}"), gemini) == text)
        #expect(
            read(
                contents("{\"text\":\"\(high)\",\"thought\":true}", "{\"text\":\"\(low)\",\"thought\":true}"),
                gemini)
                == thought)
    }

    @Test func `is whole in arguments, and of two calls each has its own`() {
        func call(_ index: Int, _ more: String) -> String {
            "{\"tool_calls\":[{\"index\":\(index),\"id\":\"\(index)\",\"function\":{\"name\":\"f\",\"arguments\":\"\(more)\"}}]}"
        }
        let body = chat(
            call(0, #"{\"q\":\"\ud83d"#), call(1, #"{\"q\":\"\ud83d"#), call(0, #"\ude00\"}"#),
            call(1, #"\ude01\"}"#))
        let read = StreamReading.of(body, openAI).content
        #expect(
            read.contains(#""arguments":{"q":"😀"}"#) && read.contains(#""arguments":{"q":"😁"}"#), "\(read)")
        let use = messages(
            #"{"type":"tool_use","id":"t","name":"f","input":{}}"#,
            #"{"type":"input_json_delta","partial_json":"{\"q\":\"\ud83d"}"#,
            #"{"type":"input_json_delta","partial_json":"\ude00\"}"}"#)
        #expect(StreamReading.of(use, anthropic).content.contains(#""arguments":{"q":"😀"}"#))
    }

    @Test func `is a sign of its own where the other half never comes`() {
        let body = chat(#"{"reasoning":"a\ud83d"}"#, #"{"content":"b"}"#)
        #expect(
            StreamReading.of(body, openAI).content
                == #"[{"type":"thought","text":"a\#u{FFFD}","issuer":"me"},{"type":"text","text":"b"}]"#)
    }
}

@Suite struct `The end of a stream` {
    @Test(arguments: [
        "data: [DONE]\n\n", "data:  [DONE]\n\n", "data:[DONE]\n\n", "data:\t[DONE] \n\n",
        "data: [DONE]\r\n\r\n",
    ])
    func `is known whatever blanks stand around its word`(done: String) {
        let body = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n"
        #expect(StreamReading.of(body + done, openAI).words == "hi")
        #expect(StreamReading.of(body + done, openAI).end == "stop")
        #expect(StreamReading.of(String(body.dropLast()) + done, openAI).end == "stop")
    }
}

@Suite struct `A sentence about a failure` {
    /// What somebody said, and no failure may repeat.
    private static let said = "my secret plans"

    @Test(arguments: [
        "{\"error\":{\"type\":\"server_error\",\"prompt\":\"\(said)",
        "data: {\"choices\":[{\"delta\":{\"content\":\"\(said)\"}}]}\n\n",
        "event: message\ndata: {\"delta\":\"\(said)\"}\n\n", "[{\"candidates\":[{\"content\":\"\(said)",
        "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\(said)\"}]}}]}]",
        "{\"type\":\"content_block_delta\",\"delta\":{\"text\":\"\(said)\"}}",
        "{\"type\":\"message_start\",\"message\":{\"content\":[{\"text\":\"\(said)\"}]}}",
        "{\"choices\":[{\"message\":{\"content\":\"\(said)\"}}]}", "\u{FEFF} {\"x\":\"\(said)",
    ]) func `quotes no half of an event, and no answer (B037)`(body: String) {
        let failure = FailureClassifier.failure(FailureReport(status: 500, body: Array(body.utf8)))
        #expect(!failure.message.contains("secret"), "\(failure.message)")
        #expect(failure.kind == .unavailable)
        let inStream = StreamReading.of("event: error\ndata: {\"error\":\"\(Self.said)", openAI)
        #expect(inStream.failure?.message.contains("secret") == false, "\(inStream.failure?.message ?? "")")
    }

    @Test func `has the words of an error that stands in a stream`() {
        let body = "data: {\"error\":{\"message\":\"no such model\",\"code\":404}}\n\n"
        let failure = FailureClassifier.failure(FailureReport(status: 400, body: Array(body.utf8)))
        #expect(failure.message.contains("no such model"))
    }
}
