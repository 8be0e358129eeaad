package import Conversation

/// What of a session's history goes into one request.
package struct Window: Sendable, Equatable {
    /// The session's system prompt.
    package let system: String?
    /// What stands for messages that are left out, before all that go; nil for nothing.
    package let summary: Summary?
    /// The messages that go, oldest first: pins, then a suffix of whole turns.
    package let messages: [Message]
    /// What is in it, what was left out, and why.
    package let receipt: Receipt
    /// Where the newest messages begin, for the next window; nil where the strategy keeps nothing.
    package let anchor: Int?
    /// What should be summarized behind this turn; nil where the strategy makes no summaries.
    package let outlook: SummaryOutlook?
    /// How much there is to read of all of it, but for what closes calls.
    package let size: ContentSize
}

/// What a cut hangs on beside the history and the budget.
package struct CutContext: Sendable, Equatable {
    /// The strategy in force, and why it is that one.
    package var chosen: WindowPolicy.Chosen
    /// Where the last window began; nil for none that counts.
    package var anchor: Int?
    package var isCold: Bool
    /// What messages cost of the budget.
    package var weights: TokenWeights
    /// Whether an answer at the end is followed by words that ask to go on.
    package var endsWithUser: Bool
    /// Whether words of the user go before an answer at the beginning.
    package var startsWithUser = false
    /// Tokens of the thoughts that would go with a window that begins at the anchor.
    package var thoughts = 0
    /// Where the request before began, for a tool loop under a strategy that keeps no anchor; nil for nothing.
    package var loopBegin: Int?

    package init(
        _ chosen: WindowPolicy.Chosen, anchor: Int? = nil, isCold: Bool = false,
        weights: TokenWeights = .unknown, endsWithUser: Bool = false, startsWithUser: Bool = false
    ) {
        self.startsWithUser = startsWithUser
        self.weights = weights
        self.endsWithUser = endsWithUser
        self.chosen = chosen
        self.anchor = anchor
        self.isCold = isCold
    }

    /// The `slide` strategy, which keeps nothing.
    package static let slide = CutContext(.slide)
}

/// A history as far as it was read: its newest messages, and what lies before them in numbers.
package struct History: Sendable, Equatable {
    /// Oldest first, up to the head and without gaps.
    package var messages: [Message]
    /// Pinned messages older than `messages`, with their tool-call partners, oldest first.
    package var olderPins: [Message]
    /// The estimate for older pins that are not among `olderPins`: with them the pins fit into no window.
    package var unreadPinTokens = 0
    /// Excluded messages older than `messages`.
    package var olderExcluded: Int
    /// The path's summaries that are known, those that end last first.
    package var summaries: [Summary] = []
    /// All messages on the path.
    package var count: Int
    /// The estimate over all of them.
    package var tokens: Int

    /// What of it may go at all, oldest first.
    fileprivate var sendable: [Message] {
        if olderPins.isEmpty, isAllSendable { return messages }
        return (olderPins + messages).filter(\.isSendable)
    }

    private var isAllSendable: Bool {
        for index in messages.indices where !messages[index].isSendable { return false }
        return true
    }

    /// Without `count` and `tokens` there is nothing older than `messages`.
    package init(
        messages: [Message], olderPins: [Message] = [], olderExcluded: Int = 0, count: Int? = nil,
        tokens: Int? = nil
    ) {
        self.messages = messages
        self.olderPins = olderPins
        self.olderExcluded = olderExcluded
        self.count = count ?? messages.count
        self.tokens = tokens ?? messages.reduce(0) { $0 + $1.tokens }
    }
}

/// A window cannot be made: what must be in does not fit.
package struct WindowError: Error, Sendable, Equatable {
    /// The estimate of what must be in: system prompt, pins and the newest turn.
    package let needed: Int
    /// Tokens that there was room for.
    package let budget: Int
    /// The estimate for the system prompt with the request's own overhead.
    package let system: Int
    /// Whether there is a system prompt.
    package let hasSystem: Bool
    /// The estimate for tools, and for the form of the answer.
    package let demands: Int
    /// The estimate for pins outside the newest turn.
    package let pinned: Int
    /// The estimate for the newest turn.
    package let newest: Int

    /// What the budget comes from, for the sentence.
    package enum Limit: Sendable, Equatable {
        /// The policy's own `maxTokens`.
        case policy
        /// The model's context length in its own tokens, and what is kept of it for the answer.
        case model(String, length: Int, reserved: Int)
        /// Nobody knows what the model holds.
        case unknown(model: String)
    }

    /// One sentence with what was too long, the limit and what to do.
    ///
    /// All numbers are the model's tokens, by our estimate. Where what must be in is more than the newest turn, the parts are
    /// told one by one.
    package func sentence(_ limit: Limit) -> String {
        let all = [
            ("the system prompt", hasSystem ? system : 0), ("the definitions of tools", demands),
            ("pinned messages", pinned), ("the newest turn", newest),
        ]
        var parts = all.filter { $0.1 > 0 }
        let isOne = parts.count == 1, last = parts.popLast()
        let words = parts.map { "\($0.0) (\($0.1) tokens)" }.joined(separator: ", ")
        let end = last.map { isOne ? $0.0 : "\($0.0) (\($0.1))" } ?? "the request"
        let subject = isOne ? end : "\(words) and \(end)"
        let shorten = (isOne ? "shorten it" : "shorten them") + (pinned > 0 ? ", unpin" : "")
        let need = "\(subject) \(isOne && pinned == 0 ? "needs" : "need") \(needed) tokens"
        return switch limit {
        case .policy: "\(need), the window holds \(budget); \(shorten), or raise 'window.maxTokens'"
        case .model(let model, let length, let reserved):
            "\(need), model '\(model.prefix(80))' holds \(length), of which \(reserved) are kept for the answer; \(shorten), keep less for the answer, or ask a model that holds more"
        case .unknown(let model):
            "\(need), and \(budget) are sent while nobody knows what model '\(model.prefix(80))' holds; \(shorten), or set 'contextLength' of its upstream or 'window.maxTokens'"
        }
    }
}

