import ContextWindow
import Conversation
import TestSupport
import Testing

/// What an error says: needed, budget, system, pinned, newest.
private func numbers(_ error: WindowError) -> [Int] {
    [error.needed, error.budget, error.system, error.pinned, error.newest]
}

private func seqs(_ window: Window) -> [Int] { window.messages.map(\.seq) }

@Suite struct `A window` {
    @Test func `starts on a turn of the user, not on a tool's result (B001)`() throws {
        let history = Histories.of("u a:c1 t:c1 u a u a")
        #expect(seqs(try cut(history, maxMessages: 5)) == [4, 5, 6, 7])
    }

    @Test func `never parts a call from its result (B002)`() throws {
        let history = Histories.of("u a:c1 t:c1 a u")
        let window = try cut(history, maxMessages: 3)
        #expect(seqs(window) == [5])
        #expect(words(window.outgoing(for: .openAI)) == "u")
    }

    @Test func `drops a result whose call fell out, though it came a turn later`() throws {
        let window = try cut(Histories.of("u a:c1 u t:c1 a"), maxTurns: 1)
        #expect(seqs(window) == [3, 5])
    }

    @Test func `pays for a late result only where its call is`() throws {
        let late = Histories.of("u a:c1 u t:c1 a"), plain = Histories.of("u a u a")
        #expect(try cut(late, maxTurns: 1).receipt.estimate == cut(plain, maxTurns: 1).receipt.estimate)
        #expect(seqs(try cut(Histories.of("u a:c1 u a u t:c1 a"), maxMessages: 4)) == [3, 4, 5, 7])
    }

    @Test func `is summarized up to a turn's last message, whatever late results stand behind it`() throws {
        var history = History(messages: Histories.of("u a:x u a t:x u"))
        history.summaries = [
            Summary(
                id: SummaryID(high: 0, low: 1), first: 1, last: 4, text: "all so far", isRequested: true,
                madeAt: 5, createdAt: 0)
        ]
        let window = try Window.cut(history, system: nil, policy: WindowPolicy(), budget: 1_000)
        #expect(window.messages.map(\.seq) == [6] && window.summary?.last == 4)
    }

    @Test func `leaves a parallel batch alone (B004)`() throws {
        let window = try cut(Histories.of("u a u a:A,B t:A t:B a u"), maxTurns: 2)
        #expect(words(window.outgoing(for: .openAI)) == "u a:A,B t:A,B a u")
    }

