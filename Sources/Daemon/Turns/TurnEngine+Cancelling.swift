internal import Archive
internal import Conversation
internal import EventLoop
internal import Protocol
internal import Store

extension TurnEngine {
    /// What became of a turn that was to be cancelled.
    typealias CancelOutcome = Result<TurnRecord.State, WireError>

    /// Cancels a turn wherever it stands; nil when it neither runs nor waits.
    func cancel(_ id: TurnID, on row: SessionRow, _ then: @escaping (CancelOutcome) -> Void) -> Bool {
        guard let line = lines[row] else { return false }
        if let running = line.running, running.id == id {
            running.waiters.append(
                Waiter { result in
                    // An ending that could not be stored has not come yet.
                    if case .failure(let error) = result, !running.hasEnded { return then(.failure(error)) }
                    then(.success(running.record.state))
                })
            running.handle(.cancel)
            return true
        }
        if line.starting?.turn == id {
            line.starting?.cancel(then)
            return true
        }
        guard let index = line.queue.firstIndex(where: { $0.record.id == id }) else { return false }
        cancel(line.queue.remove(at: index), then)
        return true
    }

    func cancel(_ queued: Queued, _ then: @escaping (CancelOutcome) -> Void = { _ in }) {
        let ending = Turn.Ending(state: .cancelled, stopReason: .cancelled, isPromptWithdrawn: false)
        var then: ((CancelOutcome) -> Void)? = then
        func tell(_ outcome: CancelOutcome) { then.take()?(outcome) }
        end(queued, ending, late: { tell(.failure($0)) }) { [self] problem in
            if let problem {
                for waiter in queued.takeWaiters() { waiter.reply(.failure(problem)) }
                return tell(.failure(problem))
            }
            var record = queued.record
            record.state = .cancelled
            record.stopReason = .cancelled
            if queued.isStored { publish(ended: record, of: queued.session) }
            let answer = TurnAnswers.answer(
                record, session: queued.session.session.id, hasMessage: false, isRepeated: false)
            for waiter in queued.takeWaiters() { waiter.reply(answer) }
            tell(.success(.cancelled))
        }
    }

    /// Ends a turn that was taken out of the queue and cannot begin.
    func fail(_ queued: Queued, _ line: Line, _ error: WireError) {
        let ending = Turn.Ending(
            state: .failed, error: TurnError(kind: error.kind.rawValue, message: error.message),
            isPromptWithdrawn: true)
        end(queued, ending) { [self] problem in
            var record = queued.record
            record.error = ending.error
            publish(ended: record, of: queued.session)
            for waiter in queued.takeWaiters() { waiter.reply(.failure(problem ?? error)) }
            let told = line.starting?.cancelled ?? []
            line.starting = nil
            for tell in told { tell(.success(.failed)) }
            next(queued.session.row)
        }
    }

    /// Stores the end of a turn that never began, again and again until it is; `then` hears of a problem where it never
    /// will be.
    ///
    /// Who waits is told at once that it could not be, and `late` is called, so that nobody waits for a full disk.
    func end(
        _ queued: Queued, _ ending: Turn.Ending, late: @escaping (WireError) -> Void = { _ in },
        _ then: @escaping (WireError?) -> Void
    ) {
        endings += 1
        tryToEnd(queued, ending, patience: LiveTurn.firstPatience, late) { [self] problem in
            endings -= 1
            then(problem)
            if isDraining && isIdle { whenIdle?() }
        }
    }

    private func tryToEnd(
        _ queued: Queued, _ ending: Turn.Ending, patience: Int, _ late: @escaping (WireError) -> Void,
        _ then: @escaping (WireError?) -> Void
    ) {
        let id = queued.record.id
        between[id] = queued
        let write = EndTurn(id, ending, content: nil, tokens: 0)
        services.archives.write(write, of: queued.session.row) { [self] result in
            guard case .failure(let error) = result else {
                between[id] = nil
                return then(nil)
            }
            if error.code == .changedElsewhere, !queued.isStored {
                // It was refused meanwhile, and never was in the store.
                between[id] = nil
                return then(nil)
            }
            let words = WireError(error)
            services.log.error("turn_not_stored", ("turn", id.description), ("reason", words.message))
            if error.code == .changedElsewhere || error.code == .corrupt {
                between[id] = nil
                return then(words)
            }
            for waiter in queued.takeWaiters() { waiter.reply(.failure(words)) }
            late(words)
            services.loop.after(milliseconds: patience) { [weak self] in
                self?.tryToEnd(
                    queued, ending, patience: min(2 * patience, LiveTurn.longestPatience), late, then)
            }
        }
    }

