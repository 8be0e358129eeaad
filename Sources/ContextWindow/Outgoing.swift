package import Conversation
internal import JSON

/// What a dialect demands of the messages of a request; the one place that checks it.
package struct DialectRules: Sendable, Equatable {
    /// Whether two messages of one role in a row must be joined.
    package var isAlternating: Bool
    /// Who gets back thoughts that it made; nil means that thoughts are never sent.
    package var thoughtIssuer: String?
    /// What else the issuer is called by messages that are stored: the upstream's own name, as it was before 2026-11-29, and
    /// other accounts' and models' words for the same server.
    package var issuers: [String] = []
    /// Which of the issuer's thoughts go back to it.
    package enum Replay: Sendable {
        /// All of them.
        case all
        /// Only seals that stand alone or behind a text.
        case seals
        /// Those with the provider's seal, whole, that stand behind what they were made behind, in one unbroken run; see `ThoughtChain`.
        case chained
    }
    /// Matters only where there is an issuer.
    package var replay: Replay
    /// Ways in which a model is asked to think.
    package struct Thinking: OptionSet, Sendable {
        package let rawValue: Int
        package init(rawValue: Int) { self.rawValue = rawValue }
        /// With a number of tokens for it.
        package static let budgeted = Thinking(rawValue: 1)
        /// As much as it likes.
        package static let free = Thinking(rawValue: 2)
    }
    /// In which of them an open tool loop is refused whose answer began without a thought.
    package var refusesThoughtlessLoops: Thinking = []
    /// Whether the first message must be the user's.
    package var startsWithUser: Bool
    /// Whether the last message must be the user's, or a tool's.
    package var endsWithUser: Bool
    /// Whether messages of the system may stand among the others; else what is not at the beginning is said by the user.
    package var takesSystemAnywhere = false
    /// What tools may be called.
    package var toolNames = NameRule(longest: 64)
    /// What calls may be called; nil where the dialect sends no IDs, or makes its own.
    package var callIDs: NameRule?
    package var media = MediaRules.openAI
    /// What its models' vocabulary has for each class of characters.
    package var weights = TokenWeights.unknown

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

    /// What the user says before an answer at the beginning, as a pinned one, for dialects that take none there.
    package static let opening = "What was said before this is left out."

    /// OpenAI's own servers demand no alternation, many local chat templates do (wire.md C1).
    ///
    /// They take IDs of 40 characters at most ("string too long. Expected a string with maximum length 40", as in issue 8132
    /// of vercel/ai) and names of letters, digits, `_` and `-`. Kimi's IDs have dots and colons, and it stops calling tools when
    /// they come back otherwise (issue 713 of vybestack/llxprt-code).
    package static let openAI: DialectRules = {
        var rules = DialectRules(isAlternating: false, startsWithUser: false)
        rules.callIDs = NameRule(longest: 40, signs: "-.:")
        return rules
    }()
}

/// What of a window goes into a request, as its dialect demands it.
package struct Gated: Sendable, Equatable {
    /// The system prompt, with the messages of the system that stand at the window's beginning; nil for none.
    package var system: String?
    package var messages: [OutgoingMessage]
    /// Names of tools as the request says them.
    package var names = NameMap()
    /// What is sent otherwise than it is stored.
    package var mapped = Mapped()
    /// What the sealed thoughts of the window are bound to, by their seals.
    package var bindings: [String: Message.Binding] = [:]
    /// Who made each thought of the window that is not sent; nil where nobody knows.
    package var unsent: [String?] = []
    /// Whether the window has media that are sent.
    package var hasMedia = false
}

