package import Archive
internal import Conversation

extension DeleteMessage: LocalWrite {
    /// Messages on either side in which what belongs to a tool call is looked for.
    private static let reach = 64
    /// Bytes of messages on one side that are looked at, about.
    private static let bytes = 32 << 20

    package func run(on writer: Writer) throws(ArchiveError) -> Output {
        let database = writer.database
        guard let record = try database.session(row: session), record.session.trashedAt == nil,
            let seq = try writer.seq(of: message, in: record)
        else { return .missing }
        var seqs = [seq]
        let reader = Reader(over: database)
        // The message itself is on the first of both whatever its size; what is near it as far as it fits.
        var near = try reader.messages(
            record, .from(seq), limit: DeleteMessage.reach + 1, bytes: DeleteMessage.bytes
        ).messages
        if seq > 1 {
            near += try reader.messages(
                record, .backFrom(seq - 1), limit: DeleteMessage.reach, bytes: DeleteMessage.bytes
            ).messages
        }
        near.sort { $0.seq < $1.seq }
        var calls = near.first { $0.seq == seq }?.toolIDs ?? []
        // A result takes its call along, and that its other results.
        while !calls.isEmpty {
            let together = near.filter { $0.seq == seq || !$0.toolIDs.isDisjoint(with: calls) }
            if together.count == seqs.count { break }
            seqs = together.map(\.seq)
            for message in together { calls.formUnion(message.toolIDs) }
        }
        var gone: [(key: Int64, id: MessageID, sessions: Set<SessionRow>)] = []
        for seq in seqs {
            let key = MessageKey(branch: try writer.owner(of: seq, on: record.branch), seq: seq).raw
            guard let id = near.first(where: { $0.seq == seq })?.id else { continue }
            gone.append((key, id, try writer.sessions(showing: key)))
        }
        let others = gone.reduce(into: Set<SessionRow>()) { $0.formUnion($1.sessions) }.subtracting([session])
        var isShared = false, isAnothers = false, names: [SessionID] = []
        for row in others.sorted() {
            guard let found = try database.session(row: row) else {
                // One that is being purged shows it to nobody, one that is being read in will.
                let owner = try database.first(
                    "SELECT owner FROM import WHERE session = ?", [.int(row)], doing: "find an import"
                ) { $0.int(0) }
                guard let owner else { continue }
                isShared = true
                if owner != Int64(record.session.owner.number) { isAnothers = true }
                continue
            }
            isShared = true
            // What others call theirs is nobody's business but an administrator's.
            let isOwn = found.session.owner == record.session.owner
            if !isOwn { isAnothers = true }
            if isOwn || isByAdministrator, names.count < 10 { names.append(found.session.id) }
        }
        if isShared, !isEverywhere || isAnothers && !isByAdministrator {
            return .shared(names, isAnothers: isAnothers && !isByAdministrator)
        }
        for (key, id, sessions) in gone {
            // What a session is called by may be what is to go.
            let title = near.first { $0.id == id }.flatMap { suggestedTitle(for: $0.parts) }
            if let title {
                for session in sessions.union([session]) {
                    try database.run(
                        "UPDATE session SET title = NULL WHERE id = ? AND title = ?",
                        [.int(session), .text(title)],
                        doing: "take a title away")
                }
            }
            try database.unindex(key...key)
            try database.run(
                "UPDATE message SET content = '[]', metadata = NULL, binding = NULL, size = NULL, deleted_at = ? WHERE key = ?",
                [.int(writer.now), .int(key)], doing: "delete a message")
            for session in sessions.union([session]) {
                _ = try writer.dropSummaries(of: session, covering: key)
                try writer.mark(key, as: .exclusion, by: session)
                try database.run(
                    "UPDATE session SET updated_at = ?, activity = ? WHERE id = ?",
                    [.int(writer.now), .int(writer.nextActivity(of: session)), .int(session)],
                    doing: "note a session's change")
            }
        }
        try database.enter(.removing)
        writer.wantBackgroundWork()
        return .deleted(
            gone.map(\.id), shownBy: gone.reduce(into: [session]) { $0.formUnion($1.sessions) })
    }
}

extension Writer {
    /// The sessions of which a branch holds a message, or shares it.
    fileprivate func sessions(showing key: Int64) throws(ArchiveError) -> Set<SessionRow> {
        let seq = MessageKey.seq(key)
        var next = [MessageKey.branch(key)], found: Set<SessionRow> = []
        while let branch = next.popLast() {
            let owner = try database.first(
                "SELECT session FROM branch WHERE id = ? AND deleted_at IS NULL", [.int(branch)],
                doing: "find who shows a message"
            ) { SessionRow($0.int(0)) }
            if let owner { found.insert(owner) }
            try database.rows(
                "SELECT id FROM branch INDEXED BY branch_parent WHERE parent = ? AND fork_seq >= ?",
                [.int(branch), Bound(seq)], doing: "find who shows a message"
            ) { row in
                next.append(BranchRow(row.int(0)))
                return true
            }
        }
        return found
    }
}
