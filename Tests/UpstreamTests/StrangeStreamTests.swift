internal import Conversation
internal import EventLoop
internal import TestSupport
internal import Testing
internal import Upstream

private let dialect = OpenAIDialect(base: "https://example.org/v1")
private let word = #"data: {"choices":[{"index":0,"delta":{"content":"Partial"}}]}"# + "\n\n"
private let done = "data: [DONE]\n\n"

private func end(_ reason: String) -> String {
    #"data: {"choices":[{"index":0,"delta":{},"finish_reason":"\#(reason)"}]}"# + "\n\n"
}

@Suite struct `A stream that says in its own way that it failed` {
    private static let shapes = [
        #"{"code":"Throttling.RateQuota","message":"slow down"}"#,
        #"{"error_code":18,"error_msg":"qps limit reached"}"#, #"{"detail":"Internal Server Error"}"#,
        #"{"choices":null,"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}}"#,
        #"{"message":"no backend","type":"server_error","code":500}"#,
        #"{"success":false,"errors":[{"message":"capacity exceeded","code":3040}]}"#,
        #"{"type":"response.failed","response":{"error":{"code":"server_error","message":"it broke"}}}"#,
        #"{"choices":[{"index":0,"delta":{},"error":{"message":"it broke","code":502}}]}"#,
    ]

    @Test(arguments: shapes) func `is no whole answer, before a word and behind one (B035, N043)`(
        shape: String
    ) {
        for before in ["", word] {
            let read = StreamReading.of(before + "data: \(shape)\n\n" + done, dialect)
            #expect(read.end.hasPrefix("failed "), "\(before)\(shape): \(read)")
            #expect(read.failure?.message.contains("ended without an answer") == false, "\(shape)")
        }
    }

