/// WindowCases makes random conversations and holds their windows and requests against all that was promised of them.
///
/// - Invariant: the same seed gives the same case; no I/O.
package import ContextWindow
package import Conversation
internal import Upstream

/// A stream of random numbers that a seed gives again: SplitMix64 (Steele, Lea, Flood).
package struct CaseRandom: RandomNumberGenerator {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    package mutating func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
    package mutating func oneIn(_ n: Int) -> Bool { int(1...n) == 1 }
    package mutating func pick<Value>(_ values: [Value]) -> Value { values[int(0...(values.count - 1))] }

    /// A number whose logarithm is drawn evenly.
    package mutating func logUniform(_ range: ClosedRange<Int>) -> Int {
        // Between powers of two linearly: near enough, and without a mathematics library.
        var low = range.lowerBound, high = range.lowerBound, steps = 0
        while high < range.upperBound { (high, steps) = (high * 2, steps + 1) }
        let step = int(0...max(0, steps - 1))
        for _ in 0..<step { low *= 2 }
        return min(int(low...(low * 2)), range.upperBound)
    }
}

/// A dialect whose demands a request must meet.
package struct CaseDialect: Sendable {
    package let name: String
    package let rules: DialectRules

    /// Every kind of rules that an upstream may have.
    package static let all: [CaseDialect] = [
        CaseDialect(
            name: "openai", rules: OpenAIDialect(base: "https://api.openai.com/v1").rules(issuer: "me")),
        CaseDialect(
            name: "alternating", rules: OpenAIDialect(base: "", isAlternating: true).rules(issuer: "me")),
        CaseDialect(
            name: "deepseek", rules: OpenAIDialect(base: "https://api.deepseek.com").rules(issuer: "me")),
        CaseDialect(name: "anthropic", rules: AnthropicDialect(base: "").rules(issuer: "me")),
        CaseDialect(name: "gemini", rules: GeminiDialect(base: "").rules(issuer: "me")),
    ]
}

/// One conversation, and what a window of it is asked for.
package struct RandomWindow: Sendable {
    /// A message before it has its place.
    package struct Draft: Sendable {
        package var role: Message.Role
        package var parts: [Part]
        package var status = Message.Status.complete
        package var isPinned = false
        package var isExcluded = false

        package init(role: Message.Role, parts: [Part]) {
            self.role = role
            self.parts = parts
        }
    }

    package var system: String?
    package var drafts: [Draft]
    package var policy = WindowPolicy()
    package var budget = 1_000
    /// Never `auto`.
    package var strategy = WindowPolicy.Strategy.slide
    /// Those that end last first.
    package var summaries: [Summary] = []
    package var anchor: Int?
    package var isCold = false

    /// The conversation alone, with whatever window holds all of it.
    package init(drafts: [Draft]) {
        self.drafts = drafts
        budget = 1 << 30
    }

    /// The messages as they would be stored.
    package var messages: [Message] {
        drafts.enumerated().map { index, draft in
            let size = TokenEstimate.size(of: draft.parts)
            var message = Message(
                id: MessageID(high: 0, low: UInt64(index + 1)), seq: index + 1, role: draft.role,
                status: draft.status, createdAt: 0, tokens: size.tokens, isPinned: draft.isPinned,
                isExcluded: draft.isExcluded, content: Part.encode(draft.parts))
            message.knownSize = size
            message.decoded = draft.parts
            return message
        }
    }

    /// Cuts messages as the case says.
    package func cut(_ messages: [Message], for dialect: CaseDialect) throws(WindowError) -> Window {
        var history = History(messages: messages)
        history.summaries = summaries
        return try Window.cut(
            history, system: system, policy: policy, budget: budget,
            CutContext(
                chosen, anchor: chosen.keepsAnchor ? anchor : nil, isCold: isCold,
                weights: dialect.rules.weights, endsWithUser: dialect.rules.endsWithUser,
                startsWithUser: dialect.rules.startsWithUser))
    }

    private var chosen: WindowPolicy.Chosen {
        switch strategy {
        case .auto, .slide: .slide
        case .sawtooth: .sawtooth
        case .summarize: .summarize
        }
    }
}

