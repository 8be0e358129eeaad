internal import Conversation
internal import ConvoClient
internal import JSON
internal import Protocol
internal import Typesetting

extension Option {
    fileprivate static let number = Option(
        short: "n", long: "number", value: "N", help: "draw only the newest N messages (default 200)")
    fileprivate static let turn = Option(
        long: "turn", value: "TURN",
        help: "as it was for a past turn: the number of its prompt or answer, or its ID")
}

extension Command {
    static let context = Command(
        name: "context", summary: "draw what of a session the model would see, and why", arguments: "[ID]",
        count: 0...1,
        options: [.continue, .json, .model, .number, .session, .turn, .upstream],
        details: """
            Without an ID the session that convo used last. A bar for each message: ● goes to the model, ○ is left
            out, with the reason behind it; a summary stands before what it is behind; the bar at the end is the budget: # what is always in, = turns, · free.
            --json prints the receipt and the messages as they would be sent.
            """
    ) { invocation throws(CommandError) in
        let number = try invocation.arguments.number(.number) ?? 200
        let client = try invocation.connect()
        let session = try SessionChoice(client: client, console: invocation.console).session(
            named: invocation.sessionName())
        let drawing = ContextDrawing(
            client: client, session: session.id, number: number, model: invocation.value(.model),
            upstream: invocation.value(.upstream))
        if let turn = invocation.value(.turn) {
            if invocation.has(.model) || invocation.has(.upstream) {
                throw .usage("--turn is about what was sent; -m and -u ask what would be")
            }
            try drawing.print(turn: turn, of: session, on: invocation)
        } else {
            try drawing.print(on: invocation)
        }
        return .success
    }
}

/// The window of a session, drawn.
struct ContextDrawing {
    let client: Client
    let session: String
    var number = 200
    /// Who would be asked in place of the session's own.
    var model: String?
    var upstream: String?

    /// Cells of a message's bar: few where there is little room.
    private func barWidth(_ console: Console) -> Int {
        console.columns < 50 ? 0 : console.columns < 72 ? 6 : 20
    }

    func print(on invocation: Invocation) throws(CommandError) {
        let console = invocation.console
        if invocation.has(.json) {
            return console.print(
                json: try client.ask(Method.ContextBuild.self) {
                    $0.member("sessionId", session)
                    $0.optional("model", model)
                    $0.optional("upstream", upstream)
                })
        }
        let next = try NextWindow(of: session, model: model, upstream: upstream, client)
        let messages = try MessagePages(client: client, session: session).newest(max(1, number))
        draw(messages, system: next.system, next.receipt, console)
        if let cost = next.cost { console.print(sentences: cost.inWords) }
    }

    /// The window of a turn that was, by its receipt.
    func print(turn name: String, of summary: Wire.SessionSummary, on invocation: Invocation)
        throws(CommandError)
    {
        var id = name
        if let number = Int(name.hasPrefix("#") ? String(name.dropFirst()) : name) {
            guard let turn = try MessageChoice(client, summary).message(number).turnId else {
                throw CommandError(
                    .notFound, "message \(number) belongs to no turn: it was added, and nobody was asked")
            }
            id = turn.description
        }
        let told = try client.ask(Method.ContextReceipt.self) { $0.member("turnId", id) }
        if invocation.has(.json) { return invocation.console.print(json: told) }
        guard let receipt = told.receipt?.value else {
            throw CommandError(.notFound, "nothing was sent for this turn")
        }
        let before = try messages(before: told.turnId)
        guard let before else {
            throw CommandError(
                .notFound,
                "this turn is not on the active path of session '\(summary.id)'; 'convo branches' shows the others"
            )
        }
        draw(receipt.marked(before), system: nil, receipt, invocation.console)
        let asked = [told.upstream, told.model].compactMap(\.self).joined(separator: " ")
        if let counted = receipt.counted {
            let read = receipt.cache?.read.map { ", \(Times.number($0)) of them out of its cache" } ?? ""
            invocation.console.print(sentences: "\(asked) counted \(Times.number(counted)) tokens\(read)")
        }
        if receipt.cutByServer ?? false {
            invocation.console.print(sentences: "the server dropped part of that without a word")
        }
        if let reason = receipt.cache?.missReason {
            invocation.console.print(sentences: "its cache had less than it might have: \(words(reason))")
        }
        for one in receipt.transformations ?? [] {
            invocation.console.print(
                sentences:
                    "it says of \(Times.count(one.count, "part")) of the request: \(words(one.type)), \(words(one.reason))"
            )
        }
    }

    /// The last `number` messages that a turn had before its answer, its prompt among them; nil where it is not on the path.
    private func messages(before turn: TurnID) throws(CommandError) -> [Wire.Message]? {
        var found: [Wire.Message] = [], isThere = false
        // What came after it was not there.
        try MessagePages(client: client, session: session).forEachPage(order: "desc") { page in
            for message in page {
                let isOwn = message.turnId == turn
                isThere = isThere || isOwn
                let isBefore = isThere && !(isOwn && message.role == .assistant)
                if isBefore, found.count < max(1, number) { found.append(message) }
            }
            return found.count < max(1, number)
        }
        return isThere ? found.reversed() : nil
    }

