import JSON
import Protocol
import TestSupport
import Testing

/// A decoded message as one line, so that tables read well.
private func words(_ message: Incoming) -> String {
    func raw(_ params: JSONView?) -> String { params.map { text($0.raw) } ?? "-" }
    return switch message {
    case .request(let id, let method, let params): "request \(text(id.raw)) \(method) \(raw(params))"
    case .notification(let method, let params): "notification \(method) \(raw(params))"
    case .response: "response"
    case .invalid(let id, let error): "invalid \(text(id.raw)) \(error.kind.rawValue): \(error.message)"
    }
}

private func words(_ line: String) -> String {
    switch IncomingLine(Array(line.utf8), depth: 128) {
    case .single(let message): words(message)
    case .batch(let entries): "batch [" + entries.map(words).joined(separator: " | ") + "]"
    }
}

@Suite struct `A request ID (B115)` {
    @Test(arguments: [
        "9007199254740993", "9223372036854775808", "1.5", "1e20", "-0", "0", "1", "null", #""""#, #""1""#,
        #""\u0041\/""#, "1.0",
        "123456789012345678901234567890",
    ])
    func `is kept exactly`(_ id: String) {
        #expect(words(#"{"jsonrpc":"2.0","id": \#(id) ,"method":"m"}"#) == "request \(id) m -")
    }