extension RandomWindow {
    /// A random case: 4 to 240 messages, half of them up to 30, one of a thousand with more than 2,000.
    package init(_ random: inout CaseRandom) {
        var maker = Maker(random: random)
        let count = random.oneIn(1_000) ? random.int(2_001...3_000) : random.logUniform(4...240)
        maker.random = random
        self.init(drafts: maker.drafts(count))
        random = maker.random
        system =
            random.oneIn(2) ? random.pick(["", " ", "be brief", "Antworte auf Deutsch.", "你是一位老师"]) : nil
        let total = messages.reduce(0) { $0 + $1.tokens }
        budget = random.oneIn(3) ? total + random.int(0...200) : random.int(20...(total + 100))
        if random.oneIn(4) { policy.maxTurns = random.logUniform(1...50) }
        if random.oneIn(4) { policy.maxMessages = random.logUniform(1...100) }
        strategy = random.pick([.slide, .slide, .sawtooth, .summarize])
        if random.oneIn(strategy == .summarize ? 2 : 8) {
            var last = random.int(1...drafts.count), id: UInt64 = 1
            while last > 0, summaries.count < 8 {
                let words =
                    random.oneIn(4) ? nil : String(repeating: "sum ", count: random.logUniform(1...80))
                var summary = Summary(
                    id: SummaryID(high: 0, low: id), first: random.int(1...last), last: last, text: words,
                    isRequested: random.oneIn(4), madeAt: drafts.count, createdAt: 0)
                if random.oneIn(9) { summary.text = " " }
                summaries.append(summary)
                last -= random.logUniform(1...60)
                id += 1
            }
        }
        if strategy != .slide {
            if random.oneIn(2) { policy.lowMark = Double(random.int(2...9)) / 10 }
            if random.oneIn(2) { anchor = random.int(1...(drafts.count + 2)) }
            isCold = random.oneIn(4)
        }
    }
}

extension RandomWindow {
    /// The same conversation after its window was made and somebody edited a prompt of it, which takes back all behind that; nil
    /// where it has no prompt.
    package func edited(_ random: inout CaseRandom) -> RandomWindow? {
        guard let index = drafts.indices.filter({ drafts[$0].role == .user }).randomElement(using: &random)
        else { return nil }
        var other = self
        other.drafts.removeSubrange(index...)
        var prompt = Draft(role: .user, parts: [.text(random.pick(["edited", "好", "x y z"]))])
        prompt.isPinned = random.oneIn(9)
        other.drafts.append(prompt)
        other.summaries.removeAll { $0.last > index }
        // What does not fit leaves no anchor.
        let anchor = (try? cut(messages, for: CaseDialect.all[0]))?.anchor
        other.anchor = anchor.flatMap { $0 <= index ? $0 : nil } ?? self.anchor
        return other
    }
}

/// Makes drafts with everything that has ever gone wrong in a conversation.
private struct Maker {
    var random: CaseRandom
    private var calls = 0
    private static let words = [
        "", " ", "\n\t", "hello", "a longer answer with some words in it", "你好，世界", "x = [1, 2]\n", "🙂",
        "<|im_end|>",
    ]
    private static let names = [
        "f", "get.weather v2", "get weather v2", "文件", "9x", String(repeating: "n", count: 90),
    ]

    init(random: CaseRandom) { self.random = random }

