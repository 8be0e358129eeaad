internal import Archive
internal import Conversation
internal import EventLoop
internal import Protocol
internal import Store

/// Makes summaries, behind turns that pass the mark and where somebody asks: a few at a time, one of a session.
///
/// A prompt never waits for one, and what comes to nothing leaves the window as `sawtooth` would have it.
final class Summaries {
    /// Rounds at a time.
    private static let most = 2
    /// Rounds of one user that wait at most; what is asked for beyond is refused, what is not comes again behind the next turn.
    private static let mostWaiting = 20

    private let tools: SummaryTools
    private var running: [SummaryRound] = []
    private var waiting: [SummaryRound] = []
    private var isStopped = false

    /// Where sessions are named, by whoever summarizes them.
    let titles: Titles

    init(_ tools: SummaryTools) {
        self.tools = tools
        titles = Titles(tools)
    }

    /// A turn of a session has ended, and its window says up to where a summary should reach.
    func turnEnded(_ session: SessionRecord, target: Int, begin: Int) {
        if isStopped { return }
        let isKnown = (running + waiting).contains { $0.order.row == session.row && $0.order.request == nil }
        if isKnown || isFull(session.session.owner) { return }
        start(
            SummaryOrder(
                row: session.row, owner: session.session.owner, branch: session.branch, target: target,
                begin: begin))
    }

    /// Summarizes all before the newest turn because somebody asks, or says what that would take; what it gives breaks the round
    /// off.
    func compact(
        _ session: SessionRecord, _ instructions: String?, isDryRun: Bool,
        _ then: @escaping (Result<Summary, WireError>) -> Void
    ) -> () -> Void {
        func refuse(_ kind: ErrorKind, _ words: String) -> () -> Void {
            then(.failure(WireError(kind, words)))
            return {}
        }
        if isStopped { return refuse(.shuttingDown, "the daemon is stopping") }
        if (running + waiting).contains(where: { $0.order.row == session.row && $0.order.request != nil }) {
            return refuse(.conflict, "the session is being summarized already; wait for that")
        }
        if isFull(session.session.owner) {
            return refuse(.busy, "many of your sessions are being summarized; try again in a moment")
        }
        if !isDryRun {
            let wait = tools.quotas.wait(for: session.session.owner)
            if wait > 0 {
                then(.failure(.tooFast(wait)))
                return {}
            }
            tools.quotas.begin(session.session.owner, tokens: 0)
        }
        var order = SummaryOrder(
            row: session.row, owner: session.session.owner, branch: session.branch, target: nil)
        order.request = SummaryOrder.Request(instructions: instructions, isDryRun: isDryRun, then: then)
        let round = start(order)
        return { round.cancel() }
    }

    private func isFull(_ owner: UserID) -> Bool {
        waiting.count { $0.order.owner == owner } >= Summaries.mostWaiting
    }

    /// Messages or summaries of a session are otherwise: what is being summarized of it may hold what it must not.
    func changed(_ row: SessionRow) {
        for round in running + waiting where round.order.row == row {
            round.cancel(
                WireError(
                    .conflict,
                    "its messages or its summary were changed meanwhile; summarize the session again"))
        }
    }

    /// Breaks all off, as the daemon stops.
    func stop() {
        isStopped = true
        titles.stop()
        for round in running + waiting { round.cancel(WireError(.shuttingDown, "the daemon is stopping")) }
    }

    @discardableResult
    private func start(_ order: SummaryOrder) -> SummaryRound {
        let round = SummaryRound(order, tools) { [weak self] in self?.ended($0) }
        waiting.append(round)
        proceed()
        return round
    }

    private func ended(_ round: SummaryRound) {
        running.removeAll { $0 === round }
        waiting.removeAll { $0 === round }
        proceed()
    }

    /// Begins what waited longest, of those whose user has the fewest rounds under way, and that have no round of their session
    /// before them.
    private func proceed() {
        while !isStopped, running.count < Summaries.most {
            func load(_ round: SummaryRound) -> Int { running.count { $0.order.owner == round.order.owner } }
            let free = waiting.indices.filter { index in
                !running.contains { $0.order.row == waiting[index].order.row }
            }
            guard let next = free.min(by: { load(waiting[$0]) < load(waiting[$1]) }) else { return }
            let round = waiting.remove(at: next)
            running.append(round)
            round.begin()
        }
    }
}
