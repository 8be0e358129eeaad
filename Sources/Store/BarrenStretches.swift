internal import Conversation

/// Stretches of users' orders of changes in which every session is empty.
///
/// Searches find them and leap over them: who makes a million sessions and says nothing in them makes no list longer than
/// once. What was found holds as long as the store is open, since whatever happens to a session moves it to the end of the
/// order.
struct BarrenStretches {
    /// Places of the order between which there are empty sessions alone, and how many.
    struct Stretch {
        let lowerBound: Int64
        /// Behind the last of them.
        let upperBound: Int64
        let count: Int
    }

    /// Empty sessions one after the other, as a search from the newest on meets them.
    struct Run {
        /// Sessions in a row that are worth a note.
        private static let least = 128

        private var top: Int64?
        private var bottom: Int64 = 0
        private var count = 0

        mutating func add(_ activity: Int64) {
            top = top ?? activity + 1
            bottom = activity
            count += 1
        }

        mutating func leap(_ stretch: Stretch) {
            top = top ?? stretch.upperBound
            bottom = stretch.lowerBound
            count += stretch.count
        }

        /// What they make, where that is worth a note.
        var stretch: Stretch? {
            guard count >= Run.least, let top else { return nil }
            return Stretch(lowerBound: bottom, upperBound: top, count: count)
        }
    }

    /// Stretches that are kept of one user, and users that any are kept of.
    private static let most = 32, mostUsers = 256

    private var found: [UserID: [Stretch]] = [:]

    /// The stretch that a place is in, or at an end of.
    func touching(_ edge: Int64, of owner: UserID) -> Stretch? {
        found[owner]?.first { $0.lowerBound <= edge && edge <= $0.upperBound }
    }

    /// The nearest stretch that ends at a place or before it.
    func below(_ edge: Int64, of owner: UserID) -> Stretch? {
        found[owner]?.filter { $0.upperBound <= edge }.max { $0.upperBound < $1.upperBound }
    }

    /// Keeps a stretch, as one with those that it touches.
    mutating func note(_ stretch: Stretch, of owner: UserID) {
        if found[owner] == nil && found.count == BarrenStretches.mostUsers { found = [:] }
        var whole = stretch, others: [Stretch] = []
        for known in found[owner] ?? [] {
            if known.lowerBound <= whole.upperBound && whole.lowerBound <= known.upperBound {
                // What a search leapt over is among what it met.
                whole = Stretch(
                    lowerBound: min(known.lowerBound, whole.lowerBound),
                    upperBound: max(known.upperBound, whole.upperBound), count: max(known.count, whole.count))
            } else {
                others.append(known)
            }
        }
        // One of few sessions costs least when it is forgotten.
        if others.count == BarrenStretches.most,
            let least = others.indices.min(by: { others[$0].count < others[$1].count })
        {
            others.remove(at: least)
        }
        found[owner] = others + [whole]
    }
}
