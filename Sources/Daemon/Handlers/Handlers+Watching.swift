internal import Conversation
internal import JSON
internal import Posix
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
        let connection = call.connection, owner = connection.peer.uid
        guard asked.isOn else {
            services.channels.unwatch(connection)
            services.channels.leaveWatched(connection)
            return call.reply { $0.member("live", false) }
        }
        // All are looked for before one is joined: a refused request changes nothing.
        let records = try asked.sessions.map { (id) throws(WireError) in try session(id, call) }
        let after = try PageCursor.number("w", asked.cursor)
        let limits = services.configuration.limits
        // Reading what changed and joining are one step of the loop: nothing is missed, nothing comes twice.
        let (newest, changed) = try read { (reader) throws(StoreError) in
            let newest = try reader.newestActivity(owner: owner)
            guard let after else { return (newest, (found: [SessionRecord](), hasMore: false)) }
            return (
                newest,
                try reader.changed(
                    owner: owner, after: after, limit: limits.pageRows, bytes: limits.pageBytes)
            )
        }
        if connection.isOpen { services.channels.watch(connection, records.map(\.row)) }
        let page = changed.found, isLive = !changed.hasMore
        let seen = page.last?.session.activity ?? after ?? newest
        if isLive && connection.isOpen { services.channels.watch(connection, owner: owner, after: seen) }
        call.reply {
            $0.member("live", isLive)
            $0.member("cursor", PageCursor.text("w", seen))
            $0.key("changes")
            $0.array { for record in page { $0.object { WatchAnswers.write(record, to: &$0) } } }
        }
    }
}