extension Window {
    /// Cuts a history to a budget.
    ///
    /// The system prompt, what else is demanded, pinned messages and the newest turn are always in; then the turns before it
    /// from where the strategy says. Excluded, refused and failed messages are out. Tool calls go with their results.
    package static func cut(
        _ history: History, system: String?, policy: WindowPolicy, budget: Int,
        demands: ContentSize = ContentSize(), _ context: CutContext = .slide
    ) throws(WindowError) -> Window {
        // A prompt that says nothing is none: as a block of text it is refused by some (wire.md E2).
        let system = system.flatMap { $0.isBlank ? nil : $0 }
        let sendable = history.sendable
        let pairs = ToolPairs(sendable), all = pairs.complete(sendable)
        let weights = context.weights
        func size(of message: Message) -> ContentSize {
            var size = message.size
            // Who gets thoughts back without a seal gets those behind which something was called (wire.md C6).
            if size[.thought] > 0, !pairs.callers.contains(message.seq) { size[.thought] = 0 }
            return size
        }
        func cost(_ message: Message) -> Int {
            weights.tokens(size(of: message)) + (pairs.closing[message.seq]?.tokens(weights) ?? 0)
        }

        let start = history.messages.first?.seq ?? Int.max
        let sent = Array(all[(all.indices.first { all[$0].seq >= start } ?? all.endIndex)...])
        let isWhole = history.count == history.messages.count
        let turns = Turns(sent, isWhole: isWhole)
        let systemSize = TokenEstimate.size(ofSystem: system), systemTokens = weights.tokens(systemSize)
        let demandTokens = demands == ContentSize() ? 0 : weights.tokens(demands)
        let older = all.prefix(all.count - sent.count)
        let pins = older.map(\.seq) + sent.indices.filter { sent[$0].isPinned }.map { sent[$0].seq }
        let pinnedSeqs = pairs.closure(of: pins)
        let always = pinnedSeqs.isEmpty ? [] : all.filter { pinnedSeqs.contains($0.seq) }
        let newest = turns.starts.last.map { sent[$0...] } ?? []
        let goOn =
            context.endsWithUser && mayEndWithAnswer(newest) ? weights.tokens(Window.goOnSize) : 0
        let openingTokens = context.startsWithUser ? weights.tokens(Window.openingSize) : 0
        func opening(_ messages: some Sequence<Message>) -> Int {
            openingTokens > 0 && mayBeginWithAnswer(messages) ? openingTokens : 0
        }
        let inNewest = Set(newest.map(\.seq))
        // A pin of the newest turn counts with that.
        let pinTokens = always.reduce(history.unreadPinTokens + opening(always)) {
            $0 + (inNewest.contains($1.seq) ? 0 : cost($1))
        }
        var question = CutQuestion(
            turns: turns.questions(sent, pairs, pinned: pinnedSeqs) { message, isNewest in
                !isNewest && pinnedSeqs.contains(message.seq) ? 0 : cost(message)
            } opening: {
                opening($0)
            }, fixed: systemTokens + demandTokens + pinTokens + goOn, budget: budget,
            maxTurns: policy.maxTurns,
            maxMessages: policy.maxMessages, isWhole: isWhole, anchor: context.anchor,
            moment: CutQuestion.Moment(isCold: context.isCold, isInLoop: sent.last?.role == .tool),
            lowMark: policy.lowMark(of: budget))
        question.thoughts = context.thoughts
        question.loopBegin = question.moment.isInLoop ? context.loopBegin : nil
        let fixed = question.fixed, newestTokens = question.turns.last?.tokens ?? 0
        guard question.fixed + newestTokens <= budget else {
            throw WindowError(
                needed: question.fixed + newestTokens, budget: budget, system: systemTokens,
                hasSystem: system != nil, demands: demandTokens, pinned: pinTokens,
                newest: newestTokens + goOn)
        }
        let summaries = ReadySummaries(
            history, context.chosen.name, newest: question.turns.last?.seq,
            loopSince: question.moment.isInLoop
                ? newest.first { $0.role == .assistant }?.createdAt : nil, weights,
            room: budget - fixed - newestTokens)
        question.take(summaries, isRead: history.messages.first.map { $0.seq <= summaries.floor + 1 } ?? true)
        var cut = context.chosen.strategy.cut(question)
        if summaries.floor > 0, cut.first == 0, cut.rule == .fits {
            let isKept = cut.anchor != nil && cut.anchor == context.anchor
            cut.rule = isKept ? .anchor : .summary
        }
        let first = turns.starts.count - question.turns.count + cut.first
        let suffix = turns.starts.isEmpty ? [] : Array(sent[turns.starts[first]...])
        let begin = suffix.first?.seq ?? Int.max
        let before = always.filter { $0.seq < begin }
        let kept = pairs.complete(before.isEmpty ? suffix : before + suffix)
        let summary = summaries.last(before: begin)
        let estimate = question.turns.dropFirst(cut.first).reduce(fixed + (summary?.tokens ?? 0)) {
            $0 + $1.tokens
        }
        return Window(
            system: system, summary: summary?.summary, messages: kept,
            receipt: Receipt(
                policy: policy, chosen: context.chosen, budget: budget, estimate: estimate, cut: cut,
                history: history, suffix: suffix, pins: always, kept: kept,
                summary: summary.map {
                    Receipt.Summary($0, kept: kept, excluded: history.messages.filter(\.isExcluded))
                }), anchor: cut.anchor,
            outlook: question.outlook(cut, covered: summaries.covered, context.chosen, used: estimate),
            size: kept.reduce(systemSize + demands + (summary?.size ?? ContentSize())) { $0 + size(of: $1) })
    }

