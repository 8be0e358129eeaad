internal import Archive
internal import ContextWindow
internal import Conversation
internal import EventLoop
internal import Protocol
internal import Store
internal import Upstream

/// What is to be summarized.
struct SummaryOrder {
    let row: SessionRow
    /// The branch whose path is meant.
    let branch: BranchRow
    /// The last place that it covers; nil for all before the newest turn.
    let target: Int?
    /// The place before the window that asks for it: a summary that ends behind that is ready for the next cut.
    var begin = 0
    /// What somebody who asked for it wishes; nil where nobody did.
    var request: Request?

    /// A person's, or a program's, wish.
    struct Request {
        let instructions: String?
        let then: (Result<Summary, WireError>) -> Void
    }
}

/// One summary, from looking what it covers to keeping it: reads the stretch backwards, cuts it into pieces, and asks for
/// each with the summary so far.
final class SummaryRound {
    let order: SummaryOrder
    private let tools: SummaryTools
    private let done: (SummaryRound) -> Void
    private var session: SessionRecord?
    private var summary: Summary?
    private var candidates: [Candidate] = []
    private var before: (text: String, last: Int)?
    private var pieces: ArraySlice<[SummaryWords.Line]> = []
    private var call: SummaryCall?
    private var attempts: [Attempt] = []
    private var used: TurnUsage?
    private var isOver = false
    /// Ends the look at the messages; nil where none is under way.
    private var stopLook: (() -> Void)?

    init(_ order: SummaryOrder, _ tools: SummaryTools, done: @escaping (SummaryRound) -> Void) {
        self.order = order
        self.tools = tools
        self.done = done
    }

    private var isRequested: Bool { order.request != nil }

    /// Breaks it off; who asked is told.
    func cancel(_ error: WireError = WireError(.cancelled, "the request was cancelled")) {
        if isOver { return }
        call?.cancel()
        attempts += call?.attempts ?? []
        call = nil
        if let summary { tools.tell(summary, .cancelled, of: session) }
        finish(.failure(error))
    }

    private func finish(_ result: Result<Summary, WireError>) {
        if isOver { return }
        isOver = true
        stopLook.take()?()
        order.request?.then(result)
        done(self)
    }

    /// Takes a look, unless the round was given up meanwhile.
    private func look<Read: LocalRead>(_ look: Read, _ body: @escaping (Read.Output) -> Void) {
        tools.archives.read(look, of: order.row) { [self] result in
            if isOver { return }
            switch result {
            case .success(let found): body(found)
            case .failure(let error): finish(.failure(WireError(error)))
            }
        }
    }

    // MARK: What it covers

    func begin() {
        look(SessionByRow(order.row)) { [self] found in
            guard let found, found.session.trashedAt == nil, found.branch == order.branch else {
                return finish(
                    .failure(
                        WireError(.conflict, "the session went on on another branch meanwhile; try again")))
            }
            session = found
            checkQuota(found)
        }
    }

    private func checkQuota(_ found: SessionRecord) {
        let quota = tools.quotas.look(for: found)
        if quota.isEmpty { return findTarget(found) }
        tools.archives.read(quota, of: order.row) { [self] result in
            if isOver { return }
            switch result {
            case .success(let used):
                if let refusal = tools.quotas.refusal(found, used) { return finish(.failure(refusal)) }
                findTarget(found)
            case .failure(let error): finish(.failure(WireError(error)))
            }
        }
    }

    private func findTarget(_ found: SessionRecord) {
        if let target = order.target { return findBefore(found, target) }
        look(ReadMessages(found, .newest(1), limit: 1, bytes: 1)) { [self] page in
            let target = (page.messages.first?.seq ?? 1) - 1
            guard target > 0 else { return nothing("the session has no more than one turn") }
            findBefore(found, target)
        }
    }

    private func nothing(_ why: String) {
        finish(.failure(WireError(.conflict, "there is nothing to summarize: \(why)")))
    }

    private func findBefore(_ found: SessionRecord, _ target: Int) {
        look(NewestSummaries(found)) { [self] known in
            let covered = known.filter { $0.text != nil || !$0.isRequested }.map(\.last).max() ?? 0
            // The window was made while another round was under way.
            if !isRequested, covered >= target || covered > order.begin {
                return finish(.failure(WireError(.conflict, "it is summarized already")))
            }
            let before = known.first { $0.text != nil && $0.last <= target }
            let settings = tools.configuration.summarizer
            // Never an upstream outside the session's own route, unless the configuration names it.
            let name = settings.upstream ?? found.session.settings.upstream
            let model = settings.model ?? (settings.upstream == nil ? found.session.settings.model : nil)
            tools.routes.upstreams.resolve(name, model: model) { [self] result in
                if isOver { return }
                switch result {
                case .success(let candidates) where !candidates.isEmpty:
                    self.candidates = candidates
                    readBack(found, before, target)
                case .success: finish(.failure(.invalid("the route is empty")))
                case .failure(let error): finish(.failure(error))
                }
            }
        }
    }

