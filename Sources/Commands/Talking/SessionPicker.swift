internal import ConvoClient
internal import JSON
internal import LineEditor
internal import Posix
internal import Protocol
internal import Typesetting

/// A list of the newest sessions on a terminal, one of which is chosen by keys; what is typed filters it.
struct SessionPicker {
    /// What came of it.
    enum Choice {
        case session(String)
        /// A new one.
        case new
        case left
        /// By Ctrl-C.
        case interrupted
    }

    private let console: Console
    private let sessions: [Wire.SessionSummary]
    private var filter = ""
    private var row = 0
    /// Lines that stand on the screen.
    private var drawn = 0

    /// Sessions that are looked at.
    private static let most = 500

    init(_ client: Client, _ console: Console) throws(CommandError) {
        self.console = console
        sessions = try client.ask(Method.SessionFind.self) { $0.member("limit", SessionPicker.most) }.sessions
    }

    /// Whether there is nothing to choose.
    var isEmpty: Bool { sessions.isEmpty }

    /// What was typed behind the choice.
    private(set) var typedAhead: [UInt8] = []

    mutating func choose() -> Choice {
        guard let keys = KeyReader() else { return .left }
        defer {
            clear()
            typedAhead = keys.takeRest()
        }
        while true {
            draw()
            switch keys.next() {
            case .text(let character): (filter, row) = (filter + String(character), 0)
            case .erase: (filter, row) = (String(filter.dropLast()), 0)
            case .eraseAll: (filter, row) = ("", 0)
            case .up: row = max(0, row - 1)
            case .down: row = min(found.count, row + 1)
            case .enter: return row == 0 ? .new : .session(found[row - 1].id)
            case .interrupt: return .interrupted
            case .leave, .end: return .left
            case .resized:
                // The terminal has broken the lines as it liked.
                console.write(Array("\u{1B}[2J\u{1B}[H".utf8))
                drawn = 0
            }
        }
    }

    /// Those whose title, ID or tags have all words that were typed.
    private var found: [Wire.SessionSummary] {
        let words = filter.lowercased().split(separator: " ")
        return sessions.filter { session in
            let text = "\(session.title ?? "") \(session.id) \(session.tags.joined(separator: " "))"
                .lowercased()
            return words.allSatisfy { text.contains($0) }
        }
    }

    private mutating func draw() {
        let found = found, width = console.columns - 1
        // A filter that finds something means the first.
        if row == 0, !filter.isEmpty, !found.isEmpty { row = 1 }
        row = min(row, found.count)
        let room = max(1, min(20, console.rows - 3)), first = max(0, row - room)
        var lines = [
            console.styled(fitted("Type to filter; Enter opens, Esc leaves", width), .dim),
            "› " + fitted(filter, width - 2), line("a new session", "", isChosen: row == 0, width),
        ]
        for (index, session) in found.enumerated().dropFirst(first).prefix(room) {
            lines.append(
                line(session.name, Times.relative(session.updatedAt), isChosen: index + 1 == row, width))
        }
        clear()
        console.write(Array(lines.joined(separator: "\r\n").utf8))
        drawn = lines.count
    }

    private func line(_ name: String, _ time: String, isChosen: Bool, _ width: Int) -> String {
        let mark = isChosen ? "▸ " : "  ", end = time.isEmpty || width < 30 ? "" : " " + time
        let text = fitted(name, max(1, width - 2 - TextWidth.of(end)))
        let whole = mark + TextWidth.padded(text, to: max(0, width - 2 - TextWidth.of(end))) + end
        return isChosen ? console.styled(whole, .bold) : whole
    }

    private func fitted(_ text: String, _ width: Int) -> String {
        TextWidth.fitted(Console.harmless(text, keepingLines: false), to: width)
    }

    private mutating func clear() {
        if drawn == 0 { return }
        console.write(Array("\r\(drawn > 1 ? "\u{1B}[\(drawn - 1)A" : "")\u{1B}[J".utf8))
        drawn = 0
    }
}

extension Command {
    /// What `convo` alone does on a terminal.
    static let pick = Command(name: "", summary: "choose a session and go on in it") {
        invocation throws(CommandError) in
        var client = try invocation.connect()
        var picker = try SessionPicker(client, invocation.console)
        guard !picker.isEmpty else { return try Command.chat.run(invocation) }
        let choice = picker.choose()
        if case .left = choice { return .success }
        if case .interrupted = choice { return .cancelled }
        // The daemon may have gone while somebody looked.
        if (try? client.identity()) == nil { client = try invocation.connect() }
        let found = try client.info()
        invocation.warn(about: found)
        let info = try invocation.offeringSetup(found, &client)
        let chat = try Chat(client, info, invocation, typedAhead: picker.typedAhead)
        if case .session(let id) = choice { chat.resume(id) }
        return try chat.talk()
    }
}
