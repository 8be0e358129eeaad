internal import Conversation
internal import JSON
internal import Protocol

/// Which clients see what happens on which session.
final class Channels {
    /// A client's view of one session.
    final class Subscription {
        let connection: Connection
        /// Messages of the running turn that a replay delivered already; their own announcements are skipped.
        var replayed: Set<MessageID> = []
        /// Whether history is still being replayed; live updates wait, since the replay catches up with them.
        var isReplaying = false {
            didSet {
                // One of them may begin another replay; the rest waits for its end too.
                while !isReplaying, !deferred.isEmpty { deferred.removeFirst()() }
            }
        }
        /// What must come behind the replay: answers to this client's own prompts, and the newest news of a turn.
        private var deferred: [() -> Void] = []

        /// Runs `action` now, or once the replay has caught up.
        func behindReplay(_ action: @escaping () -> Void) {
            if isReplaying { deferred.append(action) } else { action() }
        }

        init(_ connection: Connection) { self.connection = connection }
    }

    /// Bytes waiting for a client at which it stops getting pieces live and reads them from the log when it can.
    private static let lag = 256 << 10

    /// Called when a client falls behind at a place of a session.
    var caughtBehind: (Subscription, Int64, Chunk) -> Void = { _, _, _ in }

    private var subscriptions: [Int64: [Subscription]] = [:]  // by the session's row
    private var sessions: [Int: Set<Int64>] = [:]  // by the connection's number

    /// Joins a client to a session; a client that is there already stays once.
    @discardableResult
    func subscribe(_ connection: Connection, to session: Int64) -> Subscription {
        if let known = subscriptions[session]?.first(where: { $0.connection === connection }) { return known }
        let subscription = Subscription(connection)
        subscriptions[session, default: []].append(subscription)
        sessions[connection.number, default: []].insert(session)
        return subscription
    }

    func unsubscribe(_ connection: Connection, from session: Int64) {
        subscriptions[session]?.removeAll { $0.connection === connection }
        if subscriptions[session]?.isEmpty ?? false { subscriptions[session] = nil }
        sessions[connection.number]?.remove(session)
    }

    /// Takes a client out of everything.
    func forget(_ connection: Connection) {
        for session in sessions.removeValue(forKey: connection.number) ?? [] {
            subscriptions[session]?.removeAll { $0.connection === connection }
            if subscriptions[session]?.isEmpty ?? false { subscriptions[session] = nil }
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
