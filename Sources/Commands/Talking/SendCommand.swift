internal import Conversation
internal import ConvoClient
internal import JSON
internal import Posix
internal import Protocol
internal import Typesetting

extension Option {
    fileprivate static let extract = Option(
        short: "x", long: "extract", help: "print only the first block of code of the answer")
    fileprivate static let noInput = Option(
        short: "n", long: "no-stdin", help: "send TEXT alone, and leave standard input to others")
    fileprivate static let requestID = Option(
        long: "request-id", value: "ID", help: "send once: the same ID again gives the same answer")
}

extension Command {
    static let send = Command(
        name: "send", summary: "send one prompt, print the answer", arguments: "TEXT|-", count: 0...Int.max,
        options: [
            .attach, .continue, .ephemeral, .extract, .json, .model, .new, .noInput, .parameter, .raw,
            .requestID, .schema, .session, .system, .template, .upstream, .variable,
        ],
        details: """
            Piped input is put behind TEXT, unless none comes for 5 s; 'TEXT -' waits for it, '-' or no TEXT takes it alone. In a
            loop that reads its own input, as 'while read -r line', it is the loop's: give '-n'. Without -s or -c a new
            session is made.
            The answer comes to standard output as it streams. Ctrl-C cancels it; what has come stays stored.
            '-o' takes \(AskedParameter.names.joined(separator: ", ")). A file of '-a' may have 11 MiB.
            """
    ) { invocation throws(CommandError) in
        let files = try invocation.attachments(), template = try invocation.template()
        let params = try invocation.parameters(schema: try invocation.schema())
        var words = try words(invocation, isOptional: !files.isEmpty || template != nil)
        if let template { words = try template.filled(words) }
        try checkChoice(invocation)
        let client = try invocation.connect()
        let info = try client.info()
        invocation.warn(about: info)
        let session = try session(client, invocation, template)
        if info.isOnImplicitEcho && invocation.value(.upstream) == nil && session.found?.upstream == nil {
            throw CommandError(.upstream, Invocation.noModel + "; '-u echo' talks to the built-in echo")
        }
        let id: String, isNew: Bool
        if let found = session.found {
            (id, isNew) = (found.id, false)
        } else {
            (id, isNew) = try make(session.new, client, invocation)
        }
        var settings = Prompt.Settings(
            upstream: session.new.upstream, model: session.new.model,
            requestID: invocation.value(.requestID))
        settings.params = params
        let target = ChatTarget(
            info, model: settings.model ?? session.found?.model,
            upstream: settings.upstream ?? session.found?.upstream)
        return try SendCommand.run(
            id, client, invocation, settings,
            SendCommand.Show(
                target: target.words, files: files, extracts: invocation.has(.extract),
                isNew: isNew)
        ) {
            prompt, settings in prompt.send(words, files, settings)
        }
    }

    /// What is to be said; nothing only where something else `isOptional` goes.
    private static func words(_ invocation: Invocation, isOptional: Bool) throws(CommandError) -> String {
        // Then the input is the file's.
        let isTaken = invocation.arguments.values(.attach).contains("-")
        if isTaken, invocation.positionals.last == "-" {
            throw .usage("standard input is the text or a file: '-' and '-a -' cannot stand together")
        }
        // A dash behind TEXT says that there is input, however long it takes.
        let isAskedFor = invocation.positionals.last == "-"
        let given = (isAskedFor ? invocation.positionals.dropLast() : invocation.positionals[...])
            .joined(separator: " ")
        let isOnlyInput = given.isEmpty
        if isOnlyInput, isOptional, isTaken || invocation.has(.noInput) || StandardInput.isTerminal {
            return ""
        }
        if isOnlyInput && StandardInput.isTerminal && invocation.positionals.isEmpty {
            throw .usage("'send' needs TEXT, or input from a pipe; 'convo help send' says more")
        }
        if invocation.has(.noInput), isOnlyInput {
            throw .usage("--no-stdin leaves nothing to send: give TEXT, or leave it away")
        }
        let isAlone =
            isTaken || invocation.has(.noInput) || StandardInput.isTerminal && !isOnlyInput && !isAskedFor
        let piped =
            isAlone
            ? ""
            : try StandardInput.all(firstByte: isOnlyInput || isAskedFor ? nil : StandardInput.firstByte) {
                let end =
                    isAskedFor ? nil : "'-n' sends TEXT without it, and so it goes where none comes in 5 s"
                invocation.noteIdleInput(isOnlyInput ? nil : end)
            }
        let words = [given, piped].filter { !$0.isEmpty }.joined(separator: "\n")
        if isOptional { return words }
        guard words.unicodeScalars.contains(where: { !$0.properties.isWhitespace }) else {
            throw .usage("there is nothing to send: TEXT and the input are empty")
        }
        return words
    }

