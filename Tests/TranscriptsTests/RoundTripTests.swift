import Conversation
import JSON
import Posix
import TestSupport
import Testing
import Transcripts

/// Whole sessions at random: branches, tools, thoughts, images, marks, every status, turns of every end.
private struct RandomSession {
    var random: SeededRandom
    private var number: UInt64 = 0
    private static let words = [
        "", "plain", "line\nfeed", "\u{2028}\u{0}\"\\", "你好 👩‍👩‍👧", " ", "```", "e\u{301}", "{\"a\":1}",
    ]

    init(_ random: SeededRandom) { self.random = random }

    private mutating func chance(_ most: Int) -> Bool { Int.random(in: 0..<most, using: &random) == 0 }
    private mutating func text() -> String {
        (0..<Int.random(in: 1...3, using: &random)).map { _ in
            RandomSession.words.randomElement(using: &random) ?? ""
        }.joined(separator: " ")
    }
    private mutating func id<Kind>() -> ID<Kind> {
        number += 1
        return ID(high: 0x0193_0000_0000_7000, low: 0x8000_0000_0000_0000 | number)
    }
    private mutating func json() -> [UInt8] {
        [#"{"n": 1.50}"#, "{}", #"{"a":[1,null,"\u2028"]}"#].map { Array($0.utf8) }.randomElement(
            using: &random) ?? []
    }
    private mutating func time() -> Int64 { Int64.random(in: 0...4_000_000_000_000, using: &random) }

    private mutating func part(_ role: Message.Role) -> Part {
        switch (role, Int.random(in: 0..<6, using: &random)) {
        case (.tool, _):
            .toolResult(
                Part.ToolResult(callID: text() + "c", content: json(), isError: chance(2)))
        case (.assistant, 0): .thought(text: text(), issuer: chance(2) ? "anthropic" : nil, signature: nil)
        case (.assistant, 1): .toolCall(Part.ToolCall(id: text() + "c", name: "f", arguments: json()))
        case (.user, 0): .image(mimeType: "image/png", data: "AAAA", uri: chance(2) ? "file:///x" : nil)
        case (.user, 1): .audio(mimeType: "audio/wav", data: "AAAA")
        default: .text(text())
        }
    }

    private mutating func message(after parent: MessageID?, seq: Int) -> Message {
        let role = Message.Role.allCases.randomElement(using: &random) ?? .user
        let parts = (0..<Int.random(in: 1...3, using: &random)).map { _ in part(role) }
        var message = Message(
            id: id(), parentID: parent, seq: seq, role: role,
            status: Message.Status.allCases.filter { $0 != .streaming }.randomElement(using: &random)
                ?? .complete,
            turnID: chance(2) ? id() : nil, createdAt: time(), tokens: 0, content: Part.encode(parts))
        message.isPinned = chance(4)
        message.isExcluded = chance(4)
        message.metadata = chance(3) ? json() : nil
        return message
    }

    private mutating func turn(_ prompt: MessageID?, _ answer: MessageID) -> TurnRecord {
        let state = TurnRecord.State.allCases.randomElement(using: &random) ?? .complete
        var turn = TurnRecord(
            id: id(), state: state, promptID: prompt, answerID: answer,
            queuedPrompt: chance(4) ? Part.encode([.text(text())]) : nil,
            requestID: chance(3) ? "r" + text() : nil,
            options: TurnOptions(
                upstream: chance(2) ? "u" : nil, model: nil, window: chance(3) ? json() : nil,
                params: chance(3) ? json() : nil, onDisconnect: chance(3) ? .cancel : .continue),
            createdAt: time())
        turn.stopReason =
            [nil, StopReason.endTurn, .maxTokens, .refusal, .cancelled].randomElement(using: &random) ?? nil
        turn.finish = chance(2) ? "stop" : nil
        turn.detail = chance(4) ? "d" + text() : nil
        turn.isCached = chance(5)
        turn.error = chance(3) ? TurnError(kind: "interrupted", message: text()) : nil
        (turn.upstream, turn.model) = (chance(2) ? "up" : nil, chance(2) ? "m" + text() : nil)
        turn.usage = chance(2) ? Usage(inputTokens: 7, outputTokens: nil, cachedTokens: 1) : nil
        turn.receipt = chance(2) ? json() : nil
        turn.startedAt = chance(2) ? time() : nil
        turn.endedAt = chance(2) ? time() : nil
        return turn
    }

    /// The records of one session: a path, branches beside it, turns.
    mutating func records() -> [TranscriptRecord] {
        var session = Session(id: SessionID(id()), owner: 0, cwd: "/a " + text(), createdAt: time())
        session.title = chance(2) ? text() : nil
        session.system = chance(3) ? text() : nil
        session.tags = (0..<Int.random(in: 0...2, using: &random)).map { _ in "t" + text() }
        session.metadata = chance(2) ? json() : nil
        session.settings = SessionSettings(
            upstream: chance(2) ? "u" : nil, model: chance(2) ? "m" : nil, window: chance(3) ? json() : nil,
            quota: chance(4) ? json() : nil)
        session.appendedSystem = chance(4) ? text() : nil
        session.mcpServers = chance(3) ? Array(#"[{"name":"x"}]"#.utf8) : session.mcpServers
        session.isArchived = chance(5)
        var path: [Message] = []
        for seq in 0..<Int.random(in: 0...6, using: &random) {
            path.append(message(after: path.last?.id, seq: seq + 1))
        }
        var records: [TranscriptRecord] = [.session(session, head: path.last?.id)]
        records += path.map { .message($0, isOnPath: true) }
        var all = path
        for _ in 0..<Int.random(in: 0...3, using: &random) where !all.isEmpty {
            var parent = all.randomElement(using: &random)?.id
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let message = message(after: parent, seq: 0)
                parent = message.id
                all.append(message)
                records.append(.message(message, isOnPath: false))
            }
        }
        for message in all where chance(2) { records.append(.turn(turn(message.parentID, message.id))) }
        return records
    }
}

