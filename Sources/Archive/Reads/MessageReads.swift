package import Conversation

/// A page of a session's active path, at most `limit` rows and about `bytes` bytes, and at least one row.
package struct ReadMessages: ArchiveRead {
    package typealias Output = MessagePage
    package let session: SessionRecord
    /// Covers exactly the messages up to this seq, so that later ones do not move the page.
    package let head: Int
    package let start: PageStart
    /// Messages at most.
    package let limit: Int
    /// Bytes of their contents, about.
    package let bytes: Int

    /// Without a `head` the page covers the path as the record has it.
    package init(_ session: SessionRecord, head: Int? = nil, _ start: PageStart, limit: Int, bytes: Int) {
        self.session = session
        self.head = head ?? session.session.messageCount
        self.start = start
        self.limit = limit
        self.bytes = bytes
    }
}

/// Takes messages one after the other as they are read.
package protocol MessageTaker: Sendable {
    /// Takes a message, the one behind those before.
    mutating func take(_ message: Message)
    /// The same for a message that is one plain text and nothing else; the text is a JSON string that lies where it was read.
    mutating func take(_ head: Message.Head, text: Span<UInt8>)
}

/// A page of a session's active path upwards from a seq, of which the messages are handed over as they are read; what they cost
/// of a window is not told.
///
/// It spares those who write them down what a page of messages costs.
package struct TakeMessages<Taker: MessageTaker>: ArchiveRead {
    /// What has taken the messages, and the seq at which the next page begins; nil at the end.
    package typealias Output = (taker: Taker, next: Int?)
    package let session: SessionRecord
    /// The first message's seq.
    package let start: Int
    /// Messages at most.
    package let limit: Int
    /// Bytes of their contents, about.
    package let bytes: Int
    package let taker: Taker

    package init(_ session: SessionRecord, from start: Int, limit: Int, bytes: Int, _ taker: Taker) {
        self.session = session
        self.start = start
        self.limit = limit
        self.bytes = bytes
        self.taker = taker
    }
}

/// The seqs of those of some messages that are on a session's active path.
package struct PlacesOnPath: ArchiveRead {
    package typealias Output = [MessageID: Int]
    package let session: SessionRecord
    /// Those looked for; what is not on the path is not in the answer.
    package let ids: [MessageID]

    package init(_ ids: [MessageID], in session: SessionRecord) {
        self.ids = ids
        self.session = session
    }
}

/// A session as it would be with another of its branches active; nil where it has none such.
package struct SessionOnBranch: ArchiveRead {
    package typealias Output = SessionRecord?
    package let session: SessionRecord
    package let branch: BranchRow

    package init(_ session: SessionRecord, _ branch: BranchRow) {
        self.session = session
        self.branch = branch
    }
}

/// The branch whose path a message is on, whether it is active or not; nil where no branch of the session has it.
package struct BranchOfMessage: ArchiveRead {
    package typealias Output = BranchRow?
    package let message: MessageID
    package let session: SessionRow

    package init(_ message: MessageID, in session: SessionRow) {
        self.message = message
        self.session = session
    }
}

/// What a turn that answers a prompt anew goes on from.
package struct PromptBase: ArchiveRead {
    /// The prompt with its place, or why there is none.
    package enum Output: Sendable {
        /// The named message is not on the active path.
        case offPath
        /// There is no prompt to answer anew.
        case none
        /// The newest turn ended before anybody saw an answer, and nothing of it is on the path: what it was to say, as
        /// raw JSON parts.
        case unanswered([UInt8])
        /// The prompt that the named message is or answers, else the newest; the seq of the named message where it is
        /// another one; and the places at the prompt and before it.
        case prompt(Message, named: Int?, at: PathPlace, before: PathPlace)
    }

    package let session: SessionRecord
    /// nil for the newest.
    package let message: MessageID?
    /// Messages between an answer and its prompt at most.
    package let farthest: Int

    package init(_ session: SessionRecord, _ message: MessageID?, farthest: Int) {
        self.session = session
        self.message = message
        self.farthest = farthest
    }
}

/// What a window may need of a session's history: the newest messages until the need is passed at a turn's edge, and the
/// pins before them.
///
/// With a bound, nil when more than that must be read: then it is asked for without one, away from the loop.
package struct WindowRead: ArchiveRead {
    package typealias Output = StoredHistory?
    package let session: SessionRecord
    /// What bounds the window.
    package let need: HistoryNeed
    /// What may be read on the loop; nil reads as much as is needed.
    package let bound: HistoryBound?
    /// Whose anchor is wanted too; nil for nobody's.
    package let asker: AnchorKey?
    /// Summaries at most, those that end last.
    package static let summaries = 8

    package init(
        _ session: SessionRecord, _ need: HistoryNeed, within bound: HistoryBound?,
        for asker: AnchorKey? = nil
    ) {
        self.asker = asker
        self.session = session
        self.need = need
        self.bound = bound
    }
}
