package import Conversation

/// What was used in some days, summed up by what is asked for.
package struct UsageReport: ArchiveRead {
    /// What rows are told apart by.
    package enum Part: String, Sendable, CaseIterable {
        case day, model, upstream, user, session
    }

    /// Sums, the rows in the order of their parts.
    package struct Output: Sendable {
        package var rows: [UsageRow]
        /// All of the days, whatever the rows.
        package var total: UsageRow
        /// Whether there are more rows than may be.
        package var isMore: Bool

        package init(rows: [UsageRow], total: UsageRow, isMore: Bool) {
            self.rows = rows
            self.total = total
            self.isMore = isMore
        }
    }

    /// Whose; nil for everybody's.
    package let owner: UserID?
    /// Days since 1970 (UTC).
    package let days: ClosedRange<Int64>
    package let parts: [Part]
    /// Rows at most.
    package let limit: Int

    package init(owner: UserID?, days: ClosedRange<Int64>, by parts: [Part], limit: Int) {
        self.owner = owner
        self.days = days
        self.parts = parts
        self.limit = limit
    }

    /// The row of a look by what it is asked for; the other parts are left out.
    package func key(
        owner: UserID, day: Int64, session: SessionRow?, upstream: String, model: String
    ) -> UsageRow.Key {
        UsageRow.Key(
            day: parts.contains(.day) ? day : nil, model: parts.contains(.model) ? model : nil,
            upstream: parts.contains(.upstream) ? upstream : nil,
            owner: parts.contains(.user) ? owner : nil,
            session: parts.contains(.session) ? session : nil)
    }

    /// Two looks at different stores as one.
    package func joined(_ a: Output, _ b: Output) -> Output {
        var rows: [UsageRow.Key: UsageRow] = [:]
        for row in a.rows + b.rows { rows[row.key, default: UsageRow(row.key)].add(row) }
        let sorted = rows.values.sorted { $0.key.isBefore($1.key, by: parts) }
        var total = a.total
        total.add(b.total)
        return Output(
            rows: Array(sorted.prefix(limit)), total: total,
            isMore: a.isMore || b.isMore || sorted.count > limit)
    }
}

/// Sums of what was used.
package struct UsageRow: Sendable, Equatable {
    /// What a row is of; nil for all of a part.
    package struct Key: Sendable, Hashable {
        /// Days since 1970 (UTC).
        package var day: Int64?
        package var model: String?
        package var upstream: String?
        package var owner: UserID?
        package var session: SessionRow?

        /// Nothing but what is given.
        package init(
            day: Int64? = nil, model: String? = nil, upstream: String? = nil, owner: UserID? = nil,
            session: SessionRow? = nil
        ) {
            self.day = day
            self.model = model
            self.upstream = upstream
            self.owner = owner
            self.session = session
        }

        /// Whether it stands before another in a list by these parts.
        package func isBefore(_ other: Key, by parts: [UsageReport.Part]) -> Bool {
            for part in parts {
                switch part {
                case .day where day != other.day: return day ?? 0 < other.day ?? 0
                case .model where model != other.model: return model ?? "" < other.model ?? ""
                case .upstream where upstream != other.upstream: return upstream ?? "" < other.upstream ?? ""
                case .user where owner != other.owner: return owner ?? 0 < other.owner ?? 0
                case .session where session != other.session:
                    return session?.number ?? 0 < other.session?.number ?? 0
                default: continue
                }
            }
            return false
        }
    }

    package let key: Key
    /// Its session's ID; nil where it is gone, or not asked for.
    package var sessionID: SessionID?
    /// Turns that were asked.
    package var prompts = 0
    package var failures = 0
    package var input = 0
    package var cached = 0
    package var written = 0
    package var output = 0
    package var thoughts = 0
    /// Millionths of a dollar of the calls whose price was known.
    package var cost = 0
    /// Calls whose price was known, and those whose price was not; a summary is a call too.
    package var priced = 0
    package var unpriced = 0
    /// Turns by the bound of `LatencyBounds` that their first piece kept.
    package var latencies: [Int: Int] = [:]

    package init(_ key: Key) { self.key = key }

    private static var sums: [WritableKeyPath<UsageRow, Int>] {
        [
            \.prompts, \.failures, \.input, \.cached, \.written, \.output, \.thoughts, \.cost, \.priced,
            \.unpriced,
        ]
    }

    /// Takes the sums of another away, of which it holds a part.
    package mutating func subtract(_ other: UsageRow) {
        for path in UsageRow.sums { self[keyPath: path] = max(0, self[keyPath: path] - other[keyPath: path]) }
        for (bound, count) in other.latencies {
            latencies[bound] = max(0, (latencies[bound] ?? 0) - count)
        }
    }

    /// Takes each sum of another that is more.
    package mutating func raise(to other: UsageRow) {
        for path in UsageRow.sums { self[keyPath: path] = max(self[keyPath: path], other[keyPath: path]) }
        latencies.merge(other.latencies, uniquingKeysWith: max)
    }

    /// Adds the sums of another.
    package mutating func add(_ other: UsageRow) {
        sessionID = sessionID ?? other.sessionID
        for path in UsageRow.sums {
            self[keyPath: path] =
                UsageSum.bounded(self[keyPath: path]) + UsageSum.bounded(other[keyPath: path])
        }
        latencies.merge(other.latencies) { UsageSum.bounded($0) + UsageSum.bounded($1) }
    }
}

/// The times that first pieces of answers are sorted into.
package enum LatencyBounds {
    /// Milliseconds, growing by a third to a half each; what takes longer counts with the last.
    package static let all = [
        50, 75, 100, 150, 200, 300, 400, 600, 800, 1_200, 1_600, 2_400, 3_200, 4_800, 6_400, 9_600, 12_800,
        19_200,
        25_600, 38_400, 51_200, 76_800, 102_400, 600_000,
    ]

    /// The least that a time does not pass.
    package static func bound(of milliseconds: Int) -> Int {
        all.first { milliseconds <= $0 } ?? all[all.count - 1]
    }

    /// The bound that a share of some turns kept, from 0 to 1; nil for no turns.
    package static func percentile(_ share: Double, of counts: [Int: Int]) -> Int? {
        let total = counts.values.reduce(0, +)
        var seen = 0
        for (bound, count) in counts.sorted(by: { $0.key < $1.key }) {
            seen += count
            if Double(seen) >= share * Double(total) { return bound }
        }
        return nil
    }
}
