package import Archive
internal import Conversation

extension ImportRecords: LocalWrite {
    package func run(on writer: Writer) throws(ArchiveError) -> Output {
        let isOpen = try writer.database.integer(
            "SELECT count(*) FROM import WHERE session = ?", [.int(state.row)], doing: "find an import")
        guard isOpen == 1 else {
            throw ArchiveError(.refused, "1", reason: "its session was given up; begin again")
        }
        var run = ImportWriting(writer, state)
        for (index, item) in items.enumerated() {
            let problem: String?
            switch item {
            case .message(let message, let parent, true, let turn):
                problem = try run.addToPath(message, behind: parent, turn)
            case .message(let message, let parent, false, let turn):
                problem = try run.addBeside(message, behind: parent, turn)
            case .turn(let turn): problem = try run.add(turn)
            case .summary(let summary, let end): problem = try run.add(summary, end)
            }
            if let problem {
                // What of these records is written goes with this change.
                throw ArchiveError(.refused, "\(index + 1)", reason: problem)
            }
        }
        return run.state
    }
}

/// Writes the records of one session that is read in.
struct ImportWriting {
    private let writer: Writer
    private(set) var state: ImportState

    init(_ writer: Writer, _ state: ImportState) {
        self.writer = writer
        self.state = state
    }

    private var database: Database { writer.database }

    // MARK: Messages

    mutating func addToPath(_ message: NewMessage, behind parent: MessageID?, _ turn: TurnID?)
        throws(ArchiveError) -> String?
    {
        state.counts.messages += 1
        guard parent == state.last else { return "'parentId' is not the message before it on the path" }
        state.last = message.id
        if state.isSharing, let found = try shared(message) {
            state.shared = (MessageKey.branch(found), MessageKey.seq(found))
            state.sharesDeleted =
                try database.integer(
                    "SELECT deleted_at IS NOT NULL FROM message WHERE key = ?", [.int(found)],
                    doing: "look whether a message is deleted") != 0
            state.path = PathPlace(
                branch: state.path.branch, head: MessageKey.seq(found),
                tokens: try database.total(
                    at: MessageKey(branch: MessageKey.branch(found), seq: MessageKey.seq(found))))
            state.counts.shared += 1
            if let mark = message.mark { try writer.mark(found, as: mark, by: state.row) }
            return nil
        }
        try endSharing()
        state.path = try append(message, turn, to: state.path)
        return nil
    }

    /// The path goes on by itself behind what it shares with another session.
    mutating func endSharing() throws(ArchiveError) {
        guard state.isSharing else { return }
        state.isSharing = false
        guard let shared = state.shared else { return }
        let key = MessageKey(branch: shared.branch, seq: shared.seq).raw
        let isThere = try database.integer(
            """
            SELECT count(*) FROM message m JOIN branch b ON b.id = m.key >> 32
             WHERE m.key = ? AND (m.deleted_at IS NOT NULL) = ? AND b.deleted_at IS NULL
            """, [.int(key), .int(state.sharesDeleted ? 1 : 0)], doing: "find a message that is shared")
        guard isThere == 1 else {
            throw ArchiveError(
                .refused, "at the end of what it shares",
                reason:
                    "another session's messages that it shares were purged or deleted meanwhile; begin again")
        }
        try database.run(
            "UPDATE branch SET parent = ?, fork_seq = ? WHERE id = ?",
            [.int(shared.branch), Bound(shared.seq), .int(state.path.branch)],
            doing: "let a path go on from another session's")
    }

    /// The same message at the same place of another session of this user; nil where there is none.
    private func shared(_ message: NewMessage) throws(ArchiveError) -> Int64? {
        guard let found = try stored(message), MessageKey.seq(found) == state.path.head + 1 else {
            return nil
        }
        guard let before = state.shared else { return state.path.head == 0 ? found : nil }
        return try writer.owner(of: before.seq, on: MessageKey.branch(found)) == before.branch ? found : nil
    }

