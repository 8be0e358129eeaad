internal import ContextWindow
internal import Conversation
internal import JSON
internal import TestSupport
internal import Testing
internal import Upstream

private let openAI = OpenAIDialect(base: "https://example.org/v1")

private func calls(_ calls: String..., finish: String = "tool_calls") -> String {
    calls.map { "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[\($0)]}}]}\n\n" }.joined()
        + "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"\(finish)\"}]}\n\ndata: [DONE]\n\n"
}

/// The calls of an answer as `ID name arguments`.
private func read(_ text: String) -> [String] {
    let answer = StreamReading.of(text, openAI)
    return Part.decode(Array(answer.content.utf8)).compactMap { part in
        guard case .toolCall(let call) = part else { return nil }
        return "\(call.id) \(call.name) \(text_(call.arguments))"
    }
}

private func text_(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

@Suite struct `Fragments of tool calls` {
    @Test func `with another ID at a known index go on with a call that is not whole and bring no name`() {
        #expect(
            read(
                calls(
                    #"{"index":0,"id":"a","function":{"name":"f","arguments":"{\"q\":"}}"#,
                    #"{"index":0,"id":"b","function":{"arguments":"\"x}\"}"}}"#)) == [#"a f {"q":"x}"}"#])
        #expect(
            read(
                calls(
                    #"{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}"#,
                    #"{"index":0,"id":"b","function":{"arguments":"{\"q\":1}"}}"#,
                    #"{"index":0,"id":"b","function":{"name":"g"}}"#)) == [#"a f {}"#, #"b g {"q":1}"#])
        #expect(
            read(
                calls(
                    #"{"index":0,"id":"a","function":{"name":"f","arguments":"{\"q\":"}}"#,
                    #"{"index":0,"id":"b","function":{"name":"g","arguments":"{}"}}"#))
                == [#"a f "{\"q\":""#, "b g {}"])
    }

    @Test func `give a name in pieces, or the whole of it each time`() {
        #expect(
            read(
                calls(
                    #"{"index":0,"id":"a","function":{"name":"get_"}}"#,
                    #"{"index":0,"function":{"name":"weather","arguments":"{}"}}"#)) == ["a get_weather {}"])
        #expect(
            read(
                calls(
                    #"{"index":0,"id":"a","function":{"name":"f","arguments":"{\"q\""}}"#,
                    #"{"index":0,"id":"a","function":{"name":"f","arguments":":1}"}}"#)) == [#"a f {"q":1}"#])
    }

    @Test func `without index and ID are calls of their own where they are whole`() {
        #expect(
            read(
                calls(
                    #"{"function":{"name":"f","arguments":"{}"}},{"function":{"name":"f","arguments":"{\"q\":1}"}}"#
                )) == ["call_1 f {}", #"call_2 f {"q":1}"#])
    }
}

@Suite struct `Arguments that are no JSON object` {
    /// What a cut answer leaves, what a model may send all the same, and what must not be touched.
    static let broken = [#""{\"q\":""#, #""""#, "[1]", "null", "5", #""text""#]

    private func window(_ arguments: String) throws -> Window {
        let parts = [Request.call("c1", "f", arguments), Request.call("c2", "g", #"{"q": 1}"#)]
        let messages = [(Message.Role.user, [Part.text("go")]), (.assistant, parts)].enumerated().map {
            Message(
                id: MessageID(high: 0, low: UInt64($0 + 1)), seq: $0 + 1, role: $1.0, createdAt: 0, tokens: 9,
                content: Part.encode($1.1))
        }
        return try Window.cut(
            History(messages: messages), system: nil, policy: WindowPolicy(), budget: 10_000)
    }

    @Test func `but a string that holds one go out as that one`() throws {
        let window = try window(#""{\"a\":\n1}""#.replacing("\\n", with: "\\n"))
        let gated = window.gated(for: openAI.rules(issuer: "me"))
        let body = text_(openAI.body(for: try Request.of(gated.messages), openAI.quirks))
        #expect(body.contains(#""name":"f","arguments":"{\"a\": 1}""#), "\(body)")
        #expect(gated.mapped.arguments == 0)
    }

    @Test(arguments: broken) func `go out as an empty one in every dialect`(arguments: String) throws {
        let window = try window(arguments)
        func body(_ dialect: any Dialect) throws -> String {
            text_(
                dialect.body(
                    for: try Request.of(window.outgoing(for: dialect.rules(issuer: "me"))), dialect.quirks))
        }
        let chat = try body(openAI)
        #expect(chat.contains(#""name":"f","arguments":"{}""#) && chat.contains(#""arguments":"{\"q\": 1}""#))
        let messages = try body(AnthropicDialect(base: ""))
        #expect(messages.contains(#""name":"f","input":{}"#) && messages.contains(#""input":{"q": 1}"#))
        let contents = try body(GeminiDialect(base: ""))
        #expect(contents.contains(#""name":"f","args":{}"#) && contents.contains(#""args":{"q": 1}"#))
        for kind in UpstreamKinds.standard.dialects {
            var writer = JSONWriter()
            kind.messages?(window.outgoing(for: kind.rules), nil, &writer)
            #expect(!text_(writer.bytes).contains(#""{\"#) || [.openai, .ollama].contains(kind))
            #expect(!text_(writer.bytes).contains(#""arguments":"{\"q\":""#.dropLast() + "\""))
        }
    }
}
