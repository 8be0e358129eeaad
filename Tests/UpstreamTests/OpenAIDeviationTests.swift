internal import Conversation
internal import TestSupport
internal import Testing
internal import Upstream

private let dialect = OpenAIDialect(base: "https://example.org/v1")

private func read(_ text: String, _ location: SourceLocation = #_sourceLocation) -> StreamReading {
    .of(text, dialect, location)
}

private func chunk(_ delta: String, _ finish: String = "null", _ more: String = "") -> String {
    "data: {\"choices\":[{\"index\":0,\"delta\":\(delta),\"finish_reason\":\(finish)}]\(more)}\n\n"
}

private func words(_ text: String, _ finish: String = "null") -> String {
    chunk("{\"content\":\"\(text)\"}", finish)
}

private let stop = chunk("{}", "\"stop\"")
private let done = "data: [DONE]\n\n"

@Suite struct `A server that deviates from Chat Completions` {
    @Test func `may send comments anywhere, also inside an event (B028, B029)`() {
        let body =
            ": OPENROUTER PROCESSING\n\n:\n\n: keep-alive\r\n\r\ndata: {\"choices\":[\n: x\n:\ndata: {\"delta\":{\"content\":\"a\"}}]}\n\n"
        #expect(read(body + ": y\n\n" + stop + ": z\n\n" + done).words == "a")
        #expect(read(body + stop).end == "stop")
    }

    @Test func `counts reasoning beside the answer, or hits of a cache in words of its own (wire-2.md F)`() {
        func usage(_ members: String) -> Usage? {
            read(words("x") + chunk("{}", "\"stop\"", ",\"usage\":{\(members)}") + done).usage
        }
        let reasoning = #""completion_tokens_details":{"reasoning_tokens":100}"#
        #expect(
            usage(#""prompt_tokens":5000,"completion_tokens":10,"total_tokens":5110,\#(reasoning)"#)
                == Usage(inputTokens: 5_000, outputTokens: 110, reasoningTokens: 100))
        #expect(
            usage(#""prompt_tokens":5000,"completion_tokens":110,"total_tokens":5110,\#(reasoning)"#)
                == Usage(inputTokens: 5_000, outputTokens: 110, reasoningTokens: 100))
        #expect(
            usage(#""prompt_tokens":5000,"completion_tokens":10,"prompt_cache_hit_tokens":4000"#)
                == Usage(inputTokens: 5_000, outputTokens: 10, cachedTokens: 4_000))
        #expect(
            usage(
                #""prompt_tokens":9,"completion_tokens":1,"prompt_tokens_details":{"cache_write_tokens":3}"#)
                == Usage(inputTokens: 9, outputTokens: 1, writtenTokens: 3))
    }

    @Test func `may have no choices in a chunk, or count at any place (B038, N001)`() {
        let usage =
            ",\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":2,\"prompt_tokens_details\":{\"cached_tokens\":4},\"completion_tokens_details\":{\"reasoning_tokens\":1}}"
        let counted = Usage(inputTokens: 8, outputTokens: 2, cachedTokens: 4, reasoningTokens: 1)
        let alone = "data: {\"choices\":[]\(usage)}\n\n",
            none = "data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n"
        let nothing = "data: {\"id\":\"1\"}\n\ndata: {\"choices\":null,\"usage\":null}\n\n"
        #expect(read(none + words("x") + stop + alone + done).usage == counted)
        #expect(read(alone + nothing + words("x") + stop + nothing).usage == counted)
        #expect(read(words("x") + chunk("{}", "\"stop\"", usage) + done).usage == counted)
        let each = chunk(
            "{\"content\":\"x\"}", "null", ",\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":1}")
        #expect(read(each + chunk("{}", "\"stop\"", usage)).usage == counted)
        #expect(read(each + chunk("{}", "\"stop\"", usage)).words == "x")
    }