    /// The session to go on with, or what a new one is to be made with.
    private static func session(
        _ client: Client, _ invocation: Invocation, _ template: PromptTemplate?
    ) throws(CommandError) -> (found: Wire.SessionSummary?, new: NewSession) {
        let new = try NewSession(invocation, template)
        guard let found = try invocation.chosenSession(client) else { return (nil, new) }
        if invocation.has(.continue), invocation.console.isErrorTerminal {
            invocation.console.note("goes on in \(found.name) (\(found.id))")
        }
        if let system = new.system {
            _ = try client.ask(Method.SessionSet.self) {
                $0.member("sessionId", found.id)
                $0.member("system", system)
            }
        }
        return (found, new)
    }

    /// Makes a session; what is sent once may find it made by the first sending, and it is not new then.
    private static func make(
        _ new: NewSession, _ client: Client, _ invocation: Invocation
    ) throws(CommandError) -> (id: String, isNew: Bool) {
        guard let requestID = invocation.value(.requestID), let id = new.id else {
            return (try new.make(client), true)
        }
        do throws(CommandError) { return (try new.make(client), true) } catch {
            guard error.code == .failure else { throw error }
            /// Whether the session has a turn, of that request or of any.
            func hasTurn(_ requestID: String?) throws(CommandError) -> Bool {
                let page = try client.ask(Method.TurnList.self) {
                    $0.member("sessionId", id)
                    $0.optional("requestId", requestID)
                    $0.member("limit", 1)
                }
                return !page.turns.isEmpty
            }
            if try hasTurn(requestID) { return (id, false) }
            guard try !hasTurn(nil) else { throw error }
            return (id, false)
        }
    }

    private static func checkChoice(_ invocation: Invocation) throws(CommandError) {
        guard invocation.has(.requestID) else { return }
        if invocation.has(.ephemeral) {
            throw .usage(
                "--request-id and --ephemeral cannot stand together: what lives in memory is not sent once")
        }
        let isNamed = invocation.has(.session) && invocation.value(.session) != "@last"
        guard isNamed || invocation.has(.new) else {
            throw .usage(
                "--request-id needs '-s ID' or '--new ID': only in the same session the same ID is the same prompt"
            )
        }
    }
}

/// Asks for one answer and prints it, as `send`, `retry`, `edit` and `continue` do.
enum SendCommand {
    /// What `invocation` names besides.
    static func run(
        _ session: String, _ client: Client, _ invocation: Invocation,
        _ ask: (Prompt, Prompt.Settings) -> Prompt.Outcome
    ) throws(CommandError) -> ExitCode {
        let settings = Prompt.Settings(
            upstream: invocation.value(.upstream), model: try invocation.model(),
            requestID: invocation.value(.requestID))
        let target = [settings.model, settings.upstream].compactMap(\.self).joined(separator: " via ")
        return try run(session, client, invocation, settings, Show(target: target), ask)
    }

    /// How an answer is shown.
    struct Show {
        /// Who is asked, as far as that is known.
        var target: String
        /// What goes with the prompt.
        var files: [Attachment] = []
        /// Whether only the first block of code of the answer is printed.
        var extracts = false
        /// Whether the session was made for it.
        var isNew = false
    }

