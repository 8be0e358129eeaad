package import Conversation

extension Reader {
    package func turn(_ id: TurnID) throws(StoreError) -> StoredTurn? { try database.turn(id) }

    /// The turn that a request ID began on a session.
    package func turn(requestID: String, in session: SessionRecord) throws(StoreError) -> StoredTurn? {
        try database.turn(session: session.row, requestID: requestID)
    }

    /// A session's turns, newest first; `before` is the row of the last one of the page before.
    package func turns(_ session: SessionRecord, openOnly: Bool, before: Int64?, limit: Int)
        throws(StoreError) -> [StoredTurn]
    {
        var found: [StoredTurn] = []
        try database.rows(
            .turns("WHERE session = ? AND id < ? AND (? = 0 OR state < 2) ORDER BY id DESC LIMIT ?"),
            [.int(session.row), .int(before ?? Int64.max), .int(openOnly ? 1 : 0), Bound(limit)],
            doing: "list turns"
        ) {
            found.append(StoredTurn($0)); return true
        }
        return found
    }

    /// The tries of a turn, in order.
    package func attempts(_ turn: StoredTurn) throws(StoreError) -> [Attempt] {
        var found: [Attempt] = []
        try database.rows(
            """
            SELECT number, upstream, model, started_at, first_at, ended_at, outcome, status, detail
              FROM attempt WHERE turn = ? ORDER BY number
            """, [.int(turn.row)], doing: "list attempts"
        ) { row in
            found.append(
                Attempt(
                    number: Int(row.int(0)), upstream: row.text(1), model: row.text(2), startedAt: row.int(3),
                    firstAt: row.optionalInt(4), endedAt: row.int(5), outcome: row.text(6),
                    status: row.optionalInt(7).map { Int($0) },
                    detail: row.optionalText(8)))
            return true
        }
        return found
    }

    /// Turns that wait or run, oldest first, of all sessions.
    package func openTurns() throws(StoreError) -> [StoredTurn] {
        var found: [StoredTurn] = []
        try database.rows(
            .turns("INDEXED BY turn_open WHERE state < 2 ORDER BY id"), doing: "find open turns"
        ) {
            found.append(StoredTurn($0)); return true
        }
        return found
    }
}

extension Database {
    func turn(_ id: TurnID) throws(StoreError) -> StoredTurn? {
        try first(
            .turns("WHERE uuid = ?"), [.blob(id.bytes)], doing: "find a turn", StoredTurn.init)
    }

    func turn(session: Int64, requestID: String) throws(StoreError) -> StoredTurn? {
        try first(
            .turns("WHERE session = ? AND request_id = ?"), [.int(session), .text(requestID)],
            doing: "find a turn by its request", StoredTurn.init)
    }
}
