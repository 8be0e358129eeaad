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

@Suite struct `A picture that left the window` {
    @Test func `makes no answer one of a server that cut`() throws {
        let picture = Part.image(
            mimeType: "image/png", data: String(repeating: "iVBO", count: 5_000), uri: nil)
        func asked(_ parts: [Part]) throws -> ModelRequest {
            var request = try Request.of([Request.user(.text("look"), picture), Request.user(parts[0])])
            if parts.count > 1 {
                request = try Request.of([
                    Request.user(.text("look"), picture), Request.user(parts[0], parts[1]),
                ])
            }
            request.hasMedia = true
            return request
        }
        let two = CountedRequest(
            try asked([.text("and this"), picture]), counted: 5_093, isCut: false, behind: nil)
        let one = try asked([.text(String(repeating: "word ", count: 600))])
        let dialect = OpenAIDialect(base: "http://127.0.0.1/v1")
        #expect(!dialect.cutSilently(counted: 2_906, expected: 2_800, of: one, behind: two))
        let same = CountedRequest(try asked([.text("and this")]), counted: 2_906, isCut: false, behind: nil)
        #expect(dialect.cutSilently(counted: 2_906, expected: 4_000, of: one, behind: same))
    }
}

@Suite struct `An image in a tool's result` {
    /// One image of 60 kB costs what an image costs, and goes as one.
    @Test(arguments: [
        #"[{"type":"content","content":{"type":"image","mimeType":"image/png","data":"DATA"}}]"#,
        #"[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"DATA"}}]"#,
        #"[{"type":"image_url","image_url":{"url":"data:image/png;base64,DATA"}}]"#,
        #"{"contents":[{"uri":"file:///a.png","mimeType":"image/png","blob":"DATA"}]}"#,
        #"{"content":[{"type":"image","mimeType":"image/png","data":"DATA"}]}"#,
    ]) func `is one in whatever words the tool gives it`(_ content: String) throws {
        let data = "iVBO" + String(repeating: "A", count: 80_000)
        let bytes = Array(content.replacing("DATA", with: data).utf8)
        let result = Part.ToolResult(callID: "c", content: bytes, isError: false)
        #expect(TokenEstimate.message([.toolResult(result)]) < 6_000)
        let request = try Request.of([
            Request.user(.text("u")), Request.model(Request.call("c", "f")),
            Request.tool(.toolResult(result)),
        ])
        let gated = AnthropicDialect(base: "", cache: .none)
        let body = try Request.member("messages", gated, request) ?? ""
        // The bytes of a resource become an image in the gate, which stands before this.
        #expect(body.contains(#""type":"image","source""#) || content.contains("contents"))
    }

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
