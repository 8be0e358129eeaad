internal import ContextWindow
internal import Conversation

/// What is promised of every window, and of every request that is made of one.
package enum Promises {
    /// The first promise that a case breaks, in words; nil when it keeps all of them.
    ///
    /// Everything is made twice too: windows of windows, and requests of requests.
    package static func broken(by one: RandomWindow, for dialect: CaseDialect) -> String? {
        let messages = one.messages, window: Window
        do throws(WindowError) { window = try one.cut(messages, for: dialect) } catch {
            return broken(by: error, one, messages, dialect)
        }
        if let fault = brokenWindow(window, one, messages, dialect) { return fault }
        let gated = window.gated(for: dialect.rules)
        if let fault = brokenRequest(gated, of: window, dialect) { return fault }
        return brokenAgain(window, one, messages, dialect) ?? brokenGate(gated, dialect)
            ?? brokenUnread(gated, window, dialect)
    }

    private static func tokens(_ messages: some Sequence<Message>, _ dialect: CaseDialect) -> Int {
        messages.reduce(0) { $0 + dialect.rules.weights.tokens($1.size) }
    }

    /// A window is refused only where what must be in does not fit.
    private static func broken(
        by error: WindowError, _ one: RandomWindow, _ messages: [Message], _ dialect: CaseDialect
    ) -> String? {
        if error.budget != one.budget || error.needed <= error.budget { return "is refused though it fits" }
        if error.needed != error.system + error.pinned + error.newest {
            return "is refused with numbers that do not add up"
        }
        let newest = messages.lastIndex { $0.role == .user && $0.isSendable } ?? messages.startIndex
        // Calls that are closed, and partners of pins, cost more than what is marked.
        let most = tokens(messages.filter { $0.isSendable }, dialect) + error.system + 200 * messages.count
        let least = tokens(messages[newest...].filter { $0.isSendable && $0.role == .user }, dialect)
        return error.newest < min(least, error.newest + 1) && error.newest < least || error.needed > most
            ? "is refused for what it does not need" : nil
    }

    // MARK: Windows

    private static func brokenWindow(
        _ window: Window, _ one: RandomWindow, _ messages: [Message], _ dialect: CaseDialect
    ) -> String? {
        let kept = Set(window.messages.map(\.seq)), receipt = window.receipt
        if zip(window.messages, window.messages.dropFirst()).contains(where: { $0.seq >= $1.seq }) {
            return "is out of order"
        }
        if window.messages.contains(where: { !$0.isSendable || messages[$0.seq - 1].id != $0.id }) {
            return "holds what is excluded, refused or failed"
        }
        if let newest = messages.last(where: { $0.role == .user && $0.isSendable }),
            !kept.contains(newest.seq)
        {
            return "lacks the newest prompt"
        }
        if messages.contains(where: {
            $0.isPinned && $0.isSendable && $0.role != .tool && !kept.contains($0.seq)
        }) {
            return "lacks a pin"
        }
        if receipt.estimate > one.budget { return "is over its budget" }
        if receipt.sentCount != kept.count || receipt.sentCount + receipt.leftOutCount != messages.count {
            return "does not add up in its receipt"
        }
        guard let sent = receipt.sent else { return nil }
        let suffix = messages[(sent.lowerBound - 1)...]
        if suffix.contains(where: { $0.isSendable && $0.role != .tool && !kept.contains($0.seq) }) {
            return "has a gap behind its beginning"
        }
        let first = messages[sent.lowerBound - 1]
        if first.role != .user,
            messages.contains(where: { $0.seq < first.seq && $0.isSendable && $0.role == .user })
        {
            return "begins inside a turn"
        }
        return brokenSummary(window, one, begin: sent.lowerBound, newest: messages)
            ?? brokenCut(window, one, messages, dialect)
    }

    /// A summary stands for what is left out alone, and none is wanted of what one was made of already.
    private static func brokenSummary(
        _ window: Window, _ one: RandomWindow, begin: Int, newest messages: [Message]
    ) -> String? {
        if let summary = window.summary {
            let isPartly =
                summary.isRequested
                && !messages.contains {
                    $0.seq > begin && $0.seq <= summary.last && $0.isSendable && $0.role == .user
                }
            if summary.last >= begin, !isPartly { return "has a summary of what it sends" }
            if summary.told == nil { return "has a summary that says nothing" }
            if one.strategy != .summarize, !summary.isRequested { return "has a summary that nobody wants" }
        }
        if window.summary?.id != window.receipt.summary?.id { return "has another summary than its receipt" }
        guard let outlook = window.outlook else {
            return one.strategy == .summarize && begin > 0 ? "does not say what to summarize" : nil
        }
        let covered = one.summaries.filter { $0.text != nil || !$0.isRequested }.map(\.last).max() ?? 0
        let start = messages.last { $0.isSendable && $0.role == .user }?.seq ?? 1
        for answer in [0, one.budget, 1 << 40] {
            guard let target = outlook.target(answer: answer) else { continue }
            if target <= covered { return "wants a summary of what one was made of" }
            if target >= max(start, begin) { return "wants a summary of the newest turn" }
        }
        return nil
    }

    /// The same comes out again, and of itself.
    private static func brokenAgain(
        _ window: Window, _ one: RandomWindow, _ messages: [Message], _ dialect: CaseDialect
    ) -> String? {
        if (try? one.cut(messages, for: dialect)) != window { return "comes out otherwise a second time" }
        var again = one
        again.anchor = window.anchor ?? one.anchor
        again.isCold = false
        return (try? again.cut(window.messages, for: dialect))?.messages != window.messages
            ? "is cut again though it fits" : nil
    }

    /// `slide` keeps as much as fits, `sawtooth` what it kept before as long as that fits.
    private static func brokenCut(
        _ window: Window, _ one: RandomWindow, _ messages: [Message], _ dialect: CaseDialect
    ) -> String? {
        guard let begin = window.receipt.sent?.lowerBound else { return nil }
        let starts = messages.filter { $0.isSendable && $0.role == .user }.map(\.seq)
        let turns = starts.count { $0 >= begin }
        if let most = one.policy.maxTurns, turns > most, turns > 1 { return "has more turns than it may" }
        let kept = window.messages.filter { $0.seq >= begin }
        if let most = one.policy.maxMessages, kept.count > most, turns > 1 {
            return "has more messages than it may"
        }
        if one.strategy != .slide {
            // What the system says before the first prompt is a turn too.
            let opening = messages.first { $0.isSendable && ($0.role == .user || $0.role == .system) }.map(
                \.seq)
            let all = (opening.map { [$0] } ?? []) + starts
            guard let anchor = one.anchor, let then = all.first(where: { $0 >= anchor }) else { return nil }
            // Behind an anchor that still counts nothing is taken in again.
            let isOlder = begin < then && anchor <= (starts.last ?? 0)
            return isOlder ? "takes in again what it had cut" : nil
        }
        guard let older = starts.last(where: { $0 < begin }), window.receipt.rule == .maxTokens else {
            return nil
        }
        // Room is kept for the summary, which is no turn.
        if let summary = window.summary, older <= summary.last { return nil }
        let turn = messages[(older - 1)..<(begin - 1)].filter { $0.isSendable && !$0.isPinned }
        // It brings the late results of its calls, which stand in newer turns and are not sent without them.
        let made = Set(turn.flatMap { calls($0.parts) }), there = Set(window.messages.map(\.seq))
        let late = messages[begin...].filter {
            $0.isSendable && !there.contains($0.seq) && !made.isDisjoint(with: results($0.parts))
        }
        let tools = (turn + late).reduce(0) { $0 + calls($1.parts).count + results($1.parts).count }
        // Words of the user may stand before it.
        let most = tokens(turn + late, dialect) + tools * 60 + (dialect.rules.startsWithUser ? 30 : 0)
        return window.receipt.estimate + most <= one.budget ? "leaves out a turn that fits" : nil
    }

    // MARK: Requests

    private static func brokenRequest(_ gated: Gated, of window: Window, _ dialect: CaseDialect) -> String? {
        let rules = dialect.rules, out = gated.messages
        let cost = out.reduce(rules.weights.tokens(TokenEstimate.size(ofSystem: gated.system))) {
            $0 + rules.weights.tokens(TokenEstimate.size(of: $1.parts.map(plainlyNamed)))
        }
        if cost > window.receipt.estimate {
            return "costs more than its receipt says: \(cost) of \(window.receipt.estimate)"
        }
        let pins = window.messages.filter { $0.isPinned && $0.isSendable }.flatMap(\.parts).compactMap {
            if case .text(let text) = $0, !$0.isBlank { text } else { nil }
        }
        if !pins.isEmpty {
            // Most go as they are; the others are joined to something.
            let texts = out.flatMap(\.parts).map(\.visibleText) + [gated.system ?? ""]
            let missing = Set(pins).subtracting(texts)
            if missing.contains(where: { pin in !texts.contains { $0.contains(pin) } }) {
                return "lacks what a pin says"
            }
        }
        return brokenRoles(out, rules) ?? brokenPairs(out) ?? brokenParts(out, rules)
            ?? brokenNames(out, of: window, rules)
    }

    /// A part whose name, if it has one, is under no suspicion of being mapped: it is already.
    private static func plainlyNamed(_ part: Part) -> Part {
        guard case .toolCall(var call) = part else { return part }
        call.name = String(call.name.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" }.prefix(40))
        return .toolCall(call)
    }

    private static func brokenRoles(_ out: [OutgoingMessage], _ rules: DialectRules) -> String? {
        if rules.isAlternating, zip(out, out.dropFirst()).contains(where: { $0.role == $1.role }) {
            return "has two messages of one role in a row"
        }
        if !rules.takesSystemAnywhere, out.contains(where: { $0.role == .system }) {
            return "has a message of the system among the others"
        }
        if rules.startsWithUser, let first = out.first(where: { $0.role != .system }), first.role != .user {
            return "begins with another than the user"
        }
        return rules.endsWithUser && out.last?.role == .assistant ? "ends with an answer" : nil
    }

    private static func brokenPairs(_ out: [OutgoingMessage]) -> String? {
        for (index, message) in out.enumerated() {
            let made = calls(message.parts), answered = results(message.parts)
            switch message.role {
            case .assistant:
                let behind =
                    index + 1 < out.count && out[index + 1].role == .tool ? results(out[index + 1].parts) : []
                if made != behind { return "has calls and results that do not pair" }
            case .tool:
                if index == 0 || out[index - 1].role != .assistant || answered.isEmpty {
                    return "has results of no call"
                }
            default:
                if !made.isEmpty || !answered.isEmpty { return "has a call or a result where none may be" }
            }
        }
        return nil
    }

    private static func brokenParts(_ out: [OutgoingMessage], _ rules: DialectRules) -> String? {
        for message in out {
            if message.parts.isEmpty { return "has an empty message" }
            for part in message.parts {
                switch part {
                case .text where part.isBlank: return "has a blank text"
                case .thought(_, let issuer, _), .redactedThought(_, let issuer):
                    if rules.thoughtIssuer == nil || issuer != rules.thoughtIssuer {
                        return "has another's thought"
                    }
                case .toolCall(let call):
                    if call.signature != nil, call.issuer != rules.thoughtIssuer {
                        return "has another's seal"
                    }
                default: break
                }
                if message.role == .assistant, !rules.media.inAnswers, part.isMedia {
                    return "has media in an answer"
                }
            }
        }
        return nil
    }

    private static func brokenNames(_ out: [OutgoingMessage], of window: Window, _ rules: DialectRules)
        -> String?
    {
        var names: Set<String> = [], ids: Set<String> = []
        for case .toolCall(let call) in out.lazy.flatMap(\.parts) {
            names.insert(call.name)
            ids.insert(call.id)
        }
        if names.contains(where: { !rules.toolNames.takes($0) }) {
            return "has a tool's name that is not taken"
        }
        if let rule = rules.callIDs, ids.contains(where: { !rule.takes($0) }) {
            return "has a call's ID that is not taken"
        }
        var known: Set<String> = [], knownIDs: Set<String> = []
        for message in window.messages where message.role == .assistant {
            for case .toolCall(let call) in message.parts {
                known.insert(call.name)
                knownIDs.insert(call.id)
            }
        }
        // What stands before the user's first message may be left out.
        if !rules.startsWithUser, names.count != known.count { return "gives two tools one name" }
        return !rules.startsWithUser && ids.count != knownIDs.count ? "gives two calls one ID" : nil
    }

    /// What has gone through the gate goes through it as it is.
    private static func brokenGate(_ gated: Gated, _ dialect: CaseDialect) -> String? {
        // Media of results stand beside those in some dialects, which no stored message has.
        if gated.messages.contains(where: { $0.role == .tool && results($0.parts).count < $0.parts.count }) {
            return nil
        }
        var drafts = gated.messages.map { RandomWindow.Draft(role: $0.role, parts: $0.parts) }
        for index in drafts.indices { drafts[index].isPinned = true }
        var again = RandomWindow(drafts: drafts)
        again.system = gated.system
        guard let window = try? again.cut(again.messages, for: dialect) else {
            return "does not fit a second time"
        }
        let second = window.gated(for: dialect.rules)
        return second.messages != gated.messages || second.system != gated.system
            ? "is another when it goes through the gate again" : nil
    }

    /// Where nobody reads the words, all that is told of a request is the same.
    private static func brokenUnread(_ gated: Gated, _ window: Window, _ dialect: CaseDialect) -> String? {
        let unread = window.gated(for: dialect.rules, reading: false)
        let isSame =
            unread.mapped == gated.mapped && unread.unsent == gated.unsent && unread.names == gated.names
            && unread.bindings == gated.bindings && unread.hasMedia == gated.hasMedia
            && (unread.system == nil) == (gated.system == nil)
            && unread.messages.map(\.role) == gated.messages.map(\.role)
        return isSame ? nil : "is told of otherwise where nobody reads its words"
    }

    private static func calls(_ parts: [Part]) -> [String] {
        parts.compactMap { if case .toolCall(let call) = $0 { call.id } else { nil } }
    }

    private static func results(_ parts: [Part]) -> [String] {
        parts.compactMap { if case .toolResult(let result) = $0 { result.callID } else { nil } }
    }
}
