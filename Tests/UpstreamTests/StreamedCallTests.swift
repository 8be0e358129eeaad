internal import Conversation
internal import EventLoop
internal import TestSupport
internal import Testing
internal import Upstream

@Suite struct `One read from the network` {
    @Test func `keeps two seals apart, and joins text with text`() throws {
        func block(_ index: Int, _ block: String, _ delta: String) -> String {
            [
                #"{"type":"content_block_start","index":\#(index),"content_block":{\#(block)}}"#,
                #"{"type":"content_block_delta","index":\#(index),"delta":{\#(delta)}}"#,
                #"{"type":"content_block_stop","index":\#(index)}"#,
            ].map { "data: \($0)\n\n" }.joined()
        }
        let thought = #""type":"thinking","thinking":"","signature":"""#, words = #""type":"text","text":"""#
        let body =
            block(0, thought, #""type":"signature_delta","signature":"S1""#)
            + block(1, thought, #""type":"signature_delta","signature":"S2""#)
            + block(2, words, #""type":"text_delta","text":"a""#)
            + block(3, words, #""type":"text_delta","text":"b""#)
            + #"data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}"# + "\n\n"
            + #"data: {"type":"message_stop"}"# + "\n\n"
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
        let server = try ScriptedUpstream([[.write(head + body)]])
        let loop = try EventLoop()
        let upstream = try httpUpstream(
            UpstreamSettings(name: "me", kind: .anthropic, baseURL: server.origin), environment: [:],
            loop)
        var pieces: [Piece] = [], end: UpstreamEvent?
        let call = upstream.start(try Request.of([Request.user(.text("hi"))])) { event in
            if case .pieces(let some) = event { pieces += some } else { end = event }
        }
        while end == nil { try loop.turn(waiting: true) }
        call.cancel()
        #expect(
            pieces == [
                Piece(.signature, Array("S1".utf8)), Piece(.signature, Array("S2".utf8)),
                Piece(.text, Array("ab".utf8)),
            ])
        #expect(end == .finished(Turn.Finish(reason: "stop")))
    }
}
