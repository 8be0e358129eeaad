package import Archive
internal import Conversation
internal import JSON

extension AcceptPrompt: LocalWrite {
    package func run(on writer: Writer) throws(ArchiveError) -> Output {
        guard var place = try writer.place(ofRow: session), !place.isTrashed else { return .missing }
        var voided: TurnRow?
        if let requestID = turn.requestID,
            let known = try writer.database.turn(session: session, requestID: requestID)
        {
            guard known.turn.requestHash == turn.requestHash else { return .conflict(known) }
            // Failed with nothing to show: its request ID moves to the new turn.
            let isVoid = known.turn.state == .failed ? try writer.isWithdrawn(known) : false
            guard isVoid else {
                return .known(known, hasMessage: try writer.isOnPath(known.turn.answerID, of: session))
            }
            voided = known.row
        }
        if let expectedHead {
            let head = try writer.headID(of: place)
            guard head == expectedHead else { return .stale(head) }
        }
        if let seen {
            // A turn that goes on from further back uses nothing of what came behind that.
            let isThere = seen.branch == place.branch && (base != nil || seen.head == place.head)
            guard isThere else { return .moved }
        }
        if let voided {
            try writer.database.run(
                "UPDATE turn SET request_id = NULL WHERE id = ?", [.int(voided)], doing: "free a request ID")
        }
        var leftBranch: BranchRow?
        if let base, base < place.head {
            leftBranch = place.branch
            try writer.branchOff(&place, after: base)
            if prompt == nil { try writer.moveHead(to: place, title: nil) }
        }
        let row = try writer.insert(turn, session: session, prompt: prompt)
        // A session's first turn is what takes it out of the empty ones, so it moves in the lists.
        if place.head == 0 && (turn.state != .running || prompt == nil) {
            try writer.moveHead(to: place, title: nil)
        }
        if turn.state == .running { try writer.begin(row, prompt, title, &place) }
        if let anchor { try writer.keep(anchor, of: place.branch) }
        return .accepted(turnRow: row, place: place.path, leftBranch: leftBranch)
    }
}

extension Writer {
    /// Whether a message is on a session's active path.
    fileprivate func isOnPath(_ id: MessageID, of row: SessionRow) throws(ArchiveError) -> Bool {
        guard let record = try database.session(row: row) else { return false }
        return try seq(of: id, in: record) != nil
    }

    /// The ID of the newest message of a path.
    func headID(of place: Place) throws(ArchiveError) -> MessageID? {
        guard place.head > 0 else { return nil }
        let branch = try owner(of: place.head, on: place.branch)
        return try database.first(
            "SELECT id FROM message WHERE key = ?", [.int(MessageKey(branch: branch, seq: place.head).raw)],
            doing: "read a message"
        ) { MessageID(bytes: $0.bytes(0)) } ?? nil
    }

    /// Whether a failed turn left nothing that anybody saw.
    fileprivate func isWithdrawn(_ turn: StoredTurn) throws(ArchiveError) -> Bool {
        try database.first(
            "SELECT 1 FROM message WHERE id = ?", [.blob(turn.turn.answerID.bytes)], doing: "find an answer"
        ) { _ in true } == nil
    }

