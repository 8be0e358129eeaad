internal import Archive
internal import Conversation
internal import EventLoop
internal import Store
internal import TestSupport
internal import Testing

@Suite struct `A stored turn` {
    private func turn(
        _ bench: Bench, _ state: TurnRecord.State = .running, request: String? = nil, hash: [UInt8]? = nil
    ) -> TurnRecord {
        TurnRecord(
            id: bench.id(), state: state, promptID: bench.id(), answerID: bench.id(), requestID: request,
            requestHash: hash, createdAt: 1_000)
    }

    private func accept(_ bench: Bench, _ turn: TurnRecord, _ text: String, _ session: SessionRecord) throws
        -> AcceptPrompt.Output
    {
        let prompt = NewMessage(
            id: turn.promptID ?? turn.answerID, role: .user, content: Part.encode([.text(text)]),
            size: ContentSize(tokens: 10))
        return try bench.write(AcceptPrompt(session: session.row, turn: turn, prompt: prompt, title: "t"))
    }

    private func end(_ bench: Bench, _ turn: TurnRecord, _ ending: Turn.Ending, _ text: String?) throws {
        let content = text.map { Part.encode([.text($0)]) }
        _ = try bench.write(EndTurn(turn.id, ending, content: content, size: ContentSize(tokens: 5)))
    }

