internal import ContextWindow
internal import Conversation
internal import TestSupport
internal import Testing
internal import Upstream

/// What stands before a thought, as a provider compares it: roles and parts without thoughts.
private func prefix(_ request: ModelRequest, _ end: Int) -> [String] {
    [request.system ?? ""]
        + request.messages[..<end].flatMap { message in
            message.parts.filter { $0.seal == nil }.map { "\(message.role == .assistant) \($0)" }
        }
}

/// A mock of the check that Anthropic makes of thoughts that come back (wire-2.md A3, A7): each is bound to what stood before
/// it and to the thought before it.
private struct PrefixCheck {
    /// For each seal what stood before it, and the seals that were sent before it.
    private var made: [String: (prefix: [String], run: [String])] = [:]
    private var count = 0

    /// The seals that a request may not have.
    func refused(_ request: ModelRequest) -> [String] {
        var before: [String] = [], bad: [String] = []
        for (index, message) in request.messages.enumerated() {
            for seal in message.parts.compactMap(\.seal) {
                let known = made[seal]
                // Those before it are the last of those that were there then: what was left out since may be more, and nothing is
                // put back.
                let isRun = known.map { $0.run.suffix(before.count).elementsEqual(before) } ?? false
                if known?.prefix != prefix(request, index) || !isRun { bad.append(seal) }
                before.append(seal)
            }
        }
        return bad
    }

    /// How many thoughts of these messages the check would take at the most: the longest run that ends with a valid one.
    func most(_ request: ModelRequest, of all: ModelRequest) -> Int {
        var valid: Set<String> = []
        for (index, message) in all.messages.enumerated() {
            for seal in message.parts.compactMap(\.seal) where made[seal]?.prefix == prefix(all, index) {
                valid.insert(seal)
            }
        }
        var best = 0
        for seal in valid {
            var length = 0, next: String? = seal, allowed: Set<String>?
            while let now = next, valid.contains(now), allowed?.contains(now) ?? true {
                length += 1
                let run = made[now]?.run ?? []
                allowed = allowed.map { $0.intersection(run) } ?? Set(run)
                next = run.last
            }
            best = max(best, length)
        }
        return best
    }

    /// Makes the thoughts of an answer to a request.
    mutating func answer(_ request: ModelRequest, thoughts: Int) -> [Part] {
        var run = request.messages.flatMap(\.parts).compactMap(\.seal)
        return (0..<thoughts).map { _ in
            count += 1
            let seal = "seal \(count)"
            made[seal] = (prefix(request, request.messages.count), run)
            run.append(seal)
            return .thought(text: "hm", issuer: "me", signature: seal)
        }
    }
}

