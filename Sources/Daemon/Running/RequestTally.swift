internal import Protocol

/// How many requests were answered, by method and outcome, since the daemon began.
final class RequestTally {
    /// A method and what came of it.
    struct Key: Hashable {
        let method: Method
        /// Nil for an answer.
        let error: ErrorKind?
    }

    private(set) var counts: [Key: Int] = [:]
    /// Told of each request that was answered: who asked for what, about which session, and what came of it.
    var answered: (Client, Method, _ session: String?, ErrorKind?) -> Void = { _, _, _, _ in }

    func note(_ client: Client, _ method: Method, _ session: String?, _ error: ErrorKind?) {
        counts[Key(method: method, error: error), default: 0] += 1
        answered(client, method, session, error)
    }
}

extension Method {
    /// Whether who asked for it is kept: what changes sessions, the store or the daemon, and has no record of its own.
    var isAudited: Bool {
        switch self {
        case .branchDelete, .branchRewind, .branchSwitch, .importRecords, .messageDelete, .messageSet,
            .serverReload, .sessionCompact, .sessionForkOwn, .sessionPurge, .sessionRestore, .sessionSet,
            .storeBackup, .storeCheck, .storePrune, .summaryDelete, .summarySet, .turnSet, .sessionDelete,
            .sessionFork, .sessionNew, .sessionSetConfigOption:
            true
        default: false
        }
    }
}
