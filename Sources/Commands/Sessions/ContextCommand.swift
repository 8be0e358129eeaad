internal import Conversation
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
        let built = try client.ask(Method.ContextBuild.self) {
            $0.member("sessionId", session)
            $0.optional("model", invocation.value(.model))
            $0.optional("upstream", invocation.value(.upstream))
        }
        if invocation.has(.json) { return console.print(json: built) }
        guard let receipt = built.receipt.value else {
            throw CommandError(
                .failure,
                "cannot read the receipt that the daemon sent; convo and convod may be of different versions")
        }
        let messages = try MessagePages(client: client, session: session).newest(max(1, number))
        let most = max(1, messages.map(\.tokens).max() ?? 1)
        if let system = built.system {
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

    private func line(
        _ message: Wire.Message, _ receipt: Wire.Receipt, _ most: Int, _ console: Console
    ) -> String {
        let reason = receipt.reason(against: message)
        let mark = reason == nil ? console.styled("●", .green) : console.styled("○", .red)
        let bar = TextWidth.padded(ContextDrawing.bar(message.tokens, of: most), to: ContextDrawing.bar)
        let seq = TextWidth.padded("\(message.seq)", to: 4, isRight: true)
        let role = TextWidth.padded(message.role.name, to: 9)
        let tokens = TextWidth.padded(Times.number(message.tokens), to: 7, isRight: true)
        let pin = message.pinned ? "pinned · " : ""
        let why = reason.map { "\($0) · " } ?? ""
        return "\(mark) \(seq) \(role) \(tokens) \(console.styled(bar, reason == nil ? .green : .dim)) "
            + console.styled(pin + why, .yellow)
            + preview(message.text, console, after: 47 + (pin + why).count)
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

extension Wire.Receipt {
    /// Why a message does not go to the model, nil when it does.
    fileprivate func reason(against message: Wire.Message) -> String? {
        if message.excluded || excluded?.contains(message.seq) == true { return "excluded" }
        if !message.status.isSent { return message.status.name }
        if message.pinned || pinned?.contains(message.seq) == true || isInSuffix(message.seq) { return nil }
        return "left out by \(cause)"
    }

    /// What made the cut, in words.
    private var cause: String {
        switch rule {
        case "anchor": "an earlier turn, and stays for a while"
        case "cold": "the pause before this turn: the provider reads all anew anyway"
        default: rule
        }
    }

    /// Whether a number is one of the newest messages that were sent.
    private func isInSuffix(_ seq: Int) -> Bool {
        guard let sent, sent.count == 2 else { return false }
        return sent[0] <= seq && seq <= sent[1]
    }

    fileprivate var summary: String {
        let all = sentMessages + leftOutMessages
        let share = budget > 0 ? " (\(estimate * 100 / budget)%)" : ""
        var text = "\(Times.number(sentMessages)) of \(Times.count(all, "message")) go to the model: about "
        text += "\(Times.number(estimate)) of \(Times.number(budget)) tokens\(share)"
        if leftOutMessages > 0 {
            text += "\n\(Times.number(leftOutMessages)) left out, about \(Times.number(leftOutTokens)) tokens"
            if rule != "fits" { text += "; the cut was made by \(cause)" }
        } else {
            text += "; everything fits"
        }
        let why = strategy.why.isEmpty ? "" : ", since \(strategy.why)"
        return text + "\nstrategy \(strategy.chosen)\(why)"
    }
}
