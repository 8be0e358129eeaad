import ContextWindow
import TestSupport
import Testing

private func turns(_ tokens: [Int], from seq: Int = 1) -> [CutQuestion.Turn] {
    tokens.enumerated().map { CutQuestion.Turn(seq: seq + 2 * $0, tokens: $1, messages: 2) }
}

private let saw = SawtoothStrategy()

@Suite struct `A slide` {
    private func question(_ begin: Int?) -> CutQuestion {
        var question = CutQuestion(
            turns: turns([Int](repeating: 10, count: 8)), fixed: 0, budget: 50,
            moment: .init(isInLoop: true))
        question.loopBegin = begin
        return question
    }

    @Test func `stays in a tool loop where its first request began, as long as that fits`() {
        let slide = SlideStrategy()
        #expect(slide.cut(question(nil)).first == 3)
        #expect(slide.cut(question(11)) == Cut(first: 5, rule: .anchor))
        #expect(slide.cut(question(7)).first == 3)
        #expect(slide.cut(question(3)).first == 3)
        #expect(slide.cut(question(99)).first == 3)
    }
}

@Suite struct `The sawtooth` {
    private func question(_ count: Int, anchor: Int? = nil, moment: CutQuestion.Moment = .init())
        -> CutQuestion
    {
        CutQuestion(
            turns: turns([Int](repeating: 10, count: count)), fixed: 0, budget: 100, anchor: anchor,
            moment: moment)
    }

    @Test func `keeps all while it fits, cuts to the low mark, and then keeps the cut`() {
        #expect(saw.cut(question(10)) == Cut(first: 0, rule: .fits, anchor: 1))
        #expect(saw.cut(question(10, anchor: 1)) == Cut(first: 0, rule: .fits, anchor: 1))
        #expect(saw.cut(question(11, anchor: 1)) == Cut(first: 5, rule: .maxTokens, anchor: 11))
        for count in 12...15 {
            #expect(saw.cut(question(count, anchor: 11)) == Cut(first: 5, rule: .anchor, anchor: 11))
        }
        #expect(saw.cut(question(16, anchor: 11)).anchor == 21)
        #expect(saw.cut(question(11)) == Cut(first: 5, rule: .maxTokens, anchor: 11))
    }

    @Test func `cuts early when that costs nothing, but not inside a tool loop or with much room left`() {
        let cold = CutQuestion.Moment(isCold: true)
        #expect(saw.cut(question(9, anchor: 1, moment: cold)) == Cut(first: 3, rule: .cold, anchor: 7))
        #expect(saw.cut(question(8, anchor: 1, moment: cold)).anchor == 1)
        let loop = CutQuestion.Moment(isCold: true, isInLoop: true)
        #expect(saw.cut(question(9, anchor: 1, moment: loop)).anchor == 1)
        #expect(saw.cut(question(11, anchor: 1, moment: loop)).anchor == 11)
    }

    @Test func `cuts what is full with its thoughts, but not inside a tool loop, which needs them`() {
        var asked = question(8, anchor: 1)
        asked.thoughts = 20
        #expect(saw.cut(asked) == Cut(first: 0, rule: .fits, anchor: 1))
        asked.thoughts = 21
        #expect(saw.cut(asked) == Cut(first: 2, rule: .maxTokens, anchor: 5))
        asked.anchor = nil
        #expect(saw.cut(asked) == Cut(first: 2, rule: .maxTokens, anchor: 5))
        asked.moment.isInLoop = true
        #expect(saw.cut(asked).anchor == 1)
        // Where there is little text the thoughts alone are too many.
        asked = question(6, anchor: 1)
        asked.thoughts = 99
        #expect(saw.cut(asked) == Cut(first: 0, rule: .fits, anchor: 1))
    }

    @Test
    func `goes on with the next turn where the anchor's message is gone, and without one that is ahead`() {
        #expect(saw.cut(question(8, anchor: 4)) == Cut(first: 2, rule: .anchor, anchor: 5))
        #expect(saw.cut(question(8, anchor: 99)) == Cut(first: 0, rule: .fits, anchor: 1))
        var partly = question(8, anchor: 3)
        partly.turns = turns([Int](repeating: 10, count: 8), from: 21)
        partly.isWhole = false
        #expect(saw.cut(partly) == Cut(first: 2, rule: .maxTokens, anchor: 25))
    }

    @Test func `takes limits of turns and messages as high marks too`() {
        var asked = question(10)
        asked.maxTurns = 5
        #expect(saw.cut(asked) == Cut(first: 7, rule: .maxTurns, anchor: 15))
        asked.maxTurns = 1
        #expect(saw.cut(asked).first == 9)
        asked.maxTurns = nil
        asked.maxMessages = 10
        #expect(saw.cut(asked) == Cut(first: 7, rule: .maxMessages, anchor: 15))
    }
}

