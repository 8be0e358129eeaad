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
        return .success(
            JSONWriter.object {
                $0.member("stopReason", stopReason.rawValue)
                $0.member("_meta") {
                    $0.member("convod") {
                        $0.member("turnId", turn.id.description)
                        if hasMessage { $0.member("messageId", turn.answerID.description) }
                        $0.optional("finish", turn.finish)
                        $0.optional("detail", turn.detail)
                        if !alternatives.isEmpty {
                            $0.key("alternatives")
                            $0.array { for id in alternatives { $0.string(id.description) } }
                        }
                        if let usage = turn.usage { $0.key("usage"); usage.write(to: &$0) }
                        $0.optional("receipt", raw: turn.receipt)
                        $0.optional("upstream", turn.upstream)
                        $0.optional("model", turn.model)
                        $0.member("cached", turn.isCached)
                        if isRepeated { $0.member("repeated", true) }
                    }
                }
            })
    }

    /// The answer to a prompt that was cancelled before it was stored: it has no turn, and nothing of it is kept.
    static let cancelledUnstored = JSONWriter.object {
        $0.member("stopReason", StopReason.cancelled.rawValue)
    }

    /// Where a turn stands or ended: the answer to `_convod/turn/cancel`.
    static func state(_ id: TurnID, _ state: TurnRecord.State) -> [UInt8] {
        JSONWriter.object {
            $0.member("turnId", id.description)
            $0.member("state", state.name)
        }
    }

    private static func failure(_ turn: TurnRecord, session: SessionID, hasMessage: Bool) -> WireError {
        let error = turn.error ?? TurnError(kind: "interrupted", message: "the turn ended without an answer")
        var details: [String: [UInt8]] = [
            "turnId": quoted(turn.id.description), "sessionId": quoted(session.text),
        ]
        if hasMessage { details["messageId"] = quoted(turn.answerID.description) }
        return WireError(
            ErrorKind(rawValue: error.kind) ?? .internalError, error.message,
            retryAfterMs: error.retryAfter, details: details)
    }

    private static func quoted(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        JSONText.append(text, to: &bytes)
        return bytes
    }

    /// The last update of a turn.
    static func ended(_ turn: TurnRecord, hasMessage: Bool) -> [UInt8] {
        progress(turn.id, "ended") {
            if hasMessage { $0.member("messageId", turn.answerID.description) }
            $0.optional("stopReason", turn.stopReason?.rawValue)
            if let error = turn.error { $0.failure(error.kind, error.message) }
        }
    }

    /// A `session_info_update` that says where a turn stands.
    static func progress(_ turn: TurnID, _ state: String, _ more: (inout JSONWriter) -> Void = { _ in })
        -> [UInt8]
    {
        JSONWriter.object {
            $0.member("sessionUpdate", "session_info_update")
            $0.member("_meta") {
                $0.member("convod") {
                    $0.member("turnId", turn.description)
                    $0.member("state", state)
                    more(&$0)
                }
            }
        }
    }
}

extension JSONWriter {
    /// The member `error`: `Failure` of `protocol.json`.
    mutating func failure(_ kind: String, _ message: String) {
        member("error") {
            $0.member("kind", kind)
            $0.member("message", message)
        }
    }
}
