package import Conversation
internal import JSON

extension Method {
    /// `_convod/message/set`: gives a message other words, on a branch of their own; the old text stays.
    package enum MessageSet: Contract {
        package static let method = Method.messageSet
        package static let callers = Callers.controllers
        package static let order = RequestOrder.looksAndChanges

        /// What it takes.
        package struct Parameters: MethodParameters {
            package var id: SessionID
            package var messageID: MessageID
            /// The raw JSON array of parts.
            package var content: [UInt8]

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                id = try reader.sessionID()
                guard let message = try reader.messageID("messageId") else {
                    throw .invalid("'messageId' is missing")
                }
                messageID = message
                guard let array = try reader.array("content") else { throw .invalid("'content' is missing") }
                content = Array(array.raw)
            }
        }
        package typealias Result = Wire.ActivePath
    }
}
