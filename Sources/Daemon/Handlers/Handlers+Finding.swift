internal import Archive
internal import Conversation
internal import Crypto
internal import JSON
internal import Protocol
internal import Search
internal import Store

extension Handlers {
    static let finding: [Handler] = [
        .on(Method.SessionFind.self) { $0.findSessions },
        .on(Method.SessionList.self) { $0.listSessions },
    ]

    private func findSessions(_ request: Request<Method.SessionFind>) throws(WireError) {
        let parameters = request.parameters, call = request.call
        let uid = request.client.user
        let owner: FindSessions.Owner
        switch parameters.owner {
        case .mine: owner = .user(uid)
        case .user(let other) where UserID(other) == uid || request.client.seesAll:
            owner = .user(UserID(other))
        case .all where request.client.seesAll: owner = .all
        default:
            throw WireError(.permissionDenied, "only administrators may list the sessions of other users")
        }
        var search = FindSessions(owner: owner, limit: parameters.limit)
        search.title = parameters.query.flatMap { SearchQuery(literal: $0) }
        search.tag = parameters.tag
        search.cwd = parameters.cwd
        search.upstream = parameters.upstream
        search.model = parameters.model
        search.isArchived = parameters.isArchived
        search.isTrashed = parameters.isTrashed
        search.includesEmpty = parameters.includesEmpty
        search.since = parameters.since
        search.until = parameters.until
        search.isDescending = parameters.order == .desc
        if let key = parameters.sort.key {
            let after = try PlaceCursor.place(key, parameters.cursor)
            let sort = SortSessions(
                search, by: key, isDescending: search.isDescending, after: after, limit: parameters.limit + 1)
            if parameters.idPrefix != nil {
                throw .invalid("'sort' does not go with 'idPrefix', which lists by ID")
            }
            return sorted(sort, request)
        }
        if parameters.idPrefix != nil, case .all = owner {
            throw .invalid("'idPrefix' is of one user's IDs, and does not go with the 'owner' '*'")
        }
        let start = try ListPlace(parameters.cursor, kind: "f")
        if let prefix = parameters.idPrefix, case .user(let uid) = owner {
            search.includesEmpty = true
            search.bytes = configuration.limits.pageBytes
            let look = SessionsByPrefix(prefix, owner: uid, search)
            return archives.read(
                look,
                then: looking(call) { [self] output in
                    archives.readMemory(
                        look,
                        then: looking(call) { more in
                            let sessions = output.sessions + (more?.sessions ?? [])
                            request.reply(written: FoundPage(sessions[...], output.damaged).written(nil))
                        })
                })
        }
        page(search, from: start, call) { page, next in
            request.reply(written: page.written(next?.cursor(kind: "f")))
        }
    }

    /// A page in an order that no index has: a walk over all sessions, slice after slice on the readers' threads.
    private func sorted(_ sort: SortSessions, _ request: Request<Method.SessionFind>) {
        let call = request.call
        var isCancelled = false
        call.onCancel = {
            isCancelled = true
            call.fail(WireError(.cancelled, "the request was cancelled"))
        }
        func finish(_ found: [SessionRecord], _ damaged: [String]) {
            let page = FoundPage(sort.first(of: found).prefix(request.parameters.limit), damaged)
            let bytes = found.reduce(0) { $0 + $1.listedBytes }
            let hasMore = found.count > page.sessions.count || bytes >= sort.search.bytes
            let next = page.sessions.last.map { PlaceCursor.text(sort.key, sort.place(of: $0.session)) }
            request.reply(written: page.written(hasMore ? next : nil))
        }
        func walk(
            _ slice: SortSessions, _ found: [SessionRecord], _ damaged: [String], isMemory: Bool
        ) {
            func then(_ result: Result<SortSessions.Output?, ArchiveError>) {
                if isCancelled { return }
                switch result {
                case .failure(let error): call.fail(WireError(error))
                case .success(let output):
                    let all = sort.first(of: found + (output?.sessions ?? []))
                    let damaged = Array((damaged + (output?.damaged ?? [])).prefix(100))
                    if let next = output?.next {
                        var rest = slice
                        rest.from = next
                        walk(rest, all, damaged, isMemory: isMemory)
                    } else if isMemory {
                        finish(all, damaged)
                    } else {
                        walk(sort, all, damaged, isMemory: true)
                    }
                }
            }
            if isMemory {
                archives.readMemory(slice, isShort: false, then: then)
            } else {
                archives.readAway(slice, isShort: false) { then($0.map { $0 }) }
            }
        }
        walk(sort, [], [], isMemory: false)
    }

