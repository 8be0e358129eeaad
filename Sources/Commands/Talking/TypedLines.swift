internal import Posix

/// Prompts from a terminal that nothing can be edited on: line by line, as its driver gives them.
final class TypedLines: PromptSource {
    private let console: Console
    private let watch: PromptWatch
    private(set) var isQuoted = false
    private var input: StandardInput
    /// Lines that were typed while an answer came; each waits for its turn.
    private var ahead: [String] = []

    /// `typed` came in before.
    init(_ console: Console, _ watch: PromptWatch, typed: [UInt8] = []) {
        self.console = console
        input = StandardInput(isTyped: true, typed)
        self.watch = watch
    }

    func remember(_ text: String, leavesNoTrace: Bool) {}

    func answer(to question: String) throws(CommandError) -> String? {
        if ahead.isEmpty { return try input.answer(to: question, signals: watch.signals) }
        // What was typed ahead of the question answers it.
        let line = ahead.removeFirst()
        Console.write(question: question + line + "\n")
        return line
    }

    func dropAhead() {
        if ahead.isEmpty { return }
        console.note("\(Times.count(ahead.count, "line")) typed ahead will not be sent")
        ahead = []
    }

    private func showPrompt() {
        if console.isOutputTerminal { console.write(Array(console.styled("› ", .bold).utf8)) }
    }

    func next() throws(CommandError) -> StandardInput.Line {
        ahead += try input.burst(pause: 0)
        showPrompt()
        return try read()
    }

    /// A line, a block between lines of three quotes, or lines that came at once and that somebody agreed to send as one prompt;
    /// a signal only where it ends the chat.
    private func read() throws(CommandError) -> StandardInput.Line {
        var block: [String]?
        isQuoted = false
        while true {
            let next: StandardInput.Line, isAhead = !ahead.isEmpty
            if isAhead {
                let line = ahead.removeFirst()
                if console.isOutputTerminal {
                    console.print(Console.harmless(TypedLines.typed(line), keepingLines: false))
                }
                next = .text(line)
            } else {
                next = try input.line(
                    signals: watch.signals, others: watch.others
                ) { [self] in watch.onReady() }
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
                let words = TypedLines.typed(line)
                if words == "\"\"\"" {
                    if let block {
                        isQuoted = true
                        return .text(block.joined(separator: "\n"))
                    }
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
            lines.append(TypedLines.typed(line))
        }
        while true {
            for line in lines.prefix(TypedLines.shownLines) {
                console.print(console.styled("│ " + Console.harmless(line), .dim))
            }
            if lines.count > TypedLines.shownLines { console.print(console.styled("│ …", .dim)) }
            Console.write(
                question: "\(Times.count(lines.count, "line")) came at once; send them as one prompt? [Y/n] ")
            let answer: String
            switch try input.line(signals: watch.signals) {
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
                    lines.append(TypedLines.typed(line))
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
}