    /// A provider's own word, as people read it.
    private func words(_ name: String) -> String {
        Console.harmless(name, keepingLines: false).replacing("_", with: " ")
    }

    private func draw(
        _ messages: [Wire.Message], system: String?, _ receipt: Wire.Receipt, _ console: Console
    ) {
        let most = max(1, messages.map(\.tokens).max() ?? 1)
        if let system {
            console.print(
                "\(console.styled("●", .green))    system prompt  \(preview(system, console, after: 21))")
        }
        if let first = messages.first?.seq, first > 1 {
            console.print(
                console.styled(
                    "…    \(Times.count(first - 1, "older message")) not drawn; -n shows more", .dim))
        }
        if let summary = receipt.summary {
            let words = "summary of messages \(summary.from) to \(summary.to)"
            console.print(
                "\(console.styled("●", .green))    \(words), \(Times.number(summary.tokens)) tokens")
        }
        for message in messages { console.print(line(message, receipt, most, console)) }
        console.print("")
        console.print(budget(receipt, messages, console))
        console.print(sentences: receipt.inWords)
    }

    /// The budget as one bar: what is always in, the turns, and what is free.
    private func budget(_ receipt: Wire.Receipt, _ messages: [Wire.Message], _ console: Console) -> String {
        let width = min(60, max(10, console.columns - 4))
        // Messages have other tokens than the model's: only their shares count here.
        var turns = 0.0, all = 0.0
        for message in messages where receipt.reason(against: message) == nil {
            all += Double(message.tokens)
            if receipt.isInSuffix(message.seq) && !message.pinned { turns += Double(message.tokens) }
        }
        let share = all > 0 ? turns / all : 0
        func cells(_ tokens: Int) -> Int {
            receipt.budget > 0 ? min(width, Int(Double(tokens) * Double(width) / Double(receipt.budget))) : 0
        }
        let used = max(receipt.estimate > 0 ? 1 : 0, cells(receipt.estimate))
        let told = receipt.estimate - (receipt.summary?.tokens ?? 0)
        let moving = min(used, cells(Int(Double(told) * share)))
        return "[" + console.styled(String(repeating: "#", count: used - moving), .yellow)
            + console.styled(String(repeating: "=", count: moving), .green)
            + console.styled(String(repeating: "·", count: width - used), .dim) + "]"
    }

    private func line(
        _ message: Wire.Message, _ receipt: Wire.Receipt, _ most: Int, _ console: Console
    ) -> String {
        let reason = receipt.reason(against: message)
        let mark = reason == nil ? console.styled("●", .green) : console.styled("○", .red)
        let width = barWidth(console)
        let bar = TextWidth.padded(ContextDrawing.bar(message.tokens, of: most, width), to: width)
        let seq = TextWidth.padded("\(message.seq)", to: 4, isRight: true)
        let role = TextWidth.padded(message.role.name, to: 9)
        let tokens = TextWidth.padded(Times.number(message.tokens), to: 7, isRight: true)
        // The mark says that it is left out.
        let short = width == 0 ? reason?.replacing("left out ", with: "") : reason
        let facts = ((message.pinned ? ["pinned"] : []) + (short.map { [$0] } ?? [])).joined(separator: " · ")
        let used = 27 + width + (facts.isEmpty ? 0 : facts.count + 3)
        let text = preview(message.text, console, after: used)
        return "\(mark) \(seq) \(role) \(tokens) \(console.styled(bar, reason == nil ? .green : .dim)) "
            + console.styled(facts, .yellow) + (facts.isEmpty || text.isEmpty ? "" : " · ") + text
    }

    private static func bar(_ tokens: Int, of most: Int, _ width: Int) -> String {
        if width == 0 { return "" }
        return TextWidth.bar(eighths: max(1, tokens * width * 8 / most))
    }

    private func preview(_ text: String, _ console: Console, after used: Int) -> String {
        let line = Console.harmless(String(text.prefix(200)), keepingLines: false)
        // A few letters say nothing.
        return console.columns - used < 8 ? "" : TextWidth.fitted(line, to: console.columns - used)
    }
}

/// What a session's next prompt would be sent behind.
struct NextWindow {
    private(set) var receipt: Wire.Receipt
    let system: String?
    let cost: Wire.CostEstimate?

