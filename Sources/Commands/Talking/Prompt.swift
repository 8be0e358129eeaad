internal import ConvoClient
internal import JSON
internal import Posix
internal import Protocol

/// One prompt on its way: sends it, follows its turn, and knows the answer at the end.
///
/// - Invariant: only text of the prompt's own turn is shown, in order and each byte once; what did not come as chunks
///   is fetched at the end.
final class Prompt {
    /// What is heard while the answer comes.
    enum Piece {
        case text(String)
        case thought(String)
        /// A sentence about waiting, queueing or trying again.
        case notice(String)
        /// The answer was cut and begins anew; what was shown of it does not count.
        case restart
    }

    /// What became of it.
    struct Outcome {
        let turnID: String?
        let messageID: String?
        let text: String
        /// The result's `_meta.convod`, or the error's data.
        let details: JSONView?
        let stopReason: String?
        let error: ClientError?
        /// What made the user's side stop: a signal, or an output that nobody reads; nil for neither.
        var stop: ExitCode?
    }

    struct Settings {
        var upstream: String?
        var model: String?
        var requestID: String?
    }

    private let client: Client
    private let session: String
    private let signals: Int32?
    private let show: (Piece) -> Void

    private var turnID: String?
    private var foreign: Set<String> = []  // turns whose prompt another client sent
    private var text = ""
    private var offset = 0  // bytes of text and thoughts shown so far
    private var isBroken = false
    private var stop: ExitCode?

    init(client: Client, session: String, signals: Int32? = nil, show: @escaping (Piece) -> Void) {
        self.client = client
        self.session = session
        self.signals = signals
        self.show = show
    }

    /// Sends the text and returns when its turn has ended, however it did.
    func send(_ words: String, _ settings: Settings = Settings()) -> Outcome {
        let params = JSONWriter.object {
            $0.member("sessionId", session)
            $0.key("prompt")
            $0.array {
                $0.object {
                    $0.member("type", "text")
                    $0.member("text", words)
                }
            }
            $0.member("_meta") {
                $0.member("convod") {
                    $0.optional("requestId", settings.requestID)
                    $0.optional("upstream", settings.upstream)
                    $0.optional("model", settings.model)
                }
            }
        }
        return run(.sessionPrompt, params)
    }

    /// Answers a prompt anew, or other words in its place; nil for a message means the newest.
    func retry(_ message: String?, _ words: String?, _ settings: Settings) -> Outcome {
        run(
            .turnRetry,
            JSONWriter.object {
                writeTurn(settings, to: &$0)
                $0.optional("messageId", message)
                guard let words else { return }
                $0.key("prompt")
                $0.array {
                    $0.object {
                        $0.member("type", "text")
                        $0.member("text", words)
                    }
                }
            })
    }

    /// Goes on with an answer that was cut.
    func goOn(_ settings: Settings) -> Outcome {
        run(.turnContinue, JSONWriter.object { writeTurn(settings, to: &$0) })
    }

    private func writeTurn(_ settings: Settings, to writer: inout JSONWriter) {
        writer.member("sessionId", session)
        writer.optional("requestId", settings.requestID)
        writer.optional("upstream", settings.upstream)
        writer.optional("model", settings.model)
    }

    private func run(_ method: Method, _ params: [UInt8]) -> Outcome {
        do {
            // A terminal that is closed hangs up; other outputs are just not read any more.
            let output: Int32? = Process.isTerminal(1) || signals == nil ? nil : 1
            let result = try client.call(method, params, signals: signals, output: output) { [self] in
                hear($0)
            }
            return outcome(result: result)
        } catch { return outcome(error: error) }
    }

    private func hear(_ event: Client.Event) {
        switch event {
        case .signal(let number): interrupt(Interrupts.code(of: number))
        case .closedOutput: interrupt(.closedPipe)
        case .notification("session/update", let params?) where params["sessionId"]?.string == session:
            if let update = params["update"] { hear(update, update["_meta"]?["convod"]) }
        default: break
        }
    }

    private func hear(_ update: JSONView, _ meta: JSONView?) {
        let turn = meta?["turnId"]?.string
        switch update["sessionUpdate"]?.string {
        case "user_message_chunk": if let turn { foreign.insert(turn) }
        case "session_info_update": hear(state: meta?["state"]?.string, turn, meta)
        case "agent_message_chunk": chunk(update, meta, turn, isThought: false)
        case "agent_thought_chunk": chunk(update, meta, turn, isThought: true)
        default: break
        }
    }

    private func hear(state: String?, _ turn: String?, _ meta: JSONView?) {
        guard let turn, let state, let meta else { return }
        if turnID == nil, !foreign.contains(turn), state == "queued" || state == "stored" { turnID = turn }
        guard turn == turnID, let sentence = Prompt.sentence(for: state, meta) else { return }
        show(.notice(Wording.forPeople(sentence)))
    }

