internal import Archive
internal import Conversation
internal import Posix

extension Reader {
    /// The session of this owner, trashed ones included.
    func session(_ id: SessionID, owner: UserID) throws(ArchiveError) -> SessionRecord? {
        try database.session(id, owner: owner)
    }

    /// The sessions with this ID of all owners, trashed ones included.
    func sessions(named id: SessionID) throws(ArchiveError) -> [SessionRecord] {
        var found: [SessionRecord] = []
        for owner in try database.owners() {
            if let one = try database.session(id, owner: owner) { found.append(one) }
        }
        return found
    }

    func session(row: SessionRow) throws(ArchiveError) -> SessionRecord? { try database.session(row: row) }

    /// Sessions of an owner by activity, newest first or oldest first, beginning behind `edge`; `visit` says when to stop.
    func sessions(
        owner: UserID, isDescending: Bool, edge: Int64, _ visit: (Row) throws(ArchiveError) -> Bool
    ) throws(ArchiveError) {
        let values: [Bound] = [.user(owner), .int(edge)]
        if isDescending {
            try database.rows(
                .listedSessions(
                    "INDEXED BY session_recent WHERE owner = ? AND activity < ? ORDER BY activity DESC"),
                values, doing: "list sessions", visit)
        } else {
            try database.rows(
                .listedSessions(
                    "INDEXED BY session_recent WHERE owner = ? AND activity > ? ORDER BY activity"),
                values, doing: "list sessions", visit)
        }
    }

    /// The same for a short list, `count` at a time: those that stand where they stood when they were read last are not read
    /// again, and the others by one statement.
    func shortList(
        owner: UserID, isDescending: Bool, edge: Int64, by count: Int,
        _ visit: (Int64, () throws(ArchiveError) -> SessionRecord) -> Bool
    ) throws(ArchiveError) {
        listed.forgetOld(now: Machine.monotonic())
        var edge = edge
        while true {
            var places: [(row: SessionRow, activity: Int64, known: SessionRecord?)] = []
            let values: [Bound] = [.user(owner), .int(edge), Bound(count)]
            func note(_ place: Row) -> Bool {
                let row = SessionRow(place.int(0)), activity = place.int(1)
                places.append((row, activity, listed.session(row, at: activity)))
                return true
            }
            if isDescending {
                try database.rows(
                    "SELECT id, activity FROM session INDEXED BY session_recent WHERE owner = ? AND activity < ? ORDER BY activity DESC LIMIT ?",
                    values, doing: "list sessions", note)
            } else {
                try database.rows(
                    "SELECT id, activity FROM session INDEXED BY session_recent WHERE owner = ? AND activity > ? ORDER BY activity LIMIT ?",
                    values, doing: "list sessions", note)
            }
            let missing = places.compactMap { $0.known == nil ? $0.row : nil }
            let read = missing.isEmpty ? [:] : try listed(missing)
            for place in places {
                let goesOn = visit(place.activity) { () throws(ArchiveError) in
                    if let known = place.known { return known }
                    guard let found = read[place.row] else {
                        throw ArchiveError(
                            .corrupt, "list sessions",
                            reason: "session \(place.row.number) is in their index alone")
                    }
                    let record = try found.get()
                    listed.keep(record)
                    return record
                }
                if !goesOn { return }
            }
            guard places.count == count, let last = places.last else { return }
            edge = last.activity
        }
    }

    /// Some sessions as lists show them, or what is wrong with each.
    private func listed(_ rows: [SessionRow]) throws(ArchiveError) -> [SessionRow: Result<
        SessionRecord, ArchiveError
    >] {
        var found: [SessionRow: Result<SessionRecord, ArchiveError>] = [:]
        let numbers = "[\(rows.map { String($0.number) }.joined(separator: ","))]"
        try database.rows(
            .listedSessions("WHERE id IN (SELECT value FROM json_each(?))"), [.text(numbers)],
            doing: "list sessions"
        ) { row in
            found[SessionRow(row.int(0))] = Result { () throws(ArchiveError) in try SessionRecord(row) }
            return true
        }
        return found
    }

    /// A user's sessions that changed after a point in the order of changes, oldest first, trashed ones too, as lists
    /// show them; at most `limit` of them, and about `bytes` bytes, and whether there are more.
    func changed(owner: UserID, after activity: Int64, limit: Int, bytes: Int) throws(ArchiveError)
        -> (found: [SessionRecord], hasMore: Bool)
    {
        var found: [SessionRecord] = [], room = bytes, hasMore = false
        try sessions(owner: owner, isDescending: false, edge: activity) { (row) throws(ArchiveError) in
            hasMore = found.count == limit || room <= 0
            if hasMore { return false }
            // One that cannot be read shows itself where it is asked for; it keeps nobody from the others.
            guard let record = try? SessionRecord(row) else { return true }
            room -= record.listedBytes
            found.append(record)
            return true
        }
        return (found, hasMore)
    }

    /// The newest point in the order of a user's changes, 0 for none.
    func newestActivity(owner: UserID) throws(ArchiveError) -> Int64 {
        try database.first(
            "SELECT activity FROM session INDEXED BY session_recent WHERE owner = ? AND activity < ? ORDER BY activity DESC LIMIT 1",
            [.user(owner), Bound(Row.mostActivity)], doing: "read the newest activity"
        ) { $0.int(0) } ?? 0
    }

    /// Sessions whose ID begins with `prefix`, by ID, trashed ones too, as lists show them: at most `limit`, and about
    /// `bytes` bytes, of the first 2,000 there are.
    func sessions(
        owner: UserID, prefix: String, limit: Int, bytes: Int, where fits: (Session) -> Bool
    ) throws(ArchiveError) -> FindSessions.Output {
        var output = FindSessions.Output(), room = bytes
        try database.rows(
            .listedSessions("WHERE owner = ? AND name >= ? AND name < ? ORDER BY name LIMIT ?"),
            [.user(owner), .text(prefix), .text(prefix + "\u{7F}"), Bound(2_000)],
            doing: "find sessions by ID"
        ) { row in
            room -= output.take(row, where: fits).bytes
            return room > 0 && output.sessions.count < limit
        }
        return output
    }
}

extension Database {
    /// Everyone who has a session, found by leaps through an index.
    func owners() throws(ArchiveError) -> [UserID] {
        var found: [UserID] = []
        var last: Int64 = -1
        while let next = try first(
            "SELECT owner FROM session WHERE owner > ? ORDER BY owner LIMIT 1", [.int(last)],
            doing: "list owners", { $0.int(0) })
        {
            found.append(UserID(UInt32(truncatingIfNeeded: next)))
            last = next
        }
        return found
    }

    func session(_ id: SessionID, owner: UserID) throws(ArchiveError) -> SessionRecord? {
        try first(
            .sessions("WHERE owner = ? AND name = ?"), [.user(owner), .text(id.text)],
            doing: "find a session", SessionRecord.init)
    }

    /// A session that is somebody's: none that is being purged or read in.
    func session(row: SessionRow) throws(ArchiveError) -> SessionRecord? {
        try first(
            .sessions("WHERE id = ? AND owner >= 0"), [.int(row)], doing: "find a session",
            SessionRecord.init)
    }
}
