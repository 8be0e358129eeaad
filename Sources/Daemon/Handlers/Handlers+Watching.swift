internal import Archive
internal import Conversation
internal import JSON
internal import Protocol
internal import Store

extension Handlers {
    static let watching: [Handler] = [.on(Method.Watch.self) { $0.watch }]

    /// Changes of the caller's session list from a cursor or from now on, and live updates of chosen sessions.
    private func watch(_ request: Request<Method.Watch>) throws(WireError) {
        let parameters = request.parameters, client = request.client
        guard parameters.isOn else {
            channels.unwatch(client)
            channels.leaveWatched(client)
            return request.reply(.init(live: false))
        }
        let after = try PageCursor.number("w", parameters.cursor)
        // All are looked for before one is joined: a refused request changes nothing.
        find(parameters.sessions[...], [], request.call) { [self] records in
            let limits = configuration.limits
            let changes = Changes(
                owner: client.user, after: after, limit: limits.pageRows, bytes: limits.pageBytes)
            archives.read(
                changes,
                then: looking(request.call) { [self] found in
                    if client.isOpen { channels.watch(client, records.map(\.row)) }
                    reply(found, request)
                })
        }
    }

    private func find(
        _ ids: ArraySlice<SessionID>, _ found: [SessionRecord], _ call: Client.Call,
        _ then: @escaping ([SessionRecord]) -> Void
    ) {
        guard let id = ids.first else { return then(found) }
        withSession(call, id) { [self] record in find(ids.dropFirst(), found + [record], call, then) }
    }

    private func reply(_ found: Changes.Output, _ request: Request<Method.Watch>) {
        let client = request.client, isLive = !found.isMore
        if isLive && client.isOpen { channels.watch(client, after: found.cursor) }
        request.reply(
            .init(
                live: isLive, cursor: PageCursor.text("w", found.cursor),
                changes: found.records.map { .init($0.session) }))
        // What changed since it was looked for.
        if isLive { lists.changed() }
    }
}
