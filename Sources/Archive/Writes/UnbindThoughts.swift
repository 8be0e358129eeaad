package import Conversation

/// Forgets what the thoughts of some answers are bound to, since their provider refused them: they go back to it no more.
package struct UnbindThoughts: ArchiveWrite {
    package typealias Output = Void
    /// The answers.
    package let messages: [MessageID]

    package init(of messages: [MessageID]) { self.messages = messages }
}
