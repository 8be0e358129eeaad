package import Conversation

/// Keeps what came of summarizing a stretch of a branch's path, with the tries and what they used.
package struct KeepSummary: ArchiveWrite {
    /// Whether it was kept: false where its session or messages are gone meanwhile.
    package typealias Output = Bool
    package let session: SessionRow
    /// Of whose path the summary speaks.
    package let branch: BranchRow
    package let summary: Summary
    package let attempts: [Attempt]
    /// What it used; nil where nobody answered.
    package let used: TurnUsage?
    /// Whether it is kept at all: of one that was broken off only what it used is.
    package let isKept: Bool

    package init(
        _ summary: Summary, of session: SessionRow, on branch: BranchRow, attempts: [Attempt],
        used: TurnUsage?, isKept: Bool = true
    ) {
        self.isKept = isKept
        self.session = session
        self.branch = branch
        self.summary = summary
        self.attempts = attempts
        self.used = used
    }
}

/// Gives a summary other words.
package struct EditSummary: ArchiveWrite {
    /// As it is now; nil where the session has none such.
    package typealias Output = Summary?
    package let session: SessionRow
    package let id: SummaryID
    package let text: String

    package init(_ id: SummaryID, of session: SessionRow, text: String) {
        self.session = session
        self.id = id
        self.text = text
    }
}

/// Throws a summary's words away; what it covered is not summarized again unasked.
package struct RemoveSummary: ArchiveWrite {
    /// Whether there was one.
    package typealias Output = Bool
    package let session: SessionRow
    package let id: SummaryID

    package init(_ id: SummaryID, of session: SessionRow) {
        self.session = session
        self.id = id
    }
}
