internal import Archive
internal import Conversation
internal import EventLoop
internal import Protocol
internal import Sessions
internal import Store

/// How turns end that never began.
extension SessionDriver {
    func end(_ turn: PendingTurn, _ departure: SessionLine.Departure) {
        guard var record = turn.record else { return }
        let ending: Turn.Ending, answer: SessionLine.Answer
        switch departure {
        case .cancelled:
            ending = Turn.Ending(state: .cancelled, stopReason: .cancelled, isPromptWithdrawn: false)
            answer = .cancelled
        case .failed(let error):
            ending = Turn.Ending(
                state: .failed, error: TurnError(error),
                isPromptWithdrawn: true)
            answer = .failed(error)
        }
        record.state = ending.state
        record.stopReason = ending.stopReason
        record.error = ending.error
        turn.keep(record)
        end(turn, ending, answer, patience: LiveTurn.firstPatience)
    }

    /// Stores the end of a turn that never began, again and again until it is.
    func end(
        _ turn: PendingTurn, _ ending: Turn.Ending, _ answer: SessionLine.Answer, patience: Int
    ) {
        let write = EndTurn(turn.id, ending, content: nil, size: ContentSize())
        archives.write(write, of: row) { [self] result in
            guard case .failure(let error) = result else {
                tellEnded(turn)
                return handle(.ended(turn.id, answer))
            }
            if error.code == .changedElsewhere, line.ticket(turn.id)?.storage != .queued {
                // It was refused meanwhile, and never was in the archive.
                return handle(.ended(turn.id, answer))
            }
            let words = WireError(error)
            let later = TurnAnswers.delayed(error, of: turn.id, session: turn.session.session.id)
            log.error("turn_not_stored", ("turn", turn.id.description), ("reason", later.message))
            if error.code == .changedElsewhere || error.code == .corrupt {
                if case .failed = answer { tellEnded(turn) }
                return handle(.ended(turn.id, .notStored(words)))
            }
            handle(.delayed(turn.id, later))
            loop.after(milliseconds: patience) { [weak self] in
                self?.end(turn, ending, answer, patience: min(2 * patience, LiveTurn.longestPatience))
            }
        }
    }
}
