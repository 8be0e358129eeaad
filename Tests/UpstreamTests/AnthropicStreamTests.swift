internal import Conversation
internal import TestSupport
internal import Testing
internal import Upstream

private let dialect = AnthropicDialect(base: "https://example.org")

private func read(_ text: String, _ location: SourceLocation = #_sourceLocation) -> StreamReading {
    .of(text, dialect, location)
}

private func event(_ type: String, _ members: String = "") -> String {
    "event: \(type)\ndata: {\"type\":\"\(type)\"\(members.isEmpty ? "" : ",")\(members)}\n\n"
}

private let start = event(
    "message_start",
    #""message":{"id":"msg_1","type":"message","role":"assistant","content":[],"stop_reason":null,"usage":{"input_tokens":12,"cache_creation_input_tokens":3,"cache_read_input_tokens":100,"output_tokens":1}}"#
)
private let last = event("message_stop")

private func ends(_ reason: String, _ usage: String = #""output_tokens":5"#) -> String {
    event(
        "message_delta",
        "\"delta\":{\"stop_reason\":\"\(reason)\",\"stop_sequence\":null},\"usage\":{\(usage)}")
}

/// A block with its deltas.
private func block(_ index: Int, _ block: String, _ deltas: [String] = []) -> String {
    event("content_block_start", "\"index\":\(index),\"content_block\":{\(block)}")
        + deltas.map { event("content_block_delta", "\"index\":\(index),\"delta\":{\($0)}") }.joined()
        + event("content_block_stop", "\"index\":\(index)")
}

