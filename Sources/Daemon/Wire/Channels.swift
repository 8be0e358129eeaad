internal import Conversation
internal import JSON
internal import Protocol
internal import Store

/// Which clients see what happens on which session.
final class Channels {
    /// A client's view of one session.
    final class Subscription {
        let connection: Connection
        /// Whether it only looks: it may not prompt, cancel or change the session.
        fileprivate(set) var isObserver = false
        /// How often the client joined; a refused joining takes its own back.
        fileprivate var joins = 1
        /// Whether it was joined by `_convod/watch`, and goes with that.
        fileprivate(set) var isWatched = false
        /// Messages of the running turn that a replay delivered already; their own announcements are skipped.
        var replayed: Set<MessageID> = []
        /// Whether history is still being replayed; live updates wait, since the replay catches up with them.
        var isReplaying = false { didSet { runDeferred() } }
        /// What must come behind the replay: answers to this client's own prompts, and the newest news of a turn.
        private var deferred = Fifo<() -> Void>()
        private var isRunning = false

        /// Runs `action` now, or once the replay has caught up.
        func behindReplay(_ action: @escaping () -> Void) {
            if isReplaying || isRunning { deferred.append(action) } else { action() }
        }

        /// One of them may begin another replay, and the rest waits for its end too: that end finds this loop still
        /// running and leaves the rest to it, so that no stack grows with what a client sends.
        private func runDeferred() {
            if isRunning { return }
            isRunning = true
            while !isReplaying, let action = deferred.popFirst() { action() }
            isRunning = false
        }

        init(_ connection: Connection) { self.connection = connection }
    }

    /// Bytes waiting for a client at which it stops getting pieces live and reads them from the log when it can.
    private static let lag = 256 << 10

    /// Called when a client falls behind at a place of a session.
    var caughtBehind: (Subscription, Int64, Chunk) -> Void = { _, _, _ in }

    /// Whether anybody has ever only looked at a session.
    private(set) var hadObservers = false
    private var subscriptions: [Int64: [Subscription]] = [:]  // by the session's row
    private var sessions: [Int: Set<Int64>] = [:]  // by the connection's number

    /// Joins a client to a session; a client that is there already stays once.
    @discardableResult
    func subscribe(_ connection: Connection, to session: Int64) -> Subscription {
        if let known = subscription(of: connection, to: session) {
            known.joins += 1
            return known
        }
        let subscription = Subscription(connection)
        // Its client may have left while the request was on its way.
        guard connection.isOpen else { return subscription }
        subscriptions[session, default: []].append(subscription)
        sessions[connection.number, default: []].insert(session)
        connection.joined += 1
        return subscription
    }

    /// Says whether a client only looks, and whether that goes with what it watches.
    func set(_ subscription: Subscription, isObserver: Bool, isWatched: Bool) {
        subscription.isObserver = isObserver
        subscription.isWatched = isWatched
        if isObserver { hadObservers = true }
    }

    /// Whether a client only looks at a session.
    func isObserver(_ connection: Connection, of session: Int64) -> Bool {
        subscription(of: connection, to: session)?.isObserver ?? false
    }

    func unsubscribe(_ connection: Connection, from session: Int64) {
        guard sessions[connection.number]?.remove(session) != nil else { return }
        leave(session, connection)
        connection.joined -= 1
    }

    private func leave(_ session: Int64, _ connection: Connection) {
        subscriptions[session]?.removeAll { $0.connection === connection }
        if subscriptions[session]?.isEmpty ?? false { subscriptions[session] = nil }
    }

    /// Takes back one joining that was refused: who was not there does not get what is said there.
    func takeBack(_ subscription: Subscription, of session: Int64) {
        subscription.joins -= 1
        if subscription.joins == 0 { unsubscribe(subscription.connection, from: session) }
    }

