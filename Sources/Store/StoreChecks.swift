package import Archive
internal import Conversation
internal import JSON

extension Damage {
    /// The table and the statement; nil where it is looked for otherwise.
    fileprivate var check: (end: SQL, find: SQL)? {
        switch self {
        case .file, .index: nil
        case .settings:
            (
                Damage.sessions,
                """
                SELECT id, name FROM session WHERE id > ?1 AND id <= ?2 AND owner >= 0
                   AND (CASE WHEN json_valid(settings) THEN json_type(settings) <> 'object' ELSE 1 END
                     OR CASE WHEN json_valid(tags) THEN json_type(tags) <> 'array' ELSE 1 END
                     OR CASE WHEN json_valid(mcp_servers) THEN json_type(mcp_servers) <> 'array' ELSE 1 END
                     OR CASE WHEN metadata IS NULL THEN 0 WHEN json_valid(metadata) THEN json_type(metadata) <> 'object' ELSE 1 END)
                """
            )
        case .activeBranch:
            (
                Damage.sessions,
                """
                SELECT s.id, s.name FROM session s WHERE s.id > ?1 AND s.id <= ?2 AND s.owner >= 0
                   AND NOT EXISTS (SELECT 1 FROM branch b WHERE b.id = s.branch AND b.session = s.id)
                """
            )
        case .head:
            (
                Damage.sessions,
                """
                SELECT s.id, s.name FROM session s JOIN branch b ON b.id = s.branch
                 WHERE s.id > ?1 AND s.id <= ?2 AND s.owner >= 0
                   AND (s.head <> max(b.fork_seq, ifnull((SELECT max(m.key) & 4294967295 FROM message m
                            WHERE m.key BETWEEN b.id << 32 AND b.id << 32 | 4294967295), 0))
                     OR s.tokens <> ifnull((SELECT total FROM message WHERE key =
                            CASE WHEN s.head > b.fork_seq THEN b.id << 32 | s.head ELSE b.parent << 32 | b.fork_seq END), 0))
                """
            )
        case .parent:
            (
                Damage.branches,
                """
                SELECT b.id, 'branch ' || b.id FROM branch b WHERE b.id > ?1 AND b.id <= ?2
                   AND (b.parent IS NULL AND b.fork_seq <> ifnull((SELECT (min(key) & 4294967295) - 1 FROM message
                            WHERE key BETWEEN b.id << 32 AND b.id << 32 | 4294967295), 0)
                     OR b.parent >= b.id OR b.parent IS NOT NULL AND NOT EXISTS (SELECT 1 FROM branch p WHERE p.id = b.parent)
                     OR b.parent IS NOT NULL AND b.fork_seq > 0 AND NOT EXISTS (SELECT 1 FROM message m WHERE m.key = b.parent << 32 | b.fork_seq))
                """
            )
        case .gap:
            (
                Damage.branches,
                """
                SELECT b.id, 'branch ' || b.id FROM branch b
                 WHERE b.id > ?1 AND b.id <= ?2 AND b.deleted_at IS NULL
                   AND (SELECT count(*) <> ifnull((max(key) & 4294967295) - b.fork_seq, 0)
                          FROM message WHERE key BETWEEN b.id << 32 AND b.id << 32 | 4294967295)
                """
            )
        case .strayMessage:
            (
                Damage.messages,
                """
                SELECT key, 'message ' || (key & 4294967295) || ' of branch ' || (key >> 32) FROM message m
                 WHERE key > ?1 AND key <= ?2 AND NOT EXISTS (SELECT 1 FROM branch b WHERE b.id = m.key >> 32)
                """
            )
        case .content:
            // What it says is looked at outside: json_valid takes bytes that are no text.
            (
                Damage.messages,
                """
                SELECT key, 'message ' || (key & 4294967295) || ' of branch ' || (key >> 32), content FROM message
                 WHERE key > ?1 AND key <= ?2
                """
            )
        case .messageRecord:
            // What is JSON can be read, whatever it says; bytes that are no text are mended where they are read.
            (
                Damage.messages,
                """
                SELECT key, 'message ' || (key & 4294967295) || ' of branch ' || (key >> 32) FROM message
                 WHERE key > ?1 AND key <= ?2
                   AND (metadata IS NOT NULL AND NOT json_valid(metadata) OR binding IS NOT NULL AND NOT json_valid(binding))
                """
            )
        case .arrival:
            (
                Damage.messages,
                """
                SELECT key, 'message ' || (key & 4294967295) || ' of branch ' || (key >> 32) FROM message
                 WHERE key > ?1 AND key <= ?2 AND arrival IS NULL
                """
            )
        case .total:
            (
                Damage.messages,
                """
                SELECT m.key, 'message ' || (m.key & 4294967295) || ' of branch ' || b.id
                  FROM message m JOIN branch b ON b.id = m.key >> 32
                 WHERE m.key > ?1 AND m.key <= ?2 AND m.total <> m.tokens + ifnull((SELECT p.total FROM message p WHERE p.key =
                       CASE WHEN m.key & 4294967295 = b.fork_seq + 1 THEN b.parent << 32 | b.fork_seq ELSE m.key - 1 END), 0)
                """
            )
        case .messageTurn:
            (
                Damage.messages,
                """
                SELECT key, 'message ' || (key & 4294967295) || ' of branch ' || (key >> 32) FROM message m
                 WHERE key > ?1 AND key <= ?2 AND turn IS NOT NULL AND NOT EXISTS (SELECT 1 FROM turn t WHERE t.id = m.turn)
                """
            )
        case .strayTurn:
            (
                Damage.turns,
                """
                SELECT id, 'turn ' || lower(hex(uuid)) FROM turn t WHERE id > ?1 AND id <= ?2
                   AND NOT EXISTS (SELECT 1 FROM session s WHERE s.id = t.session)
                """
            )
        case .turnRecord:
            (
                Damage.turns,
                """
                SELECT id, 'turn ' || lower(hex(uuid)) FROM turn t WHERE id > ?1 AND id <= ?2
                   AND (NOT json_valid(options) OR prompt IS NOT NULL AND NOT json_valid(prompt)
                     OR error IS NOT NULL AND NOT json_valid(error) OR usage IS NOT NULL AND NOT json_valid(usage)
                     OR receipt IS NOT NULL AND NOT json_valid(receipt))
                """
            )
        case .strayBranch:
            (
                Damage.branches,
                """
                SELECT b.id, 'branch ' || b.id FROM branch b WHERE b.id > ?1 AND b.id <= ?2
                   AND NOT EXISTS (SELECT 1 FROM session s WHERE s.id = b.session)
                """
            )
        case .piece:
            (
                "SELECT turn FROM piece WHERE turn > ? ORDER BY turn LIMIT 1 OFFSET 4999",
                """
                SELECT DISTINCT turn, 'turn ' || ifnull((SELECT lower(hex(uuid)) FROM turn t WHERE t.id = o.turn), turn) FROM piece o WHERE turn > ?1 AND turn <= ?2
                   AND NOT EXISTS (SELECT 1 FROM turn t WHERE t.id = o.turn AND t.state < 2)
                """
            )
        case .attempt:
            (
                "SELECT turn FROM attempt WHERE turn > ? ORDER BY turn LIMIT 1 OFFSET 4999",
                """
                SELECT DISTINCT turn, 'the tries of turn ' || turn FROM attempt o WHERE turn > ?1 AND turn <= ?2
                   AND NOT EXISTS (SELECT 1 FROM turn t WHERE t.id = o.turn)
                """
            )
        case .anchor:
            (
                "SELECT branch FROM anchor WHERE branch > ? ORDER BY branch LIMIT 1 OFFSET 4999",
                """
                SELECT DISTINCT branch, 'the windows of branch ' || branch FROM anchor o WHERE branch > ?1 AND branch <= ?2
                   AND NOT EXISTS (SELECT 1 FROM branch b WHERE b.id = o.branch)
                """
            )
        case .summary:
            (
                "SELECT id FROM summary WHERE id > ? ORDER BY id LIMIT 1 OFFSET 4999",
                """
                SELECT id, 'summary ' || lower(hex(uuid)) FROM summary o WHERE id > ?1 AND id <= ?2
                   AND (NOT EXISTS (SELECT 1 FROM session s WHERE s.id = o.session)
                     OR NOT EXISTS (SELECT 1 FROM message m WHERE m.key = o.message))
                """
            )
        case .summaryAttempt:
            (
                "SELECT summary FROM summary_attempt WHERE summary > ? ORDER BY summary LIMIT 1 OFFSET 4999",
                """
                SELECT DISTINCT summary, 'the tries of summary ' || summary FROM summary_attempt o WHERE summary > ?1 AND summary <= ?2
                   AND NOT EXISTS (SELECT 1 FROM summary s WHERE s.id = o.summary)
                """
            )
        case .importedSession:
            (
                "SELECT session FROM import WHERE session > ? ORDER BY session LIMIT 1 OFFSET 4999",
                """
                SELECT session, name FROM import o WHERE session > ?1 AND session <= ?2
                   AND NOT EXISTS (SELECT 1 FROM session s WHERE s.id = o.session)
                """
            )
        case .importedMessage:
            (
                "SELECT message FROM import_link WHERE message > ? ORDER BY message LIMIT 1 OFFSET 4999",
                """
                SELECT message, 'message ' || (message & 4294967295) || ' of branch ' || (message >> 32) FROM import_link o WHERE message > ?1 AND message <= ?2
                   AND NOT EXISTS (SELECT 1 FROM message m WHERE m.key = o.message)
                """
            )
        case .mark:
            (
                Damage.messages,
                """
                SELECT k.message, 'the mark of message ' || (k.message & 4294967295) || ' of branch ' || (k.message >> 32)
                  FROM mark k INDEXED BY mark_message WHERE k.message > ?1 AND k.message <= ?2
                   AND (NOT EXISTS (SELECT 1 FROM message m WHERE m.key = k.message)
                     OR NOT EXISTS (SELECT 1 FROM session s WHERE s.id = k.session))
                """
            )
        }
    }

