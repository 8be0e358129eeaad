internal import Archive
internal import Conversation
internal import EventLoop
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
        var known: Set<SessionID> = []
        let looks = SessionLooks(
            parameters.sessions.filter { known.insert($0).inserted }, request.call, archives, loop
        ) { [self] (record, id) throws(WireError) in
            try seen(record, id, request.call, false)
        } then: { [self] records in
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
        looks.goOn()
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

/// Looks for the sessions of a call one behind the other, some in one turn of the loop; the call holds up what is behind it until
/// all are there, or one is not.
private final class SessionLooks {
    /// Looks in one turn of the loop.
    private static let inTurn = 64

    private var left: ArraySlice<SessionID>
    private var found: [SessionRecord] = []
    private let call: Client.Call
    private let archives: Archives
    private let loop: EventLoop
    private let see: (SessionRecord?, SessionID) throws(WireError) -> SessionRecord
    private let then: ([SessionRecord]) -> Void

    /// `see` gives what was found where the caller may see it, and says why not otherwise.
    init(
        _ ids: [SessionID], _ call: Client.Call, _ archives: Archives, _ loop: EventLoop,
        see: @escaping (SessionRecord?, SessionID) throws(WireError) -> SessionRecord,
        then: @escaping ([SessionRecord]) -> Void
    ) {
        left = ids[...]
        self.call = call
        self.archives = archives
        self.loop = loop
        self.see = see
        self.then = then
        call.beginLook()
    }

    func goOn() {
        for _ in 0..<SessionLooks.inTurn {
            if call.isAnswered { return call.endLook() }
            guard let id = left.popFirst() else {
                then(found)
                return call.endLook()
            }
            var isBack = false, isLate = false
            archives.session(id, owner: call.client.user, orAnyones: call.client.seesAll) { [self] in
                isBack = true
                take($0, id)
                if isLate { goOn() }
            }
            if !isBack {
                isLate = true
                return
            }
        }
        // Others have their turn.
        loop.after(milliseconds: 0) { [self] in goOn() }
    }

    private func take(_ result: Result<SessionRecord?, ArchiveError>, _ id: SessionID) {
        if call.isAnswered { return }
        do throws(WireError) {
            switch result {
            case .success(let record): found.append(try see(record, id))
            case .failure(let error): throw WireError(error)
            }
        } catch { call.fail(error) }
    }
}
