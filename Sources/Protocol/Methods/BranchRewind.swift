package import Conversation
internal import JSON

extension Method {
    /// `_convod/branch/rewind`: goes back to before a message, on a branch of its own.
    package enum BranchRewind: Contract {
        package static let method = Method.branchRewind
        package static let callers = Callers.controllers
        package static let order = RequestOrder.looksAndChanges
        package typealias Result = Wire.ActivePath

        /// What it takes.
        package struct Parameters: MethodParameters {
            package var id: SessionID
            /// A message of the active path; it stays on its branch with what stands behind it.
            package var before: MessageID

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                id = try reader.sessionID()
                guard let message = try reader.messageID("before") else {
                    throw .invalid("'before' is missing; '_convod/message/list' shows the messages there are")
                }
                before = message
            }
        }
    }
}