    private static let sessions: SQL = "SELECT id FROM session WHERE id > ? ORDER BY id LIMIT 1 OFFSET 4999"
    private static let branches: SQL = "SELECT id FROM branch WHERE id > ? ORDER BY id LIMIT 1 OFFSET 4999"
    private static let messages: SQL =
        "SELECT key FROM message WHERE key > ? ORDER BY key LIMIT 1 OFFSET 4999"
    private static let turns: SQL = "SELECT id FROM turn WHERE id > ? ORDER BY id LIMIT 1 OFFSET 4999"

    /// What is looked for next; nil at the end.
    fileprivate func next(isQuick: Bool) -> Damage? {
        let all = Damage.allCases.filter {
            !isQuick || [.settings, .activeBranch, .head, .parent].contains($0)
        }
        return all.firstIndex(of: self).flatMap { $0 + 1 < all.count ? all[$0 + 1] : nil }
    }
}

extension CheckStore: LocalRead {
    /// Whether a message is in the index is asked of the commit that has both.
    package var isSeveral: Bool { true }

    package func run(on reader: Reader) throws(ArchiveError) -> Output {
        var output = Output()
        let database = reader.database
        func take(_ row: Row) { output.found.append(DamageFound(kind, row: row.int(0), words: row.text(1))) }
        var end: Int64?, word: [UInt8]?
        switch kind {
        case .file:
            try database.rows(
                "SELECT 0, integrity_check FROM pragma_integrity_check(100) WHERE integrity_check <> 'ok'",
                doing: "check the file"
            ) { row in
                take(row)
                return true
            }
            for index in try Migrations.lackedIndexes(of: database) {
                output.found.append(DamageFound(.file, row: 0, words: "the index '\(index)' is missing"))
            }
        case .index:
            do throws(ArchiveError) {
                if afterWord.isEmpty, let words = try indexProblem(reader) {
                    output.found.append(DamageFound(.index, row: 0, words: words))
                } else {
                    word = try readIndex(reader)
                }
            } catch {
                guard error.code == .corrupt || error.code == .other else { throw error }
                output.found.append(DamageFound(.index, row: 0, words: "the index cannot be read"))
            }
        default:
            guard let check = kind.check else { break }
            end = try database.first(check.end, [.int(after)], doing: "check the store") { $0.int(0) }
            try database.rows(
                check.find, [.int(after), .int(end ?? Int64.max)], doing: "check the store"
            ) { row in
                if kind != .content || !CheckStore.isContent(row.bytes(2)) { take(row) }
                return output.found.count < limit
            }
        }
        var next = self
        if let end, output.found.count < limit {
            next.after = end
            output.next = next
        } else if let word {
            next.afterWord = word
            output.next = next
        } else if let kind = kind.next(isQuick: isQuick) {
            next.kind = kind
            next.after = 0
            output.next = next
        }
        return output
    }

