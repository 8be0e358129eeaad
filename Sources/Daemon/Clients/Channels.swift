internal import Archive
internal import Conversation
internal import JSON
internal import Protocol
internal import Sessions
internal import Store

/// Which clients see what happens on which session.
final class Channels {
    /// Bytes waiting for a client at which it stops getting pieces live and reads them from the log when it can.
    private static let lag = 256 << 10

    /// Called when a client falls behind at a place of a session.
    var caughtBehind: (Subscription, SessionRow, ReplayPlan.Place) -> Void = { _, _, _ in }

    /// Whether anybody has ever only looked at a session.
    private(set) var hadObservers = false
    private var subscriptions: [SessionRow: [Subscription]] = [:]
    /// Those that watch their list of sessions, by number.
    private var watchers: [Int: Client] = [:]

    // MARK: Sessions

    /// Joins a client to a session; a client that is there already stays once.
    @discardableResult
    func subscribe(_ client: Client, to session: SessionRow) -> Subscription {
        if let known = client.subscriptions[session] {
            known.joins += 1
            return known
        }
        let subscription = Subscription(client: client.number, link: client.link)
        subscription.shows = client.shows
        // Its client may have left while the request was on its way.
        guard client.isOpen else { return subscription }
        subscriptions[session, default: []].append(subscription)
        client.subscriptions[session] = subscription
        client.link.joined(by: 1)
        return subscription
    }

    /// Says what a client may do where it is joined.
    func set(_ subscription: Subscription, _ role: Subscription.Role) {
        subscription.role = role
        if role.isObserver { hadObservers = true }
    }

    func unsubscribe(_ client: Client, from session: SessionRow) {
        client.override(session, by: nil)
        guard let subscription = client.subscriptions.removeValue(forKey: session) else { return }
        leave(session, subscription)
        client.link.joined(by: -1)
    }

    private func leave(_ session: SessionRow, _ subscription: Subscription) {
        subscription.isJoined = false
        subscriptions[session]?.removeAll { $0 === subscription }
        if subscriptions[session]?.isEmpty ?? false { subscriptions[session] = nil }
    }

    /// A client is told that it hears no more of a session, and why; nil for one that has left.
    func dismiss(
        _ client: Client?, _ subscription: Subscription, from session: SessionRow, _ id: SessionID,
        _ error: WireError
    ) {
        if let client { unsubscribe(client, from: session) }
        var news = Wire.SessionInfoUpdate.News()
        news.left = true
        news.error = Wire.Failure(kind: error.kind.rawValue, message: error.message)
        subscription.link.send(Outgoing.update(Wire.SessionInfoUpdate(news), of: id), isPush: false)
    }

    /// Takes back one joining that was refused: who was not there does not get what is said there.
    func takeBack(_ subscription: Subscription, of client: Client, from session: SessionRow) {
        subscription.joins -= 1
        if subscription.joins == 0 { unsubscribe(client, from: session) }
    }

    /// Takes a client out of everything.
    func forget(_ client: Client) {
        unwatch(client)
        for (session, subscription) in client.subscriptions { leave(session, subscription) }
        client.link.joined(by: -client.subscriptions.count)
        client.subscriptions = [:]
        // A dictionary keeps the room of the most that it ever held.
        if subscriptions.capacity > 4_096, subscriptions.count < subscriptions.capacity / 8 {
            subscriptions = Dictionary(uniqueKeysWithValues: Array(subscriptions))
        }
    }

    func subscribers(of session: SessionRow) -> [Subscription] { subscriptions[session] ?? [] }

    // MARK: The session list

    /// Tells a client from now on of changes of its list behind a point in their order.
    func watch(_ client: Client, after activity: Int64) {
        client.watchedTo = activity
        watchers[client.number] = client
    }

    /// Joins a client to sessions as an observer; where it is already it stays as it is.
    func watch(_ client: Client, _ rows: [SessionRow]) {
        for row in rows where client.subscriptions[row] == nil {
            set(subscribe(client, to: row), .watcher)
        }
    }

    /// Leaves the sessions that a client joined by watching only.
    func leaveWatched(_ client: Client) {
        for (row, subscription) in client.subscriptions where subscription.role == .watcher {
            unsubscribe(client, from: row)
        }
    }

    func unwatch(_ client: Client) {
        client.watchedTo = nil
        watchers[client.number] = nil
    }