    /// The ID of the message before one; nil for the first.
    private func id(before key: Int64) throws(ArchiveError) -> MessageID? {
        let seq = MessageKey.seq(key) - 1
        if seq == 0 { return nil }
        let branch = try writer.owner(of: seq, on: MessageKey.branch(key))
        return try database.first(
            "SELECT id FROM message WHERE key = ?", [.int(MessageKey(branch: branch, seq: seq).raw)],
            doing: "read a message"
        ) { MessageID(bytes: $0.bytes(0)) } ?? nil
    }

    /// Where a session of this user, or what is being read in, has a message; nil where none has: what others have is nothing
    /// that a path may go on from.
    private func ownKey(of id: MessageID) throws(ArchiveError) -> Int64? {
        try database.first(
            """
            SELECT m.key FROM message m JOIN branch b ON b.id = m.key >> 32 JOIN session s ON s.id = b.session
             WHERE m.id = ?1 AND (s.owner = ?2 OR EXISTS (SELECT 1 FROM import i WHERE i.session = s.id AND i.owner = ?2))
            """, [.blob(id.bytes), .user(state.owner)], doing: "find a message of a user"
        ) { $0.int(0) }
    }

    /// Where another session of this user has the same message; nil where none has.
    private func stored(_ message: NewMessage) throws(ArchiveError) -> Int64? {
        let found = try database.first(
            """
            SELECT m.key, m.content FROM message m JOIN branch b ON b.id = m.key >> 32 JOIN session s ON s.id = b.session
             WHERE m.id = ?1 AND b.deleted_at IS NULL
               AND (s.owner = ?2 OR EXISTS (SELECT 1 FROM import i WHERE i.session = s.id AND i.owner = ?2))
            """, [.blob(message.id.bytes), .user(state.owner)], doing: "find a message that is there"
        ) { (key: $0.int(0), content: $0.bytes(1)) }
        guard let found, found.content == message.content else { return nil }
        return found.key
    }

    mutating func addBeside(_ message: NewMessage, behind parent: MessageID?, _ turn: TurnID?)
        throws(ArchiveError) -> String?
    {
        state.counts.messages += 1
        let parent = parent.map { state.ids[$0] ?? $0 }
        if let found = try stored(message), try id(before: found) == parent {
            state.counts.shared += 1
            if let mark = message.mark { try writer.mark(found, as: mark, by: state.row) }
            try shareBeside(found, message.id, behind: parent)
            return nil
        }
        var place: PathPlace
        if let side = state.side, side.last == parent {
            place = side.place
        } else {
            var fork = (branch: BranchRow?.none, seq: 0, total: 0)
            if let parent {
                guard let key = try ownKey(of: parent) else {
                    return "'parentId' is a message that did not come before it"
                }
                let branch = MessageKey.branch(key), seq = MessageKey.seq(key)
                fork = (branch, seq, try database.total(at: MessageKey(branch: branch, seq: seq)))
            }
            let new = writer.nextBranch()
            try database.run(
                "INSERT INTO branch (id, session, parent, fork_seq, created_at) VALUES (?, ?, ?, ?, ?)",
                [
                    .int(new), .int(state.row), Bound(fork.branch?.number), Bound(fork.seq),
                    .int(writer.now),
                ], doing: "insert a branch")
            place = PathPlace(branch: new, head: fork.seq, tokens: fork.total)
        }
        place = try append(message, turn, to: place)
        state.side = (place, state.ids[message.id] ?? message.id, false)
        return nil
    }

