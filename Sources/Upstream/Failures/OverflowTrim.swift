/// How much smaller a request must be after a provider said that it was too long (wire.md C5, "Numbers").
package enum OverflowTrim {
    /// What to ask for in place of what was refused.
    package enum Change: Sendable, Equatable {
        /// The history fits, but not with so long an answer: ask for so many tokens.
        case answer(Int)
        /// The request may have so many tokens by our own estimate.
        case window(Int)
        /// The request may have so few tokens, with nobody saying how many would fit: nearly any server takes them.
        case few(Int)
        /// The request may have the newest turn alone, with what is always in: it has too many bytes, a second time.
        case newest
    }

    /// What to change, nil when the failure tells of no overflow.
    ///
    /// `estimate` is ours for the request, `length` the model's window as far as it is known, `answer` the cap that was
    /// asked for, `mayShrink` whether less can be asked for and `least` how much must be, `trims` how often it was trimmed before;
    /// all in tokens. `bytes` are those of the request's body; nil where it did not go out.
    package static func change(
        after failure: UpstreamFailure, estimate: Int, length: Int?, answer: Int?, mayShrink: Bool = true,
        least: Int = 0, trims: Int, bytes: Int? = nil
    ) -> Change? {
        guard let said = failure.overflow, estimate > 0 else { return nil }
        if said.isBytes {
            if trims > 0 { return .newest }
            guard let most = said.mostBytes, let bytes, bytes > most else {
                return .window(max(1, estimate / 2))
            }
            return .window(max(1, estimate * 15 / 16 * most / bytes))
        }
        // A refusal without a word may mean anything; near the window it most likely means this.
        if failure.kind != .overflow {
            guard failure.kind == .refused, let length, estimate * 100 >= length * 85 else { return nil }
        }
        guard let limit = said.limit else {
            // What is kept for the answer is most of it: that is what does not fit.
            if mayShrink, let answer, answer / 4 >= max(64, least), answer > 2 * estimate {
                return .answer(answer / 4)
            }
            let little = max(1, min(estimate / 4, few))
            if let excess = said.excess, trims == 0 {
                let rest = estimate - excess - max(64, excess / 8)
                return rest > little ? .window(rest) : .few(little)
            }
            return trims == 0 ? .window(max(1, estimate * 3 / 4)) : .few(little)
        }
        let margin = max(16, min(256, limit / 16), limit / 50)
        if mayShrink, let answer, let counted = said.counted, !said.isLowerBound, counted <= limit,
            counted + answer > limit, limit - counted - margin >= max(64, least)
        {
            return .answer(limit - counted - margin)
        }
        let kept = answer.map { mayShrink ? mostAnswer($0, of: limit, least: least) : $0 }
        var target = Double(max(1, limit - (kept ?? 0) - margin))
        if let counted = said.counted, !said.isLowerBound {
            target /= min(max(Double(counted) / Double(estimate), 0.5), 3)
            return .window(max(1, min(Int(target), estimate * 15 / 16)))
        }
        return .window(max(1, min(Int(target), estimate * 3 / 4)))
    }

    /// Tokens of a request for which there is room almost anywhere.
    package static let few = 1_024

    /// What is kept for an answer where less than was asked for may be: a quarter of what the server holds, or no more than
    /// before where nobody says how much that is, and no less than what is to be thought takes; all in tokens.
    package static func mostAnswer(_ answer: Int, of limit: Int?, least: Int) -> Int {
        min(answer, max(least, limit.map { $0 / 4 } ?? answer))
    }
}