    /// Whether bytes are what a message's content must be: an array of JSON in UTF-8, as `Row.json` reads it.
    static func isContent(_ bytes: [UInt8]) -> Bool {
        guard let traits = JSONCheck.traits(of: bytes), bytes.first(where: { $0 > 0x20 }) == 0x5B else {
            return false
        }
        return traits.isASCII || ByteSearch.isUTF8(bytes.span)
    }

    /// Entries of the index that a slice reads, one for each message that has a word; a word itself costs like 100.
    private static let mostEntries = 500_000

    /// Reads on in the index, as far as a slice goes, and throws where it is damaged; the last word, nil at the end.
    ///
    /// FTS5's own check is an INSERT, which a reader may not.
    private func readIndex(_ reader: Reader) throws(ArchiveError) -> [UInt8]? {
        var entries = 0, last: [UInt8]?
        try reader.database.rows(
            "SELECT term, doc FROM temp.search_words WHERE term > ?", [.utf8(afterWord)],
            doing: "check the index"
        ) { row in
            entries += Int(row.int(1)) + 100
            guard entries >= CheckStore.mostEntries else { return true }
            last = row.bytes(0)
            return false
        }
        return last
    }

    /// What is wrong with the index; nil where nothing is found.
    private func indexProblem(_ reader: Reader) throws(ArchiveError) -> String? {
        let newest = try reader.database.newestArrival()
        let mark = try reader.database.searchMark()
        let early = try reader.database.integer(
            "SELECT count(*) FROM search_whole WHERE arrival > ?", [.int(mark)], doing: "check the index")
        if early > 0 { return "the index holds what is not in it yet" }
        return try lostInIndex(reader, upTo: min(mark, newest))
    }

