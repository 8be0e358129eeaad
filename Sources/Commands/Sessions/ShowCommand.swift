internal import Conversation
internal import ConvoClient
internal import JSON
internal import Protocol

extension Option {
    fileprivate static let shownBranch = Option(
        long: "branch", value: "N", help: "the messages of this branch, as 'convo branches' numbers it")
    fileprivate static let at = Option(
        long: "at", value: "MESSAGE", help: "from two messages before this one on: its number or ID")
    fileprivate static let number = Option(
        short: "n", long: "number", value: "N", help: "only the newest N messages")
}

extension Command {
    static let show = Command(
        name: "show", summary: "read a session", arguments: "[ID]", count: 0...1,
        options: [.at, .continue, .json, .jsonl, .number, .raw, .session, .shownBranch],
        details: "Without an ID the session that convo used last. The pager is CONVO_PAGER, PAGER or less."
    ) { invocation throws(CommandError) in
        let number = try invocation.arguments.number(.number)
        if number == 0 { throw .usage("-n takes a number from 1 on, not '0'") }
        if invocation.has(.at) && invocation.has(.number) {
            throw .usage(
                "--at and -n cannot stand together: one begins at a message, the other at the newest")
        }
        let client = try invocation.connect()
        let session = try SessionChoice(client: client, console: invocation.console).session(
            named: invocation.sessionName())
        // The active one is the path that is shown without it.
        let branch = try invocation.arguments.number(.shownBranch).flatMap { number throws(CommandError) in
            let found = try BranchTree(client, session.id).branch(number)
            return found.active ? nil : found.branch
        }
        let pages = MessagePages(client: client, session: session.id, branch: branch)
        let start = try invocation.value(.at).map { name throws(CommandError) in
            let message = try MessageChoice(client, session, branch: branch).id(of: name)
            do throws(CommandError) {
                return try pages.upTo(message, 1 + Command.shownBefore).first.map { String($0.seq) } ?? "1"
            } catch {
                guard error.code == .notFound,
                    let number = try BranchTree(client, session.id).number(of: message)
                else { throw error }
                throw CommandError(
                    .notFound,
                    "that message is on branch \(number): 'convo show \(session.id) --branch \(number) --at \(message)'"
                )
            }
        }
        if invocation.has(.json) || invocation.has(.jsonl) {
            try printRecords(pages, number, from: start, isArray: !invocation.has(.jsonl), invocation.console)
        } else {
            try page(pages, number, from: start, session, invocation)
        }
        return .success
    }

    private static func printRecords(
        _ pages: MessagePages, _ number: Int?, from start: String?, isArray: Bool, _ console: Console
    ) throws(CommandError) {
        var all: [Wire.Message] = []
        func take(_ page: [Wire.Message]) -> Bool {
            if isArray { all += page } else { for message in page { console.print(record: message) } }
            return console.failure == nil
        }
        if let number {
            _ = take(try pages.newest(number))
        } else {
            try pages.forEachPage(from: start) { take($0) }
        }
        if isArray { console.print(json: all) }
    }

    private static func page(
        _ pages: MessagePages, _ number: Int?, from start: String?, _ session: Wire.SessionSummary,
        _ invocation: Invocation
    ) throws(CommandError) {
        let console = invocation.console
        let first = try number.map { count throws(CommandError) in try pages.newest(count) }
        let pager = Pager(console: console, environment: invocation.environment)
        defer { pager.finish() }
        let printer = MessagePrinter(console)
        pager.print(console.styled(Console.harmless(session.name, keepingLines: false), .bold))
        let count =
            pages.branch == nil ? Times.count(session.messageCount, "message") : "a branch beside the path"
        let place = Console.harmless(session.cwd, keepingLines: false)
        pager.print(console.styled("\(session.id) · \(count) · \(place)", .dim) + "\n")
        func show(_ messages: [Wire.Message]) -> Bool {
            for message in messages where !pager.isClosed { pager.print(printer.text(of: message)) }
            return !pager.isClosed && console.failure == nil
        }
        if let first { _ = show(first) } else { try pages.forEachPage(from: start) { show($0) } }
        if pages.branch != nil { return }
        let last = try pages.newest(1).last
        let turns = try pages.client.ask(Method.TurnList.self) {
            $0.member("sessionId", pages.session)
            $0.member("limit", looked)
        }.turns
        if let last, last.role == .user, let turn = turns.first, turn.turnId == last.turnId,
            turn.state == .interrupted, !pager.isClosed
        {
            let words = "not answered: the daemon ended before a word came; 'convo retry' asks again"
            pager.print(console.styled(words, .dim))
        }
        for (turn, isRetried) in besideThePath(turns, last) where !pager.isClosed {
            pager.print(printer.text(ofTurn: turn, isRetried: isRetried))
        }
    }

    /// Messages shown before the one that is asked for.
    private static let shownBefore = 2

    /// Turns looked back over for prompts of which nothing is on the path.
    private static let looked = 100

    /// The prompts of the newest turns of which nothing is on the path, oldest first: those that wait, those that never
    /// began, and the newest if it left the path; and which one a retry would send.
    private static func besideThePath(
        _ turns: [Wire.Turn], _ last: Wire.Message?
    ) -> [(turn: Wire.Turn, isRetried: Bool)] {
        var found: [(turn: Wire.Turn, isRetried: Bool)] = []
        for (index, turn) in turns.enumerated() {
            guard turn.promptId != nil, [.queued, .failed, .cancelled].contains(turn.state) else { continue }
            // One that began has its prompt on a branch, if not on the path; behind it things went on or they did not.
            let isNewest = index == 0 && last?.turnId != turn.turnId
            guard turn.prompt != nil || isNewest else { continue }
            found.append((turn, index == 0 && turn.state != .queued))
        }
        return found.reversed()
    }
}

extension Invocation {
    /// What names the session: an argument, `-s`, or nothing for the latest.
    func sessionName() throws(CommandError) -> String? {
        let option = value(.session).map { "-s \($0)" } ?? (has(.continue) ? "-c" : nil)
        guard let named = positionals.first else { return value(.session) }
        if let option {
            throw .usage("'\(named)' and '\(option)' name a session each; give one of them")
        }
        return named
    }
}