    /// Whose lists are watched, and from where on somebody has not seen them.
    var watched: [UserID: Int64] {
        watchers.values.reduce(into: [:]) { watched, client in
            guard let seen = client.watchedTo else { return }
            watched[client.user] = min(watched[client.user] ?? .max, seen)
        }
    }

    /// Tells all who watch a user's list of sessions that changed, given in the order of their changes.
    ///
    /// They are all that changed after `seen`: who has not seen that yet is told later.
    func tell(_ records: [SessionRecord], of owner: UserID, after seen: Int64) {
        for record in records {
            let activity = record.session.activity
            let line = WatchEvent.line(record.session, cursor: activity)
            for client in watchers.values where client.user == owner {
                guard let known = client.watchedTo, seen <= known, known < activity else { continue }
                client.watchedTo = activity
                client.link.send(line, isPush: true)
            }
        }
    }

    /// Tells all who watch its owner's list of sessions that one is in no list any more; of one in the trash they know.
    ///
    /// Its ID is all that they hear of it; one in memory was in no such list.
    func tell(purged id: SessionID, of owner: UserID, wasTrashed: Bool, on row: SessionRow) {
        if wasTrashed || row.isEphemeral { return }
        var gone = Session(id: id, owner: owner, cwd: "/", createdAt: 0)
        gone.trashedAt = 0
        for client in watchers.values where client.user == owner {
            guard let known = client.watchedTo else { continue }
            client.link.send(WatchEvent.line(gone, cursor: known), isPush: true)
        }
    }

    // MARK: News

    /// Sends a piece of a message to all who watch, but for the client `except`.
    func publish(_ chunk: Chunk, on session: SessionRow, except: Int? = nil) {
        let subscribers = subscribers(of: session)
        var chunk = chunk
        if subscribers.count > 1 { chunk.line = Chunk.SharedLine() }
        for subscription in subscribers {
            // The running answer is no message yet; who replays gets it from the turn itself.
            if chunk.turnID == nil || chunk.role == .user { subscription.age() }
            guard subscription.client != except else { continue }
            if subscription.isReplaying {
                subscription.miss(chunk.messageID, offset: chunk.offset)
                continue
            }
            if subscription.replayed.contains(chunk.messageID) { continue }
            if subscription.link.waitingBytes > Channels.lag {
                caughtBehind(subscription, session, (chunk.messageID, chunk.offset))
            } else {
                subscription.link.send(chunk, isPush: true)
            }
        }
    }

    /// Sends a notice to those who watch live and show such (acp-2.md 1.2): it is never replayed.
    func notify(_ notice: Wire.Notice, of id: SessionID, on session: SessionRow) {
        let shown = subscribers(of: session).filter { $0.shows.notices && !$0.isReplaying }
        if shown.isEmpty { return }
        let line = Outgoing.update(notice, of: id)
        for subscription in shown { subscription.link.send(line, isPush: true) }
    }

    /// Sends how a summary goes to those who show such (acp-2.md 1.2); who is catching up gets it behind the pieces.
    func tell(_ compaction: Wire.CompactionUpdate, of id: SessionID, on session: SessionRow) {
        let shown = subscribers(of: session).filter(\.shows.compactions)
        if shown.isEmpty { return }
        let line = Outgoing.update(compaction, of: id)
        for subscription in shown {
            subscription.behindReplay { [weak subscription] in
                if let subscription, subscription.isJoined { subscription.link.send(line, isPush: true) }
            }
        }
    }

    /// Sends an update to all who watch; `isKept` says that one who is catching up gets it behind the pieces.
    ///
    /// Where it is about a `message` that left the path before who is catching up came to it, that one is told nothing of it.
    func publish(
        _ update: some JSONRepresentable, of id: SessionID, on session: SessionRow, except: Int? = nil,
        isKept: Bool = false, about message: MessageID? = nil
    ) {
        let watching = subscribers(of: session)
        if watching.isEmpty { return }
        let line = Outgoing.update(update, of: id)
        for subscription in watching {
            subscription.age()
            guard subscription.client != except else { continue }
            if isKept || !subscription.isReplaying {
                subscription.behindReplay { [weak subscription] in
                    guard let subscription, subscription.isJoined,
                        !subscription.missed.contains(where: { $0.id == message })
                    else { return }
                    subscription.link.send(line, isPush: true)
                }
            }
        }
    }
}
