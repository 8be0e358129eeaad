internal import Conversation

/// Clients that wait, in a line for each user: one of each at a time, so that nobody gains by many connections.
struct UserLines<Client> {
    private var lines: [UserID: Fifo<Client>] = [:]
    private var order = Fifo<UserID>()
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    mutating func append(_ client: Client, of user: UserID) {
        if lines[user] == nil { order.append(user) }
        lines[user, default: Fifo()].append(client)
        count += 1
    }

    /// The one that waits longest of the user whose turn it is; nil where nobody waits.
    mutating func popFirst() -> Client? {
        guard let user = order.popFirst(), let client = lines[user]?.popFirst() else { return nil }
        count -= 1
        if lines[user]?.isEmpty ?? true { lines[user] = nil } else { order.append(user) }
        return client
    }
}