    @Test func `closes a call that never got its result (B005)`() throws {
        let window = try cut(Histories.of("u a:c1,c2 t:c1 u"))
        #expect(words(window.outgoing(for: .openAI)) == "u a:c1,c2 t:c1,c2! u")
        #expect(
            window.outgoing(for: .openAI)[2].parts == [
                Histories.result("c1"), Part.interruptedResult(for: "c2"),
            ])
    }

    @Test func `gives each call its own result when a provider uses an ID again`() throws {
        var history = Histories.of("u a:c t:c a u a:c t:c a u")
        history = history.changing(7) { $0.content = Part.encode([Histories.result("c", "second")]) }
        let out = try cut(history).outgoing(for: .openAI)
        #expect(words(out) == "u a:c t:c a u a:c t:c a u")
        #expect(out[2].parts == [Histories.result("c")])
        #expect(out[6].parts == [Histories.result("c", "second")])
    }

    @Test func `refuses a newest turn that does not fit, and names both numbers (B007)`() {
        let history = [Histories.message(1, .user, [.text("x")], tokens: 300)]
        let error = #expect(throws: WindowError.self) {
            try cut(history, system: "translate to German", budget: 100)
        }
        let system =
            TokenEstimate.perRequest + TokenEstimate.perMessage + TokenEstimate.text("translate to German")
        #expect(error.map(numbers) == [300 + system, 100, system, 0, 300])
        #expect(
            error?.sentence(.policy) == """
                the system prompt (\(system) tokens) and the newest turn (300) need \(300 + system) tokens, the window holds 100; \
                shorten them, or raise 'window.maxTokens'
                """)
        let alone = #expect(throws: WindowError.self) { try cut(history, budget: 100) }
        let limit = WindowError.Limit.model("m", length: 150, reserved: 50)
        #expect(
            alone?.sentence(limit) == """
                the newest turn needs \(300 + TokenEstimate.perRequest) tokens, model 'm' holds 150, of which 50 are kept for \
                the answer; shorten it, keep less for the answer, or ask a model that holds more
                """)
    }

    @Test func `of nothing is nothing (B010)`() throws {
        let empty = try cut([])
        #expect(
            empty.messages == [] && empty.system == nil && empty.receipt.sent == nil
                && empty.receipt.rule == .fits)
        let system = try cut([], system: "x")
        #expect(system.messages == [] && system.system == "x")
        #expect(system.outgoing(for: .openAI) == [])
    }

    @Test(arguments: [100, 1, 0, -1]) func `does not lose a system prompt that is larger than it (B013)`(
        _ budget: Int
    ) {
        let system = String(repeating: "word ", count: 500)
        let error = #expect(throws: WindowError.self) {
            try cut(Histories.of("u a u"), system: system, budget: budget)
        }
        #expect(error?.budget == budget)
    }

    @Test func `trims the oldest turns when the answer's room is taken off (B014)`() throws {
        let policy = WindowPolicy(reserveTokens: 1_050), budget = policy.budget(contextLength: 4_097)
        let history = Histories.of("u a u a u a u", tokens: 3_245 / 7)
        let window = try Window.cut(History(messages: history), system: nil, policy: policy, budget: budget)
        #expect(budget == 3_047)
        #expect(seqs(window) == [3, 4, 5, 6, 7])
        #expect(window.receipt.rule == .maxTokens)
    }

    @Test func `counts each image, and trims the oldest (B019)`() throws {
        let image = Part.image(mimeType: "image/png", data: String(repeating: "A", count: 1 << 20), uri: nil)
        let history = (1...10).map { Histories.message($0, .user, [image]) }
        let window = try cut(
            history,
            budget: TokenEstimate.perRequest + 5 * (TokenEstimate.perImage + TokenEstimate.perMessage))
        #expect(seqs(window) == [6, 7, 8, 9, 10])
    }

    @Test func `sends no empty text beside a tool call (B023)`() throws {
        var history = Histories.of("u a:c t:c")
        history = history.changing(2) { $0.content = Part.encode([.text(""), Histories.call("c")]) }
        let out = try cut(history).outgoing(for: .openAI)
        #expect(out[1] == OutgoingMessage(role: .assistant, parts: [Histories.call("c")]))
    }

    @Test func `sends no empty message of a crashed turn (B076)`() throws {
        let history = Histories.of("u a u").changing(2) { $0.content = Part.encode([.text("")]) }
        #expect(words(try cut(history).outgoing(for: .openAI)) == "u u")
        #expect(seqs(try cut(history.changing(2) { $0.content = Array("[]".utf8) })) == [1, 3])
    }

    @Test func `skips what the assistant said before the user spoke (B025)`() throws {
        #expect(words(try cut(Histories.of("a a u")).outgoing(for: .openAI)) == "u")
        #expect(try cut(Histories.of("a a")).messages == [])
    }

    @Test func `sends what the system said before the user spoke, or says that it does not`() throws {
        for (history, sent) in [("s u", "s u"), ("a s u a", "s u a"), ("s a u", "s a u"), ("s", "s")] {
            let window = try cut(Histories.of(history))
            let gated = window.gated(for: .openAI), rest = words(gated.messages)
            #expect(gated.system?.hasPrefix("system ") ?? false)
            #expect((rest.isEmpty ? "s" : "s " + rest) == sent)
            #expect(
                window.receipt.rule == .fits
                    && window.receipt.leftOutCount == (history.count - sent.count) / 2)
        }
        let window = try cut(Histories.of("s u a u", tokens: 100), budget: 350)
        #expect(seqs(window) == [2, 3, 4] && window.receipt.rule == .maxTokens)
        let alternating = DialectRules(isAlternating: true, startsWithUser: true)
        let gated = try cut(Histories.of("s u")).gated(for: alternating)
        #expect(gated.messages == [OutgoingMessage(role: .user, parts: [.text("user 2")])])
        #expect(gated.system == "system 1")
    }

    @Test(arguments: [DialectRules.openAI, DialectRules(isAlternating: true, startsWithUser: true)])
    func `joins a continuation with what it goes on from as it came, inside a word`(_ rules: DialectRules)
        throws
    {
        var history = Histories.of("u a a u")
        for (seq, word) in [(2, "Unbe"), (3, "lievable")] {
            history = history.changing(seq) {
                $0.content = Part.encode([.text(word)])
                $0.turnID = TurnID(high: 0, low: UInt64(seq))
            }
        }
        let out = try cut(history).outgoing(for: rules)
        #expect(out.map(\.role) == [.user, .assistant, .user])
        #expect(out[1].parts == [.text("Unbelievable")])
        // What a client appended was said at another time.
        let appended = try cut(history.changing(3) { $0.turnID = nil }).outgoing(for: rules)
        #expect(appended[1].parts == [.text(rules.isAlternating ? "Unbe\n\nlievable" : "Unbe")])
    }

    @Test func `keeps the text of a cancelled answer, so that roles alternate (B062)`() throws {
        let history = Histories.of("u a u").changing(2) { $0.status = .cancelled }
        let rules = DialectRules(isAlternating: true, startsWithUser: true)
        #expect(words(try cut(history).outgoing(for: rules)) == "u a u")
    }

    @Test func `joins two texts of the user where a dialect wants roles to alternate (B062)`() throws {
        let history = Histories.of("u a u").changing(2) { $0.status = .failed }
        let rules = DialectRules(isAlternating: true, startsWithUser: true)
        #expect(
            try cut(history).outgoing(for: rules) == [
                OutgoingMessage(role: .user, parts: [.text("user 1\n\nuser 3")])
            ])
    }

    @Test(arguments: [
        (Message.Status.complete, true), (.cancelled, true), (.interrupted, true), (.failed, false),
        (.refused, false), (.streaming, false),
    ])
    func `holds answers by how they ended (B059)`(_ status: Message.Status, _ isIn: Bool) throws {
        #expect(
            seqs(try cut(Histories.of("u a u").changing(2) { $0.status = status }))
                == (isIn ? [1, 2, 3] : [1, 3]))
    }

    @Test func `leaves excluded messages out and says how many`() throws {
        let window = try cut(Histories.of("u a u a u").changing(2) { $0.isExcluded = true })
        #expect(seqs(window) == [1, 3, 4, 5])
        #expect(
            window.receipt.excluded == [2] && window.receipt.excludedCount == 1
                && window.receipt.leftOutCount == 1)
    }

    @Test func `keeps pins in front of its turns`() throws {
        let history = Histories.of("u a u a u a u").changing(2) { $0.isPinned = true }
        let window = try cut(history, maxTurns: 2)
        #expect(seqs(window) == [2, 5, 6, 7])
        #expect(window.receipt.pinned == [2] && window.receipt.sent == 5...7 && window.receipt.sentCount == 4)
    }

    @Test func `refuses pins that do not fit`() {
        let history = Histories.of("u a u", tokens: 50).changing(1) { $0.isPinned = true }
        let error = #expect(throws: WindowError.self) { try cut(history, budget: 100) }
        #expect(error.map(numbers) == [116, 100, 16, 50, 50])
    }

    @Test func `keeps all results of a call that one pinned result belongs to`() throws {
        let history = Histories.of("u a:A,B t:A t:B a u a u").changing(3) { $0.isPinned = true }
        let window = try cut(history, maxTurns: 1)
        #expect(seqs(window) == [2, 3, 4, 8])
        #expect(words(window.outgoing(for: .openAI)) == "a:A,B t:A,B u")
    }

    @Test func `keeps the result of a call that is pinned among the older messages`() throws {
        let older = Histories.of("u a:A").changing(2) { $0.isPinned = true }[1]
        let messages = Histories.of("u a:A t:A a u a u").dropFirst(2)
        let window = try Window.cut(
            History(messages: Array(messages), olderPins: [older], count: 7), system: nil,
            policy: WindowPolicy(maxTurns: 1), budget: 10_000)
        #expect(seqs(window) == [2, 3, 7])
    }

    @Test func `counts in its estimate what closes a call without a result`() throws {
        let history = Histories.of("u a u a:A u")
        let window = try cut(history)
        let sent = window.outgoing(for: .openAI).reduce(TokenEstimate.perRequest) {
            $0 + TokenEstimate.message($1.parts)
        }
        #expect(words(window.outgoing(for: .openAI)) == "u a u a:A t:A! u")
        #expect(window.receipt.estimate == sent)
    }

    @Test func `sends thoughts only to who made them (N004)`() throws {
        let thought = Part.thought(text: "hm", issuer: "gemini", signature: "s")
        let history = Histories.of("u a u").changing(2) { $0.content = Part.encode([thought, .text("x")]) }
        func sent(_ issuer: String?) throws -> [Part] {
            try cut(history).outgoing(
                for: DialectRules(isAlternating: false, thoughtIssuer: issuer, startsWithUser: false))[1]
                .parts
        }
        #expect(try sent(nil) == [.text("x")])
        #expect(try sent("anthropic") == [.text("x")])
        #expect(try sent("gemini") == [thought, .text("x")])
    }

    @Test(arguments: [
        (1, Receipt.Rule.maxTurns, [5]), (2, .maxTurns, [3, 4, 5]), (3, .fits, [1, 2, 3, 4, 5]),
        (9, .fits, [1, 2, 3, 4, 5]),
    ])
    func `holds so many turns`(_ most: Int, _ rule: Receipt.Rule, _ kept: [Int]) throws {
        let window = try cut(Histories.of("u a u a u"), maxTurns: most)
        #expect(seqs(window) == kept)
        #expect(window.receipt.rule == rule)
    }

    @Test func `says that older messages were left out though all that was read fits`() throws {
        let history = History(messages: Histories.of("u a u"), olderExcluded: 2, count: 100, tokens: 5_000)
        let receipt = try Window.cut(history, system: nil, policy: WindowPolicy(), budget: 1_000).receipt
        #expect(receipt.rule == .maxTokens && receipt.leftOutCount == 97 && receipt.excludedCount == 2)
        #expect(receipt.leftOutTokens == 5_000 - history.messages.reduce(0) { $0 + $1.tokens })
    }
}
