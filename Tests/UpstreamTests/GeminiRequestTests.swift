internal import ContextWindow
internal import Conversation
internal import JSON
internal import TestSupport
internal import Testing
internal import Upstream

private let dialect = GeminiDialect(base: "https://generativelanguage.googleapis.com")

private func contents(_ messages: OutgoingMessage...) throws -> String? {
    try Request.member("contents", dialect, Request.of(messages))
}

@Suite struct `A request to Gemini` {
    @Test func `has the system prompt beside the contents, and no key that is empty`() throws {
        let hi = [Request.user(.text("Hi"))]
        #expect(
            text(dialect.body(for: try Request.of(hi, system: "Be \"brief\"."), Quirks()))
                == #"{"systemInstruction":{"parts":[{"text":"Be \"brief\"."}]},"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}"#
        )
        #expect(
            text(dialect.body(for: try Request.of(hi, system: "", #"{"tools":[]}"#), Quirks()))
                == #"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}"#)
    }

    @Test func `says its parameters in Google's words`() throws {
        let all =
            #"{"temperature":0.4,"topP":1,"maxTokens":99,"stop":["a","b"],"seed":7,"candidates":2,"thinking":-1}"#
        #expect(
            try Request.member("generationConfig", dialect, Request.of([], all))
                == #"{"temperature":0.4,"topP":1,"candidateCount":2,"maxOutputTokens":99,"stopSequences":["a","b"],"seed":7,"thinkingConfig":{"includeThoughts":true,"thinkingBudget":-1}}"#
        )
        #expect(
            try Request.member("generationConfig", dialect, Request.of([], #"{"thinking":0}"#))
                == #"{"thinkingConfig":{"includeThoughts":false,"thinkingBudget":0}}"#)
        var quirks = Quirks()
        quirks.dropped = ["temperature", "top_p"]
        let warm = try Request.of([], #"{"temperature":0.4,"topP":1}"#)
        #expect(try Request.member("generationConfig", dialect, warm, quirks) == nil)
    }

    @Test func `declares tools with their schema as it is`() throws {
        let tools =
            #"{"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","x":1.0}}},{"name":"g","input_schema":{"type":"object"}},{"type":"odd"}],"toolChoice":CHOICE}"#
        func with(_ choice: String) throws -> ModelRequest {
            try Request.of([], tools.replacing("CHOICE", with: choice))
        }
        #expect(
            try Request.member("tools", dialect, with("\"auto\""))
                == #"[{"functionDeclarations":[{"name":"f","description":"d","parametersJsonSchema":{"type":"object","x":1.0}},{"name":"g","parametersJsonSchema":{"type":"object"}}]}]"#
        )
        for (choice, config) in [
            ("\"none\"", #"{"mode":"NONE"}"#), ("\"required\"", #"{"mode":"ANY"}"#),
            ("\"auto\"", #"{"mode":"AUTO"}"#),
            (
                #"{"type":"function","function":{"name":"f"}}"#,
                #"{"mode":"ANY","allowedFunctionNames":["f"]}"#
            ),
        ] {
            #expect(
                try Request.member("toolConfig", dialect, with(choice))
                    == "{\"functionCallingConfig\":\(config)}")
        }
    }

    @Test func `has one turn for neighbours of one role, with results as the user's`() throws {
        #expect(
            try contents(
                Request.user(.text("a")), OutgoingMessage(role: .system, parts: [.text("b")]),
                Request.model(Request.call("1", "f", #"{"q":1}"#)), Request.tool(Request.result("1")),
                Request.user(.text("c")))
                == #"[{"role":"user","parts":[{"text":"a"},{"text":"b"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{"q":1}}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"output":"ok"}}},{"text":"c"}]}]"#
        )
    }

    @Test func `names each result after its own call, though IDs come again`() throws {
        let got = try #require(
            try contents(
                Request.user(.text("a")), Request.model(Request.call("call_1", "f")),
                Request.tool(Request.result("call_1")), Request.model(.text("b")),
                Request.user(.text("c")),
                Request.model(Request.call("call_1", "g"), Request.call("call_1", "h")),
                Request.tool(Request.result("call_1"), Request.result("call_1", "\"no\"", isError: true)),
                Request.tool(Request.result("nobody"))))
        let names = got.matches(of: /functionResponse":{"name":"(\w+)/).map { String($0.output.1) }
        #expect(names == ["f", "g", "h", "unknown"])
        #expect(got.contains(#"{"name":"h","response":{"error":"no"}}"#))
    }

    @Test func `seals the first call of each model turn in the running loop, and no other (N005)`() throws {
        let skip = "\"thoughtSignature\":\"skip_thought_signature_validator\""
        let old = [
            Request.user(.text("a")), Request.model(Request.call("1", "f")),
            Request.tool(Request.result("1")),
        ]
        let loop = [
            Request.user(.text("b")), Request.model(Request.call("2", "f"), Request.call("3", "f")),
            Request.tool(Request.result("2"), Request.result("3")),
            Request.model(Request.call("4", "f", seal: "AB+/=="), Request.call("5", "f")),
            Request.tool(Request.result("4"), Request.result("5")),
        ]
        let got = try #require(try Request.member("contents", dialect, Request.of(old + loop)))
        #expect(got.components(of: skip) == 1)
        #expect(
            got.contains(
                #"{"functionCall":{"name":"f","args":{}},\#(skip)},{"functionCall":{"name":"f","args":{}}}]"#)
        )
        #expect(
            got.contains(
                #"{"functionCall":{"name":"f","args":{}},"thoughtSignature":"AB+/=="},{"functionCall":{"name":"f","args":{}}}]"#
            ))
        let first = try #require(try Request.member("contents", dialect, Request.of(old)))
        #expect(first.components(of: skip) == 1)
    }

    @Test func `puts seals back on their text, or on an empty one`() throws {
        #expect(
            try contents(
                Request.user(.text("a")),
                Request.model(
                    .text("one"), Request.seal("AB+/=="), .text("two"), Request.call("1", "f"),
                    Request.seal("C")))
                == #"[{"role":"user","parts":[{"text":"a"}]},{"role":"model","parts":[{"text":"one","thoughtSignature":"AB+/=="},{"text":"two"},{"functionCall":{"name":"f","args":{}},"thoughtSignature":"skip_thought_signature_validator"},{"text":"","thoughtSignature":"C"}]}]"#
        )
    }

    @Test func `sends back what a stream gave, byte for byte`() throws {
        var reader = dialect.reader(issuer: "me"), answer = Answer(issuer: "me")
        let parts =
            #"{"text":"hm","thought":true},{"text":"é","thoughtSignature":"A+/="},{"text":"b"},{"text":"","thoughtSignature":"B"},{"functionCall":{"name":"f","args":{"q":1.0}},"thoughtSignature":"C"}"#
        let event =
            "data: {\"candidates\":[{\"content\":{\"parts\":[\(parts)]},\"finishReason\":\"STOP\"}]}\n\n"
        for piece in reader.feed(Array(event.utf8)) { answer.append(piece) }
        let said = Message(
            id: MessageID(high: 0, low: 1), seq: 2, role: .assistant, createdAt: 0, tokens: 1,
            isPinned: false,
            isExcluded: false, content: answer.content)
        let asked = Message(
            id: MessageID(high: 0, low: 2), seq: 1, role: .user, createdAt: 0, tokens: 1, isPinned: false,
            isExcluded: false, content: Part.encode([.text("a")]))
        let window = try Window.cut(
            History(messages: [asked, said]), system: nil, policy: WindowPolicy(), budget: 1_000)
        func sent(to issuer: String) throws -> String? {
            let messages = window.outgoing(for: dialect.rules(issuer: issuer))
            return try Request.member("contents", dialect, Request.of(messages))
        }
        #expect(
            try sent(to: "me")?.contains(
                #"{"role":"model","parts":[{"text":"é","thoughtSignature":"A+/="},{"text":"b","thoughtSignature":"B"},{"functionCall":{"name":"f","args":{"q":1.0}},"thoughtSignature":"C"}]}"#
            ) == true)
        let other = try #require(try sent(to: "other"))
        #expect(!other.contains("A+/=") && !other.contains("\"B\"") && !other.contains("\"C\""))
    }

    @Test func `carries media, resources and arguments that are no object`() throws {
        let resource = Array(#"{"type":"resource"}"#.utf8)
        #expect(
            try contents(
                Request.user(
                    .image(mimeType: "image/png", data: "iVBO", uri: nil),
                    .image(mimeType: "image/png", data: nil, uri: "https://x/1"),
                    .audio(mimeType: "audio/wav", data: "UklG"),
                    .resource(uri: "file:///a", text: "t", raw: resource)),
                Request.model(Request.call("1", "f", "\"{oops\"")))
                == #"[{"role":"user","parts":[{"inlineData":{"mimeType":"image/png","data":"iVBO"}},{"fileData":{"mimeType":"image/png","fileUri":"https://x/1"}},{"inlineData":{"mimeType":"audio/wav","data":"UklG"}},{"text":"<resource uri=\"file:///a\">\nt\n</resource>"}]},{"role":"model","parts":[{"functionCall":{"name":"f","args":{}},"thoughtSignature":"skip_thought_signature_validator"}]}]"#
        )
    }

    @Test func `counts tokens with the model inside, prefix and all`() throws {
        let count = try #require(
            dialect.countings(try Request.of([Request.user(.text("a"))], system: "s"), Quirks(), nil).first)
        #expect(count.url == "https://generativelanguage.googleapis.com/v1beta/models/m:countTokens")
        #expect(
            text(count.body)
                == #"{"generateContentRequest":{"model":"models/m","systemInstruction":{"parts":[{"text":"s"}]},"contents":[{"role":"user","parts":[{"text":"a"}]}]}}"#
        )
        #expect(count.tokens(in: #"{"totalTokens":31}"#) == 31)
        #expect(count.tokens(in: "x") == nil)
    }

    @Test(arguments: [
        ("https://h", "m", "https://h/v1beta/models/m"),
        ("https://h", "models/m", "https://h/v1beta/models/m"),
        ("https://h/v1", "tunedModels/x", "https://h/v1/tunedModels/x"),
        (
            "https://h/v1beta1/projects/p/locations/l/publishers/google", "m@1 b",
            "https://h/v1beta1/projects/p/locations/l/publishers/google/models/m@1%20b"
        ),
    ]) func `goes to its model's address, asking for events`(base: String, model: String, url: String) {
        #expect(GeminiDialect(base: base).url(for: model) == url + ":streamGenerateContent?alt=sse")
    }

    @Test func `lists models that chat, page by page`() {
        let page =
            #"{"models":[{"name":"models/a","inputTokenLimit":9,"supportedGenerationMethods":["generateContent"]},{"name":"models/e","supportedGenerationMethods":["embedContent"]},{"name":"b"}],"nextPageToken":"T"}"#
        let (models, next) = dialect.models(in: Array(page.utf8))
        #expect(models == [ModelDescription(id: "a", contextLength: 9), ModelDescription(id: "b")])
        #expect(next == "T")
        #expect(dialect.modelsURL(page: "a/b").hasSuffix("/v1beta/models?pageSize=1000&pageToken=a%2Fb"))
        #expect(dialect.keyHeaders("k") == ["x-goog-api-key: k"])
    }
}

