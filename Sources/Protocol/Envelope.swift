package import Conversation
package import JSON

/// The ID of a request, kept as it came so that it is echoed exactly.
package struct RequestID: Hashable, Sendable {
    /// Raw JSON: a string, a number or null.
    package let raw: [UInt8]
    private let identity: [UInt8]

    /// Takes a string, a number or null, nil for any other value.
    package init?(_ view: JSONView) {
        switch view.kind {
        case .string: identity = [0x22] + (view.utf8 ?? [])  // "a" and "\u0061" are one ID
        case .number, .null: identity = Array(view.raw)
        default: return nil
        }
        raw = Array(view.raw)
    }

    private init(raw: String) {
        self.raw = Array(raw.utf8)
        identity = self.raw
    }

    /// The ID of an answer to a request whose own could not be read.
    package static let null = RequestID(raw: "null")

    /// A number made by a client.
    package static func number(_ value: Int) -> RequestID { RequestID(raw: String(value)) }

    package static func == (a: RequestID, b: RequestID) -> Bool { a.identity == b.identity }
    package func hash(into hasher: inout Hasher) { hasher.combine(identity) }
}

/// One message as it came in.
package enum Incoming: Sendable {
    /// It is answered exactly once, under this ID; nil `params` are read like an empty object.
    case request(RequestID, method: String, params: JSONView?)
    /// It has no ID and is never answered, whatever becomes of it.
    case notification(method: String, params: JSONView?)
    /// The answer to a request of ours; there are none, so it is ignored.
    case response
    /// No JSON-RPC request: the error is its answer, under `null` where no ID could be read.
    case invalid(RequestID, WireError)
}

/// A line as it came in.
package enum IncomingLine: Sendable {
    /// One message, answered by one line.
    case single(Incoming)
    /// An array of messages, at least one and at most `longestBatch`, in their order.
    case batch([Incoming])

    /// At most so many entries in a batch.
    package static let longestBatch = 64

    /// Decodes a line; every line gives something that can be answered.
    package init(_ bytes: [UInt8], depth: Int) {
        let document: JSONDocument
        do {
            document = try JSONDocument(bytes, depth: depth, keys: Limits.keys, values: Limits.values)
        } catch {
            let words =
                switch error.code {
                case .tooManyKeys, .tooManyValues: "the line is more than one request may hold"
                default: "the line is not JSON"
                }
            self = .single(.invalid(.null, WireError(.parseError, "\(words): \(error.description)")))
            return
        }
        guard document.root.kind == .array else {
            self = .single(Incoming(document.root))
            return
        }
        let entries = document.root.count
        if entries == 0 {
            self = .single(
                .invalid(.null, WireError(.invalidRequest, "a batch must hold at least one request")))
        } else if entries > IncomingLine.longestBatch {
            let message =
                "a batch may hold \(IncomingLine.longestBatch) entries, this one has \(entries); send several"
            self = .single(.invalid(.null, WireError(.invalidRequest, message)))
        } else {
            self = .batch(document.root.elements.map { Incoming($0) })
        }
    }
}

extension Incoming {
    /// Decodes one JSON-RPC 2.0 message (jsonrpc.org/specification).
    package init(_ view: JSONView) {
        func refuse(_ id: RequestID, _ message: String) -> Incoming {
            .invalid(id, WireError(.invalidRequest, message))
        }
        guard view.kind == .object else {
            self = refuse(.null, "a request must be an object")
            return
        }
        let idView = view["id"]
        guard let id = idView.map({ RequestID($0) }) ?? .null else {
            self = refuse(.null, "'id' must be a string, a number or null")
            return
        }
        if let key = view.duplicateKey {
            self = refuse(id, "the key '\(key.prefix(40))' stands twice; each may stand once")
            return
        }
        guard view["jsonrpc"]?.string == "2.0" else {
            self = refuse(id, "'jsonrpc' must be \"2.0\"")
            return
        }
        guard let methodView = view["method"] else {
            let isResponse = view["result"] != nil || view["error"] != nil
            self = isResponse ? .response : refuse(id, "a request needs 'method'")
            return
        }
        guard let method = methodView.string else {
            self = refuse(id, "'method' must be a string")
            return
        }
        let params = view["params"]
        guard params.map({ $0.kind == .object || $0.kind == .array }) ?? true else {
            self = refuse(id, "'params' must be an object")
            return
        }
        self =
            idView == nil
            ? .notification(method: method, params: params) : .request(id, method: method, params: params)
    }
}

/// Lines as they go out, each with its LF.
package enum Outgoing {
    /// The answer to a request.
    package static func result(_ id: RequestID, _ result: [UInt8]) -> [UInt8] {
        var line: [UInt8] = []
        line.reserveCapacity(result.count + id.raw.count + 40)
        line += #"{"jsonrpc":"2.0","id":"#.utf8
        line += id.raw
        line += #","result":"#.utf8
        line += result
        line += "}\n".utf8
        return line
    }

    /// The answer to a request that failed.
    package static func failure(_ id: RequestID, _ error: WireError) -> [UInt8] {
        var writer = JSONWriter()
        writer.object {
            $0.member("jsonrpc", "2.0")
            $0.member("id", raw: id.raw)
            $0.key("error")
            error.write(to: &$0)
        }
        return writer.bytes + [0x0A]
    }

    /// A line that nobody answers; `params` is one JSON text.
    package static func notification(_ method: String, _ params: [UInt8]) -> [UInt8] {
        var line: [UInt8] = []
        line.reserveCapacity(params.count + method.utf8.count + 48)
        line += #"{"jsonrpc":"2.0","method":"#.utf8
        JSONText.append(method, to: &line)
        line += #","params":"#.utf8
        line += params
        line += "}\n".utf8
        return line
    }

    /// A `session/update`, which tells of a change of a session.
    package static func update(_ update: some JSONRepresentable, of session: SessionID) -> [UInt8] {
        notification(
            "session/update",
            JSONWriter.object {
                $0.member("sessionId", session.text)
                $0.member("update", raw: JSONWriter.bytes(of: update))
            })
    }

    /// A request, as a client sends it.
    package static func request(_ id: RequestID, _ method: String, _ params: [UInt8]) -> [UInt8] {
        var writer = JSONWriter()
        writer.object {
            $0.member("jsonrpc", "2.0")
            $0.member("id", raw: id.raw)
            $0.member("method", method)
            $0.member("params", raw: params)
        }
        return writer.bytes + [0x0A]
    }
}
