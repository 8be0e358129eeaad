package import Conversation
internal import JSON

/// Stores a prompt with its turn and its request ID: begun at once, or put into the session's queue.
package struct AcceptPrompt: StoreWrite {
    package let session: Int64
    package var turn: TurnRecord
    /// The prompt's message; nil when the turn goes on from the head.
    package let prompt: NewMessage?
    package let title: String?
    /// Where the turn goes on from: behind this seq of the active path, on a branch of its own; nil means the head.
    package let base: Int?
    /// The newest message that the client knows of; nil for any.
    package let expectedHead: MessageID?
    /// The path that the window was made of, and its newest seq; nil where that is not made yet.
    package let seen: (branch: Int64, head: Int)?

    /// `turn.state` says whether the prompt begins (`running`) or waits (`queued`).
    package init(
        session: Int64, turn: TurnRecord, prompt: NewMessage?, title: String?, base: Int? = nil,
        expectedHead: MessageID? = nil, seen: (branch: Int64, head: Int)? = nil
    ) {
        self.seen = seen
        self.base = base
        self.expectedHead = expectedHead
        self.session = session
        self.turn = turn
        self.prompt = prompt
        self.title = title
    }

    package enum Output: Sendable, Equatable {
        /// Stored; `seq` is the prompt's message, nil for one in the queue or a turn without a prompt; `left` is the
        /// branch that was active before, when the turn began another one.
        case accepted(turnRow: Int64, seq: Int?, left: Int64?)
        /// The request ID was used before, with the same content.
        case known(StoredTurn)
        /// The request ID was used before, with other content.
        case conflict(StoredTurn)
        /// The session is gone or in the trash.
        case missing
        /// The newest message is another one than the client expected; nil when there is none.
        case stale(MessageID?)
        /// The path is not the one that the window was made of.
        case moved
    }

    package func run(on writer: Writer) throws(StoreError) -> Output {
        guard var place = try writer.place(ofRow: session), !place.isTrashed else { return .missing }
        var voided: Int64?
        if let requestID = turn.requestID,
            let known = try writer.database.turn(session: session, requestID: requestID)
        {
            guard known.turn.requestHash == turn.requestHash else { return .conflict(known) }
            // Failed with nothing to show: its request ID moves to the new turn.
            let isVoid = known.turn.state == .failed ? try writer.isWithdrawn(known) : false
            guard isVoid else { return .known(known) }
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
        var left: Int64?
        if let base, base < place.head {
            left = place.branch
            try writer.branchOff(&place, after: base)
            if prompt == nil { try writer.moveHead(to: place, title: nil) }
        }
        let row = try writer.insert(turn, session: session, prompt: prompt)
        // A session's first turn is what takes it out of the empty ones, so it moves in the lists.
        if place.head == 0 && (turn.state != .running || prompt == nil) {
            try writer.moveHead(to: place, title: nil)
        }
        guard turn.state == .running else { return .accepted(turnRow: row, seq: nil, left: left) }
        let seq = try writer.begin(row, prompt, title, &place)
        return .accepted(turnRow: row, seq: seq, left: left)
    }
}

extension Writer {
    /// The ID of the newest message of a path.
    fileprivate func headID(of place: Place) throws(StoreError) -> MessageID? {
        guard place.head > 0 else { return nil }
        let branch = try owner(of: place.head, on: place.branch)
        return try database.first(
            "SELECT id FROM message WHERE key = ?", [.int(MessageKey(branch: branch, seq: place.head).raw)],
            doing: "read a message"
        ) { MessageID(bytes: $0.bytes(0)) } ?? nil
    }

    /// Whether a failed turn left nothing that anybody saw.
    fileprivate func isWithdrawn(_ turn: StoredTurn) throws(StoreError) -> Bool {
        try database.first(
            "SELECT 1 FROM message WHERE id = ?", [.blob(turn.turn.answerID.bytes)], doing: "find an answer"
        ) { _ in true } == nil
    }

    fileprivate func insert(_ turn: TurnRecord, session: Int64, prompt: NewMessage?) throws(StoreError)
        -> Int64
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
        return database.lastRow
    }

    /// Makes the prompt a message at the head; nil when there is none to make.
    fileprivate func begin(_ turn: Int64, _ prompt: NewMessage?, _ title: String?, _ place: inout Place)
        throws(StoreError) -> Int?
    {
        guard let prompt else { return nil }
        try append(prompt, turn: turn, at: &place)
        try moveHead(to: place, title: place.hasTitle ? nil : title)
        return place.head
    }
}

