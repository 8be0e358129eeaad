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
            branch: 'convo branches' shows it.
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
        return try SendCommand.run(session.id, client, invocation) { prompt, settings in
            prompt.retry(message, words, settings)
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
        guard (1...max(1, count)).contains(number), count > 0 else {
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

/// A session's branches as a tree.
struct BranchTree {
    typealias Branch = Method.BranchList.Result.Branch

    private let client: Client
    private let session: String

    init(_ client: Client, _ session: String) {
        self.client = client
        self.session = session
    }

    func print(on invocation: Invocation) throws(CommandError) -> ExitCode {
        let console = invocation.console
        let branches = try branches()
        if invocation.has(.jsonl) || invocation.has(.json) {
            let numbers = BranchTree.numbers(branches)
            let records = branches.map { NumberedBranch(branch: $0, number: numbers[$0.branch]) }
            if invocation.has(.jsonl) {
                for record in records { console.print(record: record) }
            } else {
                console.print(json: ["branches": records])
            }
        } else {
            for line in BranchTree.lines(branches, console) { console.print(line) }
        }
        return .success
    }

    /// The branch of a number as `lines` shows it.
    func branch(_ number: Int) throws(CommandError) -> Branch {
        let branches = try branches(), numbers = BranchTree.numbers(branches)
        if let found = branches.first(where: { numbers[$0.branch] == number }) { return found }
        let most = numbers.count
        throw CommandError(
            .notFound,
            "session '\(session)' has no branch \(number), it has \(most == 1 ? "one" : "1 to \(most)"); 'convo branches -s \(session)' shows \(most == 1 ? "it" : "them")"
        )
    }

    /// The number that people see of a branch that has a message; nil where none has it.
    func number(of message: String) throws(CommandError) -> Int? {
        let branches = try branches(), numbers = BranchTree.numbers(branches)
        for branch in branches {
            do throws(CommandError) {
                _ = try MessagePages(client: client, session: session, branch: branch.branch).upTo(message, 1)
                return numbers[branch.branch]
            } catch { if error.code != .notFound { throw error } }
        }
        return nil
    }

    /// The numbers that people see, by those of the wire.
    func numbers() throws(CommandError) -> [Int: Int] { BranchTree.numbers(try branches()) }

    /// The numbers that people see, 1 and on by age within the session, by those of the wire, which run over all sessions.
    private static func numbers(_ branches: [Branch]) -> [Int: Int] {
        var numbers: [Int: Int] = [:]
        for (index, branch) in shown(branches).enumerated() { numbers[branch.branch] = index + 1 }
        return numbers
    }

    /// A branch as `--json` has it: as it came, with the number that this command takes.
    private struct NumberedBranch: JSONWritable {
        let branch: Branch
        /// Nil for one that is not shown.
        let number: Int?

        func write(to writer: inout JSONWriter) {
            let plain = JSONWriter.bytes(encoding: branch)
            guard let number else { return writer.raw(plain) }
            let more = JSONWriter.object { $0.member("number", number) }
            writer.raw(plain.dropLast() + [0x2C] + more.dropFirst())
        }
    }

    /// Those that say something: a branch without a message of its own is what a failed prompt leaves, unless it is the active
    /// one, the session's first, which a fork shares with its original, or one that others leave.
    private static func shown(_ branches: [Branch]) -> [Branch] {
        let parents = Set(branches.compactMap(\.parent))
        return branches.enumerated().filter { index, branch in
            index == 0 || branch.ownMessages > 0 || branch.active || parents.contains(branch.branch)
        }.map(\.element)
    }

    /// How many messages are on branches of the session and not on its active path.
    func besideThePath() throws(CommandError) -> Int {
        let branches = try branches()
        var beside = branches.reduce(0) { $0 + $1.ownMessages }
        var next = branches.first(where: \.active), last = next?.headSeq ?? 0
        while let branch = next {
            beside -= max(0, last - branch.forkSeq)
            last = min(last, branch.forkSeq)
            next = branches.first { $0.branch == branch.parent }
        }
        return beside
    }

    /// What is said of messages that an export of the active path alone has not; nil for none.
    static func words(ofLeftOut count: Int) -> String? {
        if count == 0 { return nil }
        return "without \(Times.count(count, "message")) on other branches, which jsonl, json and html have"
    }

    /// All branches, page by page, oldest first.
    func branches() throws(CommandError) -> [Branch] {
        var found: [Branch] = [], cursor: String?
        repeat {
            let page = try client.ask(Method.BranchList.self) {
                $0.member("sessionId", session)
                $0.optional("cursor", cursor)
            }
            found += page.branches
            cursor = page.nextCursor
        } while cursor != nil
        return found
    }

    /// One line a branch, each under the one that it leaves.
    static func lines(_ branches: [Branch], _ console: Console) -> [String] {
        let known = Set(branches.map(\.branch))
        let numbers = numbers(branches)
        var children: [Int: [Branch]] = [:], roots: [Branch] = []
        for branch in shown(branches) {
            if let parent = branch.parent, known.contains(parent) {
                children[parent, default: []].append(branch)
            } else {
                roots.append(branch)
            }
        }
        var out: [String] = []
        func draw(_ branch: Branch, _ lead: String, _ stem: String) {
            let number = numbers[branch.branch] ?? 0
            out.append(lead + line(branch, number, console, room: console.columns - lead.count))
            let below = children[branch.branch] ?? []
            for (index, child) in below.enumerated() {
                let isLast = index == below.count - 1
                draw(child, stem + (isLast ? "└─ " : "├─ "), stem + (isLast ? "   " : "│  "))
            }
        }
        for root in roots { draw(root, "", "") }
        return out
    }

    private static func line(_ branch: Branch, _ number: Int, _ console: Console, room: Int) -> String {
        // What leaves the session before its first message leaves nothing.
        let place = branch.parent == nil || branch.forkSeq == 0 ? "" : " after #\(branch.forkSeq)"
        let count = Times.count(branch.ownMessages, "message")
        let facts = "\(branch.active ? "●" : "○") \(number)\(place), \(count)"
        let rest = max(20, room - facts.count - 3)
        let text = TextWidth.fitted(branch.first.map(beginning) ?? "", to: rest)
        return (branch.active ? console.styled(facts, .bold) : facts) + "  " + console.styled(text, .dim)
    }

    /// What a branch begins with: who says what, and what became of it.
    private static func beginning(_ first: Method.BranchList.Result.Beginning) -> String {
        let mark = first.status == .complete ? "" : " (\(first.status.name))"
        return "\(first.role.name): \(Console.harmless(first.text, keepingLines: false))\(mark)"
    }

    /// What a branch and the active one have for themselves, one after the other.
    func compare(_ number: Int, _ invocation: Invocation) throws(CommandError) {
        let console = invocation.console
        let numbers = try BranchTree.numbers(branches())
        let branch = try branch(number)
        if branch.active {
            throw CommandError(
                .failure, "branch \(number) is the active one; name another, which is compared with it")
        }
        let compared = try client.ask(Method.BranchCompare.self) {
            $0.member("sessionId", session)
            $0.member("branch", branch.branch)
        }
        if invocation.has(.json) || invocation.has(.jsonl) { return console.print(record: compared) }
        console.print("\(Times.count(compared.commonMessages, "message")) in common")
        let printer = MessagePrinter(console)
        for side in compared.sides {
            console.print("\n" + console.styled("branch \(numbers[side.branch] ?? number)", .bold))
            for message in side.messages { console.print(printer.text(of: message)) }
            if side.more { console.print("…") }
        }
    }
}
