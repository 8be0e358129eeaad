internal import ContextWindow
internal import Conversation

/// Messages as dialects with two roles have them: results of tools are the user's, and neighbours of one role are one.
struct WireTurn {
    let isModel: Bool
    var parts: [Part]

    /// Whether a person speaks in it: media beside results came from the tools.
    var isSpoken: Bool {
        let hasResult = parts.contains { if case .toolResult = $0 { true } else { false } }
        return !isModel
            && parts.contains { part in
                if case .toolResult = part { return false }
                return !hasResult || !part.isMedia
            }
    }

    /// The turns of a request's messages, in order.
    static func joined(_ messages: [OutgoingMessage]) -> [WireTurn] {
        var turns: [WireTurn] = []
        for message in messages {
            let isModel = message.role == .assistant
            if turns.last?.isModel == isModel {
                turns[turns.count - 1].parts += message.parts
            } else {
                turns.append(WireTurn(isModel: isModel, parts: message.parts))
            }
        }
        return turns
    }
}

/// The calls of a request in order, so that each result finds its own: providers use IDs again (wire.md A3).
struct CallLedger {
    /// A call as the request says it.
    struct Entry: Equatable {
        let name: String
        let id: String
    }

    private var open: [String: [Entry]] = [:]
    private var used: Set<String> = []

    /// Notes a call and returns the ID for it, which no other call of the request has.
    ///
    /// Anthropic takes letters, digits, `_` and `-` in IDs, each once; Gemini's and Kimi's are otherwise.
    @discardableResult
    mutating func add(_ call: Part.ToolCall) -> String {
        let plain = String(
            call.id.map { $0.isASCII && ($0.isLetter || $0.isNumber) || $0 == "_" || $0 == "-" ? $0 : "_" })
        var id = plain.isEmpty ? "call" : plain, number = 1
        while !used.insert(id).inserted {
            number += 1
            id = "\(plain)_\(number)"
        }
        open[call.id, default: []].append(Entry(name: call.name, id: id))
        return id
    }

    /// The call that a result answers: the oldest with its ID that has no result yet.
    mutating func caller(of result: Part.ToolResult) -> Entry? {
        guard let first = open[result.callID]?.first else { return nil }
        open[result.callID]?.removeFirst()
        return first
    }
}
