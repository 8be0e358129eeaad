package import JSON
internal import Protocol
internal import Schema

/// Checks lines of the wire against `schema/protocol.json`.
///
/// It knows the part of JSON Schema that the document uses (`keywords`) and nothing else; `flaws` says when the
/// document uses more.
package struct SchemaChecker: Sendable {
    /// The requests of one connection that wait for their answers.
    package struct Exchange: Sendable {
        fileprivate struct Request: Sendable {
            let method: String
            let params: JSONView?
        }
        fileprivate var pending: [RequestID: [Request]] = [:]

        /// Begins with a connection on which nothing was sent yet.
        package init() {}

        /// The methods of the requests that nobody answered, sorted.
        package var unanswered: [String] { pending.values.flatMap { $0.map(\.method) }.sorted() }
    }

    /// The keywords of JSON Schema that are checked; `description` beside them is for readers.
    package static let keywords: Set<String> = [
        "$ref", "additionalProperties", "anyOf", "const", "enum", "items", "maxLength", "maximum",
        "minLength", "minimum",
        "oneOf", "pattern", "properties", "required", "type",
    ]

    /// The checker for the document that this build embeds.
    package static let shared: SchemaChecker = {
        let file = unsafe schema_protocol
        // The bytes are a constant of the program, so the pointer holds for ever.
        let bytes = unsafe Array(UnsafeBufferPointer(start: file.bytes, count: file.count))
        do throws(JSONError) { return try SchemaChecker(bytes) } catch {
            preconditionFailure("schema/protocol.json: \(error.description)")
        }
    }()

    /// The whole document.
    package let document: JSONView
    let methods: [String: JSONView]
    let notifications: [String: JSONView]
    private let errors: [String: JSONView]
    let schemas: [String: JSONView]

    /// Reads a document laid out as `schema/README.md` says.
    package init(_ bytes: [UInt8]) throws(JSONError) {
        document = try JSONDocument(bytes, depth: 64).root
        methods = SchemaChecker.table(document["methods"], by: "name")
        notifications = SchemaChecker.table(document["x-notifications"], by: "name")
        errors = SchemaChecker.table(document["x-errors"], by: "kind")
        let shapes = document["components"]?["schemas"]?.members.map { ($0.key, $0.value) } ?? []
        schemas = Dictionary(shapes, uniquingKeysWith: { first, _ in first })
    }

    private static func table(_ rows: JSONView?, by name: String) -> [String: JSONView] {
        let pairs = rows?.elements.map { ($0[name]?.string ?? "", $0) } ?? []
        return Dictionary(pairs, uniquingKeysWith: { first, _ in first })
    }

    /// The methods in the order of the document.
    package var methodNames: [String] {
        document["methods"]?.elements.compactMap { $0["name"]?.string } ?? []
    }

    /// The daemon's notifications in the order of the document.
    package var notificationNames: [String] {
        document["x-notifications"]?.elements.compactMap { $0["name"]?.string } ?? []
    }

    /// The examples of a method or a notification, each on one line; `result` is empty where there is none.
    package func examples(of method: String) -> [(params: [UInt8], result: [UInt8])] {
        let entry = methods[method] ?? notifications[method]
        return entry?["examples"]?.elements.map { example in
            let params = JSONWriter.object { writer in
                for param in example["params"]?.elements.map(\.self) ?? [] {
                    guard let name = param["name"]?.string, let value = param["value"] else { continue }
                    writer.member(name, raw: SchemaChecker.oneLine(value))
                }
            }
            return (params, example["result"]?["value"].map(SchemaChecker.oneLine) ?? [])
        } ?? []
    }

    /// A value's text without white space between its tokens.
    private static func oneLine(_ value: JSONView) -> [UInt8] {
        var out: [UInt8] = []
        var isInString = false, isEscaped = false
        for byte in value.raw {
            if isInString {
                isInString = byte != 0x22 || isEscaped
                isEscaped = byte == 0x5C && !isEscaped
            } else if [0x20, 0x0A, 0x0D, 0x09].contains(byte) {
                continue
            } else {
                isInString = byte == 0x22
            }
            out.append(byte)
        }
        return out
    }
}

extension SchemaChecker {
    /// Checks one line and returns what is wrong with it in words; nothing when it is as described.
    ///
    /// A client's line is only noted: its parameters are checked when its answer turns out to be a result, so that a
    /// test can send what it likes to get an error.
    package func check(line: [UInt8], sentByClient: Bool, exchange: inout Exchange) -> [String] {
        let line = line.last == 0x0A ? Array(line.dropLast()) : line
        let root: JSONView
        do { root = try JSONDocument(line, depth: 10_000).root } catch {
            return sentByClient ? [] : ["the line is not JSON: \(error.description)"]
        }
        let messages = root.kind == .array ? Array(root.elements) : [root]
        if sentByClient {
            for message in messages { note(message, &exchange) }
            return []
        }
        var problems = line.contains(0x0A) ? ["the line holds an LF"] : []
        if messages.isEmpty { problems.append("the line is an empty array") }
        for message in messages { problems += check(message, &exchange) }
        return problems
    }

    private func note(_ message: JSONView, _ exchange: inout Exchange) {
        guard message.kind == .object, let method = message["method"]?.string,
            let id = message["id"].flatMap(RequestID.init)
        else { return }
        exchange.pending[id, default: []].append(Exchange.Request(method: method, params: message["params"]))
    }

