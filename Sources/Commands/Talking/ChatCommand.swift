internal import LineEditor
internal import Conversation
internal import ConvoClient
internal import JSON
internal import Posix
internal import Protocol

extension Option {
    fileprivate static let thoughts = Option(long: "thoughts", help: "show what the model thinks")
}

extension Command {
    static let chat = Command(
        name: "chat", summary: "talk, with the answer as it streams",
        options: [
            .attach, .continue, .ephemeral, .model, .new, .parameter, .raw, .schema, .session, .system,
            .template,
            .thoughts, .upstream, .variable,
        ],
        details: """
            On a terminal: Enter sends, Alt-Enter begins a line, a paste is one prompt, \"\"\" begins and ends a long one.
            Up and Down go through what was typed before, Ctrl-R searches it, Tab completes commands, models and sessions.
            Ctrl-C cancels the running answer, twice it leaves; Ctrl-D leaves; /help lists what else can be typed.
            With piped input every line is one prompt, the answers go to standard output.
            """
    ) { invocation throws(CommandError) in
        var client = try invocation.connect()
        let found = try client.info()
        invocation.warn(about: found)
        let info = try invocation.offeringSetup(found, &client)
        let chat = try Chat(client, info, invocation)
        chat.settings.showsThoughts = invocation.has(.thoughts)
        chat.settings.thoughtsPlace = "/thoughts shows it from here on"
        return StandardInput.isTerminal ? try chat.talk() : try chat.pipe()
    }
}

/// A conversation at the terminal.
final class Chat {
    let invocation: Invocation
    var console: Console { invocation.console }
    private(set) var client: Client
    private var info: Method.ServerInfo.Result
    /// The session, nil until the first prompt makes it.
    var session: String?
    var new: NewSession
    var settings = AnswerView.Settings()
    /// Files that go with the next prompt.
    var attachments: [Attachment] = []
    /// What the answers of this chat are asked with, raw JSON; nil for nothing.
    private let params: [UInt8]?
    private let template: PromptTemplate?
    /// Whether the daemon went away while nobody asked; the next prompt or command connects again.
    private var isGone = false
    /// How many messages the session had when it was last looked at; nil before that.
    var seen: Int?
    /// The newest turn that was asked for here.
    var lastTurn: TurnID?
    /// Whether the session that was asked about last leaves no trace.
    private var traceless: (session: String, is: Bool)?
    /// For which limits it was said that messages are left out; nil for none.
    private var toldCut: String?
    /// Who answers in the session, as far as that was looked up.
    private var target: ChatTarget?
    let interrupts = Interrupts()
    private(set) var source: (any PromptSource)?
    /// What was typed before there was one.
    private let typedAhead: [UInt8]

    init(
        _ client: Client, _ info: Method.ServerInfo.Result, _ invocation: Invocation,
        typedAhead: [UInt8] = []
    ) throws(CommandError) {
        self.typedAhead = typedAhead
        self.client = client
        self.info = info
        self.invocation = invocation
        template = try invocation.template()
        new = try NewSession(invocation, template)
        params = try invocation.parameters(schema: try invocation.schema())
        attachments = try invocation.attachments()
        session = try invocation.chosenSession(client)?.id
        if let named = new.upstream, !info.upstreams.contains(where: { $0.name == named }),
            info.routes.members[named] == nil
        {
            let names = (info.upstreams.map(\.name) + info.routes.members.keys).sorted()
            throw CommandError(
                .notFound,
                "there is no upstream or route '\(named)'; \(hint(named, names, "convo upstreams"))")
        }
        try applySettings()
    }

    /// Goes on in a session that somebody chose.
    func resume(_ id: String) {
        session = id
        target = nil
        (seen, lastTurn) = (nil, nil)
    }

