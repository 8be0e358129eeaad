internal import ConvoClient
internal import JSON
internal import Protocol

extension Option {
    fileprivate static let number = Option(
        short: "n", long: "number", value: "N", help: "draw only the newest N messages (default 200)")
}

extension Command {
    static let context = Command(
        name: "context", summary: "draw what of a session the model would see, and why", arguments: "[ID]",
        count: 0...1,
        options: [.continue, .json, .model, .number, .session, .upstream],
        details: """
            Without an ID the latest session that convo made. A bar for each message: ● goes to the model, ○ is left
            out, with the reason behind it. --json prints the receipt and the messages as they would be sent.
            """
    ) { invocation throws(CommandError) in
        let number = try invocation.arguments.number(.number) ?? 200
        let client = try invocation.connect()
        let session = try SessionChoice(client: client).session(named: invocation.sessionName)
        try ContextDrawing(client: client, session: session.id, number: number).print(on: invocation)
        return .success
    }
}

/// The window of a session, drawn.
struct ContextDrawing {
    let client: Client
    let session: String
    var number = 200

    private static let bar = 20

    func print(on invocation: Invocation) throws(CommandError) {
        let console = invocation.console
        let built = try client.ask(.contextBuild) {
            $0.member("sessionId", session)
            $0.optional("model", invocation.value(.model))
            $0.optional("upstream", invocation.value(.upstream))
        }
        if invocation.has(.json) { return console.print(json: built) }
        let receipt = Receipt(built["receipt"] ?? built)
        let messages = try MessagePages(client: client, session: session).newest(max(1, number))
        let most = max(1, messages.map(\.tokens).max() ?? 1)
        if let system = built["system"]?.string {
            console.print(
                "\(console.styled("●", .green))    system prompt  \(preview(system, console, after: 21))")
        }
        if let first = messages.first?.seq, first > 1 {
            console.print(
                console.styled(
                    "…    \(Times.count(first - 1, "older message")) not drawn; -n shows more", .dim))
        }
        for message in messages { console.print(line(message, receipt, most, console)) }
        console.print("")
        console.print(receipt.summary)
    }

    private func line(_ message: JSONView, _ receipt: Receipt, _ most: Int, _ console: Console) -> String {
        let reason = receipt.reason(against: message)
        let mark = reason == nil ? console.styled("●", .green) : console.styled("○", .red)
        let bar = TextWidth.padded(ContextDrawing.bar(message.tokens, of: most), to: ContextDrawing.bar)
        let seq = TextWidth.padded("\(message.seq)", to: 4, isRight: true)
        let role = TextWidth.padded(message["role"]?.string ?? "", to: 9)
        let tokens = TextWidth.padded(Times.number(message.tokens), to: 7, isRight: true)
        let pin = message["pinned"]?.bool == true ? "pinned · " : ""
        let why = reason.map { "\($0) · " } ?? ""
        return "\(mark) \(seq) \(role) \(tokens) \(console.styled(bar, reason == nil ? .green : .dim)) "
            + console.styled(pin + why, .yellow)
            + preview(message.messageText, console, after: 47 + (pin + why).count)
    }

    private static func bar(_ tokens: Int, of most: Int) -> String {
        let eighths = max(1, tokens * bar * 8 / most)
        let tail = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8]
        return String(repeating: "█", count: eighths / 8) + tail
    }

    private func preview(_ text: String, _ console: Console, after used: Int) -> String {
        let line = Console.harmless(String(text.prefix(200)), keepingLines: false)
        return TextWidth.fitted(line, to: max(20, console.columns - used))
    }
}

/// The receipt of a window, as it came over the wire.
private struct Receipt {
    private let view: JSONView
    private let sent: ClosedRange<Int>?
    private let pinned: Set<Int>
    private let excluded: Set<Int>

    init(_ view: JSONView) {
        self.view = view
        let ends = view["sent"]?.elements.compactMap(\.int) ?? []
        sent = ends.count == 2 && ends[0] <= ends[1] ? ends[0]...ends[1] : nil
        pinned = Set(view["pinned"]?.elements.compactMap(\.int) ?? [])
        excluded = Set(view["excluded"]?.elements.compactMap(\.int) ?? [])
    }

    /// Why a message does not go to the model, nil when it does.
    func reason(against message: JSONView) -> String? {
        if message["excluded"]?.bool == true || excluded.contains(message.seq) { return "excluded" }
        let status = message["status"]?.string ?? "complete"
        if status == "refused" || status == "failed" || status == "streaming" { return status }
        if pinned.contains(message.seq) || sent?.contains(message.seq) == true
            || message["pinned"]?.bool == true
        {
            return nil
        }
        return "left out by \(view["rule"]?.string ?? "the window")"
    }

    var summary: String {
        func number(_ name: String) -> Int { view[name]?.int ?? 0 }
        let all = number("sentMessages") + number("leftOutMessages")
        let share = number("budget") > 0 ? " (\(number("estimate") * 100 / number("budget"))%)" : ""
        var text =
            "\(Times.number(number("sentMessages"))) of \(Times.count(all, "message")) go to the model: about "
        text += "\(Times.number(number("estimate"))) of \(Times.number(number("budget"))) tokens\(share), "
        text += "strategy \(view["strategy"]?.string ?? "?")"
        guard number("leftOutMessages") > 0 else { return text + "; everything fits" }
        text +=
            "\n\(Times.number(number("leftOutMessages"))) left out, about \(Times.number(number("leftOutTokens"))) tokens"
        if let rule = view["rule"]?.string, rule != "fits" { text += "; the cut was made by \(rule)" }
        return text
    }
}

extension JSONView {
    fileprivate var seq: Int { self["seq"]?.int ?? 0 }
    fileprivate var tokens: Int { self["tokens"]?.int ?? 0 }
}
