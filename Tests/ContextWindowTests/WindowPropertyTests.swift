import ContextWindow
import Conversation
import TestSupport
import Testing

/// One random case: what goes into the cut.
private struct Case {
    let messages: [Message]
    let system: String?
    let policy: WindowPolicy
    let budget: Int

    init(_ random: inout SeededRandom) {
        messages = random.history()
        system = random.oneIn(2) ? random.text(30) : nil
        policy = WindowPolicy(
            maxTurns: random.oneIn(3) ? random.int(1...5) : nil, maxMessages: random.oneIn(3) ? random.int(1...12) : nil)
        let all = messages.reduce(40) { $0 + $1.tokens }
        budget = random.oneIn(5) ? 100_000 : random.int(0...all)
    }

    func cut() throws(WindowError) -> Window {
        try Window.cut(History(messages: messages), system: system, policy: policy, budget: budget)
    }

    func cut(again window: Window) throws(WindowError) -> Window {
        try Window.cut(History(messages: window.messages), system: window.system, policy: policy, budget: budget)
    }
}

/// Random cases, and those of them whose windows could be made; worked out once for all tests of this file.
private let cases: [Case] = {
    var random = SeededRandom("ContextWindow")
    return (0..<800).map { _ in Case(&random) }
}()
private let windows: [(Case, Window)] = cases.compactMap { one in (try? one.cut()).map { (one, $0) } }

/// Runs `body` for each of them, with what names the seed when it fails.
private func forWindows(_ body: (Case, Window, String) throws -> Void) rethrows {
    let seed = "CONVOD_SEED=\(SeededRandom.runSeed)"
    #expect(windows.count > 300, "\(seed)")
    for (one, window) in windows { try body(one, window, seed) }
}

/// The IDs of a message's calls.
private func calls(_ parts: [Part]) -> [String] { parts.compactMap { if case .toolCall(let call) = $0 { call.id } else { nil } } }

/// The IDs of the calls that a message answers.
private func results(_ parts: [Part]) -> [String] { parts.compactMap { if case .toolResult(let result) = $0 { result.callID } else { nil } } }

/// A slow and simple account of what a window must be, to hold the quick one against.
private struct Reckoning {
    private var live: [Message] = []
    private var callers: [Int: Set<Int>] = [:]  // for each message of results, by seq, who called
    private var open: [Int: Int] = [:]  // calls without a result, by seq
    private let closing = TokenEstimate.message([Part.interruptedResult(for: "")])

    init(_ messages: [Message]) {
        let sendable = messages.filter { message in
            !message.isExcluded && [.complete, .cancelled, .interrupted].contains(message.status) && text(message.content) != "[]"
        }
        for (index, message) in sendable.enumerated() {
            if message.role == .assistant { open[message.seq] = calls(message.parts).count }
            guard message.role == .tool else { continue }
            for (place, id) in results(message.parts).enumerated() {
                guard let caller = sendable[..<index].last(where: { $0.role == .assistant && calls($0.parts).contains(id) }) else { continue }
                let earlier = sendable[..<index].filter { $0.role == .tool && $0.seq > caller.seq }.flatMap { results($0.parts) }
                let before = (earlier + results(message.parts)[..<place]).count { $0 == id }
                guard before < calls(caller.parts).count(where: { $0 == id }) else { continue }
                callers[message.seq, default: []].insert(caller.seq)
                open[caller.seq, default: 0] -= 1
            }
        }
        live = sendable.filter { $0.role != .tool || callers[$0.seq] != nil }
    }

    private func cost(_ message: Message) -> Int {
        message.tokens + (open[message.seq] ?? 0) * closing + max(0, (callers[message.seq]?.count ?? 0) - 1) * TokenEstimate.perMessage
    }

    private var pinned: Set<Int> {
        var all = Set(live.filter(\.isPinned).map(\.seq)), size = -1
        while size != all.count {
            size = all.count
            for (result, callers) in callers where all.contains(result) || !all.isDisjoint(with: callers) { all.formUnion(callers.union([result])) }
        }
        return all
    }

