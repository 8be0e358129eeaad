internal import Conversation
internal import ConvoClient
internal import JSON
internal import Protocol

extension Option {
    fileprivate static let archived = Option(long: "archived", help: "archived sessions too, with --all")
    fileprivate static let all = Option(
        long: "all", help: "sessions that are not in the trash too, by --older-than or --tag")
    fileprivate static let dryRun = Option(long: "dry-run", help: "only say what would go")
    fileprivate static let olderThan = Option(
        long: "older-than", value: "TIME", help: "without a change since then, as 90d or 2026-11-25")
    fileprivate static let tag = Option(long: "tag", value: "TAG", help: "only sessions with this tag")
    static let yes = Option(short: "y", long: "yes", help: "do not ask")
}

extension Command {
    static let purge = Command(
        name: "purge", summary: "remove sessions for good", arguments: "ID…", count: 1...Int.max,
        options: [.yes],
        details: """
            Nothing of a session is left in the database, its search index and its log, and nothing brings it back; what
            forks share stays with them. Takes whole IDs, of the trash too; on a terminal it asks unless -y is given.
            """
    ) { invocation throws(CommandError) in
        let client = try invocation.connect()
        return try invocation.forEach { name throws(CommandError) in
            let id = try purgedID(name, client, invocation)
            let gone = try client.ask(Method.SessionPurge.self) { $0.member("sessionId", id) }
            invocation.console.note(
                "'\(id)' is gone with \(Times.count(gone.messages, "message"))"
                    + (gone.sharedMessages > 0
                        ? "; \(Times.count(gone.sharedMessages, "message")) stay with forks" : ""))
        }
    }

    /// The session that is meant, in the trash or not, when whoever is at a terminal agrees.
    private static func purgedID(_ name: String, _ client: Client, _ invocation: Invocation)
        throws(CommandError) -> String
    {
        let choice = SessionChoice(client: client)
        let found = try client.ask(Method.SessionFind.self) {
            $0.member("trashed", true)
            $0.member("empty", true)
            $0.member("idPrefix", name)
        }
        if let trashed = found.sessions.first(where: { $0.id == name }) {
            let question = "Remove '\(Console.harmless(trashed.name, keepingLines: false))' for good"
            try invocation.agree(question, isSaid: invocation.has(.yes))
            return name
        }
        return try choice.session(
            toLessen: name, invocation.console, alwaysAsks: !invocation.has(.yes)
        ) { "Remove '\($0.name)' for good" }.id
    }

    static let prune = Command(
        name: "prune", summary: "empty the trash, or remove old sessions for good",
        options: [.all, .archived, .dryRun, .json, .olderThan, .tag, .yes],
        details: """
            Without --all it removes what is in the trash. --dry-run says what would go: sessions, messages and bytes of their
            contents to the digit; by how much the file shrinks is an estimate. On a terminal it asks unless -y is given;
            elsewhere it needs -y. The trash is emptied by itself after 30 days: 'retention' in the configuration.
            """
    ) { invocation throws(CommandError) in
        let before = try invocation.time(.olderThan)
        guard !invocation.has(.all) || before != nil || invocation.has(.tag) else {
            throw .usage("--all needs --older-than or --tag, which say what may go")
        }
        let client = try invocation.connect()
        let would = try prune(invocation, client, before, isDryRun: true)
        let console = invocation.console
        if !invocation.has(.dryRun), would.sessions > 0 {
            try invocation.agree("Remove \(words(would)) for good", isSaid: invocation.has(.yes))
        }
        let told =
            invocation.has(.dryRun) || would.sessions == 0
            ? would : try prune(invocation, client, before, isDryRun: false)
        if invocation.has(.json) {
            console.print(json: told)
        } else {
            console.print(
                "\(invocation.has(.dryRun) ? "would remove" : "removed") \(words(told)); the file shrinks by about \(Times.bytes(told.fileBytesEstimate))"
            )
        }
        if told.sharedMessages > 0 {
            console.note(
                "\(Times.count(told.sharedMessages, "message")) stay, since other sessions share them")
        }
        if told.more { console.note("there are more; run it again") }
        return .success
    }

    private static func prune(_ invocation: Invocation, _ client: Client, _ before: Int64?, isDryRun: Bool)
        throws(CommandError) -> Method.StorePrune.Result
    {
        try client.ask(Method.StorePrune.self) {
            if invocation.has(.all) { $0.member("scope", "all") }
            if invocation.has(.archived) { $0.member("archived", true) }
            if let before { $0.member("before", Timestamp.text(before)) }
            $0.optional("tag", invocation.value(.tag))
            if isDryRun { $0.member("dryRun", true) }
        }
    }

    private static func words(_ result: Method.StorePrune.Result) -> String {
        "\(Times.count(result.sessions, "session")) with \(Times.count(result.messages, "message")), \(Times.bytes(result.bytes)) of content"
    }
}

extension Invocation {
    /// Asks a person at a terminal; elsewhere `-y` must have said it.
    func agree(_ question: String, isSaid: Bool) throws(CommandError) {
        if isSaid { return }
        guard StandardInput.isTerminal && console.isErrorTerminal else {
            throw CommandError(
                .failure, "\(question)? Nobody can be asked here; -y says yes, and nothing was changed")
        }
        var input = StandardInput()
        guard let answer = try input.answer(to: question + "? [y/N] "),
            ["y", "yes"].contains(answer.lowercased())
        else { throw CommandError(.failure, "nothing was changed") }
    }
}
