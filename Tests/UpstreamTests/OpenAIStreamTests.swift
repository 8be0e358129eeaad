internal import Conversation
internal import TestSupport
internal import Testing
internal import Upstream

/// Reads a stream cut into pieces of one size; the text, the calls as JSON, and how it ended.
private func read(_ body: String, cut size: Int = .max) -> (text: String, parts: [String], end: String) {
    var stream = OpenAIStream()
    var pieces: [Piece] = []
    let bytes = Array(body.utf8)
    var at = 0
    while at < bytes.count {
        let end = size == .max ? bytes.count : min(at + size, bytes.count)
        pieces += stream.feed(Array(bytes[at..<end]))
        at = end
    }
    let (rest, last) = stream.finish()
    pieces += rest
    let words = String(decoding: pieces.filter { $0.kind == .text }.flatMap(\.bytes), as: UTF8.self)
    let ending =
        switch last {
        case .finished(let finish): finish.reason
        case .failed(let failure): "failed \(failure.kind.rawValue)"
        case .pieces, .retrying: "pieces"
        }
    return (words, pieces.filter { $0.kind == .part }.map { text($0.bytes) }, ending)
}

private func delta(_ json: String, _ finish: String = "null") -> String {
    "data: {\"choices\":[{\"index\":0,\"delta\":\(json),\"finish_reason\":\(finish)}]}\n\n"
}

