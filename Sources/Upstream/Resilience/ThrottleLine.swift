package import Conversation

/// Who waits for a throttle that all users of an upstream share: each user's requests in their order, one of each user at a time.
///
/// Without it whoever looks first when there is room has it, and who has the most requests looks most often.
package struct ThrottleLine {
    /// Who waits.
    package struct Place: Sendable, Hashable {
        package let user: UserID
        /// Tells requests of one user apart, while they wait.
        package let request: ObjectIdentifier

        package init(_ user: UserID, _ request: ObjectIdentifier) {
            self.user = user
            self.request = request
        }
    }

    private struct Waiter {
        let place: Place
        var tokens: Int
        /// Who has not looked again until then is gone.
        var until: Int64
    }

    /// Milliseconds that one may come late who was told to come at some time, beside a third of what it was told to wait.
    private static let grace: Int64 = 3_000

    private var waiters: [Waiter] = []
    /// When each user was served last, in the order of that; who is not in it was not served while others waited.
    private var served: [UserID: Int] = [:]
    private var count = 0

    /// What stands before one in the line, or would where it is not in it: how many requests and of how many tokens.
    func before(_ place: Place, now: Int64) -> (requests: Int, tokens: Int) {
        let mine = rank(of: place, now: now), turn = served[place.user] ?? 0
        var ranks: [UserID: Int] = [:], ahead = (requests: 0, tokens: 0)
        for waiter in waiters where waiter.until >= now {
            let rank = ranks[waiter.place.user, default: 0]
            ranks[waiter.place.user] = rank + 1
            let other = served[waiter.place.user] ?? 0
            if waiter.place == place || waiter.place.user == place.user && rank >= mine { continue }
            let isAhead =
                waiter.place.user == place.user || (rank, other) < (mine, turn)
                || (rank, other) == (mine, turn) && isEarlier(waiter.place, than: place)
            if !isAhead { continue }
            ahead.requests += 1
            ahead.tokens += waiter.tokens
        }
        return ahead
    }

    /// Whether one that waits came to the line before another, which may not be in it.
    private func isEarlier(_ one: Place, than other: Place) -> Bool {
        let first = waiters.first { $0.place == one || $0.place == other }
        return first?.place == one
    }

    /// How many of the same user stand before one, in the line or behind all of them.
    private func rank(of place: Place, now: Int64) -> Int {
        var rank = 0
        for waiter in waiters where waiter.place.user == place.user && waiter.until >= now {
            if waiter.place == place { return rank }
            rank += 1
        }
        return rank
    }

    /// One waits and comes again after so many milliseconds; in the line it keeps its place.
    mutating func wait(_ place: Place, tokens: Int, milliseconds: Int, now: Int64) {
        let until = now + Int64(milliseconds) * 4 / 3 + ThrottleLine.grace
        if let index = waiters.firstIndex(where: { $0.place == place }) {
            (waiters[index].tokens, waiters[index].until) = (tokens, until)
        } else {
            waiters.removeAll { $0.until < now }
            waiters.append(Waiter(place: place, tokens: tokens, until: until))
        }
    }

    /// One waits no more: it goes now, or never.
    mutating func leave(_ place: Place, isServed: Bool) {
        waiters.removeAll { $0.place == place }
        if waiters.isEmpty { return served = [:] }
        guard isServed else { return }
        count += 1
        served[place.user] = count
    }
}
