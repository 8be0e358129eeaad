/// `sawtooth`: where a limit is passed much is left out at once, and then nothing for many turns, so that each request
/// begins with the one before it and the provider reads that from its cache.
package struct SawtoothStrategy: CutStrategy {
    /// The share of a limit from which a cut is made early, when it costs nothing.
    private static let early = 0.8

    package init() {}

    package func cut(_ question: CutQuestion) -> Cut {
        let turns = question.turns, high = question.suffix()
        guard let newest = turns.last else { return high }
        let low = question.suffix(question.lowMark)
        // Thoughts that leave out the oldest of them would begin each request otherwise: what is full with them is cut.
        var isOver = false
        // Of an anchor behind all turns nothing is left: its messages went with another branch.
        if let anchor = question.anchor, anchor <= newest.seq {
            if let kept = kept(anchor, question), kept >= high.first {
                isOver = isFull(kept, question)
                if kept >= low.first || !isOver && !isEarly(kept, question) {
                    let isAll = kept == 0 && question.isWhole
                    return Cut(first: kept, rule: isAll ? .fits : .anchor, anchor: turns[kept].seq)
                }
            }
        } else if high.rule == .fits {
            isOver = isFull(0, question)
            if !isOver { return Cut(first: 0, rule: .fits, anchor: turns[0].seq) }
        }
        let rule = low.rule == .fits ? .fits : high.rule != .fits ? high.rule : isOver ? .maxTokens : .cold
        return Cut(first: low.first, rule: rule, anchor: turns[low.first].seq)
    }

    /// The turn with which the last window began, or the one behind it where that is gone; nil where it lies before all that was
    /// read, which does not fit any more.
    private func kept(_ anchor: Int, _ question: CutQuestion) -> Int? {
        if !question.isWhole, let oldest = question.turns.first, anchor < oldest.seq { return nil }
        return question.turns.firstIndex { $0.seq >= anchor }
    }

    /// Whether the window is full with the thoughts that go with it; in a tool loop a cut would cost those that it needs.
    private func isFull(_ kept: Int, _ question: CutQuestion) -> Bool {
        !question.moment.isInLoop && question.isOver(from: kept)
    }

    /// Whether the cut moves before it must, since the provider reads all anew anyway.
    private func isEarly(_ kept: Int, _ question: CutQuestion) -> Bool {
        question.moment.isCold && !question.moment.isInLoop
            && question.uses(from: kept, moreThan: SawtoothStrategy.early)
    }
}
