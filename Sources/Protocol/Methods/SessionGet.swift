internal import Conversation
internal import JSON

extension Method {
    /// `_convod/session/get`: one session with all that is known of it.
    package enum SessionGet: Contract {
        package static let method = Method.sessionGet
        package static let callers = Callers.everyone
        package static let order = RequestOrder.looks
        package typealias Parameters = OneSession
        package typealias Result = Wire.Session
    }
}
