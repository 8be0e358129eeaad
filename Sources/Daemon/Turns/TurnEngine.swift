internal import Archive
internal import Conversation
internal import EventLoop
internal import Protocol
internal import Sessions
internal import Store

/// The lines of all sessions on which something runs or waits.
final class TurnEngine {
    private let archives: Archives
    private let loop: EventLoop
    private let log: Log
    private let makeDriver: MakeDriver
    private var lines: [SessionRow: SessionDriver] = [:]
    /// Turns that were put into a queue before those that waited at the start were taken up; nil once they are.
    private var ownTurns: Set<TurnID>? = []
    /// How often a turn was stored as running or ended: what a look found of sessions before that may be old.
    private(set) var moves = 0
    private var isDraining = false
    private var whenIdle: (() -> Void)?

    /// Makes the driver of a session's line, which reports to what it is given.
    typealias MakeDriver = (SessionRecord, @escaping (SessionDriver, SessionDriver.Report) -> Void) ->
        SessionDriver

    init(_ archives: Archives, _ loop: EventLoop, _ log: Log, makeDriver: @escaping MakeDriver) {
        self.archives = archives
        self.loop = loop
        self.log = log
        self.makeDriver = makeDriver
    }

    // MARK: What is known of sessions

    /// Whether no session has turns that run or wait.
    var isEmpty: Bool { lines.isEmpty }
    /// What runs and waits on a session; nil for nothing.
    func line(on row: SessionRow) -> SessionLine? { lines[row]?.line }
    /// The turn of a session that runs, or whose beginning is on its way to the archive.
    func live(on row: SessionRow) -> LiveTurn? { lines[row]?.live }
    /// The turn of a session that runs and is stored.
    func running(on row: SessionRow) -> LiveTurn? {
        lines[row].flatMap { $0.line.running == nil ? nil : $0.live }
    }
    /// Those that run or begin on all sessions.
    var live: [LiveTurn] { lines.values.compactMap(\.live) }

    /// The line of a session as a client names it: its own, or for administrators anybody's; nil where nothing runs or waits.
    private func driver(named id: SessionID, for client: Client) -> SessionDriver? {
        let named = lines.values.filter { $0.line.session == id }
        if let own = named.first(where: { $0.line.owner == client.user }) { return own }
        // Of several users' nobody knows which is meant.
        return client.isAdmin && named.count == 1 ? named.first : nil
    }

    /// Whether something runs or waits on a session of a client's own user.
    func hasOwn(_ id: SessionID, of client: Client) -> Bool {
        lines.values.contains { $0.line.session == id && $0.line.owner == client.user }
    }

    private func driver(of session: SessionRecord) -> SessionDriver {
        if let known = lines[session.row] { return known }
        let driver = makeDriver(session) { [unowned self] driver, report in
            switch report {
            case .queues(let id): ownTurns?.insert(id)
            case .moved: moves += 1
            case .settled: settled(driver)
            }
        }
        lines[session.row] = driver
        if isDraining { driver.handle(.draining) }
        return driver
    }

    // MARK: What clients want

    /// Takes a prompt: begins it, queues it, or refuses it.
    func submit(_ submission: Submission) { driver(of: submission.session).submit(submission) }

    /// A request was taken back: the turn that it waits for ends, wherever it stands.
    func cancel(_ asker: Asker) {
        for driver in lines.values { driver.handle(.cancelled(.request(asker.request))) }
    }

    /// Cancels a turn wherever it stands; false when it neither runs nor waits, and then the asker is told nothing.
    func cancel(_ id: TurnID, on row: SessionRow, by asker: () -> Asker) -> Bool {
        guard let driver = lines[row], driver.line.ticket(id) != nil else { return false }
        driver.handle(.cancelled(.turn(id, by: asker())))
        return true
    }

