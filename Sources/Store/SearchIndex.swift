internal import Archive
internal import Posix
internal import Search

/// Puts messages into the index of what they say, behind the writes, in the order in which they were stored.
///
/// - Invariant: the index holds the grams of just the messages up to the mark, whose move is in the same transaction.
final class SearchIndexing: BackgroundWork, Sendable {
    /// Milliseconds that a message waits for others, so that they are indexed together.
    static let patience: UInt64 = 400
    /// Messages between two looks at the clock.
    private static let few = 16
    /// Messages from which on they share a longer step: together each costs half of what it costs by itself.
    private static let many = 256
    /// Nanoseconds of a longer step.
    private static let longStep: UInt64 = 8_000_000
    /// Nanoseconds that the index may be behind while changes have nearly all of the time.
    private static let mostLag: UInt64 = 5_000_000_000

    /// When somebody searched last and had to look at many messages one by one, in monotonic nanoseconds.
    private let searched = Locked(UInt64(0))
    /// When the newest message was one with this arrival; the first is the newest moment of which all is indexed, or close to it.
    private let moments = Locked([(at: UInt64, arrival: Int64)]())

    /// Somebody searches, and would be faster if more were indexed.
    func demand() { searched.change { $0 = Machine.monotonic() } }

    /// While changes come the index gets little of the time, unless it is far behind or somebody searches.
    func pace(in database: Database) throws(ArchiveError) -> BackgroundSlot.Pace {
        let newest = try database.newestArrival()
        let mark = try database.searchMark(), now = Machine.monotonic()
        let isLate = moments.withLock { moments in
            let done = moments.firstIndex { $0.arrival > mark } ?? moments.count
            moments.removeFirst(done)
            if moments.last.map({ now &- $0.at > 250_000_000 }) ?? true { moments.append((now, newest)) }
            return now &- moments[0].at > SearchIndexing.mostLag
        }
        let isWanted = now &- searched.withLock { $0 } < 1_000_000_000
        return BackgroundSlot.Pace(
            step: newest - mark > SearchIndexing.many ? SearchIndexing.longStep : BackgroundSlot.step,
            rest: isLate || isWanted ? 1 : 29, idleRest: 0)
    }

