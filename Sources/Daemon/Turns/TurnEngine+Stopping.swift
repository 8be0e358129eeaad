internal import Conversation
internal import Protocol
internal import Store

/// What of the queues outlives the daemon.
extension TurnEngine {
    /// Takes up the prompts that waited when the daemon ended.
    func takeUp(_ stored: [StoredTurn]) {
        for turn in stored where turn.turn.state == .queued {
            let session: SessionRecord
            do throws(StoreError) {
                guard let found = try services.store.reader.session(row: turn.sessionRow) else { continue }
                session = found
            } catch {
                services.log.error(
                    "turn_not_read", ("turn", turn.turn.id.description), ("reason", error.description))
                continue
            }
            let line = line(of: session.row)
            let queued = Queued(turn.turn, session: session, bytes: 0, waiters: [])
            queued.isStored = true
            line.queue.append(queued)
        }
        for row in Array(lines.keys) { next(row) }
    }

    /// Begins no more turns; `then` is called when none runs any more.
    func drain(_ then: @escaping () -> Void) {
        isDraining = true
        whenIdle = then
        for queued in lines.values.flatMap(\.queue) {
            let error = WireError(
                .shuttingDown,
                "the daemon is stopping; the prompt is stored and is taken up at the next start")
            for waiter in queued.takeWaiters() { waiter.reply(.failure(error)) }
        }
        if runningCount == 0 { then() }
    }

    /// Cuts what still runs; the partial answers are kept as interrupted.
    func cut() {
        for line in lines.values { line.running?.handle(.shutDown) }
    }
}
