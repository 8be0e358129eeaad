internal import Conversation
internal import ConvoClient
internal import JSON
internal import Protocol
internal import Search
internal import Typesetting

extension Option {
    fileprivate static let archived = Option(long: "archived", help: "archived sessions instead")
    fileprivate static let around = Option(
        short: "C", long: "around", value: "N", help: "with N messages before and behind each, at most 5")
    fileprivate static let branches = Option(
        long: "branches", help: "messages that were edited or answered anew too")
    fileprivate static let number = Option(
        short: "n", long: "number", value: "N", help: "at most N (default 20, 0 for all)")
    fileprivate static let rank = Option(long: "rank", help: "what fits best first, of the newest 2,000")
    fileprivate static let role = Option(
        long: "role", value: "ROLE", help: "only of system, user, assistant or tool")
    fileprivate static let searchedModel = Option(
        short: "m", long: "model", value: "MODEL", help: "only of turns that this model answered")
    fileprivate static let searchedUpstream = Option(
        short: "u", long: "upstream", value: "NAME", help: "only of turns that this upstream answered")
    fileprivate static let tag = Option(long: "tag", value: "TAG", help: "only in sessions with this tag")
    fileprivate static let titles = Option(long: "titles", help: "search the titles of sessions")
    fileprivate static let trashed = Option(long: "trashed", help: "sessions in the trash instead")
    fileprivate static let until = Option(
        long: "until", value: "TIME", help: "before then, as 30m, 8h, 1d or 2026-11-25")
}

extension Command {
    static let search = Command(
        name: "search", summary: "find messages by what they say", arguments: "TEXT...", count: 1...Int.max,
        options: [
            .archived, .around, .branches, .json, .jsonl, .number, .rank, .role, .searchedModel,
            .searchedUpstream, .session, .since, .tag, .titles, .trashed, .until,
        ],
        details: """
            All words must be there, within others too; "several words" is a phrase, -word must not be there, OR stands
            between alternatives; everything else is meant as it is written, whatever the case and the width of letters.
            The shell takes quotation marks away: convo search '"to be or"'. A query that begins with '-' stands behind
            '--'. The newest come first; 'convo show ID --at N' opens a message where it stands. Into a pipe go lines,
            TAB-separated: session, number, message ID, role, time, text.
            """
    ) { invocation throws(CommandError) in
        let number = try invocation.arguments.number(.number) ?? 20
        let around = try invocation.arguments.number(.around) ?? 0
        guard (0...Method.Search.mostAround).contains(around) else {
            throw .usage("-C takes a number from 0 to \(Method.Search.mostAround), not '\(around)'")
        }
        if let role = invocation.value(.role), Message.Role(name: role) == nil {
            throw .usage("--role is system, user, assistant or tool, not '\(role)'")
        }
        let words = invocation.positionals.joined(separator: " ")
        do throws(SearchQueryError) { _ = try SearchQuery(words) } catch {
            throw .usage("'\(words.prefix(60))' cannot be searched for: \(error.reason)")
        }
        let (since, until) = (try invocation.since(), try invocation.time(.until))
        let client = try invocation.connect()
        let session = try invocation.value(.session).map { name throws(CommandError) in
            try SessionChoice(client: client).session(named: name)
        }
        let model = try invocation.model(.searchedModel)
        var printer = HitPrinter(invocation, client)
        var cursor: String?
        let most = number == 0 ? Int.max : number
        repeat {
            let page = try client.ask(Method.Search.self) {
                $0.member("query", words)
                if invocation.has(.titles) { $0.member("in", "titles") }
                $0.optional("sessionId", session?.id)
                $0.optional("role", invocation.value(.role))
                if let since { $0.member("from", Timestamp.text(since)) }
                if let until { $0.member("to", Timestamp.text(until)) }
                $0.optional("tag", invocation.value(.tag))
                $0.optional("upstream", invocation.value(.searchedUpstream))
                $0.optional("model", model)
                if invocation.has(.archived) { $0.member("archived", true) }
                if invocation.has(.trashed) { $0.member("trashed", true) }
                if invocation.has(.branches) { $0.member("branches", "all") }
                if invocation.has(.rank) { $0.member("order", "rank") }
                if around > 0 { $0.member("around", around) }
                $0.member("limit", min(200, most - printer.count))
                $0.optional("cursor", cursor)
            }
            try printer.take(page.hits)
            if page.approximate == true, cursor == nil {
                invocation.console.note(
                    "there are more than 2,000: the newest of them are put in order by how they fit")
            }
            cursor = page.nextCursor
        } while cursor != nil && printer.count < most && invocation.console.failure == nil
        printer.finish(isMore: cursor != nil)
        return .success
    }
}

/// Prints what was found.
private struct HitPrinter {
    typealias Hit = Method.Search.Hit

    private let console: Console
    private let client: Client
    /// The numbers that people see of branches, by session.
    private var numbers: [String: [Int: Int]] = [:]
    private let format: Format
    private var all: [Hit] = []
    private var last: SessionID?
    private(set) var count = 0

    private enum Format { case json, jsonl, table, people }