    private func listSessions(_ request: Request<Method.SessionList>) throws(WireError) {
        let parameters = request.parameters
        var search = FindSessions(owner: .user(request.client.user), limit: 100)
        let start = try ListPlace(parameters.cursor, kind: "s")
        search.cwd = parameters.cwd
        page(search, from: start, request.call) { page, next in
            request.reply(
                .init(
                    sessions: page.sessions.map { .init($0.session) }, nextCursor: next?.cursor(kind: "s"),
                    damaged: page.damage))
        }
    }

    /// A page of a search through titles.
    func pageOfTitles(
        _ search: FindSessions, cursor: String?, _ call: Client.Call,
        _ then: @escaping ([Session], _ next: String?) -> Void
    ) throws(WireError) {
        page(search, from: try ListPlace(cursor, kind: "t"), call) { page, next in
            then(page.sessions.map(\.session), next?.cursor(kind: "t"))
        }
    }

    /// Sessions as a page shows them, and what is wrong with those that it had to leave out.
    fileprivate struct FoundPage {
        var sessions: ArraySlice<SessionRecord>
        let damaged: [String]

        init(_ sessions: ArraySlice<SessionRecord>, _ damaged: [String]) {
            self.sessions = sessions
            self.damaged = damaged
        }

        /// What is told of what is wrong; nil where all can be read.
        var damage: [String]? { damaged.isEmpty ? nil : Array(damaged.prefix(100)) }
    }

    /// Fills a page, and says where the next one begins: the sessions in memory come behind all that are stored.
    ///
    /// A first look is short and made at once; what is not found by it is looked for on the reader's
    /// thread, slice after slice.
    private func page(
        _ search: FindSessions, from start: ListPlace, _ call: Client.Call,
        _ finish: @escaping (FoundPage, ListPlace?) -> Void
    ) {
        var search = search
        func then(_ output: FindSessions.Output) {
            // With one more than the page may hold.
            let page = FoundPage(output.sessions.prefix(search.limit), output.damaged)
            let hasMore = output.sessions.count > search.limit || output.isFull
            if hasMore, let last = page.sessions.last?.session.activity { return finish(page, .stored(last)) }
            addMemory(to: page, search, after: nil, call, finish)
        }
        switch start {
        case .stored(let activity): search.after = activity
        case .memory(let activity):
            return addMemory(to: FoundPage([], []), search, after: activity, call, finish)
        }
        var whole = search
        // One more than the page shows whether a next page exists.
        whole.limit += 1
        guard case .user = search.owner, search.cwd == nil else { return sliceAway(whole, call, then) }
        var first = whole
        first.slice = search.limit * 2
        call.beginLook()
        archives.read(first) { [self] result in
            defer { call.endLook() }
            if call.isAnswered { return }
            // Where that cannot be read, the reader's thread is asked, and its failure is told.
            if case .success(let output) = result,
                output.next == nil || output.sessions.count > search.limit || output.isFull
            {
                return then(output)
            }
            sliceAway(whole, call, then)
        }
    }

    private func sliceAway(
        _ search: FindSessions, _ call: Client.Call, _ then: @escaping (FindSessions.Output) -> Void
    ) {
        var isCancelled = false
        call.onCancel = {
            isCancelled = true
            call.fail(WireError(.cancelled, "the request was cancelled"))
        }
        slice(search, FindSessions.Output(), call, { isCancelled }, then)
    }

    /// Fills a page up with sessions in memory, and says where the next one begins.
    private func addMemory(
        to page: FoundPage, _ search: FindSessions, after: Int64?, _ call: Client.Call,
        _ finish: @escaping (FoundPage, ListPlace?) -> Void
    ) {
        var rest = search
        rest.after = after
        rest.limit = search.limit - page.sessions.count + 1
        let most = rest.limit - 1
        let isShort = if case .user = search.owner { search.cwd == nil } else { false }
        archives.readMemory(
            rest, isShort: isShort,
            then: looking(call) { found in
                guard let found else { return finish(page, nil) }
                var page = page
                let shown = found.sessions.prefix(most)
                page.sessions += shown
                if found.sessions.count > shown.count {
                    return finish(page, .memory(shown.last?.session.activity ?? after))
                }
                finish(page, found.next.map { .memory($0) })
            })
    }

