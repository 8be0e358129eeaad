/// Decides where the newest messages of a window begin: history, budget and anchor in; cut and anchor out.
package protocol CutStrategy: Sendable {
    /// Where the window begins; the same for the same question.
    func cut(_ question: CutQuestion) -> Cut
}

/// What a strategy decides on: whole turns with what they cost, and how much room there is.
package struct CutQuestion: Sendable {
    /// A turn of the history.
    package struct Turn: Sendable, Equatable {
        /// The place of its first message on the path.
        package let seq: Int
        /// The estimate for its messages that are not counted as pins.
        package let tokens: Int
        /// How many messages it has.
        package let messages: Int
        /// The place of its last message.
        package let last: Int

        /// Without a `last` its messages stand one behind the other.
        package init(seq: Int, tokens: Int, messages: Int, last: Int? = nil) {
            self.last = last ?? seq + max(0, messages - 1)
            self.seq = seq
            self.tokens = tokens
            self.messages = messages
        }
    }

    /// When a request is made, as far as the provider's cache is concerned.
    package struct Moment: Sendable, Equatable {
        /// Whether the provider has forgotten the request before: a cut costs nothing then.
        package var isCold: Bool
        /// Whether the newest turn goes on after results of tools.
        package var isInLoop: Bool

        package init(isCold: Bool = false, isInLoop: Bool = false) {
            self.isCold = isCold
            self.isInLoop = isInLoop
        }
    }

    /// Oldest first, as far as they were read; the newest is always in.
    package var turns: [Turn]
    /// The estimate for what is in whatever the cut is: system prompt and pins.
    package var fixed: Int
    /// Tokens that there is room for.
    package var budget: Int
    /// Whole turns at most, and messages at most; nil for any number.
    package var maxTurns: Int?
    package var maxMessages: Int?
    /// Whether no older turn lies before those that were read.
    package var isWhole: Bool
    /// Where the last window began; nil for none that counts.
    package var anchor: Int?
    package var moment: Moment
    /// The share of each limit to which a cut goes.
    package var lowMark: Double
    /// Tokens of the thoughts that go with the turns from the anchor on, which no turn counts: behind another cut they would not.
    package var thoughts = 0
    /// Where the request before began in a tool loop that goes on; nil where nobody knows, or there is none.
    package var loopBegin: Int?
    /// The places at which summaries end that stand ready, newest first.
    package var summaryEnds: [Int] = []

    package init(
        turns: [Turn], fixed: Int, budget: Int, maxTurns: Int? = nil, maxMessages: Int? = nil,
        isWhole: Bool = true, anchor: Int? = nil, moment: Moment = Moment(), lowMark: Double = 0.6
    ) {
        self.turns = turns
        self.fixed = fixed
        self.budget = budget
        self.maxTurns = maxTurns
        self.maxMessages = maxMessages
        self.isWhole = isWhole
        self.anchor = anchor
        self.moment = moment
        self.lowMark = lowMark
    }

    /// The longest suffix of whole turns within a share of each limit, the newest turn whatever it costs.
    ///
    /// The share is of what is there beside `fixed`: a long system prompt leaves no less room for each cut.
    func suffix(_ share: Double = 1) -> Cut {
        var first = turns.count - 1, rule = Receipt.Rule.fits
        guard first >= 0 else { return Cut(first: 0, rule: isWhole ? .fits : .maxTokens) }
        var tokens = fixed + turns[first].tokens, messages = turns[first].messages
        let room = share == 1 ? budget : fixed + Int(Double(budget - fixed) * share)
        let mostTurns = maxTurns.map { share == 1 ? $0 : max(1, Int(Double($0) * share)) }
        let mostMessages = maxMessages.map { share == 1 ? $0 : max(1, Int(Double($0) * share)) }
        while first > 0 {
            let turn = turns[first - 1]
            if let mostTurns, turns.count - first >= mostTurns {
                rule = .maxTurns
            } else if let mostMessages, messages + turn.messages > mostMessages {
                rule = .maxMessages
            } else if tokens + turn.tokens > room {
                rule = .maxTokens
            }
            if rule != .fits { break }
            first -= 1
            tokens += turn.tokens
            messages += turn.messages
        }
        if rule == .fits && !isWhole { rule = .maxTokens }
        return Cut(first: first, rule: rule)
    }

    /// Whether there is no room for the turns from `first` on with their thoughts.
    func isOver(from first: Int) -> Bool {
        thoughts > 0 && turns[first...].reduce(fixed + thoughts) { $0 + $1.tokens } > budget
    }

    /// Whether the turns from `first` on use more than a share of a limit.
    func uses(from first: Int, moreThan share: Double) -> Bool {
        let kept = turns[first...]
        let tokens = kept.reduce(0) { $0 + $1.tokens }
        return Double(tokens) > share * Double(budget - fixed)
            || maxTurns.map { Double(kept.count) > share * Double($0) } ?? false
            || maxMessages.map { most in
                Double(kept.reduce(0) { $0 + $1.messages }) > share * Double(most)
            } ?? false
    }
}

/// Where a window begins.
package struct Cut: Sendable, Equatable {
    /// The index of the first turn that is in.
    package var first: Int
    /// What made it so.
    package var rule: Receipt.Rule
    /// What the next window of the same session should know; nil for nothing.
    package var anchor: Int?

    package init(first: Int, rule: Receipt.Rule, anchor: Int? = nil) {
        self.first = first
        self.rule = rule
        self.anchor = anchor
    }
}
