internal import Conversation
internal import JSON
internal import TestSupport
internal import Testing
internal import Upstream

private let dialect = AnthropicDialect(base: "https://api.anthropic.com", cache: .none)
private let marking = AnthropicDialect(base: "https://api.anthropic.com")
private let mark = #""cache_control":{"type":"ephemeral"}"#

private func messages(_ messages: OutgoingMessage...) throws -> String? {
    try Request.member("messages", dialect, Request.of(messages))
}

@Suite struct `A request to Anthropic` {
    @Test func `has the system prompt beside the messages, and always a cap`() throws {
        #expect(
            text(
                dialect.body(for: try Request.of([Request.user(.text("Hi"))], system: "Be brief."), Quirks()))
                == #"{"model":"m","system":[{"type":"text","text":"Be brief."}],"messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]}],"max_tokens":4096,"stream":true}"#
        )
        let empty = text(dialect.body(for: try Request.of([], system: "", #"{"maxTokens":9}"#), Quirks()))
        #expect(empty == #"{"model":"m","messages":[],"max_tokens":9,"stream":true}"#)
    }

    @Test func `asks in each dialect's words for the form of a schema`() throws {
        let asked = try Request.of([], #"{"schema":{"type":"object"}}"#)
        let rows: [(any Dialect, String, String)] = [
            (
                dialect, "output_config", #"{"format":{"type":"json_schema","schema":{"type":"object"}}}"#
            ),
            (
                OpenAIDialect(base: ""), "response_format",
                #"{"type":"json_schema","json_schema":{"name":"answer","schema":{"type":"object"}}}"#
            ),
            (
                GeminiDialect(base: ""), "generationConfig",
                #"{"responseMimeType":"application/json","responseJsonSchema":{"type":"object"}}"#
            ),
        ]
        for (dialect, member, body) in rows {
            #expect(try Request.member(member, dialect, asked) == body)
            #expect(try Request.member(member, dialect, try Request.of([], #"{"schema":null}"#)) == nil)
        }
    }

    @Test func `says its parameters in Anthropic's words`() throws {
        let all = #"{"temperature":0.4,"topP":1,"maxTokens":99,"stop":["a"],"seed":7}"#
        #expect(
            text(dialect.body(for: try Request.of([], all), Quirks()))
                == #"{"model":"m","messages":[],"max_tokens":99,"stream":true,"temperature":0.4,"top_p":1,"stop_sequences":["a"]}"#
        )
        var quirks = Quirks()
        quirks.dropped = ["temperature", "top_p"]
        #expect(
            text(dialect.body(for: try Request.of([], all), quirks))
                == #"{"model":"m","messages":[],"max_tokens":99,"stream":true,"stop_sequences":["a"]}"#)
        #expect(dialect.headers == ["anthropic-version: 2023-06-01"])
        #expect(dialect.keyHeaders("k") == ["x-api-key: k"])
    }

    @Test func `asks Anthropic itself what its cache missed, of the answer before, unless that is refused`()
        throws
    {
        var request = try Request.of([Request.user(.text("Hi"))])
        #expect(try Request.member("diagnostics", marking, request) == #"{"previous_message_id":null}"#)
        request.previousResponse = "msg_1"
        #expect(try Request.member("diagnostics", marking, request) == #"{"previous_message_id":"msg_1"}"#)
        let bodies = [
            dialect.body(for: request, Quirks()),
            AnthropicDialect(base: "https://gateway.example").body(for: request, Quirks()),
        ]
        #expect(bodies.allSatisfy { !text($0).contains("diagnostics") })
        var quirks = Quirks()
        quirks.dropped = ["diagnostics"]
        #expect(!text(marking.body(for: request, quirks)).contains("diagnostics"))
    }

    @Test(arguments: [
        (0, #"{"type":"disabled"}"#, 4_096), (-1, #"{"type":"adaptive"}"#, 4_096),
        (100, #"{"type":"enabled","budget_tokens":1024}"#, 4_096),
        (8_000, #"{"type":"enabled","budget_tokens":8000}"#, 9_024),
    ]) func `has room for thoughts within its cap`(budget: Int, thinking: String, cap: Int) throws {
        let request = try Request.of([], "{\"thinking\":\(budget)}")
        #expect(try Request.member("thinking", dialect, request) == thinking)
        #expect(try Request.member("max_tokens", dialect, request) == "\(cap)")
    }

    @Test func `has results before text, each for its own call`() throws {
        #expect(
            try messages(
                Request.user(.text("a")),
                Request.model(
                    .text("so"), Request.call("t1", "f", #"{"q":1}"#), Request.call("t2", "g", "\"{oops\"")),
                Request.tool(Request.result("t1")),
                Request.tool(Request.result("t2", "\"no\"", isError: true)),
                Request.user(.text("b")))
                == #"[{"role":"user","content":[{"type":"text","text":"a"}]},{"role":"assistant","content":[{"type":"text","text":"so"},{"type":"tool_use","id":"t1","name":"f","input":{"q":1}},{"type":"tool_use","id":"t2","name":"g","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"ok"},{"type":"tool_result","tool_use_id":"t2","content":"no","is_error":true},{"type":"text","text":"b"}]}]"#
        )
        let late = try #require(
            try messages(Request.user(.text("a")), Request.tool(Request.result("x"))))
        #expect(
            late.contains(
                #"[{"type":"tool_result","tool_use_id":"x","content":"ok"},{"type":"text","text":"a"}]"#))
    }

    @Test func `has no ID twice, and none that is refused`() throws {
        let got = try #require(
            try messages(
                Request.user(.text("a")), Request.model(Request.call("call_1", "f")),
                Request.tool(Request.result("call_1")), Request.user(.text("b")),
                Request.model(
                    Request.call("call_1", "f"), Request.call("functions.g:0", "g"), Request.call("", "h")),
                Request.tool(Request.result("call_1"), Request.result("functions.g:0"), Request.result(""))))
        let calls = got.matches(of: /tool_use","id":"([^"]*)/).map { String($0.output.1) }
        let results = got.matches(of: /tool_use_id":"([^"]*)/).map { String($0.output.1) }
        #expect(calls == ["call_1", "call_1_2", "functions_g_0", "call"])
        #expect(results == calls)
    }

    @Test func `replays thoughts unchanged before their calls, and ends no answer in one (N004)`() throws {
        #expect(
            try messages(
                Request.user(.text("a")),
                Request.model(
                    .thought(text: "h\nm", issuer: "me", signature: "Eq/+A=="),
                    .redactedThought(data: "ZZ=", issuer: "me"), Request.call("t", "f"), Request.seal("S")),
                Request.tool(Request.result("t")),
                Request.model(.thought(text: "cut", issuer: "me", signature: "X")), Request.user(.text("b")))
                == #"[{"role":"user","content":[{"type":"text","text":"a"}]},{"role":"assistant","content":[{"type":"thinking","thinking":"h\nm","signature":"Eq/+A=="},{"type":"redacted_thinking","data":"ZZ="},{"type":"tool_use","id":"t","name":"f","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"ok"},{"type":"text","text":"b"}]}]"#
        )
    }

    @Test func `carries pictures by data or address, and says what it cannot carry`() throws {
        #expect(
            try messages(
                Request.user(
                    .image(mimeType: "image/png", data: "iVBO", uri: nil),
                    .image(mimeType: "image/png", data: nil, uri: "https://x/1"),
                    .audio(mimeType: "audio/wav", data: "UklG")))
                == #"[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBO"}},{"type":"image","source":{"type":"url","url":"https://x/1"}},{"type":"text","text":"[audio audio/wav]"}]}]"#
        )
    }

    @Test func `marks the system prompt and the newest turn of the user for the cache`() throws {
        let turns = (1...5).flatMap { [Request.user(.text("u\($0)")), Request.model(.text("a\($0)"))] }
        let body = text(marking.body(for: try Request.of(turns, system: "s"), Quirks()))
        #expect(body.ranges(of: mark).count == 2)
        for marked in ["\"s\"", "\"u5\""] { #expect(body.contains("\"text\":\(marked),\(mark)")) }
        #expect(!text(dialect.body(for: try Request.of(turns, system: "s"), Quirks())).contains(mark))
    }

    /// The places of the marked blocks of the messages, from 1.
    private func marks(_ rounds: Int, system: String?) throws -> [Int] {
        let turns = (1...rounds).flatMap { [Request.user(.text("u\($0)")), Request.model(.text("a\($0)"))] }
        let request = try Request.of(turns + [Request.user(.text("now"))], system: system)
        let root = try JSONDocument(marking.body(for: request, Quirks())).root
        let blocks = (root["messages"]?.elements.map(\.self) ?? []).flatMap {
            $0["content"]?.elements.map(\.self) ?? []
        }
        return blocks.indices.filter { blocks[$0]["cache_control"] != nil }.map { $0 + 1 }
    }

    @Test(arguments: [6, 9, 12, 25, 60])
    func `finds what the last request wrote behind many calls at once, and their results`(_ count: Int) throws
    {
        let before = [Request.user(.text("u1")), Request.model(.text("a1")), Request.user(.text("u2"))]
        let calls = OutgoingMessage(
            role: .assistant, parts: (1...count).map { Request.call("c\($0)", "f") })
        let results = OutgoingMessage(role: .tool, parts: (1...count).map { Request.result("c\($0)") })
        for system in ["s", nil] {
            let body = text(
                marking.body(for: try Request.of(before + [calls, results], system: system), Quirks()))
            let marks = body.ranges(of: mark).count
            #expect(marks <= 4 && body.contains("\(mark)}]}],\"max_tokens\":"), "\(body)")
            // Two blocks with the answer between them are within reach.
            #expect(2 * count <= 18 || body.contains("\"text\":\"u2\",\(mark)"), "\(body)")
        }
    }

    @Test func `asks for no thinking beside a tool that must be called`() throws {
        for (choice, thinks) in [
            ("\"required\"", false), (#"{"type":"function","function":{"name":"f"}}"#, false),
            ("\"auto\"", true), ("\"none\"", true),
        ] {
            let tools = #"[{"type":"function","function":{"name":"f"}}]"#
            let request = try Request.of(
                [Request.user(.text("a"))], #"{"thinking":2048,"tools":\#(tools),"toolChoice":\#(choice)}"#)
            let body = text(dialect.body(for: request, dialect.quirks))
            #expect(body.contains("\"thinking\"") == thinks, "\(body)")
        }
    }

    @Test func `finds what the last request wrote, though dozens of blocks came since`() throws {
        for system in ["s", nil] {
            for rounds in 1...60 {
                let written = try #require(try marks(rounds, system: system).last)
                for more in 0...17 {
                    let looked = try marks(rounds + more, system: system)
                    #expect(looked.count <= (system == nil ? 4 : 3))
                    #expect(
                        looked.contains { ($0 - 19...$0).contains(written) },
                        "\(rounds) rounds, \(more) more: \(looked), written at \(written)")
                }
            }
        }
    }

    @Test func `declares tools and which of them to use`() throws {
        let tools =
            #"{"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","x":1.0}}},{"type":"function","function":{"name":"g"}}],"toolChoice":CHOICE}"#
        func with(_ choice: String) throws -> ModelRequest {
            try Request.of([], tools.replacing("CHOICE", with: choice))
        }
        #expect(
            try Request.member("tools", dialect, with("\"auto\""))
                == #"[{"name":"f","description":"d","input_schema":{"type":"object","x":1.0}},{"name":"g","input_schema":{"type":"object"}}]"#
        )
        for (choice, made) in [
            ("\"auto\"", #"{"type":"auto"}"#), ("\"none\"", #"{"type":"none"}"#),
            ("\"required\"", #"{"type":"any"}"#),
            (#"{"type":"function","function":{"name":"f"}}"#, #"{"type":"tool","name":"f"}"#),
        ] {
            #expect(try Request.member("tool_choice", dialect, with(choice)) == made)
        }
    }

    @Test func `counts tokens without what concerns the answer`() throws {
        let request = try Request.of([Request.user(.text("a"))], #"{"maxTokens":9,"temperature":1}"#)
        let count = try #require(dialect.countings(request, Quirks(), nil).first)
        #expect(count.url == "https://api.anthropic.com/v1/messages/count_tokens")
        #expect(
            text(count.body)
                == #"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a"}]}]}"#)
        #expect(count.tokens(in: #"{"input_tokens":31}"#) == 31)
    }

    @Test func `lists models page by page`() {
        let page = #"{"data":[{"id":"a","max_input_tokens":9},{"id":"b"},{}],"has_more":true,"last_id":"b"}"#
        let (models, next) = dialect.models(in: Array(page.utf8))
        #expect(models == [ModelDescription(id: "a", contextLength: 9), ModelDescription(id: "b")])
        #expect(next == "b")
        #expect(dialect.models(in: Array(#"{"data":[],"has_more":false,"last_id":"b"}"#.utf8)).next == nil)
        #expect(dialect.modelsURL(page: "b").hasSuffix("/v1/models?limit=1000&after_id=b"))
    }
}