    /// Cancels the turn that a request began, wherever it stands.
    func cancel(request token: ObjectIdentifier) {
        for line in lines.values {
            if let running = line.running, running.waiters.contains(where: { $0.token == token }) {
                return running.handle(.cancel)
            }
            if let beginning = line.beginnings.first(where: { beginning in
                beginning.token == token
                    || waiters(of: beginning)?.contains { $0.token == token } ?? false
            }) {
                return beginning.cancel()
            }
            guard let index = line.queue.firstIndex(where: { $0.waiters.contains { $0.token == token } })
            else { continue }
            return cancel(line.queue.remove(at: index))
        }
    }

    /// Who waits for a turn out of the queue that is being looked up; nil for one that is not stored.
    private func waiters(of starting: Starting) -> [Waiter]? {
        starting.turn.flatMap { between[$0]?.waiters }
    }

    /// The running turn of a session.
    func running(on row: SessionRow) -> LiveTurn? { lines[row]?.running }

    /// The same once it is stored as running.
    func stored(on row: SessionRow) -> LiveTurn? { running(on: row).flatMap { $0.row == nil ? nil : $0 } }

    /// The line of a session as a client names it: its own, or for administrators anybody's; nil where nothing runs or waits.
    private func line(named id: SessionID, for connection: Connection) -> (SessionRow, Line)? {
        let own = lines.first { $0.value.id == id && $0.value.owner == connection.user }
        return own ?? (connection.isAdmin ? lines.first { $0.value.id == id } : nil)
    }

    /// `session/cancel`: ends the running turn and what this client has in the queue.
    ///
    /// What runs and waits is known here, so that it is ended before anything else that is asked for later.
    func cancel(session id: SessionID, of connection: Connection) {
        guard let (row, line) = line(named: id, for: connection),
            !services.channels.isObserver(connection, of: row)
        else { return }
        let mine = line.queue.filter { $0.waiters.contains { $0.connection === connection } }
        line.queue.removeAll { queued in mine.contains { $0 === queued } }
        for queued in mine { cancel(queued) }
        for arriving in line.arriving where arriving.asker === connection { arriving.cancel() }
        line.starting?.cancel()
        line.running?.handle(.cancel)
    }

    /// Ends what this client alone asked for on a session, as `session/close` does, without a look as well; what others wait
    /// for too goes on.
    func close(session id: SessionID, of connection: Connection) {
        guard let (_, line) = line(named: id, for: connection) else { return }
        func isMine(_ waiters: [Waiter]) -> Bool {
            waiters.contains { $0.connection === connection }
                && !waiters.contains { $0.connection.map { $0 !== connection && $0.isOpen } ?? false }
        }
        let mine = line.queue.filter { isMine($0.waiters) }
        line.queue.removeAll { queued in mine.contains { $0 === queued } }
        for queued in mine { cancel(queued) }
        for beginning in line.beginnings
        where waiters(of: beginning).map(isMine) ?? (beginning.asker === connection) { beginning.cancel() }
        if let running = line.running, isMine(running.waiters) { running.handle(.cancel) }
    }

    /// Ends everything on a session, as before it goes to the trash.
    func cancelAll(session row: SessionRow) {
        guard let line = lines[row] else { return }
        let waiting = line.queue
        line.queue = []
        for queued in waiting { cancel(queued) }
        for beginning in line.beginnings { beginning.cancel() }
        line.running?.handle(.cancel)
    }

    /// Whether a turn that ends with its client has nobody left when this one goes; who repeated it waits still.
    private func isLeft(_ turn: TurnRecord, _ waiters: [Waiter], by connection: Connection) -> Bool {
        turn.options.onDisconnect == .cancel && waiters.contains { $0.connection === connection }
            && !waiters.contains { $0.connection !== connection && $0.connection?.isOpen ?? false }
    }

    /// Tells a session's clients that a turn which waited does not begin.
    func publish(ended record: TurnRecord, of session: SessionRecord) {
        let update = TurnAnswers.ended(record, hasMessage: false)
        services.channels.publish(update: update, of: session.session.id, on: session.row)
    }

    /// The client has gone: its turns go on, but for those that it wanted cancelled.
    func disconnected(_ connection: Connection) {
        for line in lines.values {
            for beginning in line.beginnings where beginning.isLeft(by: connection, waiters(of: beginning)) {
                beginning.cancel()
            }
            if let running = line.running, isLeft(running.record, running.waiters, by: connection) {
                running.handle(.cancel)
            }
            let gone = line.queue.filter { isLeft($0.record, $0.waiters, by: connection) }
            line.queue.removeAll { queued in gone.contains { $0 === queued } }
            for queued in gone { cancel(queued) }
        }
    }
}