    private func check(_ message: JSONView, _ exchange: inout Exchange) -> [String] {
        guard message.kind == .object else { return ["a message must be an object"] }
        var problems: [String] = []
        if message["jsonrpc"]?.string != "2.0" { problems.append("'jsonrpc' must be \"2.0\"") }
        let isResponse = message["method"] == nil
        let known = isResponse ? ["jsonrpc", "id", "result", "error"] : ["jsonrpc", "method", "params"]
        for member in message.members where !known.contains(member.key) {
            problems.append(
                "'\(member.key)' does not belong into a \(isResponse ? "response" : "notification")")
        }
        if let key = message.duplicateKey { problems.append("'\(key)' stands twice") }
        if !isResponse { return problems + check(notification: message) }
        guard let id = message["id"].flatMap(RequestID.init) else {
            return problems + ["a response needs an 'id'"]
        }
        switch (message["result"], message["error"]) {
        case (let result?, nil): return problems + check(result, id, &exchange)
        case (nil, let error?):
            exchange.dropNewest(id)
            return problems + check(error: error)
        default: return problems + ["a response holds either 'result' or 'error'"]
        }
    }

    private func check(notification message: JSONView) -> [String] {
        guard let name = message["method"]?.string, let entry = notifications[name] else {
            return ["'\(message["method"]?.string ?? "")' is no notification of the daemon"]
        }
        return problems(of: message["params"], entry).map { "\(name): \($0.words)" }
    }

    private func check(_ result: JSONView, _ id: RequestID, _ exchange: inout Exchange) -> [String] {
        // Requests with equal IDs may be under way; the result belongs to the one that it suits best.
        let request = exchange.take(id) { problems(result: result, of: $0.method).count }
        guard let request else {
            return ["the ID \(String(decoding: id.raw, as: UTF8.self)) has a result, but no request"]
        }
        return problems(result: result, of: request.method)
            + problems(params: request.params, of: request.method)
    }

    private func check(error: JSONView) -> [String] {
        let shape = schemas["Error"].map { problems(of: error, $0, at: "error") } ?? []
        guard shape.isEmpty, let kind = error["data"]?["kind"]?.string else { return shape.map(\.words) }
        guard let row = errors[kind] else { return ["error.data.kind: '\(kind)' is not in x-errors"] }
        var found: [String] = []
        if let code = row["code"]?.int, error["code"]?.int != code {
            found.append("error.code: '\(kind)' has the code \(code), not \(error["code"]?.int ?? 0)")
        }
        // What is stored already must not come again.
        let isStored = row["unlessStored"]?.bool == true && error["data"]?["turnId"] != nil
        if !isStored, let retryable = row["retryable"]?.bool, error["data"]?["retryable"]?.bool != retryable {
            found.append("error.data.retryable: must be \(retryable) for '\(kind)'")
        }
        return found
    }

    /// What is wrong with the parameters of a method, in words.
    package func problems(params: JSONView?, of method: String) -> [String] {
        guard let entry = methods[method] ?? notifications[method] else {
            return ["'\(method)' is no method"]
        }
        return problems(of: params, entry).map { "\(method): \($0.words)" }
    }

    /// What is wrong with the result of a method, in words.
    package func problems(result: JSONView, of method: String) -> [String] {
        guard let entry = methods[method] else { return ["'\(method)' is no method"] }
        guard let schema = entry["result"]?["schema"] else { return ["\(method): has no result"] }
        return problems(of: result, schema, at: "result").map { "\(method): \($0.words)" }
    }

    private func problems(of params: JSONView?, _ entry: JSONView) -> [Problem] {
        if let params, params.kind != .object { return [Problem("params", "must be an object")] }
        var problems: [Problem] = [], known: Set<String> = []
        for descriptor in entry["params"]?.elements.map(\.self) ?? [] {
            guard let name = descriptor["name"]?.string, let schema = descriptor["schema"] else { continue }
            known.insert(name)
            if let value = params?[name] {
                problems += self.problems(of: value, schema, at: "params.\(name)")
            } else if descriptor["required"]?.bool == true {
                problems.append(Problem("params.\(name)", "is missing"))
            }
        }
        guard entry["x-params-closed"]?.bool == true, let params else { return problems }
        for member in params.members where !known.contains(member.key) {
            problems.append(Problem("params.\(member.key)", "is not known"))
        }
        return problems
    }
}

extension SchemaChecker.Exchange {
    /// Takes out the request with this ID that `cost` finds cheapest; nil when none has it.
    fileprivate mutating func take(_ id: RequestID, cost: (Request) -> Int) -> Request? {
        guard var waiting = pending[id],
            let best = waiting.indices.min(by: { cost(waiting[$0]) < cost(waiting[$1]) })
        else { return nil }
        let request = waiting.remove(at: best)
        pending[id] = waiting.isEmpty ? nil : waiting
        return request
    }

    /// Takes out the newest request with this ID: one that repeats an ID is refused at once.
    fileprivate mutating func dropNewest(_ id: RequestID) {
        guard var waiting = pending[id] else { return }
        waiting.removeLast()
        pending[id] = waiting.isEmpty ? nil : waiting
    }
}