@Suite struct `Thoughts for which there is no room` {
    private func request(_ count: Int, endsInLoop: Bool = false) throws -> ModelRequest {
        var messages: [OutgoingMessage] = []
        for number in 0..<count {
            messages.append(Request.user(.text("\(number)")))
            messages.append(
                Request.model(
                    .thought(
                        text: String(repeating: "word ", count: 400), issuer: "me", signature: "s\(number)"),
                    Request.call("c\(number)", "f")))
            if number < count - 1 || endsInLoop {
                messages.append(Request.tool(Request.result("c\(number)")))
            }
        }
        var request = try Request.of(messages, #"{"thinking":2048}"#)
        request.binding = Message.Binding(model: "m", digest: "d", after: "s\(count - 1)")
        return request
    }

    private func seals(_ request: ModelRequest) -> [String] {
        request.messages.flatMap(\.parts).compactMap(\.seal)
    }

    private func tokens(_ kept: (request: ModelRequest, size: ContentSize, leftOut: Int)) -> Int {
        TokenWeights.newClaude.tokens(kept.size)
    }

    @Test func `stay out from the oldest on, more of them where that is to last`() throws {
        let whole = try request(6), all = whole.keepingThoughts(in: 100_000, share: 0.5, .newClaude)
        #expect(seals(all.request).count == 6 && all.leftOut == 0 && tokens(all) > 6 * 400)
        let each = tokens(all) / 6
        let fewer = whole.keepingThoughts(in: each * 4 + 1, share: 1, .newClaude)
        #expect(seals(fewer.request) == ["s2", "s3", "s4", "s5"])
        #expect(fewer.leftOut == 2 && tokens(fewer) == each * 4)
        #expect(fewer.request.binding?.after == "s5")
        let half = whole.keepingThoughts(in: each * 5 + 1, share: 0.5, .newClaude)
        #expect(seals(half.request) == ["s4", "s5"])
        #expect(fewer.request.messages.count == whole.messages.count)
    }

    @Test func `are none where there is none, and then a model in a tool loop is not to think`() throws {
        let none = try request(3, endsInLoop: true).keepingThoughts(in: -5, share: 1, .newClaude)
        #expect(seals(none.request) == [] && tokens(none) == 0 && none.leftOut == 3)
        #expect(none.request.binding?.after == nil && none.request.binding?.digest == "d")
        #expect(none.request.parameters.thinking == nil)
        let some = try request(3, endsInLoop: true).keepingThoughts(in: 700, share: 1, .newClaude)
        #expect(seals(some.request) == ["s2"] && some.request.parameters.thinking == 2_048)
        // The loop's own goes where there is room for it, whatever share the others have.
        let own = try request(3, endsInLoop: true).keepingThoughts(in: 700, share: 0.5, .newClaude)
        #expect(seals(own.request) == ["s2"] && own.request.parameters.thinking == 2_048)
    }
}

@Suite struct `A tool loop that began without a thought` {
    private func thinking(_ messages: [OutgoingMessage], _ tokens: Int, refused: DialectRules.Thinking) throws
        -> Int?
    {
        let request = try Request.of(messages, "{\"thinking\":\(tokens)}")
        return request.chained([:], refused: refused).parameters.thinking
    }

    @Test func `is gone on with without thinking, where that is refused`() throws {
        let loop = [
            Request.user(.text("u")), Request.model(.text("I look"), Request.call("1", "f")),
            Request.tool(Request.result("1")),
        ]
        #expect(try thinking(loop, 2_048, refused: [.budgeted]) == nil)
        #expect(try thinking(loop, -1, refused: [.free]) == nil)
        #expect(try thinking(loop, -1, refused: [.budgeted]) == -1)
        #expect(try thinking(loop, 2_048, refused: []) == 2_048)
        // What the user says to results is joined with them; an answer ends the loop.
        let more = loop + [Request.user(.text("and?"))]
        #expect(try thinking(more, 2_048, refused: [.budgeted]) == nil)
        let ended = loop + [Request.model(.text("ok")), Request.user(.text("and?"))]
        #expect(try thinking(ended, 2_048, refused: [.budgeted]) == 2_048)
        #expect(try thinking([Request.user(.text("u"))], 2_048, refused: [.budgeted]) == 2_048)
    }