    fileprivate func insert(_ turn: TurnRecord, session: SessionRow, prompt: NewMessage?) throws(ArchiveError)
        -> TurnRow
    {
        try database.run(
            """
            INSERT INTO turn (uuid, session, state, prompt, prompt_id, answer_id, request_id, request_hash, options, upstream, model,
                              receipt, created_at, started_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                .blob(turn.id.bytes), .int(session), Bound(turn.state.rawValue),
                turn.state == .queued ? Bound(prompt?.content) : .null,
                turn.promptID.map { .blob($0.bytes) } ?? .null,
                .blob(turn.answerID.bytes), Bound(turn.requestID),
                turn.requestHash.map { .blob($0) } ?? .null,
                .utf8(turn.options.encoded), Bound(turn.upstream), Bound(turn.model), Bound(turn.receipt),
                .int(turn.createdAt),
                turn.state == .running ? .int(now) : .null,
            ], doing: "insert a turn")
        return TurnRow(database.lastRow)
    }

    /// Makes the prompt a message at the head, where there is one.
    fileprivate func begin(_ turn: TurnRow, _ prompt: NewMessage?, _ title: String?, _ place: inout Place)
        throws(ArchiveError)
    {
        guard let prompt else { return }
        try append(prompt, turn: turn, at: &place)
        try moveHead(to: place, title: place.hasTitle ? nil : title)
    }
}

extension BeginQueued: LocalWrite {
    package func run(on writer: Writer) throws(ArchiveError) -> Output {
        guard let stored = try writer.database.turn(turn), stored.turn.state == .queued,
            var place = try writer.place(ofRow: stored.sessionRow), !place.isTrashed
        else { return .gone }
        guard (place.branch, place.head) == seen else { return .moved }
        try writer.database.run(
            "UPDATE turn SET state = 1, prompt = NULL, upstream = ?, model = ?, receipt = ?, started_at = ? WHERE id = ?",
            [.text(upstream), .text(model), .utf8(receipt), .int(writer.now), .int(stored.row)],
            doing: "begin a turn")
        try writer.begin(stored.row, prompt, title, &place)
        if let anchor { try writer.keep(anchor, of: place.branch) }
        return .begun(Begun(turnRow: stored.row, place: place.path))
    }
}

extension StorePieces: LocalWrite {
    package var isOneStatement: Bool { pieces.count <= 1 }

    package func run(on writer: Writer) throws(ArchiveError) {
        for (index, piece) in pieces.enumerated() {
            try writer.database.run(
                "INSERT INTO piece (turn, number, kind, bytes) VALUES (?, ?, ?, ?)",
                [.int(turnRow), Bound(first + index), Bound(piece.kind.rawValue), .blob(piece.bytes)],
                doing: "insert a piece")
        }
    }
}

extension EndTurn: LocalWrite {
    package func run(on writer: Writer) throws(ArchiveError) -> Output {
        guard let stored = try writer.database.turn(turn), stored.turn.state.isOpen else {
            throw ArchiveError(
                .changedElsewhere, "end turn '\(turn)'",
                reason:
                    "it is not open in the database any more: another program changed or replaced the file; stop whatever else uses it and restart the daemon"
            )
        }
        return try writer.end(stored, self)
    }
}

extension Writer {
    fileprivate func end(_ stored: StoredTurn, _ end: EndTurn) throws(ArchiveError) -> Int? {
        let status = Message.Status(of: end.ending)
        var seq: Int?
        if var place = try place(ofRow: stored.sessionRow) {
            let before = place
            let isWithdrawn = try isWithdrawable(stored, end, from: place)
            if let content = end.content {
                // Of an answer that is withdrawn only thoughts have come; they stay behind the prompt, beside the path.
                var message = NewMessage(
                    id: stored.turn.answerID, role: .assistant, status: status, content: content,
                    size: end.size)
                message.binding = end.binding
                try append(message, turn: stored.row, at: &place)
                if !isWithdrawn { seq = place.head }
                for other in end.alternatives { try setAside(other, turn: stored.row, at: before) }
            }
            if isWithdrawn {
                place = before
                if let branch = end.restores {
                    try goBack(to: branch, &place)
                } else {
                    // So that retries do not pile up.
                    try branchOff(&place, after: place.head - 1)
                    try moveHead(to: place, title: nil)
                }
            } else if seq != nil {
                try moveHead(to: place, title: nil)
                if let anchor = end.anchor { try keep(anchor, of: place.branch) }
            }
        }
        if status == .refused || status == .failed {
            try database.run(
                "UPDATE message SET status = ? WHERE turn = ? AND role = 1",
                [Bound(status.rawValue), .int(stored.row)],
                doing: "mark a prompt")
        }
        if let used = end.used {
            try add(
                used, of: stored.sessionRow, turns: 1, end.upstream ?? stored.turn.upstream ?? "",
                end.model ?? stored.turn.model ?? "")
        }
        for one in end.spent { try add(one.used, of: stored.sessionRow, turns: 0, one.upstream, one.model) }
        if let learned = end.learned { try keep(learned) }
        if let key = end.cacheKey, let content = end.content {
            try keep(content, under: key, end.ending)
        }
        for attempt in end.attempts { try insert(attempt, turn: stored.row) }
        try database.run("DELETE FROM piece WHERE turn = ?", [.int(stored.row)], doing: "drop pieces")
        if stored.turn.options.system != nil {
            // A client's own system prompt may be long, and comes with every turn of it.
            var options = stored.turn.options
            options.system = nil
            try database.run(
                "UPDATE turn SET options = ? WHERE id = ?", [.utf8(options.encoded), .int(stored.row)],
                doing: "drop a system prompt")
        }
        let error = end.ending.error.map { $0.encoded }
        let usage = end.ending.usage.map { $0.encoded }
        try database.run(
            """
            UPDATE turn SET state = ?, stop_reason = ?, finish = ?, detail = ?, cached = ?, error = ?,
                   usage = ?, ended_at = ?,
                   receipt = coalesce(?, receipt), upstream = coalesce(?, upstream), model = coalesce(?, model) WHERE id = ?
            """,
            [
                Bound(end.ending.state.rawValue), Bound(end.ending.stopReason?.rawValue),
                Bound(end.ending.finish), Bound(end.ending.detail), .int(end.ending.isCached ? 1 : 0),
                Bound(error),
                Bound(usage), .int(now), Bound(end.receipt), Bound(end.upstream), Bound(end.model),
                .int(stored.row),
            ], doing: "end a turn")
        return seq
    }

    /// Puts an answer beside the path, on a branch of its own that begins where the answer would stand.
    fileprivate func setAside(_ message: NewMessage, turn: TurnRow, at place: Place) throws(ArchiveError) {
        var beside = place
        try branchOff(&beside, after: place.head)
        try append(message, turn: turn, at: &beside)
    }

    /// Whether the path is to go back to before the turn: it began, and brought a prompt or a branch of its own.
    private func isWithdrawable(_ stored: StoredTurn, _ end: EndTurn, from place: Place) throws(ArchiveError)
        -> Bool
    {
        guard end.ending.isPromptWithdrawn, stored.turn.state == .running else { return false }
        if end.restores != nil { return true }
        guard let prompt = stored.turn.promptID else { return false }
        let key = try database.first(
            "SELECT key FROM message WHERE id = ?", [.blob(prompt.bytes)], doing: "find a prompt"
        ) { $0.int(0) }
        return key == MessageKey(branch: place.branch, seq: place.head).raw
    }

    /// Makes the branch active again that a retry or an edit left; the new one stays beside it.
    private func goBack(to branch: BranchRow, _ place: inout Place) throws(ArchiveError) {
        guard try database.isThere(branch, in: place.row),
            let (parent, fork) = try database.parent(of: branch)
        else { return }
        let tip = try database.tip(of: branch, parent: parent, fork: fork)
        (place.branch, place.head, place.tokens) = (branch, tip.seq, tip.total)
        try moveHead(to: place, title: nil)
    }

    private func insert(_ attempt: Attempt, turn: TurnRow) throws(ArchiveError) {
        try database.run(
            """
            INSERT OR REPLACE INTO attempt (turn, number, upstream, model, started_at, first_at, ended_at, outcome, status, detail)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                .int(turn), Bound(attempt.number), .text(attempt.upstream), .text(attempt.model),
                .int(attempt.startedAt),
                Bound(attempt.firstAt), .int(attempt.endedAt), .text(attempt.outcome),
                Bound(attempt.status.map(Int64.init)),
                Bound(attempt.detail),
            ], doing: "insert an attempt")
    }
}

