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
    let archives: Archives
    let channels: Channels
    let routes: Routes
    let quotas: QuotaKeeper
    let admissions: Admissions
    let summaries: Summaries
    let askers: Askers
    let configuration: CurrentConfiguration
    let ids: IDSource
    let clocks: Clocks
    let loop: EventLoop
    let log: Log
    let memory: FreeMemory
    let report: (SessionDriver, Report) -> Void
    var turns: [TurnID: PendingTurn] = [:]
    /// Events that came while effects were performed; they are taken after those.
    private var events = Fifo<SessionLine.Event>()
    private var isPerforming = false
    private var timer: EventLoop.TimerID?
    /// Whether it is told when there may be room for a turn.
    var awaitsRoom = false

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
        _ session: SessionRecord, archives: Archives, channels: Channels, routes: Routes,
        quotas: QuotaKeeper, admissions: Admissions, summaries: Summaries, askers: Askers,
        configuration: CurrentConfiguration,
        ids: IDSource,
        clocks: Clocks, loop: EventLoop, log: Log, memory: FreeMemory,
        report: @escaping (SessionDriver, Report) -> Void
    ) {
        row = session.row
        self.archives = archives
        self.channels = channels
        self.routes = routes
        self.quotas = quotas
        self.admissions = admissions
        self.summaries = summaries
        self.askers = askers
        self.configuration = configuration
        self.ids = ids
        self.clocks = clocks
        self.loop = loop
        self.log = log
        self.memory = memory
        self.report = report
        line = SessionLine(
            session: session.session.id, owner: session.session.owner,
            limits: SessionDriver.limits(configuration))
    }

    static func limits(_ configuration: CurrentConfiguration) -> SessionLine.Limits {
        SessionLine.Limits(
            tickets: configuration.limits.queue, bytes: configuration.limits.queued,
            patience: configuration.throttleWait)
    }

    var isForgotten: Bool { line.isForgotten && !isPerforming }

    /// Lets go of what waits for a time, since there is nothing to do any more.
    func forget() { if let timer { loop.cancel(timer) } }

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
            if case .making(let making)? = turns[id]?.preparation { making.cancel() }
            turns[id]?.preparation = .none
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
        if let timer { loop.cancel(timer) }
        timer = loop.after(milliseconds: min(milliseconds, 3_600_000)) { [weak self] in
            self?.timer = nil
            self?.handle(.timerDue)
        }
    }
}
