import Conversation
import JSON
import Protocol
import TestSupport
import Testing

private func prompt(_ content: String, convod: String = "null") throws -> Method.SessionPrompt.Parameters {
    try Method.SessionPrompt.parameters(
        try Fixtures.json(#"{"sessionId":"a","prompt":\#(content),"_meta":{"convod":\#(convod)}}"#))
}

private func promptRefusal(_ content: String, convod: String = "null") throws -> String? {
    try refusal(#"{"sessionId":"a","prompt":\#(content),"_meta":{"convod":\#(convod)}}"#) {
        (view) throws(WireError) in
        _ = try Method.SessionPrompt.parameters(view)
    }
}

private let hello = #"[{"type":"text","text":"hello"}]"#

@Suite struct `A prompt` {
    @Test func `is kept byte for byte beside its parts (N037)`() throws {
        let content =
            #"[ {"text":"h\u0069", "type":"text"}, {"type":"resource_link","uri":"file:///x","name":"x","size":1.0} ]"#
        let read = try prompt(content)
        #expect(text(read.prompt.content) == content)
        let link = Array(#"{"type":"resource_link","uri":"file:///x","name":"x","size":1.0}"#.utf8)
        #expect(read.prompt.parts == [.text("hi"), .resourceLink(uri: "file:///x", name: "x", raw: link)])
    }

    @Test(arguments: [
        "[]", #"[{"type":"text","text":""}]"#, #"[{"type":"text","text":" \t\r\n\u3000\u00a0\u2028"}]"#,
        #"[{"type":"text","text":" "},{"type":"text","text":"\n"}]"#,
    ])
    func `of nothing but white space is refused (B011)`(_ content: String) throws {
        #expect(try promptRefusal(content) == "'prompt' holds nothing but white space; send some text")
    }

    @Test(arguments: [
        #"[{"type":"text","text":" "},{"type":"image","mimeType":"image/png","data":"AA=="}]"#,
        #"[{"type":"text","text":"\u0000"}]"#,
        #"[{"type":"text","text":" ."}]"#,
    ])
    func `with anything else is taken`(_ content: String) throws {
        #expect(try promptRefusal(content) == nil)
    }

    @Test(arguments: ["<|endoftext|>", "<|im_start|>system", "<|im_end|>"])
    func `that spells a special token is ordinary text (B020)`(_ token: String) throws {
        #expect(try prompt(#"[{"type":"text","text":"\#(token)"}]"#).prompt.parts == [.text(token)])
    }

    @Test(arguments: [
        #"{"type":"text","text":"a\udc81b"}"#, #"{"type":"text","text":"x","_meta":{"k":["\ud83d"]}}"#,
        #"{"type":"text","text":"x","\ud83d":1}"#,
    ])
    func `with half of a surrogate pair is refused (B088)`(_ part: String) throws {
        #expect(
            try promptRefusal("[\(part)]")
                == "'prompt[0]' holds half of a surrogate pair; send whole characters")
    }

    @Test(arguments: [
        ("null", "'prompt' is missing"), (#""hello""#, "'prompt' must be an array"),
        ("{}", "'prompt' must be an array"),
        (#"["hello"]"#, "'prompt[0]': a part must be an object"),
        (#"[{"text":"x"}]"#, "'prompt[0]': a part needs a 'type'"),
        (
            #"[{"type":"text","text":"x"},{"type":"text"}]"#,
            "'prompt[1]': a 'text' part needs 'text' as a string"
        ),
        (#"[{"type":"text","text":1}]"#, "'prompt[0]': a 'text' part needs 'text' as a string"),
        (#"[{"type":"image","mimeType":"image/png"}]"#, "'prompt[0]': an 'image' part needs 'data' or 'uri'"),
        (#"[{"type":"movie"}]"#, "'prompt[0]': 'movie' is no type of part"),
        (
            #"[{"type":"thought","text":"x"}]"#,
            "'prompt[0]': this type of part cannot stand in a message of role 'user'"
        ),
        (
            #"[{"type":"tool_call","id":"1","name":"n","arguments":{}}]"#,
            "'prompt[0]': this type of part cannot stand in a message of role 'user'"
        ),
        (
            #"[{"type":"tool_result","toolCallId":"1","content":""}]"#,
            "'prompt[0]': this type of part cannot stand in a message of role 'user'"
        ),
    ])
    func `that is malformed is refused with the place`(_ content: String, _ message: String) throws {
        #expect(try promptRefusal(content) == message)
    }

    @Test func `asks for a turn as its meta says`() throws {
        let turn = try prompt(
            hello,
            convod: #"""
                {"requestId":"k","ifBusy":"queue","upstream":"u","model":"m","window":{ "maxTurns":2 },"onDisconnect":"cancel",
                "params":{ "temperature":0.5,"topP":1,"maxTokens":9,"stop":["a"],"seed":-1,"tools":[],"toolChoice":"auto" }}
                """#
        ).turn
        let params =
            #"{ "temperature":0.5,"topP":1,"maxTokens":9,"stop":["a"],"seed":-1,"tools":[],"toolChoice":"auto" }"#
        #expect(turn.requestID == "k")
        #expect(
            turn.options
                == TurnOptions(
                    upstream: "u", model: "m", window: Array(#"{ "maxTurns":2 }"#.utf8),
                    params: Array(params.utf8), onDisconnect: .cancel))
    }

    @Test func `asks for nothing special without meta`() throws {
        let turn = try Method.SessionPrompt.parameters(
            try Fixtures.json(#"{"sessionId":"a","prompt":\#(hello)}"#)
        ).turn
        #expect(turn.requestID == nil)
        #expect(turn.options == TurnOptions())
    }

    @Test(arguments: [
        (#"{"requestId":""}"#, "'requestId' must have 1 to 256 bytes, it has 0"),
        (#"{"requestId":1}"#, "'_meta.convod.requestId' must be a string"),
        (#"{"ifBusy":"wait"}"#, "'_meta.convod.ifBusy' must be 'queue' or 'reject' or 'interrupt'"),
        (#"{"onDisconnect":"stop"}"#, "'_meta.convod.onDisconnect' must be 'continue' or 'cancel'"),
        (#"{"window":true}"#, "'_meta.convod.window' must be an object"),
        (#"{"params":[]}"#, "'_meta.convod.params' must be an object"),
        (#"{"params":{"temperature":"1"}}"#, "'params.temperature' must be a number from 0 to 2"),
        (#"{"params":{"temperature":true}}"#, "'params.temperature' must be a number from 0 to 2"),
        (#"{"params":{"temperature":2.1}}"#, "'params.temperature' must be a number from 0 to 2"),
        (#"{"params":{"topP":-0.1}}"#, "'params.topP' must be a number from 0 to 1"),
        (#"{"params":{"maxTokens":0}}"#, "'params.maxTokens' must be from 1 to 10000000, it is 0"),
        (#"{"params":{"maxTokens":true}}"#, "'params.maxTokens' must be an integer"),
        (#"{"params":{"stop":"x"}}"#, "'params.stop' must be an array"),
        (#"{"params":{"top_p":1}}"#, "'params.top_p' is not known here"),
    ])
    func `with meta of the wrong kind is refused`(_ convod: String, _ message: String) throws {
        #expect(try promptRefusal(hello, convod: convod) == message)
    }

    @Test func `may have a request ID of 256 bytes`() throws {
        #expect(
            try promptRefusal(hello, convod: #"{"requestId":"\#(String(repeating: "k", count: 256))"}"#)
                == nil)
        #expect(
            try promptRefusal(hello, convod: #"{"requestId":"\#(String(repeating: "k", count: 257))"}"#)
                == "'requestId' must have 1 to 256 bytes, it has 257")
    }
}

@Suite struct `Messages that are appended` {
    private func append(_ messages: String) throws -> Method.MessageAppend.Parameters {
        try Method.MessageAppend.parameters(
            try Fixtures.json(#"{"sessionId":"a","messages":\#(messages)}"#))
    }
    private func appendRefusal(_ messages: String) throws -> String? {
        try refusal(#"{"sessionId":"a","messages":\#(messages)}"#) { (view) throws(WireError) in
            _ = try Method.MessageAppend.parameters(view)
        }
    }

    @Test func `keep content and metadata byte for byte, half of a surrogate pair in metadata too`() throws {
        let content = #"[{"type":"text", "text":"\u0061", "annotations":{}}]"#,
            metadata = #"{"x":"\ud83d", "n":1.50}"#
        let read = try append(
            #"[{"role":"user","content":\#(content),"metadata":\#(metadata),"createdAt":"1970-01-01T00:00:01Z"}]"#
        )
        #expect(read.messages.map { text($0.content) } == [content])
        #expect(read.messages.map { $0.metadata.map { text($0) } } == [metadata])
        #expect(read.messages.map(\.createdAt) == [1_000])
        #expect(read.messages.map(\.parts) == [[.text("a")]])
        #expect(read.ifMissing == .error)
    }

    @Test(
        arguments: [
            #"[{"type": "text", "text": "\u0061 \/"}]"#, #"[ {"text":"\u0061 \/" , "type":"text"} ]"#,
            #"[{"type":"te\u0078t","text":"\u0061 \/"}]"#,
        ])
    func `of one plain text are spelled in one way, the text as it came`(_ content: String) throws {
        let read = try append(#"[{"role":"user","content":\#(content)}]"#)
        #expect(read.messages.map { text($0.content) } == [#"[{"type":"text","text":"\u0061 \/"}]"#])
        #expect(read.messages.map(\.parts) == [[.text("a /")]])
    }

    @Test(
        arguments: [
            #"[{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]"#,
            #"[{"type": "text", "text": "a", "text": "b"}]"#,
            #"[{"type": "text", "type":"text", "text": ""}]"#,
            #"[{"type": "resource_link", "uri": "a:b", "name": "n"}]"#,
        ])
    func `of anything else are kept byte for byte`(_ content: String) throws {
        let read = try append(#"[{"role":"user","content":\#(content)}]"#)
        #expect(read.messages.map { text($0.content) } == [content])
    }

    @Test func `are pinned when they are the system's and nothing else was said`() throws {
        let content = #""content":[{"type":"text","text":"x"}]"#
        let read = try append(
            #"[{"role":"system",\#(content)},{"role":"user",\#(content)},{"role":"system","pinned":false,\#(content)},{"role":"user","pinned":true,\#(content)}]"#
        )
        #expect(read.messages.map(\.isPinned) == [true, false, false, true])
    }

    @Test(arguments: [
        ("null", "'messages' is missing"), ("[]", "'messages' must hold at least one message"),
        ("[1]", "'messages[0]' must be an object"),
        (#"[{"content":[]}]"#, "'messages[0].role' is missing"),
        (
            #"[{"role":"robot","content":[]}]"#,
            "'messages[0].role' must be 'system', 'user', 'assistant' or 'tool'"
        ),
        (#"[{"role":"user"}]"#, "'messages[0].content' is missing"),
        (#"[{"role":"user","content":[]}]"#, "'messages[0].content' must hold at least one part"),
        (
            #"[{"role":"user","content":[{"type":"text","text":"\ud83d"}]}]"#,
            "'messages[0].content[0]' holds half of a surrogate pair; send whole characters"
        ),
        (
            #"[{"role":"tool","content":[{"type":"text","text":"x"}]}]"#,
            "'messages[0].content[0]': this type of part cannot stand in a message of role 'tool'"
        ),
        (
            #"[{"role":"user","content":[{"type":"text","text":"x"}],"pinned":1}]"#,
            "'messages[0].pinned' must be true or false"
        ),
        (
            #"[{"role":"user","content":[{"type":"text","text":"x"}],"colour":1}]"#,
            "'messages[0].colour' is not known here"
        ),
        (
            #"[{"role":"user","content":[{"type":"text","text":"x"}],"metadata":[]}]"#,
            "'messages[0].metadata' must be an object"
        ),
        (
            #"[{"role":"user","content":[{"type":"text","text":"x"}],"createdAt":"now"}]"#,
            "'messages[0].createdAt' must be a time as in '2026-11-25T06:00:00.000Z'"
        ),
    ])
    func `and are malformed are refused with the place`(_ messages: String, _ message: String) throws {
        #expect(try appendRefusal(messages) == message)
    }
}

@Suite struct `A page of messages` {
    private func list(_ more: String) throws -> String {
        var words = ""
        let message = try refusal(#"{"sessionId":"a"\#(more)}"#) { (view) throws(WireError) in
            let read = try Method.MessageList.parameters(view)
            words =
                "limit \(read.limit) last \(read.last ?? 0) order \(read.order) cursor \(read.cursor ?? "-")"
        }
        return message ?? words
    }

    @Test(arguments: [
        ("", "limit 100 last 0 order asc cursor -"),
        (#","limit":1000,"order":"desc","cursor":"c""#, "limit 1000 last 0 order desc cursor c"),
        (#","last":5"#, "limit 100 last 5 order asc cursor -"),
        (#","last":null"#, "limit 100 last 0 order asc cursor -"),
        (
            #","last":5,"cursor":"c""#,
            "'last' cannot stand with 'cursor' or 'order'; it gives the newest messages, oldest first"
        ),
        (
            #","last":5,"order":"desc""#,
            "'last' cannot stand with 'cursor' or 'order'; it gives the newest messages, oldest first"
        ),
        (#","limit":1001"#, "'limit' must be from 1 to 1000, it is 1001"),
        (#","limit":true"#, "'limit' must be an integer"),
        (#","last":-1"#, "'last' must be from 1 to 1000, it is -1"),
        (#","order":"newest""#, "'order' must be 'asc' or 'desc'"),
    ])
    func `is asked for`(_ more: String, _ expected: String) throws { #expect(try list(more) == expected) }
}

@Suite struct `A turn` {
    @Test(arguments: [
        ("{}", "'turnId' is missing"), (#"{"turnId":"x"}"#, "'turnId' must be the ID of a turn (a UUID)"),
        (#"{"turnId":7}"#, "'turnId' must be a string"),
        (#"{"turnId":"0193e8a0-0000-7000-8000-000000000001","x":1}"#, "'x' is not known here"),
    ])
    func `is named by its ID alone`(_ source: String, _ message: String) throws {
        #expect(
            try refusal(source) { (view) throws(WireError) in _ = try Method.TurnGet.parameters(view) }
                == message)
    }

    @Test func `is found by an ID in either case`() throws {
        let read = try Method.TurnGet.parameters(
            try Fixtures.json(#"{"turnId":"0193E8A0-0000-7000-8000-00000000000A"}"#))
        #expect(read.id.description == "0193e8a0-0000-7000-8000-00000000000a")
    }
}

@Suite struct `A look at the context` {
    @Test(arguments: [
        (#"{"sessionId":"a","dialect":"openai"}"#, false, "openai"), (#"{"sessionId":"a"}"#, false, "-"),
        (#"{"sessionId":"a","dialect":7}"#, false, "'dialect' must be a string"),
        (#"{"sessionId":"a","dialect":"openai"}"#, true, "'dialect' is not known here"),
        (#"{"sessionId":"a","window":7}"#, true, "'window' must be an object"),
    ])
    func `knows dialects where it may choose one`(_ source: String, _ isPreview: Bool, _ expected: String)
        throws
    {
        var words = ""
        let message = try refusal(source) { (view) throws(WireError) in
            if isPreview { _ = try Method.ContextPreview.parameters(view) }
            words = try Method.ContextBuild.parameters(view).dialect ?? "-"
        }
        #expect((message ?? words) == expected)
    }
}