    private func slice(
        _ search: FindSessions, _ before: FindSessions.Output, _ call: Client.Call,
        _ isCancelled: @escaping () -> Bool, _ then: @escaping (FindSessions.Output) -> Void
    ) {
        archives.readAway(search) { [self] result in
            if isCancelled() { return }
            switch result {
            case .failure(let error): call.fail(WireError(error))
            case .success(let output):
                var all = before
                all.sessions += output.sessions
                all.damaged += output.damaged
                all.isFull = output.isFull
                guard let next = output.next, output.sessions.count < search.limit, !output.isFull else {
                    return then(all)
                }
                var rest = search
                rest.after = next
                rest.limit -= output.sessions.count
                rest.bytes -= output.sessions.reduce(0) { $0 + $1.listedBytes }
                slice(rest, all, call, isCancelled, then)
            }
        }
    }
}

extension Handlers.FoundPage {
    /// The page as `Method.SessionFind.Result` is written, without a copy of each session.
    fileprivate func written(_ cursor: String?) -> [UInt8] {
        var writer = JSONWriter(capacity: sessions.reduce(64) { $0 + $1.listedBytes })
        writer.begin("{\"sessions\":")
        writer.array { writer in
            for index in sessions.indices { Wire.SessionSummary.write(sessions[index].session, to: &writer) }
        }
        writer.optional("nextCursor", cursor)
        if let damage {
            writer.then(",\"damaged\":")
            writer.array { for words in damage { $0.string(words) } }
        }
        writer.end("}")
        return writer.bytes
    }
}

extension Method.SessionFind.Sort {
    /// What sessions are ordered by where it is not their last change.
    fileprivate var key: SortSessions.Key? {
        switch self {
        case .changed: nil
        case .created: .created
        case .messages: .messages
        case .title: .title
        }
    }
}

/// A place in an order of sessions, as a cursor: the order's letter, the key in hexadecimal, the owner and the ID.
private enum PlaceCursor {
    private static func letter(_ key: SortSessions.Key) -> Character {
        switch key {
        case .created: "c"
        case .messages: "m"
        case .title: "n"
        }
    }

    static func text(_ key: SortSessions.Key, _ place: SessionPlace) -> String {
        "\(letter(key))\(place.key.hexadecimal).\(place.owner).\(place.id.text)"
    }

    static func place(_ key: SortSessions.Key, _ cursor: String?) throws(WireError) -> SessionPlace? {
        guard let cursor else { return nil }
        let parts = cursor.dropFirst().split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
        guard cursor.first == letter(key), parts.count == 3, let bytes = [UInt8](hexadecimal: parts[0]),
            let owner = UInt32(parts[1]), let id = SessionID(String(parts[2]))
        else { throw PageCursor.unknown }
        return SessionPlace(key: bytes, id: id, owner: UserID(owner))
    }
}

/// Where a page of sessions begins: behind a stored one, or behind one in memory, which come last.
private enum ListPlace {
    case stored(Int64?)
    case memory(Int64?)

    /// What stands in a cursor for the sessions in memory.
    private static let memory: Character = "."

    init(_ cursor: String?, kind: Character) throws(WireError) {
        guard let cursor, cursor.first == kind, cursor.dropFirst().first == ListPlace.memory else {
            self = .stored(try PageCursor.number(kind, cursor))
            return
        }
        let number = String(cursor.dropFirst())
        self = .memory(number.count == 1 ? nil : try PageCursor.number(ListPlace.memory, number))
    }

    func cursor(kind: Character) -> String {
        switch self {
        case .stored(let activity): PageCursor.text(kind, activity ?? 0)
        case .memory(let activity):
            String(kind)
                + (activity.map { PageCursor.text(ListPlace.memory, $0) } ?? String(ListPlace.memory))
        }
    }
}
