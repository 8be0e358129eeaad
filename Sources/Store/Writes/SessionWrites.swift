package import Archive
internal import Conversation
internal import JSON

extension CreateSession: LocalWrite {
    package func run(on writer: Writer) throws(ArchiveError) -> Output {
        if let found = try writer.database.session(session.id, owner: session.owner) {
            return found.session.trashedAt == nil ? .existed(found) : .trashed(found)
        }
        return .created(try writer.insert(session))
    }
}

extension Writer {
    /// Inserts a session with a branch of its own.
    func insert(_ session: Session) throws(ArchiveError) -> SessionRecord {
        let time = now
        try database.run(
            """
            INSERT INTO session (id, owner, name, title, cwd, mcp_servers, system, appended_system, settings, tags,
                                 metadata, branch, created_at, updated_at, activity)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)
            """,
            [
                .int(nextRow()), .user(session.owner), .text(session.id.text),
                Bound(session.title), .text(session.cwd),
                .utf8(session.mcpServers),
                Bound(session.system), Bound(session.appendedSystem), .utf8(session.settings.encoded),
                .utf8(encode(tags: session.tags)),
                Bound(session.metadata),
                .int(time), .int(time), .int(nextActivity()),
            ], doing: "insert a session")
        let row = SessionRow(database.lastRow)
        noteChange(of: row)
        let branch = nextBranch()
        try database.run(
            "INSERT INTO branch (id, session, created_at) VALUES (?, ?, ?)",
            [.int(branch), .int(row), .int(time)], doing: "insert a branch")
        try database.run(
            "UPDATE session SET branch = ? WHERE id = ?", [.int(branch), .int(row)], doing: "set a branch")
        guard let new = try database.session(row: row) else {
            throw ArchiveError(.corrupt, "insert a session", reason: "the new row is not there")
        }
        return new
    }

    func encode(tags: [String]) -> [UInt8] {
        var writer = JSONWriter()
        writer.array { for tag in tags { $0.string(tag) } }
        return writer.bytes
    }

    /// The session of this ID that is not in the trash, or nil.
    func live(_ id: SessionID, owner: UserID) throws(ArchiveError) -> SessionRecord? {
        guard let found = try database.session(id, owner: owner), found.session.trashedAt == nil else {
            return nil
        }
        return found
    }
}

extension UpdateSession: LocalWrite {
    package func run(on writer: Writer) throws(ArchiveError) -> Output {
        guard let found = try writer.live(id, owner: owner) else { return nil }
        var session = found.session
        change.apply(to: &session)
        if session == found.session { return found }
        try writer.database.run(
            """
            UPDATE session SET title = ?, system = ?, appended_system = ?, settings = ?, tags = ?, metadata = ?, archived = ?, updated_at = ?,
                               activity = ? WHERE id = ?
            """,
            [
                Bound(session.title), Bound(session.system), Bound(session.appendedSystem),
                .utf8(session.settings.encoded),
                .utf8(writer.encode(tags: session.tags)),
                Bound(session.metadata), .int(session.isArchived ? 1 : 0), .int(writer.now),
                .int(writer.nextActivity(of: found.row)), .int(found.row),
            ], doing: "update a session")
        return try writer.database.session(row: found.row)
    }
}

extension TrashSession: LocalWrite {
    package func run(on writer: Writer) throws(ArchiveError) -> Output {
        guard let found = try writer.live(id, owner: owner) else { return false }
        if let activity, found.session.activity != activity { return false }
        try writer.database.run(
            "UPDATE session SET trashed_at = ?, activity = ? WHERE id = ?",
            [.int(writer.now), .int(writer.nextActivity(of: found.row)), .int(found.row)],
            doing: "trash a session")
        return true
    }
}

extension RestoreSession: LocalWrite {
    package func run(on writer: Writer) throws(ArchiveError) -> Output {
        guard let found = try writer.database.session(id, owner: owner) else { return nil }
        guard found.session.trashedAt != nil else { return found }
        try writer.database.run(
            "UPDATE session SET trashed_at = NULL, updated_at = ?, activity = ? WHERE id = ?",
            [.int(writer.now), .int(writer.nextActivity(of: found.row)), .int(found.row)],
            doing: "restore a session")
        return try writer.database.session(row: found.row)
    }
}
