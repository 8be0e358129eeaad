internal import Archive
internal import Conversation
internal import Protocol
internal import Sessions
internal import Store

extension Handlers {
    static let purging: [Handler] = [
        .on(Method.SessionPurge.self) { $0.purgeSession },
        .on(Method.StoreBackup.self) { $0.backUp },
        .on(Method.StoreCompact.self) { $0.compact },
        .on(Method.StorePrune.self) { $0.prune },
    ]

    private func backUp(_ request: Request<Method.StoreBackup>) throws(WireError) {
        let path = request.parameters.path
        guard backups[path] == nil else { throw WireError(.conflict, "a copy to '\(path)' is being made") }
        backups[path] = request
        archives.backedUp = { [weak self] path, result in
            guard let request = self?.backups.removeValue(forKey: path) else { return }
            switch result {
            case .success(let bytes): request.reply(.init(path: path, bytes: bytes))
            case .failure(let error) where error.code == .readOnly:
                request.fail(.invalid("'path': cannot \(error.description)"))
            case .failure(let error): request.fail(WireError(error))
            }
        }
        archives.write(BackUp(to: path), isEphemeral: false) { [weak self] result in
            guard case .failure(let error) = result else { return }
            self?.backups[path] = nil
            request.fail(WireError(error))
        }
    }

    private func compact(_ request: Request<Method.StoreCompact>) throws(WireError) {
        archives.write(Compact(), isEphemeral: false) { [self] result in
            let before: Int
            switch result {
            case .success(let bytes): before = bytes
            case .failure(let error): return request.fail(WireError(error))
            }
            purges.afterNext(false) { [archives] result in
                if case .failure(let problem) = result {
                    return request.fail(
                        problem.wire(
                            "the file cannot be made smaller now, and is by itself when that is over"))
                }
                archives.readAway(
                    StoreSize(),
                    then: self.looking(request.call) { request.reply(.init(bytesBefore: before, bytes: $0)) })
            }
        }
    }

    private func prune(_ request: Request<Method.StorePrune>) throws(WireError) {
        let parameters = request.parameters
        var find = FindSessions(owner: .user(request.client.user), limit: 500)
        find.until = parameters.before
        find.tag = parameters.tag
        find.includesEmpty = true
        find.isDescending = false
        var passes: [FindSessions] = []
        if parameters.scope != .live {
            for isArchived in [false, true] {
                var trashed = find
                trashed.isTrashed = true
                trashed.isArchived = isArchived
                passes.append(trashed)
            }
        }
        if parameters.scope != .trashed {
            passes.append(find)
            if parameters.includesArchived {
                find.isArchived = true
                passes.append(find)
            }
        }
        collect(request, passes[...], [])
    }

    /// Finds the sessions that are meant, counts what goes with them, and purges them where that is asked for.
    private func collect(
        _ request: Request<Method.StorePrune>, _ passes: ArraySlice<FindSessions>,
        _ found: [SessionRecord]
    ) {
        guard let find = passes.first, found.count <= Method.StorePrune.most else {
            return count(request, Array(found.prefix(Method.StorePrune.most)), found.count)
        }
        archives.readAway(
            find, isShort: false,
            then: looking(request.call) { [self] output in
                // What answers now is in nobody's way: it is left for another time. What the client only observes is not its to take.
                let free = output.sessions.filter {
                    engine.running(on: $0.row) == nil && !(engine.line(on: $0.row)?.isTaken ?? false)
                        && !request.client.isObserver(of: $0.row)
                }
                var rest = find
                rest.after = output.next
                collect(
                    request, output.next == nil ? passes.dropFirst() : [rest] + passes.dropFirst(),
                    found + free)
            })
    }

    private func count(
        _ request: Request<Method.StorePrune>,
        _ found: [SessionRecord], _ all: Int
    ) {
        archives.readAway(
            CountPurge(found.map(\.row)), isShort: false,
            then: looking(request.call) { [self] counted in
                var result = Method.StorePrune.Result(counted, isMore: all > found.count)
                if request.parameters.isDryRun { return request.reply(result) }
                let meant = found.map { (row: $0.row, activity: Int64?.some($0.session.activity)) }
                let records = Dictionary(found.map { ($0.row, $0) }) { first, _ in first }
                purges.purge(
                    meant, onlyTrashed: request.parameters.scope == .trashed, archives,
                    removed: { [self] row in if let record = records[row] { tellPurged(record) } }
                ) { purged in
                    switch purged {
                    case .success(let sums):
                        let sum = sums.values.reduce(PurgeSum(), +)
                        (result.sessions, result.messages) = (sum.sessions, sum.messages)
                        result.bytes = sum.bytes
                        request.reply(result)
                    case .failure(let problem): request.fail(problem.wire())
                    }
                }
            })
    }

    /// Who hears of a session hears that it is gone, and so does who watches the list that it was in; nothing of it is told.
    func tellPurged(_ id: SessionID, of owner: UserID, wasTrashed: Bool, on row: SessionRow) {
        channels.tell(purged: id, of: owner, wasTrashed: wasTrashed, on: row)
        let subscriptions = channels.subscribers(of: row)
        if subscriptions.isEmpty { return }
        let clients = server.clients(), error = WireError(.notFound, "session '\(id.text)' was purged")
        for subscription in subscriptions {
            let client = clients.first { $0.number == subscription.client }
            channels.dismiss(client, subscription, from: row, id, error)
        }
    }

