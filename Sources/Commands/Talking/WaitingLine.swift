internal import Posix
internal import Typesetting

/// The quiet line under a conversation while an answer is waited for: who is asked, for how long, and how long a pause lasts.
final class WaitingLine {
    /// Milliseconds between two looks at the clock.
    static let pace: Int32 = 250

    private let console: Console
    private let start = Machine.monotonic()
    private var isShown = false
    /// What is done, as "asking gpt-5 via openai".
    private var words: String
    /// When a pause ends.
    private var pauseEnd: UInt64?

    init(_ console: Console, _ words: String) {
        self.console = console
        self.words = words
    }

    /// Something else is done now.
    func say(_ words: String) {
        self.words = words
        pauseEnd = nil
    }

    /// A pause begins, of so many milliseconds; nil where nobody knows.
    func pause(_ words: String, milliseconds: Int?) {
        self.words = words
        pauseEnd = milliseconds.map { Machine.monotonic() + UInt64(max(0, $0)) * 1_000_000 }
        show()
    }

    /// Shows the line, with the time as it is now.
    func show() {
        guard console.isOutputTerminal else { return }
        let now = Machine.monotonic()
        let seconds = (now - start) / 1_000_000_000
        var time = " · \(seconds) s"
        if let pauseEnd { time = " · in \((max(pauseEnd, now) - now + 999_999_999) / 1_000_000_000) s" }
        // Of what is too long the words are cut: that the time moves shows that something lives.
        let room = max(1, console.columns - 1 - TextWidth.of(time))
        let line = TextWidth.fitted(Console.harmless(words, keepingLines: false), to: room) + time
        console.write(Array("\r\(console.isColored ? "\u{1B}[K" : "")\(console.styled(line, .dim))".utf8))
        isShown = true
    }

    /// Takes the line away.
    func clear() {
        guard isShown else { return }
        isShown = false
        let blank = console.isColored ? "\u{1B}[K" : String(repeating: " ", count: console.columns - 1) + "\r"
        console.write(Array("\r\(blank)".utf8))
    }
}
