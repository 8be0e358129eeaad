internal import Conversation
internal import JSON
internal import Posix
internal import Protocol
internal import Store

extension Handlers {
    func findSessions(_ call: Call) throws(WireError) {
        let asked = try FindSessionsParameters(call.params, limits: services.configuration.limits)
        let uid = call.connection.peer.uid
        let owner: FindSessions.Owner
        switch asked.owner {
        case .mine: owner = .user(uid)
        case .user(let other) where other == uid || call.connection.isAdmin: owner = .user(other)
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
        search.after = try PageCursor.number("f", asked.cursor)
        if let prefix = asked.idPrefix, case .user(let uid) = owner {
            search.includesEmpty = true
            var found = try read { (reader) throws(StoreError) in
                try reader.sessions(owner: uid, prefix: prefix, limit: asked.limit)
            }
            if let memory = services.memory {
                found += (try? memory.reader.sessions(owner: uid, prefix: prefix, limit: asked.limit)) ?? []
            }
            return reply(call, found.filter { search.matches($0.session) }, next: nil)
        }
        page(search, call) { [self] in
            let (found, next) = withMemory(search, $0, $1)
            reply(call, found, next: next)
        }
    }

    /// Sessions in memory come first, on the first page only; there are few of them.
    private func withMemory(_ search: FindSessions, _ stored: [SessionRecord], _ next: Int64?) -> (
        [SessionRecord], Int64?
    ) {
        guard search.after == nil, let memory = services.memory,
            let found = try? search.run(on: memory.reader).sessions, !found.isEmpty
        else { return (stored, next) }
        let first = found.prefix(search.limit), room = search.limit - first.count
        guard stored.count > room else { return (Array(first + stored), next) }
        let rest = stored.prefix(room)
        let edge = rest.last?.session.activity ?? (search.isDescending ? Int64.max : Int64.min)
        return (Array(first + rest), edge)
    }

    func listSessions(_ call: Call) throws(WireError) {
        let asked = try ListSessionsParameters(call.params)
        var search = FindSessions(owner: .user(call.connection.peer.uid), limit: 100)
        search.after = try PageCursor.number("s", asked.cursor)
        search.cwd = asked.cwd
        while let path = search.cwd, path.count > 1, path.hasSuffix("/") {
            search.cwd = String(path.dropLast())
        }
        page(search, call) { [self] in
            let (found, next) = withMemory(search, $0, $1)
            call.reply {
                $0.key("sessions")
                $0.array {
                    for record in found {
                        $0.object {
                            $0.member("sessionId", record.session.id.text)
                            $0.member("cwd", record.session.cwd)
                            $0.optional("title", record.session.title)
                            $0.member("updatedAt", Timestamp.text(record.session.updatedAt))
                            $0.member("_meta") {
                                $0.member("convod") {
                                    $0.member("messageCount", record.session.messageCount)
                                    if record.session.isEphemeral { $0.member("ephemeral", true) }
                                }
                            }
                        }
                    }
                }
                $0.optional("nextCursor", next.map { PageCursor.text("s", $0) })
            }
        }
    }

    /// Fills a page.
    ///
    /// A first look is short and made at once; what is not found by it is looked for on the reader's
    /// thread, slice after slice.
    private func page(
        _ search: FindSessions, _ call: Call, _ then: @escaping ([SessionRecord], Int64?) -> Void
    ) {
        var first = search
        first.slice = search.limit * 2
        // One more than the page shows whether a next page exists.
        first.limit = search.limit + 1
        if case .user = search.owner, search.cwd == nil,
            let output = try? first.run(on: services.store.reader),
            output.next == nil || output.sessions.count > search.limit
        {
            let page = Array(output.sessions.prefix(search.limit))
            return then(page, output.sessions.count > search.limit ? page.last?.session.activity : nil)
        }
        var isCancelled = false
        call.onCancel = {
            isCancelled = true
            call.fail(WireError(.cancelled, "the request was cancelled"))
        }
        var whole = search
        whole.limit += 1
        slice(whole, [], call, { isCancelled }) { found in
            let page = Array(found.prefix(search.limit))
            then(page, found.count > search.limit ? page.last?.session.activity : nil)
        }
    }

    private func slice(
        _ search: FindSessions, _ found: [SessionRecord], _ call: Call, _ isCancelled: @escaping () -> Bool,
        _ then: @escaping ([SessionRecord]) -> Void
    ) {
        services.store.read(search) { [self] result in
            if isCancelled() { return }
            switch result {
            case .failure(let error): call.fail(WireError(error))
            case .success(let output):
                let all = found + output.sessions
                guard let next = output.next, output.sessions.count < search.limit else { return then(all) }
                var rest = search
                rest.after = next
                rest.limit -= output.sessions.count
                slice(rest, all, call, isCancelled, then)
            }
        }
    }

    private func reply(_ call: Call, _ sessions: [SessionRecord], next: Int64?) {
        call.reply {
            $0.key("sessions")
            $0.array { for record in sessions { Wire.write(record.session, isWhole: false, to: &$0) } }
            $0.optional("nextCursor", next.map { PageCursor.text("f", $0) })
        }
    }
}
