internal import Conversation
internal import EventLoop
internal import Protocol
internal import Store

/// What of the queues outlives the daemon.
extension TurnEngine {
    /// Takes up the prompts that waited when the daemon ended; what cannot be read is read again later.
    func takeUp() {
        var isWhole = true, taken: Set<Int64> = []
        do throws(StoreError) {
            let open = try services.store.reader.openTurns()
            for words in open.damaged { services.log.error("turn_not_read", ("reason", words)) }
            let waiting = lines.values.flatMap(\.queue).map(\.record.id)
            let known = running.union(waiting).union(between.keys)
            for turn in open.turns where turn.turn.state == .queued && !known.contains(turn.turn.id) {
                let session: SessionRecord
                do throws(StoreError) {
                    guard let found = try services.store.reader.session(row: turn.sessionRow) else {
                        continue
                    }
                    session = found
                } catch {
                    services.log.error(
                        "turn_not_read", ("turn", turn.turn.id.description), ("reason", error.description))
                    isWhole = isWhole && error.code == .corrupt
                    continue
                }
                let line = line(of: session.row)
                let queued = Queued(turn.turn, session: session, bytes: 0, waiters: [])
                queued.isStored = true
                // Before those that came since; they are read in the order in which they were stored.
                line.queue.insert(queued, at: line.queue.prefix { $0.isTakenUp }.count)
                queued.isTakenUp = true
                taken.insert(session.row)
            }
        } catch {
            services.log.error("queue_not_read", ("reason", error.description))
            isWhole = error.code == .corrupt
        }
        for row in taken { next(row) }
        if isWhole { return }
        services.loop.after(milliseconds: TurnEngine.readPause) { [weak self] in
            guard let self, !isDraining else { return }
            takeUp()
        }
    }

    /// Begins no more turns; `then` is called when none runs any more.
    func drain(_ then: @escaping () -> Void) {
        isDraining = true
        // Those that are looked up go back to where they came from, and are told so with the others.
        for starting in lines.values.compactMap(\.starting) {
            starting.stop?()
            starting.stop = nil
        }
        whenIdle = then
        for queued in lines.values.flatMap(\.queue) {
            let error = WireError(
                .shuttingDown,
                "the daemon is stopping; the prompt is stored and is taken up at the next start")
            for waiter in queued.takeWaiters() { waiter.reply(.failure(error)) }
        }
        if isIdle { then() }
    }

    /// Cuts what still runs; the partial answers are kept as interrupted.
    func cut() {
        for line in lines.values { line.running?.handle(.shutDown) }
    }
}
