internal import Conversation

/// Messages as dialects with two roles have them: results of tools are the user's, and neighbours of one role are one.
struct WireTurn {
    let isModel: Bool
    var parts: [Part]

    /// Whether a person speaks in it.
    var isSpoken: Bool {
        !isModel && parts.contains { if case .toolResult = $0 { false } else { true } }
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

extension Part {
    /// What stands for the part in a dialect that knows only text: nil for media and calls.
    var plainText: String? {
        switch self {
        case .text(let text): text
        case .resource(let uri, let text?, _): "<resource uri=\"\(uri)\">\n\(text)\n</resource>"
        case .resource(let uri, nil, _): "[binary resource \(uri)]"
        case .resourceLink(let uri, let name, _): "[\(name)](\(uri))"
        default: nil
        }
    }
}
