package import Conversation
package import Search

/// A slice of a search through sessions in the order of their activity: bounded, and resumed behind where it stopped.
package struct FindSessions: ArchiveRead {
    /// Whose sessions: one user's, or those of all.
    package enum Owner: Sendable { case user(UserID), all }

    package var owner: Owner
    /// What the title holds, compared in the normal form; nil for any.
    package var title: SearchQuery?
    /// A tag that it has; nil for any.
    package var tag: String?
    /// Its directory, compared by bytes; nil for any.
    package var cwd: String?
    /// The upstream that it names itself; nil for any.
    package var upstream: String?
    /// The model that it names itself; nil for any.
    package var model: String?
    /// nil means those that are not.
    package var isArchived: Bool?
    /// Whether those in the trash are meant, in place of the others.
    package var isTrashed: Bool
    /// Whether sessions without messages and turns are listed too.
    package var includesEmpty: Bool
    /// Milliseconds since 1970 of the last change: from `since` on, before `until`.
    package var since: Int64?
    package var until: Int64?
    /// Whether the last change comes first.
    package var isDescending: Bool
    /// Go on behind this activity.
    package var after: Int64?
    /// Sessions at most.
    package var limit: Int
    /// Bytes that a page may have, one session at least.
    package var bytes = 1 << 20
    /// Rows looked at in one slice.
    package var slice = 2_000

    package init(owner: Owner, limit: Int) {
        self.owner = owner
        self.limit = limit
        isTrashed = false
        includesEmpty = false
        isDescending = true
    }

    /// What one slice found.
    package struct Output: Sendable {
        /// In the order that was asked for.
        package var sessions: [SessionRecord] = []
        /// Where the next slice goes on; nil when everything was looked at.
        package var next: Int64?
        /// What is wrong with sessions that cannot be read, a sentence each; the others go on.
        package var damaged: [String] = []
        /// Whether the page is full by its bytes.
        package var isFull = false

        package init(
            sessions: [SessionRecord] = [], next: Int64? = nil, damaged: [String] = [], isFull: Bool = false
        ) {
            self.sessions = sessions
            self.next = next
            self.damaged = damaged
            self.isFull = isFull
        }
    }

    /// Whether a session passes the filters, whoever it belongs to.
    package func matches(_ session: Session) -> Bool {
        if (session.trashedAt != nil) != isTrashed { return false }
        // In the trash those are wanted that were archived too, unless somebody asks for one kind.
        if let wanted = isArchived ?? (isTrashed ? nil : false), session.isArchived != wanted { return false }
        if session.isEmpty && !includesEmpty { return false }
        if let tag, !session.tags.contains(where: { $0.utf8.elementsEqual(tag.utf8) }) { return false }
        if let cwd, !session.cwd.utf8.elementsEqual(cwd.utf8) { return false }
        if let upstream, session.settings.upstream != upstream { return false }
        if let model, session.settings.model != model { return false }
        if let since, session.updatedAt < since { return false }
        if let until, session.updatedAt >= until { return false }
        if let title, !title.matches(NormalForm.of(session.title ?? "")) { return false }
        return true
    }
}
