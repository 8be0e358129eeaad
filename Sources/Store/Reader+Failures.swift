package import Archive
internal import Conversation

extension FailedAttempts: LocalRead {
    package func run(on reader: Reader) throws(ArchiveError) -> Output {
        var found: [FailedAttempt] = []
        let owned = owner.map { Bound.user($0) } ?? .null
        try reader.database.rows(
            """
            SELECT a.turn, a.number, a.upstream, a.model, a.started_at, a.first_at, a.ended_at, a.outcome, a.status,
                   a.detail, s.name, s.owner, t.uuid, t.state
              FROM attempt a INDEXED BY attempt_failed JOIN turn t ON t.id = a.turn JOIN session s ON s.id = t.session
             WHERE a.outcome NOT IN ('complete', 'cached', 'cancelled') AND a.ended_at >= ?1
               AND s.trashed_at IS NULL AND (?2 IS NULL OR s.owner = ?2)
             ORDER BY a.ended_at DESC LIMIT ?3
            """, [.int(since), owned, Bound(limit)], doing: "list failures"
        ) { (row) throws(ArchiveError) in
            // What cannot be read of a row is told where its turn is asked for.
            guard let session = SessionID(row.text(10)), let user = UInt32(exactly: row.int(11)),
                let turn = TurnID(bytes: row.bytes(12)),
                let state = Int(exactly: row.int(13)).flatMap(TurnRecord.State.init)
            else { return true }
            found.append(
                FailedAttempt(
                    session: session, owner: UserID(user), turn: turn, state: state,
                    attempt: try reader.attempt(row, of: .attempt)))
            return true
        }
        return found
    }
}
