package import Conversation
internal import JSON

/// Makes a session, or finds the one that has its ID.
package struct CreateSession: StoreWrite {
    package enum Output: Sendable, Equatable {
        case created(SessionRecord)
        case existed(SessionRecord)
        /// The ID is taken by a session in the trash.
        case trashed(SessionRecord)
    }

    package let session: Session
    package init(_ session: Session) { self.session = session }

    package func run(on writer: Writer) throws(StoreError) -> Output {
        if let found = try writer.database.session(session.id, owner: session.owner) {
            return found.session.trashedAt == nil ? .existed(found) : .trashed(found)
        }
        return .created(try writer.insert(session))
    }
}

extension Writer {
    /// Inserts a session with a branch of its own.
    func insert(_ session: Session) throws(StoreError) -> SessionRecord {
        let time = now
        try database.run(
            """
            INSERT INTO session (id, owner, name, title, cwd, mcp_servers, system, settings, tags, metadata, branch, created_at,
                                 updated_at, activity)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)
            """,
            [
                Bound(try nextRow()), .int(Int64(session.owner)), .text(session.id.text),
                Bound(session.title), .text(session.cwd),
                .utf8(session.mcpServers),
                Bound(session.system), .utf8(session.settings.encoded), .utf8(encode(tags: session.tags)),
                Bound(session.metadata),
                .int(time), .int(time), .int(nextActivity()),
            ], doing: "insert a session")
        let row = database.lastRow
        noteChange(of: row)
        try database.run(
            "INSERT INTO branch (session, created_at) VALUES (?, ?)", [.int(row), .int(time)],
            doing: "insert a branch")
        try database.run(
            "UPDATE session SET branch = ? WHERE id = ?", [.int(database.lastRow), .int(row)],
            doing: "set a branch")
        guard let made = try database.session(row: row) else {
            throw StoreError(.corrupt, "insert a session", reason: "the new row is not there")
        }
        return made
    }

    func encode(tags: [String]) -> [UInt8] {
        var writer = JSONWriter()
        writer.array { for tag in tags { $0.string(tag) } }
        return writer.bytes
    }

    /// The session of this ID that is not in the trash, or nil.
    func live(_ id: SessionID, owner: UInt32) throws(StoreError) -> SessionRecord? {
        guard let found = try database.session(id, owner: owner), found.session.trashedAt == nil else {
            return nil
        }
        return found
    }
}

/// Changes a session's own fields; messages stay as they are.
package struct UpdateSession: StoreWrite {
    package let id: SessionID
    package let owner: UInt32
    package let change: @Sendable (inout Session) -> Void

    package init(_ id: SessionID, owner: UInt32, _ change: @escaping @Sendable (inout Session) -> Void) {
        self.id = id
        self.owner = owner
        self.change = change
    }

    /// The session afterwards; nil when there is none, or it is in the trash.
    package func run(on writer: Writer) throws(StoreError) -> SessionRecord? {
        guard let found = try writer.live(id, owner: owner) else { return nil }
        var session = found.session
        change(&session)
        try writer.database.run(
            """
            UPDATE session SET title = ?, system = ?, settings = ?, tags = ?, metadata = ?, archived = ?, updated_at = ?,
                               activity = ? WHERE id = ?
            """,
            [
                Bound(session.title), Bound(session.system), .utf8(session.settings.encoded),
                .utf8(writer.encode(tags: session.tags)),
                Bound(session.metadata), .int(session.isArchived ? 1 : 0), .int(writer.now),
                .int(writer.nextActivity(of: found.row)), .int(found.row),
            ], doing: "update a session")
        return try writer.database.session(row: found.row)
    }
}

/// Moves a session to the trash; one that is not there is fine.
package struct TrashSession: StoreWrite {
    package let id: SessionID
    package let owner: UInt32
    package init(_ id: SessionID, owner: UInt32) {
        self.id = id
        self.owner = owner
    }

    /// Whether there was something to move.
    package func run(on writer: Writer) throws(StoreError) -> Bool {
        guard let found = try writer.live(id, owner: owner) else { return false }
        try writer.database.run(
            "UPDATE session SET trashed_at = ?, activity = ? WHERE id = ?",
            [.int(writer.now), .int(writer.nextActivity(of: found.row)), .int(found.row)],
            doing: "trash a session")
        return true
    }
}

/// Takes a session out of the trash.
package struct RestoreSession: StoreWrite {
    package let id: SessionID
    package let owner: UInt32
    package init(_ id: SessionID, owner: UInt32) {
        self.id = id
        self.owner = owner
    }

    /// The session afterwards; nil when there is none.
    ///
    /// One that was not in the trash stays as it is.
    package func run(on writer: Writer) throws(StoreError) -> SessionRecord? {
        guard let found = try writer.database.session(id, owner: owner) else { return nil }
        guard found.session.trashedAt != nil else { return found }
        try writer.database.run(
            "UPDATE session SET trashed_at = NULL, updated_at = ?, activity = ? WHERE id = ?",
            [.int(writer.now), .int(writer.nextActivity(of: found.row)), .int(found.row)],
            doing: "restore a session")
        return try writer.database.session(row: found.row)
    }
}