    /// The seqs of the window with its cost, or what it would need.
    func window(_ one: Case) -> (seqs: [Int], cost: Int)? {
        let starts = live.indices.filter { live[$0].role == .user }, pinned = pinned
        var best: (seqs: [Int], cost: Int)?
        for turns in starts.isEmpty ? 0...0 : 1...starts.count {
            let suffix = turns == 0 ? [] : Array(live[starts[starts.count - turns]...])
            let seqs = Set(suffix.map(\.seq)).union(pinned)
            let messages = live.filter { seqs.contains($0.seq) }
            let system = TokenEstimate.perRequest + (one.system.map { TokenEstimate.text($0) + TokenEstimate.perMessage } ?? 0)
            let cost = messages.reduce(system) { $0 + self.cost($1) }
            let isOver = turns > one.policy.maxTurns ?? .max || suffix.count > one.policy.maxMessages ?? .max
            if cost > one.budget || (isOver && turns > 1) { break }
            best = (messages.filter { $0.role != .tool || !seqs.isDisjoint(with: callers[$0.seq] ?? []) }.map(\.seq), cost)
        }
        return best
    }
}

@Suite struct `Any window` {
    @Test func `holds pins and the newest turn of the user, whole`() {
        forWindows { one, window, random in
            let kept = Set(window.messages.map(\.seq))
            let newest = one.messages.last { $0.role == .user && $0.isSendable }
            #expect(newest.map { kept.contains($0.seq) } ?? true, "\(random)")
            for message in one.messages where message.isPinned && message.isSendable && message.role != .tool {
                #expect(kept.contains(message.seq), "\(random)")
            }
            for message in window.messages { #expect(one.messages.contains(message), "\(random)") }
            #expect(window.system == one.system, "\(random)")
        }
    }

    @Test func `is refused only when pins and the newest turn do not fit`() {
        let random = "CONVOD_SEED=\(SeededRandom.runSeed)"
        var refused = 0
        for one in cases {
            do throws(WindowError) { _ = try one.cut() } catch {
                refused += 1
                #expect(error.budget == one.budget && error.needed > error.budget, "\(random)")
                #expect(error.needed == error.system + error.pinned + error.newest, "\(random)")
                #expect(Reckoning(one.messages).window(one) == nil, "\(random)")
            }
        }
        #expect(refused > 30, "\(random)")
    }

    @Test func `is in order, without doubles, and holds nothing that was excluded, refused or failed`() {
        forWindows { _, window, random in
            let seqs = window.messages.map(\.seq)
            #expect(seqs == Set(seqs).sorted(), "\(random)")
            #expect(window.messages.allSatisfy { !$0.isExcluded && ![.failed, .refused, .streaming].contains($0.status) }, "\(random)")
        }
    }

    @Test func `is the longest suffix of turns within the budget, by count of all of them`() throws {
        try forWindows { one, window, random in
            let expected = try #require(Reckoning(one.messages).window(one), "\(random)")
            #expect(window.messages.map(\.seq) == expected.seqs, "\(random)")
            #expect(window.receipt.estimate == expected.cost, "\(random)")
            #expect(window.receipt.estimate <= one.budget, "\(random)")
        }
    }

    @Test func `starts with a message of the user, but for pins and their partners`() {
        forWindows { _, window, random in
            guard let sent = window.receipt.sent else { return }
            #expect(window.messages.first { $0.seq >= sent.lowerBound }?.role == .user, "\(random)")
            let pins = Set(window.receipt.pinned)
            #expect(window.messages.allSatisfy { $0.seq >= sent.lowerBound || pins.contains($0.seq) }, "\(random)")
        }
    }

    @Test func `comes out the same a second time, and cutting it again changes nothing`() throws {
        try forWindows { (one, window, random) throws in
            #expect(try one.cut() == window, "\(random)")
            #expect(try one.cut(again: window).messages == window.messages, "\(random)")
        }
    }

    @Test func `adds up in its receipt`() {
        forWindows { one, window, random in
            let receipt = window.receipt
            #expect(receipt.sentCount == window.messages.count, "\(random)")
            #expect(receipt.sentCount + receipt.leftOutCount == one.messages.count, "\(random)")
            #expect(receipt.leftOutTokens == one.messages.reduce(0) { $0 + $1.tokens } - window.messages.reduce(0) { $0 + $1.tokens }, "\(random)")
            #expect(receipt.excludedCount == one.messages.count(where: \.isExcluded), "\(random)")
        }
    }
}

@Suite struct `Any request` {
    static let rules = [
        DialectRules.openAI, DialectRules(isAlternating: true, startsWithUser: false),
        DialectRules(isAlternating: true, thoughtIssuer: "a", startsWithUser: true),
        DialectRules(isAlternating: false, thoughtIssuer: "b", startsWithUser: true),
    ]

