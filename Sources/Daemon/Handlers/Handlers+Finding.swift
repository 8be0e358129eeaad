internal import Archive
internal import Conversation
internal import JSON
internal import Protocol
internal import Store

extension Handlers {
    func findSessions(_ call: Call) throws(WireError) {
        let asked = try FindSessionsParameters(call.params, limits: services.configuration.limits)
        let uid = call.connection.user
        let owner: FindSessions.Owner
        switch asked.owner {
        case .mine: owner = .user(uid)
        case .user(let other) where UserID(other) == uid || call.connection.isAdmin:
            owner = .user(UserID(other))
        case .all where call.connection.isAdmin: owner = .all
        default:
            throw WireError(.permissionDenied, "only administrators may list the sessions of other users")
        }
        var search = FindSessions(owner: owner, limit: asked.limit)
        search.query = asked.query
        search.tag = asked.tag
        search.cwd = asked.cwd
        search.upstream = asked.upstream
        search.model = asked.model
        search.isArchived = asked.isArchived
        search.isTrashed = asked.isTrashed
        search.includesEmpty = asked.includesEmpty
        search.since = asked.since
        search.until = asked.until
        search.isDescending = asked.order == .desc
        let start = try ListPlace(asked.cursor, kind: "f")
        if let prefix = asked.idPrefix, case .user(let uid) = owner {
            search.includesEmpty = true
            search.bytes = services.configuration.limits.pageBytes
            let look = SessionsByPrefix(prefix, owner: uid, search)
            return services.archives.read(
                look,
                then: looking(call) { [self] output in
                    services.archives.readMemory(
                        look,
                        then: looking(call) { [self] more in
                            var output = output
                            output.sessions += more?.sessions ?? []
                            reply(call, FoundPage(output.sessions[...], output.damaged))
                        })
                })
        }
        page(search, from: start, call) { [self] page, next in
            reply(call, page, next?.cursor(kind: "f"))
        }
    }

    func listSessions(_ call: Call) throws(WireError) {
        let asked = try ListSessionsParameters(call.params)
        var search = FindSessions(owner: .user(call.connection.user), limit: 100)
        let start = try ListPlace(asked.cursor, kind: "s")
        search.cwd = asked.cwd
        page(search, from: start, call) { [self] page, next in
            call.reply {
                $0.key("sessions")
                $0.array {
                    for index in page.sessions.indices {
                        Handlers.writeListed(page.sessions[index].session, to: &$0)
                    }
                }
                $0.optional("nextCursor", next?.cursor(kind: "s"))
                if !page.damaged.isEmpty {
                    $0.member("_meta") { $0.member("convod") { write(page.damaged, to: &$0) } }
                }
            }
        }
    }

    /// A session as `session/list` shows it.
    private static func writeListed(_ session: Session, to writer: inout JSONWriter) {
        writer.object {
            $0.member("sessionId", session.id.text)
            $0.member("cwd", session.cwd)
            $0.optional("title", session.title)
            $0.member("updatedAt", Timestamp.text(session.updatedAt))
            $0.member("_meta") {
                $0.member("convod") {
                    $0.member("messageCount", session.messageCount)
                    if session.isEphemeral { $0.member("ephemeral", true) }
                }
            }
        }
    }

    /// Sessions as a page shows them, and what is wrong with those that it had to leave out.
    private struct FoundPage {
        var sessions: ArraySlice<SessionRecord>
        let damaged: [String]

        init(_ sessions: ArraySlice<SessionRecord>, _ damaged: [String]) {
            self.sessions = sessions
            self.damaged = damaged
        }
    }

    /// Fills a page, and says where the next one begins: the sessions in memory come behind all that are stored.
    ///
    /// A first look is short and made at once; what is not found by it is looked for on the reader's
    /// thread, slice after slice.
    private func page(
        _ search: FindSessions, from start: ListPlace, _ call: Call,
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
        services.archives.read(first) { [self] result in
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
        _ search: FindSessions, _ call: Call, _ then: @escaping (FindSessions.Output) -> Void
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
        to page: FoundPage, _ search: FindSessions, after: Int64?, _ call: Call,
        _ finish: @escaping (FoundPage, ListPlace?) -> Void
    ) {
        var rest = search
        rest.after = after
        rest.limit = search.limit - page.sessions.count + 1
        let most = rest.limit - 1
        let isShort = if case .user = search.owner { search.cwd == nil } else { false }
        services.archives.readMemory(
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
        _ search: FindSessions, _ before: FindSessions.Output, _ call: Call,
        _ isCancelled: @escaping () -> Bool, _ then: @escaping (FindSessions.Output) -> Void
    ) {
        services.archives.readAway(search) { [self] result in
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

    private func reply(_ call: Call, _ page: FoundPage, _ cursor: String? = nil) {
        call.reply {
            $0.key("sessions")
            $0.array {
                for index in page.sessions.indices {
                    Wire.write(page.sessions[index].session, isWhole: false, to: &$0)
                }
            }
            $0.optional("nextCursor", cursor)
            write(page.damaged, to: &$0)
        }
    }

    /// What is wrong with sessions that the list had to leave out; nothing where all can be read.
    private func write(_ damaged: [String], to writer: inout JSONWriter) {
        if damaged.isEmpty { return }
        writer.key("damaged")
        writer.array { for words in damaged.prefix(100) { $0.string(words) } }
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
