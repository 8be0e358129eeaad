internal import Conversation
internal import ConvoClient
internal import JSON
internal import Protocol
internal import Typesetting

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
    /// one, the session's first, which a fork shares with its original, one that is all another session's, or one that others leave.
    private static func shown(_ branches: [Branch]) -> [Branch] {
        let parents = Set(branches.compactMap(\.parent)), own = Set(branches.map(\.branch))
        return branches.enumerated().filter { index, branch in
            // One that has no messages of its own may be all another session's.
            index == 0 || branch.ownMessages > 0 || branch.active || parents.contains(branch.branch)
                || branch.parent.map { !own.contains($0) } ?? false
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
            let isShared = branch.ownMessages == 0 && branch.parent.map { !known.contains($0) } ?? false
            out.append(
                lead + line(branch, number, isShared, console, room: console.columns - lead.count))
            let below = children[branch.branch] ?? []
            for (index, child) in below.enumerated() {
                let isLast = index == below.count - 1
                draw(child, stem + (isLast ? "└─ " : "├─ "), stem + (isLast ? "   " : "│  "))
            }
        }
        for root in roots { draw(root, "", "") }
        return out
    }

    private static func line(
        _ branch: Branch, _ number: Int, _ isShared: Bool, _ console: Console, room: Int
    ) -> String {
        // What leaves the session before its first message leaves nothing.
        let place = branch.parent == nil || branch.forkSeq == 0 || isShared ? "" : " after #\(branch.forkSeq)"
        let count = Times.count(isShared ? branch.headSeq : branch.ownMessages, "message")
        let facts = "\(branch.active ? "●" : "○") \(number)\(place), \(count)"
        let words = branch.first.map(beginning) ?? (isShared ? "as another session has them" : "")
        // A pipe has all of it, a line of a terminal as much as is readable.
        let rest = console.isOutputTerminal ? room - TextWidth.of(facts) - 3 : max(20, room - facts.count - 3)
        let text = rest < 8 ? "" : "  " + console.styled(TextWidth.fitted(words, to: rest), .dim)
        let shown = console.isOutputTerminal ? TextWidth.fitted(facts, to: max(8, room - 1)) : facts
        return (branch.active ? console.styled(shown, .bold) : shown) + text
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
