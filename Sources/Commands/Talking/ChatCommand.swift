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
        let info = try client.info()
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
    /// Whether it was said that messages are left out.
    private var hasToldCut = false
    let interrupts = Interrupts()
    var input = StandardInput(isTyped: StandardInput.isTerminal)
    /// Lines that were typed while an answer came; each waits for its turn.
    private var ahead: [String] = []

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
        _ = try client.ask(Method.SessionSet.self) {
            $0.member("sessionId", session)
            $0.optional("system", new.system)
            $0.optional("model", new.model)
            $0.optional("upstream", new.upstream)
        }
    }

    /// Each line of a pipe is a prompt.
    func pipe() throws(CommandError) -> ExitCode {
        var code = ExitCode.success
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
        if let session {
            try showLast(of: session)
        } else {
            console.print(console.styled("Type to talk, /help for more.", .dim))
        }
        while true {
            do {
                ahead += try input.burst(pause: 0)
                showPrompt()
                let code: ExitCode?
                switch try read() {
                case .end:
                    console.print("")
                    return .success
                case .signal(let number): return Interrupts.code(of: number)
                case .text(let words):
                    if words.allSatisfy(\.isWhitespace) { continue }
                    if words.hasPrefix("/"), !words.contains("\n") {
                        code = try obey(words)
                    } else {
                        try comeBack()
                        let ended = try ask(words)
                        if ended == .cancelled { dropAhead() }
                        code = leaving(ended)
                    }
                }
                if let code { return code }
            } catch {
                if error.code == .terminated { return error.code }
                Console.complain(error.message)
                if error.code == .noDaemon || console.failure != nil { return error.code }
            }
        }
    }

    /// Who cancels an answer does not want what was typed for after it.
    private func dropAhead() {
        if ahead.isEmpty { return }
        console.note("\(Times.count(ahead.count, "line")) typed ahead will not be sent")
        ahead = []
    }

    /// What ends the chat after an answer, nil for nothing.
    func leaving(_ code: ExitCode) -> ExitCode? {
        [.terminated, .closedPipe].contains(code) || console.failure != nil ? code : nil
    }

    private func showPrompt() {
        if console.isOutputTerminal { console.write(Array(console.styled("› ", .bold).utf8)) }
    }

    /// A line, a block between lines of three quotes, or lines that came at once and that somebody agreed to send as one prompt;
    /// a signal only where it ends the chat.
    private func read() throws(CommandError) -> StandardInput.Line {
        var block: [String]?
        while true {
            let next: StandardInput.Line, isAhead = !ahead.isEmpty
            if isAhead {
                let line = ahead.removeFirst()
                if console.isOutputTerminal {
                    console.print(Console.harmless(Chat.typed(line), keepingLines: false))
                }
                next = .text(line)
            } else {
                next = try input.line(
                    signals: interrupts?.descriptor, others: { [self] in isGone ? [] : [client.descriptor] }
                ) { [self] in listen() }
            }
            switch next {
            case .end: return .end
            case .signal(let number):
                if number == Signals.terminate { return next }
                block = nil
                console.print("\n" + console.styled("(Ctrl-D leaves)", .dim))
                showPrompt()
            case .text(let line):
                guard check(line) else {
                    block = nil
                    showPrompt()
                    continue
                }
                let words = Chat.typed(line)
                if words == "\"\"\"" {
                    if let block { return .text(block.joined(separator: "\n")) }
                    block = []
                } else if block != nil {
                    block?.append(words)
                } else if isAhead {
                    return .text(words)
                } else if let whole = try together(words) {
                    return .text(whole)
                } else {
                    showPrompt()
                }
            }
        }
    }

    /// Whether a line came whole and is text: a terminal passes on so many bytes and drops the rest.
    private func check(_ line: String) -> Bool {
        if line.utf8.count < StandardInput.longestTyped {
            if !line.unicodeScalars.contains("\u{FFFD}") { return true }
            Console.complain("what was typed is not UTF-8 text; nothing was sent")
            return false
        }
        Console.complain(
            "a terminal passes on no more than \(Times.number(StandardInput.longestTyped)) bytes of a line, and this one has them: what was behind is lost, and nothing was sent; 'convo send - < FILE' takes any length"
        )
        // What else was pasted belongs to it.
        _ = try? input.burst()
        return false
    }

    /// The line with all that came at once with it, if somebody agrees to send it as one prompt; nil where nobody does.
    private func together(_ first: String) throws(CommandError) -> String? {
        let rest = try input.burst()
        if rest.isEmpty { return first }
        var lines = [first]
        for line in rest {
            guard check(line) else { return nil }
            lines.append(Chat.typed(line))
        }
        while true {
            for line in lines.prefix(Chat.shownLines) {
                console.print(console.styled("│ " + Console.harmless(line), .dim))
            }
            if lines.count > Chat.shownLines { console.print(console.styled("│ …", .dim)) }
            Console.write(
                question: "\(Times.count(lines.count, "line")) came at once; send them as one prompt? [Y/n] ")
            let answer: String
            switch try input.line(signals: interrupts?.descriptor) {
            case .text(let text): answer = text
            case .end: return nil
            case .signal(let number): throw CommandError(Interrupts.code(of: number), "nothing was sent")
            }
            switch answer.lowercased() {
            case "", "y", "yes": return lines.joined(separator: "\n")
            case "n", "no", "nope", "q", "quit": return nil
            default:  // the last line of what was pasted had no end
                for line in try [answer] + input.burst() {
                    guard check(line) else { return nil }
                    lines.append(Chat.typed(line))
                }
            }
        }
    }

    /// Lines of a paste that are shown before it is sent.
    private static let shownLines = 10

    /// What somebody typed, without the control characters that keys leave where nothing edits the line.
    static func typed(_ line: String) -> String {
        var out = String.UnicodeScalarView(), rest = line.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            guard scalar.properties.generalCategory == .control else {
                out.append(scalar)
                continue
            }
            if scalar == "\t" { out.append(scalar) }
            // The rest of an arrow key's or another key's sequence (ECMA-48, 5.4).
            guard scalar == "\u{1B}" || scalar == "\u{9B}" else { continue }
            if scalar == "\u{1B}" {
                guard let kind = rest.first, kind == "[" || kind == "O" else { continue }
                rest.removeFirst()
            }
            rest = rest.drop { (0x20...0x3F).contains($0.value) }
            if let last = rest.first, (0x40...0x7E).contains(last.value) { rest.removeFirst() }
        }
        return String(out)
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
        if let receipt = outcome.extras?.receipt?.value { tellCut(receipt) }
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

    /// Says that messages are left out: at each cut that stays for a while, and at the first of a strategy that cuts each time.
    private func tellCut(_ receipt: Wire.Receipt) {
        let isCut = !["fits", "anchor"].contains(receipt.rule) && receipt.leftOutMessages > 0
        guard isCut, receipt.strategy.chosen != "slide" || !hasToldCut else { return }
        hasToldCut = true
        let count = Times.count(receipt.leftOutMessages, "older message")
        console.note(
            "\(count) \(receipt.leftOutMessages == 1 ? "is" : "are") left out from here on, by \(Wire.Receipt.cause(of: receipt.rule)); /context shows which"
        )
    }

    private func showLast(of session: String) throws(CommandError) {
        let shown = try client.ask(Method.SessionGet.self) { $0.member("sessionId", session) }.summary
        console.print(console.styled(Console.harmless(shown.name, keepingLines: false), .bold))
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
        if console.failure != nil { return }
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
