internal import ContextWindow
internal import Conversation
internal import JSON
internal import TestSupport
internal import Testing
internal import Upstream

/// What a provider calls the sealed parts that it made, and nobody else may see.
private let mine = "me", others = "other"

extension SeededRandom {
    /// Parts of an answer: thoughts and seals of two providers, texts that may be empty, calls whose IDs come again.
    fileprivate mutating func answer(_ number: Int, calls: [String]) -> [Part] {
        var parts: [Part] = []
        for index in 0..<int(0...4) {
            let issuer = pick([mine, others]), seal = "\(issuer)~\(number).\(index)+/=="
            switch int(0...6) {
            case 0: parts.append(.text(""))
            case 1: parts.append(.thought(text: "", issuer: issuer, signature: seal))
            case 2: parts.append(.thought(text: text(8), issuer: issuer, signature: oneIn(3) ? nil : seal))
            case 3: parts.append(.redactedThought(data: seal, issuer: issuer))
            default: parts.append(.text("a" + text(8)))
            }
        }
        for (index, id) in calls.enumerated() {
            let issuer = pick([mine, others])
            let seal = oneIn(2) ? "\(issuer)~\(number).call\(index)+/==" : nil
            parts.append(
                .toolCall(
                    Part.ToolCall(
                        id: id, name: "f\(number)_\(index)",
                        arguments: Array(pick(["{}", "{\"q\":1.0}", "\"{oops\""]).utf8),
                        signature: seal, issuer: seal == nil ? nil : issuer)))
        }
        return parts
    }

    /// A history that ends with what a person asks.
    fileprivate mutating func conversation() -> [Message] {
        var drafts: [(role: Message.Role, parts: [Part])] = [], late: [Part] = []
        if oneIn(3) { drafts.append((pick([.system, .assistant]), [.text("begin")])) }
        for _ in 0..<int(0...4) {
            drafts.append((.user, oneIn(6) ? [.text("")] : [.text("u" + text(8))]))
            for _ in 0..<int(0...3) {
                let ids = (0..<int(0...3)).map { oneIn(2) ? "call_\($0 + 1)" : "id:\(drafts.count).\($0)" }
                drafts.append((.assistant, answer(drafts.count, calls: ids)))
                for (index, id) in ids.enumerated() where !oneIn(5) {
                    let result = Request.result(id, "\"r\(drafts.count).\(index)\"", isError: oneIn(4))
                    if oneIn(6) { late.append(result) } else { drafts.append((.tool, [result])) }
                }
                if oneIn(8) { drafts.append((.system, [.text("note")])) }
            }
            if oneIn(2), let result = late.popLast() { drafts.append((.tool, [result])) }
        }
        drafts.append((.user, [.image(mimeType: "image/png", data: "iVBO", uri: nil), .text("now")]))
        return drafts.enumerated().map { index, draft in
            Message(
                id: MessageID(high: 0, low: UInt64(index)), seq: index + 1, role: draft.role,
                status: oneIn(6) ? pick(Message.Status.allCases.dropLast()) : .complete, createdAt: 0,
                tokens: TokenEstimate.message(draft.parts), isPinned: draft.role == .system || oneIn(12),
                isExcluded: index + 1 < drafts.count && oneIn(12), content: Part.encode(draft.parts))
        }
    }
}

/// Runs `body` on what a dialect makes of many random histories.
private func forBodies(
    of dialect: any Dialect, _ test: StaticString = #function,
    _ body: (JSONView, Window, Comment) throws -> Void
) throws {
    var random = SeededRandom(test)
    for _ in 0..<400 {
        var messages = random.conversation()
        messages[messages.count - 1].status = .complete
        let policy = WindowPolicy(maxTurns: random.oneIn(3) ? random.int(1...3) : nil)
        let window = try Window.cut(
            History(messages: messages), system: random.oneIn(2) ? "s" : nil, policy: policy, budget: 1 << 20)
        let gated = window.gated(for: dialect.rules(issuer: mine))
        let request = ModelRequest(
            model: "m", system: gated.system, messages: gated.messages, parameters: ModelParameters())
        try body(try JSONDocument(dialect.body(for: request, Quirks())).root, window, "\(random)")
    }
}

private func isSpoken(_ message: Message) -> Bool {
    message.role == .user && message.parts != [.text("")]
}

/// The seals of the window's parts that this provider made.
private func seals(_ window: Window, fromFirstUser: Bool = false) -> Set<String> {
    let first = fromFirstUser ? window.messages.firstIndex(where: isSpoken) ?? 0 : 0
    return Set(
        window.messages[first...].flatMap(\.parts).compactMap { part in
            switch part {
            case .thought(_, mine, let seal), .redactedThought(let seal as String?, mine): seal
            case .toolCall(let call) where call.issuer == mine: call.signature
            default: nil
            }
        })
}

/// Turns of a body that has two roles: they alternate, begin and end with the user, and are never empty.
private func turns(_ list: JSONView?, _ parts: String, _ model: String, _ random: Comment) throws
    -> [(isModel: Bool, parts: [JSONView])]
{
    let list = try #require(list, random)
    let turns = list.elements.map { turn in
        (isModel: turn["role"]?.string == model, parts: Array(turn[parts]?.elements ?? list.elements))
    }
    #expect(list.elements.allSatisfy { ["user", model].contains($0["role"]?.string ?? "") }, random)
    #expect(turns.first?.isModel == false && turns.last?.isModel == false, random)
    #expect(zip(turns, turns.dropFirst()).allSatisfy { $0.isModel != $1.isModel }, random)
    #expect(turns.allSatisfy { !$0.parts.isEmpty }, random)
    return turns
}

