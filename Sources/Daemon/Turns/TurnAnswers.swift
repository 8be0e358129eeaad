internal import Archive
internal import Conversation
internal import JSON
internal import Protocol

/// How a turn's end looks to who asked for it.
enum TurnAnswers {
    /// The answer to `session/prompt` or `_convod/turn/start`: a result, or for a failed turn an error with its IDs.
    static func answer(
        _ turn: TurnRecord, session: SessionID, hasMessage: Bool, isRepeated: Bool,
        alternatives: [MessageID] = []
    ) -> Result<[UInt8], WireError> {
        guard let stopReason = turn.stopReason, turn.state == .complete || turn.state == .cancelled else {
            return .failure(failure(turn, session: session, hasMessage: hasMessage))
        }
        var extras = Wire.StopResult.Extras(turnId: turn.id, cached: turn.isCached)
        if hasMessage { extras.messageId = turn.answerID }
        extras.finish = turn.finish
        extras.detail = turn.detail
        if !alternatives.isEmpty { extras.alternatives = alternatives }
        extras.usage = turn.usage
        extras.receipt = turn.receipt.map { Verbatim($0) }
        extras.upstream = turn.upstream
        extras.model = turn.model
        if isRepeated { extras.repeated = true }
        return .success(JSONWriter.bytes(of: Wire.StopResult(stopReason: stopReason, extras)))
    }

    /// The answer to a prompt that was cancelled before it was stored.
    static let cancelledUnstored = JSONWriter.bytes(of: Wire.StopResult(stopReason: .cancelled, nil))

    /// Where a turn stands or ended: the answer to `_convod/turn/cancel`.
    static func state(_ id: TurnID, _ state: TurnRecord.State) -> [UInt8] {
        JSONWriter.bytes(of: Method.TurnCancel.Result(turnId: id, state: state))
    }

    /// That the end of a turn could not be stored yet; it must not be asked for again.
    static func delayed(_ error: ArchiveError, of turn: TurnID, session: SessionID) -> WireError {
        let kind = WireError(error).kind
        var words = failure(
            WireError(
                kind,
                "\(problem(error)): the prompt is stored, the end of its answer not yet: \(error.description); it is stored once that works, so do not send the prompt again"
            ), of: turn, session: session)
        words.isRetryable = false
        return words
    }

    /// That an answer ends since what comes of it cannot be stored.
    static func cut(_ error: ArchiveError) -> WireError {
        WireError(
            WireError(error).kind,
            "\(problem(error)), and the answer was cut: the prompt is stored, with what came of the answer: \(error.description); do not send the prompt again, but go on with the answer once that is mended"
        )
    }

    private static func problem(_ error: ArchiveError) -> String {
        WireError(error).kind == .diskFull ? "the disk is full" : "the store fails"
    }

    /// The failure of a turn that is stored, before it could begin.
    static func failure(_ error: WireError, of turn: TurnID, session: SessionID) -> WireError {
        let place = ["turnId": quoted(turn.description), "sessionId": quoted(session.text)]
        return WireError(
            error.kind, error.message, retryAfterMs: error.retryAfterMs,
            details: place.merging(error.details) { _, other in other })
    }

    private static func failure(_ turn: TurnRecord, session: SessionID, hasMessage: Bool) -> WireError {
        let error = turn.error ?? TurnError(kind: "interrupted", message: "the turn ended without an answer")
        var details: [String: [UInt8]] = [
            "turnId": quoted(turn.id.description), "sessionId": quoted(session.text),
        ]
        if hasMessage { details["messageId"] = quoted(turn.answerID.description) }
        var failure = WireError(
            ErrorKind(rawValue: error.kind) ?? .internalError, error.message,
            retryAfterMs: error.retryAfter, details: details)
        // The prompt is there already.
        if [.diskFull, .storeFailed].contains(failure.kind) { failure.isRetryable = false }
        return failure
    }

    private static func quoted(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        JSONText.append(text, to: &bytes)
        return bytes
    }

    /// The last news of a turn.
    static func ended(_ turn: TurnRecord, hasMessage: Bool) -> Wire.SessionInfoUpdate.News {
        var news = Wire.SessionInfoUpdate.News(turn.id, .ended)
        if hasMessage { news.messageId = turn.answerID }
        news.stopReason = turn.stopReason
        news.error = turn.error.map { Wire.Failure(kind: $0.kind, message: $0.message) }
        return news
    }
}
