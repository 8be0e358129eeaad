package import Conversation

/// What a dialect demands of the messages of a request; the one place that checks it.
package struct DialectRules: Sendable, Equatable {
    /// Whether two messages of one role in a row must be joined.
    package var isAlternating: Bool
    /// Who gets back thoughts that it made; nil means that thoughts are never sent.
    package var thoughtIssuer: String?
    /// Which of the issuer's thoughts go back to it.
    package enum Replay: Sendable {
        /// All of them.
        case all
        /// Those with the provider's seal, whole.
        case sealed
        /// Only seals that stand alone or behind a text.
        case seals
    }
    /// Matters only where there is an issuer.
    package var replay: Replay
    /// Whether the first message must be the user's.
    package var startsWithUser: Bool
    /// Whether the last message must be the user's, or a tool's.
    package var endsWithUser: Bool

    package init(
        isAlternating: Bool, thoughtIssuer: String? = nil, replay: Replay = .all, startsWithUser: Bool,
        endsWithUser: Bool = false
    ) {
        self.replay = replay
        self.isAlternating = isAlternating
        self.thoughtIssuer = thoughtIssuer
        self.startsWithUser = startsWithUser
        self.endsWithUser = endsWithUser
    }

    /// What asks a model to go on where its answer was cut, for dialects that take no answer as the last message.
    package static let goOn = "Continue exactly where you stopped."

    /// OpenAI's own servers demand no alternation, many local chat templates do (wire.md C1).
    package static let openAI = DialectRules(isAlternating: false, startsWithUser: false)
}

extension Window {
    /// The messages as a request carries them: no empty parts, no empty message, calls followed by all their
    /// results, roles alternating where they must.
    ///
    /// `mapped` counts what is sent otherwise than it is stored.
    package func outgoing(for rules: DialectRules, mapped: inout Mapped) -> [OutgoingMessage] {
        var plain: [OutgoingMessage] = []
        var before: Message?
        for message in messages {
            let parts = message.parts.filter { rules.sends($0) }.map { rules.unsealed($0) }
            if let before, message.goesOn(from: before), let last = plain.indices.last {
                plain[last].parts = join(plain[last].parts, parts, "")
            } else {
                plain.append(OutgoingMessage(role: message.role, parts: parts))
            }
            before = message
        }
        if rules.isAlternating {  // such dialects know one system prompt, and it stands first
            plain = plain.map { $0.role == .system ? OutgoingMessage(role: .user, parts: $0.parts) : $0 }
        }
        var out = pairResults(plain).filter { !$0.parts.isEmpty }
        if rules.startsWithUser {
            while let first = out.firstIndex(where: { $0.role != .system }), out[first].role != .user {
                out.remove(at: first)
            }
        }
        if rules.endsWithUser, out.last?.role == .assistant {
            out.append(OutgoingMessage(role: .user, parts: [.text(DialectRules.goOn)]))
        }
        for message in out.indices { out[message].close(&mapped) }
        return rules.isAlternating ? merged(out) : out
    }

    /// The messages as a request carries them, where nobody asks what was changed.
    package func outgoing(for rules: DialectRules) -> [OutgoingMessage] {
        var mapped = Mapped()
        return outgoing(for: rules, mapped: &mapped)
    }

    /// Puts each call's results right behind it, in the order of the calls, and closes calls that have none.
    private func pairResults(_ messages: [OutgoingMessage]) -> [OutgoingMessage] {
        var out: [OutgoingMessage] = [], waiting: [String: [Place]] = [:]
        for message in messages {
            if message.role == .tool {
                for part in message.parts {
                    guard case .toolResult(let result) = part, let place = waiting[result.callID]?.first
                    else { continue }
                    waiting[result.callID]?.removeFirst()
                    out[place.message].parts[place.part] = part
                }
                continue
            }
            let parts = message.parts.filter { if case .toolResult = $0 { false } else { true } }
            out.append(OutgoingMessage(role: message.role, parts: parts))
            let calls = parts.compactMap {
                if case .toolCall(let call) = $0, message.role == .assistant { call.id } else { nil }
            }
            if calls.isEmpty { continue }
            for id in calls { waiting[id] = [] }  // an older call with the same ID gets nothing any more
            for (index, id) in calls.enumerated() {
                waiting[id, default: []].append(Place(message: out.count, part: index))
            }
            out.append(OutgoingMessage(role: .tool, parts: calls.map { Part.interruptedResult(for: $0) }))
        }
        return out
    }

    /// Where the result of a call goes.
    private struct Place {
        let message: Int
        let part: Int
    }

    private func merged(_ messages: [OutgoingMessage]) -> [OutgoingMessage] {
        var out: [OutgoingMessage] = []
        for message in messages {
            guard let last = out.last, last.role == message.role, message.role != .tool else {
                out.append(message)
                continue
            }
            out[out.count - 1].parts = join(last.parts, message.parts, "\n\n")
        }
        return out
    }

    private func join(_ first: [Part], _ second: [Part], _ separator: String) -> [Part] {
        if case .text(let a)? = first.last, case .text(let b)? = second.first {
            return first.dropLast() + [.text(a + separator + b)] + second.dropFirst()
        }
        return first + second
    }
}

/// What goes into a request otherwise than it is stored, by kind and count.
package struct Mapped: Sendable, Equatable {
    /// Calls whose arguments are no JSON object, as where an answer was cut inside them; they are sent as `{}`.
    package var arguments = 0

    package init() {}
    var isEmpty: Bool { self == Mapped() }
}

extension OutgoingMessage {
    /// Gives each call an object for arguments, as servers demand: some fail for ever on half of one.
    fileprivate mutating func close(_ mapped: inout Mapped) {
        for index in parts.indices {
            guard case .toolCall(var call) = parts[index], !call.hasObject else { continue }
            let inner = call.innerObject
            call.arguments = inner ?? Array("{}".utf8)
            parts[index] = .toolCall(call)
            if inner == nil { mapped.arguments += 1 }
        }
    }
}

extension Message {
    /// Whether a model went on here where its answer had ended, perhaps inside a word: both are one answer.
    fileprivate func goesOn(from before: Message) -> Bool {
        role == .assistant && before.role == .assistant && turnID != nil && before.turnID != nil
            && seq == before.seq + 1
            && !before.parts.contains { if case .toolCall = $0 { true } else { false } }
    }
}

extension DialectRules {
    /// Whether a part goes out: empty text never, thoughts only to who made them.
    fileprivate func sends(_ part: Part) -> Bool {
        switch part {
        // White space alone is refused by some (wire.md A5, E2) and says nothing to any.
        case .text: !part.isBlank
        case .thought(let text, let issuer, let signature):
            isFor(issuer) && (replay == .all || signature != nil && (replay == .sealed || text.isEmpty))
        case .redactedThought(_, let issuer): isFor(issuer) && replay == .sealed
        default: true
        }
    }

    private func isFor(_ issuer: String?) -> Bool { thoughtIssuer != nil && issuer == thoughtIssuer }

    /// A call without the seal that only its own provider can read.
    fileprivate func unsealed(_ part: Part) -> Part {
        guard case .toolCall(var call) = part, call.issuer != thoughtIssuer else { return part }
        call.issuer = nil
        call.signature = nil
        return .toolCall(call)
    }
}