    @Test(arguments: rules) func `has no empty part and no empty message`(_ rules: DialectRules) {
        forWindows { _, window, random in
            for message in window.outgoing(for: rules) {
                #expect(!message.parts.isEmpty && !message.parts.contains(.text("")), "\(random)")
            }
        }
    }

    @Test(arguments: rules) func `has each call answered right behind it, once, and nothing else answered`(_ rules: DialectRules) {
        forWindows { _, window, random in
            let out = window.outgoing(for: rules)
            for (index, message) in out.enumerated() {
                let behind = index + 1 < out.count && out[index + 1].role == .tool ? out[index + 1].parts : []
                if message.role == .assistant { #expect(results(behind) == calls(message.parts), "\(random)") }
                if message.role == .tool { #expect(index > 0 && out[index - 1].role == .assistant, "\(random)") }
                #expect(message.role == .tool ? results(message.parts).count == message.parts.count : results(message.parts).isEmpty, "\(random)")
                #expect(message.role == .assistant || calls(message.parts).isEmpty, "\(random)")
            }
        }
    }

    @Test(arguments: rules) func `invents no result for a call that has one in the window`(_ rules: DialectRules) {
        forWindows { _, window, random in
            let here = Set(window.messages.filter { $0.role == .tool }.flatMap { results($0.parts) })
            let invented = window.outgoing(for: rules).flatMap(\.parts).compactMap { part -> String? in
                guard case .toolResult(let result) = part, result.text.hasPrefix("interrupted") else { return nil }
                return result.callID
            }
            #expect(invented.allSatisfy { $0 == "call_0" || !here.contains($0) || isBefore(its: $0, window.messages) }, "\(random)")
        }
    }

    /// Whether a result stands before its call, so that it answers nothing.
    private func isBefore(its id: String, _ messages: [Message]) -> Bool {
        let call = messages.firstIndex { $0.role == .assistant && calls($0.parts).contains(id) }
        let result = messages.lastIndex { $0.role == .tool && results($0.parts).contains(id) }
        return call.map { call in result.map { $0 < call } ?? true } ?? true
    }

    @Test(arguments: rules) func `has roles as its dialect demands`(_ rules: DialectRules) {
        forWindows { _, window, random in
            let out = window.outgoing(for: rules)
            if rules.isAlternating { for (a, b) in zip(out, out.dropFirst()) { #expect(a.role != b.role, "\(random)") } }
            if rules.startsWithUser { #expect(out.first { $0.role != .system }.map { $0.role == .user } ?? true, "\(random)") }
        }
    }

    @Test(arguments: rules) func `carries thoughts only to who made them`(_ rules: DialectRules) {
        forWindows { _, window, random in
            for part in window.outgoing(for: rules).flatMap(\.parts) {
                if case .thought(_, let issuer, _) = part { #expect(rules.thoughtIssuer != nil && issuer == rules.thoughtIssuer, "\(random)") }
            }
        }
    }

    @Test(arguments: rules) func `costs no more than the receipt says`(_ rules: DialectRules) {
        forWindows { one, window, random in
            let system = TokenEstimate.perRequest + (one.system.map { TokenEstimate.text($0) + TokenEstimate.perMessage } ?? 0)
            let cost = window.outgoing(for: rules).reduce(system) { $0 + TokenEstimate.message($1.parts) }
            #expect(cost <= window.receipt.estimate, "\(random)")
        }
    }
}