extension String {
    /// How often `part` occurs.
    fileprivate func components(of part: String) -> Int { ranges(of: part).count }
}

extension `A request to Gemini` {
    @Test(arguments: [
        ("gemini-3-flash-preview", 1), ("models/gemini-3-pro", 1), ("m", 1), ("gemini-2.5-flash", 0),
        ("models/gemini-2.5-pro", 0), ("gemini-2.0-flash", 0),
    ]) func `has a stand-in on a step's first call alone, where its model asks for seals (N005)`(
        model: String, count: Int
    ) throws {
        let results = Request.tool(Request.result("c1"), Request.result("c2"))
        func sent(_ calls: OutgoingMessage) throws -> String {
            var request = try Request.of([Request.user(.text("a")), calls, results])
            request.model = model
            return try #require(try Request.member("contents", dialect, request))
        }
        // Of another provider, as what was read in and what another upstream answered have them.
        let foreign = try sent(Request.model(Request.call("c1", "f"), Request.call("c2", "g")))
        #expect(foreign.components(of: "thoughtSignature") == count)
        #expect(
            foreign.contains(
                #"{"functionCall":{"name":"f","args":{}},"thoughtSignature":"skip_thought_signature_validator"},{"functionCall":{"name":"g","args":{}}}"#
            ) == (count == 1))
        let own = try sent(Request.model(Request.call("c1", "f", seal: "AB+/=="), Request.call("c2", "g")))
        #expect(own.components(of: "thoughtSignature") == 1)
        #expect(own.contains(#"{"functionCall":{"name":"f","args":{}},"thoughtSignature":"AB+/=="}"#))
    }
}
