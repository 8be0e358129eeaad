package import Conversation

/// What a dialect demands of the messages of a request; the one place that checks it.
package struct DialectRules: Sendable, Equatable {
    /// Whether two messages of one role in a row must be joined.
    package var isAlternating: Bool
    /// Who gets back thoughts that it made; nil means that thoughts are never sent.
    package var thoughtIssuer: String?
    /// Whether the first message must be the user's.
    package var startsWithUser: Bool

    package init(isAlternating: Bool, thoughtIssuer: String? = nil, startsWithUser: Bool) {
        self.isAlternating = isAlternating
        self.thoughtIssuer = thoughtIssuer
        self.startsWithUser = startsWithUser
    }

    /// OpenAI's own servers demand no alternation, many local chat templates do (wire.md C1).
    package static let openAI = DialectRules(isAlternating: false, startsWithUser: false)
}

extension Window {
    /// The messages as a request carries them: no empty parts, no empty message, calls followed by all their
    /// results, roles alternating where they must.
    package func outgoing(for rules: DialectRules) -> [OutgoingMessage] {
        let plain = messages.map { message in
            OutgoingMessage(role: message.role, parts: message.parts.filter { rules.sends($0) })
        }
        var out = pairResults(plain).filter { !$0.parts.isEmpty }
        if rules.startsWithUser {
            while let first = out.firstIndex(where: { $0.role != .system }), out[first].role != .user { out.remove(at: first) }
        }
        return rules.isAlternating ? merged(out) : out
    }

    /// Puts each call's results right behind it, in the order of the calls, and closes calls that have none.
    private func pairResults(_ messages: [OutgoingMessage]) -> [OutgoingMessage] {
        var results: [String: Part] = [:]
        for part in messages.flatMap(\.parts) {
            if case .toolResult(let result) = part, results[result.callID] == nil { results[result.callID] = part }
        }
        var out: [OutgoingMessage] = []
        for message in messages {
            let rest = message.parts.filter { if case .toolResult = $0 { false } else { true } }
            if message.role != .tool { out.append(OutgoingMessage(role: message.role, parts: rest)) }
            guard message.role == .assistant else { continue }
            let answers: [Part] = rest.compactMap { part in
                guard case .toolCall(let call) = part else { return nil }
                return results.removeValue(forKey: call.id) ?? Part.interruptedResult(for: call.id)
            }
            if !answers.isEmpty { out.append(OutgoingMessage(role: .tool, parts: answers)) }
        }
        return out
    }

    private func merged(_ messages: [OutgoingMessage]) -> [OutgoingMessage] {
        var out: [OutgoingMessage] = []
        for message in messages {
            guard let last = out.last, last.role == message.role, message.role != .tool else {
                out.append(message)
                continue
            }
            out[out.count - 1].parts = join(last.parts, message.parts)
        }
        return out
    }

    private func join(_ first: [Part], _ second: [Part]) -> [Part] {
        if case .text(let a)? = first.last, case .text(let b)? = second.first {
            return first.dropLast() + [.text(a + "\n\n" + b)] + second.dropFirst()
        }
        return first + second
    }
}

extension DialectRules {
    /// Whether a part goes out: empty text never, thoughts only to who made them.
    fileprivate func sends(_ part: Part) -> Bool {
        switch part {
        case .text(let text): !text.isEmpty
        case .thought(_, let issuer, _): thoughtIssuer != nil && issuer == thoughtIssuer
        default: true
        }
    }
}
