package import Archive
package import Conversation

extension Reader {
    /// The summaries that end on a session's path, those that end last first, at most `limit`; and among them the last round
    /// that came to nothing unasked.
    func summaries(_ session: SessionRecord, limit: Int) throws(ArchiveError) -> [Summary] {
        // Most sessions have none, and then nothing more is looked at.
        let any = try database.first(
            "SELECT 1 FROM summary INDEXED BY summary_session WHERE session = ? LIMIT 1", [.int(session.row)],
            doing: "find summaries"
        ) { $0.int(0) }
        if any == nil { return [] }
        let path = try path(branch: session.branch, head: session.session.messageCount)
        let told = try summaries(
            session, path, limit,
            .summaries(
                """
                INDEXED BY summary_told WHERE session = ? AND message BETWEEN ? AND ? AND text IS NOT NULL
                 ORDER BY message DESC, id DESC LIMIT ?
                """))
        let untold = try summaries(
            session, path, 1,
            .summaries(
                """
                INDEXED BY summary_untold WHERE session = ? AND message BETWEEN ? AND ? AND text IS NULL AND requested = 0
                 ORDER BY message DESC, id DESC LIMIT ?
                """))
        guard let last = untold.first else { return told }
        let place = told.firstIndex { $0.last < last.last } ?? told.endIndex
        return told[..<place] + [last] + told[place...]
    }

    private func summaries(_ session: SessionRecord, _ path: [Segment], _ limit: Int, _ sql: SQL)
        throws(ArchiveError) -> [Summary]
    {
        var found: [Summary] = []
        for segment in path.reversed() where found.count < limit {
            try database.rows(
                sql,
                [
                    .int(session.row), .int(MessageKey(branch: segment.branch, seq: segment.from).raw),
                    .int(MessageKey(branch: segment.branch, seq: segment.to).raw),
                    Bound(limit - found.count),
                ], doing: "read summaries"
            ) { (row) throws(ArchiveError) in
                found.append(try Summary(row))
                return true
            }
        }
        return found
    }

    /// A summary of a session, on whatever branch; nil where there is none such.
    func summary(_ id: SummaryID, of session: SessionRow) throws(ArchiveError) -> Summary? {
        try database.first(
            .summaries("WHERE uuid = ? AND session = ?"), [.blob(id.bytes), .int(session)],
            doing: "find a summary"
        ) { (row) throws(ArchiveError) in try Summary(row) }
    }
}

extension SummaryList: LocalRead {
    package var isSeveral: Bool { true }

    package func run(on reader: Reader) throws(ArchiveError) -> Output {
        let path = try reader.path(branch: session.branch, head: session.session.messageCount)
        var found: [Summary] = [], count = 0, last: Int64?
        try reader.database.rows(
            .summaries("INDEXED BY summary_session WHERE session = ? AND id < ? ORDER BY id DESC LIMIT ?"),
            [.int(session.row), .int(before ?? .max), Bound(limit)], doing: "list summaries"
        ) { (row) throws(ArchiveError) in
            count += 1
            last = row.int(0)
            let key = row.int(3)
            let isOnPath = path.contains {
                $0.branch == MessageKey.branch(key) && ($0.from...$0.to).contains(MessageKey.seq(key))
            }
            if isOnPath, row.optionalText(4) != nil || row.optionalText(5) != nil {
                found.append(try Summary(row))
            }
            return true
        }
        return Output(summaries: found, next: count == limit ? last : nil)
    }
}

extension SummaryByID: LocalRead {
    package var isSeveral: Bool { true }

    package func run(on reader: Reader) throws(ArchiveError) -> Output {
        guard let found = try reader.summary(id, of: session), !found.isDeleted else { return nil }
        let attempts = try reader.attempts(
            """
            SELECT a.summary, a.number, a.upstream, a.model, a.started_at, a.first_at, a.ended_at, a.outcome, a.status, a.detail
              FROM summary s CROSS JOIN summary_attempt a ON a.summary = s.id WHERE s.uuid = ? ORDER BY a.number
            """, .blob(id.bytes), of: .summaryAttempt)
        return (found, attempts)
    }
}

extension NewestSummaries: LocalRead {
    package var isSeveral: Bool { true }

    package func run(on reader: Reader) throws(ArchiveError) -> [Summary] {
        try reader.summaries(session, limit: WindowRead.summaries)
    }
}

extension NewestPrompt: LocalRead {
    package var isSeveral: Bool { true }

    package func run(on reader: Reader) throws(ArchiveError) -> Int? {
        var last = session.session.messageCount
        // One that no window holds is no turn's beginning there.
        while let prompt = try reader.prompt(
            at: last, in: session, farthest: farthest - (session.session.messageCount - last))
        {
            if !prompt.isExcluded, prompt.status.isSent { return prompt.seq }
            last = prompt.seq - 1
        }
        return nil
    }
}

extension AllSummaries: LocalRead {
    package var isSeveral: Bool { true }

    package func run(on reader: Reader) throws(ArchiveError) -> Output {
        var output = Output(), found: [(row: Int64, message: Int64, summary: Summary)] = []
        try reader.database.rows(
            .summaries("INDEXED BY summary_session WHERE session = ? AND id > ? ORDER BY id LIMIT ?"),
            [.int(session), .int(after), Bound(limit)], doing: "read summaries"
        ) { (row) throws(ArchiveError) in
            found.append((row.int(0), row.int(3), try Summary(row)))
            return true
        }
        for one in found {
            let end = try reader.database.first(
                "SELECT id FROM message WHERE key = ?", [.int(one.message)], doing: "read a message"
            ) { MessageID(bytes: $0.bytes(0)) }
            if let end = end.flatMap({ $0 }) { output.summaries.append((one.summary, end)) }
        }
        if found.count == limit { output.next = found.last?.row }
        return output
    }
}