    @Test func `may leave [DONE] away, and be cut behind its finish reason (B034)`() {
        #expect(read(words("x") + stop + "data: {\"choices\":[],\"usa").end == "stop")
        #expect(read(words("x") + "data: {\"choices\":[{\"del").end == "failed interrupted")
        #expect(read(words("x") + "data: {\"choices\":[{\"del").words == "x")
        #expect(read("data: {\"choices\":[{\"del").end == "failed upstream_protocol")
        #expect(read(chunk("{\"content\":\"\"}")).end == "failed upstream_protocol")
    }

    @Test func `may send [DONE] without a blank line before it`() {
        let line = words("x", "\"stop\"").dropLast(1)
        #expect(read(line + done).words == "x" && read(line + done).end == "stop")
        #expect(read(words("x").dropLast(1) + line + "\n").words == "xx")
    }

    @Test func `may say stop too early, on each chunk, or with an empty word (N013)`() {
        var reader = dialect.reader(issuer: "me")
        _ = reader.feed(Array(chunk("{\"content\":\"\"}", "\"stop\"").utf8))
        #expect(!reader.hasFinish)
        _ = reader.feed(Array(words("a").utf8))
        #expect(!reader.hasFinish)
        _ = reader.feed(Array(words("b", "\"length\"").utf8))
        #expect(reader.hasFinish)
        _ = reader.feed(Array(words("c").utf8))
        #expect(!reader.hasFinish)
        #expect(read(words("a", "\"stop\"") + words("b", "\"stop\"")).words == "ab")
        #expect(read(chunk("{}", "\"stop\"") + words("x")).end == "stop")
        #expect(read(words("a", "\"\"")).end == "failed interrupted")
        #expect(read(words("a", "\"\"") + words("b", "\"length\"")).end == "length")
        #expect(read(stop).end == "stop")
    }

    @Test(arguments: [
        ("stop", "stop"), ("length", "length"), ("tool_calls", "tool_calls"), ("function_call", "tool_calls"),
        ("eos", "stop"), ("end_turn", "stop"), ("max_tokens", "length"), ("STOP", "stop"),
        ("MAX_TOKENS", "length"), ("model_context_window_exceeded", "length"),
        ("content_filter", "content_filter"),
    ]) func `says why it ended in our words`(reason: String, word: String) {
        #expect(read(words("x", "\"\(reason)\"")).end == word)
    }