extension Window {
    /// The gate: what a request carries, with no empty parts and no empty message, calls followed by all their results,
    /// roles alternating where they must, one system prompt, media where the dialect takes them and names that it takes.
    ///
    /// `tools` are the names that the request offers to the model. Where what plain texts say is not read, all else is the same,
    /// and a stand-in is in their place.
    package func gated(for rules: DialectRules, tools: Set<String> = [], reading: Bool = true) -> Gated {
        var gated = Gated(system: system, messages: [])
        var plain: [OutgoingMessage] = []
        var before: Int?
        let isChained = rules.replay == .chained && rules.thoughtIssuer != nil
        let newest = messages.last { $0.role == .user }?.seq ?? 0
        for index in messages.indices {
            let message = messages[index]
            let isDead = rules.replay == .seals && message.binding == .dead
            let all = !reading && message.saysSomethingPlain ? Window.unread : message.parts
            let stored = isDead ? all.compactMap(\.withoutSeal) : all
            if isChained { gated.bind(message, stored) }
            // Most are words alone, which go as they are.
            let isPlain = stored.allSatisfy(\.isWords)
            let parts = isPlain ? stored : gated.taken(stored, of: message, rules, newest: newest)
            if let before, message.goesOn(from: messages[before]), let last = plain.indices.last {
                plain[last].parts = join(plain[last].parts, parts, "")
            } else {
                plain.append(OutgoingMessage(role: message.role, parts: parts))
            }
            before = index
        }
        // What says nothing stands between nobody.
        plain.removeAll { $0.parts.isEmpty }
        gated.takeSystem(from: &plain, rules)
        if let told = summary?.told {
            plain.insert(OutgoingMessage(role: .user, parts: [.text(told)]), at: 0)
        }
        var out = pairResults(plain, &gated.mapped).filter { !$0.parts.isEmpty }
        if rules.startsWithUser {
            if let first = out.firstIndex(where: { $0.role != .system }), out[first].role != .user {
                out.insert(OutgoingMessage(role: .user, parts: [.text(DialectRules.opening)]), at: first)
                gated.mapped.opened = 1
            }
        }
        if rules.endsWithUser, out.last?.role == .assistant {
            out.append(OutgoingMessage(role: .user, parts: [.text(DialectRules.goOn)]))
        }
        for message in out.indices { out[message].close(&gated.mapped) }
        out = gated.moveMedia(in: out, rules.media)
        gated.mapNames(in: &out, rules, tools)
        gated.messages = rules.isAlternating ? merged(out) : out
        return gated
    }

    /// What stands for a text that nobody reads.
    private static let unread = [Part.text("…")]

    /// The messages alone, where nobody asks for the rest.
    package func outgoing(for rules: DialectRules) -> [OutgoingMessage] { gated(for: rules).messages }

