internal import ContextWindow
internal import Conversation
internal import TestSupport
internal import Testing
internal import WindowCases

@Suite struct `Every promise of the window` {
    /// 100,000 of them are held by `window-walk`.
    @Test(arguments: CaseDialect.all.indices) func `is kept by random cases`(_ dialect: Int) {
        let seed = SeededRandom.runSeed
        for number in 0..<60 {
            var random = CaseRandom(seed: seed &+ UInt64(number))
            let one = RandomWindow(&random)
            if one.drafts.count > 400 { continue }
            let fault = Promises.broken(by: one, for: CaseDialect.all[dialect])
            #expect(fault == nil, "case \(number), CONVOD_SEED=\(seed)\n\(one.described)")
            guard let edited = one.edited(&random) else { continue }
            let other = Promises.broken(by: edited, for: CaseDialect.all[dialect])
            #expect(other == nil, "case \(number), CONVOD_SEED=\(seed), edited\n\(edited.described)")
        }
    }

    @Test func `that is broken is shown by a small case`() {
        // Planted: no window may hold a result of a tool behind an answer that was interrupted.
        func isBroken(_ one: RandomWindow) -> Bool {
            let seen = one.drafts.prefix { $0.status != .interrupted }.count
            return one.drafts.dropFirst(seen).contains { draft in
                draft.parts.contains { if case .toolResult = $0 { true } else { false } }
            }
        }
        var found = 0
        for number in 0..<40 {
            var random = CaseRandom(seed: UInt64(number))
            let one = RandomWindow(&random)
            guard isBroken(one) else { continue }
            found += 1
            let small = one.shrunk(while: isBroken)
            #expect(isBroken(small) && small.drafts.count <= 2, "\(small.described)")
            #expect(small.drafts.allSatisfy { $0.parts.count <= 1 && !$0.isPinned && !$0.isExcluded })
        }
        #expect(found > 10)
    }

    @Test func `covers what it is about`() {
        var kinds: Set<String> = []
        for number in 0..<400 {
            var random = CaseRandom(seed: UInt64(number))
            let one = RandomWindow(&random)
            if one.drafts.count > 2_000 { kinds.insert("long") }
            if one.strategy == .sawtooth { kinds.insert(one.anchor == nil ? "sawtooth" : "anchor") }
            if one.strategy == .summarize { kinds.insert(one.summaries.isEmpty ? "summarize" : "summaries") }
            switch Result(catching: { () throws(WindowError) in
                try one.cut(one.messages, for: CaseDialect.all[0])
            }) {
            case .failure: kinds.insert("refused")
            case .success(let window):
                kinds.insert(window.receipt.rule.rawValue)
                if window.receipt.leftOutCount > 0 { kinds.insert("left out") }
                if !window.gated(for: CaseDialect.all[3].rules).mapped.isMapped { kinds.insert("plain") }
            }
        }
        for kind in [
            "sawtooth", "anchor", "summarize", "summaries", "summary", "refused", "fits", "maxTokens",
            "maxTurns",
            "maxMessages", "cold",
            "left out",
        ] {
            #expect(kinds.contains(kind), "\(kinds)")
        }
    }
}

extension Mapped {
    fileprivate var isMapped: Bool { self != Mapped() }
}

@Suite struct `What the gate adds` {
    private func window(_ words: String, endsWithUser: Bool = true) throws -> Window {
        try Window.cut(
            History(messages: Histories.of(words)), system: nil, policy: WindowPolicy(), budget: 1 << 20,
            CutContext(.slide, endsWithUser: endsWithUser))
    }

    @Test func `is counted: words that ask to go on behind an answer`() throws {
        let plain = try window("u a", endsWithUser: false).receipt.estimate
        let more = try window("u a").receipt.estimate
        #expect(more == plain + TokenEstimate.message([.text(DialectRules.goOn)]))
        #expect(try window("u a u").receipt.estimate == window("u a u", endsWithUser: false).receipt.estimate)
        #expect(try window("u a:x").receipt.estimate == window("u a:x", endsWithUser: false).receipt.estimate)
    }

    @Test func `is nothing to who speaks for the system behind what is not sent`() throws {
        var history = Histories.of("u s u")
        history[0] = Histories.message(1, .user, [.text("\n")])
        let gated = try cut(history).gated(for: CaseDialect.all[0].rules)
        #expect(gated.system == "system 2" && words(gated.messages) == "u")
    }
}
