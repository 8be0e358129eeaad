internal import Conversation
internal import EventLoop
internal import TestSupport
internal import Testing
internal import Upstream

/// What comes of an answer whose server never closes the connection, and how many milliseconds it took.
private func answer(_ chunks: String..., kind: UpstreamKind = .gemini) throws -> (
    String, UpstreamEvent?, Int
) {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
    let server = try ScriptedUpstream([
        [.write(head)] + chunks.map { .write("data: \($0)\r\n\r\n") } + [.untilClosed]
    ])
    let loop = try EventLoop()
    let upstream = try httpUpstream(
        UpstreamSettings(name: "me", kind: kind, baseURL: server.origin), environment: [:],
        loop)
    var words = "", end: UpstreamEvent?
    let began = loop.now
    let call = upstream.start(try Request.of([Request.user(.text("hi"))])) { event in
        if case .pieces(let some) = event {
            words += some.map { String(decoding: $0.bytes, as: UTF8.self) }.joined()
        } else {
            end = event
        }
    }
    while end == nil { try loop.turn(waiting: true) }
    call.cancel()
    return (words, end, Int((loop.now - began) / 1_000_000))
}

private func chunk(_ text: String, _ finish: String? = nil) -> String {
    let reason = finish.map { ",\"finishReason\":\"\($0)\"" } ?? ""
    return "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\(text)\"}]}\(reason)}]}"
}

@Suite struct `A connection that stays open behind an answer` {
    @Test func `of Gemini's holds it back for two seconds`() throws {
        let (words, end, time) = try answer(chunk("all of it", "STOP"))
        #expect(words == "all of it" && end == .finished(Turn.Finish(reason: "stop")))
        #expect((1_900..<20_000).contains(time), "\(time) ms")
    }

    @Test(arguments: [
        ("MAX_TOKENS", "length"), ("TOO_MANY_TOOL_CALLS", "failed"), ("MALFORMED_FUNCTION_CALL", "failed"),
    ])
    func `behind any other reason too, and it ends as that reason says`(reason: String, word: String) throws {
        let (_, end, time) = try answer("{\"candidates\":[{\"finishReason\":\"\(reason)\"}]}")
        switch end {
        case .finished(let finish): #expect(finish.reason == word)
        case .failed(let failure):
            #expect(word == "failed" && failure.message.contains(reason))
            #expect(failure.isRetryable == (reason == "MALFORMED_FUNCTION_CALL"))
        default: #expect(Bool(false), "\(String(describing: end))")
        }
        #expect((1_900..<20_000).contains(time), "\(time) ms")
    }

    @Test func `of an old model that says STOP with each chunk too`() throws {
        let (words, end, time) = try answer(chunk("one ", "STOP"), chunk("two", "STOP"))
        #expect(words == "one two" && end == .finished(Turn.Finish(reason: "stop")) && time < 20_000)
    }

    @Test func `of a filter's too, though it has no text`() throws {
        let (_, end, time) = try answer(#"{"candidates":[{"finishReason":"SAFETY"}]}"#)
        guard case .finished(let finish) = end else {
            return #expect(Bool(false), "\(String(describing: end))")
        }
        #expect(finish.reason == "content_filter" && time < 20_000)
    }
}

@Suite struct `A stream without a word for longer than its gap` {
    @Test(arguments: [":\n\n", ": PROCESSING\r\n\r\n", "event: ping\ndata: {\"type\":\"ping\"}\n\n"])
    func `lives as long as comments or pings come within it (B049)`(sign: String) throws {
        let whole =
            ScriptedUpstream.chunk(#"{"content":"so"}"#)
            + "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"
        let signs = [ScriptedUpstream.Step](repeating: .write(sign), count: 8).flatMap {
            [ScriptedUpstream.Step.hold, $0]
        }
        let server = try ScriptedUpstream([
            [.write(ScriptedUpstream.head)] + signs + [.hold, .write(whole)]
        ])
        let loop = try EventLoop()
        var settings = UpstreamSettings(name: "me", kind: .openai, baseURL: server.base)
        settings.timeouts.gap = 1_000
        let upstream = try httpUpstream(settings, environment: [:], loop)
        var words = "", end: UpstreamEvent?
        let began = loop.now
        for count in 1...40 { loop.after(milliseconds: 250 * count) { server.proceed() } }
        let call = upstream.start(try Request.of([Request.user(.text("hi"))])) { event in
            if case .pieces(let some) = event {
                words += some.map { String(decoding: $0.bytes, as: UTF8.self) }.joined()
            } else {
                end = event
            }
        }
        while end == nil { try loop.turn(waiting: true) }
        call.cancel()
        #expect(words == "so" && end == .finished(Turn.Finish(reason: "stop")), "\(String(describing: end))")
        #expect(loop.now - began > 2_000_000_000, "longer than the gap")
        #expect(server.requests.count == 1)
    }
}
