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
    }

    /// What is left, the next one last.
    private var steps: [Step]

    /// The active path alone.
    init(of session: SessionRecord) { steps = [.messages(session, from: 1, isOnPath: true)] }

    /// The whole tree: branches, and the turns up to one.
    init(of session: SessionRecord, branches: [Branch], lastTurn: TurnRow?) {
        steps = lastTurn.map { [.turns(before: TurnRow($0.number + 1))] } ?? []
        steps += ExportPlan.beside(session, branches).reversed()
        steps.append(.messages(session, from: 1, isOnPath: true))
    }

    /// What is to be read now; nil at the end.
    mutating func next() -> Step? { steps.popLast() }

    /// A page left something of its step, which goes on before all else.
    mutating func add(_ rest: Step) { steps.append(rest) }

    /// The stretches of branches that are on no other's path.
    private static func beside(_ session: SessionRecord, _ branches: [Branch]) -> [Step] {
        // The last seq of the active path on each branch that it runs over.
        var onPath: [BranchRow: Int] = [:]
        let byRow = Dictionary(branches.map { ($0.id, $0) }) { first, _ in first }
        var branch = byRow[session.branch], last = session.session.messageCount
        while let now = branch, onPath[now.id] == nil {
            onPath[now.id] = last
            last = now.forkSeq
            branch = now.parent.flatMap { byRow[$0] }
        }
        return branches.compactMap { branch in
            // What came to the active one since the start is not part of this.
            if branch.id == session.branch { return nil }
            let from = max(branch.forkSeq, onPath[branch.id] ?? 0) + 1
            return from > branch.head ? nil : .messages(session.at(branch.end), from: from, isOnPath: false)
        }
    }
}
