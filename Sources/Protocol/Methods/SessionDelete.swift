internal import Conversation
internal import JSON

extension Method {
    /// `session/delete` (ACP v1): puts a session into the trash.
    package enum SessionDelete: Contract {
        package static let method = Method.sessionDelete
        package static let callers = Callers.controllers
        package static let order = RequestOrder.looksAndChanges
        package typealias Parameters = OneSession
        package typealias Result = Done
    }
}