    private func tellPurged(_ record: SessionRecord) {
        tellPurged(
            record.session.id, of: record.session.owner, wasTrashed: record.session.trashedAt != nil,
            on: record.row)
    }

    private func purgeSession(_ request: Request<Method.SessionPurge>) throws(WireError) {
        let id = request.parameters.id
        withSession(request.call, id, orTrashed: true) { [self] (record) throws(WireError) in
            guard engine.running(on: record.row) == nil, !(engine.line(on: record.row)?.isTaken ?? false)
            else {
                throw WireError(
                    .busy, "a turn is running on session '\(id.text)'; wait for its end, or cancel it")
            }
            purges.purge([(record.row, nil)], archives, removed: { [self] _ in tellPurged(record) }) {
                result in
                switch result {
                case .success(let sums) where sums.isEmpty: request.fail(.noSession(id))
                case .success(let sums):
                    let sum = sums.values.reduce(PurgeSum(), +)
                    request.reply(
                        .init(messages: sum.messages, bytes: sum.bytes, sharedMessages: sum.shared))
                case .failure(let problem): request.fail(problem.wire())
                }
            }
        }
    }
}

extension Method.StorePrune.Result {
    /// What the archive counted.
    fileprivate init(_ sum: PurgeSum, isMore: Bool) {
        // The index and the rows around contents are about as large as those again, and a fourth.
        self.init(
            sessions: sum.sessions, messages: sum.messages, bytes: sum.bytes, sharedMessages: sum.shared,
            fileBytesEstimate: sum.bytes / 4 * 9, more: isMore)
    }
}

/// Why what was to be purged is not gone.
enum PurgeProblem: Error {
    /// It was not taken out at all.
    case notStored(ArchiveError)
    /// It is in no list any more, and something keeps it in the file.
    case heldUp(ArchiveError)

    /// The error for who asked; `words` is what is so where it is held up.
    func wire(
        _ words: String =
            "what was taken out is in no list any more, but in the file still, which it leaves by itself when it can"
    ) -> WireError {
        switch self {
        case .notStored(let error): WireError(error)
        case .heldUp(let error): WireError(WireError(error).kind, "\(words): \(error.description)")
        }
    }
}

/// Sessions that are on their way out, and who waits until they are gone.
final class Purges {
    private struct Waiting {
        /// Which of the stores it is about.
        let isEphemeral: Bool
        var rows: Set<SessionRow>
        var sums: [SessionRow: PurgeSum] = [:]
        /// Whether it waits on where something keeps them in the file.
        var isPatient = false
        let then: (Result<[SessionRow: PurgeSum], PurgeProblem>) -> Void
    }

    private var waiting: [Waiting] = []

    /// Sessions of a store are gone from every file.
    func purged(_ isEphemeral: Bool, _ sums: [SessionRow: PurgeSum]) {
        for index in waiting.indices {
            for (row, sum) in sums where waiting[index].rows.remove(row) != nil {
                waiting[index].sums[row] = sum
            }
        }
        let done = take { $0.rows.isEmpty && $0.isEphemeral == isEphemeral }
        for one in done { one.then(.success(one.sums)) }
    }

    /// Calls back when what was removed of a store until now is gone from every file, or when something keeps it there.
    func afterNext(_ isEphemeral: Bool, _ then: @escaping (Result<Void, PurgeProblem>) -> Void) {
        waiting.append(Waiting(isEphemeral: isEphemeral, rows: []) { then($0.map { _ in }) })
    }

    /// Something keeps what was removed of a store in its file: who waits is told, and the work goes on behind that.
    func heldUp(_ isEphemeral: Bool, _ error: ArchiveError) {
        for one in take({ $0.isEphemeral == isEphemeral && !$0.isPatient }) {
            one.then(.failure(.heldUp(error)))
        }
    }

    private func take(_ isMeant: (Waiting) -> Bool) -> [Waiting] {
        let taken = waiting.filter(isMeant)
        waiting.removeAll(where: isMeant)
        return taken
    }

    /// Purges sessions of one store; `removed` hears of each as soon as it is in no list and its ID is free, `then` gets what went
    /// with those that were there, once they are gone from every file.
    func purge(
        _ rows: [(row: SessionRow, activity: Int64?)], onlyTrashed: Bool = false, isPatient: Bool = false,
        _ archives: Archives, removed: @escaping (SessionRow) -> Void = { _ in },
        then: @escaping (Result<[SessionRow: PurgeSum], PurgeProblem>) -> Void
    ) {
        if rows.isEmpty { return then(.success([:])) }
        let isEphemeral = rows[0].row.isEphemeral
        var left = rows.count, there: Set<SessionRow> = [], failure: ArchiveError?
        func answered() {
            left -= 1
            if left > 0 { return }
            if let failure { return then(.failure(.notStored(failure))) }
            if there.isEmpty { return then(.success([:])) }
            waiting.append(
                Waiting(isEphemeral: isEphemeral, rows: there, isPatient: isPatient, then: then))
        }
        for (row, activity) in rows {
            let purge = PurgeSession(row, onlyTrashed: onlyTrashed, unchangedSince: activity)
            archives.write(purge, of: row) { result in
                switch result {
                case .success(true):
                    there.insert(row)
                    removed(row)
                case .success(false): break
                case .failure(let error): failure = error
                }
                answered()
            }
        }
    }
}
