internal import Conversation
internal import Protocol

/// How much of one kind each user does at one time, where each holds memory that nobody else counts.
final class UserShares {
    /// One of them; it is given back when it goes.
    final class Share {
        private let shares: UserShares
        private let user: UserID

        fileprivate init(_ shares: UserShares, _ user: UserID) {
            self.shares = shares
            self.user = user
        }

        deinit {
            let rest = (shares.counts[user] ?? 1) - 1
            shares.counts[user] = rest == 0 ? nil : rest
        }
    }

    private let what: String
    private let most: Int
    private var counts: [UserID: Int] = [:]

    /// `what` is what they do, as in "exports".
    init(_ what: String, most: Int) {
        self.what = what
        self.most = most
    }

    func take(_ user: UserID) throws(WireError) -> Share {
        let count = counts[user] ?? 0
        guard count < most else {
            throw WireError(
                .busy,
                "\(count) \(what) of user \(user) are under way, \(most) are allowed; wait for one to end")
        }
        counts[user] = count + 1
        return Share(self, user)
    }
}