    /// Where the newest turn alone is too large to be answered anew, a prompt of one word stands for the next: it leaves that
    /// turn out as any other would.
    init(of session: String, model: String? = nil, upstream: String? = nil, _ client: Client)
        throws(CommandError)
    {
        func build(behind prompt: String?) throws(ClientError) -> Method.ContextBuild.Result {
            let params = JSONWriter.object {
                $0.member("sessionId", session)
                $0.optional("model", model)
                $0.optional("upstream", upstream)
                guard let prompt else { return }
                $0.key("prompt")
                $0.array {
                    $0.object {
                        $0.member("type", "text")
                        $0.member("text", prompt)
                    }
                }
            }
            return try client.call(Method.ContextBuild.self, params)
        }
        var built: Method.ContextBuild.Result
        var hasPrompt = false
        do throws(ClientError) {
            do throws(ClientError) {
                built = try build(behind: nil)
                // A summary of all that was said stands before the next prompt, and before nothing else.
                if built.receipt.value?.summary == nil, try NextWindow.endsWithSummary(session, client) {
                    built = try build(behind: "…")
                    hasPrompt = true
                }
            } catch {
                guard case .remote(let remote) = error.code,
                    remote.kind == ErrorKind.contextOverflow.rawValue
                else { throw error }
                built = try build(behind: "…")
                hasPrompt = true
            }
        } catch { throw CommandError(error) }
        guard let receipt = built.receipt.value else {
            throw CommandError(
                .failure,
                "cannot read the receipt that the daemon sent; convo and convod may be of different versions")
        }
        self.receipt = receipt
        if hasPrompt { self.receipt.sentMessages -= 1 }
        (system, cost) = (built.system, built.cost)
    }
}

extension NextWindow {
    /// Whether a summary reaches to the end of a session.
    private static func endsWithSummary(_ session: String, _ client: Client) throws(ClientError) -> Bool {
        let params = JSONWriter.object { $0.member("sessionId", session) }
        let summaries = try client.call(Method.SummaryList.self, params).summaries
        guard let last = summaries.filter({ $0.text != nil }).map(\.to).max() else { return false }
        return try client.call(Method.SessionGet.self, params).summary.messageCount == last
    }
}

extension Wire.CostEstimate {
    /// For a person, in one line.
    var inWords: String {
        let cached = cachedInput.map { ", \(Money.text($0)) out of the cache" } ?? ""
        return "about \(Money.text(input)) to send\(cached); an answer at most \(Money.text(output))"
    }
}

extension Wire.Receipt {
    /// Messages with the marks that they had when it was made, as far as it lists them.
    fileprivate func marked(_ messages: [Wire.Message]) -> [Wire.Message] {
        // Of those that it only counts that one holds which is marked now.
        func had(_ seq: Int, _ listed: [Int]?, of count: Int, _ now: Bool) -> Bool {
            let listed = listed ?? []
            return listed.contains(seq) || now && listed.count < count
        }
        return messages.map { message in
            var message = message
            message.pinned = had(message.seq, pinned, of: pinnedMessages, message.pinned)
            message.excluded = had(message.seq, excluded, of: excludedMessages, message.excluded)
            return message
        }
    }

    /// Why a message does not go to the model, nil when it does.
    fileprivate func reason(against message: Wire.Message) -> String? {
        let (fate, rule) = fate(
            of: message.seq, message.status, pinned: message.pinned, excluded: message.excluded)
        return switch fate {
        case .sent, .pinned: nil
        case .excluded: message.deleted == true ? "redacted" : "excluded"
        case .summarized: "summarized"
        case .leftOut where !message.status.isSent: message.status.name
        case .leftOut: "left out (\(Wire.Receipt.word(for: rule ?? "")))"
        }
    }

    /// Whether a number is one of the newest messages that were sent.
    fileprivate func isInSuffix(_ seq: Int) -> Bool {
        guard let sent, sent.count == 2 else { return false }
        return sent[0] <= seq && seq <= sent[1]
    }

    fileprivate var inWords: String {
        let all = sentMessages + leftOutMessages
        let share = budget > 0 ? " (\(estimate * 100 / budget)%)" : ""
        var text =
            "\(Times.number(sentMessages)) of \(Times.count(all, "message")) \(all == 1 ? "goes" : "go") to the model: about "
        text += "\(Times.number(estimate)) of \(Times.number(budget)) tokens\(share)"
        if leftOutMessages > 0 {
            text += "\n\(Times.number(leftOutMessages)) left out, about \(Times.number(leftOutTokens)) tokens"
            if rule != "fits" { text += "; what is left out was left out by \(Wire.Receipt.cause(of: rule))" }
        } else {
            text += "; everything fits"
        }
        if let summary, summarizedMessages > 0 {
            text +=
                "\n\(Times.number(summarizedMessages)) of them are told by a summary of \(Times.number(summary.tokens)) tokens"
        }
        if let thoughts, thoughts.leftOut > 0 {
            let cause =
                switch thoughts.reason {
                case "foreign": ": another provider made them"
                case "changed": ": they are bound to what does not stand before them any more"
                case "both":
                    ": another provider's, bound to what does not stand before them any more, or without room"
                case "full": ": there is no room for the oldest"
                default: ""
                }
            text += "\n\(Times.count(thoughts.leftOut, "thought")) stay out\(cause)"
        }
        let why = strategy.why.isEmpty ? "" : ", since \(strategy.why)"
        return text + "\nstrategy \(strategy.chosen)\(why)"
    }
}
