internal import Conversation

/// Stretches of users' orders of changes in which every session is empty.
///
/// Searches find them and leap over them: who makes a million sessions and says nothing in them makes no list longer than
/// once. What was found holds as long as the store is open, since whatever happens to a session moves it to the end of the
/// order.
struct BarrenStretches {
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

        mutating func leap(_ stretch: Range<Int64>) {
            top = top ?? stretch.upperBound
            bottom = stretch.lowerBound
            count = Run.least
        }

        /// What they make, where that is worth a note.
        var stretch: Range<Int64>? { count >= Run.least ? top.map { bottom..<$0 } : nil }
    }

    /// Stretches that are kept of one user, and users that any are kept of.
    private static let most = 32, mostUsers = 256

    private var found: [UserID: [Range<Int64>]] = [:]

    /// The stretch that a place is in, or at an end of.
    func touching(_ edge: Int64, of owner: UserID) -> Range<Int64>? {
        found[owner]?.first { $0.lowerBound <= edge && edge <= $0.upperBound }
    }

    /// The nearest stretch that ends at a place or before it.
    func below(_ edge: Int64, of owner: UserID) -> Range<Int64>? {
        found[owner]?.filter { $0.upperBound <= edge }.max { $0.upperBound < $1.upperBound }
    }

    /// Keeps a stretch, as one with those that it touches.
    mutating func note(_ stretch: Range<Int64>, of owner: UserID) {
        if found[owner] == nil && found.count == BarrenStretches.mostUsers { found = [:] }
        var whole = stretch, others: [Range<Int64>] = []
        for known in found[owner] ?? [] {
            if known.lowerBound <= whole.upperBound && whole.lowerBound <= known.upperBound {
                let low = min(known.lowerBound, whole.lowerBound)
                whole = low..<max(known.upperBound, whole.upperBound)
            } else {
                others.append(known)
            }
        }
        // A short one costs least when it is forgotten.
        if others.count == BarrenStretches.most,
            let least = others.indices.min(by: { others[$0].count < others[$1].count })
        {
            others.remove(at: least)
        }
        found[owner] = others + [whole]
    }
}
