internal import Archive
internal import Conversation
internal import EventLoop
internal import Protocol
internal import Sessions
internal import Store

/// Does what a session's line says: looks, writes, turns that run, answers.
final class SessionDriver {
    let row: SessionRow
    var line: SessionLine
    /// The turn at the front, from the moment that its beginning is on its way to the archive.
    var live: LiveTurn?
    let services: Services
    let quotas: QuotaKeeper
    let askers: Askers
    let report: (SessionDriver, Report) -> Void
    var turns: [TurnID: PendingTurn] = [:]
    /// Events that came while effects were performed; they are taken after those.
    private var events = Fifo<SessionLine.Event>()
    private var isPerforming = false
    private var timer: EventLoop.TimerID?

    /// What the one who keeps the lines hears.
    enum Report {
        /// A turn is on its way into the archive's queue.
        case queues(TurnID)
        /// A turn is stored as running, or as ended.
        case moved
        /// All that an event asked for is done.
        case settled
    }

    init(
        _ session: SessionRecord, _ services: Services, _ quotas: QuotaKeeper, _ askers: Askers,
        report: @escaping (SessionDriver, Report) -> Void
    ) {
        row = session.row
        self.services = services
        self.quotas = quotas
        self.askers = askers
        self.report = report
        line = SessionLine(
            session: session.session.id, owner: session.session.owner,
            limits: SessionDriver.limits(services.configuration))
    }

    static func limits(_ configuration: Configuration) -> SessionLine.Limits {
        SessionLine.Limits(
            tickets: configuration.limits.queue, bytes: configuration.limits.queued,
            patience: configuration.throttleWait)
    }

    var isForgotten: Bool { line.isForgotten && !isPerforming }

    /// Lets go of what waits for a time, since there is nothing to do any more.
    func forget() { if let timer { services.loop.cancel(timer) } }

    /// Moves the line on and does what it says, one event after the other.
    func handle(_ event: SessionLine.Event) {
        if isPerforming { return events.append(event) }
        isPerforming = true
        var next: SessionLine.Event? = event
        while let event = next {
            for effect in line.handle(event) { perform(effect) }
            next = events.popFirst()
        }
        isPerforming = false
        report(self, .settled)
    }

    private func perform(_ effect: SessionLine.Effect) {
        switch effect {
        case .judge(let id): turns[id].map(judge)
        case .recognize(let id): turns[id].map(recognize)
        case .enqueue(let id): turns[id].map(enqueue)
        case .examine(let id): turns[id].map(examine)
        case .prepare(let id, let isAgain): turns[id].map { prepare($0, isAgain: isAgain) }
        case .abandon(let id):
            turns[id]?.making?.cancel()
            turns[id]?.making = nil
        case .begin(let id): turns[id].map(begin)
        case .run(let id): turns[id].map(run)
        case .cancel: live?.handle(.cancel)
        case .shutDown: live?.handle(.shutDown)
        case .end(let id, let departure): turns[id].map { end($0, departure) }
        case .answer(let askers, let id, let answer):
            for asker in askers { self.answer(asker, id, answer) }
        case .joined(let id): turns[id]?.submission?.settled()
        case .tell(let id, let news): turns[id].map { tell($0, news) }
        case .startTimer(let milliseconds): startTimer(milliseconds)
        case .drop(let id): turns[id] = nil
        }
    }

    /// Looks at the queue again later; a line has one timer, however often it is looked at.
    private func startTimer(_ milliseconds: Int) {
        if let timer { services.loop.cancel(timer) }
        timer = services.loop.after(milliseconds: min(milliseconds, 3_600_000)) { [weak self] in
            self?.timer = nil
            self?.handle(.timerDue)
        }
    }
}
