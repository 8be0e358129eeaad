package import Conversation
internal import JSON

extension Method {
    /// `_convod/message/list`: the messages of the active path.
    package enum MessageList: Contract {
        package static let method = Method.messageList
        package static let callers = Callers.everyone
        package static let order = RequestOrder.looks

        /// By number: the oldest or the newest first.
        package enum Order: String, Sendable, CaseIterable { case asc, desc }

        /// What it takes.
        package struct Parameters: MethodParameters {
            package var id: SessionID
            /// Where the page before ended; nil begins at the first message of the order.
            package var cursor: String?
            /// Rows of the page.
            package var limit: Int
            /// The newest n, oldest first.
            package var last: Int?
            package var order: Order

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                id = try reader.sessionID()
                cursor = try reader.name("cursor")
                limit = try reader.int("limit", in: 1...limits.pageRows) ?? 100
                last = try reader.int("last", in: 1...limits.pageRows)
                order = try reader.word("order", Order.self) ?? .asc
                if last != nil && (cursor != nil || order == .desc) {
                    throw .invalid(
                        "'last' cannot stand with 'cursor' or 'order'; it gives the newest messages, oldest first"
                    )
                }
            }
        }

        /// What it gives.
        package struct Result: Codable, MethodResult {
            /// Of the active path; at least one where there are any, as many as fit into a page's bytes.
            package var messages: [Wire.Message]
            /// Absent at the end.
            package var nextCursor: String?

            package init(messages: [Wire.Message], nextCursor: String? = nil) {
                self.messages = messages
                self.nextCursor = nextCursor
            }
        }
    }
}
