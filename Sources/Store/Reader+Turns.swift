internal import Archive
internal import Conversation

extension Reader {
    func turn(_ id: TurnID) throws(ArchiveError) -> StoredTurn? { try database.turn(id) }

    /// The turn that a request ID began on a session.
    func turn(requestID: String, in session: SessionRow) throws(ArchiveError) -> StoredTurn? {
        try database.turn(session: session, requestID: requestID)
    }

    /// Whose session a turn belongs to; nil when there is no such turn.
    ///
    /// Costs the same whatever the turn holds.
    func owner(ofTurn id: TurnID) throws(ArchiveError) -> UserID? {
        try database.first(
            "SELECT s.owner FROM turn t JOIN session s ON s.id = t.session WHERE t.uuid = ?",
            [.blob(id.bytes)], doing: "find a turn"
        ) { UserID(UInt32(truncatingIfNeeded: $0.int(0))) }
    }

    /// A session's turns, newest first, at most `limit` and about `bytes` bytes, and at least one; whether there are more.
    ///
    /// `before` is the row of the last one of the page before.
    func turns(
        _ session: SessionRow, openOnly: Bool, before: TurnRow?, limit: Int, bytes: Int = .max
    ) throws(ArchiveError) -> (found: [StoredTurn], hasMore: Bool) {
        var found: [StoredTurn] = [], room = bytes, hasMore = false
        let sql: SQL =
            openOnly
            ? .turns(
                "INDEXED BY turn_open WHERE session = ? AND state < 2 AND id < ? ORDER BY id DESC LIMIT ?")
            : .turns("WHERE session = ? AND id < ? ORDER BY id DESC LIMIT ?")
        let values = [.int(session), .int(before?.number ?? Int64.max), Bound(limit + 1)]
        try database.rows(sql, values, doing: "list turns") { (row) throws(ArchiveError) in
            hasMore = found.count == limit || room <= 0
            if hasMore { return false }
            let stored = try StoredTurn(row)
            room -=
                500 + (stored.turn.queuedPrompt?.count ?? 0) + (stored.turn.receipt?.count ?? 0)
                + (stored.turn.options.params?.count ?? 0) + (stored.turn.options.system?.utf8.count ?? 0)
            found.append(stored)
            return true
        }
        return (found, hasMore)
    }

    /// The turn of a session that ended last, without its prompt; nil when none has.
    ///
    /// Looks back from the newest one as far as to one that ended before the last one began: one that waited may have been
    /// cancelled before an older one ended.
    func lastEnded(_ session: SessionRecord) throws(ArchiveError) -> StoredTurn? {
        var last: (id: Int64, started: Int64?, ended: Int64)?
        try database.rows(
            "SELECT id, started_at, ended_at FROM turn WHERE session = ? AND state >= 2 ORDER BY id DESC LIMIT 300",
            [.int(session.row)], doing: "find the turn that ended last"
        ) { row in
            let ended = row.optionalInt(2) ?? 0
            if let known = last {
                if let began = known.started, ended <= began { return false }
                if ended <= known.ended { return true }
            }
            last = (row.int(0), row.optionalInt(1), ended)
            return true
        }
        guard let last else { return nil }
        return try database.first(
            .openTurns("WHERE id = ?"), [.int(last.id)], doing: "read the turn that ended last",
            StoredTurn.init)
    }

    /// What a session's newest turn was to say, as raw JSON parts, when it ended and nothing of it is on the path.
    ///
    /// It was cancelled, or failed, before anybody saw an answer; nil when it was not, or had no prompt of its own.
    func unansweredPrompt(_ session: SessionRecord) throws(ArchiveError) -> [UInt8]? {
        let newest = try turns(session.row, openOnly: false, before: nil, limit: 1).found.first?.turn
        guard let turn = newest, turn.state == .failed || turn.state == .cancelled, let id = turn.promptID
        else { return nil }
        if let prompt = turn.queuedPrompt { return prompt }
        // What a turn that was read in names may be another session's.
        func isOwn(_ id: MessageID) throws(ArchiveError) -> Bool {
            try database.place(of: id, inSession: session.row) != nil
        }
        guard try seq(of: id, in: session) == nil, try isOwn(id) else { return nil }
        // One that was answered has left the path for another reason, as when another branch is active.
        if try isOwn(turn.answerID), let answer = try content(of: turn.answerID),
            Part.decode(answer).contains(where: { !$0.visibleText.isEmpty })
        {
            return nil
        }
        return try content(of: id)
    }

