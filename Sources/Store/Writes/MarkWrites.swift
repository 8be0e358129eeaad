package import Archive
internal import Conversation

extension MarkMessage: LocalWrite {
    package func run(on writer: Writer) throws(ArchiveError) -> Output {
        let database = writer.database
        guard let record = try database.session(row: session), record.session.trashedAt == nil,
            let seq = try writer.seq(of: message, in: record)
        else { return .missing }
        let key = MessageKey(branch: try writer.owner(of: seq, on: record.branch), seq: seq).raw
        let before = try database.mark(of: key, by: session), mark = mark(after: before)
        if mark != before { try writer.mark(key, as: mark, by: session) }
        if mark == .pin, before != .pin {
            let tokens = try Reader(over: database).tokensOfPins(record, room)
            if tokens > room.tokens {
                try writer.mark(key, as: before, by: session)
                return .tooMuch(tokens)
            }
        }
        // What a summary says of an excluded one would go on being sent; one that was pinned or excluded is in none.
        var dropped = 0
        if mark != before, mark == .exclusion || before != nil {
            dropped = try writer.dropSummaries(of: session, covering: key)
        }
        guard let change = try writer.pathChange(of: session) else { return .missing }
        return .marked(change, summariesDropped: dropped)
    }
}

/// The marks of one session along a stretch of its path, asked for in the order in which its messages are read.
///
/// Reads a few marks ahead: a session without any costs one look a stretch.
struct MarkWalk {
    private static let few = 64

    private let database: Database
    private let session: SessionRow
    private let isDescending: Bool
    /// Keys that were not looked at.
    private var rest: ClosedRange<Int64>?
    /// What was read, the next one last.
    private var ahead: [(key: Int64, mark: Mark?)] = []

    init(_ database: Database, _ session: SessionRow, _ keys: ClosedRange<Int64>, isDescending: Bool) {
        self.database = database
        self.session = session
        self.isDescending = isDescending
        rest = keys
    }

    /// The mark of the next message, whose key lies behind all before.
    mutating func mark(of key: Int64) throws(ArchiveError) -> Mark? {
        while true {
            while let next = ahead.last, isDescending ? next.key > key : next.key < key { ahead.removeLast() }
            if let next = ahead.last { return next.key == key ? next.mark : nil }
            guard let keys = rest else { return nil }
            try read(keys)
        }
    }

    private mutating func read(_ keys: ClosedRange<Int64>) throws(ArchiveError) {
        let bounds: [Bound] = [
            .int(session), .int(keys.lowerBound), .int(keys.upperBound), Bound(MarkWalk.few),
        ]
        let sql: SQL =
            isDescending
            ? "SELECT message, kind FROM mark WHERE session = ? AND message BETWEEN ? AND ? ORDER BY message DESC LIMIT ?"
            : "SELECT message, kind FROM mark WHERE session = ? AND message BETWEEN ? AND ? ORDER BY message LIMIT ?"
        var found: [(key: Int64, mark: Mark?)] = []
        try database.rows(sql, bounds, doing: "read marks") { row in
            found.append((row.int(0), Mark(rawValue: Int(row.int(1)))))
            return true
        }
        rest = nil
        if found.count == MarkWalk.few, let last = found.last?.key {
            if isDescending, last > keys.lowerBound { rest = keys.lowerBound...(last - 1) }
            if !isDescending, last < keys.upperBound { rest = (last + 1)...keys.upperBound }
        }
        ahead = found.reversed()
    }
}

extension Database {
    /// What a session says of a message; nil for nothing.
    func mark(of key: Int64, by session: SessionRow) throws(ArchiveError) -> Mark? {
        try first(
            "SELECT kind FROM mark WHERE session = ? AND message = ?", [.int(session), .int(key)],
            doing: "read a mark"
        ) { Mark(rawValue: Int($0.int(0))) } ?? nil
    }
}

extension Writer {
    /// Gives a message the one mark that a session has for it; nil takes it away.
    func mark(_ key: Int64, as mark: Mark?, by session: SessionRow) throws(ArchiveError) {
        if let mark {
            try database.run(
                "INSERT OR REPLACE INTO mark (session, message, kind) VALUES (?, ?, ?)",
                [.int(session), .int(key), Bound(mark.rawValue)], doing: "mark a message")
        } else {
            try database.run(
                "DELETE FROM mark WHERE session = ? AND message = ?", [.int(session), .int(key)],
                doing: "take a mark away")
        }
    }

    /// A session that shares the path up to `seq` of a branch takes over the marks on it.
    func copyMarks(from session: SessionRow, to new: SessionRow, on path: [Reader.Segment])
        throws(ArchiveError)
    {
        for segment in path {
            try database.run(
                """
                INSERT INTO mark (session, message, kind)
                SELECT ?, message, kind FROM mark WHERE session = ? AND message BETWEEN ? AND ?
                """,
                [
                    .int(new), .int(session),
                    .int(MessageKey(branch: segment.branch, seq: segment.from).raw),
                    .int(MessageKey(branch: segment.branch, seq: segment.to).raw),
                ], doing: "copy marks")
        }
    }
}