    /// Settings given for a session that exists already.
    private func applySettings() throws(CommandError) {
        guard let session, new.system != nil || new.model != nil || new.upstream != nil else { return }
        _ = try client.ask(Method.SessionSet.self) {
            $0.member("sessionId", session)
            $0.optional("system", new.system)
            $0.optional("model", new.model)
            $0.optional("upstream", new.upstream)
        }
    }

    /// Each line of a pipe is a prompt.
    func pipe() throws(CommandError) -> ExitCode {
        var code = ExitCode.success, input = StandardInput()
        settings.showsProgress = false
        while true {
            switch try input.line(signals: interrupts?.descriptor) {
            case .end: return code
            case .signal(let number): return Interrupts.code(of: number)
            case .text(let line):
                if line.allSatisfy(\.isWhitespace) { continue }
                try comeBack()
                let ended = try ask(line)
                if ended != .success { code = ended }
                if [.closedPipe, .terminated].contains(ended) || console.failure != nil { return code }
            }
        }
    }

    /// The loop of prompts and answers on a terminal.
    func talk() throws(CommandError) -> ExitCode {
        let source = makeSource()
        self.source = source
        if let code = try showBanner() { return code }
        if session != nil { seen = messageCount() }
        while true {
            do throws(CommandError) {
                let code: ExitCode?
                switch try source.next() {
                case .end: return .success
                case .signal(let number): return Interrupts.code(of: number)
                case .text(let words):
                    if words.allSatisfy(\.isWhitespace) { continue }
                    source.remember(words, leavesNoTrace: leavesNoTrace())
                    if Chat.isCommand(words), !source.isQuoted {
                        code = try obey(words)
                    } else {
                        let ended: ExitCode
                        // What waited when the daemon died comes first.
                        if try comeBack(), let other = try followRunning(), other != .success {
                            ended = other
                        } else {
                            ended = try ask(words)
                        }
                        if ended == .cancelled { source.dropAhead() }
                        code = leaving(ended)
                    }
                }
                if let code { return code }
            } catch {
                if error.code == .terminated { return error.code }
                Console.complain(error.message)
                if console.failure != nil { return error.code }
            }
        }
    }

    private func makeSource() -> any PromptSource {
        let watch = PromptWatch(
            signals: interrupts?.descriptor, others: { [self] in isGone ? [] : [client.descriptor] },
            onReady: { [self] in listen() }, complete: { [self] in complete($0) },
            listed: { [self] in listed($0, $1) })
        let history = new.isEphemeral ? nil : PromptHistory(Locations.ofThisProcess)
        if !console.isOutputTerminal { return TypedLines(console, watch) }
        let entry: String?
        switch TerminalEntries.choice(invocation.environment) {
        case .none: return TypedLines(console, watch, typed: typedAhead)
        case .own: entry = nil
        case .other(let name): entry = name
        }
        return EditedPrompts(console, history, watch, entry: entry, typed: typedAhead)
            ?? TypedLines(console, watch, typed: typedAhead)
    }

    /// Whether what is said here may be on no disk: the session is in memory, or nobody can tell.
    private func leavesNoTrace() -> Bool {
        guard let session else { return new.isEphemeral }
        if let known = traceless, known.session == session { return known.is }
        let params = JSONWriter.object { $0.member("sessionId", session) }
        guard let found = try? client.call(Method.SessionGet.self, params) else { return true }
        traceless = (session, found.summary.ephemeral ?? false)
        return traceless?.is ?? true
    }

    /// What ends the chat after an answer, nil for nothing.
    func leaving(_ code: ExitCode) -> ExitCode? {
        [.terminated, .closedPipe].contains(code) || console.failure != nil ? code : nil
    }

    /// Takes what comes while nobody asked.
    ///
    /// A daemon that went away is left in peace: whoever stopped it may be about to start it with another environment.
    private func listen() {
        if isGone { return }
        do { try client.drain { _ in } } catch { isGone = true }
    }

