package import Conversation

/// Takes a turn out of the queue and begins it.
package struct BeginQueued: ArchiveWrite {
    package enum Output: Sendable, Equatable {
        case begun(Begun)
        /// The turn is not in the queue any more.
        case gone
        /// The path is not the one that the window was made of.
        case moved
    }

    package let turn: TurnID
    package let prompt: NewMessage?
    package let title: String?
    package let upstream: String
    package let model: String
    package let receipt: [UInt8]
    /// The path that the window was made of, and its newest seq.
    package let seen: (branch: BranchRow, head: Int)

    package init(
        _ turn: TurnID, prompt: NewMessage?, title: String?, upstream: String, model: String,
        receipt: [UInt8], seen: (branch: BranchRow, head: Int)
    ) {
        self.seen = seen
        self.turn = turn
        self.prompt = prompt
        self.title = title
        self.upstream = upstream
        self.model = model
        self.receipt = receipt
    }

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