    @Test func `that failed without text takes its prompt off the path, and retries do not pile up`() throws {
        let bench = try Bench()
        let session = try bench.session("s")
        try bench.append("s", ["before"])
        for number in 0..<20 {
            let turn = turn(bench)
            _ = try accept(bench, turn, "try \(number)", session)
            try end(
                bench, turn,
                Turn.Ending(
                    state: .failed, error: TurnError(kind: "x", message: "y"), isPromptWithdrawn: true), nil)
            #expect(try bench.texts("s") == ["before"])
        }
        let good = turn(bench)
        _ = try accept(bench, good, "good", session)
        try end(
            bench, good, Turn.Ending(state: .complete, stopReason: .endTurn, isPromptWithdrawn: false),
            "answer")
        #expect(try bench.texts("s") == ["before", "good", "answer"])
        #expect(try bench.record("s").session.tokens == 25)
        // Every branch hangs on the first, so a path is never a long chain.
        #expect(
            try shell(
                "sqlite3", bench.path, "SELECT count(DISTINCT parent) FROM branch WHERE parent IS NOT NULL")
                == "1\n")
    }

    @Test func `left running by a crash is closed, its pieces become an answer marked interrupted`() throws {
        let directory = try TemporaryDirectory()
        let answerID: MessageID
        do {
            let bench = try Bench(directory)
            let session = try bench.session("s"), turn = turn(bench)
            answerID = turn.answerID
            guard case .accepted(let row, _, _) = try accept(bench, turn, "hello", session) else { return }
            _ = try bench.write(
                StorePieces(
                    turnRow: row, first: 0,
                    [Piece(.thought, Array("hm".utf8)), Piece(.text, Array("par".utf8))], .normal))
            _ = try bench.write(
                StorePieces(turnRow: row, first: 2, [Piece(.text, Array("tial".utf8))], .full))
        }
        let bench = try Bench(directory)
        let open = try bench.read(OpenTurns(.running))
        #expect(open.turns.map(\.stored.turn.answerID) == [answerID] && open.damaged.isEmpty)
        let left = try #require(open.turns.first?.stored), answer = try bench.read(AnswerSoFar(left))
        let ending = Turn.Ending(state: .interrupted, isPromptWithdrawn: false)
        _ = try bench.write(
            EndTurn(left.turn.id, ending, content: answer.content, size: ContentSize(tokens: 1)))
        #expect(try bench.read(OpenTurns(.running)).turns.isEmpty)
        let page = try bench.read(ReadMessages(bench.record("s"), .from(1), limit: 9, bytes: 1 << 20))
        #expect(page.messages.map(\.status) == [.complete, .interrupted])
        #expect(page.messages.last?.id == answerID)
        #expect(page.messages.last?.parts.map(\.visibleText) == ["hm", "partial"])
        #expect(try shell("sqlite3", bench.path, "SELECT count(*) FROM piece") == "0\n")
    }

    @Test func `with no piece has no answer so far, and ends without one`() throws {
        let bench = try Bench()
        let session = try bench.session("s"), turn = turn(bench)
        _ = try accept(bench, turn, "hello", session)
        let left = try #require(try bench.read(OpenTurns(.running)).turns.first?.stored)
        #expect(try bench.read(AnswerSoFar(left)).isEmpty)
        try end(bench, turn, Turn.Ending(state: .interrupted, isPromptWithdrawn: false), nil)
        #expect(try bench.texts("s") == ["hello"])
    }

    @Test func `is found again by its request ID, and another content is a conflict`() throws {
        let bench = try Bench()
        let session = try bench.session("s"), first = turn(bench, request: "k", hash: [1])
        _ = try accept(bench, first, "a", session)
        guard
            case .known(let known, let hasMessage) = try accept(
                bench, turn(bench, request: "k", hash: [1]), "a", session)
        else {
            Issue.record("not known")
            return
        }
        #expect(known.turn.id == first.id && !hasMessage)
        guard case .conflict = try accept(bench, turn(bench, request: "k", hash: [2]), "b", session) else {
            Issue.record("no conflict")
            return
        }
        #expect(try bench.texts("s") == ["a"])
    }

    @Test func `in the queue is no message until it begins`() throws {
        let bench = try Bench()
        let session = try bench.session("s")
        var queued = turn(bench, .queued)
        queued.queuedPrompt = Part.encode([.text("later")])
        _ = try accept(bench, queued, "later", session)
        #expect(try bench.texts("s") == [])
        let prompt = NewMessage(
            id: queued.promptID!, role: .user, content: queued.queuedPrompt!, size: ContentSize(tokens: 3))
        func begin(_ head: Int) throws -> BeginQueued.Output {
            try bench.write(
                BeginQueued(
                    queued.id, prompt: prompt, title: nil, upstream: "u", model: "m",
                    receipt: Array("{}".utf8), seen: (session.branch, head)))
        }
        #expect(try begin(7) == .moved)
        guard case .begun(let begun) = try begin(0) else {
            Issue.record("it did not begin")
            return
        }
        #expect(begun.place.head == 1)
        #expect(try begin(1) == .gone)
        #expect(try bench.texts("s") == ["later"])
    }

    @Test func `shares its commit with others and fails alone`() throws {
        let bench = try Bench()
        try bench.session("s")
        var answers: [String] = []
        for number in 0..<20 {
            let id = SessionID(number % 5 == 3 ? "missing" : "s")!
            bench.store.write(
                AppendMessages(id, owner: 0, [bench.message("m\(number)")], ifMissing: nil)
            ) { result in
                if case .success(.appended(_, let first, _)) = result {
                    answers.append("\(first)")
                } else {
                    answers.append("-")
                }
            }
        }
        while answers.count < 20 { try bench.loop.turn(waiting: true) }
        #expect(answers.filter { $0 == "-" }.count == 4)
        #expect(answers.filter { $0 != "-" } == (1...16).map(String.init))
    }

    @Test(arguments: [false, true])
    func `keeps where its window began, unless the summary before that was thrown away meanwhile`(
        _ isGone: Bool
    ) throws {
        let bench = try Bench()
        try bench.session("s")
        try bench.append("s", (1...6).map { "\($0)" })
        let session = try bench.record("s"), key = AnchorKey(upstream: "u", model: "m", settings: "{}")
        let summary = Summary(
            id: SummaryID(high: 1, low: 1), first: 1, last: 4,
            text: "the gist", madeAt: 6, createdAt: 1)
        let keep = KeepSummary(summary, of: session.row, on: session.branch, attempts: [], used: nil)
        #expect(try bench.write(keep))
        if isGone { #expect(try bench.write(RemoveSummary(summary.id, of: session.row))) }

        func anchor() throws -> Int? {
            let read = WindowRead(
                try bench.record("s"), HistoryNeed(tokens: 1_000, hasPrompt: false), within: nil, for: key)
            return try bench.read(read)?.anchor?.seq
        }
        let turn = turn(bench)
        _ = try bench.write(
            AcceptPrompt(
                session: session.row, turn: turn, prompt: nil, title: "t",
                anchor: Anchor(key: key, seq: 5, summary: summary.id)))
        #expect(try anchor() == (isGone ? nil : 5))
        _ = try bench.write(
            EndTurn(
                turn.id, Turn.Ending(state: .complete, stopReason: .endTurn, isPromptWithdrawn: false),
                content: Part.encode([.text("a")]), size: ContentSize(tokens: 1),
                anchor: Anchor(key: key, seq: 6, summary: summary.id)))
        #expect(try anchor() == (isGone ? nil : 6))
    }
}