    /// The table as version 14 made it.
    static let definition = #"""
        CREATE VIRTUAL TABLE search USING fts5 (
            grams, content='', columnsize=0, detail=none,
            tokenize="ascii tokenchars '!""#$%&''()*+,-./:;<=>?@[\]^_`{|}~'"
        );
        INSERT INTO search (search, rank) VALUES ('automerge', 8);
        """#

    /// Some gram that a message is indexed by, as FTS5 is asked for it; nil where it has none, or is too long.
    static func someGram(of content: [UInt8]) -> String? {
        let text = SearchedText.of(content)
        guard text.count <= Grams.most else { return nil }
        let gram = Grams.text(of: NormalForm(text).bytes).split(separator: 0x20).last
        return gram.map { SearchQuery.quoted(Array($0)) }
    }

    func isLeft(in database: Database) throws(ArchiveError) -> Bool {
        try database.first(
            """
            SELECT 1 FROM message INDEXED BY message_arrival
             WHERE arrival > ifnull((SELECT mark FROM search_state WHERE id = 1), 0) LIMIT 1
            """, [], doing: "look for what is not indexed"
        ) { _ in true } ?? false
    }

    func step(in database: Database, until deadline: UInt64) throws(ArchiveError) {
        let start = try database.searchMark()
        var mark = start
        repeat {
            var found: [(arrival: Int64, content: [UInt8])] = []
            try database.rows(
                """
                SELECT arrival, content FROM message INDEXED BY message_arrival WHERE arrival > ?
                 ORDER BY arrival LIMIT ?
                """, [.int(mark), Bound(SearchIndexing.few)], doing: "read what is not indexed"
            ) { row in
                found.append((row.int(0), row.bytes(1)))
                return Machine.monotonic() < deadline
            }
            guard let last = found.last?.arrival else { break }
            for (arrival, content) in found { try database.index(arrival, content) }
            mark = last
        } while Machine.monotonic() < deadline
        if mark > start {
            try database.setSearchMark(mark)
        }
    }
}

extension Database {
    /// The newest message's place in the order of storing; 0 where there is none.
    func newestArrival() throws(ArchiveError) -> Int64 {
        try integer(
            "SELECT ifnull(max(arrival), 0) FROM message INDEXED BY message_arrival",
            doing: "find the newest message")
    }

    /// The last message that is indexed, by its arrival; 0 = none.
    func searchMark() throws(ArchiveError) -> Int64 {
        try integer("SELECT mark FROM search_state WHERE id = 1", doing: "read the index's mark")
    }

    fileprivate func index(_ arrival: Int64, _ content: [UInt8]) throws(ArchiveError) {
        let text = SearchedText.of(content)
        guard text.count <= Grams.most else {
            return try run(
                "INSERT INTO search_whole (arrival) VALUES (?)", [.int(arrival)],
                doing: "note a long message")
        }
        let form = NormalForm(text).bytes
        if form.isEmpty { return }
        try run(
            "INSERT INTO search (rowid, grams) VALUES (?, ?)", [.int(arrival), .utf8(Grams.text(of: form))],
            doing: "index a message")
    }

    /// Takes messages out of the index, before their rows go: it is told their old text, and only of those it has.
    func unindex(_ keys: ClosedRange<Int64>) throws(ArchiveError) {
        let mark = try searchMark()
        var found: [Int64] = []
        try rows(
            "SELECT key FROM message WHERE key BETWEEN ? AND ? AND arrival <= ?",
            [.int(keys.lowerBound), .int(keys.upperBound), .int(mark)], doing: "read what leaves the index"
        ) { row in
            found.append(row.int(0))
            return true
        }
        do throws(ArchiveError) { for key in found { try unindex(key) } } catch {
            // An index that is damaged is made anew: it keeps nothing from being removed.
            guard error.code == .corrupt else { throw error }
            try emptyIndex()
        }
    }

    /// Empties the index; it is made again in the background.
    func emptyIndex() throws(ArchiveError) {
        do throws(ArchiveError) {
            try run("INSERT INTO search (search) VALUES ('delete-all')", doing: "empty the index")
        } catch {
            guard error.code == .corrupt || error.code == .other else { throw error }
            // Where nothing can be read of it, or it is not there, the table itself is made anew.
            try execute(
                "DROP TABLE IF EXISTS search; " + SearchIndexing.definition, doing: "make the index anew")
        }
        try run("DELETE FROM search_whole", doing: "empty the index")
        try setSearchMark(0)
    }

    /// Notes up to where messages are indexed.
    func setSearchMark(_ mark: Int64) throws(ArchiveError) {
        try run(
            """
            INSERT INTO search_state (id, mark, form) VALUES (1, ?, ?)
                ON CONFLICT (id) DO UPDATE SET mark = excluded.mark, form = excluded.form
            """, [.int(mark), Bound(NormalForm.version)], doing: "move the index's mark")
    }

    private func unindex(_ key: Int64) throws(ArchiveError) {
        let found = try first(
            "SELECT arrival, content FROM message WHERE key = ?", [.int(key)],
            doing: "read what leaves the index"
        ) { (arrival: $0.int(0), content: $0.bytes(1)) }
        if let (arrival, content) = found {
            let text = SearchedText.of(content)
            if text.count > Grams.most {
                try run(
                    "DELETE FROM search_whole WHERE arrival = ?", [.int(arrival)],
                    doing: "forget a long message")
            } else {
                let form = NormalForm(text).bytes
                if form.isEmpty { return }
                try run(
                    "INSERT INTO search (search, rowid, grams) VALUES ('delete', ?, ?)",
                    [.int(arrival), .utf8(Grams.text(of: form))], doing: "take a message out of the index")
            }
        }
    }

    /// Empties an index that was made of other grams than this build makes.
    func renewIndex() throws(ArchiveError) {
        let form = try integer("SELECT form FROM search_state WHERE id = 1", doing: "read the index's form")
        if form == Int64(NormalForm.version) { return }
        try execute("BEGIN IMMEDIATE", doing: "begin")
        try emptyIndex()
        try execute("COMMIT", doing: "commit")
    }
}
