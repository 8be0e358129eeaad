package import Conversation
internal import JSON

extension Method {
    /// `_convod/summary/list`: the summaries of a session's active path.
    package enum SummaryList: Contract {
        package static let method = Method.summaryList
        package static let callers = Callers.everyone
        package static let order = RequestOrder.looks

        /// What it takes.
        package struct Parameters: MethodParameters {
            package var id: SessionID
            /// Rows of the page, at most 50; a page may have less and not be the last.
            package var limit: Int
            /// Where the page before ended; nil begins with the newest.
            package var cursor: String?

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                id = try reader.sessionID()
                limit = try reader.int("limit", in: 1...50) ?? 50
                cursor = try reader.name("cursor")
            }
        }

        /// What it gives.
        package struct Result: Codable, MethodResult {
            /// Newest first, those too that came to nothing.
            package var summaries: [Wire.Summary]
            /// Absent at the end.
            package var nextCursor: String?

            package init(summaries: [Wire.Summary], nextCursor: String? = nil) {
                self.summaries = summaries
                self.nextCursor = nextCursor
            }
        }
    }
}
