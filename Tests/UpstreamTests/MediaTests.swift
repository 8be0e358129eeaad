internal import ContextWindow
internal import Conversation
internal import TestSupport
internal import Testing
internal import Upstream

private let pdf = Part.image(mimeType: "application/pdf", data: "JVBE", uri: "file:///a/b.pdf")
private let png = Part.image(mimeType: "image/png", data: "iVBO", uri: nil)

@Suite struct `A document` {
    @Test func `is a part of its own kind in each dialect that takes it`() throws {
        let request = try Request.of([Request.user(pdf)])
        #expect(
            try Request.member("messages", AnthropicDialect(base: "", cache: .none), request)
                == #"[{"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBE"}}]}]"#
        )
        #expect(
            try Request.member("contents", GeminiDialect(base: ""), request)
                == #"[{"role":"user","parts":[{"inlineData":{"mimeType":"application/pdf","data":"JVBE"}}]}]"#
        )
        #expect(
            try Request.member("messages", OpenAIDialect(base: "https://api.openai.com/v1"), request)
                == #"[{"role":"user","content":[{"type":"file","file":{"filename":"b.pdf","file_data":"data:application/pdf;base64,JVBE"}}]}]"#
        )
    }

    @Test func `goes to those alone`() {
        #expect(!OpenAIDialect(base: "http://127.0.0.1:8080/v1").rules(issuer: "me").media.takesPDF)
        #expect(OpenAIDialect(base: "https://api.openai.com/v1").rules(issuer: "me").media.takesPDF)
    }
}

@Suite struct `An image in a tool's result` {
    @Test func `is a block of the result for Anthropic`() throws {
        let content = Part.encode([.text("r"), png])
        let request = try Request.of([
            Request.user(.text("u")), Request.model(Request.call("c", "f")),
            Request.tool(Request.result("c", text(content))),
        ])
        let messages = try Request.member("messages", AnthropicDialect(base: "", cache: .none), request)
        #expect(
            messages?.contains(
                #"{"type":"tool_result","tool_use_id":"c","content":[{"type":"text","text":"r"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBO"}}]}"#
            ) ?? false)
    }

    @Test func `stands beside the result for Gemini`() throws {
        let request = try Request.of([
            Request.user(.text("u")), Request.model(Request.call("c", "f")),
            Request.tool(Request.result("c"), png),
        ])
        let contents = try Request.member("contents", GeminiDialect(base: ""), request)
        #expect(
            contents?.contains(
                #"{"functionResponse":{"name":"f","response":{"output":"ok"}}},{"inlineData":{"mimeType":"image/png","data":"iVBO"}}"#
            ) ?? false)
    }
}
