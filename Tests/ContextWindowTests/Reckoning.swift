import ContextWindow
import Conversation
import TestSupport

/// One random case: what goes into the cut.
struct WindowCase {
    let messages: [Message]
    /// The system prompt that is given, and what of it counts: one of blanks is none.
    private let given: String?
    let system: String?
    let policy: WindowPolicy
    let budget: Int

    init(_ random: inout SeededRandom) {
        messages = random.history()
        let given = random.oneIn(2) ? random.text(30) : nil
        self.given = given
        // Nothing to see is nothing: white space, Python's separators, marks without width.
        let unseen: Set<UInt32> = [0x1C, 0x1D, 0x1E, 0x1F, 0x200B, 0xFEFF]
        system = given.flatMap { text in
            text.unicodeScalars.contains { !$0.properties.isWhitespace && !unseen.contains($0.value) }
                ? text : nil
        }
        policy = WindowPolicy(
            maxTurns: random.oneIn(3) ? random.int(1...5) : nil,
            maxMessages: random.oneIn(3) ? random.int(1...12) : nil)
        let all = messages.reduce(40) { $0 + $1.tokens }
        budget = random.oneIn(5) ? 100_000 : random.int(0...all)
    }

    func cut() throws(WindowError) -> Window {
        try Window.cut(History(messages: messages), system: given, policy: policy, budget: budget)
    }

    func cut(again window: Window) throws(WindowError) -> Window {
        try Window.cut(
            History(messages: window.messages), system: window.system, policy: policy, budget: budget)
    }
}

/// The IDs of a message's calls.
func calls(_ parts: [Part]) -> [String] {
    parts.compactMap { if case .toolCall(let call) = $0 { call.id } else { nil } }
}

/// The IDs of the calls that a message answers.
func results(_ parts: [Part]) -> [String] {
    parts.compactMap { if case .toolResult(let result) = $0 { result.callID } else { nil } }
}

/// A slow and simple account of what a window must be, to hold the quick one against.
struct Reckoning {
    private var live: [Message] = []
    private var callers: [Int: Set<Int>] = [:]  // for each message of results, by seq, who called
    private var open: [Int: Int] = [:]  // calls without a result, by seq
    private let closing = TokenEstimate.message([Part.interruptedResult(for: "")])

    init(_ messages: [Message]) {
        let sendable = messages.filter { message in
            !message.isExcluded && [.complete, .cancelled, .interrupted].contains(message.status)
                && text(message.content) != "[]"
        }
        for (index, message) in sendable.enumerated() {
            if message.role == .assistant { open[message.seq] = calls(message.parts).count }
            guard message.role == .tool else { continue }
            for (place, id) in results(message.parts).enumerated() {
                guard
                    let caller = sendable[..<index].last(where: {
                        $0.role == .assistant && calls($0.parts).contains(id)
                    })
                else { continue }
                let earlier = sendable[..<index].filter { $0.role == .tool && $0.seq > caller.seq }.flatMap {
                    results($0.parts)
                }
                let before = (earlier + results(message.parts)[..<place]).count { $0 == id }
                guard before < calls(caller.parts).count(where: { $0 == id }) else { continue }
                callers[message.seq, default: []].insert(caller.seq)
                open[caller.seq, default: 0] -= 1
            }
        }
        live = sendable.filter { $0.role != .tool || callers[$0.seq] != nil }
    }

    /// What a message costs among others: results of several of them become as many messages.
    private func cost(_ message: Message, among seqs: Set<Int>) -> Int {
        message.tokens + (open[message.seq] ?? 0) * closing
            + max(0, (callers[message.seq]?.intersection(seqs).count ?? 0) - 1) * TokenEstimate.perMessage
    }

    private var pinned: Set<Int> {
        var all = Set(live.filter(\.isPinned).map(\.seq)), size = -1
        while size != all.count {
            size = all.count
            for (result, callers) in callers where all.contains(result) || !all.isDisjoint(with: callers) {
                all.formUnion(callers.union([result]))
            }
        }
        return all
    }

    /// The seqs of the window with its cost, or what it would need.
    func window(_ one: WindowCase) -> (seqs: [Int], cost: Int)? {
        var starts = live.indices.filter { live[$0].role == .user }
        if let first = live.indices.first(where: { live[$0].role == .system }), first < starts.first ?? .max {
            starts.insert(first, at: 0)
        }
        let pinned = pinned
        var best: (seqs: [Int], cost: Int)?
        for turns in starts.isEmpty ? 0...0 : 1...starts.count {
            let suffix = turns == 0 ? [] : Array(live[starts[starts.count - turns]...])
            let marked = Set(suffix.map(\.seq)).union(pinned)
            // A late result of a call that is not there goes nowhere.
            let messages = live.filter {
                marked.contains($0.seq)
                    && ($0.role != .tool || !marked.isDisjoint(with: callers[$0.seq] ?? []))
            }
            let seqs = Set(messages.map(\.seq)), count = suffix.count { seqs.contains($0.seq) }
            let system =
                TokenEstimate.perRequest
                + (one.system.map { TokenEstimate.text($0) + TokenEstimate.perMessage } ?? 0)
            let cost = messages.reduce(system) { $0 + self.cost($1, among: seqs) }
            let isOver = turns > one.policy.maxTurns ?? .max || count > one.policy.maxMessages ?? .max
            if cost > one.budget || (isOver && turns > 1) { break }
            best = (messages.map(\.seq), cost)
        }
        return best
    }
}
