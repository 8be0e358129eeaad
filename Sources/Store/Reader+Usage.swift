package import Archive
internal import Conversation

extension UsageReport: LocalRead {
    package func run(on reader: Reader) throws(ArchiveError) -> Output {
        var rows: [UsageRow.Key: UsageRow] = [:], isMore = false, total = UsageRow(UsageRow.Key())
        var next = owner
        if next == nil { next = try reader.userWithUsage(after: nil) }
        while let user = next {
            isMore = try reader.addUsage(of: user, self, to: &rows, &total) || isMore
            try reader.addLatencies(of: user, self, to: &rows, &total)
            next = owner == nil ? try reader.userWithUsage(after: user) : nil
        }
        var sorted = rows.values.sorted { $0.key.isBefore($1.key, by: parts) }
        isMore = isMore || sorted.count > limit
        sorted = Array(sorted.prefix(limit))
        for index in sorted.indices {
            if let session = sorted[index].key.session {
                sorted[index].sessionID = try reader.name(of: session)
            }
        }
        return Output(rows: sorted, total: total, isMore: isMore)
    }
}

extension Reader {
    /// Rows that are read before others have their turn, and groups that are made of them at most.
    private static let usageSlice = 2_000, mostGroups = 20_000

    /// The next user that used something; nil for none.
    fileprivate func userWithUsage(after user: UserID?) throws(ArchiveError) -> UserID? {
        let found = try database.first(
            "SELECT min(owner) FROM usage WHERE owner > ?", [.int(user.map { Int64($0.number) } ?? -1)],
            doing: "find a user"
        ) { $0.optionalInt(0) }
        return (found ?? nil).flatMap { UInt32(exactly: $0) }.map { UserID($0) }
    }

    fileprivate func name(of session: SessionRow) throws(ArchiveError) -> SessionID? {
        try database.first(
            "SELECT name FROM session WHERE id = ?", [.int(session)], doing: "find a session"
        ) { SessionID($0.text(0)) } ?? nil
    }

    /// Adds what a user used; true where there are more groups than may be.
    fileprivate func addUsage(
        of user: UserID, _ report: UsageReport, to rows: inout [UsageRow.Key: UsageRow],
        _ total: inout UsageRow
    ) throws(ArchiveError) -> Bool {
        var last: (day: Int64, session: Int64, upstream: String, model: String)? = (
            report.days.lowerBound, -1, "", ""
        )
        var isFull = false
        while let from = last {
            last = nil
            var count = 0
            try database.rows(
                """
                SELECT day, session, upstream, model, turns, input_tokens, output_tokens, cached_tokens, cost, written_tokens,
                       thought_tokens, failures, priced, unpriced
                  FROM usage WHERE owner = ? AND (day, session, upstream, model) > (?, ?, ?, ?) AND day <= ?
                 ORDER BY day, session, upstream, model LIMIT ?
                """,
                [
                    .user(user), .int(from.day), .int(from.session), .text(from.upstream), .text(from.model),
                    .int(report.days.upperBound), Bound(Reader.usageSlice),
                ], doing: "read usage"
            ) { row in
                count += 1
                let (day, session, upstream, model) = (row.int(0), row.int(1), row.text(2), row.text(3))
                if count == Reader.usageSlice { last = (day, session, upstream, model) }
                let key = report.key(
                    owner: user, day: day, session: SessionRow(session), upstream: upstream, model: model)
                var one = UsageRow(key)
                (one.prompts, one.input, one.output) = (Int(row.int(4)), Int(row.int(5)), Int(row.int(6)))
                (one.cached, one.cost, one.written) = (Int(row.int(7)), Int(row.int(8)), Int(row.int(9)))
                (one.thoughts, one.failures) = (Int(row.int(10)), Int(row.int(11)))
                (one.priced, one.unpriced) = (Int(row.int(12)), Int(row.int(13)))
                total.add(one)
                guard rows[key] != nil || rows.count < Reader.mostGroups else {
                    isFull = true
                    return true
                }
                rows[key, default: UsageRow(key)].add(one)
                return true
            }
            if last != nil { try endSlice() }
        }
        return isFull
    }

    /// Adds how long a user's turns waited, to the rows that there are; how long a session waited is not kept.
    fileprivate func addLatencies(
        of user: UserID, _ report: UsageReport, to rows: inout [UsageRow.Key: UsageRow],
        _ total: inout UsageRow
    ) throws(ArchiveError) {
        let hasRows = !report.parts.contains(.session)
        var next: Int64? = report.days.lowerBound
        while let from = next {
            // A month has few rows: a model has as many a day as there are bounds, at most.
            let to = min(from + 30, report.days.upperBound)
            next = to < report.days.upperBound ? to + 1 : nil
            try database.rows(
                "SELECT day, upstream, model, bound, turns FROM latency WHERE owner = ? AND day BETWEEN ? AND ?",
                [.user(user), .int(from), .int(to)], doing: "read latencies"
            ) { row in
                let bound = LatencyBounds.bound(of: Int(row.int(3))),
                    turns = UsageSum.bounded(Int(row.int(4)))
                total.latencies[bound, default: 0] += turns
                guard hasRows else { return true }
                let key = report.key(
                    owner: user, day: row.int(0), session: nil, upstream: row.text(1), model: row.text(2))
                rows[key]?.latencies[bound, default: 0] += turns
                return true
            }
            if next != nil { try endSlice() }
        }
    }
}
