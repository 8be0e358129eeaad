import JSON
import Protocol
import TestSupport
import Testing

private let checker = SchemaChecker.shared

/// The names of a table of the document, each as `field` gives it.
private func column(_ table: String, _ field: String) -> [String] {
    checker.document[table]?.elements.compactMap { $0[field]?.string } ?? []
}

private func row(_ table: String, _ field: String, _ name: String) -> JSONView? {
    checker.document[table]?.elements.first { $0[field]?.string == name }
}

@Suite struct `The protocol's description` {
    @Test func `is an OpenRPC document`() {
        #expect(checker.document["openrpc"]?.string == "1.3.2")
        #expect(checker.document["info"]?["title"]?.string == "convod")
        #expect(checker.document["info"]?["version"]?.string == "\(Version.protocolNumber)")
        #expect(checker.document["methods"]?.kind == .array)
        #expect(checker.document.duplicateKeyInside == nil)
    }

    @Test func `names every method, sorted`() {
        #expect(checker.methodNames == Method.allCases.map(\.rawValue))
        #expect(checker.methodNames == checker.methodNames.sorted())
        #expect(checker.notificationNames == checker.notificationNames.sorted())
    }

    @Test func `gives every kind of error its code`() {
        #expect(column("x-errors", "kind") == ErrorKind.allCases.map(\.rawValue))
        for kind in ErrorKind.allCases {
            let found = row("x-errors", "kind", kind.rawValue)
            #expect(found?["code"]?.int == kind.code, "\(kind.rawValue)")
            #expect(found?["retryable"]?.bool == kind.isRetryable, "\(kind.rawValue)")
            #expect(found?["sentence"]?.string?.hasSuffix(".") == true, "\(kind.rawValue)")
        }
        let listed = checker.document["components"]?["schemas"]?["ErrorKind"]?["enum"]?.elements.map(\.string)
        #expect(listed == ErrorKind.allCases.map(\.rawValue))
    }

