internal import ConvoClient
internal import JSON
internal import Posix
internal import Protocol

extension Command {
    static let chat = Command(
        name: "chat", summary: "talk, with the answer as it streams",
        options: [.continue, .ephemeral, .model, .new, .session, .system, .upstream],
        details: """
            On a terminal: Ctrl-C cancels the running answer, Ctrl-D leaves, /help lists what else can be typed.
            With piped input every line is one prompt, the answers go to standard output.
            """
    ) { invocation throws(CommandError) in
        let client = try invocation.connect()
        let info = try ServerInfo(of: client)
        invocation.warn(about: info)
        if info.isOnImplicitEcho && invocation.value(.upstream) == nil {
            invocation.console.note(Invocation.noModel + "; until then the built-in echo answers")
        }
        let chat = try Chat(client, invocation)
        return StandardInput.isTerminal ? try chat.talk() : try chat.pipe()
    }
}

/// A conversation at the terminal.
final class Chat {
    let invocation: Invocation
    var console: Console { invocation.console }
    private(set) var client: Client
    /// The session, nil until the first prompt makes it.
    var session: String?
    var new: NewSession
    /// Whether the daemon went away while nobody asked; the next prompt or command connects again.
    private var isGone = false
    private let interrupts = Interrupts()
    private var input = StandardInput()

    init(_ client: Client, _ invocation: Invocation) throws(CommandError) {
        self.client = client
        self.invocation = invocation
        new = NewSession(
            id: invocation.value(.new), system: invocation.value(.system), model: invocation.value(.model),
            upstream: invocation.value(.upstream), isEphemeral: invocation.has(.ephemeral))
        session = try invocation.chosenSession(client)?.id
        try applySettings()
    }

    /// Settings given for a session that exists already.
    private func applySettings() throws(CommandError) {
        guard let session, new.system != nil || new.model != nil || new.upstream != nil else { return }
        _ = try client.ask(.sessionSet) {
            $0.member("sessionId", session)
            $0.optional("system", new.system)
            $0.optional("model", new.model)
            $0.optional("upstream", new.upstream)
        }
    }

    /// Each line of a pipe is a prompt.
    func pipe() throws(CommandError) -> ExitCode {
        var code = ExitCode.success
        while case .text(let line) = try input.line(signals: interrupts?.descriptor) {
            if line.allSatisfy(\.isWhitespace) { continue }
            try comeBack()
            let ended = try ask(line)
            if ended != .success { code = ended }
            if console.failure != nil { break }
        }
        return code
    }

    /// The loop of prompts and answers on a terminal.
    func talk() throws(CommandError) -> ExitCode {
        if let session {
            try showLast(of: session)
        } else {
            console.print(console.styled("Type to talk, /help for more.", .dim))
        }
        while true {
            showPrompt()
            guard let words = try read() else {
                console.print("")
                return .success
            }
            if words.allSatisfy(\.isWhitespace) { continue }
            do {
                if words.hasPrefix("/") {
                    if try !obey(words) { return .success }
                } else {
                    try comeBack()
                    _ = try ask(words)
                }
            } catch {
                Console.complain(error.message)
                if error.code == .noDaemon { return error.code }
            }
        }
    }

    private func showPrompt() {
        if console.isOutputTerminal { console.write(Array(console.styled("› ", .bold).utf8)) }
    }

    /// A line, or a block between lines of three quotes; nil at the end of input.
    private func read() throws(CommandError) -> String? {
        var block: [String]?
        while true {
            let next = try input.line(
                signals: interrupts?.descriptor, others: { [self] in isGone ? [] : [client.descriptor] }
            ) { [self] in listen() }
            switch next {
            case .end: return nil
            case .signal:
                block = nil
                console.print("\n" + console.styled("(Ctrl-D leaves)", .dim))
                showPrompt()
            case .text(let line) where line == "\"\"\"":
                if let block { return block.joined(separator: "\n") }
                block = []
            case .text(let line):
                guard block != nil else { return line }
                block?.append(line)
            }
        }
    }

    /// Takes what comes while nobody asked.
    ///
    /// A daemon that went away is left in peace: whoever stopped it may be about to start it with another environment.
    private func listen() { do { try client.drain { _ in } } catch { isGone = true } }

    /// Connects again, starting a daemon where none runs.
    func comeBack() throws(CommandError) {
        guard isGone else { return }
        client = try invocation.connect()
        isGone = false
    }

    /// Sends a prompt and shows its answer.
    private func ask(_ words: String) throws(CommandError) -> ExitCode {
        let id: String
        if let session { id = session } else { id = try new.make(client) }
        session = id
        return try ask { prompt, settings in prompt.send(words, settings) }
    }

    /// Asks for an answer in the session there is, and shows it.
    func ask(_ how: (Prompt, Prompt.Settings) -> Prompt.Outcome) throws(CommandError) -> ExitCode {
        guard let session else {
            throw CommandError(.notFound, "the session begins with the first prompt; say something first")
        }
        let view = AnswerView(console)
        let prompt = Prompt(client: client, session: session, signals: interrupts?.descriptor) {
            view.show($0)
        }
        let outcome = how(prompt, Prompt.Settings())
        view.finish()
        if let code = outcome.error?.code, case .closed = code { isGone = true }
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

    private func showLast(of session: String) throws(CommandError) {
        let title = try client.ask(.sessionGet) { $0.member("sessionId", session) }.title
        console.print(console.styled(Console.harmless(title, keepingLines: false), .bold))
        var printer = MessagePrinter(console)
        for message in try MessagePages(client: client, session: session).newest(4) {
            for line in printer.text(of: message).split(separator: "\n", omittingEmptySubsequences: false) {
                console.print(console.styled(String(line), .dim))
            }
        }
    }
}

/// An answer as it streams onto a terminal or into a pipe.
final class AnswerView {
    private let console: Console
    private var isThinking = false
    private var isAtLineStart = true

    init(_ console: Console) { self.console = console }

    func show(_ piece: Prompt.Piece) {
        switch piece {
        case .text(let text):
            if isThinking { endThought() }
            write(text)
        case .thought(let text):
            guard console.isOutputTerminal else { return }
            if !isThinking && console.isColored { console.write(Array("\u{1B}[2m".utf8)) }
            isThinking = true
            write(text)
        case .notice(let sentence): if console.isErrorTerminal { console.note(sentence) }
        case .restart:
            finish()
            console.note("the answer was cut; it begins anew")
        }
    }

    /// Ends the line that the answer left open.
    func finish() {
        if isThinking { endThought() }
        if !isAtLineStart { console.print("") }
    }

    private func write(_ text: String) {
        console.write(verbatim: text)
        isAtLineStart = text.utf8.reversed().starts(with: [0x0A])
    }

    private func endThought() {
        isThinking = false
        console.write(Array((console.isColored ? "\u{1B}[0m\n" : "\n").utf8))
        isAtLineStart = true
    }
}
