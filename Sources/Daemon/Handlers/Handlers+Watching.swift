internal import Archive
internal import Conversation
internal import JSON
internal import Protocol
internal import Store

/// How changes of the session list look.
enum WatchAnswers {
    /// A `_convod/watch/event` line.
    static func event(_ record: SessionRecord) -> [UInt8] {
        Outgoing.notification(
            "_convod/watch/event",
            JSONWriter.object {
                $0.member("cursor", PageCursor.text("w", record.session.activity))
                write(record, to: &$0)
            })
    }

    /// The session as lists show it; in the trash it is gone from them.
    static func write(_ record: SessionRecord, to writer: inout JSONWriter) {
        writer.key("session")
        Wire.write(record.session, isWhole: false, to: &writer)
        writer.member("gone", record.session.trashedAt != nil)
    }
}

extension Handlers {
    /// Changes of the caller's session list from a cursor or from now on, and live updates of chosen sessions.
    func watch(_ call: Call) throws(WireError) {
        let asked = try WatchParameters(call.params)
        let connection = call.connection, owner = connection.user
        guard asked.isOn else {
            services.channels.unwatch(connection)
            services.channels.leaveWatched(connection)
            return call.reply { $0.member("live", false) }
        }
        let after = try PageCursor.number("w", asked.cursor)
        // All are looked for before one is joined: a refused request changes nothing.
        find(asked.sessions[...], [], call) { [self] records in
            let limits = services.configuration.limits
            let changes = Changes(owner: owner, after: after, limit: limits.pageRows, bytes: limits.pageBytes)
            services.archives.read(
                changes,
                then: looking(call) { [self] found in
                    if connection.isOpen { services.channels.watch(connection, records.map(\.row)) }
                    reply(found, call)
                })
        }
    }

    private func find(
        _ ids: ArraySlice<SessionID>, _ found: [SessionRecord], _ call: Call,
        _ then: @escaping ([SessionRecord]) -> Void
    ) {
        guard let id = ids.first else { return then(found) }
        withSession(call, id) { [self] record in find(ids.dropFirst(), found + [record], call, then) }
    }

    private func reply(_ found: Changes.Output, _ call: Call) {
        let connection = call.connection, isLive = !found.isMore
        if isLive && connection.isOpen {
            services.channels.watch(connection, owner: connection.user, after: found.cursor)
        }
        call.reply {
            $0.member("live", isLive)
            $0.member("cursor", PageCursor.text("w", found.cursor))
            $0.key("changes")
            $0.array { for record in found.records { $0.object { WatchAnswers.write(record, to: &$0) } } }
        }
        // What changed since it was looked for.
        if isLive { lists.changed() }
    }
}
