internal import Conversation
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
        /// A sentence about waiting, queueing or trying again, with the milliseconds until something happens; nil where nobody
        /// knows.
        case notice(String, pause: Int?)
        /// So many prompts of the session come before; comes again as the queue moves.
        case behind(Int)
        /// The answer was cut and begins anew; what was shown of it does not count.
        case restart
        /// Time goes by.
        case tick
        /// Nothing more is shown: somebody leaves at once.
        case leaving
        /// Who is asked now, by name.
        case asked(String)
        case toolCall(ToolCall)

        /// What is said of a prompt that others come before.
        static func words(behind count: Int) -> String {
            "waiting behind \(Times.count(count, "prompt")) of this session"
        }
    }

    /// A call that the model asks for: convod makes none.
    struct ToolCall: Encodable {
        let id: String
        let name: String
        let arguments: RawJSON

        /// As it is shown.
        var line: String { "→ calls \(name) \(String(decoding: arguments.bytes, as: UTF8.self))" }
    }

    /// What became of it.
    struct Outcome {
        let turnID: TurnID?
        let messageID: MessageID?
        let text: String
        var toolCalls: [ToolCall] = []
        /// Whether there was something in it that is neither text nor a call.
        var hasOther = false
        /// Who was asked last; nil where that was not told.
        var asked: String?
        var stopReason: StopReason?
        /// What else the result says; nil for an error, and where nothing of the prompt is kept.
        var extras: Wire.StopResult.Extras?
        var error: ClientError?
        /// Why a turn that was followed failed, in a sentence; nil where it did not.
        var failure: String?
        /// Whether it waited behind other prompts of the session when the daemon went away.
        var isQueued = false
        /// What made the user's side stop: a signal, or an output that nobody reads; nil for neither.
        var stop: ExitCode?
    }

    struct Settings {
        var upstream: String?
        var model: String?
        var requestID: String?
        /// What the model is asked with, raw JSON; nil for nothing.
        var params: [UInt8]?
    }

    private let client: Client
    private let session: String
    private let signals: Int32?
    private let tick: Int32?
    /// When it was said last that time goes by.
    private var ticked = Machine.monotonic()
    private let show: (Piece) -> Void

    private var turnID: TurnID?
    /// Who was asked last, by name.
    private var asked: String?
    private var foreign: Set<TurnID> = []  // turns whose prompt another client sent
    private var text = ""
    private var toolCalls: [ToolCall] = []
    private var hasOther = false
    private var offset = 0  // bytes of text and thoughts shown so far
    private var isBroken = false
    private var isQueued = false
    /// Whether the turn ran before this looked at it, and what its end said.
    private var isFollowed = false
    private var end: Wire.SessionInfoUpdate.News?
    private var stop: ExitCode?

    /// `tick` is the milliseconds after which time is said to go by; nil for never.
    init(
        client: Client, session: String, signals: Int32? = nil, tick: Int32? = nil,
        show: @escaping (Piece) -> Void
    ) {
        self.tick = tick
        self.client = client
        self.session = session
        self.signals = signals
        self.show = show
    }

    /// Sends the text with files before it, and returns when its turn has ended, however it did.
    func send(_ words: String, _ files: [Attachment] = [], _ settings: Settings = Settings()) -> Outcome {
        let params = JSONWriter.object {
            $0.member("sessionId", session)
            $0.key("prompt")
            $0.array {
                for file in files { file.write(to: &$0) }
                if words.isEmpty { return }
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
                    $0.optional("params", raw: settings.params)
                }
            }
        }
        return run(Method.SessionPrompt.self, params)
    }

    /// Answers a prompt anew, or other words in its place; nil for a message means the newest.
    ///
    /// `kept` are parts of the old prompt that stand behind the new words.
    func retry(_ message: String?, _ words: String?, keeping kept: [[UInt8]] = [], _ settings: Settings)
        -> Outcome
    {
        run(
            Method.TurnRetry.self,
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
                    for part in kept { $0.raw(part) }
                }
            })
    }

    /// Goes on with an answer that was cut.
    func goOn(_ settings: Settings) -> Outcome {
        run(Method.TurnContinue.self, JSONWriter.object { writeTurn(settings, to: &$0) })
    }

    /// Shows the answer of a turn that runs already, behind this message of the session, and returns when it has ended.
    func follow(_ turn: TurnID, behind last: Wire.Message?) -> Outcome {
        (turnID, isFollowed) = (turn, true)
        let params = MessagePages.resuming(
            session, behind: last.map { ($0.id.description, $0.length) }, isObserver: false)
        do {
            let opened = try client.call(
                Method.SessionResume.self, params, following: session, signals: signals, tick: tick
            ) { [self] in hear($0) }
            if opened.meta.convod.running == turn {
                try client.listen(
                    following: session, signals: signals, tick: tick, until: { [self] in end != nil }
                ) { [self] in hear($0) }
            } else if end == nil, let last = opened.meta.convod.lastTurn, last.turnId == turn {
                // It ended before this came to it.
                var news = Wire.SessionInfoUpdate.News(turn, .ended)
                (news.messageId, news.stopReason, news.error) = (last.messageId, last.stopReason, last.error)
                end = news
            }
        } catch { return outcome(error) }
        if let message = end?.messageId { complete(message, of: turn) }
        return Outcome(
            turnID: turn, messageID: end?.messageId, text: text, toolCalls: toolCalls,
            stopReason: end?.stopReason, failure: end?.error?.message, stop: stop)
    }

    private func writeTurn(_ settings: Settings, to writer: inout JSONWriter) {
        writer.member("sessionId", session)
        writer.optional("requestId", settings.requestID)
        writer.optional("upstream", settings.upstream)
        writer.optional("model", settings.model)
        writer.optional("params", raw: settings.params)
    }

    private func run<C: Contract>(_ contract: C.Type, _ params: [UInt8]) -> Outcome
    where C.Result == Wire.StopResult {
        do {
            // A terminal that is closed hangs up; other outputs are just not read any more.
            let output: Int32? = Process.isTerminal(1) || signals == nil ? nil : 1
            let result = try client.call(
                contract, params, following: session, signals: signals, output: output, tick: tick
            ) { [self] in hear($0) }
            return outcome(result)
        } catch { return outcome(error) }
    }

    private func hear(_ event: Client.Event) {
        // Where much is heard of other turns no time goes by without a word.
        if let tick, case .update = event, Machine.monotonic() - ticked > UInt64(tick) * 1_000_000 {
            ticked = Machine.monotonic()
            show(.tick)
        }
        switch event {
        case .signal(let number): interrupt(Interrupts.code(of: number))
        case .closedOutput: interrupt(.closedPipe)
        case .update(let update): hear(update)
        case .tick:
            ticked = Machine.monotonic()
            show(.tick)
        case .notification: break
        }
    }

    private func hear(_ update: Wire.SessionUpdate) {
        switch update {
        case .userMessage(let chunk):
            if let turn = chunk.meta.convod.turnId, turn != turnID || !isFollowed { foreign.insert(turn) }
        case .agentMessage(let chunk): take(chunk, isThought: false)
        case .agentThought(let chunk): take(chunk, isThought: true)
        case .toolCall(let call):
            guard let turn = call.meta.convod.turnId, turn == turnID || turnID == nil, !foreign.contains(turn)
            else { return }
            toolCalls.append(ToolCall(id: call.toolCallId, name: call.title, arguments: call.rawInput))
            show(.toolCall(toolCalls[toolCalls.count - 1]))
        case .info(let update): if let news = update.meta?.convod { hear(news) }
        default: break
        }
    }

    private func hear(_ news: Wire.SessionInfoUpdate.News) {
        // Nothing more will come of the session.
        if isFollowed, news.left ?? false { end = news }
        guard let turn = news.turnId, let state = news.state else { return }
        // One that moves in the queue was there before this one.
        let isNew = state == .queued && news.moved != true || state == .stored
        if turnID == nil, !foreign.contains(turn), isNew { turnID = turn }
        guard turn == turnID else { return }
        // A quota holds up what waits, and leaves it there.
        if state != .paused { isQueued = state == .queued }
        if state == .ended { end = news }
        if state == .waiting, let name = news.upstream {
            asked = name
            return show(.asked(name))
        }
        if state == .queued, news.waitMs == nil, news.reason == nil {
            if let before = news.position, before > 0 { show(.behind(before)) }
            return
        }
        guard let sentence = Prompt.sentence(for: news, after: asked) else { return }
        asked = news.upstream ?? asked
        show(.notice(Wording.forPeople(sentence), pause: news.retryInMs ?? news.waitMs))
    }

    private func take(_ chunk: Wire.MessageChunk, isThought: Bool) {
        let place = chunk.meta.convod
        guard let words = chunk.text else {
            if place.turnId == turnID { hasOther = true }
            return
        }
        guard let turn = place.turnId, !foreign.contains(turn) else { return }
        if turnID == nil { turnID = turn }
        if turn == turnID, place.replaces != nil {
            if offset > 0 { show(.restart) }
            (text, toolCalls, offset, isBroken) = ("", [], 0, false)
        }
        guard turn == turnID, !isBroken else { return }
        guard place.offset == offset else {
            isBroken = true
            return
        }
        offset += words.utf8.count
        if isThought { return show(.thought(words)) }
        text += words
        show(.text(words))
    }

    /// What news of the turn mean for a person, nil when they need no word.
    ///
    /// `asked` was asked before, nil where nobody was.
    private static func sentence(for news: Wire.SessionInfoUpdate.News, after asked: String?) -> String? {
        switch news.state {
        case .queued:
            guard let wait = news.waitMs else { return news.reason.map { "waiting: \($0)" } }
            return "waiting \((wait + 999) / 1000) s: \(news.reason ?? "a limit is reached")"
        case .paused: return news.reason
        case .retrying:
            let who = news.upstream ?? "the upstream"
            let why = news.error?.message ?? "\(who) failed"
            let wait =
                news.retryInMs.map { $0 < 1000 ? "\($0) ms" : "\(($0 + 500) / 1000) s" } ?? "a moment"
            let attempt = news.attempt.map { " (try \($0))" } ?? ""
            if let asked, asked != who { return "\(asked): \(why); asking \(who) in its place" }
            return "\(why); asking \(who) again in \(wait)\(attempt)"
        default: return nil
        }
    }

    /// The first Ctrl-C, SIGTERM or closed output cancels the turn, the second leaves without waiting for its end.
    private func interrupt(_ code: ExitCode) {
        if stop != nil {
            show(.leaving)
            Process.exit(code.rawValue)
        }
        stop = code
        // Without a connection the call ends by itself.
        if isFollowed {
            try? client.notify(.sessionCancel, JSONWriter.object { $0.member("sessionId", session) })
        } else {
            try? client.cancelCall()
        }
    }

    private func outcome(_ result: Wire.StopResult) -> Outcome {
        let extras = result.meta?.convod
        if let message = extras?.messageId { complete(message, of: extras?.turnId) }
        return Outcome(
            turnID: extras?.turnId, messageID: extras?.messageId, text: text, toolCalls: toolCalls,
            hasOther: hasOther, asked: asked, stopReason: result.stopReason, extras: extras, stop: stop)
    }

    private func outcome(_ error: ClientError) -> Outcome {
        let failed = try? error.remote?.data?.decoded(as: FailedTurn.self)
        if let message = failed?.messageId { complete(message, of: failed?.turnId) }
        return Outcome(
            turnID: failed?.turnId ?? turnID, messageID: failed?.messageId, text: text, toolCalls: toolCalls,
            hasOther: hasOther, asked: asked, error: error, isQueued: isQueued, stop: stop)
    }

    /// What the data of an error say of the turn that failed.
    private struct FailedTurn: Decodable {
        let turnId: TurnID?
        /// The answer, where something of it is stored.
        let messageId: MessageID?
    }

    /// Shows what of the stored answer did not come as chunks: a repeated request, or one that joined a running turn.
    private func complete(_ message: MessageID, of turn: TurnID?) {
        guard isBroken || text.isEmpty || turn != turnID else { return }
        let newest = try? MessagePages(client: client, session: session).newest(100)
        guard let whole = newest?.last(where: { $0.id == message })?.text else { return }
        let rest =
            whole.utf8.starts(with: text.utf8)
            ? Array(whole.utf8.dropFirst(text.utf8.count)) : Array(whole.utf8)
        text = whole
        if !rest.isEmpty { show(.text(String(decoding: rest, as: UTF8.self))) }
    }
}

