/// `slide`: the longest suffix of whole turns that fits, so that as little as possible is left out.
package struct SlideStrategy: CutStrategy {
    package init() {}

    package func cut(_ question: CutQuestion) -> Cut {
        let high = question.suffix()
        // In a tool loop it stays where it is, as long as that fits: its thoughts are bound to what stands before them.
        guard let begin = question.loopBegin, let newest = question.turns.last, begin <= newest.seq,
            question.isWhole || begin >= question.turns[0].seq,
            let kept = question.turns.firstIndex(where: { $0.seq >= begin }), kept > high.first
        else { return high }
        return Cut(first: kept, rule: .anchor)
    }
}
