internal import EventLoop
internal import Posix
internal import Protocol

/// How much memory clients may hold: what came in and is not done, what waits to be read by them, what they joined.
///
/// There is a bound for the clients of one user and one for all. Above it those that hold more than their share are read
/// no further; if that does not help within a second, the largest of them are closed with a reason. Whoever holds
/// little is never touched by what others do.
final class BufferBudget {
    /// Milliseconds that those above their share get to shrink.
    private static let patience = 1_000
    /// Milliseconds between two closings where it is urgent: each looks at all clients.
    private static let pause = 5
    /// Bytes that everyone may hold, however many there are.
    private static let least = 128 << 10

    private struct Sum {
        var bytes = 0
        var clients = 0
    }

    private let loop: EventLoop
    private let limits: () -> Limits
    private var all = Sum()
    private var users: [UInt32: Sum] = [:]
    /// Bytes of requests that are being worked on.
    private var heldBytes = 0
    private var isDue = false, isUrgentDue = false
    /// When the largest were looked for last, in monotonic nanoseconds.
    private var enforcedAt: UInt64 = 0
    /// The connections there are.
    var connections: () -> [Connection] = { [] }

    init(loop: EventLoop, limits: @escaping () -> Limits) {
        self.loop = loop
        self.limits = limits
    }

    func add(_ connection: Connection) {
        connection.isCounted = true
        all.clients += 1
        users[connection.peer.uid, default: Sum()].clients += 1
    }

    func remove(_ connection: Connection) {
        guard connection.isCounted else { return }
        connection.isCounted = false
        changed(connection, by: -connection.cost)
        all.clients -= 1
        let uid = connection.peer.uid
        users[uid]?.clients -= 1
        if users[uid]?.clients == 0 { users[uid] = nil }
    }

    /// A client holds so many bytes more, or less.
    func changed(_ connection: Connection, by bytes: Int) {
        all.bytes += bytes
        users[connection.peer.uid, default: Sum()].bytes += bytes
        let limits = limits()
        let user = users[connection.peer.uid]?.bytes ?? 0
        guard bytes > 0, all.bytes > limits.buffers || user > limits.userBuffers else { return }
        let isUrgent = all.bytes > limits.buffers / 8 * 9 || user > limits.userBuffers / 8 * 9
        watch(isUrgent: isUrgent)
    }

    /// Whether requests that are not stored or answered yet are as many bytes as there may be of all clients.
    var isHoldingMuch: Bool { heldBytes >= limits().unstoredAll }

    /// Requests of so many bytes more are being worked on, or less.
    func heldChanged(by bytes: Int) {
        heldBytes += bytes
        guard bytes < 0, heldBytes < limits().unstoredAll, heldBytes - bytes >= limits().unstoredAll else {
            return
        }
        loop.after(milliseconds: 0) { [weak self] in
            for connection in self?.connections() ?? [] { connection.mayGoOn() }
        }
    }

    /// Looks a little later what is to be done; where it is urgent, on the next turn of the loop, if it was not just done.
    private func watch(isUrgent: Bool) {
        if isUrgent ? isUrgentDue : isDue { return }
        if isUrgent { isUrgentDue = true } else { isDue = true }
        let since = Int((loop.now &- enforcedAt) / 1_000_000)
        let wait = isUrgent ? max(0, BufferBudget.pause - since) : BufferBudget.patience
        loop.after(milliseconds: wait) { [weak self] in
            guard let self else { return }
            if isUrgent { isUrgentDue = false } else { isDue = false }
            enforce()
        }
    }

    /// Whether a client must wait: the bound is passed, and it holds more than its share.
    func isOver(_ connection: Connection) -> Bool {
        let limits = limits()
        if let user = users[connection.peer.uid], user.bytes > limits.userBuffers,
            connection.cost > share(user, limits.userBuffers)
        {
            return true
        }
        return all.bytes > limits.buffers && connection.cost > share(all, limits.buffers)
    }

    private func share(_ sum: Sum, _ limit: Int) -> Int {
        max(BufferBudget.least, limit / max(1, sum.clients))
    }

    /// Closes the largest until the others have room.
    private func enforce() {
        enforcedAt = loop.now
        let limits = limits(), all = connections()
        // At first by a number for each user, since there may be thousands.
        let shares = users.mapValues { user in
            min(
                user.bytes > limits.userBuffers ? share(user, limits.userBuffers) : Int.max,
                self.all.bytes > limits.buffers ? share(self.all, limits.buffers) : Int.max)
        }
        let large = all.filter { $0.cost > shares[$0.peer.uid] ?? Int.max }
        for connection in large.sorted(by: { $0.cost > $1.cost }) where isOver(connection) {
            let uid = connection.peer.uid, bytes = users[uid]?.bytes ?? 0
            let isUsers = bytes > limits.userBuffers
            let message =
                isUsers
                ? "the clients of user \(uid) hold \(bytes) bytes of what is unread, unfinished or of sessions that they joined, \(limits.userBuffers) are allowed ('limits.userBuffers'), and this one holds \(connection.cost) of them; read answers, send whole lines, and close sessions"
                : "all clients hold \(self.all.bytes) bytes of what is unread, unfinished or of sessions that they joined, \(limits.buffers) are allowed ('limits.buffers'), and this one holds \(connection.cost) of them; read answers, send whole lines, and close sessions"
            connection.closeForGood(WireError(.overloaded, message))
        }
        let isFull =
            self.all.bytes > limits.buffers || users.values.contains { $0.bytes > limits.userBuffers }
        if isFull { watch(isUrgent: false) }
        // Those that may go on now do so.
        for connection in all where connection.waitsForRoom { connection.mayGoOn() }
    }
}
