internal import Conversation
internal import ConvoClient
internal import JSON
internal import Protocol
internal import Typesetting

extension Command {
    static let branches = Command(
        name: "branches", summary: "draw a session's branches, switch, compare or delete them",
        arguments: "[switch N|compare N|delete N]", count: 0...2,
        options: [.continue, .json, .jsonl, .session],
        details: """
            Without -s the session that convo used last. ● is the active branch: what 'convo send' goes on from.
            Branches are numbered by age within the session. 'delete' asks on a terminal; elsewhere it takes the session's
            whole ID by -s.
            """
    ) { invocation throws(CommandError) in
        let client = try invocation.connect()
        let words = invocation.positionals
        if words.isEmpty {
            return try BranchTree(client, try invocation.sessionToChange(client).id).print(on: invocation)
        }
        guard words.count == 2, let number = Int(words[1]),
            ["switch", "compare", "delete"].contains(words[0])
        else {
            throw .usage("'convo branches' takes 'switch N', 'compare N' or 'delete N', N as it lists them")
        }
        if words[0] == "delete" { return try delete(number, client, invocation) }
        let session = try invocation.sessionToChange(client)
        if words[0] == "compare" {
            try BranchTree(client, session.id).compare(number, invocation)
            return .success
        }
        return try goOver(to: number, of: session, client, invocation)
    }

    static let `switch` = Command(
        name: "switch", summary: "go over to another branch of a session", arguments: "N", count: 1...1,
        options: [.continue, .session],
        details:
            "N is a branch's number, as 'convo branches' draws it. Without -s the session that convo used last."
    ) { invocation throws(CommandError) in
        guard let number = Int(invocation.positionals[0]) else {
            throw .usage("'convo switch' takes the number of a branch, as 'convo branches' draws it")
        }
        let client = try invocation.connect()
        return try goOver(to: number, of: try invocation.sessionToChange(client), client, invocation)
    }

    private static func goOver(
        to number: Int, of session: Wire.SessionSummary, _ client: Client, _ invocation: Invocation
    ) throws(CommandError) -> ExitCode {
        let branch = try BranchTree(client, session.id).branch(number)
        _ = try client.ask(Method.BranchSwitch.self) {
            $0.member("sessionId", session.id)
            $0.member("branch", branch.branch)
        }
        invocation.console.note("branch \(number) of '\(session.name)' is the active one")
        return .success
    }

    /// Deletes a branch; a person at a terminal is asked, with what it begins with.
    private static func delete(_ number: Int, _ client: Client, _ invocation: Invocation) throws(CommandError)
        -> ExitCode
    {
        let console = invocation.console
        let session = try SessionChoice(client: client).session(
            toLessen: invocation.value(.session), console, alwaysAsks: true
        ) { session throws(CommandError) in
            let branch = try BranchTree(client, session.id).branch(number)
            let words = TextWidth.fitted(branch.first?.text ?? "", to: 40)
            let count = Times.count(branch.ownMessages, "message")
            let title = TextWidth.fitted(session.name, to: 40)
            return "Delete branch \(number) of '\(title)', \(count) from '\(words)' on"
        }
        let branch = try BranchTree(client, session.id).branch(number)
        if branch.active {
            throw CommandError(
                .failure,
                "branch \(number) is the active one; go over to another with 'convo branches switch N' first")
        }
        let removed = try client.ask(Method.BranchDelete.self) {
            $0.member("sessionId", session.id)
            $0.member("branch", branch.branch)
        }
        console.note("branch \(number) is gone, with \(Times.count(removed.deletedMessages, "message"))")
        return .success
    }

    static let fork = Command(
        name: "fork", summary: "begin a new session out of another one", arguments: "[MESSAGE]", count: 0...1,
        options: [.continue, .json, .new, .session],
        details: """
            MESSAGE is the last message that both have: its number, as 'convo show' has it, or its ID; without it
            all of them. Nothing is copied, and neither session changes the other. Prints the new session's ID.
            """
    ) { invocation throws(CommandError) in
        let client = try invocation.connect()
        let session = try invocation.sessionToChange(client)
        let message = try invocation.positionals.first.map { name throws(CommandError) in
            try MessageChoice(client, session).id(of: name)
        }
        let fork = try client.ask(Method.SessionForkOwn.self) {
            $0.member("sessionId", session.id)
            $0.optional("newSessionId", invocation.value(.new))
            $0.optional("messageId", message)
        }
        UsedSessions().note(fork.sessionId.text)
        if invocation.has(.json) {
            invocation.console.print(json: fork)
        } else {
            invocation.console.print(fork.sessionId.text)
        }
        return .success
    }

