internal import ContextWindow
internal import Conversation
internal import TestSupport
internal import Testing
internal import Upstream

private let blanks = [
    "", " ", "\n\t\r", "\u{3000}", "\u{A0}", "\u{85}", "\u{2028}", "\u{200B}", "\u{FEFF}", "\u{1C} \u{2003}",
]

@Suite struct `Text that says nothing` {
    private func window(_ blank: String) throws -> Window {
        let drafts: [(Message.Role, [Part])] = [
            (.user, [.text("go"), .text(blank)]), (.assistant, [.text(blank), Request.call("c", "f")]),
            (
                .tool,
                [
                    Request.result(
                        "c", "\"\(blank.unicodeScalars.allSatisfy { $0.value >= 0x20 } ? blank : " ")\"")
                ]
            ),
            (.assistant, [.text(blank)]), (.system, [.text(blank)]), (.user, [.text("on")]),
        ]
        let messages = drafts.enumerated().map {
            Message(
                id: MessageID(high: 0, low: UInt64($0 + 1)), seq: $0 + 1, role: $1.0, createdAt: 0, tokens: 9,
                content: Part.encode($1.1))
        }
        return try Window.cut(
            History(messages: messages), system: blank, policy: WindowPolicy(), budget: 10_000)
    }

    @Test(arguments: blanks) func `goes out to nobody, at no place, in no dialect`(blank: String) throws {
        let window = try window(blank)
        #expect(window.system == nil)
        let dialects: [any Dialect] = [
            OpenAIDialect(base: "https://example.org/v1"), AnthropicDialect(base: ""),
            GeminiDialect(base: ""),
        ]
        for dialect in dialects {
            let messages = window.outgoing(for: dialect.rules(issuer: "me"))
            for part in messages.flatMap(\.parts) {
                if case .text(let text) = part { #expect(text == "go" || text == "on", "\(part)") }
            }
            let body = dialect.body(for: try Request.of(messages, system: window.system), dialect.quirks)
            #expect(!String(decoding: body, as: UTF8.self).contains("system\""), "\(type(of: dialect))")
        }
    }

    @Test(arguments: blanks) func `is no content of a tool's result for Anthropic`(blank: String) throws {
        let dialect = AnthropicDialect(base: "")
        let body = dialect.body(
            for: try Request.of(try window(blank).outgoing(for: dialect.rules(issuer: "me"))), dialect.quirks)
        let result = String(decoding: body, as: UTF8.self)
        #expect(result.contains(#"{"type":"tool_result","tool_use_id":"c"}"#), "\(result)")
    }

    @Test func `of a call that failed is a word all the same, since Anthropic refuses an error without one`()
        throws
    {
        let dialect = AnthropicDialect(base: "")
        let messages = [
            Request.user(.text("go")), Request.model(Request.call("c", "f")),
            Request.tool(Request.result("c", "\"\"", isError: true)), Request.user(.text("on")),
        ]
        let body = String(
            decoding: dialect.body(for: try Request.of(messages), dialect.quirks), as: UTF8.self)
        #expect(body.contains(#""content":"the call failed without a word","is_error":true"#), "\(body)")
    }

    @Test(arguments: ["a", "\u{3000}a", "。", "👍", "\u{200D}"]) func `is nothing that has a sign in it`(
        words: String
    ) throws {
        let message = Message(
            id: MessageID(high: 0, low: 1), seq: 1, role: .user, createdAt: 0, tokens: 9,
            content: Part.encode([.text(words)]))
        let window = try Window.cut(
            History(messages: [message]), system: words, policy: WindowPolicy(), budget: 10_000)
        #expect(window.system == words && window.outgoing(for: .openAI).first?.parts == [.text(words)])
    }
}
