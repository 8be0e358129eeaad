internal import Conversation
internal import TestSupport
internal import Testing
internal import Upstream

private let dialect = GeminiDialect(base: "https://example.org")

private func read(_ text: String, _ location: SourceLocation = #_sourceLocation) -> StreamReading {
    .of(text, dialect, location)
}

/// An event with one candidate; `members` are the candidate's.
private func event(_ members: String, _ more: String = "") -> String {
    "data: {\"candidates\":[{\(members)}]\(more)}\r\n\r\n"
}

private func parts(_ parts: String, _ more: String = "") -> String {
    event("\"content\":{\"role\":\"model\",\"parts\":[\(parts)]}\(more)")
}

private func words(_ text: String, _ more: String = "") -> String { parts("{\"text\":\"\(text)\"}", more) }

private let stop = ",\"finishReason\":\"STOP\""

@Suite struct `A stream of Gemini` {
    @Test func `gives its text, also that of the chunk with the finish reason (B043)`() {
        #expect(read(words("There") + words(" are 3.", stop)).words == "There are 3.")
        #expect(read(words("There") + words(" are 3.", stop)).end == "stop")
    }

    @Test(arguments: ["\r\n\r\n", "\n\n", "\r\r", "\r\n", "\n", ""])
    func `is whole whatever stands behind its last event (B032, B034)`(end: String) {
        let body = words("a") + words("你\u{2028}🌍", stop).dropLast(2) + end
        #expect(read(body).words == "a你\u{2028}🌍")
        #expect(read(body).end == "stop")
    }

