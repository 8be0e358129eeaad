internal import Archive
internal import Conversation
internal import Protocol
internal import Sessions

/// One client: who it is, what it has asked for and what of it is not done, which sessions it sees, what it watches.
final class Client {
    /// What a client may see.
    enum Role {
        /// Its own sessions.
        case user
        /// All sessions, and changes nothing; a changed configuration may give that and take it.
        case watcher
        /// All sessions; the same.
        case administrator
    }

    /// Names it in logs and among the daemon's clients.
    let number: Int
    /// The user that it acts for, by the kernel's word.
    let user: UserID
    var role: Role
    let link: any ClientLink
    /// The process at the other end when it connected; 0 where the kernel does not say.
    var pid = 0
    /// When it connected, in milliseconds since 1970.
    var connectedAt: Int64 = 0

    /// Its requests that have no answer yet.
    var calls: [RequestID: Call] = [:]
    /// Which of them may begin, and those that may not yet.
    var lanes = RequestLanes()
    var waiting: [RequestLanes.Number: Call] = [:]

    /// The sessions that it has open, and how it sees each.
    var subscriptions: [SessionRow: Subscription] = [:]
    /// What it shows beside the answers.
    var shows = ShownUpdates() {
        didSet { for subscription in subscriptions.values { subscription.shows = shows } }
    }
    /// System prompts that stand in place of sessions' own in its prompts.
    private(set) var overrides: [SessionRow: String] = [:]

    /// Keeps a system prompt that stands in place of a session's own, or none; it counts as what the client holds.
    func override(_ row: SessionRow, by text: String?) {
        let before = overrides[row]?.utf8.count ?? 0
        overrides[row] = text
        let change = (text?.utf8.count ?? 0) - before
        if change != 0 { link.kept(by: change) }
    }
    /// How far it has seen its list of sessions; nil while it does not watch it.
    var watchedTo: Int64?

    init(number: Int, user: UserID, role: Role, link: any ClientLink) {
        self.number = number
        self.user = user
        self.role = role
        self.link = link
    }

    var isAdmin: Bool { role == .administrator }
    /// Whether it sees the sessions of all users.
    var seesAll: Bool { role != .user }
    var isOpen: Bool { link.isOpen }

    /// Whether it only looks at a session.
    func isObserver(of session: SessionRow) -> Bool {
        role == .watcher || (subscriptions[session]?.role.isObserver ?? false)
    }

    // MARK: Requests that wait

    /// Begins the oldest request that waited and may begin now; false when there is none.
    func takesWaiting(_ begin: (Call) -> Void) -> Bool {
        while let number = lanes.next() {
            guard let call = waiting.removeValue(forKey: number) else {
                lanes.settled(number)
                continue
            }
            begin(call)
            return true
        }
        return false
    }

    /// Whether there is one.
    var hasWaiting: Bool { lanes.hasNext() }
}