    /// `session/cancel`: ends the running turn and what this client has in the queue.
    ///
    /// What runs and waits is known here, so that it is ended before anything else that is asked for later. Gives the session
    /// where that was another user's.
    func cancel(session id: SessionID, of client: Client) -> SessionRow? {
        guard let driver = driver(named: id, for: client), !client.isObserver(of: driver.row) else {
            return nil
        }
        let isAnothers = driver.line.owner != client.user && driver.line.front != nil
        driver.handle(.cancelled(.session(client: client.number)))
        return isAnothers ? driver.row : nil
    }

    /// Ends what this client alone asked for on a session, as `session/close` does, without a look as well; what others wait
    /// for too goes on.
    func close(session id: SessionID, of client: Client) {
        driver(named: id, for: client)?.handle(.cancelled(.leave(client: client.number)))
    }

    /// Ends everything on a session, as before it goes to the trash.
    func cancelAll(session row: SessionRow) { lines[row]?.handle(.cancelled(.all)) }

    /// The client has gone: its turns go on, but for those that it wanted cancelled.
    func disconnected(_ client: Client) {
        for driver in lines.values { driver.handle(.cancelled(.gone(client: client.number))) }
    }

    /// Gives a prompt that waits other words.
    func edit(
        _ id: TurnID, on row: SessionRow, _ prompt: PromptContent,
        _ then: @escaping (Result<Void, WireError>) -> Void
    ) {
        guard let driver = lines[row], driver.line.hasQueued(id) else {
            return then(
                .failure(
                    WireError(
                        .conflict,
                        "turn '\(id)' does not wait any more; edit its prompt by '_convod/turn/retry'")))
        }
        driver.edit(id, prompt, then)
    }

    /// Holds a session's turns back while its path changes.
    func beginPathChange(on session: SessionRecord) { driver(of: session).handle(.pathChangeBegan) }

    /// The change is stored or refused: the session's turns go on.
    func endPathChange(on row: SessionRow) { lines[row]?.handle(.pathChangeEnded) }

    /// Looks again at every queue that a limit holds, since a limit was raised.
    func wakeQueues() { for driver in lines.values { driver.handle(.limitRaised) } }

    // MARK: What drivers tell

    /// A line has done all that an event asked for.
    private func settled(_ driver: SessionDriver) {
        if driver.isForgotten, lines[driver.row] === driver {
            driver.forget()
            lines[driver.row] = nil
        }
        if whenIdle != nil, isIdle { whenIdle.take()?() }
    }

    // MARK: Start and stop

    /// Takes up the prompts that waited when the daemon ended, page by page; what cannot be read is read again later.
    ///
    /// `tried` is called once, when all were taken up or could not be.
    func takeUp(after row: OpenTurns.Place? = nil, _ tried: @escaping () -> Void) {
        archives.read(OpenTurns(.queued, after: row)) { [self] result in
            if isDraining { return tried() }
            switch result {
            case .success(let page):
                for words in page.damaged { log.error("turn_not_read", ("reason", words)) }
                takeUp(page.turns)
                if let next = page.next { return takeUp(after: next, tried) }
                ownTurns = nil
            case .failure(let error):
                log.error("queue_not_read", ("reason", error.description))
                if error.code == .corrupt {
                    ownTurns = nil
                    return tried()
                }
                loop.after(milliseconds: Archives.readPause) { [weak self] in
                    guard let self, !isDraining else { return }
                    takeUp(after: row) {}
                }
            }
            tried()
        }
    }

    private func takeUp(_ turns: [TurnFound]) {
        let others = turns.filter { !(ownTurns?.contains($0.stored.turn.id) ?? false) }
        for (_, found) in Dictionary(grouping: others, by: \.session.row) {
            driver(of: found[0].session).takeUp(found)
        }
    }

    private var isIdle: Bool { !lines.values.contains { $0.line.isWriting } }

    /// Begins no more turns; `then` is called when none runs any more.
    func drain(_ then: @escaping () -> Void) {
        isDraining = true
        for driver in lines.values { driver.handle(.draining) }
        if isIdle { then() } else { whenIdle = then }
    }

    /// Cuts what still runs; the partial answers are kept as interrupted.
    func cut() { for driver in lines.values { driver.handle(.cut) } }
}
