package import Conversation

/// What of a session's history goes into one request.
package struct Window: Sendable, Equatable {
    /// The session's system prompt.
    package let system: String?
    /// The messages that go, oldest first: pins, then a suffix of whole turns.
    package let messages: [Message]
    /// What is in it, what was left out, and why.
    package let receipt: Receipt
}

/// A history as far as it was read: its newest messages, and what lies before them in numbers.
package struct History: Sendable, Equatable {
    /// Oldest first, up to the head and without gaps.
    package var messages: [Message]
    /// Pinned messages older than `messages`, with their tool-call partners, oldest first.
    package var olderPins: [Message]
    /// Excluded messages older than `messages`.
    package var olderExcluded: Int
    /// All messages on the path.
    package var count: Int
    /// The estimate over all of them.
    package var tokens: Int

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
    /// Tokens that there was room for, in our estimate.
    package let budget: Int
    /// The estimate for the system prompt with the request's own overhead.
    package let system: Int
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
    /// All numbers are tokens of one kind: the model's where its length is the limit, `ratio` of them for one of ours; else
    /// our estimates. Where what must be in is more than the newest turn, the parts are told one by one.
    package func sentence(_ limit: Limit, ratio: Double = 1) -> String {
        var scale = 1.0
        if case .model = limit { scale = ratio }
        func shown(_ tokens: Int) -> String { String(Int(Double(tokens) * scale)) }
        let all = [
            ("the system prompt", system > TokenEstimate.perRequest ? system : 0),
            ("pinned messages", pinned), ("the newest turn", newest),
        ]
        var parts = all.filter { $0.1 > 0 }
        let isOne = parts.count == 1, last = parts.popLast()
        let words = parts.map { "\($0.0) (\(shown($0.1)) tokens)" }.joined(separator: ", ")
        let end = last.map { isOne ? $0.0 : "\($0.0) (\(shown($0.1)))" } ?? "the request"
        let subject = isOne ? end : "\(words) and \(end)"
        let shorten = (isOne ? "shorten it" : "shorten them") + (pinned > 0 ? ", unpin" : "")
        let need = "\(subject) \(isOne && pinned == 0 ? "needs" : "need") \(shown(needed)) tokens"
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
    /// Cuts a history to a budget: the `slide` strategy.
    ///
    /// The system prompt, pinned messages and the newest turn are always in; then the longest suffix of whole turns
    /// that fits. Excluded, refused and failed messages are out. Tool calls go with their results.
    package static func cut(
        _ history: History, system: String?, policy: WindowPolicy, budget: Int
    ) throws(WindowError) -> Window {
        // A prompt that says nothing is none: as a block of text it is refused by some (wire.md E2).
        let system = system.flatMap { $0.isBlank ? nil : $0 }
        let sendable = (history.olderPins + history.messages).filter(\.isSendable)
        let pairs = ToolPairs(sendable), all = pairs.complete(sendable)
        func cost(_ message: Message) -> Int { message.tokens + (pairs.closing[message.seq] ?? 0) }

        let sent = Array(all.drop { message in history.messages.first.map { message.seq < $0.seq } ?? true })
        let turns = Turns(sent, isWhole: history.count == history.messages.count)
        let systemTokens =
            TokenEstimate.perRequest + (system.map { TokenEstimate.text($0) + TokenEstimate.perMessage } ?? 0)
        let newest = turns.starts.last.map { Array(sent[$0...]) } ?? []
        let older = all.prefix(all.count - sent.count)
        let pinnedSeqs = pairs.closure(of: older.map(\.seq) + sent.filter(\.isPinned).map(\.seq))
        let always = all.filter { pinnedSeqs.contains($0.seq) }
        let inNewest = Set(newest.map(\.seq))
        let pinTokens = always.reduce(0) { $0 + (inNewest.contains($1.seq) ? 0 : cost($1)) }
        let newestTokens = newest.reduce(0) { $0 + cost($1) }
        var estimate = systemTokens + pinTokens + newestTokens
        guard estimate <= budget else {
            throw WindowError(
                needed: estimate, budget: budget, system: systemTokens, pinned: pinTokens,
                newest: newestTokens)
        }

        var first = turns.starts.count - 1, count = newest.count
        var rule = Receipt.Rule.fits
        while first > 0 {
            let turn = sent[turns.starts[first - 1]..<turns.starts[first]]
            let more = turn.reduce(0) { $0 + (pinnedSeqs.contains($1.seq) ? 0 : cost($1)) }
            if let most = policy.maxTurns, turns.starts.count - first >= most {
                rule = .maxTurns
            } else if let most = policy.maxMessages, count + turn.count > most {
                rule = .maxMessages
            } else if estimate + more > budget {
                rule = .maxTokens
            }
            if rule != .fits { break }
            first -= 1
            estimate += more
            count += turn.count
        }
        if rule == .fits && first <= 0 && history.count > history.messages.count { rule = .maxTokens }

        let suffix = first >= 0 && !turns.starts.isEmpty ? Array(sent[turns.starts[first]...]) : []
        let begin = suffix.first?.seq ?? Int.max
        let pins = always.filter { $0.seq < begin }
        let kept = pairs.complete(pins + suffix)
        return Window(
            system: system, messages: kept,
            receipt: Receipt(
                policy: policy, budget: budget, estimate: estimate, rule: rule, history: history,
                suffix: suffix,
                pins: always, kept: kept))
    }

    /// Where the turns of a run of messages begin: at each message of the user; at the beginning of a history what a
    /// system message before them begins is a turn too.
    private struct Turns {
        var starts: [Int] = []
        init(_ messages: [Message], isWhole: Bool) {
            for (index, message) in messages.enumerated()
            where message.role == .user || message.role == .system && isWhole && starts.isEmpty {
                starts.append(index)
            }
        }
    }
}

extension Message {
    /// Whether the message may go upstream at all.
    package var isSendable: Bool { !isExcluded && status.isSent && !content.elementsEqual("[]".utf8) }
}
