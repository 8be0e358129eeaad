internal import Conversation
internal import JSON
internal import TestSupport
internal import Testing
internal import Upstream

/// An event of a stream that says a text, in a dialect.
private enum Saying: CaseIterable {
    case openAI, openAIThought, anthropic, anthropicThought, gemini, geminiThought

    var dialect: any Dialect {
        switch self {
        case .openAI, .openAIThought: OpenAIDialect(base: "")
        case .anthropic, .anthropicThought: AnthropicDialect(base: "")
        case .gemini, .geminiThought: GeminiDialect(base: "")
        }
    }

    /// The event's JSON around a raw string, with a member that nobody knows.
    func event(_ raw: String, _ number: String) -> String {
        switch self {
        case .openAI:
            #"{"n":\#(number),"id":"a","model":"m","choices":[{"index":0,"delta":{"content":\#(raw)},"finish_reason":null}]}"#
        case .openAIThought:
            #"{"n":\#(number),"choices":[{"delta":{"role":"assistant","reasoning_content":\#(raw)}}],"usage":null}"#
        case .anthropic:
            #"{"n":\#(number),"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":\#(raw)}}"#
        case .anthropicThought:
            #"{"n":\#(number),"type":"content_block_delta","index":1,"delta":{"type":"thinking_delta","thinking":\#(raw)}}"#
        case .gemini:
            #"{"n":\#(number),"candidates":[{"content":{"role":"model","parts":[{"text":\#(raw)}]},"index":0}],"usageMetadata":{"promptTokenCount":3}}"#
        case .geminiThought:
            #"{"n":\#(number),"candidates":[{"content":{"parts":[{"text":\#(raw),"thought":true}]}}]}"#
        }
    }

    /// Events that are no texts, among them one that does more than it says.
    var others: [String] {
        switch self {
        case .openAI, .openAIThought:
            [
                #"{"choices":[{"delta":{"content":"both","tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"1"}}]}}]}"#,
                #"{"choices":[{"delta":{"content":"a","reasoning_content":"a"}}]}"#, #"{"choices":[]}"#,
                #"{"choices":[{"delta":{"refusal":"no"}}]}"#,
                #"{"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}"#,
            ]
        case .anthropic, .anthropicThought:
            [
                #"{"type":"ping"}"#,
                #"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"begin"}}"#,
                #"{"type":"content_block_stop","index":0}"#,
                #"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#,
                #"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"1"}}"#,
            ]
        case .gemini, .geminiThought:
            [
                #"{"candidates":[{"content":{"parts":[{"text":"x","thoughtSignature":"s"}]}}]}"#,
                #"{"candidates":[{"index":0,"content":{"parts":[{"text":"one"}]}},{"index":1,"content":{"parts":[{"text":"two"}]}}]}"#,
                #"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{}}}]}}]}"#,
                #"{"usageMetadata":{"candidatesTokenCount":7}}"#,
                #"{"candidates":[{"content":{"parts":[{"text":"y"}]},"finishReason":"STOP"}]}"#,
            ]
        }
    }

    var ending: String {
        switch self {
        case .openAI, .openAIThought: #"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#
        case .anthropic, .anthropicThought: #"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#
        case .gemini, .geminiThought: #"{"candidates":[{"finishReason":"STOP"}]}"#
        }
    }
}

@Suite struct `An event like the one before it` {
    /// Raw JSON strings: halves of characters, escapes, what stands elsewhere in the event too, nothing, and what is no text.
    private static let texts = [
        #""word ""#, #"" and more""#, #""巴黎""#, #""a\nb""#, #""\"quoted\"""#, #""\\""#, #""é""#, #""\u00e9""#,
        #""\ud83d""#,
        #""\ude00""#, #""\ud83d\ude00""#, #""""#, #""m""#, #""a""#, #""assistant""#, #""text""#,
        #""text_delta""#, #""model""#,
        #"" ""#, "null", "7", #"["x"]"#, #""x","text":"y""#, #""[DONE]""#, #""data: ""#, "\"\u{7F}\u{2028}\"",
    ]