    /// A message's parts as raw JSON, on whatever branch it is; nil when there is none.
    private func content(of id: MessageID) throws(ArchiveError) -> [UInt8]? {
        try database.first(
            "SELECT key, content FROM message WHERE id = ?", [.blob(id.bytes)], doing: "read a message"
        ) { (row) throws(ArchiveError) in try row.json(1, "content", of: .message) }
    }

    /// The tries of a turn, in order.
    func attempts(_ turn: TurnRow) throws(ArchiveError) -> [Attempt] {
        try attempts(
            """
            SELECT turn, number, upstream, model, started_at, first_at, ended_at, outcome, status, detail
              FROM attempt WHERE turn = ? ORDER BY number
            """, .int(turn), of: .attempt)
    }

    /// The tries that a statement finds, which reads the columns of one behind its owner.
    func attempts(_ sql: SQL, _ owner: Bound, of place: Row.Place) throws(ArchiveError) -> [Attempt] {
        var found: [Attempt] = []
        try database.rows(sql, [owner], doing: "list attempts") { (row) throws(ArchiveError) in
            found.append(try attempt(row, of: place))
            return true
        }
        return found
    }

    /// A try out of a row that has its columns behind its owner.
    func attempt(_ row: borrowing Row, of place: Row.Place) throws(ArchiveError) -> Attempt {
        Attempt(
            number: try row.number(1, "number", in: 0...Int(Int32.max), of: place),
            upstream: row.text(2), model: row.text(3),
            startedAt: try row.time(4, "started_at", of: place),
            firstAt: try row.optionalTime(5, "first_at", of: place),
            endedAt: try row.time(6, "ended_at", of: place), outcome: row.text(7),
            status: row.optionalInt(8).map { Int($0) },
            detail: row.optionalText(9))
    }

    /// Bytes of a page of open turns, about.
    private static let openBytes = 1 << 20

    /// Turns that wait or run, those of a session together, oldest first, without their prompts, a page behind a row; what is wrong
    /// with those that cannot be read, a sentence each; and where the next page goes on, nil at the end.
    func openTurns(_ state: TurnRecord.State, after: OpenTurns.Place?, limit: Int) throws(ArchiveError) -> (
        turns: [StoredTurn], damaged: [String], next: OpenTurns.Place?
    ) {
        var found: [StoredTurn] = [], damaged: [String] = [], last: OpenTurns.Place?, count = 0, bytes = 0
        // In the order of their index: another would sort all that is left, with what was asked, for each page.
        try database.rows(
            .openTurns(
                "INDEXED BY turn_open WHERE state < 2 AND state = ? AND (session, id) > (?, ?) ORDER BY session, id LIMIT ?"
            ),
            [
                Bound(state.rawValue), .int(after?.session.number ?? 0), .int(after?.turn.number ?? 0),
                Bound(limit),
            ], doing: "find open turns"
        ) { row in
            count += 1
            last = OpenTurns.Place(SessionRow(row.int(2)), TurnRow(row.int(0)))
            do throws(ArchiveError) {
                let stored = try StoredTurn(row)
                found.append(stored)
                bytes += stored.turn.options.params?.count ?? 0
                bytes += stored.turn.options.system?.utf8.count ?? 0
            } catch { damaged.append(error.description) }
            return bytes < Reader.openBytes
        }
        return (found, damaged, count == limit || bytes >= Reader.openBytes ? last : nil)
    }

    /// The pieces that are stored of a running answer.
    func answer(of turn: TurnRow, issuer: String?) throws(ArchiveError) -> Answer {
        var answer = Answer(issuer: issuer)
        try database.rows(
            "SELECT kind, bytes FROM piece WHERE turn = ? ORDER BY number", [.int(turn)],
            doing: "read pieces"
        ) { row in
            answer.append(Piece(Piece.Kind(rawValue: Int(row.int(0))) ?? .text, row.bytes(1)))
            return true
        }
        return answer
    }
}

extension Database {
    func turn(_ id: TurnID) throws(ArchiveError) -> StoredTurn? {
        try first(
            .turns("WHERE uuid = ?"), [.blob(id.bytes)], doing: "find a turn", StoredTurn.init)
    }

    func turn(session: SessionRow, requestID: String) throws(ArchiveError) -> StoredTurn? {
        try first(
            .turns("WHERE session = ? AND request_id = ?"), [.int(session), .text(requestID)],
            doing: "find a turn by its request", StoredTurn.init)
    }
}
