internal import Conversation
internal import JSON

extension Method {
    /// `session/close` (ACP v1): leaves a session, and ends what this client alone asked for on it.
    package enum SessionClose: Contract {
        package static let method = Method.sessionClose
        package static let callers = Callers.everyone
        package static let order = RequestOrder.looks
        package typealias Parameters = OneSession
        package typealias Result = Done
    }
}