    /// Connects again, starting a daemon where none runs; whether it had to.
    @discardableResult func comeBack() throws(CommandError) -> Bool {
        listen()
        guard isGone else { return false }
        client = try invocation.connect()
        info = try client.info()
        target = nil
        isGone = false
        return true
    }

    // MARK: Asking

    /// Sends a prompt and shows its answer.
    private func ask(_ words: String) throws(CommandError) -> ExitCode {
        let id: String
        if let session { id = session } else { id = try new.make(client) }
        session = id
        tellOthers()
        let files = attachments
        let text = try template.map { (template) throws(CommandError) in try template.filled(words) } ?? words
        // What was not stored is asked again, with the same files.
        var isStored = false
        let code = try ask { prompt, settings in
            let outcome = prompt.send(text, files, settings)
            isStored = outcome.turnID != nil || outcome.error == nil
            return outcome
        }
        if isStored { attachments = [] }
        return code
    }

    /// Who is asked now.
    func currentTarget() throws(CommandError) -> ChatTarget {
        if let target { return target }
        var (model, upstream) = (new.model, new.upstream)
        if let session {
            let found = try client.ask(Method.SessionGet.self) { $0.member("sessionId", session) }.summary
            (model, upstream) = (found.model, found.upstream)
        }
        let made = ChatTarget(info, model: model, upstream: upstream)
        target = made
        return made
    }

    /// Another model or upstream is asked from here on.
    func forgetTarget() { target = nil }

    /// Asks for an answer in the session there is, and shows it.
    func ask(_ how: (Prompt, Prompt.Settings) -> Prompt.Outcome) throws(CommandError) -> ExitCode {
        guard let session else {
            throw CommandError(.notFound, "the session begins with the first prompt; say something first")
        }
        if !leavesNoTrace() { UsedSessions().note(session) }
        let view = AnswerView(console, target: try currentTarget().words, settings)
        let prompt = Prompt(
            client: client, session: session, signals: interrupts?.descriptor,
            tick: console.isOutputTerminal ? WaitingLine.pace : nil
        ) { view.show($0) }
        let outcome = how(prompt, Prompt.Settings(params: params))
        view.finish()
        if let code = outcome.error?.code, case .closed = code { isGone = true }
        seen = isGone ? nil : messageCount()
        lastTurn = outcome.turnID ?? lastTurn
        if let receipt = outcome.extras?.receipt?.value { tellCut(receipt) }
        if console.isOutputTerminal, StandardInput.isTerminal {
            console.print(facts: view.facts(of: outcome))
        }
        if let note = outcome.note(of: attachments) { console.note(note) }
        let (code, message) = outcome.ending
        if let message {
            if code == .failure || code == .upstream {
                Console.complain(message)
            } else {
                console.note(message)
            }
        }
        return code
    }

    /// How many messages the session has, for a person at a terminal; nil where there is none, and where the daemon does not say.
    func messageCount() -> Int? {
        guard source != nil, let session else { return nil }
        let params = JSONWriter.object { $0.member("sessionId", session) }
        // What is not told is not news.
        return try? client.call(
            Method.SessionGet.self, params, milliseconds: Chat.countPatience,
            signals: interrupts?.descriptor
        ) {
            if case .signal = $0 { try? client.cancelCall() }
        }.summary.messageCount
    }

    /// Milliseconds that a count is worth.
    private static let countPatience = 1_000

    /// Says what others have written in the session since it was last looked at.
    private func tellOthers() {
        guard let seen, let count = messageCount() else { return }
        if count > seen {
            let words = Times.count(count - seen, "message")
            say("\(words) came from elsewhere since; 'convo show' has all of them")
        } else if count < seen {
            say("somebody went back to message \(count) since; /branches shows what was said")
        }
    }

