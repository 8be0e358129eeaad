package import Archive
internal import Conversation

extension SortSessions: LocalRead {
    package func run(on reader: Reader) throws(ArchiveError) -> Output {
        var found = FindSessions.Output(), output = Output(), looked = 0
        try reader.database.rows(
            .listedSessions("WHERE id > ? AND owner >= 0 ORDER BY id LIMIT ?"),
            [from.map(Bound.int) ?? .int(Int64.min), Bound(search.slice)], doing: "sort sessions"
        ) { row in
            looked += 1
            output.next = SessionRow(row.int(0))
            if case .user(let user) = search.owner, !row.isOwned(by: user) { return true }
            _ = found.take(row, where: takes)
            // What cannot come onto the page any more makes room for what may.
            if found.sessions.count >= 4 * limit { found.sessions = first(of: found.sessions) }
            return true
        }
        output.sessions = first(of: found.sessions)
        output.damaged = found.damaged
        if looked < search.slice { output.next = nil }
        return output
    }
}

extension Row {
    /// Whether a listed session is this user's.
    fileprivate func isOwned(by user: UserID) -> Bool { int(1) == Int64(user.number) }
}
