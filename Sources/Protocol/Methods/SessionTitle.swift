internal import Conversation
internal import JSON

extension Method {
    /// `_convod/session/title`: has a model name a session by the beginning of its conversation.
    package enum SessionTitle: Contract {
        package static let method = Method.sessionTitle
        package static let callers = Callers.controllers
        package static let order = RequestOrder.looks
        package typealias Parameters = OneSession
        package typealias Result = Wire.Session
    }
}