    /// Asks, and prints as `show` says.
    static func run(
        _ session: String, _ client: Client, _ invocation: Invocation, _ settings: Prompt.Settings,
        _ show: Show, _ ask: (Prompt, Prompt.Settings) -> Prompt.Outcome
    ) throws(CommandError) -> ExitCode {
        let console = invocation.console, isJSON = invocation.has(.json)
        if !invocation.has(.ephemeral) { UsedSessions().note(session) }
        let interrupts = Interrupts(), isSilent = isJSON || show.extracts
        let view = AnswerView(console, target: show.target)
        /// Whether a cut answer was printed that is none any more.
        var isSpoiled = false
        let isShown = !isSilent && console.isOutputTerminal
        let prompt = Prompt(
            client: client, session: session, signals: interrupts?.descriptor,
            tick: isShown ? WaitingLine.pace : nil
        ) { piece in
            if isShown { return view.show(piece) }
            if console.failure != nil { return }
            switch piece {
            case .text(let text): if !isSilent { console.write(verbatim: text) }
            case .notice(let sentence, _): if console.isErrorTerminal { console.note(sentence) }
            case .behind(let count):
                if console.isErrorTerminal { console.note(Prompt.Piece.words(behind: count)) }
            case .restart:
                if !isSilent {
                    console.print("")
                    isSpoiled = true
                }
                console.note("the answer was cut; it begins anew")
            case .toolCall(let call): if !isSilent { console.note(call.line) }
            case .thought, .tick, .asked, .leaving: break
            }
        }
        let outcome = ask(prompt, settings)
        if isShown { view.finish() }
        if isJSON { console.print(record: PrintedAnswer(outcome, session: session)) }
        if !isSilent, !isShown, !outcome.text.isEmpty, !outcome.text.utf8.reversed().starts(with: [0x0A]) {
            console.print("")
        }
        if let note = outcome.note(of: show.files) { console.note(note) }
        var (code, message) = outcome.ending
        if isSpoiled, code == .success {
            code = .failure
            message =
                "what was printed begins with an answer that was cut and is none any more; 'convo show' shows the one that counts"
        }
        // Others are asked only where it may be the model.
        if let words = message, outcome.error?.remote?.kind == ErrorKind.upstreamRefused.rawValue,
            words.contains("HTTP 404") || words.lowercased().contains("model"), let turn = outcome.turnID
        {
            message = words + (client.whoElseHasModel(of: turn) ?? "")
        }
        // What was refused for how it was asked left a session in which nothing is.
        if show.isNew, code == .usage, outcome.turnID == nil {
            let params = JSONWriter.object { $0.member("sessionId", session) }
            // One that cannot be taken away is an empty one more.
            _ = try? client.call(Method.SessionPurge.self, params)
        }
        if let message { if code == .success { console.note(message) } else { Console.complain(message) } }
        if show.extracts, !isJSON, code == .success { return try printCode(of: outcome.text, console) }
        return code
    }

    private static func printCode(of text: String, _ console: Console) throws(CommandError) -> ExitCode {
        guard let code = MarkdownBlock.firstCode(of: text) else {
            throw CommandError(.failure, "the answer has no block of code; 'convo show -c' shows it")
        }
        console.write(verbatim: code.hasSuffix("\n") ? code : code + "\n")
        return .success
    }
}

/// What `--json` prints of an answer.
private struct PrintedAnswer: Encodable {
    let sessionId: String
    let turnId: TurnID?
    let messageId: MessageID?
    let text: String
    /// Absent where there are none.
    var toolCalls: [Prompt.ToolCall]?
    var stopReason: StopReason?
    var error: Failure?
    var finish: String?
    var detail: String?
    var alternatives: [MessageID]?
    var usage: Usage?
    var upstream: String?
    var model: String?
    var cached: Bool?
    var repeated: Bool?
    var receipt: Verbatim<Wire.Receipt>?

    /// What went wrong; without a kind where the daemon did not say it.
    struct Failure: Encodable {
        let kind: String?
        let message: String
    }

    init(_ outcome: Prompt.Outcome, session: String) {
        sessionId = session
        turnId = outcome.turnID
        messageId = outcome.messageID
        text = outcome.text
        if !outcome.toolCalls.isEmpty { toolCalls = outcome.toolCalls }
        stopReason = outcome.stopReason
        error = outcome.error.map { Failure(kind: $0.remote?.kind, message: $0.description) }
        guard let extras = outcome.extras else { return }
        finish = extras.finish
        detail = extras.detail
        alternatives = extras.alternatives
        usage = extras.usage
        upstream = extras.upstream
        model = extras.model
        cached = extras.cached
        repeated = extras.repeated
        receipt = extras.receipt
    }
}

extension Invocation {
    /// What to do when the daemon has no model to ask.
    static let noModel =
        "no model is configured; 'convo setup' asks for one (or set GEMINI_API_KEY, OPENAI_API_KEY or ANTHROPIC_API_KEY and run 'convo restart', or start Ollama)"

    /// The session that `-s` or `-c` name, nil when neither was given.
    func chosenSession(_ client: Client) throws(CommandError) -> Wire.SessionSummary? {
        let choice = SessionChoice(client: client, console: console)
        if let name = value(.session) { return try choice.session(named: name) }
        return has(.continue) ? try choice.latest() : nil
    }
}
