package import Archive
internal import Conversation
internal import Posix

extension ForkSession: LocalWrite {
    package func run(on writer: Writer) throws(ArchiveError) -> Output {
        guard let place = try writer.place(ofRow: source), !place.isTrashed else { return .missing }
        if try writer.database.session(session.id, owner: session.owner) != nil { return .existed }
        var shared = (branch: place.branch, seq: place.head)
        if let message {
            guard let found = try writer.database.place(of: message, inSession: source) else {
                return .notHere
            }
            shared = found
        }
        let new = try writer.insert(session)
        guard shared.seq > 0 else { return .forked(new) }
        let parent = try writer.owner(of: shared.seq, on: shared.branch)
        let total = try writer.database.total(at: MessageKey(branch: parent, seq: shared.seq))
        try writer.database.run(
            "UPDATE branch SET parent = ?, fork_seq = ? WHERE id = ?",
            [.int(parent), Bound(shared.seq), .int(new.branch)], doing: "fork a branch")
        try writer.copyAnchors(from: shared.branch, to: new.branch, upTo: shared.seq)
        let path = try Reader(over: writer.database).path(branch: new.branch, head: shared.seq)
        try writer.copyMarks(from: source, to: new.row, on: path)
        try writer.copySummaries(from: source, to: new.row, on: path)
        try writer.database.run(
            "UPDATE session SET head = ?, tokens = ? WHERE id = ?",
            [Bound(shared.seq), Bound(total), .int(new.row)], doing: "fork a session")
        guard let forked = try writer.database.session(row: new.row) else { return .missing }
        return .forked(forked)
    }
}

extension SwitchBranch: LocalWrite {
    package func run(on writer: Writer) throws(ArchiveError) -> Output {
        guard var place = try writer.place(ofRow: session), !place.isTrashed else { return nil }
        guard try writer.database.isThere(branch, in: session),
            let (parent, fork) = try writer.database.parent(of: branch)
        else { return nil }
        if place.branch == branch { return try writer.pathChange(of: session) }
        let tip = try writer.database.tip(of: branch, parent: parent, fork: fork)
        place.branch = branch
        place.head = tip.seq
        place.tokens = tip.total
        try writer.moveHead(to: place, title: nil)
        return try writer.pathChange(of: session)
    }
}

extension DeleteBranch: LocalWrite {
    package func run(on writer: Writer) throws(ArchiveError) -> Output {
        guard let place = try writer.place(ofRow: session) else { return .missing }
        let database = writer.database
        guard try database.isThere(branch, in: session), let (parent, fork) = try database.parent(of: branch)
        else { return .missing }
        if place.branch == branch { return .active }
        let children = try database.integer(
            "SELECT count(*) FROM branch INDEXED BY branch_parent WHERE parent = ? AND deleted_at IS NULL",
            [.int(branch)], doing: "count branches")
        if children > 0 { return .needed(Int(children)) }
        let count = try database.tip(of: branch, parent: parent, fork: fork).seq - fork
        try database.run(
            "UPDATE branch SET deleted_at = ? WHERE id = ?", [.int(writer.now), .int(branch)],
            doing: "mark a branch as deleted")
        // A short one is gone with this commit, if no other waits before it; a long one in the writer's slot for such work.
        try BranchRemoval().step(in: database, until: Machine.monotonic() &+ BackgroundSlot.step)
        writer.wantBackgroundWork()
        try writer.moveHead(to: place, title: nil)
        return .deleted(count)
    }
}

extension RewindPath: LocalWrite {
    package func run(on writer: Writer) throws(ArchiveError) -> Output {
        guard var place = try writer.place(ofRow: session), !place.isTrashed,
            let record = try writer.database.session(row: session),
            let seq = try writer.seq(of: message, in: record)
        else { return nil }
        try writer.branchOff(&place, after: seq - 1)
        try writer.moveHead(to: place, title: nil)
        return try writer.pathChange(of: session)
    }
}

extension EditMessage: LocalWrite {
    package func run(on writer: Writer) throws(ArchiveError) -> Output {
        guard var place = try writer.place(ofRow: session), !place.isTrashed,
            let record = try writer.database.session(row: session),
            let seq = try writer.seq(of: message, in: record)
        else { return nil }
        try writer.branchOff(&place, after: seq - 1)
        try writer.append(edited, turn: nil, at: &place)
        try writer.moveHead(to: place, title: nil)
        return try writer.pathChange(of: session)
    }
}

extension EditQueued: LocalWrite {
    package func run(on writer: Writer) throws(ArchiveError) -> Output {
        guard let stored = try writer.database.turn(turn), stored.turn.state == .queued else { return false }
        try writer.database.run(
            "UPDATE turn SET prompt = ?, request_hash = coalesce(?, request_hash) WHERE id = ?",
            [.utf8(prompt), hash.map { .blob($0) } ?? .null, .int(stored.row)], doing: "edit a queued prompt")
        return true
    }
}

extension Writer {
    /// A session as it is now, with its newest message; nil where it is not there.
    func pathChange(of row: SessionRow) throws(ArchiveError) -> PathChange? {
        guard let record = try database.session(row: row), let place = try place(ofRow: row) else {
            return nil
        }
        return PathChange(record: record, headID: try headID(of: place))
    }

    /// The branch that itself has the message at a seq of a path.
    func owner(of seq: Int, on branch: BranchRow) throws(ArchiveError) -> BranchRow {
        var owner = branch, walk = BranchWalk()
        while true {
            try walk.step(to: owner)
            guard let (above, fork) = try database.parent(of: owner), let above, seq <= fork else {
                return owner
            }
            owner = above
        }
    }

    /// A message's place on the active path, nil when it is not on it.
    func seq(of id: MessageID, in session: SessionRecord) throws(ArchiveError) -> Int? {
        let key = try database.first(
            "SELECT key FROM message WHERE id = ?", [.blob(id.bytes)], doing: "find a message"
        ) { $0.int(0) }
        guard let key else { return nil }
        let seq = MessageKey.seq(key)
        guard seq <= session.session.messageCount else { return nil }
        return try owner(of: seq, on: session.branch) == MessageKey.branch(key) ? seq : nil
    }
}
