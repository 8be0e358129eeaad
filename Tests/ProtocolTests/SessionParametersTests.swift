import Conversation
import JSON
import Protocol
import TestSupport
import Testing

/// The sentence with which parameters are refused, nil when they are read; every refusal must be `invalid_params`.
func refusal(_ source: String, _ read: (JSONView?) throws(WireError) -> Void) throws -> String? {
    let view = try Fixtures.json(source)
    do throws(WireError) {
        try read(view)
        return nil
    } catch {
        #expect(error.kind == .invalidParams)
        return error.message
    }
}

private func new(_ source: String) throws -> Method.SessionNew.Parameters {
    try Method.SessionNew.parameters(try Fixtures.json(source))
}

private func newRefusal(_ source: String) throws -> String? {
    try refusal(source) { (view) throws(WireError) in _ = try Method.SessionNew.parameters(view) }
}

@Suite struct `A session ID on the wire (B071)` {
    static let malformed = [
        "../../x", "a/b", "..", ".", "", "-rf", "_a", "@a", ":a", "a b", "a\u{0}b", "%2e%2e", "👍",
        "a\u{200F}", "\u{E9}", "e\u{301}", "a\n", "名",
        "a\\b", "~", "a,b", String(repeating: "a", count: 129), String(repeating: "a", count: 5_000),
    ]

    @Test(arguments: malformed) func `is refused when it is malformed`(_ id: String) throws {
        let params = JSONWriter.object { $0.member("sessionId", id) }
        let message = try refusal(text(params)) { (view) throws(WireError) in
            _ = try Method.SessionClose.parameters(view)
        }
        #expect(
            message == """
                'sessionId' must be 1 to 128 characters of A-Z a-z 0-9 . _ : @ -, the first a letter or digit; \
                this one has \(id.utf8.count) bytes
                """)
        let meta = JSONWriter.object {
            $0.member("_meta") { $0.member("convod") { $0.member("sessionId", id) } }
        }
        #expect(try newRefusal(text(meta)) == message)
    }

    @Test(arguments: [
        "a", "7", "CON", "A.b_c:d@e-f", "0193e8a0-0000-7000-8000-000000000001",
        String(repeating: "z", count: 128),
    ])
    func `is taken as it stands when it is well-formed`(_ id: String) throws {
        let view = try Fixtures.json(#"{"sessionId":"\#(id)"}"#)
        #expect(try Method.SessionGet.parameters(view).id.text == id)
    }

    @Test(arguments: [
        ("{}", "'sessionId' is missing"), (#"{"sessionId":null}"#, "'sessionId' is missing"),
        (#"{"sessionId":7}"#, "'sessionId' must be a string"),
        ("[]", "'params' must be an object"),
        (#"{"sessionId":"a","sessionId":"b"}"#, "the key 'sessionId' stands twice; each may stand once"),
    ])
    func `must be there once, as a string`(_ source: String, _ message: String) throws {
        #expect(
            try refusal(source) { (view) throws(WireError) in _ = try Method.SessionClose.parameters(view)
            } == message)
    }
}

@Suite struct `An unknown key` {
    @Test func `is tolerated among ACP's parameters`() throws {
        #expect(try new(#"{"cwd":"/","mcpServers":[],"reason":"x","_meta":{"other":1}}"#).cwd == "/")
        let view = try Fixtures.json(#"{"sessionId":"a","reason":"acp.el adds this"}"#)
        #expect(try Method.SessionClose.parameters(view).id.text == "a")
        #expect(
            try Method.SessionPrompt.parameters(
                try Fixtures.json(
                    #"{"sessionId":"a","more":1,"prompt":[{"type":"text","text":"x","annotations":{}}]}"#)
            ).id.text == "a")
    }

    @Test func `is refused in '_meta.convod'`() throws {
        #expect(
            try newRefusal(#"{"_meta":{"convod":{"colour":1}}}"#) == "'_meta.convod.colour' is not known here"
        )
        let prompt =
            #"{"sessionId":"a","prompt":[{"type":"text","text":"x"}],"_meta":{"convod":{"expectedTail":1}}}"#
        #expect(
            try refusal(prompt) { (view) throws(WireError) in _ = try Method.SessionPrompt.parameters(view) }
                == "'_meta.convod.expectedTail' is not known here")
    }

    @Test func `is refused among the parameters of convod's own methods`() throws {
        let source = #"{"sessionId":"a","colour":1,"_meta":{"any":1}}"#,
            message = "'colour' is not known here"
        #expect(
            try refusal(source) { (view) throws(WireError) in _ = try Method.SessionGet.parameters(view)
            } == message)
        #expect(
            try refusal(source) { (view) throws(WireError) in _ = try Method.SessionSet.parameters(view) }
                == message)
        #expect(
            try refusal(source) { (view) throws(WireError) in _ = try Method.Export.parameters(view) }
                == message)
        #expect(
            try refusal(source) { (view) throws(WireError) in _ = try Method.TurnStart.parameters(view) }
                == message)
        #expect(
            try refusal(source) { (view) throws(WireError) in
                _ = try Method.MessageList.parameters(view)
            } == message)
        #expect(
            try refusal(source) { (view) throws(WireError) in
                _ = try Method.TurnList.parameters(view)
            } == message)
    }
}