    private func chunk(_ update: JSONView, _ meta: JSONView?, _ turn: String?, isThought: Bool) {
        guard let words = update["content"]?["text"]?.string, let turn, !foreign.contains(turn) else {
            return
        }
        if turnID == nil { turnID = turn }
        if turn == turnID, meta?["replaces"] != nil {
            if offset > 0 { show(.restart) }
            (text, offset, isBroken) = ("", 0, false)
        }
        guard turn == turnID, !isBroken else { return }
        guard meta?["offset"]?.int ?? offset == offset else {
            isBroken = true
            return
        }
        offset += words.utf8.count
        if isThought { return show(.thought(words)) }
        text += words
        show(.text(words))
    }

    /// What a state means for a person, nil when it needs no word.
    private static func sentence(for state: String, _ meta: JSONView) -> String? {
        switch state {
        case "queued":
            let before = meta["position"]?.int ?? 0
            if let wait = meta["waitMs"]?.int {
                return "waiting \((wait + 999) / 1000) s: \(meta["reason"]?.string ?? "a limit is reached")"
            }
            return before > 0 ? "waiting behind \(Times.count(before, "prompt")) of this session" : nil
        case "paused": return meta["reason"]?.string
        case "retrying":
            let who = meta["upstream"]?.string ?? "the upstream"
            let why = meta["error"]?["message"]?.string ?? meta["error"]?.string
            let wait =
                meta["retryInMs"]?.int.map { $0 < 1000 ? "\($0) ms" : "\(($0 + 500) / 1000) s" } ?? "a moment"
            let attempt = meta["attempt"]?.int.map { " (try \($0))" } ?? ""
            return "\(why ?? "\(who) failed"); asking \(who) again in \(wait)\(attempt)"
        default: return nil
        }
    }

    /// The first Ctrl-C, SIGTERM or closed output cancels the turn, the second leaves without waiting for its end.
    private func interrupt(_ code: ExitCode) {
        if stop != nil { Process.exit(code.rawValue) }
        stop = code
        // Without a connection the call ends by itself.
        try? client.cancelCall()
    }

    private func outcome(result: JSONView) -> Outcome {
        let details = result["_meta"]?["convod"]
        let turn = details?["turnId"]?.string
        let message = details?["messageId"]?.string
        if let message { complete(message, of: turn) }
        return Outcome(
            turnID: turn, messageID: message, text: text, details: details,
            stopReason: result["stopReason"]?.string, error: nil, stop: stop)
    }

    private func outcome(error: ClientError) -> Outcome {
        let data = error.remote?.data
        if let message = data?["messageId"]?.string { complete(message, of: data?["turnId"]?.string) }
        return Outcome(
            turnID: data?["turnId"]?.string ?? turnID, messageID: data?["messageId"]?.string, text: text,
            details: data,
            stopReason: nil, error: error, stop: stop)
    }

    /// Shows what of the stored answer did not come as chunks: a repeated request, or one that joined a running turn.
    private func complete(_ message: String, of turn: String?) {
        guard isBroken || text.isEmpty || turn != turnID else { return }
        let newest = try? MessagePages(client: client, session: session).newest(100)
        guard let whole = newest?.last(where: { $0["id"]?.string == message })?.messageText else { return }
        let rest =
            whole.utf8.starts(with: text.utf8)
            ? Array(whole.utf8.dropFirst(text.utf8.count)) : Array(whole.utf8)
        text = whole
        if !rest.isEmpty { show(.text(String(decoding: rest, as: UTF8.self))) }
    }
}

extension Prompt.Outcome {
    /// How a command that asked for it ends, and what is said about it.
    var ending: (code: ExitCode, message: String?) {
        // Nobody is there to be told anything.
        if stop == .closedPipe { return (.closedPipe, nil) }
        if let error {
            let mapped = CommandError(error)
            return (mapped.code == .cancelled ? stop ?? mapped.code : mapped.code, mapped.message)
        }
        switch stopReason {
        case "max_tokens": return (.success, "the answer was cut at the model's limit of tokens")
        case "refusal":
            let why = details?["detail"]?.string.map { ": \($0)" } ?? ""
            return (.upstream, "the model refused to answer\(why)")
        case "cancelled": return (stop ?? .cancelled, "cancelled")
        default:
            let isCut = details?["receipt"]?["cutByServer"]?.bool ?? false
            return (
                .success,
                isCut
                    ? "the server dropped part of the context without a word; set 'contextLength' to what it holds"
                    : nil
            )
        }
    }
}
