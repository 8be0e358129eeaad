package import Conversation

/// The summaries of a session's active path, those made last first; thrown away ones are left out.
package struct SummaryList: ArchiveRead {
    /// A page.
    package struct Output: Sendable {
        package let summaries: [Summary]
        /// Where the next page goes on; nil at the end.
        package let next: Int64?

        package init(summaries: [Summary], next: Int64?) {
            self.summaries = summaries
            self.next = next
        }
    }

    package let session: SessionRecord
    /// Where the page before ended; nil for the newest.
    package let before: Int64?
    /// Summaries that are looked at, at most.
    package let limit: Int

    package init(_ session: SessionRecord, before: Int64? = nil, limit: Int) {
        self.session = session
        self.before = before
        self.limit = limit
    }
}

/// A summary of a session with its tries, on whatever branch; nil when there is none such, or it was thrown away.
package struct SummaryByID: ArchiveRead {
    package typealias Output = (summary: Summary, attempts: [Attempt])?
    package let session: SessionRow
    package let id: SummaryID

    package init(_ id: SummaryID, of session: SessionRow) {
        self.session = session
        self.id = id
    }
}

/// The summaries that end last on a session's path, thrown away ones too; at most `WindowRead.summaries`.
package struct NewestSummaries: ArchiveRead {
    package typealias Output = [Summary]
    package let session: SessionRecord
    package init(_ session: SessionRecord) { self.session = session }
}

/// The place of the prompt with which the newest turn of a session's path begins; nil where there is none near the head.
package struct NewestPrompt: ArchiveRead {
    package typealias Output = Int?
    package let session: SessionRecord
    /// Messages behind it at most.
    package let farthest: Int

    package init(_ session: SessionRecord, farthest: Int) {
        self.session = session
        self.farthest = farthest
    }
}

/// Some of a session's summaries on whatever branch, those made first first, thrown away ones too.
package struct AllSummaries: ArchiveRead {
    /// A page.
    package struct Output: Sendable {
        /// Each with the last message that it covers.
        package var summaries: [(summary: Summary, end: MessageID)] = []
        /// Where the next page goes on; nil at the end.
        package var next: Int64?
        package init() {}
    }

    package let session: SessionRow
    /// Where the page before ended; 0 for the first.
    package let after: Int64
    package let limit: Int

    package init(_ session: SessionRow, after: Int64, limit: Int) {
        self.session = session
        self.after = after
        self.limit = limit
    }
}