    @Test func `states the limits that are in force`() {
        let limits = Limits()
        let expected = [
            "lineBytes": limits.line, "depth": limits.depth, "connections": limits.connections,
            "outboxBytes": limits.outbox, "pageRows": limits.pageRows, "pageBytes": limits.pageBytes,
            "batch": IncomingLine.longestBatch, "queue": limits.queue, "queuedBytes": limits.queued,
            "requests": limits.requests, "unstoredBytes": limits.unstored,
            "unstoredAllBytes": limits.unstoredAll, "bufferBytes": limits.buffers,
            "userBufferBytes": limits.userBuffers, "keys": Limits.keys, "values": Limits.values,
            "parts": Limits.parts, "cwdBytes": Limits.directory, "settingsBytes": Limits.settings,
            "paramsBytes": Limits.parameters, "nameBytes": Limits.name, "queryBytes": Limits.query,
        ]
        for (name, value) in expected {
            #expect(row("x-limits", "name", name)?["default"]?.int == value, "\(name)")
        }
        for row in checker.document["x-limits"]?.elements.map(\.self) ?? [] {
            #expect(
                row["default"]?.int != nil && row["unit"]?.string != nil && row["sentence"]?.string != nil)
        }
    }

    @Test func `uses only what the checker checks`() {
        #expect(checker.flaws.isEmpty)
    }

    @Test(arguments: Method.allCases)
    func `tells all about a method`(_ method: Method) throws {
        let entry = try #require(row("methods", "name", method.rawValue))
        #expect(entry["summary"]?.string?.hasSuffix(".") == true)
        #expect(entry["paramStructure"]?.string == "by-name")
        #expect(entry["x-params-closed"]?.bool == method.rawValue.hasPrefix("_convod/"))
        #expect(entry["x-since"]?.int == 1)
        #expect(["session", "free", "overtakes"].contains(entry["x-order"]?.string))
        #expect((entry["result"] == nil) == method.isNotification)
        #expect(entry["result"] == nil || entry["result"]?["name"]?.string != nil)
        for kind in entry["x-error-kinds"]?.elements.map(\.string) ?? [nil] {
            #expect(kind.flatMap(ErrorKind.init(rawValue:)) != nil)
        }
        for param in entry["params"]?.elements.map(\.self) ?? [] {
            #expect(param["name"]?.string != nil && param["required"]?.bool != nil)
            #expect(param["summary"]?.string?.hasSuffix(".") == true)
        }
    }

    @Test(arguments: checker.methodNames + checker.notificationNames)
    func `has examples that are as described`(_ method: String) throws {
        let examples = checker.examples(of: method)
        #expect(!examples.isEmpty)
        for example in examples {
            #expect(checker.problems(params: try JSONDocument(example.params).root, of: method) == [])
            guard !example.result.isEmpty else { continue }
            #expect(checker.problems(result: try JSONDocument(example.result).root, of: method) == [])
        }
    }

    @Test func `has the result of every example but those that are refused`() {
        let methods = Method.allCases.filter { !$0.isNotification && $0 != .authenticate }
        for method in methods {
            #expect(
                checker.examples(of: method.rawValue).allSatisfy { !$0.result.isEmpty }, "\(method.rawValue)")
        }
    }

    @Test func `has an example of every update`() {
        let shapes = checker.document["components"]?["schemas"]
        let references = shapes?["SessionUpdate"]?["oneOf"]?.elements.compactMap { $0["$ref"]?.string } ?? []
        let kinds = references.compactMap { reference in
            let name = reference.split(separator: "/").last.map(String.init) ?? ""
            return shapes?[name]?["properties"]?["sessionUpdate"]?["const"]?.string
        }
        let shown = checker.examples(of: "session/update").compactMap { example in
            (try? JSONDocument(example.params))?.root["update"]?["sessionUpdate"]?.string
        }
        #expect(kinds.count == references.count && !kinds.isEmpty)
        #expect(Set(kinds) == Set(shown))
    }

    @Test func `has parameters in its examples that the methods take`() throws {
        for method in Method.allCases {
            for example in checker.examples(of: method.rawValue) {
                #expect(throws: Never.self, "\(method.rawValue)") {
                    try read(try JSONDocument(example.params).root, of: method)
                }
            }
        }
    }

    @Test func `has only parameters that the methods know`() throws {
        for method in Method.allCases {
            let params = try paramsWithEveryName(of: method)
            #expect(throws: Never.self, "\(method.rawValue)") {
                try read(try JSONDocument(params).root, of: method)
            }
        }
    }

    /// The first example with all that is optional as null, also inside `_meta.convod`.
    private func paramsWithEveryName(of method: Method) throws -> [UInt8] {
        let example = try JSONDocument(try #require(checker.examples(of: method.rawValue).first).params).root
        let descriptors = row("methods", "name", method.rawValue)?["params"]
        return JSONWriter.object { writer in
            for descriptor in descriptors?.elements.map(\.self) ?? [] {
                guard let name = descriptor["name"]?.string else { continue }
                writer.key(name)
                if let extras = descriptor["schema"]?["properties"]?["convod"]?["properties"] {
                    writer.object {
                        $0.member("convod") { inner in
                            for extra in extras.members { inner.member(extra.key, raw: Array("null".utf8)) }
                        }
                    }
                } else if descriptor["required"]?.bool == true, let value = example[name] {
                    writer.raw(value.raw)
                } else {
                    writer.null()
                }
            }
        }
    }

    /// Reads parameters with the type that the method reads them with.
    private func read(_ params: JSONView, of method: Method) throws {
        if method != .authenticate { _ = try method.contract.parameters(params) }
    }

    @Test(arguments: Method.allCases)
    func `says who may call a method, and what it may pass`(_ method: Method) throws {
        let entry = try #require(row("methods", "name", method.rawValue)), contract = method.contract
        #expect(contract.method == method)
        #expect(entry["x-callers"]?.string == contract.callers.rawValue)
        #expect(entry["x-watchers"]?.bool == contract.isForWatchers)
        let order =
            switch contract.order {
            case .overtakes: "overtakes"
            case .free: "free"
            case .changes, .looks, .looksAndChanges: "session"
            }
        #expect(entry["x-order"]?.string == order)
    }
}