    @Test func `is not over with a finish reason on each chunk, or on an empty one at its beginning`() {
        #expect(read(words("a", stop) + words("b", stop) + words("c", stop)).words == "abc")
        let leading = event("\"finishReason\":\"STOP\"") + words("", stop)
        #expect(
            read(leading + words("text") + words("!", ",\"finishReason\":\"MAX_TOKENS\"")).words == "text!")
        #expect(
            read(leading + words("text") + words("!", ",\"finishReason\":\"MAX_TOKENS\"")).end == "length")
        #expect(read(leading + words("text")).end == "stop")
        #expect(read(words("x", ",\"finishReason\":\"\"")).end == "failed interrupted")
    }

    @Test func `is cut without a finish reason, and no answer without anything`() {
        #expect(read(words("half")) == read(words("half")))
        #expect(read(words("half")).end == "failed interrupted")
        #expect(read(words("half")).words == "half")
        #expect(read(words("half") + "data: {\"candidates\":[{\"con").end == "failed interrupted")
        #expect(read(words("half", stop) + "data: {\"candidates\":[{\"con").end == "failed interrupted")
        #expect(read("").end == "failed upstream_protocol")
        #expect(
            read("data: {\"usageMetadata\":{\"promptTokenCount\":3}}\r\n\r\n").end
                == "failed upstream_protocol")
        #expect(read("data: [DONE]\n\n").end == "failed upstream_protocol")
        #expect(read("<html>\n<style>a { b }</style>\n</html>\n").end == "failed upstream_protocol")
    }

    @Test func `may end in every shape that was seen`() {
        for last in [
            event("\"content\":{\"role\":\"model\"}\(stop)"), parts("{\"text\":\"\"}", stop),
            event("\"finishReason\":\"STOP\""), event("\"finishReason\":\"STOP\",\"finishMessage\":\"fine\""),
            parts("", stop),
        ] {
            let got = read(words("x") + event("\"content\":{\"role\":\"model\"}") + last)
            #expect(got.content == #"[{"type":"text","text":"x"}]"#)
            #expect(got.end == "stop" && got.finish?.detail == nil)
        }
    }

    @Test func `without candidates is a refusal`() {
        let got = read("data: {\"candidates\":[],\"usageMetadata\":{\"promptTokenCount\":3}}\r\n\r\n")
        #expect(got.end == "content_filter")
        #expect(got.finish?.detail == "the provider gave no answer to this prompt")
        #expect(got.usage?.inputTokens == 3)
        let late = "data: {\"candidates\":[]}\r\n\r\n"
        #expect(read(late + words("x", stop) + late).end == "stop")
        #expect(read(words("x") + late).end == "failed interrupted")
    }

    @Test func `that blocks the prompt is a refusal with the reason`() {
        let block =
            "data: {\"promptFeedback\":{\"blockReason\":\"PROHIBITED_CONTENT\",\"blockReasonMessage\":\"no\"}}\r\n\r\n"
        #expect(read(block).end == "content_filter")
        #expect(read(block).finish?.detail == "the prompt was blocked: PROHIBITED_CONTENT: no")
        let got = read(words("half") + block)
        #expect(got.end == "content_filter" && got.words == "half")
    }

    @Test(arguments: [
        "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "LANGUAGE",
    ])
    func `that a filter stops is a refusal that keeps the text`(reason: String) {
        let ratings =
            ",\"safetyRatings\":[{\"category\":\"HARM_CATEGORY_HARASSMENT\",\"probability\":\"LOW\"},{\"category\":\"HARM_CATEGORY_HATE_SPEECH\",\"probability\":\"HIGH\",\"blocked\":true}]"
        let got = read(words("half") + event("\"finishReason\":\"\(reason)\"\(ratings)"))
        #expect(got.end == "content_filter" && got.words == "half")
        #expect(got.finish?.detail == "\(reason) (HARM_CATEGORY_HATE_SPEECH)")
    }

    @Test func `without text and without a known reason is worth another try, or none`() {
        for reason in ["OTHER", "MALFORMED_FUNCTION_CALL", "NO_IMAGE", "MALFORMED_RESPONSE"] {
            let got = read(event("\"finishReason\":\"\(reason)\",\"finishMessage\":\"m\""))
            #expect(got.end == "failed upstream_protocol" && got.failure?.isRetryable == true)
            #expect(read(words("x") + event("\"finishReason\":\"\(reason)\"")).end == reason.lowercased())
        }
        for reason in ["UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE"] {
            let got = read(event("\"finishReason\":\"\(reason)\""))
            #expect(got.end == "failed upstream_protocol" && got.failure?.isRetryable == false)
        }
        let unknown = read(words("x") + event("\"finishReason\":\"NEW_ONE\",\"finishMessage\":\"why\""))
        #expect(unknown.end == "new_one" && unknown.finish?.detail == "why")
    }

    @Test func `counts in totals, each field's last value`() {
        func usage(_ json: String) -> String {
            "data: {\"candidates\":[{}],\"usageMetadata\":{\(json)}}\r\n\r\n"
        }
        let got = read(
            usage("\"promptTokenCount\":9,\"totalTokenCount\":9")
                + usage("\"promptTokenCount\":9,\"toolUsePromptTokenCount\":5,\"cachedContentTokenCount\":4")
                + usage("\"candidatesTokenCount\":3") + words("x", stop)
                + usage("\"promptTokenCount\":9,\"candidatesTokenCount\":7,\"thoughtsTokenCount\":55")
                + usage("\"thoughtsTokenCount\":60"))
        #expect(got.usage == Usage(inputTokens: 14, outputTokens: 67, cachedTokens: 4, reasoningTokens: 60))
    }

    @Test func `with the cap used up by thoughts is as long as they were`() {
        let got = read(
            event(
                "\"content\":{\"role\":\"model\"},\"finishReason\":\"MAX_TOKENS\"",
                ",\"usageMetadata\":{\"promptTokenCount\":9,\"thoughtsTokenCount\":64}"))
        #expect(got.end == "length" && got.content == "[]")
        #expect(got.usage == Usage(inputTokens: 9, outputTokens: 64, reasoningTokens: 64))
    }

    @Test func `keeps thoughts apart, and seals where they stood`() {
        let got = read(
            parts(#"{"text":"hm","thought":true}"#) + parts(#"{"text":"m","thought":true}"#) + words("one ")
                + parts(#"{"text":"two","thoughtSignature":"AB+/=="}"#) + words("three")
                + parts(#"{"text":"","thoughtSignature":"CD"}"#, stop))
        #expect(
            got.content
                == #"[{"type":"thought","text":"hmm","issuer":"me"},{"type":"text","text":"one two"},{"type":"thought","text":"","issuer":"me","signature":"AB+/=="},{"type":"text","text":"three"},{"type":"thought","text":"","issuer":"me","signature":"CD"}]"#
        )
    }

    @Test func `gives calls whole, with seals, whatever chunk ends it`() {
        let got = read(
            parts(
                #"{"functionCall":{"name":"f","args":{"q":[1,"}"]}},"thoughtSignature":"S="},{"functionCall":{"id":"x","name":"g"}},{"functionCall":{"name":"h","args":null}}"#
            )
                + event("\"finishReason\":\"STOP\""))
        #expect(
            got.content
                == #"[{"type":"tool_call","id":"call_1","name":"f","arguments":{"q":[1,"}"]},"issuer":"me","signature":"S="},{"type":"tool_call","id":"x","name":"g","arguments":{}},{"type":"tool_call","id":"call_3","name":"h","arguments":{}}]"#
        )
        #expect(got.end == "tool_calls")
    }

    @Test func `keeps the first candidate and lists the others`() {
        let both = #"{"content":{"parts":[{"text":"A"}]}},{"index":1,"content":{"parts":[{"text":"B"}]}}"#
        let got = read(
            "data: {\"candidates\":[\(both)]}\r\n\r\n"
                + event(#""index":1,"content":{"parts":[{"text":"b"}]},"finishReason":"MAX_TOKENS""#)
                + words("a", stop) + event(#""index":2,"finishReason":"SAFETY""#))
        #expect(got.words == "Aa" && got.end == "stop")
        #expect(got.finish?.alternatives.map(text) == [#"[{"type":"text","text":"Bb"}]"#])
    }

    @Test func `gives images, sounds and code as parts`() {
        let got = read(
            parts(
                #"{"inlineData":{"mimeType":"image/png","data":"iVBO"}},{"inlineData":{"mimeType":"audio/wav","data":"UklG"}},{"fileData":{"mimeType":"image/png","fileUri":"https://x/1"}}"#,
                stop))
        #expect(
            got.content
                == #"[{"type":"image","mimeType":"image/png","data":"iVBO"},{"type":"audio","mimeType":"audio/wav","data":"UklG"},{"type":"image","mimeType":"image/png","uri":"https://x/1"}]"#
        )
    }

    @Test func `joins a character whose halves came in two chunks`() {
        #expect(read(words(#"\ud83d"#) + words(#"\ude00!"#, stop)).words == "😀!")
        #expect(read(words(#"a\\\ud83d"#) + words(#"\ude00"#, stop)).words == "a\\😀")
        #expect(read(words(#"a\\ud83d"#) + words("b", stop)).words == #"a\ud83db"#)
        #expect(read(words(#"a\ud83d"#) + words("b", stop)).words == "a\u{FFFD}b")
    }

    @Test func `with a line of 300 KB reads it once`() {
        let long = String(repeating: "0123456789", count: 30_000)
        #expect(read(words(long) + words("!", stop)).words == long + "!")
    }

    @Test func `with bytes that are not UTF-8 goes on`() {
        let bytes = Array(words("a?b").utf8).map { $0 == 0x3F ? 0xFF : $0 } + Array(words("!", stop).utf8)
        #expect(StreamReading.of(bytes, dialect).words == "a\u{FFFD}b!")
    }

    @Test func `fails with what an error in it says, and keeps what came before (B037)`() {
        let bare =
            "{\r\n  \"error\": {\r\n    \"code\": 503,\r\n    \"message\": \"over}\\\"{loaded\",\r\n    \"status\": \"UNAVAILABLE\"\r\n  }\r\n}\r\n"
        let data =
            #"data: {"error":{"code":503,"message":"over}\"{loaded","status":"UNAVAILABLE"}}"# + "\r\n\r\n"
        for error in [bare, data, "[\(bare)]", "[\(bare)", ",\r\n\(bare)"] {
            let got = read(words("half") + error)
            #expect(got.end == "failed upstream_unavailable" && got.words == "half")
            #expect(got.failure?.message.hasSuffix(": over}\"{loaded") == true)
            #expect(got.failure?.isRetryable == true)
        }
    }

    @Test(arguments: [",\r\n", ",", "\r\n,\r\n", "\n"])
    func `without alt=sse is an array, whatever it calls itself`(comma: String) {
        let chunks = [words("a"), words("b", stop)].map { String($0.dropFirst(6).dropLast(2)) }
        let body = "[\(chunks.joined(separator: comma))\r\n]\r\n"
        #expect(read(body).words == "ab")
        #expect(read(body).end == "stop")
        let json = StreamReading.whole("[\(chunks.joined(separator: ","))]", dialect)
        #expect(json.words == "ab" && json.end == "stop")
        #expect(read("[\(chunks[0])").end == "failed interrupted")
    }

    @Test func `without alt=sse gives each element as soon as it is whole`() {
        var reader = dialect.reader(issuer: "me")
        let chunk = words("a").dropFirst(6).dropLast(2)
        #expect(reader.feed(Array("[\(chunk)\r\n".utf8)) == [Piece(.text, Array("a".utf8))])
    }

    @Test func `that is called JSON is one object, an array, an error or a stream after all`() {
        #expect(
            StreamReading.whole("\u{FEFF}" + String(words("a", stop).dropFirst(6)), dialect).end == "stop")
        #expect(StreamReading.whole(words("a") + words("b", stop), dialect).words == "ab")
        #expect(
            StreamReading.whole(#"[{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}]"#, dialect).end
                == "failed throttled")
        #expect(StreamReading.whole("<html>", dialect).failure?.message.contains("neither") == true)
        #expect(StreamReading.whole("", dialect).end == "failed upstream_protocol")
    }
}

@Suite struct `A recorded stream of Gemini` {
    private func recorded(_ name: String) throws -> StreamReading {
        StreamReading.of(try Fixtures.bytes("gemini-\(name).txt"), dialect)
    }

    @Test func `with a blocked prompt has no blank line at its end`() throws {
        let got = try recorded("prompt-blocked-safety")
        #expect(got.end == "content_filter" && got.content == "[]")
        #expect(got.finish?.detail == "the prompt was blocked: SAFETY (HARM_CATEGORY_HATE_SPEECH)")
    }

    @Test func `with a recitation ends without content and keeps its text`() throws {
        let got = try recorded("recitation-no-content")
        #expect(got.end == "content_filter" && got.words == "text1text2text3text4text5text6text7text8")
        #expect(got.usage == Usage(inputTokens: 9, outputTokens: 261))
    }

    @Test func `with empty parts goes on to its picture`() throws {
        let got = try recorded("empty-parts")
        #expect(got.words == "Here's a cute cartoon kitten playing with a ball of yarn for you! ")
        #expect(got.content.hasSuffix(#"AAElFTkSuQmCC"}]"#) && got.end == "stop")
    }

    @Test func `may have a finish message, or no parts at its end`() throws {
        #expect(try recorded("finish-message").words == "Hello world!")
        #expect(try recorded("finish-message").end == "stop")
        #expect(try recorded("no-content-parts").end == "stop")
        #expect(try recorded("no-content-parts").usage == Usage(inputTokens: 34, outputTokens: 1_370))
    }

    @Test func `with thoughts and a call keeps the seal byte for byte`() throws {
        let got = try recorded("thinking-call"), parts = Part.decode(Array(got.content.utf8))
        #expect(got.end == "tool_calls" && parts.count == 2)
        guard case .toolCall(let call) = parts[1], let seal = call.signature else {
            Issue.record("no sealed call")
            return
        }
        let bytes = text(try Fixtures.bytes("gemini-thinking-call.txt"))
        #expect(call.name == "now" && seal.hasPrefix("CiIBVKhc7vB+") && bytes.contains("\"\(seal)\""))
        #expect(got.usage == Usage(inputTokens: 38, outputTokens: 174, reasoningTokens: 168))
    }

    @Test func `that ran code has it as text`() throws {
        let got = try recorded("code-execution")
        #expect(got.words.contains("```python\nprime_numbers = [2, 3, 5, 7, 11]"))
        #expect(got.words.hasSuffix("The sum of the first 5 prime numbers is 28."))
        #expect(got.usage == Usage(inputTokens: 264, outputTokens: 221, reasoningTokens: 95))
    }

    @Test func `that was cancelled fails, though each chunk before said STOP`() throws {
        let got = try recorded("error-mid-stream")
        #expect(got.end == "failed upstream_unavailable" && got.words == "First Second ")
        #expect(got.failure?.status == 499 && got.failure?.isRetryable == true)
    }
}