/// A session that grows turn by turn, each window made with the anchor of the one before.
private func walk(
    _ strategy: any CutStrategy, _ source: inout SeededRandom, _ check: (CutQuestion, Cut, Int) -> Void
) {
    var all: [CutQuestion.Turn] = [], anchor: Int?
    let budget = source.int(50...2_000), fixed = source.int(0...20)
    let most = source.oneIn(3) ? source.int(1...9) : nil
    let messages = source.oneIn(3) ? source.int(2...30) : nil
    for step in 0..<60 {
        let tokens = source.int(1...max(1, min(budget - fixed, budget / source.int(2...40))))
        all.append(.init(seq: 1 + 3 * step, tokens: tokens, messages: source.int(1...3)))
        let read = source.oneIn(2) ? all : Array(all.suffix(source.int(1...60)))
        var question = CutQuestion(
            turns: read, fixed: fixed, budget: budget, maxTurns: most, maxMessages: messages,
            isWhole: read.count == all.count, anchor: anchor,
            moment: .init(isCold: source.oneIn(5), isInLoop: source.oneIn(5)),
            lowMark: Double(source.int(1...9)) / 10)
        // What was not read does not fit: so it is read.
        if !question.isWhole, question.turns.reduce(fixed, { $0 + $1.tokens }) <= budget {
            (question.turns, question.isWhole) = (all, true)
        }
        let cut = strategy.cut(question)
        check(question, cut, step)
        anchor = cut.anchor
    }
}

@Suite struct `Any strategy` {
    @Test(arguments: [WindowPolicy.Chosen.slide, .sawtooth])
    func `keeps whole turns within every limit, the newest among them, and decides the same again`(
        _ chosen: WindowPolicy.Chosen
    ) {
        let random = SeededRandom()
        var source = random
        for _ in 0..<500 {
            walk(chosen.strategy, &source) { question, cut, _ in
                let kept = question.turns[cut.first...]
                #expect(!kept.isEmpty, "\(random)")
                if kept.count > 1 {
                    #expect(kept.reduce(question.fixed) { $0 + $1.tokens } <= question.budget, "\(random)")
                    #expect(question.maxTurns.map { kept.count <= $0 } ?? true, "\(random)")
                    #expect(
                        question.maxMessages.map { most in kept.reduce(0) { $0 + $1.messages } <= most }
                            ?? true,
                        "\(random)")
                }
                #expect(chosen.strategy.cut(question) == cut, "\(random)")
                #expect((cut.anchor == nil) == (chosen == .slide), "\(random)")
                #expect((cut.rule == .fits) == (cut.first == 0 && question.isWhole), "\(random)")
                var again = question
                again.anchor = cut.anchor
                again.moment.isCold = false
                #expect(chosen.strategy.cut(again).first == cut.first, "\(random)")
            }
        }
    }

    @Test func `that is the sawtooth only ever moves its anchor on, and rarely`() {
        let random = SeededRandom()
        var source = random, cuts = 0, all = 0
        for _ in 0..<300 {
            var last: Int?
            walk(SawtoothStrategy(), &source) { _, cut, step in
                #expect(last ?? 0 <= cut.anchor ?? 0, "\(random)")
                if step > 0 {
                    all += 1
                    if cut.anchor != last { cuts += 1 }
                }
                last = cut.anchor
            }
        }
        #expect(cuts * 2 < all, "\(random): \(cuts) of \(all)")
    }

    @Test
    func `that is the sawtooth lets nine tenths of a prompt be the one before, where sliding keeps nothing`()
    {
        var source = SeededRandom()
        let tokens = (0..<500).map { _ in source.int(100...400) }, budget = 20_000
        /// The share of tokens, after the first cut, that stand where they stood in the request before.
        func share(_ strategy: any CutStrategy) -> Double {
            var all: [CutQuestion.Turn] = [], anchor: Int?, first = 0, same = 0, sent = 0
            for (index, cost) in tokens.enumerated() {
                all.append(.init(seq: index + 1, tokens: cost, messages: 2))
                let cut = strategy.cut(CutQuestion(turns: all, fixed: 0, budget: budget, anchor: anchor))
                let now = all[cut.first...].reduce(0) { $0 + $1.tokens }
                if first > 0 || cut.first > 0 {
                    sent += now
                    if cut.first == first { same += now - cost }
                }
                (anchor, first) = (cut.anchor, cut.first)
            }
            return Double(same) / Double(sent)
        }
        #expect(share(SawtoothStrategy()) >= 0.9 && share(SlideStrategy()) < 0.3)
    }

    @Test func `that slides leaves out as little as possible`() {
        let random = SeededRandom()
        var source = random
        for _ in 0..<300 {
            walk(SlideStrategy(), &source) { question, cut, _ in
                guard cut.first > 0 else { return }
                let wider = question.turns[(cut.first - 1)...]
                let isTooMuch =
                    wider.reduce(question.fixed) { $0 + $1.tokens } > question.budget
                    || question.maxTurns.map { wider.count > $0 } ?? false
                    || question.maxMessages.map { wider.reduce(0) { $0 + $1.messages } > $0 } ?? false
                #expect(isTooMuch, "\(random)")
            }
        }
    }
}
