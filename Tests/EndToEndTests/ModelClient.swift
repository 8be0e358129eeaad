internal import JSON
internal import Posix
internal import Protocol
internal import TestSupport

/// One request of the model's clients, with what was known when it was sent.
final class ModelRequest {
    enum Kind {
        case prompt, retry, edit, resume, load, goOn, set, branches, switchBranch, deleteBranch, fork,
            newSession, deleteSession, cancelTurn, look
    }

    let kind: Kind
    let method: String
    let params: String
    let session: String
    /// What the prompt or the edited message says; no other request says the same, but for a repeat.
    var text = ""
    var requestID: String?
    var expectedHead: String?
    /// The message that it is about.
    var target: String?
    var offset = 0
    var id = 0
    /// Whether nobody else had anything under way on the session when it was sent.
    var wasQuiet = false
    var rejectsBusy = false
    /// Whether its answer says that a cancel on the session was carried out.
    var endsCancel = false
    /// Whether its prompt was stored before.
    var isRepeat = false
    /// Counters of the session and of the run at the time of sending.
    var sends = 0, cancels = 0, restarts = 0, version = 0
    var answer: JSONView?

    init(_ kind: Kind, _ method: String, _ params: String, _ session: String = "") {
        self.kind = kind
        self.method = method
        self.params = params
        self.session = session
    }

    var isPathChange: Bool {
        switch kind {
        case .retry, .edit, .goOn, .set, .switchBranch: true
        default: false
        }
    }
    var error: String? { answer?["error"]?["data"]?["kind"]?.string }
    var result: JSONView? { answer?["result"] }
    var extras: JSONView? {
        answer?["result"]?["_meta"]?["convod"] ?? answer?["error"]?["data"]
    }
    var turnID: String? { extras?["turnId"]?.string }
    var description: String {
        let said = answer.map { text($0.raw.prefix(500)) } ?? "no answer"
        return "\(method) \(params) -> \(said)"
    }

    private func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
}

/// A client that never blocks: it sends, and takes lines as they come.
final class ModelClient {
    /// What came of one message on this connection.
    struct Seen {
        let session: String
        let start: Int
        var bytes: [UInt8]
    }

    /// How this connection came to hear of a session.
    struct Joined {
        /// The answer that runs when it joins may begin anywhere.
        var mayStartInside: Bool
    }

    private let socket: Descriptor
    private var framer = LineFramer(limit: 16 << 20)
    private var exchange = SchemaChecker.Exchange()
    private(set) var isOpen = true
    private var number = 0, lines = 0
    private(set) var pending: [Int: ModelRequest] = [:]
    private(set) var seen: [String: Seen] = [:]
    /// Messages whose end was announced here.
    private(set) var ended: Set<String> = []
    /// Where a resume began, and the newest message that it gave.
    private(set) var spans: [(request: ModelRequest, head: String)] = []
    private(set) var resumed: [String: Int] = [:]
    private var done: Set<String> = []
    var joined: [String: Joined] = [:]
    /// What is wrong, in words.
    private(set) var problems: [String] = []

    init(_ path: String) throws { socket = try UnixSocket.connect(to: path) }

    var fd: Int32 { socket.raw }

    /// Ends the connection; what was under way is answered to nobody.
    func close() {
        if isOpen { UnixSocket.shutdown(socket.raw) }
        isOpen = false
    }

    private func write(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        _ = SchemaChecker.shared.check(line: bytes, sentByClient: true, exchange: &exchange)
        do {
            var offset = 0
            while offset < bytes.count { offset += try System.send(socket.raw, bytes, from: offset) ?? 0 }
        } catch { return }  // the daemon has gone; reading what it left says so
    }