    @Test func `may think under either name, with null for its text`() {
        let got = read(
            chunk(#"{"role":"assistant","content":null,"reasoning_content":"a"}"#)
                + chunk(#"{"content":"","reasoning":"b","reasoning_content":null}"#)
                + chunk(#"{"reasoning":"c","reasoning_content":"c"}"#) + words("x") + stop)
        #expect(got.content == #"[{"type":"thought","text":"abc","issuer":"me"},{"type":"text","text":"x"}]"#)
    }

    @Test func `may give calls without an index, with one index for all, or as an object (B050)`() {
        func calls(_ calls: String) -> String { chunk("{\"tool_calls\":[\(calls)]}") }
        let a = #""id":"a","type":"function","function":{"name":"f","arguments":"{\"q\":"#
        let end = chunk("{}", "\"tool_calls\"")
        let one = #"{"type":"tool_call","id":"a","name":"f","arguments":{"q":1}}"#
        for rest in [
            #"{"function":{"arguments":"1}"}}"#, #"{"id":"","function":{"arguments":"1}"}}"#,
            #"{"id":"a","function":{"name":"","arguments":"1}"}}"#,
        ] {
            #expect(read(calls("{\(a)\"}}") + calls(rest) + end).content == "[\(one)]")
        }
        let two = #"{"type":"tool_call","id":"b","name":"f","arguments":{}}"#
        for index in ["", "\"index\":0,"] {
            let b = #""id":"b","function":{"name":"f","arguments":"{}"}"#
            #expect(
                read(calls("{\(index)\(a)1}\"}}") + calls("{\(index)\(b)}") + end).content
                    == "[\(one),\(two)]")
        }
        let repeated =
            calls("{\"index\":0,\(a)\"}}")
            + calls(#"{"index":0,"id":"a","function":{"name":"f","arguments":"1}"}}"#)
        #expect(read(repeated + end).content == "[\(one)]")
        let object = calls(#"{"index":0,"function":{"name":"f","arguments":{"q":1}}}"#)
        #expect(read(object + stop).content.contains(#""id":"call_1","name":"f","arguments":{"q":1}"#))
        #expect(read(object + stop).end == "tool_calls")
        #expect(read(calls("{\(a)\"}}")).content == "[]")
    }

    @Test func `keeps what came before its error`() {
        for error in [
            #"data: {"id":"1","error":{"code":502,"message":"gone"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}"#,
            #"data: {"error":{"message":"gone","type":"InternalServerError","code":500}}"#,
            #"error: {"code":503,"message":"gone","type":"unavailable_error"}"#,
            #"data: {"object":"error","message":"gone","code":500}"#,
        ] {
            let got = read(words("half") + error + "\n\n" + done)
            #expect(got.end == "failed upstream_unavailable" && got.words == "half")
            #expect(got.failure?.message.hasSuffix("gone") == true)
        }
    }

    @Test func `may have an error that is none`() {
        for none in ["null", "false", "\"\"", "{}", "[]", "0"] {
            let body = "data: {\"error\":\(none),\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n"
            #expect(read(body + stop).words == "x", "\(none)")
        }
    }

    @Test func `of Azure refuses a prompt or stops an answer`() {
        let filtered = read(words("half") + chunk("{}", "\"content_filter\""))
        #expect(filtered.end == "content_filter" && filtered.words == "half")
        #expect(filtered.finish?.detail == "the provider's filter stopped the answer")
        let told = read(words("half") + #"data: {"error":{"code":"content_filter","message":"no"}}"# + "\n\n")
        #expect(told.end == "content_filter" && told.words == "half")
        #expect(told.finish?.detail?.hasSuffix("no") == true)
        let annotated =
            #"data: {"choices":[{"index":0,"finish_reason":null,"content_filter_offsets":{"start_offset":1}}]}"#
        #expect(read(words("x") + annotated + "\n\n" + stop + annotated + "\n\n").end == "stop")
    }

    @Test func `that declines is a refusal with its words`() {
        let got = read(chunk(#"{"refusal":"I can"}"#) + chunk(#"{"refusal":"not."}"#) + stop)
        #expect(got.end == "content_filter" && got.words == "I cannot.")
        #expect(got.finish?.detail == "the model declined")
    }

    @Test func `of Groq counts and fails in an object of its own`() {
        let usage = #","usage":null,"x_groq":{"id":"r","usage":{"prompt_tokens":3,"completion_tokens":4}}"#
        #expect(
            read(words("x") + chunk("{}", "\"stop\"", usage)).usage == Usage(inputTokens: 3, outputTokens: 4))
        let got = read(
            words("x") + #"data: {"choices":[],"x_groq":{"error":"over_capacity, server_error"}}"# + "\n\n")
        #expect(got.end == "failed upstream_unavailable" && got.words == "x")
    }

    @Test func `that is out of resources, or of its window, fails`() {
        let deepSeek = read(words("x") + chunk("{}", "\"insufficient_system_resource\""))
        #expect(deepSeek.end == "failed upstream_unavailable" && deepSeek.failure?.isRetryable == true)
        let window = read(
            chunk("{}", "\"model_context_window_exceeded\"", ",\"usage\":{\"prompt_tokens\":9}"))
        #expect(window.failure?.overflow == .init(limit: nil, counted: 9, isLowerBound: false))
    }

    @Test func `may answer with one object, behind blank lines or a byte order mark`() {
        let body =
            #"{"choices":[{"index":0,"message":{"role":"assistant","content":"hi","reasoning_content":"hm","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#
        let content =
            #"[{"type":"thought","text":"hm","issuer":"me"},{"type":"text","text":"hi"},{"type":"tool_call","id":"a","name":"f","arguments":{}}]"#
        for lead in ["", "\n\n\n ", "\u{FEFF}", "\r\n"] {
            let got = StreamReading.whole(lead + body, dialect)
            #expect(got.content == content && got.end == "tool_calls")
            #expect(got.usage == Usage(inputTokens: 1, outputTokens: 2))
        }
        #expect(read("\n\n" + body + "\n").content == content)
        #expect(StreamReading.whole(words("a") + words("b") + done, dialect).words == "ab")
        #expect(
            StreamReading.whole(#"{"error":"no such model"}"#, dialect).failure?.message.hasSuffix(
                "no such model") == true)
        #expect(StreamReading.whole(#"{"choices":[]}"#, dialect).end == "failed upstream_protocol")
    }

    @Test func `may put its data right behind the colon, after a byte order mark`() {
        let body = "\u{FEFF}\n\nid: 1\nretry: 5\nevent: chunk\ndata:" + words("x").dropFirst(6) + stop + done
        #expect(read(body).words == "x" && read(body).end == "stop")
    }

    @Test func `may send an event of 300 KB, and half a character`() {
        let long = String(repeating: "0123456789", count: 30_000)
        #expect(read(words(long) + stop).words == long)
        #expect(read(words(#"\ud83d"#) + words("") + words(#"\ude00"#) + stop).words == "😀")
        #expect(read(words(#"\ude00"#) + stop).words == "\u{FFFD}")
        let bytes = Array(words("a?").utf8).map { $0 == 0x3F ? 0xE4 : $0 } + Array(stop.utf8)
        #expect(StreamReading.of(bytes, dialect).words == "a\u{FFFD}")
    }
}

extension `A server that deviates from Chat Completions` {
    @Test func `may say twice why it ended, and count the second time (N013)`() {
        let usage =
            #","usage":{"prompt_tokens":96,"completion_tokens":52,"total_tokens":148,"prompt_tokens_details":{"cached_tokens":64}}"#
        let counted = Usage(inputTokens: 96, outputTokens: 52, cachedTokens: 64)
        // As OpenRouter was recorded (openrouter-ox-duplicate-stop.json).
        let said = read(
            chunk(
                #"{"role":"assistant","content":"","reasoning":"thinking","reasoning_details":[{"type":"reasoning.text","text":"thinking"}]}"#
            ) + chunk(#"{"role":"assistant","content":"OX_STREAM_OK"}"#)
                + chunk(#"{"role":"assistant","content":"","reasoning":""}"#, "\"stop\"")
                + chunk(#"{"role":"assistant","content":""}"#, "\"stop\"", usage) + done)
        #expect(
            said.content
                == #"[{"type":"thought","text":"thinking","issuer":"me"},{"type":"text","text":"OX_STREAM_OK"}]"#
        )
        #expect(said.end == "stop" && said.usage == counted)
        let called = read(
            chunk(
                #"{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{\"q\":"}}]}"#
            ) + chunk(#"{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]}"#)
                + chunk("{}", "\"tool_calls\"")
                + chunk(#"{"role":"assistant","content":""}"#, "\"tool_calls\"", usage) + done)
        #expect(called.content == #"[{"type":"tool_call","id":"a","name":"f","arguments":{"q":1}}]"#)
        #expect(called.end == "tool_calls" && called.usage == counted)
    }
}

extension `A server that deviates from Chat Completions` {
    @Test func `says that the context is full where its answer stopped for that (B022)`() {
        let got = read(words("x") + chunk("{}", "\"model_context_window_exceeded\""))
        #expect(got.end == "length" && got.words == "x")
        #expect(got.finish?.detail == "the model's context is full")
    }
}
