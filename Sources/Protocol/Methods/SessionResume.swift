internal import Conversation
internal import JSON

extension Method {
    /// `session/resume` (ACP v1): joins a session, with what follows a cursor.
    package enum SessionResume: Contract {
        package static let method = Method.sessionResume
        package static let callers = Callers.everyone
        package static let order = RequestOrder.looks
        package static let isConversation = true
        package typealias Parameters = OneOpening
        package typealias Result = Wire.OpenedSession
    }
}
