package import Archive
internal import Conversation

extension BeginImport: LocalWrite {
    package func run(on writer: Writer) throws(ArchiveError) -> Output {
        var copy = 1
        var name = session.id
        while true {
            if let stored = try writer.database.session(name, owner: session.owner) {
                if try writer.isThere(head, copy: copy, in: stored) {
                    return .exists(
                        name, isTrashed: stored.session.trashedAt != nil,
                        isOlder: stored.session.updatedAt < session.updatedAt)
                }
            } else if !taken.contains(name) {
                break
            }
            copy += 1
            name = SessionID.copy(copy, of: session.id)
        }
        let nowhere = PathPlace(branch: BranchRow(0), head: 0, tokens: 0)
        if isDryRun {
            return .begun(
                ImportState(
                    row: SessionRow(0), owner: session.owner, name: name, head: head, copy: copy,
                    path: nowhere,
                    nextTurn: 0))
        }
        let hidden = Session(id: name, owner: session.owner, cwd: session.cwd, createdAt: session.createdAt)
        let new = try writer.insert(hidden.with(session))
        try writer.database.run(
            "UPDATE session SET owner = ?, name = '+' || id, created_at = ? WHERE id = ?",
            [.int(SessionRemoval.arriving), .int(session.createdAt), .int(new.row)],
            doing: "hide a session that is read in")
        try writer.database.run(
            "INSERT INTO import (session, owner, name) VALUES (?, ?, ?)",
            [.int(new.row), .user(session.owner), .text(name.text)], doing: "note an import")
        return .begun(
            ImportState(
                row: new.row, owner: session.owner, name: name, head: head, copy: copy,
                path: PathPlace(branch: new.branch, head: 0, tokens: 0), nextTurn: try writer.nextTurnBlock())
        )
    }
}

extension SessionID {
    /// What a further session of the same ID is called.
    fileprivate static func copy(_ number: Int, of id: SessionID) -> SessionID {
        let end = ".\(number)"
        return SessionID(String(id.text.prefix(128 - end.utf8.count)) + end) ?? id
    }
}

extension Session {
    /// With what another one has beside its ID, owner and times.
    fileprivate func with(_ other: Session) -> Session {
        var session = self
        session.title = other.title
        session.mcpServers = other.mcpServers
        session.system = other.system
        session.appendedSystem = other.appendedSystem
        session.settings = other.settings
        session.tags = other.tags
        session.metadata = other.metadata
        return session
    }
}

extension MessageID {
    /// The ID of a copy: the same for the same message and number, so that what was read in twice is known.
    func copied(_ number: Int) -> MessageID {
        var mixed = low ^ (high &* 0x9E37_79B9_7F4A_7C15) &+ UInt64(number)
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        mixed ^= mixed >> 31
        // The variant's bits stay (RFC 9562, section 4.1).
        return MessageID(high: high, low: mixed & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000)
    }
}

extension Writer {
    /// Whether a session is a copy of one with this newest message.
    fileprivate func isThere(_ head: MessageID?, copy: Int, in session: SessionRecord) throws(ArchiveError)
        -> Bool
    {
        guard let head else { return session.session.messageCount == 0 }
        for id in [head, head.copied(copy)] where try seq(of: id, in: session) != nil {
            return true
        }
        return false
    }
}

extension EndImport: LocalWrite {
    package func run(on writer: Writer) throws(ArchiveError) -> Output {
        let database = writer.database
        let isOpen = try database.integer(
            "SELECT count(*) FROM import WHERE session = ?", [.int(state.row)], doing: "find an import")
        guard isOpen == 1 else { return nil }
        var end = ImportWriting(writer, state)
        try end.endSharing()
        var name = state.name, copy = state.copy, newest = state.head
        if let head = state.head, try !end.endsWith(head) {
            guard takesCut else {
                throw ArchiveError(
                    .refused, "at the end",
                    reason:
                        "the session's newest message did not come, so the file was cut; get it again, whole")
            }
            // Only the whole was looked for so far; what is left of it may be there under any of its names.
            (name, copy, newest) = (session.id, 1, state.last)
        }
        while true {
            if let stored = try database.session(name, owner: state.owner) {
                // Somebody read in the same meanwhile, or what is left of it before.
                if try writer.isThere(newest, copy: copy, in: stored) {
                    try writer.abandon(state.row)
                    return stored
                }
            } else if !taken.contains(name) {
                break
            }
            copy += 1
            name = SessionID.copy(copy, of: session.id)
        }
        try database.run(
            """
            UPDATE session SET owner = ?, name = ?, branch = ?, head = ?, tokens = ?, updated_at = ?, activity = ?, archived = ?
             WHERE id = ?
            """,
            [
                .user(state.owner), .text(name.text), .int(state.path.branch), Bound(state.path.head),
                Bound(state.path.tokens), .int(session.updatedAt), .int(writer.nextActivity(of: state.row)),
                .int(session.isArchived ? 1 : 0), .int(state.row),
            ], doing: "show a session that was read in")
        try database.run(
            "DELETE FROM import WHERE session = ?", [.int(state.row)], doing: "end an import")
        return try database.session(row: state.row)
    }
}

extension AbandonImport: LocalWrite {
    package func run(on writer: Writer) throws(ArchiveError) { try writer.abandon(row) }
}

extension Writer {
    /// Gives up a session that was being read in.
    fileprivate func abandon(_ row: SessionRow) throws(ArchiveError) {
        let isOpen = try database.integer(
            "SELECT count(*) FROM import WHERE session = ?", [.int(row)], doing: "find an import")
        guard isOpen == 1 else { return }
        try database.run("DELETE FROM import WHERE session = ?", [.int(row)], doing: "give up an import")
        _ = try PurgeSession(row).run(on: self)
    }

    /// Gives up what a daemon that ended was reading in.
    func abandonImports() throws(ArchiveError) {
        var rows: [SessionRow] = []
        try database.rows("SELECT session FROM import ORDER BY session", doing: "find imports") { row in
            rows.append(SessionRow(row.int(0)))
            return true
        }
        for row in rows { try abandon(row) }
    }
}
