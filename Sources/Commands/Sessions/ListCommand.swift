internal import Conversation
internal import ConvoClient
internal import JSON
internal import Posix
internal import Protocol
internal import Typesetting

extension Option {
    fileprivate static let archived = Option(long: "archived", help: "archived sessions instead")
    fileprivate static let number = Option(
        short: "n", long: "number", value: "N", help: "at most N sessions, 0 for all")
    fileprivate static let query = Option(
        long: "query", value: "TEXT", help: "only those with this text in the title")
    fileprivate static let cwd = Option(long: "cwd", value: "DIR", help: "only those of this directory")
    fileprivate static let empty = Option(long: "empty", help: "sessions without messages too")
    fileprivate static let listedModel = Option(
        short: "m", long: "model", value: "MODEL", help: "only those that name this model")
    fileprivate static let listedUpstream = Option(
        short: "u", long: "upstream", value: "NAME", help: "only those that name this upstream")
    fileprivate static let oldest = Option(
        long: "oldest", help: "the other way round: those that changed longest ago first")
    fileprivate static let owner = Option(
        long: "owner", value: "UID", help: "those of this user, or of 'all', for administrators")
    fileprivate static let sort = Option(
        long: "sort", value: "KEY", help: "by 'changed', 'created', 'messages' or 'title'")
    fileprivate static let tag = Option(long: "tag", value: "TAG", help: "only those with this tag")
    fileprivate static let until = Option(
        long: "until", value: "TIME", help: "last changed before then, as 30m, 8h, 1d or 2026-11-25")
    fileprivate static let trashed = Option(long: "trashed", help: "sessions in the trash instead")
}

extension Command {
    static let list = Command(
        name: "ls", summary: "list sessions, newest first",
        options: [
            .archived, .cwd, .empty, .json, .jsonl, .listedModel, .listedUpstream, .number, .oldest, .owner,
            .query,
            .since, .sort, .tag, .trashed, .until,
        ],
        details: """
            On a terminal the newest 50 are shown; into a pipe go all of them, one a line, TAB-separated:
            ID, title, messages, time of the last change. Sorted by title they come from the first letter on,
            otherwise the newest or longest first; --oldest turns the order round.
            """
    ) { invocation throws(CommandError) in
        let limit = try invocation.arguments.number(.number) ?? (invocation.console.isOutputTerminal ? 50 : 0)
        let client = try invocation.connect()
        let (sessions, isMore) = try find(client, invocation, limit: limit == 0 ? Int.max : limit)
        let console = invocation.console
        if invocation.has(.jsonl) {
            for session in sessions { console.print(record: session) }
        } else if invocation.has(.json) {
            console.print(json: sessions)
        } else {
            printTable(sessions, console)
        }
        if isMore { console.note("there are more; 'convo ls -n 0' lists all") }
        return .success
    }

    /// Whose sessions an option means.
    private static func owner(_ text: String?) throws(CommandError) -> Method.SessionFind.Owner {
        guard let text else { return .mine }
        if text == "all" { return .all }
        guard let uid = UInt32(text) else { throw .usage("--owner takes a uid or 'all', not '\(text)'") }
        return .user(uid)
    }

    private static func find(
        _ client: Client, _ invocation: Invocation, limit: Int
    ) throws(CommandError) -> (sessions: [Wire.SessionSummary], isMore: Bool) {
        var sessions: [Wire.SessionSummary] = []
        var cursor: String?
        let named = invocation.value(.sort)
        guard let sort = Method.SessionFind.Sort(rawValue: named ?? "changed") else {
            throw .usage("--sort is changed, created, messages or title, not '\(named ?? "")'")
        }
        let owner = try Command.owner(invocation.value(.owner))
        let (since, until) = (try invocation.since(), try invocation.time(.until))
        let model = try invocation.model(.listedModel)
        repeat {
            let page = try client.ask(Method.SessionFind.self) {
                $0.optional("query", invocation.value(.query))
                $0.optional("tag", invocation.value(.tag))
                switch owner {
                case .mine: break
                case .all: $0.member("owner", "*")
                case .user(let uid): $0.member("owner", Int(uid))
                }
                $0.optional("cwd", invocation.value(.cwd).map(Files.absolute))
                $0.optional("model", model)
                $0.optional("upstream", invocation.value(.listedUpstream))
                if let since { $0.member("since", Timestamp.text(since)) }
                if let until { $0.member("until", Timestamp.text(until)) }
                if sort != .changed { $0.member("sort", sort.rawValue) }
                if invocation.has(.oldest) { $0.member("order", sort == .title ? "desc" : "asc") }
                if invocation.has(.empty) { $0.member("empty", true) }
                if invocation.has(.archived) { $0.member("archived", true) }
                if invocation.has(.trashed) { $0.member("trashed", true) }
                $0.member("limit", min(500, limit - sessions.count))
                $0.optional("cursor", cursor)
            }
            sessions += page.sessions
            cursor = page.nextCursor
        } while cursor != nil && sessions.count < limit
        return (sessions, cursor != nil)
    }

    private static func printTable(_ sessions: [Wire.SessionSummary], _ console: Console) {
        // The end of an ID tells one session from another, its beginning is the time.
        let isNarrow = console.isOutputTerminal && console.columns < 80
        if isNarrow && !sessions.isEmpty { return printNarrow(sessions, console) }
        var table = Table([
            Table.Column(title: "ID"), Table.Column(title: "TITLE", isFlexible: true),
            Table.Column(title: "MESSAGES", isRight: true), Table.Column(title: "UPDATED"),
        ])
        for session in sessions {
            let updated = session.updatedAt
            table.add([
                session.id, (session.title ?? "") + (session.ephemeral == nil ? "" : " (in memory)"),
                "\(session.messageCount)",
                console.isOutputTerminal ? Times.relative(updated) : updated.text,
            ])
        }
        if sessions.isEmpty && console.isOutputTerminal {
            console.note("no sessions; 'convo send TEXT' or 'convo chat' makes one")
        } else {
            table.print(on: console)
        }
    }

    /// One line a session: the end of its ID, its title by the room there is, and how old it is.
    private static func printNarrow(_ sessions: [Wire.SessionSummary], _ console: Console) {
        let ends = SessionChoice.shortNames(sessions.map(\.id))
        let width = min(max(6, console.columns / 2), ends.map(\.count).max() ?? 6)
        for (session, short) in zip(sessions, ends) {
            let time = TextWidth.padded(Times.short(session.updatedAt), to: 4, isRight: true)
            let end = TextWidth.padded(short, to: width)
            let room = max(1, console.columns - width - 7)
            let title = TextWidth.fitted(Console.harmless(session.name, keepingLines: false), to: room)
            console.print(
                "\(console.styled(end, .dim)) \(TextWidth.padded(title, to: room)) \(console.styled(time, .dim))"
            )
        }
    }
}
