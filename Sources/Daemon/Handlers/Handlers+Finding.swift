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
        default: throw WireError(.permissionDenied, "only administrators may list the sessions of other users")
        }
        let after = try PageCursor.number("f", asked.cursor)
        if let prefix = asked.idPrefix, case .user(let uid) = owner {
            let found = try read { (reader) throws(StoreError) in try reader.sessions(owner: uid, prefix: prefix, limit: asked.limit) }
            return reply(call, found, next: nil)
        }
        if case .user(let uid) = owner, asked.isIndexed {
            let found = try read { (reader) throws(StoreError) in
                try reader.recent(owner: uid, cwd: asked.cwd, before: after, limit: asked.limit + 1)
            }
            let page = Array(found.prefix(asked.limit))
            return reply(call, page, next: found.count > asked.limit ? page.last?.session.activity : nil)
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
        search.after = after
        var isCancelled = false
        call.onCancel = {
            isCancelled = true
            call.fail(WireError(.cancelled, "the request was cancelled"))
        }
        slice(search, [], call) { isCancelled }
    }

    /// Looks through slice after slice on the reader's thread until the page is full.
    private func slice(_ search: FindSessions, _ found: [SessionRecord], _ call: Call, _ isCancelled: @escaping () -> Bool) {
        services.store.read(search) { [self] result in
            if isCancelled() { return }
            switch result {
            case .failure(let error): call.fail(WireError(error))
            case .success(let output):
                let all = found + output.sessions
                guard let next = output.next, output.sessions.count < search.limit else {
                    return reply(call, all, next: output.next)
                }
                var rest = search
                rest.after = next
                rest.limit -= output.sessions.count
                slice(rest, all, call, isCancelled)
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

extension FindSessionsParameters {
    /// Whether the plain index of a user's sessions gives the answer by itself.
    fileprivate var isIndexed: Bool {
        query == nil && tag == nil && upstream == nil && model == nil && isArchived == nil && !isTrashed && !includesEmpty
            && since == nil && until == nil && order == .desc
    }
}