    @Test func `is known by its refusal too`() throws {
        let words =
            "messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`. When `thinking` is enabled, a final `assistant` message must start with a thinking block"
        let body = #"{"type":"error","error":{"type":"invalid_request_error","message":"\#(words)"}}"#
        let failure = FailureClassifier.failure(
            FailureReport(status: 400, body: Array(body.utf8)))
        let request = try Request.of(
            [
                Request.user(.text("u")), Request.model(Request.call("1", "f")),
                Request.tool(Request.result("1")),
            ], #"{"thinking":2048}"#)
        let next = try #require(request.withoutThoughts(after: failure))
        #expect(next.parameters.thinking == nil && next.messages == request.messages)
        #expect(next.withoutThoughts(after: failure) == nil)
    }
}

@Suite struct `Thoughts that are bound to what stood before them` {
    /// Random turns with edits, pins, exclusions, other upstreams and new system prompts between them.
    private func walk(_ strategy: WindowPolicy.Chosen, _ source: inout SeededRandom) -> (
        refused: Int, sent: Int, most: Int
    ) {
        var check = PrefixCheck(), history: [Message] = [], anchor: Int?, system = "s", turns = 0
        var refused = 0, sent = 0, most = 0, summaries: [Summary] = []
        func add(_ role: Message.Role, _ parts: [Part], _ binding: Message.Binding? = nil) {
            var message = Message(
                id: MessageID(high: 0, low: UInt64(history.count)), seq: history.count + 1, role: role,
                createdAt: 0, tokens: TokenEstimate.message(parts), content: Part.encode(parts))
            message.binding = binding
            history.append(message)
        }
        for _ in 0..<40 {
            turns += 1
            if source.oneIn(12), let index = history.indices.randomElement(using: &source) {
                switch source.int(0...2) {
                case 0: history[index].isPinned.toggle()
                case 1: history[index].isExcluded.toggle()
                default:
                    let isUser = history[index].role == .user
                    if isUser { history.removeSubrange(index...) }
                    add(.user, [.text("edited \(turns)")])
                }
            }
            if source.oneIn(25) { system += "x" }
            add(.user, [.text("question \(turns) " + source.text(40))])
            var whole = History(messages: history)
            whole.summaries = summaries.filter { $0.last <= history.count }
            guard
                let window = try? Window.cut(
                    whole, system: system, policy: WindowPolicy(),
                    budget: source.oneIn(20) ? 400 : 900, CutContext(strategy, anchor: anchor))
            else { continue }
            anchor = window.anchor
            if let last = window.outlook?.target(answer: 20), !source.oneIn(3) {
                let id = SummaryID(high: 0, low: UInt64(turns))
                summaries.insert(
                    Summary(
                        id: id, first: 1, last: last, text: "gist \(turns)", madeAt: history.count,
                        createdAt: 0),
                    at: 0)
            }
            if source.oneIn(8) {  // another provider answers, whose thoughts are its own
                add(
                    .assistant,
                    [.thought(text: "x", issuer: "other", signature: "foreign \(turns)"), .text("a")])
                continue
            }
            let gated = window.gated(for: AnthropicDialect(base: "").rules(issuer: "me"))
            let all = ModelRequest(
                model: "m", system: gated.system, messages: gated.messages, parameters: ModelParameters())
            let request = all.chained(gated.bindings)
            refused += check.refused(request).count
            sent += request.messages.flatMap(\.parts).compactMap(\.seal).count
            most += check.most(request, of: all)
            let thoughts = check.answer(request, thoughts: source.int(0...2))
            add(.assistant, thoughts + [.text("answer \(turns)")], request.binding)
        }
        return (refused, sent, most)
    }

    @Test(arguments: [WindowPolicy.Chosen.slide, .sawtooth, .summarize])
    func `are never refused, and nearly all go back that would be taken`(_ strategy: WindowPolicy.Chosen) {
        let random = SeededRandom()
        var source = random, refused = 0, sent = 0, most = 0
        for _ in 0..<50 {
            let found = walk(strategy, &source)
            refused += found.refused
            sent += found.sent
            most += found.most
        }
        #expect(refused == 0, "\(random)")
        #expect(sent * 10 >= most * 9 && most > 100, "\(random): \(sent) of \(most)")
    }

    @Test func `of which nothing is known stay out`() throws {
        let request = try Request.of([
            Request.user(.text("u")),
            Request.model(.thought(text: "hm", issuer: "me", signature: "old"), .text("a")),
            Request.user(.text("v")),
        ]).chained([:])
        #expect(request.messages.flatMap(\.parts).allSatisfy { $0.seal == nil })
        #expect(request.binding?.after == nil && request.binding?.model == "m")
    }
}
