internal import Archive
internal import Conversation
internal import JSON
internal import Protocol
internal import Sessions

/// What the clients of a session, and those who wait for its turns, are told.
extension SessionDriver {
    func answer(_ asker: Asker, _ id: TurnID, _ answer: SessionLine.Answer) {
        guard asker.wish == .answer else { return askers.answer(asker, state(of: id, answer)) }
        switch answer {
        case .refused(let error) where error.kind == .cancelled:
            askers.answer(asker, .success(TurnAnswers.cancelledUnstored))
        case .refused(let error), .notStored(let error): askers.answer(asker, .failure(error))
        case .failed(let error):
            askers.answer(asker, .failure(TurnAnswers.failure(error, of: id, session: line.session)))
        case .stopped: askers.answer(asker, .failure(SessionDriver.stopped))
        case .ran:
            guard case .ran(let answer, _)? = turns[id]?.outcome else { return }
            // A client that is still reading the answer gets its result behind it.
            let behind = channels.subscribers(of: row).first { $0.client == asker.client }
            guard let behind else { return askers.answer(asker, answer) }
            behind.behindReplay { [askers] in askers.answer(asker, answer) }
        case .cancelled:
            guard let record = turns[id]?.record else { return }
            askers.answer(
                asker,
                TurnAnswers.answer(record, session: line.session, hasMessage: false, isRepeated: false))
        case .known:
            guard case .repeated(let turn, let hasMessage)? = turns[id]?.outcome else { return }
            askers.answer(
                asker,
                TurnAnswers.answer(turn, session: line.session, hasMessage: hasMessage, isRepeated: true))
        }
    }

    /// What one is told who only wants to know where a turn ended.
    private func state(of id: TurnID, _ answer: SessionLine.Answer) -> Result<[UInt8], WireError> {
        switch answer {
        case .refused(let error), .notStored(let error): .failure(error)
        case .stopped: .failure(SessionDriver.stopped)
        case .ran, .known: .success(TurnAnswers.state(id, endState(of: id)))
        case .cancelled: .success(TurnAnswers.state(id, .cancelled))
        case .failed: .success(TurnAnswers.state(id, .failed))
        }
    }

    private func endState(of id: TurnID) -> TurnRecord.State {
        if case .ran(_, let state)? = turns[id]?.outcome { state } else { .complete }
    }

    /// What those are told who wait for a prompt in the queue when the daemon stops.
    private static let stopped = WireError(
        .shuttingDown, "the daemon is stopping; the prompt is stored and is taken up at the next start")

    func tell(_ turn: PendingTurn, _ news: SessionLine.News) {
        switch news {
        case .queued(let position):
            var news = Wire.SessionInfoUpdate.News(turn.id, .queued)
            news.position = position
            publish(news)
        case .moved(let position):
            var news = Wire.SessionInfoUpdate.News(turn.id, .queued)
            (news.position, news.moved) = (position, true)
            publish(news)
        case .paused(let reason): tellPaused(turn.id, reason)
        case .crowded:
            var news = Wire.SessionInfoUpdate.News(turn.id, .queued)
            news.position = 1
            news.reason = "as many of the user's prompts are being answered as may be at one time"
            publish(news)
        case .throttled(let milliseconds):
            var news = Wire.SessionInfoUpdate.News(turn.id, .queued)
            news.position = 1
            news.waitMs = milliseconds
            news.reason = "as many prompts were sent as 'throttle' allows a minute"
            publish(news)
        }
    }

    /// Tells a session's clients that a turn which waited does not begin.
    func tellEnded(_ turn: PendingTurn) {
        guard let record = turn.record, line.ticket(turn.id)?.storage == .queued else { return }
        publish(TurnAnswers.ended(record, hasMessage: false))
    }

    func tell(title: String) {
        let update = Wire.SessionInfoUpdate(title: .text(title), updatedAt: Wire.Time(clocks.now()))
        channels.publish(update, of: line.session, on: row)
    }

    /// Tells a session's clients when a quota is used up by a turn.
    ///
    /// Only news: who prompts next is told where nothing can be read now.
    func tellWhetherPaused(_ turn: LiveTurn) {
        var look = quotas.look(for: turn.session)
        if look.isEmpty { return }
        look.record = row
        archives.read(look, of: row) { [self] result in
            guard case .success(let found) = result, let session = found.record,
                let refusal = quotas.refusal(session, found)
            else { return }
            tellPaused(turn.id, refusal.message)
        }
    }

    private func tellPaused(_ turn: TurnID, _ reason: String) {
        var news = Wire.SessionInfoUpdate.News(turn, .paused)
        news.reason = reason
        publish(news)
        channels.notify(
            Wire.Notice(.warning, "nothing more is asked here for now", reason), of: line.session, on: row)
    }

    private func publish(_ news: Wire.SessionInfoUpdate.News) {
        channels.publish(Wire.SessionInfoUpdate(news), of: line.session, on: row)
    }
}