    static let edit = Command(
        name: "edit", summary: "put other words in the place of a past prompt, and answer them",
        arguments: "MESSAGE TEXT|-", count: 1...Int.max,
        options: [.continue, .json, .model, .session, .upstream],
        details: """
            MESSAGE is the prompt's number, as 'convo show' has it, or its ID. What was there stays on its own
            branch: 'convo branches' shows it. Files that went with it go with the new words too.
            """
    ) { invocation throws(CommandError) in
        let given = invocation.positionals.dropFirst().joined(separator: " ")
        let words =
            given.isEmpty || given == "-" ? try StandardInput.all { invocation.noteIdleInput() } : given
        guard words.unicodeScalars.contains(where: { !$0.properties.isWhitespace }) else {
            throw .usage("'edit' needs the new words, as TEXT or from a pipe")
        }
        let client = try invocation.connect()
        let session = try invocation.sessionToChange(client)
        let message = try MessageChoice(client, session).id(of: invocation.positionals[0])
        let files = try MessagePages(client: client, session: session.id).files(of: message)
        return try SendCommand.run(session.id, client, invocation) { prompt, settings in
            prompt.retry(message, words, keeping: files, settings)
        }
    }

    static let retry = Command(
        name: "retry", summary: "answer a prompt anew", arguments: "[MESSAGE]", count: 0...1,
        options: [.continue, .json, .model, .session, .upstream],
        details: """
            MESSAGE is the prompt or the answer, by its number or ID; without it the newest. The old answer stays on
            its own branch: 'convo branches' shows it.
            """
    ) { invocation throws(CommandError) in
        let client = try invocation.connect()
        let session = try invocation.sessionToChange(client)
        let message = try invocation.positionals.first.map { name throws(CommandError) in
            try MessageChoice(client, session).id(of: name)
        }
        return try SendCommand.run(session.id, client, invocation) { prompt, settings in
            prompt.retry(message, nil, settings)
        }
    }

    static let goOn = Command(
        name: "continue", summary: "go on with an answer that was cut",
        options: [.continue, .json, .model, .session, .upstream],
        details: "Of the session that convo used last, or of the one that -s names."
    ) { invocation throws(CommandError) in
        let client = try invocation.connect()
        let session = try invocation.sessionToChange(client)
        return try SendCommand.run(session.id, client, invocation) { prompt, settings in
            prompt.goOn(settings)
        }
    }
}

extension Invocation {
    /// The session that `-s` names, else the one that convo used last.
    func sessionToChange(_ client: Client) throws(CommandError) -> Wire.SessionSummary {
        try SessionChoice(client: client, console: console).session(
            named: has(.continue) ? nil : value(.session))
    }
}

/// Finds the message that a person means: by its number on the active path, or by its ID.
struct MessageChoice {
    private let client: Client
    private let session: Wire.SessionSummary
    /// The branch whose path is meant; nil for the active one.
    private let branch: Int?

    init(_ client: Client, _ session: Wire.SessionSummary, branch: Int? = nil) {
        self.client = client
        self.session = session
        self.branch = branch
    }

    func id(of name: String) throws(CommandError) -> String {
        guard let number = Int(name.hasPrefix("#") ? String(name.dropFirst()) : name) else {
            guard name.utf8.count == 36, name.allSatisfy({ $0.isHexDigit || $0 == "-" }) else {
                throw .usage(
                    "'\(name)' is no message: give its number, as 'convo show' has it, or its ID")
            }
            return name
        }
        return try message(number).id.description
    }

    /// The message of a number on the path.
    func message(_ number: Int) throws(CommandError) -> Wire.Message {
        let pages = MessagePages(client: client, session: session.id, branch: branch)
        let count = branch == nil ? session.messageCount : try pages.newest(1).last?.seq ?? 0
        guard count > 0 else {
            throw CommandError(.notFound, "session '\(session.id)' has no messages yet")
        }
        guard (1...count).contains(number) else {
            throw CommandError(
                .notFound,
                "session '\(session.id)' has no message \(number)\(branch == nil ? "" : " on that branch"), it has \(count); 'convo show' numbers them"
            )
        }
        guard let found = try pages.upTo(String(number), 1).first, found.seq == number else {
            throw CommandError(.notFound, "session '\(session.id)' has no message \(number)")
        }
        return found
    }
}
