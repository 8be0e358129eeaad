package import Conversation
internal import JSON

extension Method {
    /// `_convod/message/list`: the messages of the active path, or of another branch's.
    package enum MessageList: Contract {
        package static let method = Method.messageList
        package static let callers = Callers.everyone
        package static let order = RequestOrder.looks

        /// By number: the oldest or the newest first.
        package enum Order: String, Sendable, CaseIterable { case asc, desc }

        /// What it takes.
        package struct Parameters: MethodParameters {
            package var id: SessionID
            /// The branch whose path is meant; nil for the active one.
            package var branch: Int?
            /// Where the page before ended; nil begins at the first message of the order.
            package var cursor: String?
            /// Rows of the page.
            package var limit: Int
            /// The newest n, oldest first.
            package var last: Int?
            package var order: Order
            /// The message that the page begins with; nil for the first of the order.
            package var start: Start?

            /// A message of the path, by its ID or its place.
            package enum Start: Sendable, Equatable {
                case message(MessageID)
                /// From 1; one past the end gives what there is before it, or nothing.
                case seq(Int)
            }

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                id = try reader.sessionID()
                branch = try reader.int("branch", in: 1...Int(UInt32.max))
                cursor = try reader.name("cursor")
                limit = try reader.int("limit", in: 1...limits.pageRows) ?? 100
                last = try reader.int("last", in: 1...limits.pageRows)
                order = try reader.word("order", Order.self) ?? .asc
                if let number = reader.value("at")?.int {
                    guard (1...Int(UInt32.max)).contains(number) else {
                        throw reader.wrong("at", "the ID of a message, or its place from 1")
                    }
                    start = .seq(number)
                } else {
                    start = try reader.messageID("at").map { .message($0) }
                }
                if start != nil && (last != nil || cursor != nil) {
                    throw .invalid(
                        "'at' cannot stand with 'last' or 'cursor'; it says where the first page begins")
                }
                if last != nil && (cursor != nil || order == .desc) {
                    throw .invalid(
                        "'last' cannot stand with 'cursor' or 'order'; it gives the newest messages, oldest first"
                    )
                }
            }
        }

        /// What it gives.
        package struct Result: Codable, MethodResult {
            /// Of the path; at least one where there are any, as many as fit into a page's bytes.
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