extension SetAside: LocalWrite {
    package func run(on writer: Writer) throws(ArchiveError) {
        guard let stored = try writer.database.turn(turn), stored.turn.state == .running,
            let place = try writer.place(ofRow: stored.sessionRow)
        else { return }
        let partial = NewMessage(
            id: stored.turn.answerID, role: .assistant, status: .failed, content: content, size: size)
        try writer.setAside(partial, turn: stored.row, at: place)
        try writer.database.run(
            "DELETE FROM piece WHERE turn = ?", [.int(stored.row)], doing: "drop pieces")
        try writer.database.run(
            "UPDATE turn SET answer_id = ? WHERE id = ?", [.blob(next.bytes), .int(stored.row)],
            doing: "give a turn another answer")
    }
}

extension Message.Status {
    /// How an answer is marked by the end of its turn.
    fileprivate init(of ending: Turn.Ending) {
        switch ending.state {
        case .complete: self = ending.stopReason == .refusal ? .refused : .complete
        case .cancelled: self = .cancelled
        case .interrupted: self = .interrupted
        default: self = .failed
        }
    }
}

extension TurnError {
    /// A raw JSON object, as it is stored.
    var encoded: [UInt8] {
        JSONWriter.object {
            $0.member("kind", kind)
            $0.member("message", message)
            $0.optional("retryAfterMs", retryAfter)
        }
    }
}

extension Usage {
    /// A raw JSON object, as it is stored.
    var encoded: [UInt8] {
        var writer = JSONWriter()
        write(to: &writer)
        return writer.bytes
    }
}
