/// `summarize`: as `sawtooth`, but a cut falls where a summary of what is left out ends, if there is one.
package struct SummarizeStrategy: CutStrategy {
    /// The share of the budget from which the next cut is prepared.
    static let ahead = 0.8

    package init() {}

    package func cut(_ question: CutQuestion) -> Cut {
        let sawtooth = SawtoothStrategy().cut(question)
        if sawtooth.rule == .anchor || sawtooth.rule == .fits { return sawtooth }
        let high = question.suffix(), before = question.anchor ?? 0
        for end in question.summaryEnds {
            guard let first = question.turns.firstIndex(where: { $0.seq > end }), first >= high.first else {
                continue
            }
            let seq = question.turns[first].seq
            if seq > before { return Cut(first: first, rule: .summary, anchor: seq) }
        }
        return sawtooth
    }

    /// The place up to which a summary should reach before the next cut is made, so that this one leaves `lowMark` of the
    /// budget when it comes; nil where nothing would be left out.
    func next(_ question: CutQuestion) -> Int? {
        let share = max(WindowPolicy.lowMarks.lowerBound, question.lowMark - (1 - SummarizeStrategy.ahead))
        let low = question.suffix(share)
        guard low.first > 0 else { return nil }
        return question.turns[low.first].seq - 1
    }
}

/// What of a history a summary should cover, by a window that was just made.
package struct SummaryOutlook: Sendable, Equatable {
    /// The place before the first message of the newest ones that are sent.
    package let begin: Int
    /// Tokens of what is sent, and that may be.
    package var used: Int
    let budget: Int
    /// The share of the limits in turns and messages that is used; 0 where there are none.
    let fullness: Double
    /// Up to where messages are left out that no summary covers; nil where none are.
    let gap: Int?
    /// Up to where the next cut is to reach; nil where a summary is ready for it.
    let next: Int?

    /// The place up to which a summary is to be made once the answer, of so many tokens, is there; nil for none.
    ///
    /// It is one round for each range: what a round came to nothing over counts as covered.
    package func target(answer tokens: Int) -> Int? {
        let isNear =
            Double(used + tokens) > SummarizeStrategy.ahead * Double(budget)
            || fullness > SummarizeStrategy.ahead
        return [gap, isNear ? next : nil].compactMap(\.self).max()
    }
}
