package import Conversation

extension Reader {
    /// The session of this owner, trashed ones included.
    package func session(_ id: SessionID, owner: UInt32) throws(StoreError) -> SessionRecord? {
        try database.session(id, owner: owner)
    }

    /// A session with this ID of any owner, the newest of several.
    package func session(_ id: SessionID) throws(StoreError) -> SessionRecord? {
        try database.first(
            """
            SELECT id, owner, name, title, cwd, mcp_servers, system, settings, tags, metadata, branch, head, tokens,
                   created_at, updated_at, activity, archived, trashed_at
              FROM session WHERE name = ? ORDER BY activity DESC LIMIT 1
            """, [.text(id.text)], doing: "find a session", SessionRecord.init)
    }

    package func session(row: Int64) throws(StoreError) -> SessionRecord? { try database.session(row: row) }

    /// A page of a plain list, newest first: sessions with messages that are neither archived nor in the trash.
    ///
    /// `before` is the activity of the last one of the page before.
    package func recent(owner: UInt32, cwd: String?, before: Int64?, limit: Int) throws(StoreError) -> [SessionRecord] {
        var found: [SessionRecord] = []
        let before = before ?? Int64.max
        if let cwd {
            try database.rows(
                """
                SELECT id, owner, name, title, cwd, mcp_servers, system, settings, tags, metadata, branch, head, tokens,
                       created_at, updated_at, activity, archived, trashed_at
                  FROM session INDEXED BY session_here
                 WHERE owner = ? AND cwd = ? AND activity < ? AND trashed_at IS NULL AND archived = 0 AND head > 0
                 ORDER BY activity DESC LIMIT ?
                """, [.int(Int64(owner)), .text(cwd), .int(before), Bound(limit)], doing: "list sessions"
            ) { found.append(SessionRecord($0)); return true }
        } else {
            try database.rows(
                """
                SELECT id, owner, name, title, cwd, mcp_servers, system, settings, tags, metadata, branch, head, tokens,
                       created_at, updated_at, activity, archived, trashed_at
                  FROM session INDEXED BY session_recent
                 WHERE owner = ? AND activity < ? AND trashed_at IS NULL AND archived = 0 AND head > 0
                 ORDER BY activity DESC LIMIT ?
                """, [.int(Int64(owner)), .int(before), Bound(limit)], doing: "list sessions"
            ) { found.append(SessionRecord($0)); return true }
        }
        return found
    }

    /// Sessions whose ID begins with `prefix`, by ID, trashed ones left out.
    package func sessions(owner: UInt32, prefix: String, limit: Int) throws(StoreError) -> [SessionRecord] {
        var found: [SessionRecord] = []
        try database.rows(
            """
            SELECT id, owner, name, title, cwd, mcp_servers, system, settings, tags, metadata, branch, head, tokens,
                   created_at, updated_at, activity, archived, trashed_at
              FROM session WHERE owner = ? AND name >= ? AND name < ? AND trashed_at IS NULL ORDER BY name LIMIT ?
            """, [.int(Int64(owner)), .text(prefix), .text(prefix + "\u{7F}"), Bound(limit)], doing: "find sessions by ID"
        ) { found.append(SessionRecord($0)); return true }
        return found
    }
}

extension Database {
    func session(_ id: SessionID, owner: UInt32) throws(StoreError) -> SessionRecord? {
        try first(
            """
            SELECT id, owner, name, title, cwd, mcp_servers, system, settings, tags, metadata, branch, head, tokens,
                   created_at, updated_at, activity, archived, trashed_at
              FROM session WHERE owner = ? AND name = ?
            """, [.int(Int64(owner)), .text(id.text)], doing: "find a session", SessionRecord.init)
    }

    func session(row: Int64) throws(StoreError) -> SessionRecord? {
        try first(
            """
            SELECT id, owner, name, title, cwd, mcp_servers, system, settings, tags, metadata, branch, head, tokens,
                   created_at, updated_at, activity, archived, trashed_at
              FROM session WHERE id = ?
            """, [.int(row)], doing: "find a session", SessionRecord.init)
    }
}

/// A slice of a search through sessions by activity, for filters that no index covers.
package struct FindSessions: StoreRead {
    package enum Owner: Sendable { case user(UInt32), all }

    package var owner: Owner
    package var query: String?
    package var tag: String?
    package var cwd: String?
    package var upstream: String?
    package var model: String?
    package var isArchived: Bool?
    package var isTrashed: Bool
    package var includesEmpty: Bool
    package var since: Int64?
    package var until: Int64?
    package var isDescending: Bool
    /// Go on behind this activity.
    package var after: Int64?
    package var limit: Int

    /// Rows looked at in one slice.
    private static let slice = 2_000

    package init(owner: Owner, limit: Int) {
        self.owner = owner
        self.limit = limit
        isTrashed = false
        includesEmpty = false
        isDescending = true
    }

    /// What one slice found.
    package struct Output: Sendable {
        package var sessions: [SessionRecord] = []
        /// Where the next slice goes on; nil when everything was looked at.
        package var next: Int64?
    }

    package func run(on reader: Reader) throws(StoreError) -> Output {
        var output = Output()
        var looked = 0
        let edge = after ?? (isDescending ? Int64.max : Int64.min)
        let visit: (Row) -> Bool = { row in
            looked += 1
            let record = SessionRecord(row)
            if matches(record.session) { output.sessions.append(record) }
            let isFull = output.sessions.count == limit || looked == FindSessions.slice
            if isFull { output.next = record.session.activity }
            return !isFull
        }
        if isDescending {
            try reader.database.rows(
                """
                SELECT id, owner, name, title, cwd, mcp_servers, system, settings, tags, metadata, branch, head, tokens,
                       created_at, updated_at, activity, archived, trashed_at
                  FROM session INDEXED BY session_all WHERE activity < ? ORDER BY activity DESC
                """, [.int(edge)], doing: "search sessions", visit)
        } else {
            try reader.database.rows(
                """
                SELECT id, owner, name, title, cwd, mcp_servers, system, settings, tags, metadata, branch, head, tokens,
                       created_at, updated_at, activity, archived, trashed_at
                  FROM session INDEXED BY session_all WHERE activity > ? ORDER BY activity
                """, [.int(edge)], doing: "search sessions", visit)
        }
        return output
    }

    private func matches(_ session: Session) -> Bool {
        if case .user(let uid) = owner, session.owner != uid { return false }
        if (session.trashedAt != nil) != isTrashed { return false }
        if session.isArchived != (isArchived ?? false) { return false }
        if session.messageCount == 0 && !includesEmpty { return false }
        if let tag, !session.tags.contains(where: { $0.utf8.elementsEqual(tag.utf8) }) { return false }
        if let cwd, !session.cwd.utf8.elementsEqual(cwd.utf8) { return false }
        if let upstream, session.settings.upstream != upstream { return false }
        if let model, session.settings.model != model { return false }
        if let since, session.updatedAt < since { return false }
        if let until, session.updatedAt >= until { return false }
        if let query, !(session.title ?? "").lowercased().contains(query.lowercased()) { return false }
        return true
    }
}