    @Test(arguments: [
        ("9007199254740993", #"{"jsonrpc":"2.0","id":9007199254740993,"result":{}}"#),
        (#""\u0041""#, #"{"jsonrpc":"2.0","id":"\u0041","result":{}}"#),
        ("null", #"{"jsonrpc":"2.0","id":null,"result":{}}"#),
    ])
    func `is echoed exactly`(_ id: String, _ line: String) throws {
        let id = try #require(RequestID(try Fixtures.json(id)))
        #expect(text(Outgoing.result(id, Array("{}".utf8))) == line + "\n")
    }

    @Test(arguments: ["true", "false", "[]", "{}", "[1]"]) func `of another kind is refused with ID null`(
        _ id: String
    ) {
        #expect(
            words(#"{"jsonrpc":"2.0","id":\#(id),"method":"m"}"#)
                == "invalid null invalid_request: 'id' must be a string, a number or null")
    }

    @Test(arguments: [
        ("1", "1", true), ("1", #""1""#, false), ("9007199254740992", "9007199254740993", false),
        (#""A""#, #""\u0041""#, true),
        ("null", #""null""#, false), ("1", "1.0", false), (#""""#, "null", false),
        (#""é""#, "\"e\u{301}\"", false),
    ])
    func `is the same as another only when both are`(_ a: String, _ b: String, _ isSame: Bool) throws {
        let a = try #require(RequestID(try Fixtures.json(a))),
            b = try #require(RequestID(try Fixtures.json(b)))
        #expect((a == b) == isSame)
        #expect(Set([a, b]).count == (isSame ? 1 : 2))
    }

    @Test func `of null makes a request, no ID a notification`() {
        #expect(words(#"{"jsonrpc":"2.0","id":null,"method":"m"}"#) == "request null m -")
        #expect(words(#"{"jsonrpc":"2.0","method":"m"}"#) == "notification m -")
    }
}

@Suite struct `A line that comes in` {
    @Test(arguments: [
        (#"{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":1}}"#, #"request 1 m {"a":1}"#),
        (#"{"params":[1],"method":"m","id":"x","jsonrpc":"2.0"}"#, #"request "x" m [1]"#),
        (#" {"jsonrpc":"2.0","id":1,"method":"m","more":true} "#, "request 1 m -"),
        (#"{"jsonrpc":"2.0","id":1,"method":"a\u002fb"}"#, "request 1 a/b -"),
        (#"{"jsonrpc":"2.0","id":1,"result":{}}"#, "response"),
        (#"{"jsonrpc":"2.0","id":null,"error":{}}"#, "response"),
    ])
    func `is decoded`(_ line: String, _ expected: String) { #expect(words(line) == expected) }

    @Test(arguments: [
        (#"{"id":1}"#, "'jsonrpc' must be \"2.0\""),
        (#"{"jsonrpc":"2.0","id":1}"#, "a request needs 'method'"),
        (#"{"jsonrpc":"1.0","id":1,"method":"m"}"#, "'jsonrpc' must be \"2.0\""),
        (#"{"jsonrpc":2.0,"id":1,"method":"m"}"#, "'jsonrpc' must be \"2.0\""),
        (#"{"jsonrpc":"2.0","id":1,"method":5}"#, "'method' must be a string"),
        (#"{"jsonrpc":"2.0","id":1,"method":null}"#, "'method' must be a string"),
        (#"{"jsonrpc":"2.0","id":1,"method":"m","params":"x"}"#, "'params' must be an object"),
        (#"{"jsonrpc":"2.0","id":1,"method":"m","params":7}"#, "'params' must be an object"),
    ])
    func `and is no request is refused with its ID (B124, B125)`(_ line: String, _ message: String) {
        #expect(words(line) == "invalid 1 invalid_request: \(message)")
    }

    @Test(arguments: ["1", "\"x\"", "null", "true"]) func `and is no object is refused with ID null`(
        _ line: String
    ) {
        #expect(words(line) == "invalid null invalid_request: a request must be an object")
    }

    @Test(arguments: [
        #"{"jsonrpc":"2.0","id":7,"method":"session/list","method":"session/delete"}"#,
        #"{"jsonrpc":"2.0","id":7,"method":"m","m\u0065thod":"n"}"#,
    ])
    func `and has a key twice is refused with its ID (B122)`(_ line: String) {
        #expect(
            words(line) == "invalid 7 invalid_request: the key 'method' stands twice; each may stand once")
    }

    @Test func `and has two IDs or two params is refused`() {
        #expect(
            words(#"{"jsonrpc":"2.0","id":1,"id":2,"method":"m"}"#)
                == "invalid 1 invalid_request: the key 'id' stands twice; each may stand once")
        #expect(
            words(#"{"jsonrpc":"2.0","id":1,"method":"m","params":{},"params":{}}"#)
                == "invalid 1 invalid_request: the key 'params' stands twice; each may stand once")
    }

    @Test(arguments: [
        ("{", "the text ends inside a value at byte 1"), ("nonsense", "unexpected 'o' at byte 1"),
        ("{\"a\":\u{0}}", "unexpected byte 0 at byte 5"),
        (#"{"jsonrpc":"2.0","id":1,"method":"m",}"#, "unexpected '}' at byte 37"),
        ("{} {}", "text after the value at byte 3"),
    ])
    func `and is no JSON is a parse error with ID null (B113)`(_ line: String, _ reason: String) {
        #expect(words(line) == "invalid null parse_error: the line is not JSON: \(reason)")
    }

    @Test func `and is nested too deeply is a parse error with ID null (B118)`() {
        let line = #"{"jsonrpc":"2.0","id":1,"method":"m","x":"# + String(repeating: "[", count: 10_000)
        #expect(
            words(line)
                == "invalid null parse_error: the line is not JSON: nested deeper than 128 levels at byte 168"
        )
    }

    @Test func `and is not UTF-8 is a parse error with ID null`() {
        guard case .single(.invalid(let id, let error)) = IncomingLine([0x22, 0xFF, 0x22], depth: 128) else {
            Issue.record("the line was read")
            return
        }
        #expect(id == .null)
        #expect(error == WireError(.parseError, "the line is not JSON: not valid UTF-8 at byte 1"))
    }
}

@Suite struct `A batch (B127)` {
    private let request = #"{"jsonrpc":"2.0","id":1,"method":"m"}"#,
        notification = #"{"jsonrpc":"2.0","method":"n"}"#

    @Test func `is decoded entry by entry, the broken ones too`() {
        #expect(
            words("[\(request),\(notification),5]")
                == "batch [request 1 m - | notification n - | invalid null invalid_request: a request must be an object]"
        )
    }

    @Test func `of notifications alone has nothing to answer (B127)`() {
        #expect(words("[\(notification),\(notification)]") == "batch [notification n - | notification n -]")
    }

    @Test func `that is empty is refused`() {
        #expect(words(" [ ] ") == "invalid null invalid_request: a batch must hold at least one request")
    }

    @Test func `may hold 64 entries`() {
        let line = "[" + Array(repeating: notification, count: 64).joined(separator: ",") + "]"
        #expect(
            words(line) == "batch ["
                + Array(repeating: "notification n -", count: 64).joined(separator: " | ") + "]")
    }

    @Test func `of 65 entries is refused with both numbers`() {
        let line = "[" + Array(repeating: notification, count: 65).joined(separator: ",") + "]"
        #expect(
            words(line)
                == "invalid null invalid_request: a batch may hold 64 entries, this one has 65; send several")
    }

    @Test func `inside a batch is refused`() {
        #expect(
            words("[[\(request)]]") == "batch [invalid null invalid_request: a request must be an object]")
    }
}

@Suite struct `A line that goes out` {
    @Test func `is one line of JSON each`() throws {
        let error = WireError(
            .busy, "a turn is running\nwait", retryAfterMs: 250,
            details: ["b": Array("2".utf8), "a": Array("[1]".utf8)])
        #expect(
            text(Outgoing.failure(.null, error)) == """
                {"jsonrpc":"2.0","id":null,"error":{"code":-31002,"message":"a turn is running\\nwait","data":{"kind":"busy",\
                "retryable":true,"retryAfterMs":250,"details":"a turn is running\\nwait","a":[1],"b":2}}}

                """)
        #expect(
            text(Outgoing.notification("session/update", Array(#"{"a":1}"#.utf8)))
                == #"{"jsonrpc":"2.0","method":"session/update","params":{"a":1}}"# + "\n")
        #expect(
            text(Outgoing.request(.number(5), "m", Array("{}".utf8)))
                == #"{"jsonrpc":"2.0","id":5,"method":"m","params":{}}"# + "\n")
    }

    @Test func `is read back as what it was`() throws {
        #expect(
            words(text(Outgoing.request(.number(-1), "a/b", Array(#"{"x":[]}"#.utf8))))
                == #"request -1 a/b {"x":[]}"#)
        #expect(words(text(Outgoing.notification("a\"b", Array("{}".utf8)))) == "notification a\"b {}")
        #expect(words(text(Outgoing.result(.number(1), Array("null".utf8)))) == "response")
    }
}
