internal import Conversation
internal import Protocol
internal import Sessions

/// A client's view of one session.
final class Subscription {
    /// What the client may do there.
    enum Role {
        case controller
        /// It only looks: it may not prompt, cancel or change the session.
        case observer
        /// The same, joined by `_convod/watch`, and gone with that.
        case watcher

        var isObserver: Bool { self != .controller }
    }

    private enum State: Equatable {
        case live
        /// History is being replayed; live updates wait, since the replay catches up with them. `isWithin` says that the
        /// replay began in what went out behind another one.
        case replaying(isWithin: Bool)
        /// The replay is over, and what waited goes out.
        case releasing
    }

    /// Messages that may be held back before it is only known that some were.
    private static let mostMissed = 16

    let client: Int
    let link: any ClientLink
    var role = Role.controller
    /// What the client shows beside the answers.
    var shows = ShownUpdates()
    /// How often the client joined; a refused joining takes its own back.
    var joins = 1
    /// Whether the client is joined still.
    var isJoined = true
    /// Messages of the running turn that a replay delivered already; their own announcements are skipped.
    var replayed: Set<MessageID> = []
    /// How often something was stored on the session since the client joined: what a look found before that is old.
    private(set) var version = 0
    /// The first messages of which pieces were held back since a replay began, and where.
    private(set) var missed: [ReplayPlan.Place] = []
    private var state = State.live
    /// What must come behind the replay: answers to this client's own prompts, and the newest news of a turn.
    private var behind = Fifo<() -> Void>()

    /// The view of the client with this number.
    init(client: Int, link: any ClientLink) {
        self.client = client
        self.link = link
    }

    var isReplaying: Bool { if case .replaying = state { true } else { false } }

    /// Something was stored on the session.
    func age() { version += 1 }

    /// Live updates wait from now on; what was held back before is forgotten.
    func holdBack() {
        switch state {
        case .live: state = .replaying(isWithin: false)
        case .releasing: state = .replaying(isWithin: true)
        case .replaying: break
        }
        replayed = []
        missed = []
    }

    /// Nothing of what was held back is on the session's path.
    func forgetMissed() { missed = [] }

    /// The replay has come to a message of which pieces were held back.
    func caughtUp(_ id: MessageID) { missed.removeAll { $0.id == id } }

    /// A piece is held back.
    func miss(_ id: MessageID, offset: Int) {
        guard missed.count < Subscription.mostMissed, !missed.contains(where: { $0.id == id }) else { return }
        missed.append((id, offset))
    }

    /// Runs `action` now, or once the replay has caught up.
    func behindReplay(_ action: @escaping () -> Void) {
        if state == .live { action() } else { behind.append(action) }
    }

    /// The replay has caught up, or was given up: what waited goes out.
    ///
    /// One of them may begin another replay, and the rest waits for its end too: that end finds this loop still running and
    /// leaves the rest to it, so that no stack grows with what a client sends.
    func release() {
        let isWithin = state == .releasing || state == .replaying(isWithin: true)
        state = .releasing
        if isWithin { return }
        while state == .releasing, let action = behind.popFirst() { action() }
        switch state {
        case .releasing: state = .live
        // What began a replay has gone out; its end sends the rest.
        case .replaying: state = .replaying(isWithin: false)
        case .live: break
        }
    }
}