    /// What a stream says and how it ends, read in a few pieces.
    private func read(_ stream: String, _ saying: Saying, _ random: inout SeededRandom) -> String {
        var reader = saying.dialect.reader(issuer: "me"), rest = Array(stream.utf8)[...], pieces: [Piece] = []
        while !rest.isEmpty {
            let count = random.int(1...max(1, rest.count))
            pieces += reader.feed(Array(rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        let (last, end) = reader.finish()
        #expect(!(pieces + last).contains { $0.kind == .text && $0.bytes.isEmpty }, "nothing is no piece")
        var answer = Answer(issuer: "me")
        for piece in pieces + last { answer.append(piece) }
        return "\(String(decoding: answer.content, as: UTF8.self)) \(end)"
    }

    @Test(arguments: Saying.allCases)
    fileprivate func `is taken for what reading it would give`(saying: Saying) {
        var random = SeededRandom()
        for _ in 0..<400 {
            var same = "", different = "", number = 10
            func add(_ make: (String) -> String) {
                number += 1
                same += "data: \(make("10"))\n\n"
                // Each has other bytes than the one before, so that every one is read.
                different += "data: \(make("\(number)"))\n\n"
            }
            for _ in 0..<random.int(2...16) {
                switch random.int(0...9) {
                case 0, 1:
                    let other = saying.others.randomElement(using: &random) ?? ""
                    for _ in 0..<random.int(1...3) {
                        add { other.replacing("{", with: "{\"n\":\($0),", maxReplacements: 1) }
                    }
                case 2: for half in [#""\ud83d""#, #""\ude00""#] { add { saying.event(half, $0) } }
                default:
                    let raw = Self.texts.randomElement(using: &random) ?? ""
                    add { saying.event(raw, $0) }
                }
            }
            add { _ in saying.ending }
            let one = read(same, saying, &random), other = read(different, saying, &random)
            #expect(one == other, "\(random) \(same)")
            if one != other { return }
        }
    }

    @Test func `is not known by a text that stands in it twice`() {
        var random = SeededRandom(), stream = ""
        for (text, other) in [("m", "m"), ("m", "words"), ("n", "m")] {
            stream += #"data: {"choices":[{"delta":{"content":"\#(text)"}}],"object":"\#(other)"}"# + "\n\n"
        }
        let said = read(stream + "data: \(Saying.openAI.ending)\n\n", .openAI, &random)
        #expect(said.hasPrefix(#"[{"type":"text","text":"mmn"}]"#), "\(said)")
    }

    @Test func `is read again behind one that means more, and is no JSON with an escape that is none`() {
        var random = SeededRandom()
        func say(_ events: [String]) -> String {
            read(events.map { "data: \($0)\n\n" }.joined(), .openAI, &random)
        }
        func text(_ raw: String) -> String { #"{"choices":[{"delta":{"content":"\#(raw)"}}]}"# }
        let stop = #"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#
        // Two objects in one event, of which one ends the answer; what goes on behind it is no whole answer any more.
        var reader = Saying.openAI.dialect.reader(issuer: "me")
        for event in [text("a"), text("b"), "\(stop)\ndata: \(stop)"] {
            _ = reader.feed(Array("data: \(event)\n\n".utf8))
        }
        #expect(reader.hasFinish)
        _ = reader.feed(Array("data: \(text("c"))\n\n".utf8))
        #expect(!reader.hasFinish, "text behind a reason is no end")
        #expect(say([text("a"), text(#"C:\q"#)]).contains("not JSON"))
    }

    @Test(arguments: Saying.allCases)
    fileprivate func `with bytes that are no UTF-8 is mended as every other`(saying: Saying) {
        var bytes: [UInt8] = []
        for raw in [[0x61], [0x62, 0xFF], [0xC3], [0xA9], [0xE5, 0xB7, 0xB4]] as [[UInt8]] {
            let parts = saying.event("\"|\"", "1").split(separator: "|", omittingEmptySubsequences: false)
            bytes += Array("data: \(parts[0])".utf8) + raw + Array("\(parts[1])\n\n".utf8)
        }
        let read = StreamReading.of(bytes + Array("data: \(saying.ending)\n\n".utf8), saying.dialect)
        let said = Part.decode(Array(read.content.utf8)).map { part in
            switch part {
            case .text(let text), .thought(let text, _, _): text
            default: ""
            }
        }.joined()
        #expect(said == "ab\u{FFFD}\u{FFFD}\u{FFFD}巴")
    }
}
