package import Conversation
internal import JSON

extension Method {
    /// `_convod/message/delete`: what a message says goes for good, and what belongs to its tool calls with it.
    package enum MessageDelete: Contract {
        package static let method = Method.messageDelete
        package static let callers = Callers.controllers
        package static let order = RequestOrder.looksAndChanges

        /// What it takes.
        package struct Parameters: MethodParameters {
            package var id: SessionID
            /// A message of the active path.
            package var messageID: MessageID
            /// Whether it may go from other sessions that show it too.
            package var isEverywhere: Bool

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                id = try reader.sessionID()
                guard let message = try reader.messageID("messageId") else {
                    throw .invalid("'messageId' is missing")
                }
                messageID = message
                isEverywhere = try reader.bool("everywhere") ?? false
            }
        }

        /// What it gives, when nothing of it is left in any file.
        package struct Result: Codable, MethodResult {
            /// Those that are empty now, oldest first.
            package var messageIds: [MessageID]

            package init(messageIds: [MessageID]) { self.messageIds = messageIds }
        }
    }
}
