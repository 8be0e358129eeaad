internal import Archive
internal import Conversation
internal import Protocol
internal import Sessions

/// Where a client's lines go out, and what it costs: a connection, or in a test a list.
protocol ClientLink: AnyObject {
    var isOpen: Bool { get }
    /// Bytes that the client has not read.
    var waitingBytes: Int { get }
    /// Whether a request that is no part of a conversation is put off now, so that others' conversations go on.
    var putsOff: Bool { get }
    /// Sends a line; a push to a client that does not read ends it, what it asked for is never dropped.
    func send(_ line: [UInt8], isPush: Bool)
    /// The same of a piece of an answer, which may be merged with those that wait.
    func send(_ chunk: Chunk, isPush: Bool)
    /// Runs `action` once nearly everything is written, never from inside this call.
    func whenDrained(_ action: @escaping () -> Void)
    /// Puts something off; it is done in its order among what the client sent, before its next line is looked at.
    func add(step: @escaping () -> Void)
    /// A request of so many bytes is being worked on.
    func hold(_ bytes: Int)
    /// It is stored or answered.
    func letGo(_ bytes: Int)
    /// Requests that were held up may run now.
    func release()
    /// A request is answered, and no other has no answer yet where `isLast`.
    func answered(isLast: Bool)
    /// So many sessions more are seen by the client, or fewer.
    func joined(by change: Int)
    /// Closes now; what waits is lost.
    func close()
}

/// One client: who it is, what it has asked for and what of it is not done, which sessions it sees, what it watches.
final class Client {
    /// What a client may see.
    enum Role {
        /// Its own sessions.
        case user
        /// All sessions; a changed configuration may give that and take it.
        case administrator
    }

    /// Names it in logs and among the daemon's clients.
    let number: Int
    /// The user that it acts for, by the kernel's word.
    let user: UserID
    var role: Role
    let link: any ClientLink

    /// Its requests that have no answer yet.
    var calls: [RequestID: Call] = [:]
    /// Which of them may begin, and those that may not yet.
    var lanes = RequestLanes()
    var waiting: [RequestLanes.Number: Call] = [:]

    /// The sessions that it has open, and how it sees each.
    var subscriptions: [SessionRow: Subscription] = [:]
    /// How far it has seen its list of sessions; nil while it does not watch it.
    var watchedTo: Int64?

    init(number: Int, user: UserID, role: Role, link: any ClientLink) {
        self.number = number
        self.user = user
        self.role = role
        self.link = link
    }

    var isAdmin: Bool { role == .administrator }
    var isOpen: Bool { link.isOpen }

    /// Whether it only looks at a session.
    func isObserver(of session: SessionRow) -> Bool { subscriptions[session]?.role.isObserver ?? false }

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
