internal import Conversation

/// Tool calls and their results, paired by ID.
enum ToolPairs {
    /// The IDs of the calls that a message makes or answers.
    static func ids(of message: Message) -> [String] {
        guard message.role == .assistant || message.role == .tool else { return [] }
        guard mayHoldTools(message.content) else { return [] }
        return message.parts.compactMap { part in
            switch part {
            case .toolCall(let call): call.id
            case .toolResult(let result): result.callID
            default: nil
            }
        }
    }

    /// Leaves out results whose call is not there; calls without a result are closed when the request is made.
    static func complete(_ messages: [Message]) -> [Message] {
        guard messages.contains(where: { $0.role == .tool }) else { return messages }
        var calls: Set<String> = []
        return messages.filter { message in
            guard mayHoldTools(message.content) else { return true }
            for part in message.parts { if case .toolCall(let call) = part { calls.insert(call.id) } }
            guard message.role == .tool else { return true }
            return message.parts.contains {
                if case .toolResult(let result) = $0 { calls.contains(result.callID) } else { false }
            }
        }
    }

    /// A quick look that spares most messages a decoding: every tool part's type begins with `tool_`.
    private static func mayHoldTools(_ content: [UInt8]) -> Bool {
        let mark = Array("tool_".utf8)
        guard content.count > mark.count else { return false }
        let text = content.span
        for at in 0..<(text.count - mark.count) where text[at] == mark[0] && text[at + 1] == mark[1] {
            if mark.indices.allSatisfy({ text[at + $0] == mark[$0] }) { return true }
        }
        return false
    }
}