@Suite struct `Any request in a dialect's words` {
    @Test func `of Gemini alternates, pairs calls with results, and keeps seals to itself`() throws {
        let payloads = ["text", "inlineData", "fileData", "functionCall", "functionResponse"]
        try forBodies(of: GeminiDialect(base: "")) { body, window, random in
            let turns = try turns(body["contents"], "parts", "model", random), known = seals(window)
            var sealedCalls: Set<String> = []
            for (index, turn) in turns.enumerated() {
                for part in turn.parts {
                    #expect(payloads.count { part[$0] != nil } == 1, random)
                    let seal = part["thoughtSignature"]?.string
                    #expect(part["text"]?.string != "" || seal != nil, random)
                    guard let seal else { continue }
                    let isStandIn = seal == "skip_thought_signature_validator" && part["functionCall"] != nil
                    #expect(known.contains(seal) || isStandIn, random)
                    if part["functionCall"] != nil, !isStandIn { sealedCalls.insert(seal) }
                }
                let calls = turn.parts.compactMap { $0["functionCall"]?["name"]?.string }
                let next = index + 1 < turns.count ? turns[index + 1].parts : []
                let results = next.compactMap { $0["functionResponse"]?["name"]?.string }
                if turn.isModel { #expect(calls == results, random) } else { #expect(calls.isEmpty, random) }
            }
            #expect(turns.first?.parts.contains { $0["functionResponse"] != nil } == false, random)
            let spoken = Set(seals(window, fromFirstUser: true).filter { $0.contains("call") })
            #expect(spoken.isSubset(of: sealedCalls), random)
        }
    }

    @Test func `of Gemini has a seal on the first call of each turn in the running loop (N005)`() throws {
        try forBodies(of: GeminiDialect(base: "")) { body, _, random in
            let turns = try turns(body["contents"], "parts", "model", random)
            let spoken = turns.lastIndex { turn in
                !turn.isModel && turn.parts.contains { $0["functionResponse"] == nil }
            }
            for turn in turns[(spoken ?? 0)...] where turn.isModel {
                let first = turn.parts.first { $0["functionCall"] != nil }
                #expect(first == nil || first?["thoughtSignature"] != nil, random)
            }
        }
    }

    @Test
    func `of Anthropic alternates, answers calls in the next message, and keeps seals to itself (N020)`()
        throws
    {
        try forBodies(of: AnthropicDialect(base: "")) { body, window, random in
            let turns = try turns(body["messages"], "content", "assistant", random), known = seals(window)
            var ids: Set<String> = []
            for (index, turn) in turns.enumerated() {
                let types = turn.parts.compactMap { $0["type"]?.string }
                #expect(types.count == turn.parts.count, random)
                for part in turn.parts {
                    #expect(part["text"]?.string != "", random)
                    if let seal = (part["signature"] ?? part["data"])?.string {
                        #expect(known.contains(seal), random)
                    }
                    if let id = part["id"]?.string {
                        #expect(ids.insert(id).inserted && id.wholeMatch(of: /[A-Za-z0-9_-]+/) != nil, random)
                    }
                }
                #expect(
                    !turn.isModel || !["thinking", "redacted_thinking"].contains(types.last ?? ""), random)
                let rest = types.drop { $0 == "tool_result" }
                #expect(!rest.contains("tool_result"), random)
                let calls = turn.parts.compactMap { $0["id"]?.string }
                let next = index + 1 < turns.count ? turns[index + 1].parts : []
                if turn.isModel { #expect(next.compactMap { $0["tool_use_id"]?.string } == calls, random) }
            }
            #expect(turns.first?.parts.contains { $0["tool_use_id"] != nil } == false, random)
            #expect(text(body.raw).ranges(of: "cache_control").count <= 4, random)
        }
    }

    @Test func `of Chat Completions has results right behind their calls, and no seal`() throws {
        for isAlternating in [false, true] {
            try forBodies(of: OpenAIDialect(base: "", isAlternating: isAlternating)) { body, _, random in
                var waiting: [String] = [], last: String?
                for message in try #require(body["messages"], random).elements {
                    let role = message["role"]?.string, content = message["content"]
                    if role == "tool" {
                        #expect(message["tool_call_id"]?.string == waiting.first, random)
                        waiting = Array(waiting.dropFirst())
                        last = role
                        continue
                    }
                    #expect(waiting.isEmpty, random)
                    waiting = message["tool_calls"]?.elements.compactMap { $0["id"]?.string } ?? []
                    #expect(content?.isNull == false || !waiting.isEmpty, random)
                    #expect(content?.string != "" && (content?.kind != .array || content?.count != 0), random)
                    // The prompt and a note of the history may both be the system's.
                    #expect(!isAlternating || role != last || role == "system", random)
                    last = role
                }
                #expect(waiting.isEmpty, random)
                #expect(!text(body.raw).contains("~") || !text(body.raw).contains("+/=="), random)
            }
        }
    }

    @Test func `of DeepSeek has thoughts beside calls, and no message without anything`() throws {
        try forBodies(of: OpenAIDialect(base: "https://api.deepseek.com")) { body, _, random in
            for message in try #require(body["messages"], random).elements
            where message["role"]?.string != "tool" {
                let hasCalls = message["tool_calls"] != nil
                #expect(hasCalls || message["content"]?.isNull == false, random)
                #expect(hasCalls || message["reasoning_content"] == nil, random)
            }
        }
    }
}