    /// Whether a request may end with what the model said: what is blank is not sent, what is only thought may not be, and results
    /// stand behind their calls.
    private static func mayEndWithAnswer(_ newest: ArraySlice<Message>) -> Bool {
        let said = newest.lazy.filter { $0.role != .tool }.reversed()
        for isThought in [true, false] {
            let last = said.first { message in
                message.saysSomethingPlain
                    || message.parts.contains { !$0.isBlank && (isThought || !$0.isThought) }
            }
            guard let last else { return true }
            let hasCall = last.parts.contains { if case .toolCall = $0 { true } else { false } }
            if last.role == .assistant && !hasCall { return true }
        }
        return false
    }

    /// Whether the first of some messages that says something may be another's than the user's.
    private static func mayBeginWithAnswer(_ messages: some Sequence<Message>) -> Bool {
        for message in messages where message.role == .assistant || message.role == .user {
            // What is longer says something.
            let isShort = message.content.count < 256
            if isShort, message.parts.allSatisfy(\.isBlank) { continue }
            return message.role == .assistant
        }
        return false
    }

    private static let openingSize = TokenEstimate.size(of: [.text(DialectRules.opening)])
    private static let goOnSize = TokenEstimate.size(of: [.text(DialectRules.goOn)])

    /// Where the turns of a run of messages begin: at each message of the user; at the beginning of a history what a
    /// system message before them begins is a turn too.
    private struct Turns {
        var starts: [Int] = []
        init(_ messages: [Message], isWhole: Bool) {
            for index in messages.indices {
                let role = messages[index].role
                if role == .user || role == .system && isWhole && starts.isEmpty { starts.append(index) }
            }
        }

        /// What each turn costs, and how many messages it brings.
        ///
        /// A result that came turns after its call goes where that call goes, so it counts with the call's turn, unless a pin holds both.
        func questions(
            _ sent: [Message], _ pairs: ToolPairs, pinned: Set<Int>,
            cost: (Message, _ isNewest: Bool) -> Int, opening: (ArraySlice<Message>) -> Int
        ) -> [CutQuestion.Turn] {
            let ends = starts.dropFirst() + [sent.count]
            var tokens = starts.map { _ in 0 }, messages = tokens
            for (own, (start, end)) in zip(starts, ends).enumerated() {
                for index in start..<end {
                    var turn = own
                    if sent[index].role == .tool, !pinned.contains(sent[index].seq),
                        let caller = pairs.newestCaller(of: sent[index])
                    {
                        while turn >= 0, sent[starts[turn]].seq > caller { turn -= 1 }
                    }
                    guard turn >= 0 else { continue }
                    tokens[turn] += cost(sent[index], own == starts.count - 1)
                    messages[turn] += 1
                }
            }
            return zip(starts, ends).enumerated().map { turn, range in
                let seq = sent[range.0].seq
                let last = (range.0..<range.1).last { pairs.isSent(sent[$0], withTurnFrom: seq) }
                return CutQuestion.Turn(
                    seq: seq, tokens: tokens[turn] + opening(sent[range.0..<range.1]),
                    messages: messages[turn], last: last.map { sent[$0].seq })
            }
        }
    }
}

extension Message {
    /// Whether the message may go upstream at all.
    package var isSendable: Bool { !isExcluded && status.isSent && content.count > 2 }
}