    /// A message beside the path that another session has is on a branch of this one too, which goes on from there: so it is
    /// where a session that was forked comes before the one that it was forked from.
    private mutating func shareBeside(_ found: Int64, _ id: MessageID, behind parent: MessageID?)
        throws(ArchiveError)
    {
        let branch = MessageKey.branch(found), seq = MessageKey.seq(found)
        let session = try database.integer(
            "SELECT session FROM branch WHERE id = ?", [.int(branch)], doing: "find a branch's session")
        if session == state.row.number { return }
        let total = try database.total(at: MessageKey(branch: branch, seq: seq))
        let mine: BranchRow
        if let side = state.side, side.isShared, side.last == parent {
            mine = side.place.branch
            try database.run(
                "UPDATE branch SET parent = ?, fork_seq = ? WHERE id = ?",
                [.int(branch), Bound(seq), .int(mine)], doing: "let a branch go on from another session's")
        } else {
            mine = writer.nextBranch()
            try database.run(
                "INSERT INTO branch (id, session, parent, fork_seq, created_at) VALUES (?, ?, ?, ?, ?)",
                [.int(mine), .int(state.row), .int(branch), Bound(seq), .int(writer.now)],
                doing: "insert a branch")
        }
        state.side = (PathPlace(branch: mine, head: seq, tokens: total), id, true)
    }

    /// Whether the path ends with a message.
    func endsWith(_ head: MessageID) throws(ArchiveError) -> Bool {
        guard let key = try writer.key(of: state.ids[head] ?? head), state.path.head > 0 else { return false }
        let end = try writer.owner(of: state.path.head, on: state.path.branch)
        return MessageKey.seq(key) == state.path.head && MessageKey.branch(key) == end
    }

    private mutating func append(_ message: NewMessage, _ turn: TurnID?, to place: PathPlace)
        throws(ArchiveError) -> PathPlace
    {
        var message = message
        if try writer.key(of: message.id) != nil {
            let old = message.id
            var copy = state.copies[old] ?? max(2, state.copy)
            repeat {
                message.id = old.copied(copy)
                copy += 1
            } while try writer.key(of: message.id) != nil
            state.ids[old] = message.id
            state.copies[old] = copy
            state.counts.renamed += 1
        }
        var end = Place(
            row: state.row, branch: place.branch, head: place.head, tokens: place.tokens, hasTitle: true,
            isTrashed: false)
        try writer.append(message, turn: nil, at: &end)
        if let turn {
            let key = MessageKey(branch: end.branch, seq: end.head).raw
            try database.run(
                "INSERT INTO import_link (message, turn) VALUES (?, ?)", [.int(key), .blob(turn.bytes)],
                doing: "note a message's turn")
        }
        return end.path
    }

    // MARK: Turns and summaries

