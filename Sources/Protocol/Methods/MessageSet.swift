package import Conversation
internal import JSON

extension Method {
    /// `_convod/message/set`: gives a message other words, on a branch of their own, or another mark; the old text stays.
    package enum MessageSet: Contract {
        package static let method = Method.messageSet
        package static let callers = Callers.controllers
        package static let order = RequestOrder.looksAndChanges

        /// What it takes.
        package struct Parameters: MethodParameters {
            package var id: SessionID
            package var messageID: MessageID
            /// The raw JSON array of parts; nil leaves the words.
            package var content: [UInt8]?
            /// Whether every window holds it; nil leaves that.
            package var isPinned: Bool?
            /// Whether no window holds it; nil leaves that.
            package var isExcluded: Bool?

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                id = try reader.sessionID()
                guard let message = try reader.messageID("messageId") else {
                    throw .invalid("'messageId' is missing")
                }
                messageID = message
                content = try reader.array("content").map { Array($0.raw) }
                isPinned = try reader.bool("pinned")
                isExcluded = try reader.bool("excluded")
                if content != nil && (isPinned != nil || isExcluded != nil) {
                    throw .invalid(
                        "'content' stands alone; set 'pinned' or 'excluded' in a request of their own")
                }
                if isPinned == true && isExcluded == true {
                    throw .invalid(
                        "'pinned' and 'excluded' are both true, and a message is one of them at most")
                }
            }
        }
        package typealias Result = Wire.ActivePath
    }
}
