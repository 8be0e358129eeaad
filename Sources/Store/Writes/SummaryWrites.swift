package import Archive
package import Conversation

extension KeepSummary: LocalWrite {
    package func run(on writer: Writer) throws(ArchiveError) -> Bool {
        guard let place = try writer.place(ofRow: session) else { return false }
        // What was used was used, whatever becomes of the words.
        if let used {
            try writer.add(used, of: session, turns: 0, summary.upstream ?? "", summary.model ?? "")
        }
        guard isKept, !place.isTrashed,
            try writer.database.isThere(branch, in: session)
        else { return false }
        let key = MessageKey(branch: try writer.owner(of: summary.last, on: branch), seq: summary.last)
        let isThere = try writer.database.first(
            "SELECT 1 FROM message WHERE key = ?", [.int(key.raw)], doing: "find a message"
        ) { $0.int(0) }
        guard isThere != nil else { return false }
        try writer.database.run(
            """
            INSERT INTO summary (uuid, session, message, first_seq, text, problem, requested, made_at, upstream, model,
                                 input_tokens, output_tokens, created_at, cost)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                .blob(summary.id.bytes), .int(session), .int(key.raw), Bound(summary.first),
                Bound(summary.text),
                Bound(summary.problem), .int(summary.isRequested ? 1 : 0), Bound(summary.madeAt),
                Bound(summary.upstream), Bound(summary.model), Bound(summary.inputTokens.map { Int64($0) }),
                Bound(summary.outputTokens.map { Int64($0) }), .int(writer.now),
                Bound(summary.cost.map { Int64($0) }),
            ], doing: "keep a summary")
        for attempt in attempts { try writer.insert(attempt, of: summary.id) }
        return true
    }
}

extension EditSummary: LocalWrite {
    package func run(on writer: Writer) throws(ArchiveError) -> Summary? {
        let found = try Reader(over: writer.database).summary(id, of: session)
        guard let found, !found.isDeleted else { return nil }
        try writer.database.run(
            "UPDATE summary SET text = ?, problem = NULL, edited_at = ? WHERE uuid = ? AND session = ?",
            [.text(text), .int(writer.now), .blob(id.bytes), .int(session)], doing: "edit a summary")
        return try Reader(over: writer.database).summary(id, of: session)
    }
}

extension RemoveSummary: LocalWrite {
    package func run(on writer: Writer) throws(ArchiveError) -> Bool {
        let found = try Reader(over: writer.database).summary(id, of: session)
        guard let found, !found.isDeleted else { return false }
        try writer.database.run(
            "UPDATE summary SET text = NULL, problem = NULL WHERE uuid = ? AND session = ?",
            [.blob(id.bytes), .int(session)], doing: "throw a summary away")
        try writer.dropAnchors(of: session, behind: found.first)
        return true
    }
}

extension Writer {
    fileprivate func insert(_ attempt: Attempt, of summary: SummaryID) throws(ArchiveError) {
        try database.run(
            """
            INSERT INTO summary_attempt (summary, number, upstream, model, started_at, first_at, ended_at, outcome, status, detail)
            SELECT id, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM summary WHERE uuid = ?
            """,
            [
                Bound(attempt.number), .text(attempt.upstream), .text(attempt.model), .int(attempt.startedAt),
                Bound(attempt.firstAt), .int(attempt.endedAt), .text(attempt.outcome),
                Bound(attempt.status.map { Int64($0) }), Bound(attempt.detail), .blob(summary.bytes),
            ], doing: "insert an attempt")
    }

    /// Drops what was said of a message with others, or left it out, so that the rest is summarized anew, and says how many
    /// texts went; what ends on another path stays.
    func dropSummaries(of session: SessionRow, covering key: Int64) throws(ArchiveError) -> Int {
        let seq = MessageKey.seq(key)
        var found: [(id: Int64, end: Int64, hasText: Bool, first: Int)] = [], dropped = 0
        try database.rows(
            """
            SELECT id, message, problem IS NULL, first_seq FROM summary INDEXED BY summary_session
             WHERE session = ? AND first_seq <= ? AND message & 4294967295 >= ?
            """,
            [.int(session), Bound(seq), Bound(seq)], doing: "find summaries"
        ) { row in
            found.append((row.int(0), row.int(1), row.int(2) != 0, Int(row.int(3))))
            return true
        }
        for one in found where try owner(of: seq, on: MessageKey.branch(one.end)) == MessageKey.branch(key) {
            try database.run("DELETE FROM summary WHERE id = ?", [.int(one.id)], doing: "drop a summary")
            if one.hasText {
                dropped += 1
                try dropAnchors(of: session, behind: one.first)
            }
        }
        return dropped
    }

    /// Forgets where windows begin that left out what a summary told from `seq` on: its messages go again, as far as they fit.
    fileprivate func dropAnchors(of session: SessionRow, behind seq: Int) throws(ArchiveError) {
        try database.run(
            "DELETE FROM anchor WHERE seq > ? AND branch IN (SELECT id FROM branch WHERE session = ?)",
            [Bound(seq), .int(session)], doing: "drop anchors")
    }

    /// A session that shares a path takes over the summaries that end on it, under IDs of their own.
    func copySummaries(from session: SessionRow, to new: SessionRow, on path: [Reader.Segment])
        throws(ArchiveError)
    {
        for segment in path {
            try database.run(
                """
                INSERT INTO summary (uuid, session, message, first_seq, text, problem, requested, made_at, upstream, model,
                                     created_at, edited_at)
                SELECT randomblob(16), ?, message, first_seq, text, problem, requested, min(made_at, ?), upstream, model,
                       created_at, edited_at
                  FROM summary WHERE session = ? AND message BETWEEN ? AND ? ORDER BY id
                """,
                [
                    .int(new), Bound(path.last?.to ?? 0), .int(session),
                    .int(MessageKey(branch: segment.branch, seq: segment.from).raw),
                    .int(MessageKey(branch: segment.branch, seq: segment.to).raw),
                ], doing: "copy summaries")
        }
    }
}
