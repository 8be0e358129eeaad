package import Conversation

/// A turn with its session.
package struct TurnFound: Sendable {
    /// With its prompt where it waits.
    package let stored: StoredTurn
    package let session: SessionRecord

    package init(_ stored: StoredTurn, _ session: SessionRecord) {
        self.stored = stored
        self.session = session
    }
}

/// A turn by its ID, with its prompt where it waits; nil when there is none such, or it is another user's.
///
/// Another's turn costs what none costs: it is not read before it is known whose it is.
package struct TurnByID: ArchiveRead {
    package typealias Output = TurnFound?
    package let id: TurnID
    /// nil for any user's.
    package let owner: UserID?

    package init(_ id: TurnID, owner: UserID?) {
        self.id = id
        self.owner = owner
    }
}

/// Turns that wait or run, of all sessions, oldest first, without their prompts: a page behind a row.
package struct OpenTurns: ArchiveRead {
    /// A page of turns with their sessions.
    package struct Output: Sendable {
        /// Those of a session together, oldest first; one whose session is gone is left out.
        package var turns: [TurnFound] = []
        /// What is wrong with those that cannot be read, a sentence each; the others go on.
        package var damaged: [String] = []
        /// Where the next page goes on; nil at the end.
        package var next: Place?
        package init() {}
    }

    /// A turn's place among those that are open.
    package struct Place: Sendable, Equatable {
        package let session: SessionRow
        package let turn: TurnRow

        package init(_ session: SessionRow, _ turn: TurnRow) {
            self.session = session
            self.turn = turn
        }
    }

    package let state: TurnRecord.State
    /// Only turns behind this one; nil begins with the first session's oldest.
    package let after: Place?
    /// Turns at most.
    package let limit: Int

    /// `state` is `queued` or `running`.
    package init(_ state: TurnRecord.State, after: Place? = nil, limit: Int = 500) {
        self.state = state
        self.after = after
        self.limit = limit
    }
}

/// The stored pieces of a running answer as one; as large as an answer may be.
package struct AnswerSoFar: ArchiveRead {
    package typealias Output = Answer
    package let turn: TurnRow
    /// Who answers, for seals on thoughts.
    package let issuer: String?

    /// Takes the upstream that the turn was stored with as the issuer of its thoughts.
    package init(_ turn: StoredTurn) {
        self.turn = turn.row
        issuer = turn.turn.upstream
    }
}

/// A session's turns, newest first.
package struct TurnList: ArchiveRead {
    /// Which of them.
    package enum Choice: Sendable, Equatable {
        /// All that there are, or those that run or wait.
        case all, open
        /// The one that a request ID began.
        case request(String)
    }

    /// A page, newest turn first.
    package struct Output: Sendable {
        package let turns: [StoredTurn]
        /// Whether older ones follow.
        package let isMore: Bool

        package init(turns: [StoredTurn], isMore: Bool) {
            self.turns = turns
            self.isMore = isMore
        }
    }

    package let session: SessionRow
    package let choice: Choice
    /// The last one of the page before.
    package let before: TurnRow?
    /// Turns at most.
    package let limit: Int
    /// About, and at least one turn.
    package let bytes: Int

    package init(_ session: SessionRow, _ choice: Choice, before: TurnRow?, limit: Int, bytes: Int) {
        self.session = session
        self.choice = choice
        self.before = before
        self.limit = limit
        self.bytes = bytes
    }
}

/// The tries of a turn, in order.
package struct AttemptList: ArchiveRead {
    package typealias Output = [Attempt]
    package let turn: TurnRow
    package init(_ turn: TurnRow) { self.turn = turn }
}

/// What decides whether a session may begin a turn; what is not asked for is nil.
package struct PromptLook: ArchiveRead {
    /// What was found, each field by what was asked for.
    package struct Output: Sendable {
        /// The session as it is now; nil when it is gone, or was not asked for.
        package var record: SessionRecord?
        /// The turn that the request ID began.
        package var known: StoredTurn?
        /// What the user used on the day.
        package var userUsage: UsageSum?
        /// What the session has used in all.
        package var sessionUsage: UsageSum?
        package init() {}
    }

    /// The session that is read anew; nil for none.
    package var record: SessionRow?
    /// The session whose request is looked for.
    package var request: (session: SessionRow, id: String)?
    /// Whose usage is summed up, and of which day since 1970 (UTC).
    package var user: (owner: UserID, day: Int64)?
    /// The session whose usage is summed up.
    package var usage: SessionRow?

    package init() {}

    /// Whether it asks for nothing.
    package var isEmpty: Bool { record == nil && request == nil && user == nil && usage == nil }
}
