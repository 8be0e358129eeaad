/// `slide`: the longest suffix of whole turns that fits, so that as little as possible is left out.
package struct SlideStrategy: CutStrategy {
    package init() {}

    package func cut(_ question: CutQuestion) -> Cut { question.suffix() }
}
