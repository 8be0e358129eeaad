internal import Conversation
internal import JSON

extension Method {
    /// `_convod/session/purge`: a session goes for good, out of the file, the index and the log.
    package enum SessionPurge: Contract {
        package static let method = Method.sessionPurge
        package static let callers = Callers.controllers
        package static let order = RequestOrder.looksAndChanges
        package typealias Parameters = OneSession

        /// What it gives, when everything is gone.
        package struct Result: Codable, MethodResult {
            /// Messages that are gone.
            package var messages: Int
            /// Bytes of their contents.
            package var bytes: Int
            /// Messages that forks hold too, and that stay with them.
            package var sharedMessages: Int

            package init(messages: Int, bytes: Int, sharedMessages: Int) {
                self.messages = messages
                self.bytes = bytes
                self.sharedMessages = sharedMessages
            }
        }
    }
}