@Suite struct `The schema checker` {
    /// What it says about one answer to a request.
    private func check(_ method: String, params: String = #"{"sessionId":"demo"}"#, answer: String)
        -> [String]
    {
        var exchange = SchemaChecker.Exchange()
        let request = #"{"jsonrpc":"2.0","id":1,"method":"\#(method)","params":\#(params)}"#
        let problems = checker.check(line: Array(request.utf8), sentByClient: true, exchange: &exchange)
        #expect(problems.isEmpty)
        let response = #"{"jsonrpc":"2.0","id":1,\#(answer)}"#
        return checker.check(line: Array(response.utf8), sentByClient: false, exchange: &exchange)
    }

    private func check(update: String) -> [String] {
        var exchange = SchemaChecker.Exchange()
        let line =
            #"{"jsonrpc":"2.0","method":"session/update","params":{"sessionId":"demo","update":\#(update)}}"#
        return checker.check(line: Array(line.utf8), sentByClient: false, exchange: &exchange)
    }

    private let turn = #"{"turnId":"01890a5d-ac96-774b-bcce-b302099a8057"}"#

    /// The 'error' member of a response.
    private func error(_ code: Int = -32002, _ kind: String = "not_found", isRetryable: Bool = false)
        -> String
    {
        let data = #"{"kind":"\#(kind)","retryable":\#(isRetryable),"details":"no"}"#
        return #""error":{"code":\#(code),"message":"no","data":\#(data)}"#
    }

    @Test func `finds nothing wrong with what is right`() {
        #expect(check("session/close", answer: #""result":{}"#) == [])
        #expect(check("session/close", answer: error()) == [])
    }

    @Test func `finds what is missing`() {
        let answer = #""result":{"sessionId":"demo","configOptions":[],"_meta":{"convod":{}}}"#
        #expect(
            check("session/new", params: "{}", answer: answer)
                == ["session/new: result._meta.convod.created: is missing"])
        #expect(
            check("session/close", params: "{}", answer: #""result":{}"#)
                == ["session/close: params.sessionId: is missing"])
    }

