internal import Archive
internal import Conversation
internal import EventLoop
internal import Protocol
internal import Store

/// What of the queues outlives the daemon.
extension TurnEngine {
    /// Takes up the prompts that waited when the daemon ended, page by page; what cannot be read is read again later.
    ///
    /// `tried` is called once, when all were taken up or could not be.
    func takeUp(after row: TurnRow? = nil, _ tried: @escaping () -> Void) {
        services.archives.read(OpenTurns(.queued, after: row)) { [self] result in
            if isDraining { return tried() }
            switch result {
            case .success(let page):
                for words in page.damaged { services.log.error("turn_not_read", ("reason", words)) }
                takeUp(page.turns)
                if let next = page.next { return takeUp(after: next, tried) }
                ownTurns = nil
            case .failure(let error):
                services.log.error("queue_not_read", ("reason", error.description))
                if error.code == .corrupt {
                    ownTurns = nil
                    return tried()
                }
                services.loop.after(milliseconds: TurnEngine.readPause) { [weak self] in
                    guard let self, !isDraining else { return }
                    takeUp(after: row) {}
                }
            }
            tried()
        }
    }

    private func takeUp(_ turns: [TurnFound]) {
        var taken: Set<SessionRow> = []
        for found in turns where !(ownTurns?.contains(found.stored.turn.id) ?? false) {
            let session = found.session, line = line(of: session)
            let queued = Queued(found.stored.turn, session: session, bytes: 0, waiters: [])
            queued.isStored = true
            // Before those that came since; they are read in the order in which they were stored.
            line.queue.insert(queued, at: line.queue.prefix { $0.isTakenUp }.count)
            queued.isTakenUp = true
            taken.insert(session.row)
        }
        for row in taken { next(row) }
    }

    /// Begins no more turns; `then` is called when none runs any more.
    func drain(_ then: @escaping () -> Void) {
        isDraining = true
        // Those that are looked up go back to where they came from, and are told so with the others.
        for starting in lines.values.compactMap(\.starting) {
            starting.stop?()
            starting.stop = nil
            starting.making?.cancel()
        }
        whenIdle = then
        for queued in lines.values.flatMap(\.queue) { tellStopped(queued) }
        if isIdle { then() }
    }

    /// Tells those who wait for a prompt in the queue that it waits for the next start.
    func tellStopped(_ queued: Queued) {
        let error = WireError(
            .shuttingDown,
            "the daemon is stopping; the prompt is stored and is taken up at the next start")
        for waiter in queued.takeWaiters() { waiter.reply(.failure(error)) }
    }

    /// Cuts what still runs; the partial answers are kept as interrupted.
    func cut() {
        for line in lines.values { line.running?.handle(.shutDown) }
    }
}
