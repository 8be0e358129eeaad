package import Archive
internal import Conversation

extension StoreStats: LocalRead {
    package func run(on reader: Reader) throws(ArchiveError) -> Output {
        var output = Output(), next = self
        let database = reader.database
        if let after = afterMessage {
            let end = try database.first(
                "SELECT key FROM message WHERE key > ? ORDER BY key LIMIT 1 OFFSET 4999", [.int(after)],
                doing: "sum the store up"
            ) { $0.int(0) }
            var branches: [Int64: SessionRow?] = [:]
            var found: [(branch: Int64, day: Int64, messages: Int, bytes: Int)] = []
            try database.rows(
                """
                SELECT key >> 32, created_at / 86400000, count(*), sum(length(CAST(content AS BLOB))) FROM message
                 WHERE key > ? AND key <= ? GROUP BY 1, 2
                """, [.int(after), .int(end ?? Int64.max)], doing: "sum the store up"
            ) { row in
                found.append((row.int(0), row.int(1), Int(row.int(2)), Int(row.int(3))))
                return true
            }
            for one in found {
                if branches[one.branch] == nil {
                    branches[one.branch] = try database.first(
                        """
                        SELECT s.id FROM branch b JOIN session s ON s.id = b.session
                         WHERE b.id = ?1 AND s.owner >= 0 AND (?2 IS NULL OR s.owner = ?2)
                        """, [.int(one.branch), owner.map { .user($0) } ?? .null], doing: "find a session"
                    ) { SessionRow($0.int(0)) }
                }
                guard let session = branches[one.branch].flatMap({ $0 }) else { continue }
                output.sessions[session, default: Sum()].add(messages: one.messages, bytes: one.bytes)
                output.days[one.day, default: Sum()].add(messages: one.messages, bytes: one.bytes)
            }
            next.afterMessage = end
            output.next = next
            return output
        }
        var last: Int64?, count = 0
        try database.rows(
            "SELECT id, length(block) FROM search_data WHERE id > ? ORDER BY id LIMIT 20000",
            [.int(afterIndexRow)], doing: "sum the index up"
        ) { row in
            count += 1
            if count == 20_000 { last = row.int(0) }
            output.file.index += Int(row.int(1))
            return true
        }
        if let last {
            next.afterIndexRow = last
            output.next = next
            return output
        }
        let page = try database.integer("PRAGMA page_size", doing: "look at the file")
        output.file.bytes = try database.size()
        output.file.free = Int(
            try database.integer("PRAGMA freelist_count", doing: "look at the file") * page)
        output.file.notIndexed = Int(max(0, try database.newestArrival() - database.searchMark()))
        return output
    }
}

extension SessionNames: LocalRead {
    package func run(on reader: Reader) throws(ArchiveError) -> Output {
        var found: Output = [:]
        for row in rows {
            let session = try reader.database.first(
                "SELECT name, owner, title FROM session WHERE id = ? AND owner >= 0", [.int(row)],
                doing: "read a session"
            ) { (name: $0.text(0), owner: $0.int(1), title: $0.optionalText(2)) }
            guard let session, let id = SessionID(session.name), let owner = UInt32(exactly: session.owner)
            else { continue }
            found[row] = (id, UserID(owner), session.title)
        }
        return found
    }
}

extension NoteAudit: LocalWrite {
    /// How many are kept, about.
    private static let most: Int64 = 100_000

    package func run(on writer: Writer) throws(ArchiveError) {
        try writer.database.run(
            "INSERT INTO audit (at, uid, pid, method, session, outcome) VALUES (?, ?, ?, ?, ?, ?)",
            [
                .int(entry.at), .user(entry.user), Bound(entry.pid), .text(entry.method),
                Bound(entry.session),
                .text(entry.outcome),
            ], doing: "note who changed what")
        let last = writer.database.lastRow
        if last % NoteAudit.step == 0 { try forget(upTo: last - NoteAudit.most, by: writer) }
    }

    /// Notes between two looks at how many there are.
    private static let step: Int64 = 512
    /// How many older ones are kept beside the newest.
    private static let older = 4_096

