internal import Archive
internal import Conversation
internal import EventLoop
internal import JSON
internal import Protocol
internal import Store

extension TurnEngine {
    /// Whether the session's next turn must wait for a limit, be it a quota's `refusal`; everyone is told once.
    func isHeld(_ queued: Queued, _ line: Line, _ session: SessionRecord, _ refusal: WireError?) -> Bool {
        let row = session.row
        if let refusal {
            if line.hold != .paused { publish(paused: refusal, queued.record.id, session) }
            line.hold = .paused
            if let wait = refusal.retryAfterMs { wake(row, line, after: wait) }
            return true
        }
        let wait = quotas.wait(for: session.session.owner)
        guard wait > 0 else {
            line.hold = nil
            return false
        }
        if line.hold != .throttled {
            publish(
                TurnAnswers.progress(queued.record.id, "queued") {
                    $0.member("position", 1)
                    $0.member("waitMs", wait)
                    $0.member("reason", "as many prompts were sent as 'throttle' allows a minute")
                }, session)
        }
        line.hold = .throttled
        wake(row, line, after: wait)
        return true
    }

    /// Milliseconds until what could not be read is read again.
    static let readPause = 1_000

    /// A turn in the queue stays there since the store could not be read, and is looked at again.
    func putOff(_ queued: Queued, _ line: Line, _ error: ArchiveError) {
        services.log.error(
            "turn_put_off", ("turn", queued.record.id.description), ("reason", error.description))
        wake(queued.session.row, line, after: TurnEngine.readPause)
    }

    /// Looks at a session's queue again later; a line has one timer, however often it is looked at.
    func wake(_ row: SessionRow, _ line: Line, after milliseconds: Int) {
        if let timer = line.timer { services.loop.cancel(timer) }
        line.timer = services.loop.after(milliseconds: min(milliseconds, 3_600_000)) {
            [weak self, weak line] in
            line?.timer = nil
            self?.next(row)
        }
    }

    /// Looks again at every queue that a limit holds, since a limit was raised.
    func wakeHeld() {
        raises += 1
        for (row, line) in lines where line.hold != nil { next(row) }
    }

    func publish(paused refusal: WireError, _ turn: TurnID, _ session: SessionRecord) {
        publish(TurnAnswers.progress(turn, "paused") { $0.member("reason", refusal.message) }, session)
    }

    private func publish(_ update: [UInt8], _ session: SessionRecord) {
        services.channels.publish(update: update, of: session.session.id, on: session.row)
    }
}
