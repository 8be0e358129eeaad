import ContextWindow
import Conversation
import JSON
import TestSupport

/// Makes histories, by hand and at random.
struct Histories {
    private var messages: [Message] = []

    static func text(_ text: String) -> Part { .text(text) }

    static func call(_ id: String) -> Part {
        .toolCall(Part.ToolCall(id: id, name: "tool", arguments: Array("{}".utf8)))
    }

    static func result(_ id: String, _ text: String = "done") -> Part {
        .toolResult(Part.ToolResult(callID: id, content: Array("\"\(text)\"".utf8), isError: false))
    }

    static func message(
        _ seq: Int, _ role: Message.Role, _ parts: [Part], tokens: Int? = nil,
        status: Message.Status = .complete, isPinned: Bool = false,
        isExcluded: Bool = false
    ) -> Message {
        Message(
            id: MessageID(high: 0, low: UInt64(seq)), seq: seq, role: role, status: status, createdAt: 0,
            tokens: tokens ?? TokenEstimate.message(parts), isPinned: isPinned, isExcluded: isExcluded,
            content: Part.encode(parts))
    }

    /// A history written as words: `u` user, `a` assistant, `t:x` the result of call x, `a:x,y` an assistant calling x and y.
    static func of(_ words: String, tokens: Int? = nil) -> [Message] {
        words.split(separator: " ").enumerated().map { index, word in
            let pieces = word.split(separator: ":"), seq = index + 1
            let ids = pieces.count > 1 ? pieces[1].split(separator: ",").map(String.init) : []
            return switch pieces[0] {
            case "u": message(seq, .user, [.text("user \(seq)")], tokens: tokens)
            case "s": message(seq, .system, [.text("system \(seq)")], tokens: tokens)
            case "t": message(seq, .tool, ids.map { result($0) }, tokens: tokens)
            default:
                message(
                    seq, .assistant, ids.isEmpty ? [.text("assistant \(seq)")] : ids.map(call), tokens: tokens
                )
            }
        }
    }
}

extension [Message] {
    /// A copy with one message changed.
    func changing(_ seq: Int, _ change: (inout Message) -> Void) -> [Message] {
        map { message in
            var message = message
            if message.seq == seq { change(&message) }
            return message
        }
    }
}

/// Cuts with a policy that sets only what is named.
func cut(
    _ messages: [Message], system: String? = nil, budget: Int = 1_000_000, maxTurns: Int? = nil,
    maxMessages: Int? = nil
) throws(WindowError) -> Window {
    try Window.cut(
        History(messages: messages), system: system,
        policy: WindowPolicy(maxTurns: maxTurns, maxMessages: maxMessages), budget: budget)
}

/// Messages of a request as words, as `Histories.of` reads them; what closes a call without a result is `t:x!`.
func words(_ messages: [OutgoingMessage]) -> String {
    messages.map { message in
        let ids: [String] = message.parts.compactMap { part in
            switch part {
            case .toolCall(let call): call.id
            case .toolResult(let result): result.callID + (result.text.hasPrefix("interrupted") ? "!" : "")
            default: nil
            }
        }
        let name = message.role == .tool ? "t" : String(message.role.name.prefix(1))
        return ids.isEmpty ? name : name + ":" + ids.joined(separator: ",")
    }.joined(separator: " ")
}

extension SeededRandom {
    /// A history with everything that has ever gone wrong in one: see `ToolPairs` and design section 4.
    mutating func history() -> [Message] {
        var drafts: [(role: Message.Role, parts: [Part])] = [], late: [Part] = [], calls = 0
        func id(_ random: inout SeededRandom) -> String {
            calls += 1
            return random.oneIn(12) ? "call_0" : "call_\(calls)"
        }
        for _ in 0..<int(0...2) { drafts.append((oneIn(3) ? .system : .assistant, [.text(text(12))])) }
        for _ in 0..<int(0...9) {
            drafts.append(
                (.user, oneIn(8) ? [.image(mimeType: "image/png", data: "", uri: nil)] : [.text(text(60))]))
            for _ in 0..<int(0...2) {
                let ids = (0..<int(0...3)).map { _ in id(&self) }
                let said: [Part] =
                    oneIn(3)
                    ? [.text("")]
                    : oneIn(4)
                        ? [.thought(text: text(9), issuer: pick(["a", "b"]), signature: nil)]
                        : [.text(text(30))]
                drafts.append((.assistant, (oneIn(2) ? said : []) + ids.map(Histories.call)))
                var results = ids.filter { _ in !oneIn(6) }.map { Histories.result($0, "r") }
                if oneIn(3) { results.shuffle(using: &self) }
                while let result = results.popLast() {
                    if oneIn(8) {
                        late.append(result)
                    } else if oneIn(2), let last = drafts.last, last.role == .tool {
                        drafts[drafts.count - 1].parts.append(result)
                    } else {
                        drafts.append((.tool, [result]))
                    }
                }
            }
            if oneIn(3), !late.isEmpty { drafts.append((.tool, [late.removeFirst()])) }
            if !oneIn(4) { drafts.append((.assistant, [.text(text(40))])) }
            if oneIn(10) { drafts.append((.tool, [Histories.result("nobody")])) }
        }
        return drafts.enumerated().map { index, draft in
            Histories.message(
                index + 1, draft.role, draft.parts,
                status: oneIn(8) ? pick(Message.Status.allCases) : .complete,
                isPinned: draft.role == .system || oneIn(12), isExcluded: oneIn(12))
        }
    }
}