@Suite struct `A stream of Chat Completions` {
    @Test func `gives the same text however its bytes are cut (B028)`() {
        let body =
            ": OPENROUTER PROCESSING\n\n" + delta(#"{"role":"assistant","content":""}"#)
            + delta(#"{"content":"你好"}"#) + ":\r\n\r\n"
            + delta(#"{"content":"🌍 \u00e9"}"#).replacingLineEnds + delta("{}", "\"stop\"")
            + "data: [DONE]\n\n"
        for size in 1...body.utf8.count { #expect(read(body, cut: size) == ("你好🌍 é", [], "stop")) }
    }

    @Test(arguments: ["\n\n", "\n", ""]) func `counts its last event with whatever stands behind it (B034)`(
        end: String
    ) {
        let last = String(delta("{}", "\"stop\"").dropLast(2))
        #expect(read(delta(#"{"content":"x"}"#) + last + end) == ("x", [], "stop"))
    }

    @Test func `is whole with [DONE] alone or a finish reason alone, and cut with neither`() {
        let words = delta(#"{"content":"x"}"#)
        #expect(read(words).end == "failed interrupted")
        #expect(read(words + "data: [DONE]\n\n").end == "stop")
        #expect(read(words + delta("{}", "\"stop\"")).end == "stop")
        #expect(read("").end == "failed upstream_protocol")
        #expect(read("data: [DONE]\n\n").end == "failed upstream_protocol")
    }

    @Test func `joins halves of a character that came in two events (B052)`() {
        let end = delta("{}", "\"stop\"")
        #expect(read(delta(#"{"content":"\ud83d"}"#) + delta(#"{"content":"\ude00!"}"#) + end).text == "😀!")
        #expect(
            read(delta(#"{"content":"a\ud83d"}"#) + delta(#"{"content":"b"}"#) + end).text == "a\u{FFFD}b")
        #expect(read(delta(#"{"content":"\ud83d"}"#) + end).text == "\u{FFFD}")
    }

    @Test func `may have chunks without choices, first or last (B038)`() {
        let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\ndata: {\"usage\":null}\n\n"
        #expect(read(usage + delta(#"{"content":"x"}"#) + delta("{}", "\"stop\"") + usage).text == "x")
    }

    @Test func `joins calls by index, by ID, or to the last one (B050)`() {
        let end = delta("{}", "\"tool_calls\"")
        let byIndex =
            delta(
                #"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"q\":"}},{"index":1,"id":"b","function":{"name":"g","arguments":"{}"}}]}"#
            )
            + delta(#"{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]}"#)
        #expect(
            read(byIndex + end).parts == [
                #"{"type":"tool_call","id":"a","name":"f","arguments":{"q":1}}"#,
                #"{"type":"tool_call","id":"b","name":"g","arguments":{}}"#,
            ])
        let without =
            delta(#"{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{\"q\":"}}]}"#)
            + delta(#"{"tool_calls":[{"function":{"arguments":"1}"}}]}"#)
        #expect(
            read(without + end).parts == [#"{"type":"tool_call","id":"a","name":"f","arguments":{"q":1}}"#])
        let two =
            delta(#"{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]}"#)
            + delta(#"{"tool_calls":[{"id":"b","function":{"name":"f","arguments":"{}"}}]}"#)
        #expect(read(two + end).parts.count == 2)
    }

    @Test func `keeps arguments that are broken JSON as text`() {
        let call = delta(
            #"{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{oops"}}]}"#)
        #expect(
            read(call + delta("{}", "\"stop\"")).parts == [
                #"{"type":"tool_call","id":"a","name":"f","arguments":"{oops"}"#
            ])
    }

    @Test(arguments: [
        (
            #"data: {"error":{"message":"Overloaded","type":"overloaded_error"}}"#,
            "failed upstream_unavailable"
        ),
        (#"data: {"error":"context size has been exceeded"}"#, "failed context_overflow"),
        (#"error: {"message":"slot unavailable","code":503}"#, "failed upstream_unavailable"),
        (#"data: {"error":{"code":429,"message":"slow down"}}"#, "failed throttled"),
        ("data: {not json}", "failed upstream_protocol"),
        (String(repeating: "[", count: 1100), "failed upstream_protocol"),
        ("<html>502</html>", "failed upstream_protocol"),
    ]) func `with an error in it fails with its kind (B037)`(event: String, end: String) {
        #expect(read(event + "\n\n").end == end)
    }

    @Test func `keeps its thoughts apart from its text`() {
        var stream = OpenAIStream()
        let pieces = stream.feed(
            Array(
                (delta(#"{"reasoning_content":"hm"}"#) + delta(#"{"reasoning":"m"}"#)
                    + delta(#"{"content":"x"}"#)).utf8))
        #expect(
            pieces == [
                Piece(.thought, Array("hm".utf8)), Piece(.thought, Array("m".utf8)),
                Piece(.text, Array("x".utf8)),
            ])
    }

    @Test func `may be one JSON object when the server does not stream`() {
        var stream = OpenAIStream()
        let (pieces, end) = stream.takeWhole(
            Array(
                "\n\n {\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"hi\"},\"finish_reason\":\"stop\"}]}"
                    .utf8))
        #expect(pieces == [Piece(.text, Array("hi".utf8))])
        #expect(end == .finished(Turn.Finish(reason: "stop")))
    }
}

extension String {
    /// With CRLF for LF.
    fileprivate var replacingLineEnds: String {
        split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")
    }
}

@Suite struct `Server-sent events` {
    @Test func `are one event when a CRLF is cut in two (B031)`() {
        var parser = EventStreamParser()
        let chunks = ["data: A\r\n", "data: B\r", "\ndata: C\r\n", "\r\n"]
        #expect(
            chunks.flatMap { parser.feed(Array($0.utf8)) } == [.event(type: "", data: Array("A\nB\nC".utf8))])
    }

    @Test func `may end their lines with CR alone (B032)`() {
        var parser = EventStreamParser()
        #expect("data: x\r\r".utf8.flatMap { parser.feed([$0]) } == [.event(type: "", data: [0x78])])
    }

    @Test func `may begin with a byte order mark and blank lines, and hold U+2028`() {
        var parser = EventStreamParser()
        let bytes = [0xEF, 0xBB, 0xBF] + Array("\n\ndata:a\u{2028}b\n\n".utf8)
        #expect(bytes.flatMap { parser.feed([$0]) } == [.event(type: "", data: Array("a\u{2028}b".utf8))])
    }

    @Test func `are refused past their limit, and reading goes on`() {
        var parser = EventStreamParser(limit: 100)
        #expect(parser.feed([UInt8](repeating: 0x61, count: 200)) == [.tooLong])
    }
}

@Suite struct `Waiting before another try` {
    @Test(arguments: [
        ("3", 3_000), ("2.5", 2_500), ("0", 0), ("Wed, 25 Nov 2026 06:00:03 GMT", 3_000),
        ("Wed, 25 Nov 2026 05:00:00 GMT", 0), ("86400", 86_400_000),
    ]) func `takes what the server names (B143)`(header: String, milliseconds: Int) {
        #expect(RetryAfter.milliseconds(["retry-after": header], now: 1_795_586_400_000) == milliseconds)
    }

    @Test(arguments: ["-1", "abc", "", "nan", "Wed, 99 Foo 2026 06:00:03 GMT"])
    func `ignores what cannot be read (B143)`(header: String) {
        #expect(RetryAfter.milliseconds(["retry-after": header], now: 0) == nil)
    }
}

@Suite struct `What a server says when it fails` {
    @Test(arguments: [
        (
            400,
            #"{"error":{"message":"This model's maximum context length is 8192 tokens","code":"context_length_exceeded"}}"#,
            "context_overflow", false
        ),
        (
            400, #"{"error":{"message":"x","type":"exceed_context_size_error","n_ctx":4096}}"#,
            "context_overflow", false
        ),
        (
            400, #"{"object":"error","message":"maximum context length is 2048","code":400}"#,
            "context_overflow", false
        ),
        (
            400, #"{"error":{"message":"too long","code":"string_above_max_length"}}"#, "upstream_refused",
            false
        ),
        (429, #"{"error":{"message":"Rate limit reached","code":"rate_limit_exceeded"}}"#, "throttled", true),
        (429, #"{"error":{"message":"quota","type":"insufficient_quota"}}"#, "quota", false),
        (401, #"{"error":{"message":"bad key"}}"#, "upstream_auth", false),
        (404, #"{"error":{"message":"no model","code":"model_not_found"}}"#, "upstream_refused", false),
        (422, #"{"detail":[{"loc":["body"],"msg":"field required"}]}"#, "upstream_refused", false),
        (503, "<html>busy</html>", "upstream_unavailable", true),
        (529, "", "upstream_unavailable", true),
        (500, #"{"error":"plain words"}"#, "upstream_unavailable", true),
    ]) func `is put into one of our kinds`(status: Int, body: String, kind: String, isRetryable: Bool) {
        let failure = FailureClassifier.failure(FailureReport(status: status, body: Array(body.utf8)))
        #expect(failure.kind.rawValue == kind)
        #expect(failure.isRetryable == isRetryable)
    }

    @Test func `is one line without anything like a key`() {
        let said = FailureReport.clean("bad\nkey sk-abc123 and Bearer xyz AIzaSy9 \u{7}end")
        #expect(said == "bad key … and … … … end")
    }
}
