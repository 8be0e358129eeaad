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
    /// Told of each request that is answered: which, the session's ID as it was given, and what came of it; the answer leaves
    /// when `then` is called.
    var answered: (Client.Call, _ session: String?, ErrorKind?, _ then: @escaping () -> Void) -> Void = {
        $3()
    }

    func note(
        _ call: Client.Call, _ session: String?, _ error: ErrorKind?, then: @escaping () -> Void
    ) {
        counts[Key(method: call.method, error: error), default: 0] += 1
        answered(call, session, error, then)
    }
}

extension Method {
    /// Whether who asked for it is kept: what changes sessions, the store or the daemon, and has no record of its own.
    var isAudited: Bool {
        switch self {
        case .branchDelete, .branchRewind, .branchSwitch, .importRecords, .messageDelete, .messageSet,
            .serverReload, .sessionCompact, .sessionForkOwn, .sessionPurge, .sessionRestore, .sessionSet,
            .sessionTitle, .storeBackup, .storeCheck, .storeCompact, .storePrune, .summaryDelete, .summarySet,
            .turnCancel,
            .turnSet, .sessionDelete, .sessionFork, .sessionNew, .sessionSetConfigOption:
            true
        default: false
        }
    }

    /// Whether it concerns what belongs to nobody alone, which only operators change.
    var isOfOperators: Bool {
        switch self {
        case .serverReload, .storeBackup, .storeCheck, .storeCompact, .storePrune: true
        default: false
        }
    }

    /// Whether it says something in a session, and leaves a turn or messages there: who asked is kept where that is not whose
    /// session it is.
    var speaks: Bool {
        switch self {
        case .messageAppend, .sessionPrompt, .turnContinue, .turnRetry, .turnStart: true
        default: false
        }
    }
}