@Suite struct `A new session` {
    @Test func `has all that the client said`() throws {
        let session = try new(
            #"""
            {"cwd":"/home/a","mcpServers":[ {"name":"x"} ],"_meta":{"convod":{"sessionId":"s","ifExists":"resume","title":"T","system":"S",
            "upstream":"u","model":"m","window":{ "maxTokens":1 },"tags":["a","b"],"metadata":{ "n":1.50,"x":"\ud83d" }}}}
            """#)
        #expect(session.id?.text == "s")
        #expect(session.ifExists == .resume)
        #expect(session.cwd == "/home/a")
        #expect(session.mcpServers.map { text($0) } == #"[ {"name":"x"} ]"#)
        #expect(session.title == "T")
        #expect(session.system == "S")
        #expect(
            session.settings
                == SessionSettings(upstream: "u", model: "m", window: Array(#"{ "maxTokens":1 }"#.utf8)))
        #expect(session.tags == ["a", "b"])
        #expect(session.metadata.map { text($0) } == #"{ "n":1.50,"x":"\ud83d" }"#)
    }

    @Test(arguments: [
        "{}", #"{"_meta":null}"#, #"{"_meta":{}}"#, #"{"_meta":{"convod":null}}"#,
        #"{"cwd":null,"_meta":{"convod":{"title":null,"tags":null}}}"#,
    ])
    func `needs nothing`(_ source: String) throws {
        let session = try new(source)
        #expect(
            session.id == nil && session.cwd == nil && session.title == nil && session.metadata == nil
                && session.mcpServers == nil)
        #expect(session.ifExists == .error && session.tags == [] && session.settings == SessionSettings())
    }

    @Test(arguments: [
        (#"{"cwd":"relative"}"#, "'cwd' must be an absolute path"),
        (#"{"cwd":"/a\u0000b"}"#, "'cwd' must be an absolute path"),
        (#"{"cwd":true}"#, "'cwd' must be a string"),
        (#"{"mcpServers":{}}"#, "'mcpServers' must be an array"),
        (#"{"_meta":[]}"#, "'_meta' must be an object"),
        (#"{"_meta":{"convod":1}}"#, "'_meta.convod' must be an object"),
        (
            #"{"_meta":{"convod":{"ifExists":"replace"}}}"#,
            "'_meta.convod.ifExists' must be 'resume' or 'error'"
        ),
        (#"{"_meta":{"convod":{"ifExists":true}}}"#, "'_meta.convod.ifExists' must be a string"),
        (#"{"_meta":{"convod":{"window":8}}}"#, "'_meta.convod.window' must be an object"),
        (#"{"_meta":{"convod":{"window":[]}}}"#, "'_meta.convod.window' must be an object"),
        (#"{"_meta":{"convod":{"tags":"x"}}}"#, "'_meta.convod.tags' must be an array"),
        (#"{"_meta":{"convod":{"tags":["x",1]}}}"#, "'_meta.convod.tags' must be an array of strings"),
        (#"{"_meta":{"convod":{"tags":[""]}}}"#, "'tags' may hold 64 tags of 1 to 64 bytes each"),
        (#"{"_meta":{"convod":{"metadata":"x"}}}"#, "'_meta.convod.metadata' must be an object"),
        (
            #"{"_meta":{"convod":{"title":"a","title":"b"}}}"#,
            "the key 'title' stands twice; each may stand once"
        ),
    ])
    func `is refused when a value is of the wrong kind`(_ source: String, _ message: String) throws {
        #expect(try newRefusal(source) == message)
    }

    @Test func `may have 64 KiB of metadata`() throws {
        func source(_ bytes: Int) -> String {
            #"{"_meta":{"convod":{"metadata":{"x":"\#(String(repeating: "a", count: bytes - 8))"}}}}"#
        }
        #expect(try new(source(65_536)).metadata?.count == 65_536)
        #expect(
            try newRefusal(source(65_537)) == "'_meta.convod.metadata' may have 65536 bytes, it has 65537")
    }
}

@Suite struct `A change of a session` {
    @Test func `keeps what is absent and clears what is null`() throws {
        let change = try Method.SessionSet.parameters(
            try Fixtures.json(
                #"{"sessionId":"a","title":null,"system":"s","tags":["x"],"metadata":{"a":1.0},"archived":true}"#
            )
        ).change
        func words<Value>(_ change: SessionChange.Field<Value>) -> String {
            switch change {
            case .left: "keep"
            case .set(let value): value.map { "\($0)" } ?? "clear"
            }
        }
        #expect(
            [words(change.title), words(change.system), words(change.upstream), words(change.model)] == [
                "clear", "s", "keep", "keep",
            ])
        #expect(words(change.tags) == #"["x"]"#)
        #expect(words(change.metadata) == "\(Array(#"{"a":1.0}"#.utf8))")
        #expect(words(change.window) == "keep")
        #expect(change.isArchived == true)
    }

    @Test(arguments: [("1", "true or false"), ("\"true\"", "true or false")])
    func `takes no 1 for true (B121)`(_ value: String, _ wanted: String) throws {
        let message = try refusal(#"{"sessionId":"a","archived":\#(value)}"#) { (view) throws(WireError) in
            _ = try Method.SessionSet.parameters(view)
        }
        #expect(message == "'archived' must be \(wanted)")
    }
}

@Suite struct `A client that comes back` {
    private func open(_ source: String) throws -> Method.SessionLoad.Parameters {
        try Method.SessionLoad.parameters(try Fixtures.json(source))
    }
    private let id = "0193e8a0-0000-7000-8000-0000000000ff"

    @Test func `says what it holds`() throws {
        let opened = try open(
            #"{"sessionId":"a","cwd":"/x","mcpServers":[],"_meta":{"convod":{"after":{"messageId":"\#(id)","offset":7},"limit":20}}}"#
        )
        #expect(opened.after?.messageID.description == id)
        #expect(opened.after?.offset == 7)
        #expect(opened.limit == 20)
        #expect(opened.cwd == "/x")
    }

    @Test func `holds nothing of the message when it names no offset`() throws {
        #expect(
            try open(#"{"sessionId":"a","_meta":{"convod":{"after":{"messageId":"\#(id)"}}}}"#).after?.offset
                == 0)
        #expect(try open(#"{"sessionId":"a"}"#).after == nil)
    }

    @Test(arguments: [
        (#"{"offset":1}"#, "'_meta.convod.after.messageId' is missing"),
        (#"{"messageId":"x"}"#, "'_meta.convod.after.messageId' must be the ID of a message (a UUID)"),
        (
            #"{"messageId":"0193e8a0-0000-7000-8000-0000000000ff","offset":-1}"#,
            "'_meta.convod.after.offset' must be from 0 to 2147483647, it is -1"
        ),
        (
            #"{"messageId":"0193e8a0-0000-7000-8000-0000000000ff","offset":1.5}"#,
            "'_meta.convod.after.offset' must be an integer"
        ),
        (
            #"{"messageId":"0193e8a0-0000-7000-8000-0000000000ff","offset":true}"#,
            "'_meta.convod.after.offset' must be an integer"
        ),
        (
            #"{"messageId":"0193e8a0-0000-7000-8000-0000000000ff","at":1}"#,
            "'_meta.convod.after.at' is not known here"
        ),
        ("7", "'_meta.convod.after' must be an object"),
    ])
    func `is refused with a malformed cursor`(_ after: String, _ message: String) throws {
        let source = #"{"sessionId":"a","_meta":{"convod":{"after":\#(after)}}}"#
        #expect(
            try refusal(source) { (view) throws(WireError) in _ = try Method.SessionLoad.parameters(view) }
                == message
        )
    }
}
