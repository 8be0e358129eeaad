package import Conversation

/// A slice of a search through sessions in the order of their activity: bounded, and resumed behind where it stopped.
package struct FindSessions: StoreRead {
    package enum Owner: Sendable { case user(UInt32), all }

    package var owner: Owner
    package var query: String?
    package var tag: String?
    package var cwd: String?
    package var upstream: String?
    package var model: String?
    package var isArchived: Bool?
    package var isTrashed: Bool
    /// Whether sessions without messages and turns are listed too.
    package var includesEmpty: Bool
    package var since: Int64?
    package var until: Int64?
    package var isDescending: Bool
    /// Go on behind this activity.
    package var after: Int64?
    package var limit: Int
    /// Bytes that a page may have, one session at least.
    package var bytes = 1 << 20
    /// Rows looked at in one slice.
    package var slice = 2_000

    package init(owner: Owner, limit: Int) {
        self.owner = owner
        self.limit = limit
        isTrashed = false
        includesEmpty = false
        isDescending = true
    }

    /// What one slice found.
    package struct Output: Sendable {
        package var sessions: [SessionRecord] = []
        /// Where the next slice goes on; nil when everything was looked at.
        package var next: Int64?
        /// What is wrong with sessions that cannot be read, a sentence each; the others go on.
        package var damaged: [String] = []
        /// Whether the page is full by its bytes.
        package var isFull = false

        package init(
            sessions: [SessionRecord] = [], next: Int64? = nil, damaged: [String] = [], isFull: Bool = false
        ) {
            self.sessions = sessions
            self.next = next
            self.damaged = damaged
            self.isFull = isFull
        }

        /// Takes a row in if it fits, or notes what is wrong with it.
        mutating func take(_ row: Row, where fits: (Session) -> Bool) {
            do throws(StoreError) {
                let record = try SessionRecord(row)
                if fits(record.session) { sessions.append(record) }
            } catch { damaged.append(error.description) }
        }
    }

    package func run(on reader: Reader) throws(StoreError) -> Output {
        let edge = after ?? (isDescending ? Int64.max : Int64.min)
        if case .user(let uid) = owner {
            let output = try one(uid, edge, reader)
            // A directory that is rare among the newest sessions is found by its own index.
            if let cwd, output.next != nil, output.sessions.isEmpty {
                return try here(uid, cwd, edge, reader)
            }
            return output
        }
        var all: [SessionRecord] = [], stop: Int64?, damaged: [String] = []
        for uid in try reader.database.owners() {
            let output = try one(uid, edge, reader)
            all += output.sessions
            damaged += output.damaged
            // Nothing beyond the nearest place where a slice stopped is known yet.
            if let next = output.next {
                stop = stop.map { isDescending ? max($0, next) : min($0, next) } ?? next
            }
        }
        all.sort {
            isDescending
                ? $0.session.activity > $1.session.activity : $0.session.activity < $1.session.activity
        }
        if let stop {
            all.removeAll { isDescending ? $0.session.activity < stop : $0.session.activity > stop }
        }
        if all.count > limit {
            all.removeLast(all.count - limit)
            stop = all.last?.session.activity
        }
        return Output(sessions: all, next: stop, damaged: damaged)
    }

    private func one(_ uid: UInt32, _ edge: Int64, _ reader: Reader) throws(StoreError) -> Output {
        var output = Output()
        var looked = 0, room = bytes, edge = edge, isDone = false
        let leaps = isDescending && !includesEmpty
        var run = BarrenStretches.Run()
        func note() { if leaps, let stretch = run.stretch { reader.barren.note(stretch, of: uid) } }
        if leaps, let stretch = reader.barren.touching(edge, of: uid) {
            run.leap(stretch)
            edge = stretch.lowerBound
        }
        while !isDone {
            let stretch = leaps ? reader.barren.below(edge, of: uid) : nil
            isDone = true
            try reader.sessions(owner: uid, isDescending: isDescending, edge: edge) { row in
                if let stretch, row.activity < stretch.upperBound {
                    run.leap(stretch)
                    edge = stretch.lowerBound
                    isDone = false
                    return false
                }
                looked += 1
                let before = output.sessions.count
                output.take(row, where: matches)
                if output.sessions.count > before { room -= output.sessions[before].listedBytes }
                if row.isEmpty {
                    run.add(row.activity)
                } else {
                    note()
                    run = BarrenStretches.Run()
                }
                output.isFull = room <= 0
                let isFull = output.sessions.count == limit || looked == slice || room <= 0
                if isFull { output.next = row.activity }
                return !isFull
            }
        }
        note()
        return output
    }

    /// All sessions of one directory, sorted here: as many as the directory has.
    private func here(_ uid: UInt32, _ cwd: String, _ edge: Int64, _ reader: Reader) throws(StoreError)
        -> Output
    {
        var output = Output()
        try reader.database.rows(
            .listedSessions("INDEXED BY session_here WHERE owner = ? AND cwd = ?"),
            [.int(Int64(uid)), .text(cwd)], doing: "list sessions of a directory"
        ) { row in
            let isBehind = isDescending ? row.activity < edge : row.activity > edge
            if isBehind { output.take(row, where: matches) }
            return true
        }
        var found = output.sessions
        found.sort {
            isDescending
                ? $0.session.activity > $1.session.activity : $0.session.activity < $1.session.activity
        }
        var room = bytes
        let page = Array(
            found.prefix(limit).prefix { record in
                defer { room -= record.listedBytes }
                return room > 0
            })
        return Output(
            sessions: page, next: found.count > page.count ? page.last?.session.activity : nil,
            damaged: output.damaged, isFull: page.count < min(found.count, limit))
    }

    /// Whether a session passes the filters, whoever it belongs to.
    package func matches(_ session: Session) -> Bool {
        if (session.trashedAt != nil) != isTrashed { return false }
        if session.isArchived != (isArchived ?? false) { return false }
        if session.isEmpty && !includesEmpty { return false }
        if let tag, !session.tags.contains(where: { $0.utf8.elementsEqual(tag.utf8) }) { return false }
        if let cwd, !session.cwd.utf8.elementsEqual(cwd.utf8) { return false }
        if let upstream, session.settings.upstream != upstream { return false }
        if let model, session.settings.model != model { return false }
        if let since, session.updatedAt < since { return false }
        if let until, session.updatedAt >= until { return false }
        if let query, !(session.title ?? "").lowercased().contains(query.lowercased()) { return false }
        return true
    }
}

extension Row {
    /// The place in the order of changes of a listed session.
    fileprivate var activity: Int64 { int(15) }
    /// Whether nothing was said in a listed session, and its place in the order is as the daemon writes them.
    fileprivate var isEmpty: Bool { bool(18) && activity < Row.mostActivity }
}
