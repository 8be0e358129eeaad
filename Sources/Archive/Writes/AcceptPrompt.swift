package import Conversation

/// Stores a prompt with its turn and its request ID: begun at once, or put into the session's queue.
package struct AcceptPrompt: ArchiveWrite {
    package let session: SessionRow
    /// The turn to store, `queued` or `running`.
    package var turn: TurnRecord
    /// The prompt's message; nil when the turn goes on from the head.
    package let prompt: NewMessage?
    /// For a session that has none.
    package let title: String?
    /// Where the turn goes on from: behind this seq of the active path, on a branch of its own; nil means the head.
    package let base: Int?
    /// The newest message that the client knows of; nil for any.
    package let expectedHead: MessageID?
    /// The path that the window was made of, and its newest seq; nil where that is not made yet.
    package let seen: (branch: BranchRow, head: Int)?
    /// Where the window begins from now on; nil where that stays.
    package let anchor: Anchor?

    /// `turn.state` says whether the prompt begins (`running`) or waits (`queued`).
    package init(
        session: SessionRow, turn: TurnRecord, prompt: NewMessage?, title: String?, base: Int? = nil,
        expectedHead: MessageID? = nil, seen: (branch: BranchRow, head: Int)? = nil,
        anchor: Anchor? = nil
    ) {
        self.anchor = anchor
        self.seen = seen
        self.base = base
        self.expectedHead = expectedHead
        self.session = session
        self.turn = turn
        self.prompt = prompt
        self.title = title
    }

    /// What became of it; only `accepted` stored something.
    package enum Output: Sendable, Equatable {
        /// Stored, and where the session's path ends then; `left` is the branch that was active before, when the turn
        /// began another one.
        case accepted(turnRow: TurnRow, place: PathPlace, leftBranch: BranchRow?)
        /// The request ID was used before, with the same content; whether its answer is on the active path.
        case known(StoredTurn, hasMessage: Bool)
        /// The request ID was used before, with other content.
        case conflict(StoredTurn)
        /// The session is gone or in the trash.
        case missing
        /// The newest message is another one than the client expected; nil when there is none.
        case stale(MessageID?)
        /// The path is not the one that the window was made of.
        case moved
    }
}
