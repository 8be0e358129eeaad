package import Archive
internal import Conversation

extension FailedAttempts: LocalRead {
    package func run(on reader: Reader) throws(ArchiveError) -> Output {
        let all = try ofTurns(reader) + ofSummaries(reader)
        return Array(all.sorted { $0.attempt.endedAt > $1.attempt.endedAt }.prefix(limit))
    }

    /// Summaries that are looked at, from the newest on.
    private static let mostSummaries = 10_000

    private func ofSummaries(_ reader: Reader) throws(ArchiveError) -> Output {
        var found: [FailedAttempt] = [], looked = 0
        try reader.database.rows(
            """
            SELECT a.summary, a.number, a.upstream, a.model, a.started_at, a.first_at, a.ended_at, a.outcome, a.status,
                   a.detail, s.name, s.owner, y.uuid, y.text IS NOT NULL OR y.problem IS NULL, s.trashed_at IS NOT NULL, y.created_at
              FROM summary y JOIN session s ON s.id = y.session LEFT JOIN summary_attempt a ON a.summary = y.id
             WHERE y.id > 0 ORDER BY y.id DESC, a.number DESC
            """, [], doing: "list failures of summaries"
        ) { (row) throws(ArchiveError) in
            looked += 1
            // They are kept as they end.
            if row.int(15) < since || looked > FailedAttempts.mostSummaries { return false }
            guard row.optionalInt(0) != nil, !["complete", "cached", "cancelled"].contains(row.text(7)),
                row.int(6) >= since,
                !row.bool(14),
                let session = SessionID(row.text(10)), let user = UInt32(exactly: row.int(11)),
                owner == nil || owner == UserID(user), let summary = SummaryID(bytes: row.bytes(12))
            else { return true }
            found.append(
                FailedAttempt(
                    session: session, owner: UserID(user), for: .summary(summary),
                    state: row.bool(13) ? .complete : .failed,
                    attempt: try reader.attempt(row, of: .summaryAttempt)))
            return found.count < limit
        }
        return found
    }

    private func ofTurns(_ reader: Reader) throws(ArchiveError) -> Output {
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
                    session: session, owner: UserID(user), for: .turn(turn), state: state,
                    attempt: try reader.attempt(row, of: .attempt)))
            return true
        }
        return found
    }
}
