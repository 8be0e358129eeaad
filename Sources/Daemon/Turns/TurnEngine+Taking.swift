internal import Conversation
internal import Crypto
internal import Protocol
internal import Store

/// What a session's line does with a turn that cannot begin at once.
extension TurnEngine {
    /// Why a busy session does not take what was submitted; nil when it does.
    func busyRefusal(_ submission: Submission, _ line: Line) -> WireError? {
        guard line.isBusy else { return nil }
        if line.hasTurns, submission.turn.ifBusy == .reject {
            return WireError(
                .busy,
                "a turn is running on session '\(submission.session.session.id.text)'; wait for its end")
        }
        return submission.base == nil ? nil : pathIsTaken(submission)
    }

    func pathIsTaken(_ submission: Submission) -> WireError {
        WireError(
            .busy,
            "a turn is running on session '\(submission.session.session.id.text)', and the path may not change under it; wait for its end, or cancel it"
        )
    }

    func tooFast(_ wait: Int) -> WireError {
        WireError(
            .throttled,
            "you have sent as many prompts as 'throttle' in the configuration allows a minute; try again in \((wait + 999) / 1000) s",
            retryAfterMs: wait)
    }

    /// Whether the request ID has a turn already: asking for that one again waits for nobody, and changes no path.
    func isRepeat(_ submission: Submission, _ line: Line) -> Bool {
        guard let id = submission.turn.requestID else { return false }
        if line.running?.record.requestID == id { return true }
        if line.queue.contains(where: { $0.record.requestID == id }) { return true }
        let row = submission.session.row
        let known = try? services.store(of: row).reader.turn(requestID: id, in: submission.session)
        return known.map { $0.turn.state != .failed } ?? false
    }

    /// Over what was decoded, so that another spelling of the same prompt is the same prompt.
    func hash(of submission: Submission) -> [UInt8] {
        let prompt = submission.parts.map(Part.encode) ?? []
        let params = submission.turn.options.params ?? []
        return SHA256Digest.of(prompt + [0] + params + (submission.about?.bytes ?? []))
    }

    /// Holds a session's turns back while its path changes.
    func beginPathChange(on row: Int64) {
        line(of: row).pathChanges += 1
    }

    /// The change is stored or refused: the session's turns go on.
    func endPathChange(on row: Int64) {
        lines[row]?.pathChanges -= 1
        next(row)
    }
}