/// Takes a turn out of the queue and begins it.
package struct BeginQueued: StoreWrite {
    package let turn: TurnID
    package let prompt: NewMessage?
    package let title: String?
    package let upstream: String
    package let model: String
    package let receipt: [UInt8]

    package init(
        _ turn: TurnID, prompt: NewMessage?, title: String?, upstream: String, model: String, receipt: [UInt8]
    ) {
        self.turn = turn
        self.prompt = prompt
        self.title = title
        self.upstream = upstream
        self.model = model
        self.receipt = receipt
    }

    package struct Begun: Sendable, Equatable {
        package let turnRow: Int64
        /// The prompt's message, nil for a turn without one.
        package let seq: Int?
    }

    /// nil when the turn is not in the queue any more.
    package func run(on writer: Writer) throws(StoreError) -> Begun? {
        guard let stored = try writer.database.turn(turn), stored.turn.state == .queued,
            var place = try writer.place(ofRow: stored.sessionRow), !place.isTrashed
        else { return nil }
        try writer.database.run(
            "UPDATE turn SET state = 1, prompt = NULL, upstream = ?, model = ?, receipt = ?, started_at = ? WHERE id = ?",
            [.text(upstream), .text(model), .utf8(receipt), .int(writer.now), .int(stored.row)],
            doing: "begin a turn")
        return Begun(turnRow: stored.row, seq: try writer.begin(stored.row, prompt, title, &place))
    }
}

/// Stores pieces of a running answer.
package struct StorePieces: StoreWrite {
    package let turnRow: Int64
    /// The number of the first of them, from 0 over the turn.
    package let first: Int
    package let pieces: [Piece]
    package let durability: Durability

    package init(turnRow: Int64, first: Int, _ pieces: [Piece], _ durability: Durability) {
        self.turnRow = turnRow
        self.first = first
        self.pieces = pieces
        self.durability = durability
    }

    package func run(on writer: Writer) throws(StoreError) {
        for (index, piece) in pieces.enumerated() {
            try writer.database.run(
                "INSERT INTO piece (turn, number, kind, bytes) VALUES (?, ?, ?, ?)",
                [.int(turnRow), Bound(first + index), Bound(piece.kind.rawValue), .blob(piece.bytes)],
                doing: "insert a piece")
        }
    }
}

/// Ends a turn: its answer becomes a message, its pieces go, its tries and its end are written.
package struct EndTurn: StoreWrite {
    package let turn: TurnID
    package let ending: Turn.Ending
    /// The answer's parts as raw JSON; nil when nothing came.
    package let content: [UInt8]?
    package let tokens: Int
    package let attempts: [Attempt]
    /// Raw JSON; nil leaves the stored one.
    package let receipt: [UInt8]?
    package let upstream: String?
    package let model: String?
    /// What it used, nil for a turn that asked nobody.
    package let used: TurnUsage?
    /// Further answers, which become branches.
    package let alternatives: [NewMessage]
    /// What was learned of the model's tokens; nil for nothing.
    package let learned: Learned?
    /// The branch to go back to when nothing came of the turn; nil goes back to before its prompt.
    package let restores: Int64?
    /// Under which key the answer is kept for repeated questions; nil keeps it nowhere.
    package let cacheKey: [UInt8]?

    package init(
        _ turn: TurnID, _ ending: Turn.Ending, content: [UInt8]?, tokens: Int, attempts: [Attempt] = [],
        receipt: [UInt8]? = nil, upstream: String? = nil, model: String? = nil, used: TurnUsage? = nil,
        alternatives: [NewMessage] = [], cacheKey: [UInt8]? = nil, restores: Int64? = nil,
        learned: Learned? = nil
    ) {
        self.learned = learned
        self.restores = restores
        self.used = used
        self.alternatives = alternatives
        self.cacheKey = cacheKey
        self.turn = turn
        self.ending = ending
        self.content = content
        self.tokens = tokens
        self.attempts = attempts
        self.receipt = receipt
        self.upstream = upstream
        self.model = model
    }

    /// The seq of the answer's message, nil when there is none.
    ///
    /// Throws `changedElsewhere` when the turn is closed already, or gone: what was told of it is then not what is kept.
    package func run(on writer: Writer) throws(StoreError) -> Int? {
        guard let stored = try writer.database.turn(turn), stored.turn.state.isOpen else {
            throw StoreError(
                .changedElsewhere, "end turn '\(turn)'",
                reason:
                    "it is not open in the database any more: another program changed or replaced the file; stop whatever else uses it and restart the daemon"
            )
        }
        return try writer.end(stored, self)
    }
}

