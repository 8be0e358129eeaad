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
    let owner: UserID
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
        /// Whether only what it would take is told, and nobody is asked.
        var isDryRun = false
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
    /// Tokens that the summary may have.
    private var mostTokens = 0
    private var before: (text: String, last: Int)?
    /// Places that lie between the summary before and what is read, since a round has no room for all.
    private var missing: ClosedRange<Int>?
    private var pieces: ArraySlice<[SummaryWords.Line]> = []
    private var call: SummaryCall?
    /// Whether the first piece is on its way: later ones have the summary so far before them.
    private var hasAsked = false
    private var attempts: [Attempt] = []
    private var used: TurnUsage?
    private var isOver = false
    /// Whether what it used is on its way to the archive.
    private var isKeeping = false
    /// What it will use of what its user may, about, until that is stored.
    private var share: QuotaKeeper.Share?
    /// What that has used, and which others were under way when it was looked up.
    private var usedBefore: (sum: UsageSum, mark: Int)?
    /// Reads the stretch anew and cuts it into smaller pieces; how often that was done since some were too long, and how often
    /// nobody said what would fit.
    private var readAnew: (() -> Void)?
    private var rereads = 0, halvings = 0
    /// Tokens that who is asked first was known to hold when the pieces were made; nil where nobody knew.
    private var length: Int?
    /// How often that is done at most.
    private static let mostRereads = 2
    /// Ends the look at the messages; nil where none is under way.
    private var stopLook: (() -> Void)?

    init(_ order: SummaryOrder, _ tools: SummaryTools, done: @escaping (SummaryRound) -> Void) {
        self.order = order
        self.tools = tools
        self.done = done
    }

    private var isRequested: Bool { order.request != nil }
    /// Pieces that it may have.
    private var mostPieces: Int { isRequested ? SummaryWords.pieces.asked : SummaryWords.pieces.unasked }

    /// Breaks it off; who asked is told.
    func cancel(_ error: WireError = WireError(.cancelled, "the request was cancelled")) {
        if isOver { return }
        if let call {
            call.cancel()
            note(call, .failed(error, call.counted))
            self.call = nil
        }
        if let summary {
            tools.tell(summary, .cancelled, of: session)
            // What was used was used.
            if used != nil, !isKeeping {
                let write = KeepSummary(
                    summary, of: order.row, on: order.branch, attempts: [], used: used, isKept: false)
                tools.archives.write(write, of: order.row) { [share] _ in _ = share }
            }
        }
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
        let quota = tools.quotas.look(for: found), mark = tools.quotas.mark
        tools.archives.read(quota, of: order.row) { [self] result in
            if isOver { return }
            switch result {
            case .success(let used):
                if let refusal = tools.quotas.refusal(found, used) { return finish(.failure(refusal)) }
                usedBefore = used.userUsage.map { ($0, mark) }
                findTarget(found)
            case .failure(let error): finish(.failure(WireError(error)))
            }
        }
    }

    private func findTarget(_ found: SessionRecord) {
        if let target = order.target { return findBefore(found, target) }
        look(NewestPrompt(found, farthest: SummaryRound.farthestPrompt)) { [self] prompt in
            guard let prompt else { return nothing("nothing was asked in the session lately") }
            let target = prompt - 1
            guard target > 0 else { return nothing("the session has no more than one turn") }
            findBefore(found, target)
        }
    }

    /// Messages that the newest turn may have behind its prompt.
    private static let farthestPrompt = 10_000

    private func nothing(_ why: String) {
        over(WireError(.conflict, "there is nothing to summarize: \(why)"))
    }

    private func findBefore(_ found: SessionRecord, _ target: Int) {
        look(NewestSummaries(found)) { [self] known in
            let covered = known.filter { $0.text != nil || !$0.isRequested }.map(\.last).max() ?? 0
            // The window was made while another round was under way.
            if !isRequested, covered >= target || covered > order.begin {
                return finish(.failure(WireError(.conflict, "it is summarized already")))
            }
            // With nothing new behind it the last one is made anew from what it covers, as somebody wishes it otherwise.
            // One that was made unasked covers what its window lacked: what lies before that somebody who asks means too.
            let before = known.first {
                $0.text != nil && $0.last < target && !(isRequested && !$0.isRequested && $0.first > 1)
            }
            let untold = isRequested ? 0 : known.first { $0.text == nil }?.last ?? 0
            tools.candidates(for: found) { [self] result in
                if isOver { return }
                switch result {
                case .success(let candidates):
                    self.candidates = candidates
                    readAnew = { [weak self] in self?.readBack(found, before, untold: untold, target) }
                    findBudget(found) { [self] in readAnew?() }
                case .failure(let error): finish(.failure(error))
                }
            }
        }
    }

    /// Finds what a window of the session holds, which bounds what a summary in it may have.
    private func findBudget(_ found: SessionRecord, _ then: @escaping () -> Void) {
        tools.routes.resolve(found.session, TurnOptions()) { [self] result in
            if isOver { return }
            // Who cannot be asked now has no length; then it is that of an unknown model.
            let candidate = (try? result.get())?.first
            let length = candidate.flatMap { $0.upstream.contextLength(of: $0.model) }
            // It was checked when it was set.
            let policy = try? tools.routes.windows.policy(
                found.session, TurnOptions(), at: candidate?.upstream.name)
            mostTokens = SummaryWords.most(
                tools.configuration.summarizer.maxTokens, budget: policy?.budget(contextLength: length))
            then()
        }
    }

    /// What of a conversation fits a call: all that is read where it has `whole` tokens at most, else pieces of `piece`.
    private struct Room {
        let whole: Int
        let piece: Int
        /// Bytes that the summary before may have: what does not fit is cut in its middle.
        let before: Int

        init(_ settings: Summarizer, _ candidate: Candidate, before: String, halvings: Int) {
            var length = candidate.upstream.contextLength(of: candidate.model)
            if halvings > 0 { length = (length ?? WindowPolicy.unknownModelTokens) >> halvings }
            let answer = SummaryRequests.answer(settings, contextLength: length)
            let half = SummaryWords.piece(contextLength: length, answer: answer, before: 0) / 2
            let told = min(half, TokenEstimate.text(before))
            self.before = told < half ? Int.max : 2 * half
            whole = SummaryWords.piece(contextLength: length, answer: answer, before: told)
            // Behind the first one there is a summary before it, as long as one may be.
            let next = min(half, max(told, settings.maxTokens))
            piece = SummaryWords.piece(contextLength: length, answer: answer, before: next)
        }
    }

    /// Reads the stretch from its end, until it is whole or long enough for a round.
    ///
    /// What a round came to nothing over, or somebody threw away, up to `untold` is not asked about again.
    private func readBack(_ found: SessionRecord, _ before: Summary?, untold: Int, _ target: Int) {
        length = candidates[0].upstream.contextLength(of: candidates[0].model)
        let room = Room(
            tools.configuration.summarizer, candidates[0], before: before?.text ?? "", halvings: halvings)
        let first = max(before?.last ?? 0, untold) + 1, most = room.piece
        var lines: [SummaryWords.Line] = [], tokens = 0
        func read(from seq: Int) { tools.archives.asking(for: order.owner) { readPage(from: seq) } }
        func readPage(from seq: Int) {
            guard seq >= first else { return cut(lines, from: first, before, target, room) }
            let page = ReadMessages(found, .backFrom(seq), limit: 200, bytes: 256 << 10)
            stopLook = tools.archives.readAway(page, of: order.row, isShort: false) { page in
                SummaryWords.page(page.messages, most: most)
            } then: { [self] result in
                stopLook = nil
                if isOver { return }
                switch result {
                case .failure(let error): over(WireError(error))
                case .success((let page, let least)):
                    // Newest first, and what the summary before covers is not read again.
                    for line in page where line.seq >= first {
                        tokens += line.tokens
                        if tokens > room.piece * mostPieces, let last = lines.last {
                            return cut(lines, from: last.seq, before, target, room)
                        }
                        lines.append(line)
                    }
                    guard let least, least > 1 else { return cut(lines, from: first, before, target, room) }
                    read(from: least - 1)
                }
            }
        }
        read(from: target)
    }

    /// Cuts what was read, newest first and from a place on, into pieces, and begins with the first.
    private func cut(
        _ lines: [SummaryWords.Line], from first: Int, _ before: Summary?, _ target: Int, _ room: Room
    ) {
        guard let session else { return }
        if lines.isEmpty { return nothing("no message of it says anything that is not summarized") }
        let all = SummaryWords.pieces(lines.reversed(), whole: room.whole, of: room.piece)
        pieces = all.suffix(mostPieces)
        let first = all.count > mostPieces ? pieces.first?.first?.seq ?? first : first
        (self.before, missing, hasAsked) = (nil, nil, false)
        if let before, let text = before.text {
            self.before = (SummaryWords.clipped(text, to: room.before), before.last)
            if first > before.last + 1 { missing = (before.last + 1)...(first - 1) }
        }
        var summary = Summary(
            id: self.summary?.id ?? tools.ids.newID(), first: before?.first ?? first, last: target, text: nil,
            isRequested: isRequested, madeAt: session.session.messageCount, createdAt: tools.clocks.now())
        summary.problem = "it is being made"
        let estimate = estimated(summary)
        if order.request?.isDryRun ?? false { return finish(.success(estimate)) }
        do throws(WireError) {
            let tokens = (estimate.inputTokens ?? 0) + (estimate.outputTokens ?? 0)
            if share == nil {
                share = try tools.quotas.share(
                    order.owner, usedBefore, isBeside: true,
                    UsageSum(turns: 1, tokens: tokens, cost: estimate.cost ?? 0))
            }
        } catch { return finish(.failure(error)) }
        if let old = self.summary {
            (summary.inputTokens, summary.outputTokens, summary.cost) = (
                old.inputTokens, old.outputTokens, old.cost
            )
        } else {
            tools.tell(summary, .inProgress, of: session)
        }
        self.summary = summary
        ask()
    }

    /// What a summary would take, by the estimates, at who would be asked first.
    private func estimated(_ summary: Summary) -> Summary {
        let settings = tools.configuration.summarizer, candidate = candidates[0]
        let words = TokenEstimate.text(SummaryWords.system(tokens: settings.maxTokens))
        let told = TokenEstimate.text(before?.text ?? "")
        var input = 0, cost = 0, isKnown = true
        for (index, piece) in pieces.enumerated() {
            let tokens = words + (index == 0 ? told : settings.maxTokens) + piece.reduce(0) { $0 + $1.tokens }
            input += tokens
            let prices = candidate.upstream.prices(of: candidate.model, tokens: tokens)
            isKnown = isKnown && prices != nil
            cost +=
                prices?.cost(
                    Prices.Tokens(input: tokens, output: settings.maxTokens), cache: .none) ?? 0
        }
        var summary = summary
        summary.problem = "nobody was asked"
        (summary.upstream, summary.model) = (candidate.upstream.name, candidate.model)
        (summary.inputTokens, summary.outputTokens) = (input, settings.maxTokens * pieces.count)
        summary.cost = isKnown ? cost : nil
        return summary
    }

    // MARK: The calls

    private func ask() {
        guard let piece = pieces.popFirst() else { return }
        let settings = tools.configuration.summarizer
        let requests = SummaryRequests(
            SummaryWords.system(tokens: mostTokens),
            SummaryWords.prompt(
                before: before, missing: hasAsked ? nil : missing, piece,
                instructions: order.request?.instructions), settings,
            owner: order.owner)
        hasAsked = true
        let made = SummaryCall(candidates, requests, tools.routes, tools.loop, timeout: settings.timeout) {
            [self] call, outcome in
            self.call = nil
            if isOver { return }
            note(call, outcome)
            switch outcome {
            case .failed(let error, _):
                // The pieces were made for a model that was thought to hold more.
                guard error.kind == .contextOverflow, rereads < SummaryRound.mostRereads else {
                    return keep(nil, error)
                }
                rereads += 1
                let known = candidates[0].upstream.contextLength(of: candidates[0].model)
                if known == nil || known == length { halvings += 1 }
                readAnew?()
            case .text(let whole, _, let isCut):
                let bounded = SummaryWords.bounded(whole, to: mostTokens)
                let text = isCut ? SummaryWords.cut(bounded) : bounded
                if pieces.isEmpty { return keep(text, nil) }
                before = (text, piece.last?.seq ?? 0)
                ask()
            }
        }
        // One that could not even begin has told so by now, and the next may be under way.
        if !made.isOver { call = made }
    }

    /// Adds the tries of a call, and what it used.
    private func note(_ call: SummaryCall, _ outcome: SummaryCall.Outcome) {
        for var attempt in call.attempts {
            attempt.number = attempts.count + 1
            attempts.append(attempt)
        }
        summary?.upstream = call.candidate?.upstream.name
        summary?.model = call.candidate?.model
        let usage =
            switch outcome {
            case .text(_, let counted, _), .failed(_, let counted): counted
            }
        guard let more = call.used(usage, owner: order.owner) else { return }
        let before = (input: summary?.inputTokens ?? 0, output: summary?.outputTokens ?? 0)
        summary?.inputTokens = before.input + more.input
        summary?.outputTokens = before.output + more.output
        used = used.map { $0 + more } ?? more
        summary?.cost = used?.cost
    }

    // MARK: The end

    /// It comes to nothing; where it was told of already, that is told and kept too.
    private func over(_ error: WireError) {
        if summary != nil { keep(nil, error) } else { finish(.failure(error)) }
    }

    private func keep(_ text: String?, _ error: WireError?) {
        guard var summary, let session else { return }
        summary.text = text
        summary.problem = error?.message
        // What nobody told is said, whatever the model made of it.
        if let missing, let text { summary.text = SummaryWords.without(missing, text) }
        self.summary = summary
        isKeeping = true
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
