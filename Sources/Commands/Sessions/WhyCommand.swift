internal import Conversation
internal import ConvoClient
internal import JSON
internal import Protocol
internal import Typesetting

extension Command {
    static let why = Command(
        name: "why", summary: "say whether the model saw a message in the last turns, and why not",
        arguments: "TEXT|#N", count: 1...Int.max, options: [.continue, .json, .session],
        details: """
            Finds the newest message of the session that has TEXT, whatever its case, or takes the one with a number, as
            'convo show' has it. Without -s the session that convo used last.
            """
    ) { invocation throws(CommandError) in
        let text = invocation.positionals.joined(separator: " ")
        // What is nothing is in every message.
        if text.isBlank { throw .usage("give words of the message, or its number as in 'convo why #3'") }
        let client = try invocation.connect()
        let session = try invocation.sessionToChange(client)
        let report = try WhyReport(of: text, in: session, client)
        if invocation.has(.json) {
            invocation.console.print(json: report.told)
        } else {
            report.print(on: invocation.console)
        }
        return .success
    }
}

/// Finds messages by their words, newest first, in as many of a session as are read for that.
struct MessageSearch {
    /// Messages that are read at most.
    static let most = 5_000
    /// Further ones that are listed.
    private static let listed = 5

    let client: Client
    let session: Wire.SessionSummary

    /// The message that is meant and some others with the words; whether not all were read.
    func hits(of words: String) throws(CommandError) -> (messages: [Wire.Message], isBounded: Bool) {
        if words.hasPrefix("#"), let number = Int(words.dropFirst()) {
            return ([try MessageChoice(client, session).message(number)], false)
        }
        let wanted = words.lowercased()
        var found: [Wire.Message] = [], read = 0
        try MessagePages(client: client, session: session.id).forEachPage(order: "desc") { page in
            read += page.count
            found += page.filter { $0.searched.lowercased().contains(wanted) }
            return found.count <= MessageSearch.listed && read < MessageSearch.most
        }
        return (Array(found.prefix(MessageSearch.listed + 1)), read >= MessageSearch.most)
    }
}

extension Wire.Message {
    /// All words of it that a model reads: of calls their names and arguments, of results what they gave.
    fileprivate var searched: String {
        let more = parts.compactMap { part -> String? in
            switch part {
            case .toolCall(let call): "\(call.name) \(call.argumentText)"
            case .toolResult(let result): result.text
            case .resource(let uri, let text, _): "\(uri) \(text ?? "")"
            case .resourceLink(let uri, let name, _): "\(uri) \(name)"
            default: nil
            }
        }
        return ([text] + more).joined(separator: "\n")
    }
}

/// What became of a message, for people.
struct WhyReport {
    private let message: Wire.Message
    let told: Method.ContextWhy.Result
    /// Others with the same words.
    private let others: [Wire.Message]

    /// Finds the message that has some words, or a number, and asks for its fate.
    init(of words: String, in session: Wire.SessionSummary, _ client: Client) throws(CommandError) {
        let hits = try MessageSearch(client: client, session: session).hits(of: words)
        guard let found = hits.messages.first else {
            let seen = hits.isBounded ? " in its newest \(Times.number(MessageSearch.most)) messages" : ""
            throw CommandError(
                .notFound, "session '\(session.id)' says '\(TextWidth.fitted(words, to: 40))' nowhere\(seen)")
        }
        message = found
        others = Array(hits.messages.dropFirst())
        told = try client.ask(Method.ContextWhy.self) {
            $0.member("sessionId", session.id)
            $0.member("messageId", found.id)
        }
    }

    func print(on console: Console) {
        let marks = (told.pinned ? " · pinned" : "") + (told.excluded ? " · excluded" : "")
        console.print(
            console.styled("#\(told.seq) \(message.role.name)\(marks)", .bold) + "  "
                + TextWidth.fitted(
                    Console.harmless(message.text, keepingLines: false), to: max(20, console.columns - 30)))
        if told.turns.isEmpty { console.print("no turn was sent with it yet") }
        for turn in told.turns {
            let isSeen = turn.fate == .sent || turn.fate == .pinned
            let mark = console.styled(isSeen ? "●" : "○", isSeen ? .green : .red)
            let asked = [turn.upstream, turn.model].compactMap(\.self).joined(separator: " ")
            console.print(
                "\(mark) turn #\(turn.seq), \(Times.relative(turn.createdAt)): \(words(turn))"
                    + (asked.isEmpty ? "" : console.styled("  \(asked)", .dim)))
        }
        for other in others {
            let text = Console.harmless(other.text, keepingLines: false)
            console.print(
                console.styled(
                    "also #\(other.seq) \(other.role.name): "
                        + TextWidth.fitted(text, to: max(20, console.columns - 24)), .dim))
        }
    }

    /// What is said of files that did not go as such; a receipt says how many, and not which.
    private func files(_ turn: Method.ContextWhy.Result.Turn) -> String {
        let cut = turn.cutByServer ?? false ? ", but the server dropped part of what it was sent" : ""
        guard let count = turn.textsForFiles else { return cut }
        return cut
            + (count == 1
                ? "; for 1 file of the session a text with its name went"
                : "; for \(count) files of the session texts with their names went")
    }

    private func words(_ turn: Method.ContextWhy.Result.Turn) -> String {
        switch turn.fate {
        case .sent: "sent" + files(turn)
        case .pinned: "sent, since it is pinned" + files(turn)
        case .excluded: "excluded"
        case .summarized: "left out, and a summary of it was sent"
        case .leftOut where turn.rule == "summary": "left out: it is older than what the summary tells"
        case .leftOut: "left out by \(Wire.Receipt.cause(of: turn.rule ?? "")) (\(turn.strategy))"
        }
    }
}

extension Wire.Receipt {
    /// The same in one word, for a line of a drawing.
    static func word(for rule: String) -> String {
        switch rule {
        case "anchor": "earlier cut"
        case "cold": "pause"
        case "maxTokens": "tokens"
        case "maxTurns": "turns"
        case "maxMessages": "messages"
        case "maxBytes": "bytes"
        case "overflow": "refused"
        case "summary": "summary"
        case "unpaired": "without its call"
        default: rule
        }
    }

    /// What made a cut, in words.
    static func cause(of rule: String) -> String {
        switch rule {
        case "anchor": "an earlier cut, which stays for a while"
        case "cold": "the pause before this turn: the provider reads all anew anyway"
        case "maxTokens": "the limit of tokens"
        case "maxTurns": "the limit of turns"
        case "maxMessages": "the limit of messages"
        case "maxBytes": "what the provider takes in bytes"
        case "overflow": "the provider, which refused more"
        case "summary": "a summary, which goes in their place"
        case "unpaired": "its own kind: the tool call that it answers did not go"
        case "failed", "refused": "its own end: it \(rule == "failed" ? "failed" : "was refused")"
        default: rule
        }
    }
}
