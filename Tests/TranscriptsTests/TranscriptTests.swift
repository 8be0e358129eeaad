import Conversation
import JSON
import Testing
import Transcripts

/// Texts that writers of JSON lines and of Markdown have broken before (B173).
private let nasty = [
    "line\nfeed", "carriage\rreturn", "both\r\nof them", "separator\u{2028}and\u{2029}", "nul\u{0}inside",
    "tab\tand \"quotes\"",
    "back\\slash", "```\nfence\n````", "e\u{301} 你好 👩‍👩‍👧 🇨🇳", "\u{FEFF}mark", " \n", "\u{85}next line",
    "\u{7F}\u{1B}[31m",
]

private func message(_ role: Message.Role, _ parts: [Part], status: Message.Status = .complete) -> Message {
    Message(
        id: MessageID(high: 0x0193_0000_0000_7000, low: 0x8000_0000_0000_0002),
        parentID: MessageID(high: 0x0193_0000_0000_7000, low: 0x8000_0000_0000_0001), seq: 2, role: role,
        status: status,
        turnID: TurnID(high: 1, low: 2), createdAt: 1_764_050_400_123, tokens: 7, content: Part.encode(parts))
}

private func session() -> Session {
    let id = SessionID("trip") ?? SessionID(ID(high: 0, low: 0))
    var session = Session(id: id, owner: 1000, cwd: "/home/a", createdAt: 1_764_050_400_000)
    session.title = "巴黎 ☔"
    session.system = "Be brief.\nBe kind."
    session.tags = ["convo", "旅行"]
    session.metadata = Array("{\n  \"n\": 1.50\r\n}".utf8)
    return session
}

/// One message of every kind that a session can hold.
private func everyKind() -> [Message] {
    let call = Part.ToolCall(
        id: "call_1", name: "get_weather", arguments: Array(#"{"city":"巴黎","unit":"```"}"#.utf8))
    let failed = Part.ToolResult(callID: "call_2", content: Array(#""no""#.utf8), isError: true)
    var pinned = message(.user, [.text("巴黎天气？"), .image(mimeType: "image/png", data: "AAAA", uri: nil)])
    pinned.isPinned = true
    pinned.metadata = Array(#"{"from":"test"}"#.utf8)
    var excluded = message(.assistant, [.text("18 ")], status: .interrupted)
    excluded.isExcluded = true
    return [
        pinned,
        message(
            .assistant, [.thought(text: "ask\nfirst", issuer: "openai", signature: nil), .toolCall(call)]),
        message(
            .tool,
            [
                .toolResult(
                    Part.ToolResult(
                        callID: "call_1", content: Array(#"[{"type":"text","text":"18C"}]"#.utf8),
                        isError: false)),
                .toolResult(failed),
            ]),
        excluded,
    ]
}

@Suite struct `A trace record` {
    let writer = Records(.jsonl)

    @Test(arguments: nasty) func `gives text back byte for byte (B173)`(_ text: String) throws {
        let record = writer.record(of: message(.user, [.text(text)]))
        #expect(!record.contains(0x0A) && !record.contains(0x0D))
        let view = try JSONDocument(record).root
        #expect(view["message"]?["content"]?.utf8 == Array(text.utf8))
        #expect(view["parts"] == nil)  // one plain text says everything in `content`
    }

    @Test(arguments: nasty) func `keeps parts that are more than one plain text, raw`(_ text: String) throws {
        let content = Part.encode([.text(text), .text("")])
        let view = try JSONDocument(writer.record(of: message(.user, [.text(text), .text("")]))).root
        #expect(view["parts"].map { Array($0.raw) } == content)
        let spaced = Array(#"[ {"type":"text","text":"x"} ]"#.utf8)
        var other = message(.user, [])
        other.content = spaced
        #expect(try JSONDocument(writer.record(of: other)).root["parts"].map { Array($0.raw) } == spaced)
    }

    @Test(arguments: nasty) func `holds every kind of part on one valid line`(_ text: String) throws {
        var all = everyKind()
        all.append(message(.assistant, [.thought(text: text, issuer: text, signature: text)]))
        for one in all {
            let record = writer.record(of: one)
            #expect(!record.contains(0x0A))
            #expect(try JSONDocument(record).root["type"]?.string == "message")
        }
    }

    @Test func `keeps raw JSON of clients on one line`() throws {
        let view = try JSONDocument(writer.header(of: session())).root
        #expect(view["metadata"].map { String(decoding: $0.raw, as: UTF8.self) } == "{   \"n\": 1.50  }")
    }

    @Test func `of a tool message names the first call`() throws {
        let view = try JSONDocument(writer.record(of: everyKind()[2])).root["message"]
        #expect(view?["toolCallId"]?.string == "call_1")
        #expect(view?["content"]?.string == "18C\nno")
    }

    @Test func `carries the arguments of a call as a string`() throws {
        let call = try JSONDocument(writer.record(of: everyKind()[1])).root["message"]?["toolCalls"]?.elements
            .first { _ in true }
        #expect(call?["function"]?["arguments"]?.string == #"{"city":"巴黎","unit":"```"}"#)
    }
}

@Suite struct `A Markdown record` {
    let writer = Records(.markdown)

    @Test(arguments: nasty) func `holds text verbatim`(_ text: String) {
        let record = writer.record(of: message(.user, [.text(text)]))
        #expect(record.suffix(text.utf8.count).elementsEqual(text.utf8))
    }

    @Test func `fences with more backticks than the text has`() {
        let record = String(decoding: writer.record(of: everyKind()[1]), as: UTF8.self)
        #expect(record.hasSuffix("````json\n{\"city\":\"巴黎\",\"unit\":\"```\"}\n````"))
    }

    @Test func `keeps a title with line ends on its line`() {
        var session = session()
        session.title = "a\r\n# b"
        #expect(
            String(decoding: writer.header(of: session), as: UTF8.self).unicodeScalars.starts(
                with: "# a  # b\n".unicodeScalars))
    }
}

private func transcript(_ format: TranscriptFormat) -> String {
    let writer = Records(format)
    let records = [writer.header(of: session())] + everyKind().map { writer.record(of: $0) }
    return String(decoding: records.flatMap { $0 + [0x0A] }, as: UTF8.self)
}

@Suite struct `A whole transcript` {
    @Test func `in JSON lines is as it was (B047)`() { #expect(transcript(.jsonl) == goldenTrace) }
    @Test func `in Markdown is as it was (B047)`() { #expect(transcript(.markdown) == goldenMarkdown) }
}