    /// Says that messages are left out: at each cut that stays for a while, and at the first of a strategy that cuts each time.
    private func tellCut(_ receipt: Wire.Receipt) {
        let isCut = !["fits", "anchor"].contains(receipt.rule) && receipt.leftOutMessages > 0
        // Other limits are settings that changed, or another model.
        let limits = "\(receipt.budget) \(receipt.rule)"
        guard isCut, receipt.strategy.chosen != "slide" || toldCut != limits else { return }
        toldCut = limits
        let count = Times.count(receipt.leftOutMessages, "older message")
        console.note(
            "\(count) \(receipt.leftOutMessages == 1 ? "is" : "are") left out\(receipt.rule == "overflow" ? "" : " from here on"), by \(Wire.Receipt.cause(of: receipt.rule)); /context shows which"
        )
    }

    // MARK: Showing

    private func showBanner() throws(CommandError) -> ExitCode? {
        var facts = [try currentTarget().words]
        if let session {
            let shown = try client.ask(Method.SessionGet.self) { $0.member("sessionId", session) }.summary
            facts.append(shown.name)
        } else {
            facts.append(new.isEphemeral ? "a session in memory only" : "new session")
        }
        facts.append("/help")
        console.print(facts: facts)
        return try session.flatMap { session throws(CommandError) in try showLast(of: session) }
    }

    /// Shows the newest messages, and the answer that comes in now as it comes; gives what the chat ends with then, nil for
    /// nothing.
    func showLast(of session: String) throws(CommandError) -> ExitCode? {
        let running = try runningTurn(of: session)
        let newest = try MessagePages(client: client, session: session).newest(4).filter {
            running == nil || $0.turnId != running || $0.role == .user
        }
        let fold = settings.showsThoughts ? nil : "a thought; \(settings.thoughtsPlace)"
        let printer = MessagePrinter(console, foldingThoughts: fold)
        for message in newest { console.print(printer.text(of: message)) }
        return try running.flatMap { turn throws(CommandError) in
            leaving(try follow(turn, behind: newest.last))
        }
    }

    /// The turn that runs on a session; nil for none.
    ///
    /// With `patience`, in looks, one that waits is waited for, as where a daemon has just been started.
    private func runningTurn(of session: String, patience: Int = 0) throws(CommandError) -> TurnID? {
        for look in 0...patience {
            let open = try client.ask(Method.TurnList.self) {
                $0.member("sessionId", session)
                $0.member("open", true)
            }.turns
            if let running = open.first(where: { $0.state == .running }) { return running.turnId }
            if open.isEmpty || look == patience { break }
            // What cannot be waited for is looked at again at once; who strikes a key or ends the chat does not wait.
            let signals = interrupts.map { [$0.descriptor] } ?? []
            if (try? System.wait(readable: signals, milliseconds: Chat.lookPause))?.isEmpty == false { break }
        }
        return nil
    }

    /// Milliseconds between two looks at a turn that waits, and how many there are.
    private static let lookPause: Int32 = 100, looks = 30

    /// Shows the answer that comes in now, as of a prompt that waited when a daemon died, and gives how that ended; nil where
    /// none comes.
    func followRunning() throws(CommandError) -> ExitCode? {
        guard let session, let running = try runningTurn(of: session, patience: Chat.looks) else {
            return nil
        }
        let newest = try MessagePages(client: client, session: session).newest(4)
        return try follow(running, behind: newest.last { $0.turnId != running || $0.role == .user })
    }

    private func follow(_ turn: TurnID, behind last: Wire.Message?) throws(CommandError) -> ExitCode {
        guard let session else { return .success }
        let view = AnswerView(console, target: try currentTarget().words, settings)
        let prompt = Prompt(
            client: client, session: session, signals: interrupts?.descriptor, tick: WaitingLine.pace
        ) { view.show($0) }
        console.print(console.styled("── assistant ", .blue) + console.styled("· now", .dim))
        let outcome = prompt.follow(turn, behind: last)
        view.finish()
        if let code = outcome.error?.code, case .closed = code { isGone = true }
        seen = isGone ? nil : messageCount()
        let (code, message) = outcome.ending
        if let message { console.note(message) }
        return code
    }
}
