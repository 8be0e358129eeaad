internal import Conversation
internal import JSON

extension Method {
    /// `_convod/session/restore`: takes a session out of the trash.
    package enum SessionRestore: Contract {
        package static let method = Method.sessionRestore
        package static let callers = Callers.controllers
        package static let order = RequestOrder.looksAndChanges
        package typealias Parameters = OneSession
        package typealias Result = Wire.Session
    }
}