    init(_ invocation: Invocation, _ client: Client) {
        console = invocation.console
        self.client = client
        format =
            invocation.has(.jsonl)
            ? .jsonl : invocation.has(.json) ? .json : console.isOutputTerminal ? .people : .table
    }

    mutating func take(_ hits: [Hit]) throws(CommandError) {
        count += hits.count
        switch format {
        case .json: all += hits
        case .jsonl: for hit in hits { console.print(record: hit) }
        case .table: for hit in hits { console.print(HitPrinter.line(hit)) }
        case .people: for hit in hits { try print(hit) }
        }
    }

    func finish(isMore: Bool) {
        if case .json = format { console.print(json: all) }
        if count == 0, console.isOutputTerminal { console.note("nothing was found") }
        if isMore { console.note("there may be more; -n 0 shows all") }
    }

    /// One line for a script.
    private static func line(_ hit: Hit) -> String {
        let text = hit.snippet.map(\.text).joined().map { $0.isNewline || $0 == "\t" ? " " : $0 }
        return [
            hit.sessionId.text, hit.seq.map { String($0) } ?? "", hit.messageId?.description ?? "",
            hit.role?.name ?? "", hit.createdAt.text, String(text),
        ].joined(separator: "\t")
    }

    /// A heading where the session is another one, and the text around the hit below.
    private mutating func print(_ hit: Hit) throws(CommandError) {
        if last != hit.sessionId {
            if last != nil { console.print("") }
            let title = hit.title.map { Console.harmless($0, keepingLines: false) }
            let id = hit.sessionId.text
            let room = console.columns - TextWidth.of(id) - 2
            if let title, room < 8 {
                // Beside an ID so long there is no room for a title.
                console.print(console.styled(TextWidth.fitted(title, to: console.columns - 1), .bold))
                console.print(console.styled(id, .dim))
            } else if let title {
                console.print(
                    console.styled(TextWidth.fitted(title, to: room), .bold) + "  "
                        + console.styled(id, .dim))
            } else {
                console.print(console.styled(id, .bold))
            }
        }
        last = hit.sessionId
        guard let seq = hit.seq, let role = hit.role else { return }
        for neighbour in hit.before ?? [] { print(neighbour) }
        let beside = hit.active == false ? " · not on the path\(try advice(hit, seq))" : ""
        let place = "  #\(seq) \(role.name) · \(Times.relative(hit.createdAt))\(beside)"
        console.print(console.styled(place, .dim))
        let width = max(10, console.columns - 4)
        for line in HitPrinter.lines(hit.snippet, width) {
            console.print(
                "    "
                    + line.map { piece in
                        if !piece.hit { return piece.text }
                        return console.isColored ? console.styled(piece.text, .yellow) : "[\(piece.text)]"
                    }.joined())
        }
        for neighbour in hit.after ?? [] { print(neighbour) }
    }

    /// How a hit beside the path is looked at.
    private mutating func advice(_ hit: Hit, _ seq: Int) throws(CommandError) -> String {
        let id = hit.sessionId.text
        let known = if let known = numbers[id] { known } else { try BranchTree(client, id).numbers() }
        numbers[id] = known
        guard let number = hit.branch.flatMap({ known[$0] }) else { return "" }
        return "; convo show \(id) --branch \(number) --at \(seq)"
    }

    private func print(_ neighbour: Method.Search.Neighbour) {
        let text = HitPrinter.flat(neighbour.text)
        let line = TextWidth.fitted("    \(neighbour.role.name): \(text)", to: max(10, console.columns))
        console.print(console.styled(line, .dim))
    }

    /// Text in one line, with nothing in it that could steer a terminal.
    private static func flat(_ text: String) -> String {
        var out = ""
        for character in Console.harmless(text, keepingLines: false) {
            if !character.isWhitespace { out.append(character) } else if out.last != " " { out.append(" ") }
        }
        return out
    }

    /// The pieces of a text in lines of a width, broken at spaces where there are any.
    private static func lines(_ pieces: [Method.Search.Piece], _ width: Int) -> [[Method.Search.Piece]] {
        let marked = pieces.flatMap { piece in flat(piece.text).map { ($0, piece.hit) } }
        var lines: [[(Character, Bool)]] = [[]], used = 0
        for (character, isHit) in marked {
            let line = lines.count - 1
            if character == " ", lines[line].isEmpty || lines[line].last?.0 == " " { continue }
            let wide = TextWidth.of(String(character))
            if used + wide > width {
                let space = lines[line].lastIndex { $0.0 == " " }
                let rest = space.map { Array(lines[line][($0 + 1)...]) } ?? []
                if let space { lines[line].removeSubrange(space...) }
                lines.append(character == " " && rest.isEmpty ? [] : rest)
                used = rest.reduce(0) { $0 + TextWidth.of(String($1.0)) }
                if character == " ", rest.isEmpty { continue }
            }
            lines[lines.count - 1].append((character, isHit))
            used += wide
        }
        return lines.filter { !$0.isEmpty }.map { line in
            line.reduce(into: []) { pieces, next in
                if let last = pieces.last, last.hit == next.1 {
                    pieces[pieces.count - 1].text.append(next.0)
                } else {
                    pieces.append(Method.Search.Piece(text: String(next.0), hit: next.1))
                }
            }
        }
    }
}
