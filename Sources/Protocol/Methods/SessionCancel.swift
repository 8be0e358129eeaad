internal import Conversation
internal import JSON

extension Method {
    /// `session/cancel` (ACP v1): ends the running turn and what this client has in the queue; a notification.
    package enum SessionCancel: Contract {
        package static let method = Method.sessionCancel
        package static let callers = Callers.controllers
        package static let order = RequestOrder.overtakes
        package static let isConversation = true
        package typealias Parameters = OneSession
        package typealias Result = Done
    }
}