extension Prompt.Outcome {
    /// What people should know of files and parameters that went with the prompt, or did not; nil for nothing.
    func note(of files: [Attachment]) -> String? {
        let receipt = extras?.receipt?.value
        let unsent = receipt?.unsentParameters.map { names in
            let all = names.map { "'\($0)'" }.joined(separator: " and ")
            return
                "\(extras?.upstream ?? "this upstream") takes no \(all) with this model: nothing of it was asked"
        }
        guard !files.isEmpty, let count = receipt?.mapped?.parts, count > 0 else { return unsent }
        return (unsent.map { $0 + "; " } ?? "")
            + "\(Times.count(count, "file")) of the session \(count == 1 ? "is" : "are") not read by this model or its server: a text with the name was sent in its place"
    }

    private static let goesOn = "; 'convo continue', in a chat /continue, goes on"

    /// A sentence about the upstream with its name, where that is known.
    private func named(_ sentence: String) -> String {
        let subject = "the upstream "
        guard let asked, sentence.hasPrefix(subject) else { return sentence }
        return "upstream '\(asked)' \(sentence.dropFirst(subject.count))"
    }

    /// How a command that asked for it ends, and what is said about it.
    var ending: (code: ExitCode, message: String?) {
        // Nobody is there to be told anything.
        if stop == .closedPipe { return (.closedPipe, nil) }
        if let error {
            if case .closed = error.code, turnID != nil || !text.isEmpty {
                let next =
                    isQueued
                    ? "the prompt is kept in the queue, and is answered when a daemon is there again"
                    : text.isEmpty
                        ? "the prompt is kept, and nothing came of an answer: 'convo retry', in a chat /retry, asks again"
                        : "what came of the answer is kept: 'convo continue', in a chat /continue, goes on"
                return (.failure, "\(error.description); \(next)")
            }
            let mapped = CommandError(error)
            let more = messageID != nil && !text.isEmpty ? Prompt.Outcome.goesOn : ""
            return (
                mapped.code == .cancelled ? stop ?? mapped.code : mapped.code, named(mapped.message) + more
            )
        }
        if let failure { return (.failure, named(failure) + (text.isEmpty ? "" : Prompt.Outcome.goesOn)) }
        switch stopReason {
        case .maxTokens:
            if let why = extras?.detail {
                let hint = "'convo compact', in a chat /compact, makes room"
                return (.success, "the answer was cut: \(why); \(hint)")
            }
            return (
                .success,
                "the answer was cut at the model's limit of tokens" + Prompt.Outcome.goesOn
            )
        case .refusal:
            let why = extras?.detail.map { ": \($0)" } ?? ""
            return (.upstream, "the model refused to answer\(why)")
        case .cancelled:
            return (stop ?? .cancelled, "cancelled" + (text.isEmpty ? "" : Prompt.Outcome.goesOn))
        case .endTurn, nil:
            if text.isEmpty, toolCalls.isEmpty {
                return (
                    .success,
                    hasOther
                        ? "the answer has no text; 'convo show' says what is in it"
                        : "the answer is empty: the model said nothing"
                )
            }
            let isCut = extras?.receipt?.value?.cutByServer ?? false
            return (
                .success,
                isCut
                    ? "the server dropped part of the context without a word; set 'contextLength' to what it holds"
                    : nil
            )
        }
    }
}