    /// Reads the stretch from its end, until it is whole or long enough for a round.
    private func readBack(_ found: SessionRecord, _ before: Summary?, _ target: Int) {
        let length = candidates[0].upstream.contextLength(of: candidates[0].model)
        let answer = SummaryRequests.answer(tools.configuration.summarizer, contextLength: length)
        let told = TokenEstimate.text(before?.text ?? "")
        let whole = SummaryWords.piece(contextLength: length, answer: answer, before: told)
        // Behind the first one there is a summary before it, as long as one may be.
        let piece = SummaryWords.piece(
            contextLength: length, answer: answer, before: max(told, tools.configuration.summarizer.maxTokens)
        )
        let first = (before?.last ?? 0) + 1
        var lines: [SummaryWords.Line] = [], tokens = 0
        func read(from seq: Int) {
            guard seq >= first else { return cut(lines, reached: first, before, target, whole, piece) }
            let page = ReadMessages(found, .backFrom(seq), limit: 200, bytes: 256 << 10)
            stopLook = tools.archives.readAway(page, of: order.row, isShort: false) { page in
                (page.messages.map(\.seq).min(), page.messages.map { SummaryWords.line($0, most: piece) })
            } then: { [self] result in
                stopLook = nil
                if isOver { return }
                switch result {
                case .failure(let error): finish(.failure(WireError(error)))
                case .success((let least, let page)):
                    // Newest first, and what the summary before covers is not read again.
                    for line in page.compactMap(\.self) where line.seq >= first {
                        tokens += line.tokens
                        if tokens > piece * SummaryWords.pieces, !lines.isEmpty {
                            return cut(
                                lines, reached: lines[lines.count - 1].seq, nil, target, whole, piece)
                        }
                        lines.append(line)
                    }
                    guard let least, least > 1 else {
                        return cut(lines, reached: first, before, target, whole, piece)
                    }
                    read(from: least - 1)
                }
            }
        }
        read(from: target)
    }

    private func cut(
        _ lines: [SummaryWords.Line], reached first: Int, _ before: Summary?, _ target: Int, _ whole: Int,
        _ piece: Int
    ) {
        guard let session else { return }
        if lines.isEmpty, !isRequested || before == nil { return nothing("no message of it says anything") }
        pieces = SummaryWords.pieces(lines.reversed(), whole: whole, of: piece)[...]
        if pieces.isEmpty { pieces = [[]] }
        self.before = before.flatMap { known in known.text.map { ($0, known.last) } }
        var summary = Summary(
            id: tools.ids.newID(), first: before?.first ?? first, last: target, text: nil,
            isRequested: isRequested,
            madeAt: session.session.messageCount, createdAt: tools.clocks.now())
        summary.problem = "it is being made"
        self.summary = summary
        tools.tell(summary, .inProgress, of: session)
        ask()
    }

    // MARK: The calls

    private func ask() {
        guard let piece = pieces.popFirst(), let session else { return }
        let settings = tools.configuration.summarizer
        let requests = SummaryRequests(
            SummaryWords.system(tokens: settings.maxTokens),
            SummaryWords.prompt(before: before, piece, instructions: order.request?.instructions), settings,
            owner: session.session.owner)
        call = SummaryCall(candidates, requests, tools.routes, tools.loop, timeout: settings.timeout) {
            [self] call, outcome in
            self.call = nil
            if isOver { return }
            note(call, outcome, session.session.owner)
            switch outcome {
            case .failed(let error): keep(nil, error)
            case .text(let text, _):
                if pieces.isEmpty { return keep(text, nil) }
                before = (text, piece.last?.seq ?? 0)
                ask()
            }
        }
    }

    /// Adds the tries of a call, and what it used.
    private func note(_ call: SummaryCall, _ outcome: SummaryCall.Outcome, _ owner: UserID) {
        for var attempt in call.attempts {
            attempt.number = attempts.count + 1
            attempts.append(attempt)
        }
        summary?.upstream = call.candidate?.upstream.name
        summary?.model = call.candidate?.model
        guard case .text(let text, let usage) = outcome, let candidate = call.candidate else { return }
        let more = TurnUsage(
            usage, owner: owner, input: call.estimate, output: TokenEstimate.text(text), candidate: candidate)
        let before = (input: summary?.inputTokens ?? 0, output: summary?.outputTokens ?? 0)
        summary?.inputTokens = before.input + more.input
        summary?.outputTokens = before.output + more.output
        used = used.map { $0 + more } ?? more
        summary?.cost = used?.cost
    }

    // MARK: The end

    private func keep(_ text: String?, _ error: WireError?) {
        guard var summary, let session else { return }
        summary.text = text
        summary.problem = error?.message
        self.summary = summary
        let write = KeepSummary(
            summary, of: order.row, on: order.branch, attempts: attempts, used: used)
        tools.archives.write(write, of: order.row) { [self] result in
            if isOver { return }
            switch result {
            case .success(true):
                tools.tell(summary, text == nil ? .failed : .completed, of: session)
                if let error { finish(.failure(error)) } else { finish(.success(summary)) }
            case .success(false): failed(WireError(.conflict, "what was summarized is gone meanwhile"))
            case .failure(let failure): failed(WireError(failure))
            }
        }
    }

    private func failed(_ error: WireError) {
        summary?.problem = error.message
        if let summary { tools.tell(summary, .failed, of: session) }
        finish(.failure(error))
    }
}