    mutating func add(_ turn: TurnRecord) throws(ArchiveError) -> String? {
        state.counts.turns += 1
        // Those of this import, which no purge has handed over to it.
        let own = (state.nextTurn + 1)...(state.nextTurn + Int64(state.counts.turns))
        let free = try free(turn.id, "SELECT id FROM turn WHERE uuid = ?", doing: "find a turn") {
            own.contains($0)
        }
        guard let id = free else { return "'id' is that of a turn before it" }
        if let requestID = turn.requestID {
            let others = try database.integer(
                "SELECT count(*) FROM turn WHERE session = ? AND request_id = ?",
                [.int(state.row), .text(requestID)], doing: "find a request")
            if others > 0 { return "'requestId' is that of a turn before it" }
        }
        // What ran or waited there does not go on here.
        let status: TurnRecord.State = turn.state.isOpen ? .interrupted : turn.state
        try database.run(
            """
            INSERT INTO turn (id, uuid, session, state, prompt, prompt_id, answer_id, request_id, options, stop_reason, finish,
                              error, upstream, model, usage, receipt, created_at, started_at, ended_at, detail, cached)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                .int(state.nextTurn), .blob(id.bytes), .int(state.row), Bound(status.rawValue),
                Bound(turn.queuedPrompt), turn.promptID.map { .blob((state.ids[$0] ?? $0).bytes) } ?? .null,
                .blob((state.ids[turn.answerID] ?? turn.answerID).bytes), Bound(turn.requestID),
                .utf8(turn.options.encoded), Bound(turn.stopReason?.rawValue), Bound(turn.finish),
                Bound(turn.error.map { $0.encoded }), Bound(turn.upstream), Bound(turn.model),
                Bound(turn.usage.map { $0.encoded }), Bound(turn.receipt), .int(turn.createdAt),
                Bound(turn.startedAt),
                Bound(turn.endedAt ?? (turn.state.isOpen ? writer.now : nil)), Bound(turn.detail),
                .int(turn.isCached ? 1 : 0),
            ], doing: "insert a turn that is read in")
        // Messages that came before it, of this user alone: what others have read in is none of its.
        try database.run(
            """
            UPDATE message SET turn = ?3 WHERE key IN (
                SELECT l.message FROM import_link l INDEXED BY import_link_turn
                  JOIN branch b ON b.id = l.message >> 32 JOIN session s ON s.id = b.session
                 WHERE l.turn = ?1 AND (s.owner = ?2 OR EXISTS (SELECT 1 FROM import i WHERE i.session = s.id AND i.owner = ?2)))
            """, [.blob(turn.id.bytes), .user(state.owner), .int(state.nextTurn)],
            doing: "give messages their turn")
        try database.run(
            """
            DELETE FROM import_link WHERE message IN (
                SELECT l.message FROM import_link l INDEXED BY import_link_turn JOIN message m ON m.key = l.message
                 WHERE l.turn = ?1 AND m.turn = ?2)
            """, [.blob(turn.id.bytes), .int(state.nextTurn)], doing: "forget links")
        state.nextTurn -= 1
        return nil
    }

    /// An ID that nothing has, by a statement that gives a number of who has one: the one that came where it is free, or one
    /// that is the same each time; nil where a record before it had it.
    private func free<Kind>(
        _ id: ID<Kind>, _ taker: SQL, doing: String, isOwn: (Int64) -> Bool
    ) throws(ArchiveError) -> ID<Kind>? {
        var free = id, number = max(2, state.copy)
        while let holder = try database.first(taker, [.blob(free.bytes)], doing: doing, { $0.int(0) }) {
            if isOwn(holder) { return nil }
            let copy = MessageID(high: id.high, low: id.low).copied(number)
            free = ID(high: copy.high, low: copy.low)
            number += 1
        }
        return free
    }

    mutating func add(_ summary: Summary, _ end: MessageID) throws(ArchiveError) -> String? {
        state.counts.summaries += 1
        guard let key = try ownKey(of: state.ids[end] ?? end) else {
            return "'messageId' is a message that did not come before it"
        }
        let free = try free(
            summary.id, "SELECT session FROM summary WHERE uuid = ?", doing: "find a summary"
        ) { $0 == state.row.number }
        guard let id = free else { return "'id' is that of a summary before it" }
        try database.run(
            """
            INSERT INTO summary (uuid, session, message, first_seq, text, problem, requested, made_at, upstream, model,
                                 input_tokens, output_tokens, created_at, edited_at, cost)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                .blob(id.bytes), .int(state.row), .int(key),
                Bound(summary.first), Bound(summary.text), Bound(summary.problem),
                .int(summary.isRequested ? 1 : 0), Bound(summary.madeAt), Bound(summary.upstream),
                Bound(summary.model), Bound(summary.inputTokens.map { Int64($0) }),
                Bound(summary.outputTokens.map { Int64($0) }), .int(summary.createdAt),
                Bound(summary.editedAt), Bound(summary.cost.map { Int64($0) }),
            ], doing: "insert a summary that is read in")
        return nil
    }
}

extension Writer {
    /// Where a message is stored; nil for nowhere.
    fileprivate func key(of id: MessageID) throws(ArchiveError) -> Int64? {
        try database.first(
            "SELECT key FROM message WHERE id = ?", [.blob(id.bytes)], doing: "find a message"
        ) { $0.int(0) }
    }
}
