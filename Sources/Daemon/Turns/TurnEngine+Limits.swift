internal import Conversation
internal import EventLoop
internal import JSON
internal import Protocol
internal import Store

extension TurnEngine {
    /// Whether the session's next turn must wait for a limit; everyone is told once.
    func isHeld(_ queued: Queued, _ line: Line) -> Bool {
        guard
            let session = try? services.store(of: queued.session.row).reader.session(row: queued.session.row)
        else { return false }
        if let refusal = quotas.refusal(session) {
            if line.hold != .paused { publish(paused: refusal, queued.record.id, session) }
            line.hold = .paused
            if let wait = refusal.retryAfterMs { wake(queued.session.row, after: wait) }
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
        wake(queued.session.row, after: wait)
        return true
    }

    private func wake(_ row: Int64, after milliseconds: Int) {
        services.loop.after(milliseconds: min(milliseconds, 3_600_000)) { [weak self] in self?.next(row) }
    }

    /// Looks again at every queue that a limit holds, since a limit was raised.
    func wakeHeld() { for (row, line) in lines where line.hold != nil { next(row) } }

    func publish(paused refusal: WireError, _ turn: TurnID, _ session: SessionRecord) {
        publish(TurnAnswers.progress(turn, "paused") { $0.member("reason", refusal.message) }, session)
    }

    private func publish(_ update: [UInt8], _ session: SessionRecord) {
        services.channels.publish(update: update, of: session.session.id, on: session.row)
    }
}
