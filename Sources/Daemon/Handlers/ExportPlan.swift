internal import Archive
internal import Conversation

/// What an export reads, in order: the messages of the active path, those of branches beside it, and the turns.
///
/// - Invariant: pure; a step is given once, and what a page left over is its next one.
struct ExportPlan {
    /// What is read at one time, a page of it.
    enum Step: Equatable, Sendable {
        /// Messages from a seq on, on the active path or on a branch beside it.
        case messages(SessionRecord, from: Int, isOnPath: Bool)
        /// Turns, newest first.
        case turns(before: TurnRow)
        /// Summaries, oldest first.
        case summaries(after: Int64)
    }

    /// What is left, the next one last.
    private var steps: [Step]

    /// The active path alone, or what of it is at a seq and behind it.
    init(of session: SessionRecord, from seq: Int = 1) {
        steps = seq > session.session.messageCount ? [] : [.messages(session, from: seq, isOnPath: true)]
    }

    /// The whole tree: branches, with where those of other sessions come from that they leave, and the turns up to one.
    init(
        of session: SessionRecord, branches: [Branch], elders: [BranchRow: BranchOrigin], lastTurn: TurnRow?
    ) {
        steps = [.summaries(after: 0)]
        if let lastTurn { steps.append(.turns(before: TurnRow(lastTurn.number + 1))) }
        steps += ExportPlan.beside(session, branches, elders).reversed()
        steps.append(.messages(session, from: 1, isOnPath: true))
    }

    /// What is to be read now; nil at the end.
    mutating func next() -> Step? { steps.popLast() }

    /// A page left something of its step, which goes on before all else.
    mutating func add(_ rest: Step) { steps.append(rest) }

    /// The stretches of branches that are on no other's path, those that only other sessions' branches hold among them.
    private static func beside(
        _ session: SessionRecord, _ branches: [Branch], _ elders: [BranchRow: BranchOrigin]
    ) -> [Step] {
        var origins = elders
        for branch in branches {
            origins[branch.id] = BranchOrigin(parent: branch.parent, forkSeq: branch.forkSeq)
        }
        // The last seq of each branch that is written down by then.
        var covered: [BranchRow: Int] = [:]
        /// Notes the path that ends at a seq of a branch, and gives the first seq of it that was not noted before.
        func cover(_ branch: BranchRow, _ last: Int) -> Int {
            var next: BranchRow? = branch, last = last, first = last + 1
            while let now = next, last > 0 {
                let fork = origins[now]?.forkSeq ?? 0, known = covered[now] ?? 0
                covered[now] = max(known, last)
                if known >= last { break }
                first = max(fork, known) + 1
                if known > fork { break }
                last = fork
                next = origins[now]?.parent
            }
            return first
        }
        _ = cover(session.branch, session.session.messageCount)
        return branches.compactMap { branch in
            // What came to the active one since the start is not part of this.
            if branch.id == session.branch { return nil }
            let from = cover(branch.id, branch.head)
            return from > branch.head ? nil : .messages(session.at(branch.end), from: from, isOnPath: false)
        }
    }
}