    func send(_ request: ModelRequest) {
        number += 1
        request.id = number
        pending[number] = request
        if request.kind == .resume, let target = request.target { resumed[target] = request.offset }
        write(
            #"{"jsonrpc":"2.0","id":\#(number),"method":"\#(request.method)","params":\#(request.params)}"#)
    }

    func notify(_ method: String, _ params: String) {
        write(#"{"jsonrpc":"2.0","method":"\#(method)","params":\#(params)}"#)
    }

    /// Takes what is there; `answered` gets answers, `updated` every update.
    func read(answered: (ModelRequest) -> Void, updated: (String, JSONView) -> Void) throws {
        let got = try? framer.fill { (buffer) throws(PosixError) in
            try System.read(socket.raw, into: &buffer, most: 1 << 16)
        }
        if got == 0 || got == nil { isOpen = false }
        while case .line(let bytes)? = framer.next() {
            let line = try JSONDocument(bytes, depth: 100).root
            lines += 1
            // Lines are alike; checking some of them is enough, and every error.
            if lines.isMultiple(of: 32) || line["error"] != nil {
                let wrong = SchemaChecker.shared.check(
                    line: bytes, sentByClient: false, exchange: &exchange)
                problems += wrong.map { "\($0): \(String(decoding: bytes.prefix(600), as: UTF8.self))" }
            }
            if line["method"] == nil {
                guard let request = line["id"]?.int.flatMap({ pending.removeValue(forKey: $0) }) else {
                    problems.append(
                        "an answer that nobody waits for: \(String(decoding: bytes.prefix(600), as: UTF8.self))"
                    )
                    continue
                }
                request.answer = line
                note(request)
                answered(request)
            } else if let session = line["params"]?["sessionId"]?.string,
                let update = line["params"]?["update"]
            {
                take(session, update)
                updated(session, update)
            }
        }
    }

    /// What a replay must have given by now.
    private func note(_ request: ModelRequest) {
        // One whose cursor is refused, or that is cancelled, hears what comes from now on.
        if request.kind == .resume || request.kind == .load, request.error != nil {
            joined[request.session]?.mayStartInside = true
            if let target = request.target { resumed[target] = nil }
        }
        guard request.kind == .resume || request.kind == .load, let head = request.extras?["headId"]?.string,
            request.result != nil, request.extras?["rewind"] == nil
        else { return }
        if request.kind == .load || request.target != nil { spans.append((request, head)) }
    }

    private func take(_ session: String, _ update: JSONView) {
        let extras = update["_meta"]?["convod"]
        switch update["sessionUpdate"]?.string {
        case "agent_message_chunk", "user_message_chunk":
            let id = update["messageId"]?.string ?? "", offset = extras?["offset"]?.int ?? -1
            let bytes = Array((update["content"]?["text"]?.string ?? "").utf8)
            if done.contains(id) { problems.append("\(session), \(id): a chunk after its end at \(offset)") }
            if let old = seen[id] {
                if old.start + old.bytes.count != offset {
                    problems.append(
                        "\(session), \(id): a chunk at \(offset), held \(old.start)+\(old.bytes.count)")
                }
                seen[id]?.bytes += bytes
                return
            }
            if let wanted = resumed[id] {
                if offset > wanted || wanted - offset > 3 {
                    problems.append(
                        "\(session), \(id): resumed at \(wanted), the first chunk is at \(offset)")
                }
            } else if offset != 0, joined[session]?.mayStartInside != true {
                problems.append("\(session), \(id): the first chunk is at \(offset)")
            }
            seen[id] = Seen(session: session, start: offset, bytes: bytes)
        case "session_info_update":
            guard extras?["state"]?.string == "ended" else { return }
            if let id = extras?["messageId"]?.string {
                if seen[id] == nil, resumed[id] == nil, joined[session]?.mayStartInside != true {
                    problems.append("\(session), \(id): ended without a chunk of it")
                }
                ended.insert(id)
                joined[session]?.mayStartInside = false
            }
        default: break
        }
    }

    /// Drops what was held against the store and has ended; no chunk of it may come again.
    func forgetChecked() {
        done.formUnion(seen.keys)
        seen = [:]
        ended = []
        spans = []
    }

    func takeProblems() -> [String] {
        defer { problems = [] }
        return problems
    }
}