    @Test func `says whether asking again may help, and a word that all is well is none`() {
        for (shape, kind) in [
            (Self.shapes[0], "throttled"), (Self.shapes[1], "throttled"),
            (Self.shapes[2], "upstream_unavailable"),
            (#"{"code":42,"message":"odd"}"#, "upstream_protocol"),
        ] {
            let failure = StreamReading.of("data: \(shape)\n\n" + done, dialect).failure
            #expect(failure?.kind.rawValue == kind && failure?.isRetryable == true, "\(shape)")
        }
        for fine in [#"{"code":200,"message":"success"}"#, #"{"code":"0","status":"ok"}"#] {
            #expect(StreamReading.of("data: \(fine)\n\n" + word + end("stop") + done, dialect).end == "stop")
        }
    }

    @Test func `in the other dialects too`() {
        let claude =
            #"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Partial"}}"#
            + "\n\n" + #"data: {"detail":"Internal Server Error"}"# + "\n\n"
            + #"data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}"# + "\n\n"
            + #"data: {"type":"message_stop"}"# + "\n\n"
        #expect(StreamReading.of(claude, AnthropicDialect(base: "https://a")).end.hasPrefix("failed "))
        let gemini =
            #"data: {"candidates":[{"content":{"parts":[{"text":"Partial"}]}}]}"# + "\n\n"
            + #"data: {"code":503,"message":"overloaded","status":"UNAVAILABLE"}"# + "\n\n"
            + #"data: {"candidates":[{"finishReason":"STOP"}]}"# + "\n\n"
        #expect(StreamReading.of(gemini, GeminiDialect(base: "https://g")).end.hasPrefix("failed "))
    }

    @Test func `with an aborted answer, or half of a call, is cut`() {
        #expect(StreamReading.of(word + end("abort") + done, dialect).end.hasPrefix("failed "))
        let call =
            #"data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{\"a\":"}}]}}]}"#
            + "\n\n"
        #expect(StreamReading.of(call + done, dialect).end.hasPrefix("failed "))
    }

    @Test(arguments: ["length", "content_filter"])
    func `that it stopped behind another reason takes nothing back of that (B041, N013)`(reason: String) {
        // One that is none stands on each chunk of some.
        #expect(StreamReading.of(word + end("null") + end("stop") + done, dialect).end == "stop")
        #expect(StreamReading.of(word + end(reason) + end("stop") + done, dialect).end == reason)
        let gemini =
            #"data: {"candidates":[{"content":{"parts":[{"text":"x"}]},"finishReason":"MAX_TOKENS"}]}"#
            + "\n\n" + #"data: {"candidates":[{"finishReason":"STOP"}]}"# + "\n\n"
        #expect(StreamReading.of(gemini, GeminiDialect(base: "https://g")).end == "length")
    }
}

@Suite struct `A count that is taken back` {
    @Test(arguments: [
        #"{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#, "{}", #"{"total_tokens":4100}"#,
    ])
    func `stays as it was (N001, N013)`(last: String) {
        func chunk(_ usage: String) -> String { "data: {\"choices\":[],\"usage\":\(usage)}\n\n" }
        let first = chunk(#"{"prompt_tokens":4000,"completion_tokens":100}"#)
        let read = StreamReading.of(word + end("stop") + first + chunk(last) + done, dialect)
        #expect(read.usage == Usage(inputTokens: 4_000, outputTokens: 100))
    }

    @Test func `in the other dialects too`() {
        let claude =
            #"data: {"type":"message_start","message":{"usage":{"input_tokens":4000,"output_tokens":1}}}"#
            + "\n\n"
            + #"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"x"}}"#
            + "\n\n"
            + #"data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":0,"output_tokens":9}}"#
            + "\n\n" + #"data: {"type":"message_stop"}"# + "\n\n"
        let read = StreamReading.of(claude, AnthropicDialect(base: "https://a"))
        #expect(read.usage?.inputTokens == 4_000 && read.usage?.outputTokens == 9)
        let gemini =
            #"data: {"candidates":[{"content":{"parts":[{"text":"x"}]}}],"usageMetadata":{"promptTokenCount":4000,"candidatesTokenCount":5}}"#
            + "\n\n"
            + #"data: {"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":0,"candidatesTokenCount":0}}"#
            + "\n\n"
        let other = StreamReading.of(gemini, GeminiDialect(base: "https://g"))
        #expect(other.usage?.inputTokens == 4_000 && other.usage?.outputTokens == 5)
    }

    @Test func `of nothing for words, or of more than any model holds, is none`() {
        for count in ["0", "1000000000000"] {
            let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":\(count)}}\n\n"
            #expect(StreamReading.of(word + end("stop") + usage + done, dialect).usage?.inputTokens == nil)
        }
    }
}

@Suite struct `What an answer is made of` {
    @Test func `may be blocks, with thoughts and pictures among them`() {
        let body =
            #"data: {"choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}}]}"#
            + "\n\n"
            + #"data: {"choices":[{"index":0,"delta":{"content":[{"type":"text","text":"yes"}],"images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}}]}"#
            + "\n\n" + end("stop") + done
        let read = StreamReading.of(body, dialect)
        #expect(read.end == "stop")
        #expect(
            Part.decode(Array(read.content.utf8)) == [
                .thought(text: "hm", issuer: "me", signature: nil), .text("yes"),
                .image(mimeType: "image/png", data: "AAAA", uri: nil),
            ], "\(read)")
    }

