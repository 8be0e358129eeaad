internal import Conversation
internal import EventLoop
internal import JSON
internal import Posix
internal import TestSupport
internal import Testing
internal import Upstream

/// Checks that reading four times as much takes no more than some times as long: a square would take sixteen times.
private func checkLinear(
    _ dialect: any Dialect, _ count: Int, _ location: SourceLocation = #_sourceLocation,
    _ body: (Int) -> [UInt8]
) {
    func seconds(_ count: Int) -> Double {
        let bytes = body(count)
        var best = Double.infinity
        for _ in 0..<2 {
            var reader = dialect.reader(issuer: "me")
            let start = Machine.monotonic()
            var at = 0
            while at < bytes.count {
                _ = reader.feed(Array(bytes[at..<min(at + 65_536, bytes.count)]))
                at += 65_536
            }
            _ = reader.finish()
            best = min(best, Double(Machine.monotonic() - start))
        }
        return best
    }
    // What reads each byte again and again takes sixteen times as long each time; a busy machine once.
    var ratios: [Double] = []
    repeat {
        ratios.append(seconds(4 * count) / seconds(count))
    } while ratios.allSatisfy { $0 >= 9 } && ratios.count < 3
    #expect(
        ratios.contains { $0 < 9 }, "four times \(count) took \(ratios) times as long",
        sourceLocation: location)
}

@Suite struct `Reading an answer takes time in its length alone` {
    private let anthropic = AnthropicDialect(base: "http://x")

    @Test(arguments: ["input_json_delta", "signature_delta"])
    func `for a block in many deltas`(kind: String) {
        let isTool = kind == "input_json_delta"
        let start =
            isTool
            ? #"{"type":"tool_use","id":"t","name":"n","input":{}}"#
            : #"{"type":"thinking","thinking":"","signature":""}"#
        let delta =
            isTool
            ? #"{"type":"input_json_delta","partial_json":"\#(String(repeating: "x", count: 200))"}"#
            : #"{"type":"signature_delta","signature":"\#(String(repeating: "x", count: 200))"}"#
        checkLinear(anthropic, 5_000) { count in
            var text = #"data: {"type":"content_block_start","index":0,"content_block":\#(start)}"# + "\n\n"
            for _ in 0..<count {
                text += #"data: {"type":"content_block_delta","index":0,"delta":\#(delta)}"# + "\n\n"
            }
            return Array(text.utf8)
        }
    }

    @Test func `for other candidates of Gemini's`() {
        checkLinear(GeminiDialect(base: "http://x"), 5_000) { count in
            let words = String(repeating: "x", count: 200)
            let event =
                #"data: {"candidates":[{"index":1,"content":{"parts":[{"text":"\#(words)"}]}}]}"# + "\n\n"
            return Array(String(repeating: event, count: count).utf8)
        }
    }

    @Test func `for many parts in one event of Gemini's`() {
        checkLinear(GeminiDialect(base: "http://x"), 10_000) { count in
            let parts = [String](repeating: #"{"text":"x"}"#, count: count).joined(separator: ",")
            return Array((#"data: {"candidates":[{"content":{"parts":[\#(parts)]}}]}"# + "\n\n").utf8)
        }
    }

    @Test(arguments: [true, false]) func `for many tool calls in one event`(hasIndex: Bool) {
        checkLinear(
            OpenAIDialect(base: "http://x"), 5_000
        ) {
            count in
            let calls = (0..<count).map { number in
                let index = hasIndex ? "\"index\":\(number)," : ""
                return #"{\#(index)"id":"c\#(number)","function":{"name":"n","arguments":"{}"}}"#
            }
            return Array(
                (#"data: {"choices":[{"index":0,"delta":{"tool_calls":[\#(calls.joined(separator: ","))]}}]}"#
                    + "\n\n").utf8)
        }
    }
}

@Suite struct `An answer without end` {
    private func kind(_ dialect: any Dialect, _ bytes: [UInt8]) -> String {
        var reader = dialect.reader(issuer: "me")
        var at = 0
        while at < bytes.count, !reader.isOver {
            _ = reader.feed(Array(bytes[at..<min(at + 65_536, bytes.count)]))
            at += 65_536
        }
        guard case .failed(let failure) = reader.finish().end else { return "whole" }
        return failure.message
    }

    @Test func `is no event of more than 16 MiB, of many lines or of one`() {
        let openai = OpenAIDialect(base: "http://x")
        let line = Array("data:".utf8) + [UInt8](repeating: 0x78, count: 255) + [0x0A]
        let lines = Array(Array(repeating: line, count: 17 << 12).joined())
        #expect(kind(openai, lines).contains("16 MiB"))
        #expect(
            kind(openai, Array("data: ".utf8) + [UInt8](repeating: 0x78, count: 17 << 20)).contains("16 MiB"))
    }

    @Test func `of lines that are objects is given up at some thousand`() {
        let openai = OpenAIDialect(base: "http://x")
        let lines = Array(Array(repeating: Array("data:{}\n".utf8), count: 200_000).joined())
        #expect(kind(openai, lines).contains("not JSON"))
    }
}