    /// Takes a client out of everything.
    func forget(_ connection: Connection) {
        unwatch(connection)
        for session in sessions.removeValue(forKey: connection.number) ?? [] { leave(session, connection) }
        connection.joined = 0
        // A dictionary keeps the room of the most that it ever held.
        if subscriptions.capacity > 4_096, subscriptions.count < subscriptions.capacity / 8 {
            subscriptions = Dictionary(uniqueKeysWithValues: Array(subscriptions))
        }
    }

    // MARK: The session list

    /// A client that watches its list of sessions, and how far it has seen.
    private final class Watcher {
        weak var connection: Connection?
        let owner: UInt32
        var activity: Int64
        init(_ connection: Connection, _ owner: UInt32, _ activity: Int64) {
            self.connection = connection
            self.owner = owner
            self.activity = activity
        }
    }
    private var watchers: [Int: Watcher] = [:]  // by the connection's number

    /// Tells a client from now on of changes behind a point in the order of changes.
    func watch(_ connection: Connection, owner: UInt32, after activity: Int64) {
        watchers[connection.number] = Watcher(connection, owner, activity)
    }

    /// Joins a client to sessions as an observer; where it is already it stays as it is.
    func watch(_ connection: Connection, _ rows: [Int64]) {
        for row in rows where subscription(of: connection, to: row) == nil {
            let subscription = subscribe(connection, to: row)
            set(subscription, isObserver: true, isWatched: true)
        }
    }

    /// Leaves the sessions that a client joined by watching only.
    func leaveWatched(_ connection: Connection) {
        for row in sessions[connection.number] ?? []
        where subscription(of: connection, to: row)?.isWatched ?? false {
            unsubscribe(connection, from: row)
        }
    }

    func unwatch(_ connection: Connection) { watchers[connection.number] = nil }

    /// Whose lists are watched.
    var isWatched: Bool { !watchers.isEmpty }

    /// Tells all who watch of sessions that changed, in the order of their changes.
    func tell(_ records: [SessionRecord]) {
        for record in records.sorted(by: { $0.session.activity < $1.session.activity }) {
            let line = WatchAnswers.event(record)
            for watcher in watchers.values
            where watcher.owner == record.session.owner && watcher.activity < record.session.activity {
                watcher.activity = record.session.activity
                watcher.connection?.send(line, isPush: true)
            }
        }
    }

    /// The subscription of one client.
    func subscription(of connection: Connection, to session: Int64) -> Subscription? {
        subscriptions[session]?.first { $0.connection === connection }
    }

    func subscribers(of session: Int64) -> [Subscription] { subscriptions[session] ?? [] }

    /// Sends a piece of a message to all who watch, but for `except`.
    func publish(_ chunk: Chunk, on session: Int64, except: Connection? = nil) {
        for subscription in subscribers(of: session) where subscription.connection !== except {
            guard !subscription.isReplaying, !subscription.replayed.contains(chunk.messageID) else {
                continue
            }
            if subscription.connection.waitingBytes > Channels.lag {
                caughtBehind(subscription, session, chunk)
            } else {
                subscription.connection.send(chunk)
            }
        }
    }

    /// Sends an update to all who watch; `isKept` says that one who is catching up gets it behind the pieces.
    func publish(
        update: [UInt8], of id: SessionID, on session: Int64, except: Connection? = nil, isKept: Bool = false
    ) {
        let watching = subscribers(of: session)
        if watching.isEmpty { return }
        let line = Channels.line(update: update, of: id)
        for subscription in watching where subscription.connection !== except {
            let connection = subscription.connection
            if isKept || !subscription.isReplaying {
                subscription.behindReplay { connection.send(line, isPush: true) }
            }
        }
    }

    /// A `session/update` line.
    static func line(update: [UInt8], of id: SessionID) -> [UInt8] {
        Outgoing.notification(
            "session/update",
            JSONWriter.object {
                $0.member("sessionId", id.text)
                $0.member("update", raw: update)
            })
    }
}
