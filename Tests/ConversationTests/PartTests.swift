import Conversation
import JSON
import TestSupport
import Testing

/// What reading a part gives: the part, or the reason for which it is none.
private func read(_ source: String) throws -> Result<Part, PartError> {
    let view = try Fixtures.json(source)
    do throws(PartError) { return .success(try Part(checking: view)) } catch { return .failure(error) }
}

private let resource = #"{"type":"resource","resource":{"uri":"file:///a","text":"x","more":1.0}}"#
private let binary = #"{"type":"resource","resource":{"uri":"file:///a","blob":"AA=="}}"#
private let link = #"{"type":"resource_link","uri":"file:///a","name":"a","size":7}"#

@Suite struct `A part` {
    static let written: [(String, Part)] = [
        (#"{"type":"text","text":"a\nb"}"#, .text("a\nb")),
        (#"{"type":"text","text":""}"#, .text("")),
        (#"{"type":"thought","text":"hm"}"#, .thought(text: "hm", issuer: nil, signature: nil)),
        (
            #"{"type":"thought","text":"hm","issuer":"gemini","signature":"s=="}"#,
            .thought(text: "hm", issuer: "gemini", signature: "s==")
        ),
        (
            #"{"type":"image","mimeType":"image/png","data":"AA=="}"#,
            .image(mimeType: "image/png", data: "AA==", uri: nil)
        ),
        (
            #"{"type":"image","mimeType":"image/png","uri":"file:///a"}"#,
            .image(mimeType: "image/png", data: nil, uri: "file:///a")
        ),
        (
            #"{"type":"audio","mimeType":"audio/wav","data":"AA=="}"#,
            .audio(mimeType: "audio/wav", data: "AA==")
        ),
        (resource, .resource(uri: "file:///a", text: "x", raw: Array(resource.utf8))),
        (binary, .resource(uri: "file:///a", text: nil, raw: Array(binary.utf8))),
        (link, .resourceLink(uri: "file:///a", name: "a", raw: Array(link.utf8))),
        (
            #"{"type":"tool_call","id":"c","name":"n","arguments":{"q": 1.50}}"#,
            .toolCall(Part.ToolCall(id: "c", name: "n", arguments: Array(#"{"q": 1.50}"#.utf8)))
        ),
        (
            #"{"type":"tool_call","id":"c","name":"n","arguments":"{broken"}"#,
            .toolCall(Part.ToolCall(id: "c", name: "n", arguments: Array(#""{broken""#.utf8)))
        ),
        (
            #"{"type":"tool_result","toolCallId":"c","content":[{"type":"text","text":"x"}]}"#,
            .toolResult(
                Part.ToolResult(
                    callID: "c", content: Array(#"[{"type":"text","text":"x"}]"#.utf8), isError: false))
        ),
        (
            #"{"type":"tool_result","toolCallId":"c","content":"no","isError":true}"#,
            .toolResult(Part.ToolResult(callID: "c", content: Array(#""no""#.utf8), isError: true))
        ),
    ]

    @Test(arguments: written) func `is read`(_ source: String, _ part: Part) throws {
        #expect(try read(source) == .success(part))
    }

    @Test(arguments: written) func `is written as it was read`(_ source: String, _ part: Part) {
        #expect(text(Part.encode([part])) == "[\(source)]")
    }

    @Test(arguments: [
        ("1", "a part must be an object"), ("[]", "a part must be an object"),
        ("{}", "a part needs a 'type'"), (#"{"type":1}"#, "a part needs a 'type'"),
        (#"{"type":"x"}"#, "'x' is no type of part"),
        (#"{"type":"text"}"#, "a 'text' part needs 'text' as a string"),
        (#"{"type":"text","text":null}"#, "a 'text' part needs 'text' as a string"),
        (#"{"type":"thought"}"#, "a 'thought' part needs 'text' as a string"),
        (#"{"type":"image","mimeType":"x"}"#, "an 'image' part needs 'data' or 'uri'"),
        (#"{"type":"image","data":"x"}"#, "a 'image' part needs 'mimeType' as a string"),
        (#"{"type":"audio","mimeType":"x"}"#, "a 'audio' part needs 'data' as a string"),
        (
            #"{"type":"resource","uri":"x"}"#,
            "a 'resource' part needs 'resource' with 'uri' and 'text' or 'blob'"
        ),
        (
            #"{"type":"resource","resource":{"uri":"x"}}"#,
            "a 'resource' part needs 'resource' with 'uri' and 'text' or 'blob'"
        ),
        (#"{"type":"resource_link","uri":"x"}"#, "a 'resource_link' part needs 'name' as a string"),
        (#"{"type":"tool_call","id":"c","name":"n"}"#, "a 'tool_call' part needs 'arguments'"),
        (
            #"{"type":"tool_call","id":7,"name":"n","arguments":{}}"#,
            "a 'tool_call' part needs 'id' as a string"
        ),
        (#"{"type":"tool_result","toolCallId":"c"}"#, "a 'tool_result' part needs 'content'"),
        (
            #"{"type":"tool_result","toolCallId":"c","content":"","isError":1}"#,
            "'isError' must be true or false"
        ),
    ])
    func `that is none is refused with the reason`(_ source: String, _ reason: String) throws {
        #expect(try read(source) == .failure(PartError(reason)))
    }

    @Test func `of a type from the future is left out of a stored message`() {
        let content = Array(
            #"[{"type":"text","text":"a"},{"type":"hologram"},5,{"type":"text","text":"b"}]"#.utf8)
        #expect(Part.decode(content) == [.text("a"), .text("b")])
        #expect(Part.decode(Array("{".utf8)) == [])
        #expect(Part.decode(Array("{}".utf8)) == [])
    }

    @Test(arguments: [(#"{"q": 1}"#, #"{"q": 1}"#), (#""{\"q\":""#, #"{"q":"#), ("7", "7")])
    func `that calls a tool gives its arguments as text`(_ raw: String, _ expected: String) {
        #expect(Part.ToolCall(id: "c", name: "n", arguments: Array(raw.utf8)).argumentText == expected)
    }

    @Test(arguments: [
        (#""18C""#, "18C"), (#"[{"type":"text","text":"a"},{"type":"text","text":"b"}]"#, "ab"), ("[]", ""),
        (#"{"t": 18}"#, #"{"t": 18}"#),
        (#"[{"type":"image"}]"#, #"[{"type":"image"}]"#), ("null", "null"),
    ])
    func `that answers a tool gives its text`(_ raw: String, _ expected: String) {
        #expect(Part.ToolResult(callID: "c", content: Array(raw.utf8), isError: false).text == expected)
    }

    @Test func `with any text comes back`() {
        var random = SeededRandom()
        for _ in 0..<300 {
            let parts: [Part] = [
                .text(random.text(20)),
                .thought(text: random.text(9), issuer: random.text(3), signature: random.text(3)),
                .toolCall(
                    Part.ToolCall(id: random.text(4), name: random.text(4), arguments: Array("{}".utf8))),
            ]
            #expect(Part.decode(Part.encode(parts)) == parts, "\(random)")
        }
    }
}

@Suite struct `A suggested title` {
    @Test(
        arguments: [
            ("hello", "hello"), ("\n \r\n  two  words \nrest", "two words"), ("a\r\nb", "a"), ("a\rb", "a"),
            ("\ttab\u{7F}bed", "tab bed"), ("", nil),
            (" \n\n", nil), (String(repeating: "好", count: 80), String(repeating: "好", count: 80)),
            (String(repeating: "好", count: 81), String(repeating: "好", count: 79) + "…"),
            (String(repeating: "👩‍👩‍👧", count: 81), String(repeating: "👩‍👩‍👧", count: 79) + "…"),
        ] as [(String, String?)])
    func `is the first line with text`(_ text: String, _ title: String?) {
        #expect(suggestedTitle(for: [.text(text)]) == title)
    }

    @Test func `is cut between characters, however many bytes they have`() throws {
        for bytes in 3_995...4_010 {
            let title = try #require(
                suggestedTitle(for: [
                    .text(
                        String(repeating: "a", count: bytes % 4) + "e"
                            + String(repeating: "\u{301}", count: bytes / 2))
                ]))
            #expect(!title.unicodeScalars.contains("\u{FFFD}") && title.utf8.count <= 4_100)
        }
        #expect(
            suggestedTitle(for: [.text("ab" + "e" + String(repeating: "\u{301}", count: 5_000))]) == "ab…")
    }

    @Test func `passes over parts without text`() {
        let image = Part.image(mimeType: "image/png", data: "", uri: nil)
        #expect(suggestedTitle(for: [image, .text(" "), .text("b")]) == "b")
        #expect(suggestedTitle(for: [image]) == nil)
        #expect(suggestedTitle(for: []) == nil)
    }
}
