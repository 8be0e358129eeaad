package import Conversation

/// Takes what a message says out of the store for good, and what belongs to its tool calls with it; their places stay, empty.
///
/// `Store.purged` says when nothing of it is left in any file.
package struct DeleteMessage: ArchiveWrite {
    /// What came of it.
    package enum Output: Sendable, Equatable {
        /// The session is not there, or has no such message on its path.
        case missing
        /// Other sessions show it too, and nobody said that it may go there: some of the session's owner, and whether there are some
        /// of other users.
        case shared([SessionID], isAnothers: Bool)
        /// Those that are empty now, oldest first, and the sessions that show them.
        case deleted([MessageID], shownBy: Set<SessionRow>)
    }

    package let session: SessionRow
    package let message: MessageID
    /// Whether it may go from every session that shows it.
    package let isEverywhere: Bool
    /// Whether those may be other users' sessions.
    package let isByAdministrator: Bool

    package init(
        _ message: MessageID, of session: SessionRow, isEverywhere: Bool, isByAdministrator: Bool
    ) {
        self.isByAdministrator = isByAdministrator
        self.session = session
        self.message = message
        self.isEverywhere = isEverywhere
    }
}
