internal import Archive
internal import Conversation
internal import EventLoop

extension TurnEngine {
    /// A prompt that waits for its session.
    final class Queued {
        /// Without the prompt, which is in the store: what waits costs no memory.
        private(set) var record: TurnRecord
        let session: SessionRecord
        /// Bytes of the prompt.
        private(set) var bytes: Int
        private(set) var waiters: [Waiter]
        /// Whether the store has it; before that it is not taken out to run.
        var isStored = false
        /// Edits that are on their way to the store; until they are there it is not taken out either.
        var edits = 0
        /// How often it was edited: what a look found before that is old.
        private(set) var version = 0
        var isReady: Bool { isStored && edits == 0 }
        var interrupts = false
        /// Whether it counts to what its user may ask a minute.
        var isCounted = false
        /// Whether it waited when the daemon was started.
        var isTakenUp = false

        init(_ record: TurnRecord, session: SessionRecord, bytes: Int, waiters: [Waiter]) {
            self.record = record
            self.record.queuedPrompt = nil
            self.session = session
            self.bytes = bytes
            self.waiters = waiters
        }

        /// Other words are in the store in the place of those that waited.
        func edited(bytes: Int, _ hash: [UInt8]?) {
            record.requestHash = hash
            self.bytes = bytes
            version += 1
        }

        /// One more who waits for the same end.
        func add(_ more: [Waiter]) { waiters += more }

        /// Hands the waiters over: whoever gets them answers them, and nobody else does.
        func takeWaiters() -> [Waiter] {
            defer { waiters = [] }
            return waiters
        }
    }

    /// A session's line: what runs and what waits.
    final class Line {
        let id: SessionID
        let owner: UserID
        var running: LiveTurn?
        /// A turn that is being prepared, or taken out of the queue.
        var starting: Starting?
        var queue: [Queued] = []
        /// Turns that came in and wait for a look: whether a limit lets them, or they were asked for before.
        var arriving: [Starting] = []
        /// Whether a look is out that tells whether the queue's first may begin.
        var isLooking = false
        /// Why the queue is not taken from although nothing runs.
        var hold: Hold?
        /// When the limit is looked at again.
        var timer: EventLoop.TimerID?
        /// Changes of the session's path that are on their way to the store.
        var pathChanges = 0
        var hasTurns: Bool { running != nil || starting != nil || !queue.isEmpty }
        var isBusy: Bool { hasTurns || pathChanges > 0 }
        /// Whether the path may not change otherwise: something uses it, or is about to.
        var isTaken: Bool { isBusy || !arriving.isEmpty }

        init(_ session: SessionRecord) {
            id = session.session.id
            owner = session.session.owner
        }

        /// Whether there is nothing to remember of it.
        var isForgotten: Bool { !isBusy && arriving.isEmpty && !isLooking }
        /// All that neither runs nor waits in the queue.
        var beginnings: [Starting] { arriving + (starting.map { [$0] } ?? []) }
    }

    /// A limit that a session's queue waits for.
    enum Hold: Equatable {
        /// The user's prompts per minute; a timer goes on.
        case throttled
        /// A quota; raising it, or the next day, goes on.
        case paused
    }
}

extension TurnEngine.Line {
    /// Whether a request's turn runs or waits here.
    func has(_ request: String) -> Bool {
        running?.record.requestID == request || queue.contains { $0.record.requestID == request }
    }
}
