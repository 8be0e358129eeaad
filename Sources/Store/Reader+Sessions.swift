package import Conversation

extension Reader {
    /// The session of this owner, trashed ones included.
    package func session(_ id: SessionID, owner: UInt32) throws(StoreError) -> SessionRecord? {
        try database.session(id, owner: owner)
    }

    /// A session with this ID of any owner, the newest of several.
    package func session(_ id: SessionID) throws(StoreError) -> SessionRecord? {
        var newest: SessionRecord?
        for owner in try database.owners() {
            guard let found = try database.session(id, owner: owner) else { continue }
            if newest.map({ $0.session.activity < found.session.activity }) ?? true { newest = found }
        }
        return newest
    }

    package func session(row: Int64) throws(StoreError) -> SessionRecord? { try database.session(row: row) }

    /// Sessions of an owner by activity, newest first or oldest first, beginning behind `edge`; `visit` says when to stop.
    func sessions(
        owner: UInt32, isDescending: Bool, edge: Int64, _ visit: (Row) -> Bool
    ) throws(StoreError) {
        let values: [Bound] = [.int(Int64(owner)), .int(edge)]
        if isDescending {
            try database.rows(
                .sessions(
                    "INDEXED BY session_recent WHERE owner = ? AND activity < ? ORDER BY activity DESC"),
                values, doing: "list sessions", visit)
        } else {
            try database.rows(
                .sessions("INDEXED BY session_recent WHERE owner = ? AND activity > ? ORDER BY activity"),
                values, doing: "list sessions", visit)
        }
    }

    /// A user's sessions that changed after a point in the order of changes, oldest first, trashed ones too.
    package func changed(owner: UInt32, after activity: Int64, limit: Int) throws(StoreError)
        -> [SessionRecord]
    {
        var found: [SessionRecord] = []
        try sessions(owner: owner, isDescending: false, edge: activity) { row in
            found.append(SessionRecord(row))
            return found.count < limit
        }
        return found
    }

    /// The newest point in the order of a user's changes, 0 for none.
    package func newestActivity(owner: UInt32) throws(StoreError) -> Int64 {
        try database.first(
            "SELECT activity FROM session INDEXED BY session_recent WHERE owner = ? ORDER BY activity DESC LIMIT 1",
            [.int(Int64(owner))], doing: "read the newest activity"
        ) { $0.int(0) } ?? 0
    }

    /// Sessions whose ID begins with `prefix`, by ID, trashed ones too.
    package func sessions(owner: UInt32, prefix: String, limit: Int) throws(StoreError) -> [SessionRecord] {
        var found: [SessionRecord] = []
        try database.rows(
            .sessions("WHERE owner = ? AND name >= ? AND name < ? ORDER BY name LIMIT ?"),
            [.int(Int64(owner)), .text(prefix), .text(prefix + "\u{7F}"), Bound(limit)],
            doing: "find sessions by ID"
        ) {
            found.append(SessionRecord($0)); return true
        }
        return found
    }
}

extension Database {
    /// Everyone who has a session, found by leaps through an index.
    func owners() throws(StoreError) -> [UInt32] {
        var found: [UInt32] = []
        var last: Int64 = -1
        while let next = try first(
            "SELECT owner FROM session WHERE owner > ? ORDER BY owner LIMIT 1", [.int(last)],
            doing: "list owners", { $0.int(0) })
        {
            found.append(UInt32(truncatingIfNeeded: next))
            last = next
        }
        return found
    }

    func session(_ id: SessionID, owner: UInt32) throws(StoreError) -> SessionRecord? {
        try first(
            .sessions("WHERE owner = ? AND name = ?"), [.int(Int64(owner)), .text(id.text)],
            doing: "find a session", SessionRecord.init)
    }

    func session(row: Int64) throws(StoreError) -> SessionRecord? {
        try first(
            .sessions("WHERE id = ?"), [.int(row)], doing: "find a session", SessionRecord.init)
    }
}
