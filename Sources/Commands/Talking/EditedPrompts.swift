internal import LineEditor
internal import Posix

/// Prompts from a terminal on which they can be edited.
final class EditedPrompts: PromptSource {
    private let console: Console
    private let editor: LineEditor
    private let signals: Int32?
    /// Nil where nothing is to be remembered.
    private let history: PromptHistory?
    private(set) var isQuoted = false
    /// Whether Ctrl-C was the last thing that was typed, on an empty line.
    private var isLeaving = false

    /// Nil where standard input cannot be edited.
    ///
    /// `entry` is whose terminal's entry is read in place of `TERM`'s, `typed` what came in before.
    init?(
        _ console: Console, _ history: PromptHistory?, _ watch: PromptWatch, entry: String?, typed: [UInt8]
    ) {
        let listener = LineEditor.Listener(
            complete: watch.complete, listed: watch.listed, isWhole: EditedPrompts.isWhole,
            others: watch.others,
            onReady: watch.onReady)
        let prompt = console.isColored ? "\u{1}\u{1B}[1m\u{1}›\u{1}\u{1B}[0m\u{1} " : "› "
        guard
            let editor = LineEditor(
                program: "convo", prompt: prompt, terminal: entry, signals: watch.signals, listener)
        else { return nil }
        editor.giveBack(typed)
        self.console = console
        self.editor = editor
        self.history = history
        signals = watch.signals
        for prompt in history?.prompts() ?? [] { editor.remember(prompt) }
    }

    /// A text that begins with three quotes goes on until three more.
    private static func isWhole(_ text: String) -> Bool {
        guard text.hasPrefix("\"\"\"") else { return true }
        return text.dropFirst(3).contains("\"\"\"")
    }

    func next() throws(CommandError) -> StandardInput.Line {
        while true {
            switch editor.read() {
            case .text(let text, let isQuoted):
                isLeaving = false
                self.isQuoted = isQuoted
                return .text(isQuoted ? EditedPrompts.unquoted(text) : text)
            case .end: return .end
            case .signal(let number):
                console.print("")
                return .signal(number)
            case .interrupted(let hadText):
                console.print("")
                if isLeaving && !hadText { return .signal(Signals.interrupt) }
                isLeaving = !hadText
                if isLeaving { console.print(console.styled("(Ctrl-C once more, or Ctrl-D, leaves)", .dim)) }
            }
        }
    }

    private static func unquoted(_ text: String) -> String {
        var out = String(text.dropFirst(3))
        if let end = out.firstRange(of: "\"\"\"") { out.removeSubrange(end) }
        if out.hasPrefix("\n") { out.removeFirst() }
        while out.hasSuffix("\n") { out.removeLast() }
        return out
    }

    func answer(to question: String) throws(CommandError) -> String? {
        editor.giveTerminal()
        // What was typed ahead of the question answers it, and what comes behind that is for whoever reads next.
        var input = StandardInput(isTyped: true, editor.takeTypedAhead())
        let isAhead = input.hasLine
        let answer = try input.answer(to: question, signals: signals)
        if isAhead, let answer { Console.write(question: answer + "\n") }
        editor.giveBack(input.rest)
        return answer
    }

    func dropAhead() { editor.dropTypedAhead() }

    func remember(_ text: String, leavesNoTrace: Bool) {
        editor.remember(text)
        if leavesNoTrace { return }
        // A history that cannot be written is none; the prompt itself is stored.
        do throws(PosixError) { try history?.add(text) } catch {}
    }
}