    /// Takes of the older ones those of the users who have most: what one asks in vain must not hide what another did.
    private func forget(upTo newest: Int64, by writer: Writer) throws(ArchiveError) {
        var found: [(id: Int64, user: Int64)] = []
        try writer.database.rows(
            "SELECT id, uid FROM audit WHERE id <= ? ORDER BY id LIMIT ?",
            [.int(newest), Bound(2 * NoteAudit.older)], doing: "find old changes"
        ) { row in
            found.append((row.int(0), row.int(1)))
            return true
        }
        var counts: [Int64: Int] = [:]
        for one in found { counts[one.user, default: 0] += 1 }
        // As many as each may keep, so that all together are few enough.
        var most = NoteAudit.older
        while most > 0, counts.values.reduce(0, { $0 + min($1, most) }) > NoteAudit.older {
            most -= max(1, most / 64)
        }
        for one in found {
            guard let count = counts[one.user], count > most else { continue }
            counts[one.user] = count - 1
            try writer.database.run(
                "DELETE FROM audit WHERE id = ?", [.int(one.id)], doing: "forget an old change")
        }
    }
}

extension AuditList: LocalRead {
    package var isSeveral: Bool { true }

    package func run(on reader: Reader) throws(ArchiveError) -> Output {
        guard let session else { return try ofAll(reader.database) }
        if let user { return try of(session, by: Int64(user.number), reader.database) }
        // The index has a session's changes by who made them: each one's newest are some of all.
        var found: [AuditEntry] = [], last = Int64.min
        while let uid = try reader.database.first(
            "SELECT uid FROM audit INDEXED BY audit_session WHERE session = ? AND uid > ? ORDER BY uid LIMIT 1",
            [.text(session), .int(last)], doing: "list changes", { $0.int(0) })
        {
            found += try of(session, by: uid, reader.database)
            last = uid
        }
        return Array(found.sorted { $0.id > $1.id }.prefix(limit))
    }

    /// What one user changed of a session; what others did is not even walked: how long that takes would tell of it.
    private func of(_ session: String, by uid: Int64, _ database: Database) throws(ArchiveError) -> Output {
        try taken { (take) throws(ArchiveError) in
            try database.rows(
                """
                SELECT id, at, uid, pid, method, substr(session, 1, 256), outcome
                  FROM audit INDEXED BY audit_session
                 WHERE session = ? AND uid = ? AND id < ? ORDER BY id DESC
                """, [.text(session), .int(uid), .int(before ?? .max)], doing: "list changes", take)
        }
    }

    private func ofAll(_ database: Database) throws(ArchiveError) -> Output {
        try taken { (take) throws(ArchiveError) in
            try database.rows(
                "SELECT id, at, uid, pid, method, substr(session, 1, 256), outcome FROM audit WHERE id < ? ORDER BY id DESC",
                [.int(before ?? .max)], doing: "list changes", take)
        }
    }

    /// What a walk from the newest on finds.
    private func taken(_ walk: ((Row) -> Bool) throws(ArchiveError) -> Void) throws(ArchiveError) -> Output {
        var found: [AuditEntry] = []
        func take(_ row: Row) -> Bool {
            if row.int(1) < since { return false }
            guard let uid = UInt32(exactly: row.int(2)), user == nil || user == UserID(uid) else {
                return true
            }
            var entry = AuditEntry(
                at: row.int(1), user: UserID(uid), pid: Int(row.int(3)), method: row.text(4),
                session: row.optionalText(5), outcome: row.text(6))
            entry.id = row.int(0)
            found.append(entry)
            return found.count < limit
        }
        try walk(take)
        return found
    }
}

extension StoreSize: LocalRead {
    package func run(on reader: Reader) throws(ArchiveError) -> Output { try reader.database.size() }
}

extension Database {
    /// Bytes of the file, its log left out.
    func size() throws(ArchiveError) -> Int {
        let pages = try integer("PRAGMA page_count", doing: "look at the file")
        return Int(try integer("PRAGMA page_size", doing: "look at the file") * pages)
    }
}

extension NamesOf: LocalRead {
    package func run(on reader: Reader) throws(ArchiveError) -> Output {
        var names: Output = []
        try reader.database.rows(
            "SELECT name FROM session INDEXED BY session_recent WHERE owner = ?", [.user(owner)],
            doing: "list IDs"
        ) { row in
            if let name = SessionID(row.text(0)) { names.insert(name) }
            return true
        }
        return names
    }
}
