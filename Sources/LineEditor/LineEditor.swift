/// LineEditor reads prompts that somebody types.
///
/// - Invariant: what it gives is the text that was typed or pasted, whatever a terminal shows of it.
internal import CEdit
internal import Posix

/// Standard input as a person edits it: keys as of Emacs, a history, several lines, and a paste as one text.
///
/// There is one at a time; the terminal is given back when it goes, or when the process ends.
@safe
package final class LineEditor {
    /// What a reading came back with.
    package enum Line: Sendable, Equatable {
        /// A text, and whether somebody typed the three quotes that it begins with.
        case text(String, isQuoted: Bool)
        /// Ctrl-C, with whether something had been typed.
        case interrupted(hadText: Bool)
        /// Another signal.
        case signal(Int32)
        /// Ctrl-D on an empty line, or the end of the input.
        case end
    }

    /// Who is asked while somebody types.
    package struct Listener {
        /// What may stand for the end of a text, which goes up to the cursor: how many characters of it go away, and what can
        /// come instead.
        package var complete: (String) -> (drop: Int, words: [String])
        /// The lines that show what may come, for a text up to the cursor.
        package var listed: (String, [String]) -> [String]
        /// Whether a text is whole, so that Enter sends it.
        package var isWhole: (String) -> Bool
        /// Descriptors that are watched meanwhile, and who hears of them.
        package var others: () -> [Int32]
        package var onReady: () -> Void

        package init(
            complete: @escaping (String) -> (drop: Int, words: [String]),
            listed: @escaping (String, [String]) -> [String],
            isWhole: @escaping (String) -> Bool, others: @escaping () -> [Int32],
            onReady: @escaping () -> Void
        ) {
            self.complete = complete
            self.listed = listed
            self.isWhole = isWhole
            self.others = others
            self.onReady = onReady
        }
    }

    /// Prompts that the history holds.
    package static let remembered = 1_000
    /// Scalars of a paste at most; the rest of a longer one is dropped.
    private static let longestPaste = 4 << 20

    private let editor: UnsafeMutablePointer<cedit_editor>
    private let signals: Int32?
    private let listener: Listener
    private var keys = KeyDecoder()
    private var ending = Line.end
    /// Whether the reading has ended, whatever else is asked for.
    private var isOver = false
    private let signalKeys: cedit_signal_keys
    /// Cells of the prompt.
    private let promptCells: Int
    /// The terminal's width when the line was drawn last.
    private var columns = 0

    /// Quotes at the beginning of the line that were typed: those of a paste, or of a text out of the history, are its own.
    private var typedQuotes = 0

    /// Whether the history is being searched, where libedit takes an escape for the search's end, and what stands behind it for
    /// text; and whether the escape of a key is still to come behind the one that ended it.
    private var isSearching = false, owesEscape = false

    /// Ends a search before a key that is a sequence, with an escape of its own.
    private func endsSearch(_ scalar: Unicode.Scalar) -> Bool {
        if !isSearching {
            isSearching = scalar == "\u{12}" || scalar == "\u{13}"
            return false
        }
        // What is looked for goes on, the next place is looked for, a sign or a word is taken away or added.
        isSearching =
            scalar.properties.generalCategory != .control
            || ["\u{12}", "\u{13}", "\u{8}", "\u{7F}", "\u{17}"].contains(scalar)
        owesEscape = scalar == "\u{1B}" && keys.hasMore
        return owesEscape
    }

    private func isQuoted(_ text: String) -> Bool { typedQuotes >= 3 && text.hasPrefix("\"\"\"") }

    /// Counts the quotes that are typed at the beginning of the line.
    private func count(_ scalar: Unicode.Scalar) {
        if scalar != "\"" && typedQuotes == 0 { return }
        let (text, cursor) = current
        typedQuotes = min(typedQuotes, text.prefix { $0 == "\"" }.count)
        if scalar == "\"", cursor == typedQuotes { typedQuotes += 1 }
    }

    /// Nil where standard input cannot be edited; `prompt` has what takes no room between characters U+0001, `signals` is a
    /// descriptor as `Signals.descriptor` makes it.
    ///
    /// `terminal` is whose entry is read in place of `TERM`'s; nil for that one's own.
    package init?(
        program: String, prompt: String, terminal: String?, signals: Int32?, _ listener: Listener
    ) {
        self.signals = signals
        self.listener = listener
        let context = LineEditor.Box()
        let hooks = unsafe cedit_hooks(
            context: Unmanaged.passRetained(context).toOpaque(),
            next: { unsafe LineEditor.found($0)?.nextScalar() ?? -1 },
            key: { unsafe LineEditor.found($0)?.struck($1) ?? Int32(CC_ERROR) })
        guard let editor = unsafe cedit_open(program, prompt, terminal, Int32(LineEditor.remembered), hooks)
        else {
            return nil
        }
        unsafe self.editor = editor
        // What takes no room stands between the marks.
        promptCells = prompt.split(separator: "\u{1}", omittingEmptySubsequences: false).enumerated()
            .filter { $0.offset % 2 == 0 }.flatMap { $0.element.unicodeScalars }
            .reduce(0) { $0 + Int(cedit_cells($1.value)) }
        signalKeys = cedit_keys_of_signals()
        context.editor = self
    }

    deinit { unsafe cedit_close(editor) }

    /// What the hooks hold on to: it stays for the life of the process.
    private final class Box { weak var editor: LineEditor? }

    private static func found(_ context: UnsafeMutableRawPointer?) -> LineEditor? {
        guard let context = unsafe context else { return nil }
        return unsafe Unmanaged<Box>.fromOpaque(context).takeUnretainedValue().editor
    }

    /// Reads a text, and keeps the terminal from echoing what is typed behind it.
    package func read() -> Line {
        (ending, isOver) = (.end, false)
        typedQuotes = 0
        (isSearching, owesEscape) = (false, false)
        columns = Process.terminalColumns(1) ?? 0
        Output.write("\u{1B}[?2004h")
        var count: Int32 = 0
        let line = unsafe cedit_gets(editor, &count)
        // What is pasted while nobody reads is one paste still.
        cedit_set_signals(1)
        unsafe cedit_set_raw(editor, 1)
        guard let line = unsafe line, count > 0 else {
            // What stands behind the cursor, and below it, is given up.
            Output.write(ending == .end ? "\u{1B}[J\r\n" : "\u{1B}[J")
            return ending
        }
        // Struck behind Enter, and come with it: it is for what is asked now.
        if signalKeys.interrupt != 0, keys.takes(signalKeys.interrupt) { cedit_interrupt() }
        let whole = unsafe text(line, Int(count) - 1)
        return .text(whole, isQuoted: isQuoted(whole))
    }

    /// Lets the terminal echo and gather lines again, as another program expects.
    package func giveTerminal() {
        Output.write("\u{1B}[?2004l")
        unsafe cedit_set_raw(editor, 0)
    }

    /// The lines that were typed while nobody read, as bytes; what a key or a paste began stays.
    package func takeTypedAhead() -> [UInt8] { keys.takeLines() }

    /// Puts back what was typed and nobody took, before all else.
    package func giveBack(_ typed: [UInt8]) { keys.putBack(typed) }

    /// Drops what was typed while nobody read.
    package func dropTypedAhead() {
        keys = KeyDecoder()
        cedit_drop_input()
    }

    /// Puts a text into the history, as its newest.
    package func remember(_ text: String) {
        unsafe cedit_remember(editor, wide(text))
    }

    // MARK: Keys

    /// The next scalar; nil ends the reading, and `ending` says why.
    private func nextScalar() -> Int32? {
        while !isOver {
            if owesEscape {
                owesEscape = false
                return 0x1B
            }
            if let scalar = keys.next() {
                if keys.isPasting { return Int32(scalar.value) }
                if endsSearch(scalar) { return 0x1B }
                redrawAfterResize()
                count(scalar)
                switch UInt8(exactly: scalar.value) {
                case signalKeys.interrupt? where signalKeys.interrupt != 0: return interrupted()
                case signalKeys.stop? where signalKeys.stop != 0: unsafe cedit_stop(editor)
                case signalKeys.quit? where signalKeys.quit != 0: cedit_quit()
                default: return Int32(scalar.value)
                }
                continue
            }
            cedit_set_signals(0)
            do throws(PosixError) {
                let others = listener.others()
                let ready = try System.wait(
                    readable: [0] + (signals.map { [$0] } ?? []) + others, milliseconds: -1)
                if let signals, ready.contains(signals), let number = Signals.next(signals) {
                    if number == Signals.interrupt { return interrupted() }
                    return over(.signal(number))
                }
                if ready.contains(where: others.contains) { listener.onReady() }
                if ready.contains(0) {
                    var bytes: [UInt8] = []
                    guard try System.read(0, into: &bytes, most: 64 << 10) != 0 else { return over(.end) }
                    // A paste whose end does not come is given up as any other text.
                    if keys.isPasting, bytes == [signalKeys.interrupt],
                        try System.wait(readable: [0], milliseconds: LineEditor.pastePause).isEmpty
                    {
                        return interrupted()
                    }
                    keys.add(bytes)
                }
            } catch { return over(.end) }
        }
        return nil
    }

    /// Draws the line anew where the terminal has another width: it has moved the text by itself, and libedit takes the place of
    /// the cursor for the line's start.
    private func redrawAfterResize() {
        let now = Process.terminalColumns(1) ?? columns
        if now == columns || now < 1 { return }
        columns = now
        let (text, cursor) = current
        var row = 0, column = promptCells, rowOfCursor = 0
        for (index, scalar) in text.unicodeScalars.enumerated() {
            let cells = Int(cedit_cells(scalar.value))
            if scalar == "\n" || column + cells > now { (row, column) = (row + 1, 0) }
            column += scalar == "\n" ? 0 : cells
            if column >= now { (row, column) = (row + 1, 0) }
            if index < cursor { rowOfCursor = row }
        }
        // Row by row from the last one: some terminals keep what was on a screen that is cleared as a whole.
        let down = row > rowOfCursor ? "\u{1B}[\(row - rowOfCursor)B" : ""
        Output.write(down + "\r\u{1B}[K" + String(repeating: "\u{1B}[A\u{1B}[K", count: row))
        unsafe cedit_redraw(editor)
    }

    /// Milliseconds behind which a key in a paste was struck by somebody.
    private static let pastePause: Int32 = 50

    private func interrupted() -> Int32? { over(.interrupted(hadText: !current.text.isEmpty)) }

    /// Ends the reading.
    private func over(_ line: Line) -> Int32? {
        (ending, isOver) = (line, true)
        keys = KeyDecoder()
        return nil
    }

    private func struck(_ key: Int32) -> Int32 {
        switch Int(key) {
        case CEDIT_TAB: return complete()
        case CEDIT_NEWLINE: return insert("\n")
        case CEDIT_PASTE: return paste()
        default:
            let text = current.text
            guard !isQuoted(text) || listener.isWhole(text) else { return insert("\n") }
            unsafe cedit_send(editor)
            return Int32(CC_NORM)
        }
    }

    /// What stands in the line, and how many scalars of it are before the cursor.
    private var current: (text: String, cursor: Int) {
        var cursor: Int32 = 0, count: Int32 = 0
        let buffer = unsafe cedit_buffer(editor, &cursor, &count)
        guard let buffer = unsafe buffer else { return ("", 0) }
        return (unsafe text(buffer, Int(count)), Int(cursor))
    }

    private func insert(_ text: String) -> Int32 {
        let code = unsafe cedit_insert(editor, wide(text))
        return Int32(code == 0 ? CC_REFRESH : CC_ERROR)
    }

    /// Takes all up to the mark behind a paste, with its lines and without its control characters (XTerm, "Bracketed Paste Mode").
    private func paste() -> Int32 {
        let end = Array("\u{1B}[201~".unicodeScalars)
        var found: [Unicode.Scalar] = []
        keys.isPasting = true
        defer { keys.isPasting = false }
        while let value = nextScalar() {
            guard let scalar = Unicode.Scalar(UInt32(value)) else { continue }
            if found.count < LineEditor.longestPaste + end.count { found.append(scalar) }
            if scalar == "~", found.suffix(end.count).elementsEqual(end) {
                found.removeLast(end.count)
                break
            }
        }
        var text = String.UnicodeScalarView(), last: Unicode.Scalar?
        for scalar in found {
            defer { last = scalar }
            if scalar == "\r" || scalar == "\n" {
                if scalar == "\r" || last != "\r" { text.append("\n") }
            } else if scalar == "\t" || scalar.properties.generalCategory != .control {
                text.append(scalar)
            }
        }
        while text.last == "\n" { text.removeLast() }
        if current.cursor == 0, !text.isEmpty { typedQuotes = 0 }
        return insert(String(text))
    }

    private func complete() -> Int32 {
        let (text, cursor) = current
        let before = String(String.UnicodeScalarView(text.unicodeScalars.prefix(cursor)))
        let found = listener.complete(before)
        guard let first = found.words.first else { return Int32(CC_REFRESH_BEEP) }
        let common = found.words.dropFirst().reduce(first) { $0.commonPrefix(with: $1) }
        let typed = String(before.suffix(found.drop))
        if found.words.count == 1 || common.count > typed.count {
            unsafe cedit_delete(editor, Int32(typed.unicodeScalars.count))
            return insert(found.words.count == 1 ? first : common)
        }
        let lines = listener.listed(before, found.words)
        Output.write("\r\n" + lines.joined(separator: "\r\n") + "\r\n")
        return Int32(CC_REDISPLAY)
    }

    // MARK: Text

    private func text(_ line: UnsafePointer<wchar_t>, _ count: Int) -> String {
        var text = String.UnicodeScalarView()
        for index in 0..<max(0, count) {
            text.append(unsafe Unicode.Scalar(UInt32(bitPattern: line[index])) ?? "\u{FFFD}")
        }
        return String(text)
    }

    private func wide(_ text: String) -> [wchar_t] { text.unicodeScalars.map { wchar_t($0.value) } + [0] }
}

extension String {
    fileprivate func commonPrefix(with other: String) -> String {
        String(zip(self, other).prefix { $0 == $1 }.map(\.0))
    }
}

/// The terminal's side of it.
enum Output {
    static func write(_ text: String) {
        let bytes = Array(text.utf8)
        var at = 0
        // Of a terminal that is gone the next reading tells.
        while at < bytes.count, let count = try? System.write(1, bytes, from: at) { at += count }
    }
}