    /// Whether the newest messages that are indexed are found by what they say; nil where they are.
    private func lostInIndex(_ reader: Reader, upTo mark: Int64) throws(ArchiveError) -> String? {
        var found: [(arrival: Int64, content: [UInt8])] = []
        try reader.database.rows(
            """
            SELECT arrival, content FROM message INDEXED BY message_arrival WHERE arrival <= ? AND arrival > 0
             ORDER BY arrival DESC LIMIT 200
            """, [.int(mark)], doing: "check the index"
        ) { row in
            found.append((row.int(0), row.bytes(1)))
            return true
        }
        // And some of all the others, as far from each other as they are many.
        for step in 0..<200 {
            try reader.database.rows(
                """
                SELECT arrival, content FROM message INDEXED BY message_arrival WHERE arrival > ? AND arrival <= ?
                 ORDER BY arrival LIMIT 1
                """, [.int(mark / 200 * Int64(step)), .int(mark)], doing: "check the index"
            ) { row in
                found.append((row.int(0), row.bytes(1)))
                return true
            }
        }
        for (arrival, content) in found {
            guard let gram = SearchIndexing.someGram(of: content) else { continue }
            let isThere = try reader.database.first(
                "SELECT 1 FROM search WHERE search MATCH ? AND rowid >= ? AND rowid < ? ORDER BY rowid DESC LIMIT 1",
                [.text(gram), .int(arrival), .int(arrival + 1)], doing: "check the index"
            ) { _ in true }
            if isThere == nil { return "a message that should be in the index is not found in it" }
        }
        return nil
    }
}
