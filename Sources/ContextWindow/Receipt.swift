package import Conversation
package import JSON

/// What was sent for a turn, what was left out, and why.
package struct Receipt: Sendable, Equatable {
    /// What made the cut.
    package enum Rule: String, Sendable, CaseIterable {
        /// Nothing was left out.
        case fits
        /// A limit was passed.
        case maxTokens, maxTurns, maxMessages
        /// The provider takes no more bytes.
        case maxBytes
        /// The provider refused more.
        case overflow
        /// It is where the last cut was.
        case anchor
        /// It was made early, since the provider had forgotten the request before.
        case cold
        /// It is where a summary ends.
        case summary
    }

    /// At most so many pins and exclusions are listed one by one.
    package static let listed = 100

    /// The policy in force, those of session and turn taken in.
    package let policy: WindowPolicy
    /// The strategy in force.
    package let chosen: WindowPolicy.Chosen
    /// Tokens that there was room for, in our estimate.
    package var budget: Int
    /// The estimate for what was sent, system prompt and overheads included.
    package var estimate: Int
    /// `fits` where nothing was cut.
    package var rule: Rule
    /// Where the newest messages begin until the next cut; nil where the strategy cuts each time.
    package let anchor: Int?
    /// The seqs of the suffix that was sent; nil when there was none.
    package let sent: ClosedRange<Int>?
    /// How many messages were sent, pins before the suffix included.
    package let sentCount: Int
    /// Messages of the path that were not sent.
    package let leftOutCount: Int
    /// The estimate for those.
    package let leftOutTokens: Int
    /// The seqs of pinned messages and of what must go with them, at most `listed`.
    package let pinned: [Int]
    /// The seqs of results that did not go since their calls did not, at most `listed`.
    package let unpaired: [Int]
    /// The seqs of excluded messages among those that were read, at most `listed`.
    package let excluded: [Int]
    /// All of them, listed or not.
    package let pinnedCount: Int
    /// All on the path, listed or not.
    package let excludedCount: Int
    /// The summary that stands for messages that were left out; nil for none.
    package let summary: Summary?

    /// A summary as it was sent.
    package struct Summary: Sendable, Equatable {
        package let id: SummaryID
        /// The seqs that it covers.
        package let range: ClosedRange<Int>
        /// The estimate for it.
        package let tokens: Int
        /// How many messages of the range it stands for; the others are pinned or excluded.
        package let count: Int
    }

    /// What was sent otherwise than it is stored.
    package var mapped = Mapped()
    /// Tokens that the provider was seen to count for one estimated of plain text, as the estimate has it; nil for none.
    package var ratio: Double?
    /// Which thoughts go to the provider; nil where there are none that it or another might take.
    package var thoughts: Thoughts?

    /// How many of a window's thoughts went back to who made them.
    package struct Thoughts: Sendable, Equatable {
        package let sent: Int
        /// They are another provider's, or bound to what does not stand before them any more.
        package let leftOut: Int

        /// Why some stayed out; nil where none did.
        package let reason: Reason?
        /// Whether the model was told not to think, since its open tool loop has no thought that could go.
        package fileprivate(set) var isDisabled = false

        /// Whose thoughts stay out, by the word on the wire.
        package enum Reason: String, Sendable {
            /// Another provider's.
            case foreign
            /// Bound to what does not stand before them any more, or was refused.
            case changed
            /// Of more than one of these kinds.
            case both
            /// There is no room for them.
            case full
        }

        /// Nil where there were none; those of others, those that are bound to something else, and the oldest where there is no
        /// room stay out.
        package init?(sent: Int, foreign: Int, changed: Int, full: Int = 0) {
            let leftOut = foreign + changed + full
            if sent == 0 && leftOut == 0 { return nil }
            let kinds = [(foreign, Reason.foreign), (changed, .changed), (full, .full)].filter { $0.0 > 0 }
            reason = kinds.count > 1 ? .both : kinds.first?.1
            self.sent = sent
            self.leftOut = leftOut
        }

        fileprivate init(leftOut: Int, _ reason: Reason?) {
            (sent, self.leftOut, self.reason) = (0, leftOut, reason)
        }

        /// The same where those that went were refused, and went out no more.
        package var refused: Thoughts {
            sent == 0
                ? self
                : Thoughts(leftOut: leftOut + sent, reason == nil || reason == .changed ? .changed : .both)
        }
    }

    /// The model is told not to think.
    package mutating func disableThinking() {
        var thoughts = thoughts ?? Thoughts(leftOut: 0, nil)
        thoughts.isDisabled = true
        self.thoughts = thoughts
    }

    /// As raw JSON.
    package var encoded: [UInt8] {
        var writer = JSONWriter()
        write(to: &writer)
        return writer.bytes
    }

    init(
        policy: WindowPolicy, chosen: WindowPolicy.Chosen, budget: Int, estimate: Int, cut: Cut,
        history: History, suffix: [Message], pins: [Message], kept: [Message], summary: Summary?
    ) {
        self.summary = summary
        self.policy = policy
        self.chosen = chosen
        self.budget = budget
        self.estimate = estimate
        rule = cut.rule
        anchor = cut.anchor
        sent = suffix.first.flatMap { first in suffix.last.map { first.seq...$0.seq } }
        sentCount = kept.count
        leftOutCount = history.count - kept.count
        leftOutTokens = history.tokens - kept.reduce(0) { $0 + $1.tokens }
        // Results of calls that are not there do not go, wherever they stand.
        let begin = suffix.first?.seq ?? Int.max
        let results = [history.olderPins, history.messages].flatMap { messages in
            messages.indices.lazy.filter { messages[$0].role == .tool }.map { messages[$0] }
        }.filter { ($0.seq >= begin || $0.isPinned) && !$0.isExcluded && $0.status.isSent }
        let going = results.isEmpty ? [] : Set(kept.map(\.seq))
        unpaired = Array(results.map(\.seq).filter { !going.contains($0) }.prefix(Receipt.listed))
        let messages = history.messages
        let excludedHere = messages.indices.filter { messages[$0].isExcluded }.map { messages[$0].seq }
        pinned = pins.prefix(Receipt.listed).map(\.seq)
        excluded = Array(excludedHere.prefix(Receipt.listed))
        pinnedCount = pins.count
        excludedCount = excludedHere.count + history.olderExcluded
    }

    /// Writes the object `Receipt` of `schema/protocol.json`, without what is known only after the call.
    package func write(to writer: inout JSONWriter) {
        writer.object {
            $0.member("strategy") {
                $0.member("chosen", chosen.name.rawValue)
                $0.member("why", chosen.why)
            }
            $0.member("rule", rule.rawValue)
            $0.member("budget", budget)
            $0.member("estimate", estimate)
            $0.optional("anchor", anchor)
            if let sent {
                $0.key("sent");
                $0.array {
                    $0.int(sent.lowerBound); $0.int(sent.upperBound)
                }
            }
            $0.member("sentMessages", sentCount)
            $0.member("leftOutMessages", leftOutCount)
            $0.member("leftOutTokens", leftOutTokens)
            $0.member("pinnedMessages", pinnedCount)
            $0.member("excludedMessages", excludedCount)
            $0.member("summarizedMessages", summary?.count ?? 0)
            if let summary {
                $0.member("summary") {
                    $0.member("id", summary.id)
                    $0.member("from", summary.range.lowerBound)
                    $0.member("to", summary.range.upperBound)
                    $0.member("tokens", summary.tokens)
                }
            }
            if let thoughts {
                $0.member("thoughts") {
                    $0.member("sent", thoughts.sent)
                    $0.member("leftOut", thoughts.leftOut)
                    $0.optional("reason", thoughts.reason?.rawValue)
                    if thoughts.isDisabled { $0.member("disabled", true) }
                }
            }
            if let ratio {
                $0.key("ratio")
                $0.double(Double(Int(ratio * 1_000 + 0.5)) / 1_000)
            }
            if !mapped.isEmpty { $0.member("mapped") { mapped.write(to: &$0) } }
            if !pinned.isEmpty { $0.key("pinned"); $0.array { for seq in pinned { $0.int(seq) } } }
            if !excluded.isEmpty { $0.key("excluded"); $0.array { for seq in excluded { $0.int(seq) } } }
            if !unpaired.isEmpty { $0.key("unpaired"); $0.array { for seq in unpaired { $0.int(seq) } } }
        }
    }
}
