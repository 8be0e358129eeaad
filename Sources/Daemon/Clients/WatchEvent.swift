internal import Archive
internal import Conversation
internal import JSON
internal import Protocol

/// How a change of a watched list looks.
enum WatchEvent {
    /// A `_convod/watch/event` line.
    static func line(_ session: Session, cursor: Int64) -> [UInt8] {
        let change = Method.Watch.Result.Change(session)
        return Outgoing.notification(
            "_convod/watch/event",
            JSONWriter.object {
                $0.member("cursor", PageCursor.text("w", cursor))
                $0.member("session", raw: JSONWriter.bytes(of: change.session))
                $0.member("gone", change.gone)
            })
    }
}
