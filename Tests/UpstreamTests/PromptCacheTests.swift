internal import Conversation
internal import JSON
internal import Testing
internal import Upstream

@Suite struct `A provider's prompt cache` {
    private func body(_ dialect: some Dialect, key: String? = "k") throws -> String {
        var request = ModelRequest(
            model: "m", system: "s", messages: [OutgoingMessage(role: .user, parts: [.text("u")])],
            parameters: ModelParameters())
        request.cacheKey = key
        return String(decoding: dialect.body(for: request, Quirks()), as: UTF8.self)
    }

    @Test func `of Anthropic is asked for five minutes, an hour or not at all`() throws {
        let plain = #""cache_control":{"type":"ephemeral"}"#,
            hour = #""cache_control":{"type":"ephemeral","ttl":"1h"}"#
        #expect(try body(AnthropicDialect(base: "")).ranges(of: plain).count == 2)
        let long = try body(AnthropicDialect(base: "", cache: .hour))
        #expect(long.ranges(of: hour).count == 2 && !long.contains(plain))
        #expect(try !body(AnthropicDialect(base: "", cache: .none)).contains("cache_control"))
    }

    @Test func `is not bought for a request that nothing like it follows`() {
        var request = ModelRequest(
            model: "m", system: "s", messages: [OutgoingMessage(role: .user, parts: [.text("u")])],
            parameters: ModelParameters())
        request.isAlone = true
        let body = AnthropicDialect(base: "", cache: .hour).body(for: request, Quirks())
        #expect(!String(decoding: body, as: UTF8.self).contains("cache_control"))
    }

    @Test func `of OpenAI is told which conversation it is, and no other server unless that takes it`() throws
    {
        let member = #""prompt_cache_key":"k""#
        #expect(try body(OpenAIDialect(base: "https://api.openai.com/v1")).contains(member))
        #expect(try body(OpenAIDialect(base: "http://gateway/v1", takesCacheKey: true)).contains(member))
        for base in ["http://127.0.0.1:8080/v1", "https://api.deepseek.com", "https://openrouter.ai/api/v1"] {
            #expect(try !body(OpenAIDialect(base: base)).contains("prompt_cache_key"), "\(base)")
        }
        #expect(
            try !body(OpenAIDialect(base: "https://api.openai.com/v1"), key: nil).contains("prompt_cache_key")
        )
    }
}