extension Writer {
    fileprivate func end(_ stored: StoredTurn, _ end: EndTurn) throws(StoreError) -> Int? {
        let status = Message.Status(of: end.ending)
        var seq: Int?
        if var place = try place(ofRow: stored.sessionRow) {
            let before = place
            let isWithdrawn = try isWithdrawable(stored, end, from: place)
            if let content = end.content {
                // Of an answer that is withdrawn only thoughts have come; they stay behind the prompt, beside the path.
                let message = NewMessage(
                    id: stored.turn.answerID, role: .assistant, status: status, content: content,
                    tokens: end.tokens)
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
                used, of: stored, end.upstream ?? stored.turn.upstream ?? "",
                end.model ?? stored.turn.model ?? "")
        }
        if let learned = end.learned { try keep(learned) }
        if let key = end.cacheKey, let content = end.content {
            try keep(content, under: key, end.ending)
        }
        for attempt in end.attempts { try insert(attempt, turn: stored.row) }
        try database.run("DELETE FROM piece WHERE turn = ?", [.int(stored.row)], doing: "drop pieces")
        let error = end.ending.error.map { error in
            JSONWriter.object {
                $0.member("kind", error.kind)
                $0.member("message", error.message)
                $0.optional("retryAfterMs", error.retryAfter)
            }
        }
        var usage: [UInt8]?
        if let counted = end.ending.usage {
            var writer = JSONWriter()
            counted.write(to: &writer)
            usage = writer.bytes
        }
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
    fileprivate func setAside(_ message: NewMessage, turn: Int64, at place: Place) throws(StoreError) {
        var beside = place
        try branchOff(&beside, after: place.head)
        try append(message, turn: turn, at: &beside)
    }

    /// Whether the path is to go back to before the turn: it began, and brought a prompt or a branch of its own.
    private func isWithdrawable(_ stored: StoredTurn, _ end: EndTurn, from place: Place) throws(StoreError)
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
    private func goBack(to branch: Int64, _ place: inout Place) throws(StoreError) {
        guard let (parent, fork) = try database.parent(of: branch) else { return }
        let tip = try database.tip(of: branch, parent: parent, fork: fork)
        (place.branch, place.head, place.tokens) = (branch, tip.seq, tip.total)
        try moveHead(to: place, title: nil)
    }

    private func insert(_ attempt: Attempt, turn: Int64) throws(StoreError) {
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

/// Puts a partial answer beside the path, as failed, so that the turn can answer anew under another message ID.
package struct SetAside: StoreWrite {
    package let turn: TurnID
    package let content: [UInt8]
    package let tokens: Int
    /// The message ID of the answer that is to come.
    package let next: MessageID

    package init(_ turn: TurnID, content: [UInt8], tokens: Int, next: MessageID) {
        self.turn = turn
        self.content = content
        self.tokens = tokens
        self.next = next
    }

    package func run(on writer: Writer) throws(StoreError) {
        guard let stored = try writer.database.turn(turn), stored.turn.state == .running,
            let place = try writer.place(ofRow: stored.sessionRow)
        else { return }
        let partial = NewMessage(
            id: stored.turn.answerID, role: .assistant, status: .failed, content: content, tokens: tokens)
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

/// Closes every turn that a daemon left running: its pieces become an answer marked `interrupted`.
package struct RecoverTurns: StoreWrite {
    /// Estimates the tokens of an answer's parts.
    package let estimate: @Sendable ([Part]) -> Int
    /// Turns that run now.
    package let sparing: Set<TurnID>
    package init(sparing: Set<TurnID> = [], estimate: @escaping @Sendable ([Part]) -> Int) {
        self.sparing = sparing
        self.estimate = estimate
    }

    /// How many turns were closed.
    package func run(on writer: Writer) throws(StoreError) -> Int {
        var running: [StoredTurn] = []
        try writer.database.rows(
            .turns("INDEXED BY turn_open WHERE state < 2 AND state = 1 ORDER BY id"),
            doing: "find running turns"
        ) { row in
            // One that cannot be read stays as it is, and shows itself where its session is asked for.
            if let stored = try? StoredTurn(row), !sparing.contains(stored.turn.id) { running.append(stored) }
            return true
        }
        for stored in running {
            var answer = Answer(issuer: stored.turn.upstream)
            try writer.database.rows(
                "SELECT kind, bytes FROM piece WHERE turn = ? ORDER BY number", [.int(stored.row)],
                doing: "read pieces"
            ) { row in
                answer.append(Piece(Piece.Kind(rawValue: Int(row.int(0))) ?? .text, row.bytes(1)))
                return true
            }
            let error = TurnError(
                kind: "interrupted", message: "the daemon ended before the answer was whole")
            let ending = Turn.Ending(state: .interrupted, error: error, isPromptWithdrawn: false)
            let content = answer.isEmpty ? nil : answer.content
            let end = EndTurn(
                stored.turn.id, ending, content: content,
                tokens: content.map { estimate(Part.decode($0)) } ?? 0)
            do { _ = try writer.end(stored, end) } catch {
                // A session that is damaged keeps the others from nothing.
                guard error.code == .corrupt else { throw error }
            }
        }
        return running.count
    }
}
