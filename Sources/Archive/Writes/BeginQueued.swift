package import Conversation

/// Takes a turn out of the queue and begins it.
package struct BeginQueued: ArchiveWrite {
    /// What became of it; only `begun` stored something.
    package enum Output: Sendable, Equatable {
        /// It is stored as running, its prompt as a message.
        case begun(Begun)
        /// The turn is not in the queue any more.
        case gone
        /// The path is not the one that the window was made of.
        case moved
    }

    package let turn: TurnID
    /// The prompt's message; nil when the turn goes on from the head.
    package let prompt: NewMessage?
    /// For a session that has none.
    package let title: String?
    /// The name of who is asked first.
    package let upstream: String
    /// The model by its provider's name.
    package let model: String
    /// What is sent and what is left out; raw JSON.
    package let receipt: [UInt8]
    /// The path that the window was made of, and its newest seq.
    package let seen: (branch: BranchRow, head: Int)
    /// Where the window begins from now on; nil where that stays.
    package let anchor: Anchor?

    package init(
        _ turn: TurnID, prompt: NewMessage?, title: String?, upstream: String, model: String,
        receipt: [UInt8], seen: (branch: BranchRow, head: Int), anchor: Anchor? = nil
    ) {
        self.anchor = anchor
        self.seen = seen
        self.turn = turn
        self.prompt = prompt
        self.title = title
        self.upstream = upstream
        self.model = model
        self.receipt = receipt
    }

    /// A turn that runs now.
    package struct Begun: Sendable, Equatable {
        package let turnRow: TurnRow
        /// Where the session's path ends then: at the prompt's message, if it has one.
        package let place: PathPlace

        package init(turnRow: TurnRow, place: PathPlace) {
            self.turnRow = turnRow
            self.place = place
        }
    }
}
