package import Conversation
internal import JSON

extension Method {
    /// `_convod/turn/list`: the turns of a session, newest first.
    package enum TurnList: Contract {
        package static let method = Method.turnList
        package static let callers = Callers.everyone
        package static let order = RequestOrder.looks

        /// What it takes.
        package struct Parameters: MethodParameters {
            package var id: SessionID
            /// Only turns that run or wait.
            package var isOpenOnly: Bool
            /// Only the turn of this request ID.
            package var requestID: String?
            /// Rows of the page.
            package var limit: Int
            /// Where the page before ended; nil begins with the newest.
            package var cursor: String?

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                id = try reader.sessionID()
                isOpenOnly = try reader.bool("open") ?? false
                requestID = try reader.requestID()
                limit = try reader.int("limit", in: 1...limits.pageRows) ?? 100
                cursor = try reader.name("cursor")
            }
        }

        /// What it gives.
        package struct Result: Codable, MethodResult {
            package var turns: [Wire.Turn]
            /// Absent at the end.
            package var nextCursor: String?

            package init(turns: [Wire.Turn], nextCursor: String? = nil) {
                self.turns = turns
                self.nextCursor = nextCursor
            }
        }
    }
}