    /// Puts each call's results right behind it, in the order of the calls, and closes calls that have none.
    private func pairResults(_ messages: [OutgoingMessage], _ mapped: inout Mapped) -> [OutgoingMessage] {
        var out: [OutgoingMessage] = [], waiting: [String: [Place]] = [:]
        for message in messages {
            if message.role != .tool, !message.parts.contains(where: \.isOfTool) {
                out.append(message)
                continue
            }
            if message.role == .tool {
                for part in message.parts {
                    guard case .toolResult(let result) = part, let place = waiting[result.callID]?.first
                    else { continue }
                    waiting[result.callID]?.removeFirst()
                    mapped.closed -= 1
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
            mapped.closed += calls.count
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
        // A text with a seal behind it is as its provider made it (wire-2.md E).
        if case .text(let a)? = first.last, case .text(let b)? = second.first,
            second.dropFirst().first?.seal == nil
        {
            return first.dropLast() + [.text(a + separator + b)] + second.dropFirst()
        }
        return first + second
    }
}

extension Gated {
    /// The parts of a message that go, as its provider takes them.
    fileprivate mutating func taken(
        _ stored: [Part], of message: Message, _ rules: DialectRules, newest: Int
    ) -> [Part] {
        let media = rules.media.of(message, newest: newest)
        for part in stored where part.isThought && !rules.sends(part) { unsent.append(part.issuer) }
        let parts = stored.filter { rules.sends($0) }.map { part -> Part in
            // What a result holds is looked at where it stands, but for what is taken nowhere.
            if case .toolResult(let result) = part, rules.media.refused.contains(message.id) {
                return .toolResult(media.taken(result, &mapped).result)
            }
            return media.taken(rules.unsealed(part), in: message.role, &mapped)
        }
        hasMedia = hasMedia || parts.contains(where: \.isMedia)
        return parts
    }

    /// Notes what thoughts are bound to; of several in one answer each follows the one before.
    fileprivate mutating func bind(_ message: Message, _ parts: [Part]) {
        guard let binding = message.binding else { return }
        var after = binding.after
        for seal in parts.compactMap(\.seal) {
            bindings[seal] = Message.Binding(
                model: binding.model, digest: binding.digest, after: after, first: binding.first)
            after = seal
        }
    }

    /// Joins the system's messages at the beginning to the system prompt; later ones are said by the user, unless the
    /// dialect takes them where they stand.
    fileprivate mutating func takeSystem(from messages: inout [OutgoingMessage], _ rules: DialectRules) {
        let leading = messages.prefix { $0.role == .system }
        let texts = leading.flatMap(\.parts).map(\.visibleText).filter { !$0.isEmpty }
        if !texts.isEmpty { system = ((system.map { [$0] } ?? []) + texts).joined(separator: "\n\n") }
        messages.removeFirst(leading.count)
        mapped.systems += leading.count
        if rules.takesSystemAnywhere { return }
        for index in messages.indices where messages[index].role == .system {
            messages[index].role = .user
            mapped.systems += 1
        }
    }

    /// Puts media of results where the dialect takes them.
    fileprivate mutating func moveMedia(in messages: [OutgoingMessage], _ rules: MediaRules)
        -> [OutgoingMessage]
    {
        guard messages.contains(where: { $0.role == .tool }) else { return messages }
        var out: [OutgoingMessage] = []
        for var message in messages {
            guard message.role == .tool else {
                out.append(message)
                continue
            }
            var moved: [Part] = []
            for index in message.parts.indices {
                guard case .toolResult(let result) = message.parts[index] else { continue }
                let taken = rules.taken(result, &mapped)
                message.parts[index] = .toolResult(taken.result)
                hasMedia = hasMedia || taken.hasMedia
                moved += taken.moved
            }
            // What an error may not hold stands beside it too.
            if rules.results != .behind { message.parts += moved }
            out.append(message)
            if rules.results == .behind, !moved.isEmpty {
                let lead = Part.text(Gated.movedLead)
                out.append(OutgoingMessage(role: .user, parts: [lead] + moved))
            }
        }
        return out
    }

    /// What stands before media that a tool gave and the user's message carries.
    static let movedLead = "What the tools gave beside text:"

    /// Gives tools and calls names that the dialect takes.
    fileprivate mutating func mapNames(
        in messages: inout [OutgoingMessage], _ rules: DialectRules, _ tools: Set<String>
    ) {
        var used = tools, ids: Set<String> = []
        for part in messages.lazy.flatMap(\.parts) {
            switch part {
            case .toolCall(let call):
                used.insert(call.name)
                ids.insert(call.id)
            case .toolResult(let result): ids.insert(result.callID)
            default: break
            }
        }
        names = NameMap(used, rules.toolNames)
        let calls = rules.callIDs.map { NameMap(ids, $0) } ?? NameMap()
        mapped.names = names.count
        mapped.ids = calls.count
        if names.isEmpty && calls.isEmpty { return }
        for message in messages.indices {
            for index in messages[message].parts.indices {
                switch messages[message].parts[index] {
                case .toolCall(var call):
                    call.name = names.sent(call.name)
                    call.id = calls.sent(call.id)
                    messages[message].parts[index] = .toolCall(call)
                case .toolResult(var result):
                    result.callID = calls.sent(result.callID)
                    messages[message].parts[index] = .toolResult(result)
                default: break
                }
            }
        }
    }
}

/// What goes into a request otherwise than it is stored, by kind and count.
package struct Mapped: Sendable, Equatable {
    /// Calls whose arguments are no JSON object, as where an answer was cut inside them; they are sent as `{}`.
    package var arguments = 0
    /// Names of tools that the dialect does not take.
    package var names = 0
    /// IDs of calls that it does not take.
    package var ids = 0
    /// Images, sounds and documents for which a text stands.
    package var parts = 0
    /// Embedded resources whose bytes no model reads; their names are sent, and receipts count them among `parts`.
    package var binaries = 0
    /// Messages of the system that join the system prompt, or are said by the user.
    package var systems = 0
    /// Calls without a result, for which one is made that says so.
    package var closed = 0
    /// 1 where words of the user stand before an answer with which the messages begin.
    package var opened = 0

    package init() {}
    var isEmpty: Bool { self == Mapped() }

    /// Writes the members of `Receipt.mapped` that are not 0.
    func write(to writer: inout JSONWriter) {
        for (name, count) in [
            ("arguments", arguments), ("names", names), ("ids", ids), ("parts", parts + binaries),
            ("systems", systems), ("closed", closed), ("opened", opened),
        ]
        where count > 0 {
            writer.member(name, count)
        }
    }
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

extension Part {
    /// Whether a model thought it and said it not.
    package var isThought: Bool {
        switch self {
        case .thought, .redactedThought: true
        default: false
        }
    }

    /// The part without what its provider knows it by; nil where nothing is left of it.
    package var withoutSeal: Part? {
        switch self {
        case .thought(let text, let issuer, _):
            return text.isEmpty ? nil : .thought(text: text, issuer: issuer, signature: nil)
        case .redactedThought: return nil
        case .toolCall(var call):
            (call.signature, call.issuer) = (nil, nil)
            return .toolCall(call)
        default: return self
        }
    }

    /// The seal of a thought or of a call.
    package var anySeal: String? {
        if case .toolCall(let call) = self { call.signature } else { seal }
    }

    /// The seal by which a provider knows a thought of its own; nil for what is no thought or has none.
    package var seal: String? {
        switch self {
        case .thought(_, _, let signature): signature
        case .redactedThought(let data, _): data
        default: nil
        }
    }
}

extension Part {
    /// Whether it is text that says something.
    fileprivate var isWords: Bool {
        if case .text = self { !isBlank } else { false }
    }

    /// Whether a tool is called with it, or gave it.
    fileprivate var isOfTool: Bool {
        switch self {
        case .toolCall, .toolResult: true
        default: false
        }
    }

    /// Who made a thought; nil for what is none, and where nobody knows.
    fileprivate var issuer: String? {
        switch self {
        case .thought(_, let issuer, _), .redactedThought(_, let issuer): issuer
        default: nil
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

extension MediaRules {
    /// Chat Completions: no media in answers and results, sounds as WAV and MP3 (wire.md C1).
    package static let openAI = MediaRules(
        results: .behind,
        sounds: .some([
            "audio/wav", "audio/x-wav", "audio/wave", "audio/vnd.wave", "audio/mp3", "audio/mpeg",
        ]), inAnswers: false, takesPDF: false)
}

extension DialectRules {
    /// Whether a part goes out: empty text never, thoughts only to who made them.
    fileprivate func sends(_ part: Part) -> Bool {
        switch part {
        // White space alone is refused by some (wire.md A5, E2) and says nothing to any.
        case .text: !part.isBlank
        case .thought(let text, let issuer, let signature):
            isFor(issuer)
                && (replay == .all || signature != nil && (replay != .seals || text.isEmpty))
        case .redactedThought(_, let issuer): isFor(issuer) && replay != .seals
        default: true
        }
    }

    /// Whether a thought was made here.
    package func isOwn(_ issuer: String?) -> Bool {
        guard let issuer else { return false }
        return issuer == thoughtIssuer || issuers.contains(issuer)
    }

    private func isFor(_ issuer: String?) -> Bool { thoughtIssuer != nil && isOwn(issuer) }

    /// A call without the seal that only its own provider can read.
    fileprivate func unsealed(_ part: Part) -> Part {
        guard case .toolCall(var call) = part, call.issuer != thoughtIssuer, !isFor(call.issuer)
        else { return part }
        call.issuer = nil
        call.signature = nil
        return .toolCall(call)
    }
}