    @Test func `finds a wrong type`() {
        let wrong = #""result":{"sessionId":7,"configOptions":[],"_meta":{"convod":{"created":true}}}"#
        #expect(
            check("session/new", params: "{}", answer: wrong)
                == ["session/new: result.sessionId: must be of type string, not number"])
        #expect(
            check("_convod/turn/cancel", params: turn, answer: #""result":[]"#)
                == ["_convod/turn/cancel: result: must be of type object, not array"])
        let fraction = #""result":{"count":1.5,"sha256":"\#(String(repeating: "0", count: 64))"}"#
        #expect(
            check("_convod/export", answer: fraction) == [
                "_convod/export: result.count: must be of type integer, not number"
            ])
    }

    @Test func `finds a member that nobody knows where that is refused`() {
        #expect(
            check("session/close", answer: #""result":{"ok":true}"#) == [
                "session/close: result.ok: is not known"
            ])
        let extra = #"{"sessionId":"demo","colour":"red"}"#
        #expect(check("session/close", params: extra, answer: #""result":{}"#) == [])
        let turns = #""result":{"turns":[]}"#
        #expect(
            check("_convod/turn/list", params: extra, answer: turns) == [
                "_convod/turn/list: params.colour: is not known"
            ])
    }

    @Test func `finds a word that is none of the allowed`() {
        let result = #""result":{"turnId":"01890a5d-ac96-774b-bcce-b302099a8057","state":"running"}"#
        #expect(
            check("_convod/turn/cancel", params: turn, answer: result)
                == [
                    "_convod/turn/cancel: result.state: must be one of "
                        + #"["complete", "cancelled", "interrupted", "failed"], not "running""#
                ])
    }

    @Test func `finds a number or a text out of bounds`() {
        let hash = String(repeating: "0", count: 63)
        #expect(
            check("_convod/export", answer: #""result":{"count":-1,"sha256":"\#(hash)"}"#)
                == [
                    "_convod/export: result.count: is below 0.0",
                    "_convod/export: result.sha256: does not match '^[0-9a-f]{64}$'",
                ])
        let accented = "a" + "b\u{301}"
        #expect(
            check("session/close", params: #"{"sessionId":"\#(accented)"}"#, answer: #""result":{}"#)
                == ["session/close: params.sessionId: does not match '^[A-Za-z0-9][A-Za-z0-9._:@-]*$'"])
    }

    @Test func `finds an error with the code of another kind`() {
        #expect(
            check("session/close", answer: error(-32603))
                == ["error.code: 'not_found' has the code -32002, not -32603"])
        #expect(
            check("session/close", answer: error(isRetryable: true))
                == ["error.data.retryable: must be false for 'not_found'"])
        let bare = #""error":{"code":-32002,"message":"no"}"#
        #expect(check("session/close", answer: bare) == ["error.data: is missing"])
    }

    @Test func `tells the update that was meant`() {
        let call = #"{"sessionUpdate":"tool_call_update","status":"completed","_meta":{"convod":{}}}"#
        #expect(check(update: call) == ["session/update: params.update.toolCallId: is missing"])
        let usage = #"{"sessionUpdate":"usage_update","used":"1","size":2}"#
        #expect(
            check(update: usage) == [
                "session/update: params.update.used: must be of type integer, not string"
            ])
        #expect(!check(update: #"{"sessionUpdate":"plan","entries":[]}"#).isEmpty)
    }

    @Test func `lets a client send what it likes to get an error`() {
        #expect(check("no/such", answer: error()) == [])
        #expect(check("session/close", params: #"{"sessionId":1}"#, answer: error()) == [])
        var exchange = SchemaChecker.Exchange()
        #expect(checker.check(line: Array("{nonsense".utf8), sentByClient: true, exchange: &exchange) == [])
        let refusal = #"{"jsonrpc":"2.0","id":null,\#(error(-32700, "parse_error"))}"#
        #expect(checker.check(line: Array(refusal.utf8), sentByClient: false, exchange: &exchange) == [])
    }

    @Test func `finds a result that nobody asked for`() {
        var exchange = SchemaChecker.Exchange()
        let line = #"{"jsonrpc":"2.0","id":2,"result":{}}"#
        #expect(
            checker.check(line: Array(line.utf8), sentByClient: false, exchange: &exchange)
                == ["the ID 2 has a result, but no request"])
    }

    @Test func `keeps requests of one ID apart`() {
        var exchange = SchemaChecker.Exchange()
        let requests = [
            #"{"jsonrpc":"2.0","id":"a","method":"_convod/turn/list","params":{"sessionId":"demo"}}"#,
            #"[{"jsonrpc":"2.0","id":"\u0061","method":"session/close","params":{"sessionId":"demo"}}]"#,
        ]
        for line in requests {
            _ = checker.check(line: Array(line.utf8), sentByClient: true, exchange: &exchange)
        }
        #expect(exchange.unanswered == ["_convod/turn/list", "session/close"])
        let answers =
            #"[{"jsonrpc":"2.0","id":"a","result":{}},{"jsonrpc":"2.0","id":"a","result":{"turns":[]}}]"#
        #expect(checker.check(line: Array(answers.utf8), sentByClient: false, exchange: &exchange) == [])
        #expect(exchange.unanswered == [])
    }

    @Test func `finds lines that are no messages`() {
        var exchange = SchemaChecker.Exchange()
        let lines = [
            "7", "{", "[]", #"{"jsonrpc":"2.0","id":1}"#,
            #"{"jsonrpc":"2.0","method":"no/such","params":{}}"#,
        ]
        for line in lines {
            #expect(
                !checker.check(line: Array(line.utf8), sentByClient: false, exchange: &exchange).isEmpty,
                "\(line)")
        }
        let split = "{\"jsonrpc\":\"2.0\",\"method\":\"session/update\",\n\"params\":{}}\n"
        #expect(
            checker.check(line: Array(split.utf8), sentByClient: false, exchange: &exchange).first
                == "the line holds an LF")
    }
}
