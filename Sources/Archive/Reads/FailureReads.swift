package import Conversation

/// Tries at upstreams that came to nothing, the newest first.
package struct FailedAttempts: ArchiveRead {
    package typealias Output = [FailedAttempt]

    /// Whose; nil for everybody's.
    package let owner: UserID?
    /// Milliseconds since 1970 from which on they ended.
    package let since: Int64
    /// How many at most.
    package let limit: Int

    package init(owner: UserID?, since: Int64, limit: Int) {
        self.owner = owner
        self.since = since
        self.limit = limit
    }
}

/// A try that came to nothing, with whose it was.
package struct FailedAttempt: Sendable, Equatable {
    package let session: SessionID
    package let owner: UserID
    /// What it was for.
    package enum Purpose: Sendable, Equatable { case turn(TurnID), summary(SummaryID) }
    package let purpose: Purpose
    /// How the turn stands or ended, or the summary: a later try may have answered it.
    package let state: TurnRecord.State
    package let attempt: Attempt

    package init(
        session: SessionID, owner: UserID, for purpose: Purpose, state: TurnRecord.State, attempt: Attempt
    ) {
        self.session = session
        self.owner = owner
        self.purpose = purpose
        self.state = state
        self.attempt = attempt
    }
}
