package import Conversation

/// Keeps what a model named a session, with what that used.
package struct KeepTitle: ArchiveWrite {
    /// The session as it is now; nil where it is gone or in the trash meanwhile.
    package typealias Output = SessionRecord?
    package let id: SessionID
    package let owner: UserID
    package let session: SessionRow
    /// Nil where none came of it: what was used was used.
    package let title: String?
    package let used: TurnUsage?
    /// Who was asked.
    package let upstream: String
    package let model: String

    /// `used` is nil where nobody answered and nothing is paid.
    package init(
        _ title: String?, of session: SessionRecord, used: TurnUsage?, upstream: String, model: String
    ) {
        id = session.session.id
        owner = session.session.owner
        self.session = session.row
        self.title = title
        self.used = used
        self.upstream = upstream
        self.model = model
    }
}