private func words(_ text: String, _ index: Int = 0) -> String {
    block(index, #""type":"text","text":"""#, ["\"type\":\"text_delta\",\"text\":\"\(text)\""])
}

@Suite struct `A stream of Messages` {
    @Test func `gives text and the sum of its input (N001)`() {
        let got = read(start + event("ping") + words("Noon.") + ends("end_turn") + last)
        #expect(got.words == "Noon." && got.end == "stop" && got.finish?.detail == nil)
        #expect(got.usage == Usage(inputTokens: 115, outputTokens: 5, cachedTokens: 100, writtenTokens: 3))
    }

    @Test func `says which answer it is, and why its cache had less than it might have`() {
        let plain = read(start + words("Noon.") + ends("end_turn") + last)
        #expect(plain.finish?.responseID == "msg_1" && plain.finish?.cacheMiss == nil)
        let told = event(
            "message_delta",
            #""delta":{"stop_reason":"end_turn"},"diagnostics":{"cache_miss_reason":{"type":"system_changed","cache_missed_input_tokens":90}},"usage":{"output_tokens":5}"#
        )
        #expect(read(start + words("Noon.") + told + last).finish?.cacheMiss == "system_changed")
        let pending = event(
            "message_delta",
            #""delta":{"stop_reason":"end_turn"},"diagnostics":{"cache_miss_reason":null},"usage":{}"#)
        #expect(read(start + words("Noon.") + pending + last).finish?.cacheMiss == nil)
    }

    /// The list of a server that went on with another model stands for the first.
    @Test func `says what was done to the request before it was read`() {
        func told(_ type: String, _ list: String) -> String {
            event(type, #""input_transformations":\#(list),"delta":{"stop_reason":"end_turn"},"usage":{}"#)
        }
        let list =
            #"[{"type":"thinking_dropped","path":"messages.1.content.0","reason":"model_binding_mismatch"},{"type":"thinking_dropped","path":"messages.3.content.0","reason":"model_binding_mismatch"},{"type":"new"}]"#
        let begins = start.replacing(
            #""id":"msg_1""#, with: #""id":"msg_1","input_transformations":[{"type":"a","reason":"b"}]"#)
        var dropped = Turn.Transformation(type: "thinking_dropped", reason: "model_binding_mismatch")
        dropped.count = 2
        #expect(
            read(start + words("Noon.") + told("message_delta", list) + last).finish?.transformations
                == [dropped, .init(type: "new", reason: "unknown")])
        #expect(
            read(begins + words("Noon.") + ends("end_turn") + last).finish?.transformations
                == [.init(type: "a", reason: "b")])
        #expect(
            read(begins + words("Noon.") + told("message_delta", "[]") + last).finish?.transformations == [])
        #expect(
            read(start + words("Noon.") + told("message_delta", "7") + last).finish?.transformations == [])
    }

    @Test func `may end its lines with CRLF and leave the last blank line away`() {
        let body = start + words("a\u{2028}é") + ends("end_turn") + last
        let lines = body.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")
        #expect(read(lines).words == "a\u{2028}é" && read(lines).end == "stop")
        #expect(read(String(body.dropLast(2))).end == "stop")
    }

    @Test func `may count its input again at the end, field by field`() {
        let some = read(start + words("x") + ends("end_turn", #""input_tokens":13,"output_tokens":5"#) + last)
        #expect(some.usage == Usage(inputTokens: 116, outputTokens: 5, cachedTokens: 100, writtenTokens: 3))
        let null = read(
            start + words("x")
                + ends("end_turn", #""input_tokens":null,"cache_read_input_tokens":200,"output_tokens":5"#)
                + last)
        #expect(null.usage == Usage(inputTokens: 215, outputTokens: 5, cachedTokens: 200, writtenTokens: 3))
        let thought = read(
            start + words("x")
                + ends("end_turn", #""output_tokens":850,"output_tokens_details":{"thinking_tokens":800}"#)
                + last)
        #expect(thought.usage?.reasoningTokens == 800 && thought.usage?.outputTokens == 850)
        let bare = read(event("message_start", "\"message\":{}") + words("x") + ends("end_turn", "") + last)
        #expect(bare.end == "stop" && bare.usage == nil)
    }

    @Test func `passes over what it does not know`() {
        let news =
            event("content_block_new", "\"index\":0") + "data: {\"hello\":1}\n\n" + ": comment\n\n"
            + block(
                1, #""type":"server_tool_use","id":"s","name":"web_search","input":{}"#,
                [#""type":"input_json_delta","partial_json":"{}""#])
            + event("content_block_delta", #""index":0,"delta":{"type":"citations_delta","citation":{}}"#)
            + event("content_block_delta", #""index":7,"delta":{"type":"signature_delta","signature":"no"}"#)
            + event(
                "content_block_delta", #""index":7,"delta":{"type":"input_json_delta","partial_json":"no"}"#)
        let got = read(start + news + words("x", 2) + news + ends("end_turn") + last)
        #expect(got.content == #"[{"type":"text","text":"x"}]"# && got.end == "stop")
    }

    @Test func `keeps thoughts with their seals byte for byte, and hidden ones`() {
        let got = read(
            start
                + block(
                    0, #""type":"thinking","thinking":"","signature":"""#,
                    [
                        #""type":"thinking_delta","thinking":"h""#,
                        #""type":"thinking_delta","thinking":"m""#,
                        #""type":"signature_delta","signature":"Eq\/+AB==""#,
                    ])
                + block(1, #""type":"redacted_thinking","data":"ZZ+/=""#)
                + block(
                    2, #""type":"thinking","thinking":"","signature":"""#,
                    [#""type":"signature_delta","signature":"S1""#])
                + block(
                    3, #""type":"thinking","thinking":"","signature":"""#,
                    [#""type":"signature_delta","signature":"S2""#])
                + words("x", 4) + ends("end_turn") + last)
        #expect(
            got.content
                == #"[{"type":"thought","text":"hm","issuer":"me","signature":"Eq/+AB=="},{"type":"thought","text":"","issuer":"me","signature":"ZZ+/=","redacted":true},{"type":"thought","text":"","issuer":"me","signature":"S1"},{"type":"thought","text":"","issuer":"me","signature":"S2"},{"type":"text","text":"x"}]"#
        )
    }

    @Test func `joins a call's input, and takes none as an empty object`() {
        func call(_ index: Int, _ deltas: [String]) -> String {
            block(
                index, "\"type\":\"tool_use\",\"id\":\"t\(index)\",\"name\":\"f\",\"input\":{}",
                deltas.map { "\"type\":\"input_json_delta\",\"partial_json\":\"\($0)\"" })
        }
        let got = read(
            start + words("so") + call(1, ["", #"{\"q\":"#, #" \"a\nb\"}"#.replacing(#"\n"#, with: #"\\n"#)])
                + call(2, []) + call(3, ["{oops"]) + ends("tool_use") + last)
        #expect(
            got.content
                == #"[{"type":"text","text":"so"},{"type":"tool_call","id":"t1","name":"f","arguments":{"q": "a\nb"}},{"type":"tool_call","id":"t2","name":"f","arguments":{}},{"type":"tool_call","id":"t3","name":"f","arguments":"{oops"}]"#
        )
        #expect(got.end == "tool_calls")
    }

    @Test func `gives a call that was never closed once the answer is whole, and none that was cut`() {
        let open =
            event(
                "content_block_start",
                #""index":0,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}"#)
            + event(
                "content_block_delta",
                #""index":0,"delta":{"type":"input_json_delta","partial_json":"{\"a\":1}"}"#)
        #expect(
            read(start + open + ends("tool_use") + last).content
                == #"[{"type":"tool_call","id":"t","name":"f","arguments":{"a":1}}]"#)
        #expect(read(start + open).content == "[]")
        #expect(read(start + open).end == "failed upstream_protocol")
    }

    @Test func `is whole with a stop reason though the last event is missing, and cut without one`() {
        #expect(read(start + words("x") + ends("end_turn")).end == "stop")
        #expect(read(start + words("x") + ends("end_turn") + "event: message_st").end == "stop")
        #expect(read(start + words("x") + ends("end_turn") + "data: {\"type\":\"mess").end == "stop")
        #expect(read(start + words("x") + last).end == "stop")
        let cut = read(start + words("x"))
        #expect(cut.end == "failed interrupted" && cut.words == "x" && cut.failure?.isRetryable == true)
        #expect(read(start + words("x") + "data: {\"type\":\"mess").end == "failed interrupted")
        #expect(
            read(start + words("x") + event("message_delta", #""delta":{"stop_reason":null}"#)).end
                == "failed interrupted")
        #expect(read(start).end == "failed upstream_protocol")
        #expect(read("").end == "failed upstream_protocol")
    }

    @Test(arguments: [
        ("end_turn", "stop"), ("stop_sequence", "stop"), ("max_tokens", "length"), ("tool_use", "tool_calls"),
        ("model_context_window_exceeded", "length"), ("pause_turn", "pause_turn"), ("new_one", "new_one"),
    ]) func `says why it ended in our words`(reason: String, word: String) {
        #expect(read(start + words("x") + ends(reason) + last).end == word)
    }

    @Test func `that declines is a refusal with the category`() {
        let details =
            #""delta":{"stop_reason":"refusal","stop_details":{"category":"cyber","explanation":"not this"}}"#
        let got = read(start + words("half") + event("message_delta", details) + last)
        #expect(got.end == "content_filter" && got.words == "half" && got.finish?.detail == "cyber: not this")
        #expect(read(start + ends("refusal") + last).finish?.detail == "the model declined")
    }

    @Test func `that ends at the window without a word is an overflow`() {
        let got = read(start + ends("model_context_window_exceeded") + last)
        #expect(got.end == "failed context_overflow")
        #expect(got.failure?.overflow == .init(limit: nil, counted: 115, isLowerBound: false))
    }

    @Test func `fails with what an error in it says, and keeps what came before`() {
        let error = #""error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"r""#
        let got = read(start + words("Partial") + event("error", error))
        #expect(got.end == "failed upstream_unavailable" && got.words == "Partial")
        #expect(got.failure?.status == 529 && got.failure?.isRetryable == true)
        #expect(got.failure?.message.hasSuffix("Overloaded") == true)
        #expect(read(start + "event: error\ndata: broken\n\n").end == "failed upstream_protocol")
    }

    @Test func `joins a character whose halves came in two deltas`() {
        let halves = block(
            0, #""type":"text","text":"""#,
            [#""type":"text_delta","text":"\ud83d""#, #""type":"text_delta","text":"\ude00""#])
        #expect(read(start + halves + ends("end_turn") + last).words == "😀")
    }

    @Test func `is over with its last event`() {
        var reader = dialect.reader(issuer: "me")
        _ = reader.feed(Array((start + words("x") + ends("end_turn")).utf8))
        #expect(reader.hasFinish && !reader.isOver)
        _ = reader.feed(Array(last.utf8))
        #expect(reader.isOver)
    }

    @Test func `may be one message when the server does not stream`() {
        let body =
            #"{"type":"message","role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"S"},{"type":"text","text":"hi"},{"type":"tool_use","id":"t","name":"f","input":{"a":[]}}],"stop_reason":"tool_use","usage":{"input_tokens":3,"output_tokens":4}}"#
        let got = StreamReading.whole(body, dialect)
        #expect(
            got.content
                == #"[{"type":"thought","text":"hm","issuer":"me","signature":"S"},{"type":"text","text":"hi"},{"type":"tool_call","id":"t","name":"f","arguments":{"a":[]}}]"#
        )
        #expect(got.end == "tool_calls" && got.usage == Usage(inputTokens: 3, outputTokens: 4))
        let error = #"{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}"#
        #expect(StreamReading.whole(error, dialect).end == "failed throttled")
    }
}
