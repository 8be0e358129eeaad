package import Archive
internal import Conversation

extension FindSessions: LocalRead {
    package var isSeveral: Bool { true }

    package func run(on reader: Reader) throws(ArchiveError) -> Output {
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

    private func one(_ uid: UserID, _ edge: Int64, _ reader: Reader) throws(ArchiveError) -> Output {
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
            func look(_ activity: Int64, _ read: () throws(ArchiveError) -> SessionRecord) -> Bool {
                if let stretch, activity < stretch.upperBound {
                    run.leap(stretch)
                    edge = stretch.lowerBound
                    isDone = false
                    return false
                }
                looked += 1
                let taken = output.take(read, where: matches)
                room -= taken.bytes
                if taken.isEmpty && activity < Row.mostActivity {
                    run.add(activity)
                } else {
                    note()
                    run = BarrenStretches.Run()
                }
                output.isFull = room <= 0
                let isFull = output.sessions.count == limit || looked == slice || room <= 0
                if isFull { output.next = activity }
                return !isFull
            }
            if slice <= ListedSessions.most {
                try reader.shortList(
                    owner: uid, isDescending: isDescending, edge: edge, by: max(1, min(limit, slice)), look)
            } else {
                try reader.sessions(owner: uid, isDescending: isDescending, edge: edge) { row in
                    look(row.activity) { () throws(ArchiveError) in try SessionRecord(row) }
                }
            }
        }
        note()
        return output
    }

    /// All sessions of one directory, sorted here: as many as the directory has.
    private func here(_ uid: UserID, _ cwd: String, _ edge: Int64, _ reader: Reader) throws(ArchiveError)
        -> Output
    {
        var output = Output()
        try reader.database.rows(
            .listedSessions("INDEXED BY session_here WHERE owner = ? AND cwd = ?"),
            [.user(uid), .text(cwd)], doing: "list sessions of a directory"
        ) { row in
            let isBehind = isDescending ? row.activity < edge : row.activity > edge
            if isBehind { _ = output.take(row, where: matches) }
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
}

extension Row {
    /// The place in the order of changes of a listed session.
    fileprivate var activity: Int64 { int(15) }
}

extension FindSessions.Output {
    /// Takes a row in as below.
    mutating func take(_ row: Row, where fits: (Session) -> Bool) -> (bytes: Int, isEmpty: Bool) {
        take({ () throws(ArchiveError) in try SessionRecord(row) }, where: fits)
    }

    /// Takes a session in if it fits, or notes what is wrong with it; gives the bytes that it takes of the page, and whether
    /// nothing was said in it.
    mutating func take(_ read: () throws(ArchiveError) -> SessionRecord, where fits: (Session) -> Bool)
        -> (bytes: Int, isEmpty: Bool)
    {
        do throws(ArchiveError) {
            let record = try read()
            guard fits(record.session) else { return (0, record.session.isEmpty) }
            sessions.append(record)
            return (record.listedBytes, record.session.isEmpty)
        } catch {
            damaged.append(error.description)
            return (0, false)
        }
    }
}
