internal import Archive
internal import ContextWindow
internal import Conversation
internal import EventLoop
internal import Protocol
internal import Store
internal import Upstream

/// Has models name sessions where somebody asks: a few at a time, one of a session.
final class Titles {
    /// Rounds at a time; what is asked for beyond is refused.
    private static let most = 8

    private let tools: SummaryTools
    private var running: [TitleRound] = []
    private var isStopped = false

    init(_ tools: SummaryTools) { self.tools = tools }

    /// Names a session by the beginning of its conversation; what it gives breaks that off.
    func name(
        _ session: SessionRecord, _ then: @escaping (Result<SessionRecord, WireError>) -> Void
    ) -> () -> Void {
        func refuse(_ error: WireError) -> () -> Void {
            then(.failure(error))
            return {}
        }
        if isStopped { return refuse(WireError(.shuttingDown, "the daemon is stopping")) }
        if running.contains(where: { $0.session.row == session.row }) {
            return refuse(WireError(.conflict, "the session is being named already; wait for that"))
        }
        if running.count >= Titles.most {
            return refuse(WireError(.busy, "many sessions are being named; try again in a moment"))
        }
        let owner = session.session.owner
        let wait = tools.quotas.wait(for: owner)
        if wait > 0 { return refuse(.tooFast(wait)) }
        tools.quotas.begin(owner, tokens: 0)
        let round = TitleRound(session, tools) { [weak self] round, result in
            self?.running.removeAll { $0 === round }
            then(result)
        }
        running.append(round)
        round.begin()
        return { round.cancel(WireError(.cancelled, "the request was cancelled")) }
    }

    /// Breaks all off, as the daemon stops.
    func stop() {
        isStopped = true
        for round in running { round.cancel(WireError(.shuttingDown, "the daemon is stopping")) }
    }
}

/// One title, from reading the beginning of a conversation to keeping what a model says.
private final class TitleRound {
    let session: SessionRecord
    private let tools: SummaryTools
    private let done: (TitleRound, Result<SessionRecord, WireError>) -> Void
    private var call: SummaryCall?
    private var isOver = false
    /// Whether what came of it is on its way to the archive: then it is too late to break it off.
    private var isKeeping = false
    /// What it will use of what its user may, about, until that is stored.
    private var share: QuotaKeeper.Share?
    /// What that has used, and which others were under way when it was looked up.
    private var found: (sum: UsageSum, mark: Int)?

    init(
        _ session: SessionRecord, _ tools: SummaryTools,
        done: @escaping (TitleRound, Result<SessionRecord, WireError>) -> Void
    ) {
        self.session = session
        self.tools = tools
        self.done = done
    }

    func cancel(_ error: WireError) {
        if isOver || isKeeping { return }
        if let call {
            call.cancel()
            self.call = nil
            keep(nil, call, call.counted, else: error)
        }
        finish(.failure(error))
    }

    private func finish(_ result: Result<SessionRecord, WireError>) {
        if isOver { return }
        isOver = true
        done(self, result)
    }

    /// Takes what a look or a write gave, unless the round was given up meanwhile.
    private func take<Value>(_ body: @escaping (Value) -> Void) -> (Result<Value, ArchiveError>) -> Void {
        { [self] result in
            if isOver { return }
            switch result {
            case .success(let value): body(value)
            case .failure(let error): finish(.failure(WireError(error)))
            }
        }
    }

    func begin() {
        let quota = tools.quotas.look(for: session), mark = tools.quotas.mark
        tools.archives.read(
            quota, of: session.row,
            then: take { [self] used in
                if let refusal = tools.quotas.refusal(session, used) { return finish(.failure(refusal)) }
                found = used.userUsage.map { ($0, mark) }
                read()
            })
    }

    private func read() {
        let page = ReadMessages(session, .from(1), limit: TitleWords.messages, bytes: 128 << 10)
        tools.archives.readAway(
            page, of: session.row,
            map: { page in
                SummaryWords.lines(page.messages.reversed(), most: TitleWords.mostBytes, withPins: true)
                    .reversed()
            },
            then: take { [self] lines in
                guard let prompt = TitleWords.prompt(lines) else {
                    return finish(
                        .failure(WireError(.conflict, "the session says nothing yet that could be named")))
                }
                tools.candidates(for: session) { [self] result in
                    if isOver { return }
                    switch result {
                    case .success(let candidates):
                        do throws(WireError) {
                            share = try tools.quotas.share(
                                session.session.owner, found, isBeside: true,
                                QuotaKeeper.expected(
                                    input: TitleWords.mostTokens, output: TitleWords.maxTokens,
                                    candidates.first))
                        } catch { return finish(.failure(error)) }
                        ask(candidates, prompt)
                    case .failure(let error): finish(.failure(error))
                    }
                }
            })
    }

    private func ask(_ candidates: [Candidate], _ prompt: String) {
        var settings = tools.configuration.summarizer
        settings.maxTokens = TitleWords.maxTokens
        let requests = SummaryRequests(TitleWords.system, prompt, settings, owner: session.session.owner)
        let made = SummaryCall(
            candidates, requests, tools.routes, tools.loop, timeout: settings.timeout, for: "title"
        ) { [self] call, outcome in
            self.call = nil
            if isOver { return }
            switch outcome {
            case .failed(let error, let usage): keep(nil, call, usage, else: error)
            case .text(let text, let usage, _):
                let title = TitleWords.title(in: text)
                keep(title, call, usage, else: WireError(.upstreamRefused, "the model gave no title"))
            }
        }
        // One that could not even begin has told so by now.
        if !made.isOver { call = made }
    }

    /// Stores a title with what it used; without one the session stays as it is, and who asked is told why.
    private func keep(_ title: String?, _ call: SummaryCall, _ usage: Usage?, else error: WireError) {
        isKeeping = title != nil
        let write = KeepTitle(
            title, of: session, used: call.used(usage, owner: session.session.owner),
            upstream: call.candidate?.upstream.name ?? "", model: call.candidate?.model ?? "")
        tools.archives.write(
            write, of: session.row,
            then: take { [self] record in
                guard title != nil else { return finish(.failure(error)) }
                guard let record else { return finish(.failure(.noSession(session.session.id))) }
                finish(.success(record))
            })
    }
}
