internal import Conversation
internal import JSON

extension Method {
    /// `session/load` (ACP v1): joins a session, with all its history as updates.
    package enum SessionLoad: Contract {
        package static let method = Method.sessionLoad
        package static let callers = Callers.everyone
        package static let order = RequestOrder.looks
        package static let isConversation = true
        package typealias Parameters = OneOpening
        package typealias Result = Wire.OpenedSession
    }
}
