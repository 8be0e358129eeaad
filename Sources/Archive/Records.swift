package import Conversation

/// A stored session with the handles by which an engine finds its messages.
package struct SessionRecord: Sendable, Equatable {
    package var session: Session
    package let row: SessionRow
    /// The active branch.
    package let branch: BranchRow

    package init(_ session: Session, row: SessionRow, branch: BranchRow) {
        self.session = session
        self.row = row
        self.branch = branch
    }

    /// The session as it would be with another branch active, or with its head further back.
    package func at(_ place: PathPlace) -> SessionRecord {
        var session = session
        session.messageCount = place.head
        session.tokens = place.tokens
        return SessionRecord(session, row: row, branch: place.branch)
    }

    /// Bytes that a session costs in a list.
    package var listedBytes: Int {
        300 + session.cwd.utf8.count + (session.title?.utf8.count ?? 0) + session.listedRareBytes
    }
}

/// A place on a path: its branch, the seq of its newest message, and the estimate over it in tokens.
package struct PathPlace: Sendable, Equatable {
    /// The branch that the path ends in.
    package let branch: BranchRow
    /// The seq of the newest message; 0 where there is none.
    package let head: Int
    /// The estimate over the path up to there.
    package let tokens: Int

    package init(branch: BranchRow, head: Int, tokens: Int) {
        self.branch = branch
        self.head = head
        self.tokens = tokens
    }
}

/// A stored turn with its session's handles.
package struct StoredTurn: Sendable, Equatable {
    package var turn: TurnRecord
    package let row: TurnRow
    package let sessionRow: SessionRow

    package init(_ turn: TurnRecord, row: TurnRow, sessionRow: SessionRow) {
        self.turn = turn
        self.row = row
        self.sessionRow = sessionRow
    }
}