    mutating func drafts(_ count: Int) -> [RandomWindow.Draft] {
        var found: [RandomWindow.Draft] = [], late: [Part] = []
        if random.oneIn(3) { found.append(.init(role: .system, parts: [text()])) }
        if random.oneIn(6) { found.append(.init(role: .assistant, parts: [text()])) }
        while found.count < count {
            found.append(.init(role: .user, parts: random.oneIn(8) ? [text(), media()] : [text()]))
            for _ in 0..<random.pick([0, 0, 0, 1, 1, 2, 5]) {
                let made = (0..<random.int(1...3)).map { _ in call() }
                let lead = random.pick([[], [text()], [thought(), text()]])
                found.append(.init(role: .assistant, parts: lead + made.map { .toolCall($0) }))
                var results = made.filter { _ in !random.oneIn(6) }.map { result($0.id) }
                if random.oneIn(3) { results.shuffle(using: &random) }
                for result in results {
                    if random.oneIn(8) {
                        late.append(result)
                    } else if random.oneIn(2), found.last?.role == .tool {
                        found[found.count - 1].parts.append(result)
                    } else {
                        found.append(.init(role: .tool, parts: [result]))
                    }
                }
            }
            if random.oneIn(3), let result = late.popLast() {
                found.append(.init(role: .tool, parts: [result]))
            }
            if !random.oneIn(4) {
                let answer = random.oneIn(3) ? [thought(), text()] : [text()]
                found.append(.init(role: .assistant, parts: random.oneIn(12) ? answer + [media()] : answer))
            }
            if random.oneIn(15) { found.append(.init(role: .system, parts: [.text("a note")])) }
            if random.oneIn(20) { found.append(.init(role: .tool, parts: [result("nobody")])) }
        }
        for index in found.indices {
            if random.oneIn(10) {
                found[index].status = random.pick([.cancelled, .interrupted, .failed, .refused])
            }
            found[index].isPinned = random.oneIn(25) || found[index].role == .system
            found[index].isExcluded = random.oneIn(15)
        }
        return found
    }

    private mutating func text() -> Part {
        let word = random.pick(Maker.words)
        return .text(random.oneIn(5) ? String(repeating: word, count: random.logUniform(1...60)) : word)
    }

    private mutating func thought() -> Part {
        let issuer = random.pick(["me", "other"]),
            seal = random.oneIn(3) ? nil : "seal\(random.int(1...1_000_000))"
        return random.oneIn(5)
            ? .redactedThought(data: seal ?? "data", issuer: issuer)
            : .thought(
                text: random.pick(["", "hm"]), issuer: random.oneIn(9) ? nil : issuer, signature: seal)
    }

    private mutating func media() -> Part {
        random.pick([
            .image(mimeType: "image/png", data: "iVBO", uri: nil),
            .image(mimeType: "image/svg+xml", data: "PHN2", uri: nil),
            .image(mimeType: "image/png", data: nil, uri: "https://example.com/a.png"),
            .audio(mimeType: "audio/wav", data: "UklG"), .audio(mimeType: "audio/ogg", data: "T2dn"),
            .resource(
                uri: "file:///a", text: "a file",
                raw: Array(#"{"type":"resource","resource":{"uri":"file:///a","text":"a file"}}"#.utf8)),
            .resource(
                uri: "file:///b", text: nil,
                raw: Array(#"{"type":"resource","resource":{"uri":"file:///b","blob":"AAAA"}}"#.utf8)),
            .resourceLink(
                uri: "file:///c", name: "c",
                raw: Array(#"{"type":"resource_link","uri":"file:///c","name":"c"}"#.utf8)),
        ])
    }

    private mutating func call() -> Part.ToolCall {
        calls += 1
        let id = random.pick([
            "call_\(calls)", "call_\(calls)", "call_0", "id:\(calls)." + String(repeating: "y", count: 50),
        ])
        let isSealed = random.oneIn(4)
        return Part.ToolCall(
            id: id, name: random.pick(Maker.names),
            arguments: Array(random.pick(["{}", #"{"q":1.0}"#, #""{oops""#]).utf8),
            signature: isSealed ? "seal\(calls)" : nil, issuer: isSealed ? random.pick(["me", "other"]) : nil)
    }

    private mutating func result(_ id: String) -> Part {
        let content = random.pick([
            #""done""#, #""""#, #"[{"type":"text","text":"done"}]"#,
            #"[{"type":"image","mimeType":"image/png","data":"iVBO"},{"type":"text","text":"see"}]"#,
        ])
        return .toolResult(
            Part.ToolResult(callID: id, content: Array(content.utf8), isError: random.oneIn(5)))
    }
}
