internal import Conversation

/// Tool calls and their results along a stretch of a path, paired as windows pair them.
///
/// A result belongs to the newest call before it that has its ID and no result yet: some providers give the same ID to a call
/// of every turn.
struct CallPairs {
    private var messages: [Int: Message] = [:]
    private var links: [Int: Set<Int>] = [:]
    /// The calls of an ID that have no result yet, by the message that makes them.
    private var waiting: [String: (caller: Int, count: Int)] = [:]

    /// Takes the next message.
    mutating func take(_ message: Message) {
        if message.isPlainText || message.role != .assistant && message.role != .tool { return }
        for part in message.parts {
            switch part {
            case .toolCall(let call) where message.role == .assistant:
                let same = waiting[call.id].map { $0.caller == message.seq ? $0.count : 0 } ?? 0
                waiting[call.id] = (message.seq, same + 1)
                messages[message.seq] = message
            case .toolResult(let result) where message.role == .tool:
                guard let call = waiting[result.callID] else { continue }
                waiting[result.callID] = call.count > 1 ? (call.caller, call.count - 1) : nil
                messages[message.seq] = message
                links[call.caller, default: []].insert(message.seq)
                links[message.seq, default: []].insert(call.caller)
            default: continue
            }
        }
    }

    /// What must go with some messages, themselves left out.
    func partners(of seqs: Set<Int>) -> [Message] {
        var all = seqs, added = Array(seqs), found: [Message] = []
        while let seq = added.popLast() {
            for partner in links[seq] ?? [] where all.insert(partner).inserted {
                added.append(partner)
                if let message = messages[partner] { found.append(message) }
            }
        }
        return found
    }

    /// The IDs of calls among messages, in their order, that have no result there.
    static func open(_ messages: [Message]) -> Set<String> {
        var pairs = CallPairs()
        for message in messages { pairs.take(message) }
        return Set(pairs.waiting.keys)
    }
}
