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
    /// Rounds that wait at most; what is asked for beyond is refused, what is not comes again behind the next turn.
    private static let mostWaiting = 100

    private let tools: SummaryTools
    private var running: [SummaryRound] = []
    private var waiting: [SummaryRound] = []
    private var isStopped = false

    init(_ tools: SummaryTools) { self.tools = tools }

    /// A turn of a session has ended, and its window says up to where a summary should reach.
    func turnEnded(_ session: SessionRecord, target: Int, begin: Int) {
        let isKnown = (running + waiting).contains { $0.order.row == session.row && $0.order.request == nil }
        if isKnown || waiting.count >= Summaries.mostWaiting { return }
        start(SummaryOrder(row: session.row, branch: session.branch, target: target, begin: begin))
    }

    /// Summarizes all before the newest turn because somebody asks; what it gives breaks the round off.
    func compact(
        _ session: SessionRecord, _ instructions: String?,
        _ then: @escaping (Result<Summary, WireError>) -> Void
    ) -> () -> Void {
        guard waiting.count < Summaries.mostWaiting else {
            then(.failure(WireError(.busy, "many summaries are being made; try again in a moment")))
            return {}
        }
        var order = SummaryOrder(row: session.row, branch: session.branch, target: nil)
        order.request = SummaryOrder.Request(instructions: instructions, then: then)
        let round = start(order)
        return { round.cancel() }
    }

    /// Breaks all off, as the daemon stops.
    func stop() {
        isStopped = true
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

    /// Begins what waited longest and has no round of its session before it.
    private func proceed() {
        while !isStopped, running.count < Summaries.most,
            let next = waiting.firstIndex(where: { round in
                !running.contains { $0.order.row == round.order.row }
            })
        {
            let round = waiting.remove(at: next)
            running.append(round)
            round.begin()
        }
    }
}
