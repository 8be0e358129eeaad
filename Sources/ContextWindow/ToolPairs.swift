internal import Conversation
internal import JSON

/// Tool calls and their results in a run of messages, paired by ID.
///
/// A result belongs to the newest message before it that makes a call with its ID, and each call has one: some providers
/// give the same ID to a call of every turn. Other results belong to nobody.
struct ToolPairs {
    /// For each message, by seq, those that answer its calls or make the calls it answers.
    private(set) var partners: [Int: Set<Int>] = [:]
    /// Messages that make calls, by seq.
    private(set) var callers: Set<Int> = []
    /// What a request needs beyond a message's own.
    struct Closing {
        /// Results that close a call without one.
        var results = 0
        /// Further messages for results of several callers.
        var messages = 0

        func tokens(_ weights: TokenWeights) -> Int {
            results * weights.tokens(ToolPairs.perResult)
                + messages * weights.tokens(ContentSize(tokens: TokenEstimate.perMessage))
        }
    }

    /// That of each message that needs some, by seq.
    private(set) var closing: [Int: Closing] = [:]

    /// The calls of one message that have one ID and no result yet.
    private struct Waiting {
        let caller: Int
        var count: Int
    }

    init(_ messages: [Message]) {
        var waiting: [String: Waiting] = [:], open: [Int: Int] = [:]
        for index in messages.indices {
            let role = messages[index].role
            guard role == .assistant || role == .tool, !messages[index].isPlainText,
                ToolPairs.mayHoldTools(messages[index].content)
            else { continue }
            let message = messages[index]
            for part in message.parts {
                switch part {
                case .toolCall(let call) where message.role == .assistant:
                    let same = waiting[call.id].map { $0.caller == message.seq ? $0.count : 0 } ?? 0
                    waiting[call.id] = Waiting(caller: message.seq, count: same + 1)
                    open[message.seq, default: 0] += 1
                    callers.insert(message.seq)
                case .toolResult(let result) where message.role == .tool:
                    guard let call = waiting[result.callID] else { continue }
                    waiting[result.callID] =
                        call.count > 1 ? Waiting(caller: call.caller, count: call.count - 1) : nil
                    open[call.caller, default: 0] -= 1
                    partners[call.caller, default: []].insert(message.seq)
                    if !partners[message.seq, default: []].insert(call.caller).inserted { continue }
                default: continue
                }
            }
        }
        for (seq, count) in open where count > 0 { closing[seq, default: Closing()].results = count }
        for (seq, callers) in partners where callers.count > 1 {
            // The newest caller's results stay in the message: each other one's, where it goes too, need one of their own.
            guard let newest = callers.max(), newest < seq else { continue }
            for caller in callers where caller != newest { closing[caller, default: Closing()].messages += 1 }
        }
    }

    /// The newest message that makes a call which a message of results answers; nil for other messages.
    func newestCaller(of message: Message) -> Int? {
        message.role == .tool ? partners[message.seq]?.max() : nil
    }

    /// What one closing result costs, as a message of its own.
    private static let perResult = TokenEstimate.size(of: [Part.interruptedResult(for: "")])

    /// The seqs with all that must go with them, so that no call parts from a result.
    func closure(of seqs: some Sequence<Int>) -> Set<Int> {
        var all = Set(seqs), added = Array(all)
        while let seq = added.popLast() {
            for partner in partners[seq] ?? [] where all.insert(partner).inserted { added.append(partner) }
        }
        return all
    }

    /// Leaves out results whose callers are not among the messages; calls without a result are closed when the request
    /// is made.
    func complete(_ messages: [Message]) -> [Message] {
        guard messages.indices.contains(where: { messages[$0].role == .tool }) else { return messages }
        let seqs = Set(messages.map(\.seq))
        return messages.filter { $0.role != .tool || !seqs.isDisjoint(with: partners[$0.seq] ?? []) }
    }

    /// Whether a message of a turn goes with it where nothing before the turn does: not a late result of an older turn's call.
    func isSent(_ message: Message, withTurnFrom start: Int) -> Bool {
        message.role != .tool || partners[message.seq]?.contains { $0 >= start } ?? false
    }

    /// A quick look that spares most messages a decoding: every tool part's type is a string that begins with `tool_`, or is
    /// spelled with numbers in place of letters.
    private static func mayHoldTools(_ content: [UInt8]) -> Bool {
        let text = content.span, mark = toolMark.span
        var at = ByteSearch.quote(in: text, from: 0)
        while at < text.count {
            if ByteSearch.matches(mark, in: text, at: at + 1) { return true }
            at = ByteSearch.quote(in: text, from: at + 1)
        }
        return ByteSearch.first(escapeMark.span, in: text) != nil
    }

    private static let toolMark = Array("tool_".utf8), escapeMark = Array("\\u".utf8)
}
