internal import Conversation
internal import Protocol

extension TurnEngine {
    /// A turn whose upstream is being looked for, or whose end as one that never began is on its way to the store.
    final class Starting {
        /// nil for one that is not stored yet.
        let turn: TurnID?
        /// The request that asked for it.
        let token: ObjectIdentifier?
        /// Who asked, where the turn is to end with that client.
        private(set) weak var leaver: Connection?
        /// What to tell those who cancelled it meanwhile.
        var cancelled: [(CancelOutcome) -> Void] = []
        var isCancelled: Bool { !cancelled.isEmpty }
        /// Gives it up, since the daemon stops: what is stored waits for the next start.
        ///
        /// nil when there is nothing to give up.
        var stop: (() -> Void)?

        init(turn: TurnID? = nil, asker: Waiter? = nil, leaves: Bool = false) {
            self.turn = turn
            token = asker?.token
            if leaves { leaver = asker?.connection }
        }
    }

    /// What a prompt is told that the daemon takes no more.
    static let stopping = WireError(.shuttingDown, "the daemon is stopping; try again in a moment")
}

extension WireError {
    /// What a prompt that was cancelled before it was stored is told.
    static let cancelledUnstored = WireError(.cancelled, "the prompt was cancelled before it was stored")
}
