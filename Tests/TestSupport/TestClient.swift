package import JSON
internal import Posix
internal import Protocol
#if canImport(Testing)  // a release with the static library has none
    internal import Testing
#endif

/// A client that sends lines as they are; every line in both directions is held against the protocol's description.
package final class TestClient {
    /// How long a test waits for anything, in milliseconds.
    package static let patience: Int32 =
        20_000 * (Process.environment["CONVOD_TEST_PATIENCE"].flatMap { Int32($0) } ?? 1)

    private let socket: Descriptor
    /// What must live as long as the client.
    package var kept: [AnyObject] = []
    private var framer = LineFramer(limit: 256 << 20)
    private var exchange = SchemaChecker.Exchange()
    private var nextID = 1
    private var sent: [UInt8] = []
    /// Lines as they went, with `->` and `<-` in front.
    package private(set) var transcript: [String] = []

    package init(_ path: String) throws { socket = try UnixSocket.connect(to: path) }

    /// Why waiting ended without a line.
    package struct Ended: Error, CustomStringConvertible {
        package let description: String
    }

    /// Sends one line; the newline is added.
    package func send(_ line: String) throws { try send(Array(line.utf8) + [0x0A]) }

    /// Sends bytes as they are; a request is known to the description once its line is whole.
    package func send(_ bytes: [UInt8]) throws {
        sent += bytes
        while let end = sent.firstIndex(of: 0x0A) {
            let line = Array(sent[..<end])
            sent.removeFirst(end + 1)
            _ = SchemaChecker.shared.check(line: line, sentByClient: true, exchange: &exchange)
            transcript.append("-> " + text(line.prefix(2_000)))
        }
        var offset = 0
        while offset < bytes.count { offset += try System.send(socket.raw, bytes, from: offset) ?? 0 }
    }

    /// Ends the sending direction.
    package func endSending() {
        if !sent.isEmpty {
            _ = SchemaChecker.shared.check(line: sent, sentByClient: true, exchange: &exchange)
        }
        UnixSocket.shutdownWriting(socket.raw)
    }

    /// Whether nothing has come that was not taken.
    package var isQuiet: Bool {
        get throws {
            try framer.pending == 0 && System.wait(readable: [socket.raw], milliseconds: 0).isEmpty
        }
    }

    /// Whether what comes is held against `schema/protocol.json`; not where a test brings in what that does not know.
    package var isChecked = true

    /// The next line; throws when the connection ends or nothing comes in time.
    package func next() throws -> JSONView {
        while true {
            switch framer.next() {
            case .line(let bytes):
                let problems = SchemaChecker.shared.check(
                    line: bytes, sentByClient: false, exchange: &exchange)
                if isChecked, !problems.isEmpty {
                    #if canImport(Testing)
                        Issue.record("\(problems.joined(separator: "; ")): \(text(bytes.prefix(600)))")
                    #endif
                }
                transcript.append("<- " + text(bytes.prefix(2_000)))
                return try JSONDocument(bytes, depth: 10_000).root
            case .tooLong: throw Ended(description: "a line of more than 256 MiB")
            case nil: break
            }
            guard try !System.wait(readable: [socket.raw], milliseconds: TestClient.patience).isEmpty else {
                throw Ended(
                    description:
                        "no line in \(TestClient.patience) ms; before: \(transcript.suffix(4).joined(separator: "\n"))"
                )
            }
            let got = try framer.fill { (buffer) throws(PosixError) in
                try System.read(socket.raw, into: &buffer, most: 1 << 16)
            }
            if got == 0 { throw Ended(description: "the daemon closed the connection") }
        }
    }

    /// An answer with what came before it.
    package struct Answer {
        package let message: JSONView
        package let updates: [JSONView]
        package var result: JSONView? { message["result"] }
        package var error: JSONView? { message["error"] }
        package var kind: String? { message["error"]?["data"]?["kind"]?.string }
        package var extras: JSONView? { message["result"]?["_meta"]?["convod"] }

        /// The text of chunks of one kind, joined.
        package func text(_ kind: String = "agent_message_chunk") -> String {
            updates.filter { $0["params"]?["update"]?["sessionUpdate"]?.string == kind }
                .compactMap { $0["params"]?["update"]?["content"]?["text"]?.string }.joined()
        }
    }

    /// Sends a request without waiting; returns its ID.
    @discardableResult
    package func start(_ method: String, _ params: String = "{}") throws -> Int {
        let id = nextID
        nextID += 1
        try send("{\"jsonrpc\":\"2.0\",\"id\":\(id),\"method\":\"\(method)\",\"params\":\(params)}")
        return id
    }

    /// Waits for the answer to a request.
    package func finish(_ id: Int) throws -> Answer {
        var updates: [JSONView] = []
        while true {
            let message = try next()
            if message["method"] == nil && message["id"]?.int == id {
                return Answer(message: message, updates: updates)
            }
            updates.append(message)
        }
    }

    /// Sends a request and waits for its answer.
    @discardableResult
    package func call(_ method: String, _ params: String = "{}") throws -> Answer {
        try finish(start(method, params))
    }

    /// Makes a session.
    @discardableResult
    package func open(_ id: String, _ extras: String = "") throws -> Answer {
        try call(
            "session/new",
            #"{"cwd":"/tmp","mcpServers":[],"_meta":{"convod":{"sessionId":"\#(id)"\#(extras.isEmpty ? "" : ",")\#(extras)}}}"#
        )
    }

    /// Sends a prompt of one text and waits for its end.
    package func prompt(_ session: String, _ words: String, _ extras: String = "") throws -> Answer {
        try finish(startPrompt(session, words, extras))
    }

    /// Sends a prompt of one text.
    package func startPrompt(_ session: String, _ words: String, _ extras: String = "") throws -> Int {
        let meta = extras.isEmpty ? "" : ",\"_meta\":{\"convod\":{\(extras)}}"
        return try start(
            "session/prompt",
            #"{"sessionId":"\#(session)","prompt":[{"type":"text","text":\#(quoted(words))}]\#(meta)}"#)
    }

    /// Waits for an update that fits, and returns it.
    package func update(where fits: (JSONView) -> Bool) throws -> JSONView {
        while true {
            let message = try next()
            if fits(message) { return message }
        }
    }

    /// The messages of a session as role and text.
    package func messages(_ session: String) throws -> [String] {
        var lines: [String] = [], cursor = ""
        while true {
            let page = try call("_convod/message/list", #"{"sessionId":"\#(session)"\#(cursor)}"#).result
            for message in page?["messages"]?.elements ?? JSONDocument.none {
                let words = message["content"]?.elements.compactMap { $0["text"]?.string }.joined() ?? ""
                let status = message["status"]?.string ?? ""
                lines.append(
                    "\(message["role"]?.string ?? ""): \(words)\(status == "complete" ? "" : " [\(status)]")")
            }
            guard let next = page?["nextCursor"]?.string else { return lines }
            cursor = #","cursor":"\#(next)""#
        }
    }
}

extension JSONDocument {
    /// No elements.
    fileprivate static var none: JSONElements {
        guard let empty = try? JSONDocument(Array("[]".utf8)) else { preconditionFailure("[] is JSON") }
        return empty.root.elements
    }
}

extension JSONView {
    /// `_meta.convod` of an update.
    package var extras: JSONView? { self["params"]?["update"]?["_meta"]?["convod"] }
}

/// A text as a JSON string.
package func quoted(_ text: String) -> String {
    var bytes: [UInt8] = []
    JSONText.append(text, to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
}
