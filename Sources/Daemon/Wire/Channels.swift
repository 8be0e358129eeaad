internal import Archive
internal import Conversation
internal import JSON
internal import Protocol
internal import Store

/// Which clients see what happens on which session.
final class Channels {
    /// A place inside a message.
    typealias Place = (id: MessageID, offset: Int)

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
        /// How often something was stored on the session since the client joined: what a look found before that is old.
        fileprivate(set) var version = 0
        /// The first messages of which pieces were held back since a replay began, and where.
        fileprivate(set) var missed: [Place] = []
        /// Whether the client is joined still.
        fileprivate(set) var isJoined = true

        /// Live updates wait from now on; what was held back before is forgotten.
        func holdBack() {
            isReplaying = true
            replayed = []
            missed = []
        }

        /// Nothing of what was held back is on the session's path.
        func forgetMissed() { missed = [] }

        /// The replay has come to a message of which pieces were held back.
        func caughtUp(_ id: MessageID) { missed.removeAll { $0.id == id } }

        fileprivate func miss(_ chunk: Chunk) {
            guard missed.count < Subscription.mostMissed,
                !missed.contains(where: { $0.id == chunk.messageID })
            else { return }
            missed.append((chunk.messageID, chunk.offset))
        }

        private static let mostMissed = 16
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
    var caughtBehind: (Subscription, SessionRow, Place) -> Void = { _, _, _ in }

    /// Whether anybody has ever only looked at a session.
    private(set) var hadObservers = false
    private var subscriptions: [SessionRow: [Subscription]] = [:]  // by the session's row
    private var sessions: [Int: Set<SessionRow>] = [:]  // by the connection's number

    /// Joins a client to a session; a client that is there already stays once.
    @discardableResult
    func subscribe(_ connection: Connection, to session: SessionRow) -> Subscription {
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
    func isObserver(_ connection: Connection, of session: SessionRow) -> Bool {
        subscription(of: connection, to: session)?.isObserver ?? false
    }

    func unsubscribe(_ connection: Connection, from session: SessionRow) {
        guard sessions[connection.number]?.remove(session) != nil else { return }
        leave(session, connection)
        connection.joined -= 1
    }

    private func leave(_ session: SessionRow, _ connection: Connection) {
        subscription(of: connection, to: session)?.isJoined = false
        subscriptions[session]?.removeAll { $0.connection === connection }
        if subscriptions[session]?.isEmpty ?? false { subscriptions[session] = nil }
    }

    /// Takes back one joining that was refused: who was not there does not get what is said there.
    func takeBack(_ subscription: Subscription, of session: SessionRow) {
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
        let owner: UserID
        var activity: Int64
        init(_ connection: Connection, _ owner: UserID, _ activity: Int64) {
            self.connection = connection
            self.owner = owner
            self.activity = activity
        }
    }
    private var watchers: [Int: Watcher] = [:]  // by the connection's number

    /// Tells a client from now on of changes behind a point in the order of changes.
    func watch(_ connection: Connection, owner: UserID, after activity: Int64) {
        watchers[connection.number] = Watcher(connection, owner, activity)
    }

    /// Joins a client to sessions as an observer; where it is already it stays as it is.
    func watch(_ connection: Connection, _ rows: [SessionRow]) {
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

    /// Whose lists are watched, and from where on somebody has not seen them.
    var watched: [UserID: Int64] {
        watchers.values.reduce(into: [:]) { $0[$1.owner] = min($0[$1.owner] ?? .max, $1.activity) }
    }

    /// Tells all who watch a user's list of sessions that changed, given in the order of their changes.
    ///
    /// They are all that changed after `seen`: who has not seen that yet is told later.
    func tell(_ records: [SessionRecord], of owner: UserID, after seen: Int64) {
        for record in records {
            let line = WatchAnswers.event(record)
            for watcher in watchers.values
            where watcher.owner == owner && seen <= watcher.activity
                && watcher.activity < record.session.activity
            {
                watcher.activity = record.session.activity
                watcher.connection?.send(line, isPush: true)
            }
        }
    }

    /// The subscription of one client.
    func subscription(of connection: Connection, to session: SessionRow) -> Subscription? {
        subscriptions[session]?.first { $0.connection === connection }
    }

    func subscribers(of session: SessionRow) -> [Subscription] { subscriptions[session] ?? [] }

    /// Sends a piece of a message to all who watch, but for `except`.
    func publish(_ chunk: Chunk, on session: SessionRow, except: Connection? = nil) {
        for subscription in subscribers(of: session) {
            // The running answer is no message yet; who replays gets it from the turn itself.
            if chunk.turnID == nil || chunk.role == .user { subscription.version += 1 }
            guard subscription.connection !== except else { continue }
            if subscription.isReplaying {
                subscription.miss(chunk)
                continue
            }
            if subscription.replayed.contains(chunk.messageID) { continue }
            if subscription.connection.waitingBytes > Channels.lag {
                caughtBehind(subscription, session, (chunk.messageID, chunk.offset))
            } else {
                subscription.connection.send(chunk)
            }
        }
    }

    /// Sends an update to all who watch; `isKept` says that one who is catching up gets it behind the pieces.
    ///
    /// Where it is about a `message` that left the path before who is catching up came to it, that one is told nothing of it.
    func publish(
        update: [UInt8], of id: SessionID, on session: SessionRow, except: Connection? = nil,
        isKept: Bool = false, about message: MessageID? = nil
    ) {
        let watching = subscribers(of: session)
        if watching.isEmpty { return }
        let line = Channels.line(update: update, of: id)
        for subscription in watching {
            subscription.version += 1
            let connection = subscription.connection
            guard connection !== except else { continue }
            if isKept || !subscription.isReplaying {
                subscription.behindReplay { [weak subscription] in
                    guard let subscription, subscription.isJoined,
                        !subscription.missed.contains(where: { $0.id == message })
                    else { return }
                    connection.send(line, isPush: true)
                }
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
