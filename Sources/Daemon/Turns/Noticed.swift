internal import Archive

/// What clients were told of a session once, and need not be told again.
final class Noticed {
    /// Things that are remembered at most; then all are forgotten.
    private static let most = 10_000

    private var known: Set<String> = []

    /// Whether this is new of a session.
    func isNew(_ what: String, of session: SessionRow) -> Bool {
        if known.count >= Noticed.most { known = [] }
        return known.insert("\(session.number)\n\(what)").inserted
    }
}