/// The lines of some records.
private func encoded(_ records: [TranscriptRecord]) -> [UInt8] {
    var encoder = TranscriptFormat.jsonl.encoder(), written = TranscriptRecords()
    for record in records { encoder.add(record, to: &written) }
    return written.bytes
}

private let format = TranscriptFormats.standard["jsonl"]

@Suite struct `A session in JSON lines` {
    @Test func `is read back as it was, cut anywhere, a thousand times (B160, B161, B176)`() throws {
        let random = SeededRandom(), make = try #require(format?.decoder)
        var sessions = RandomSession(random)
        for _ in 0..<1_000 {
            let records = sessions.records(), bytes = encoded(records)
            var decoder = make(), read: [TranscriptRecord] = [], at = 0
            while at < bytes.count {
                let end = min(bytes.count, at + Int.random(in: 1...200, using: &sessions.random))
                read += try decoder.feed(Array(bytes[at..<end]))
                at = end
            }
            read += try decoder.finish()
            #expect(read == records, "\(random)")
            #expect(encoded(read) == bytes, "\(random)")
        }
    }

    @Test func `says of a plain text where it lies what it says of the message`() throws {
        let random = SeededRandom()
        var sessions = RandomSession(random), plain = 0
        for _ in 0..<300 {
            for case .message(var message, let isOnPath) in sessions.records() {
                guard let text = message.plainTextJSON else { continue }
                (message.metadata, message.binding) = (nil, nil)
                var encoder = TranscriptFormat.jsonl.encoder(), written = TranscriptRecords()
                encoder.add(message.head, text: text.span, isOnPath: isOnPath, to: &written)
                #expect(written.bytes == encoded([.message(message, isOnPath: isOnPath)]), "\(random)")
                #expect(Message(message.head, text: text.span).content == message.content, "\(random)")
                plain += 1
            }
        }
        #expect(plain > 100)
    }

    @Test(arguments: [-1, 0, 999_999_999_999, 1_000_000_000_000, 9_999_999_999_999, 10_000_000_000_000])
    func `tells any time of a plain text`(time: Int64) throws {
        for turn in [nil, TurnID(high: 1, low: 2)] {
            let message = Message(
                id: MessageID(high: 3, low: 4), seq: 1, role: .user, turnID: turn, createdAt: time, tokens: 1,
                content: Part.encode([.text("hi")]))
            let turnText = turn.map { #","turnId":"\#($0)""# } ?? ""
            let line =
                #"{"type":"message","id":"\#(message.id)","parentId":null,"message":{"role":"user","content":"hi","#
                + #""timestamp":\#(time)},"status":"complete"\#(turnText)}"#
            #expect(encoded([.message(message, isOnPath: true)]) == Array((line + "\n").utf8))
        }
    }

    @Test func `is as its description says`() throws {
        let checker = try SchemaChecker(
            try Files.read(Files.directory(of: #filePath) + "/../../schema/transcript.json"))
        var sessions = RandomSession(SeededRandom())
        for _ in 0..<200 {
            for line in encoded(sessions.records()).split(separator: 0x0A) {
                let record = try JSONDocument(Array(line)).root
                let name = try #require(record["type"]?.string)
                #expect(
                    checker.problems(of: record, as: name) == [], "\(String(decoding: line, as: UTF8.self))")
            }
        }
        #expect(checker.document["version"]?.int == 1)
    }

    private func read(_ text: String) throws(TranscriptError) -> [TranscriptRecord] {
        guard let make = format?.decoder else { return [] }
        var reader = make()
        return try reader.feed(Array(text.utf8)) + reader.finish()
    }

    @Test func `may have lines of other programs, empty ones and no last line end`() throws {
        let records = try read(
            """
            {"type":"session","harness":"other","id":"a"}

            {"type":"model_change","model":"x"}
            {"type":"message","id":"01890a5d-ac90-7001-9b1c-0a5d3f2e4c11","message":{"role":"user","content":"hi"}}
            """)
        #expect(records.count == 2)
        guard case .message(let message, true)? = records.last else {
            Issue.record("the last one is a message")
            return
        }
        #expect(message.parts == [.text("hi")] && message.seq == 1 && message.parentID == nil)
    }

    @Test(arguments: [
        ("{", "line 1: it is not JSON"),
        ("\n{\"type\":\"session\"}", "line 2: 'id' must be a session's ID"),
        (
            #"{"type":"session","id":"a","version":2}"#,
            "line 1: it was written in version 2 of the format, this build knows 1"
        ),
        (
            #"{"type":"message","id":"x","message":{"role":"user","content":"a"}}"#,
            "line 1: 'id' must be a message's ID"
        ),
        (#"{"type":"message","message":{"role":"robot"}}"#, "line 1: 'role' must be a role"),
        (#"{"type":"turn","state":"lost"}"#, "line 1: 'state' must be a turn's state"),
    ])
    func `says what is wrong, and in which line`(_ text: String, _ words: String) {
        do {
            _ = try read(text)
            Issue.record("it was read")
        } catch { #expect(error.description.hasPrefix(words), "\(error)") }
    }
}

@Suite struct `A format of transcripts` {
    @Test func `is a row of a sorted table`() {
        #expect(TranscriptFormats.standard.names == ["jsonl", "markdown"])
        #expect(TranscriptFormats.standard["pdf"] == nil)
    }

    @Test func `traps where it has the name of another`() async {
        await #expect(processExitsWith: .failure) { _ = TranscriptFormats([.jsonl, .markdown, .jsonl]) }
    }
}
