internal import Conversation
internal import JSON
internal import Posix
internal import Protocol
internal import Typesetting

/// An answer as it streams onto a terminal or into a pipe.
final class AnswerView {
    /// What is shown besides the words.
    struct Settings {
        /// Whether thoughts are shown, and not only said to be there.
        var showsThoughts = false
        /// Where thoughts that are not shown can be read.
        var thoughtsPlace = "'convo show' has it"
        /// Whether there is a line while nothing comes, and one behind the answer.
        var showsProgress = true
    }

    private let console: Console
    private let target: String
    private let settings: Settings
    private let waiting: WaitingLine
    private let painter: MarkdownPainter?
    private var thinkingSince: UInt64?
    /// A thought as it is shown, in lines that end between words.
    private var thought: FlowingText?
    private var isAtLineStart = true
    private var ends = LineEnds()
    /// Who was asked last, as far as that is known.
    private var asked: String
    private let start = Machine.monotonic()
    /// Milliseconds until the first piece came.
    private var firstMs: Int?

    /// `target` is who is asked, as far as that is known.
    init(_ console: Console, target: String, _ settings: Settings = Settings()) {
        self.console = console
        self.target = target
        asked = target
        self.settings = settings
        waiting = WaitingLine(console, target.isEmpty ? "waiting" : "asking \(target)")
        painter = console.drawsMarkdown ? MarkdownPainter(console) : nil
    }

    private var showsProgress: Bool { settings.showsProgress && console.isOutputTerminal }

    func show(_ piece: Prompt.Piece) {
        if console.failure != nil { return }
        switch piece {
        case .tick:
            if firstMs == nil || thinkingSince != nil && !settings.showsThoughts {
                if showsProgress { waiting.show() }
            } else {
                painter?.refresh()
            }
        case .asked(let name):
            asked = target.hasSuffix(name) ? target : name
            if firstMs == nil { waiting.say("asking \(asked)") }
        case .text(let text):
            begin()
            endThought()
            write(text)
        case .thought(let text):
            // Folded they leave the line that says that there are some.
            if thinkingSince == nil || settings.showsThoughts { begin() }
            think(text)
        case .toolCall(let call):
            begin()
            endThought()
            endLine()
            console.print(console.styled(Console.harmless(call.line), .cyan))
        case .notice(let sentence, let pause):
            waiting.clear()
            if console.isErrorTerminal { console.note(sentence) }
            if showsProgress, let pause { waiting.pause("asking again", milliseconds: pause) }
        case .behind(let before):
            let words = Prompt.Piece.words(behind: before)
            waiting.say(words)
            if showsProgress { waiting.show() } else if console.isErrorTerminal { console.note(words) }
        case .leaving: finish()
        case .restart:
            finish()
            console.note("the answer was cut; it begins anew")
        }
    }

    /// Ends the line that the answer left open.
    func finish() {
        ends = LineEnds()
        waiting.clear()
        endThought()
        endLine()
    }

    private func begin() {
        waiting.clear()
        if firstMs == nil { firstMs = Int((Machine.monotonic() - start) / 1_000_000) }
    }

    private func endLine() {
        painter?.finish()
        if painter == nil, !isAtLineStart { console.print("") }
        isAtLineStart = true
    }

    private func write(_ piece: String) {
        let text = console.isOutputTerminal ? ends.add(piece) : piece
        if text.isEmpty { return }
        if let painter { return painter.add(text) }
        console.write(verbatim: text)
        isAtLineStart = text.utf8.reversed().starts(with: [0x0A])
    }

    private func think(_ text: String) {
        guard console.isOutputTerminal else { return }
        if thinkingSince == nil {
            endLine()
            thinkingSince = Machine.monotonic()
            waiting.say(asked.isEmpty ? "thinking" : "\(asked) is thinking")
            if !settings.showsThoughts, showsProgress { waiting.show() }
            if settings.showsThoughts {
                // Where no colour tells them from the answer, words do.
                if console.isColored {
                    console.write(Array("\u{1B}[2m".utf8))
                } else {
                    console.print("── thinks")
                }
            }
        }
        guard settings.showsThoughts else { return }
        var flow = thought ?? FlowingText(width: console.columns - 1)
        console.write(Array(flow.add(Console.harmless(ends.add(text))).utf8))
        isAtLineStart = flow.isAtLineStart
        thought = flow
    }

    private func endThought() {
        guard let since = thinkingSince else { return }
        thinkingSince = nil
        ends = LineEnds()
        if settings.showsThoughts {
            console.write(Array((thought?.finish() ?? "").utf8))
            thought = nil
            console.write(Array(((console.isColored ? "\u{1B}[0m" : "") + (isAtLineStart ? "" : "\n")).utf8))
            isAtLineStart = true
            if !console.isColored { console.print("── says") }
        } else if settings.showsProgress {
            let seconds = (Machine.monotonic() - since) / 1_000_000_000
            let words = "(thought for \(seconds) s; \(settings.thoughtsPlace))"
            for line in TextWidth.wrapped(words, to: console.columns - 1) {
                console.print(console.styled(line, .dim))
            }
        }
    }

    /// How an answer came: by whom, how fast, and what it took; empty where nobody answered.
    func facts(of outcome: Prompt.Outcome) -> [String] {
        guard let extras = outcome.extras, let upstream = extras.upstream else { return [] }
        var facts = [(extras.model.map { "\($0) via " } ?? "") + upstream]
        if extras.cached {
            facts.append("out of the cache")
        } else if let firstMs {
            let all = Int((Machine.monotonic() - start) / 1_000_000)
            facts.append("first word \(seconds(firstMs)), all \(seconds(all))")
        }
        if let input = extras.usage?.inputTokens, !extras.cached {
            let cached =
                extras.usage?.cachedTokens.map { $0 > 0 ? " (\(Times.number($0)) cached)" : "" } ?? ""
            let output = extras.usage?.outputTokens.map { ", \(Times.number($0)) out" } ?? ""
            facts.append("\(Times.number(input)) in\(cached)\(output)")
        }
        if let receipt = extras.receipt?.value {
            if let cost = receipt.cost { facts.append(Money.text(cost)) }
            if receipt.budget > 0 {
                let used = min(100, (receipt.counted ?? receipt.estimate) * 100 / receipt.budget)
                facts.append("window \(used == 0 ? "<1" : "\(used)") %")
            }
        }
        return facts
    }

    private func seconds(_ milliseconds: Int) -> String {
        let tenths = (milliseconds + 50) / 100
        return "\(tenths / 10).\(tenths % 10) s"
    }
}