    @Test func `may be a call in the old form, or calls whose places are words`() {
        let old =
            #"data: {"choices":[{"index":0,"delta":{"function_call":{"name":"f","arguments":"{\"a\""}}}]}"#
            + "\n\n" + #"data: {"choices":[{"index":0,"delta":{"function_call":{"arguments":":1}"}}}]}"#
            + "\n\n" + end("function_call") + done
        let read = StreamReading.of(old, dialect)
        #expect(read.end == "tool_calls" && read.content.contains(#""name":"f""#), "\(read)")
        func part(_ index: String, _ id: String, _ name: String, _ arguments: String) -> String {
            #"data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":"\#(index)","id":"\#(id)","function":{"name":"\#(name)","arguments":"\#(arguments)"}}]}}]}"#
                + "\n\n"
        }
        let calls =
            part("0", "c0", "f", "") + part("1", "c1", "g", "") + part("0", "", "", #"{\"a\":1}"#)
            + part("1", "", "", #"{\"b\":2}"#) + end("tool_calls") + done
        let content = StreamReading.of(calls, dialect).content
        #expect(content.contains(#""name":"f","arguments":{"a":1}"#), "\(content)")
        #expect(content.contains(#""name":"g","arguments":{"b":2}"#), "\(content)")
    }
}

@Suite struct `A stream by its bytes` {
    /// What comes of one request after another, and how each ended; `proceed` is called at each word.
    private func ask(_ steps: [ScriptedUpstream.Step], _ timeouts: Timeouts = Timeouts(), times: Int = 1)
        throws
        -> (words: String, ends: [UpstreamEvent], server: ScriptedUpstream)
    {
        let server = try ScriptedUpstream([steps])
        let loop = try EventLoop()
        var settings = UpstreamSettings(name: "me", kind: .openai, baseURL: server.base)
        settings.timeouts = timeouts
        let upstream = try httpUpstream(settings, environment: [:], loop)
        var words = "", ends: [UpstreamEvent] = []
        for number in 1...times {
            let call = upstream.start(try Request.of([Request.user(.text("hi"))])) { event in
                guard case .pieces(let some) = event else { return ends.append(event) }
                words += some.map { String(decoding: $0.bytes, as: UTF8.self) }.joined()
                server.proceed()
            }
            while ends.count < number { try loop.turn(waiting: true) }
            call.cancel()
        }
        return (words, ends, server)
    }

    /// Why the only request failed.
    private func failure(_ ends: [UpstreamEvent]) throws -> UpstreamFailure {
        let failures = ends.compactMap { if case .failed(let failure) = $0 { failure } else { nil } }
        return try #require(failures.first)
    }

    @Test(arguments: ["application/json", "application/x-ndjson", "text/plain"])
    func `comes as it is sent, whatever it is called (B035, B047)`(type: String) throws {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: \(type)\r\nConnection: close\r\n\r\n"
        // The rest comes only once the first word is here.
        let (words, ends, _) = try ask([.write(head + word), .hold, .write(word)])
        #expect(words == "PartialPartial")
        #expect(try failure(ends).kind == .interrupted)
    }

    @Test func `that is a page says so`() throws {
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<html>log in</html>"
        #expect(try failure(ask([.write(head)]).ends).message.contains("HTML page"))
    }

    @Test func `that is packed unasked is unpacked`() throws {
        // `gzip` over the lines that say "so" and stop.
        let body = word + end("stop") + done
        var stored: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 1]
        let bytes = Array(body.utf8), count = UInt16(bytes.count)
        stored += [UInt8(count & 255), UInt8(count >> 8), UInt8(~count & 255), UInt8(~count >> 8)] + bytes
        var sum: UInt32 = ~0
        for byte in bytes {
            sum ^= UInt32(byte)
            for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0xEDB8_8320 : sum >> 1 }
        }
        for value in [~sum, UInt32(bytes.count)] {
            stored += (0..<4).map { UInt8(value >> UInt32(8 * $0) & 255) }
        }
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n"
        let (words, _, server) = try ask([.write(head), .bytes(stored)])
        #expect(words == "Partial" && server.requests[0].contains("Accept-Encoding: identity"))
    }

    @Test func `that is called packed in a way that is none is read at the second try`() throws {
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: UTF-8\r\nConnection: close\r\n\r\n"
        let ends = try ask([.write(head + word + end("stop") + done)], times: 2).ends
        guard case .failed(let failure) = ends[0], case .finished = ends[1] else {
            return #expect(Bool(false), "\(ends)")
        }
        #expect(failure.isRetryable)
    }

    @Test func `that is kept alive and does not go on ends at last`() throws {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
        var timeouts = Timeouts()
        (timeouts.alive, timeouts.gap) = (300, 5_000)
        let (words, ends, _) = try ask([.write(head + word), .pulse(": alive\n\n")], timeouts)
        #expect(words == "Partial")
        let failure = try failure(ends)
        #expect(failure.kind == .interrupted && failure.message.contains("no more of its answer"))
    }
}
