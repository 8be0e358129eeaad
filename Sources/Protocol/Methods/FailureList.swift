package import Conversation
package import JSON

extension Method {
    /// `_convod/failure/list`: tries at upstreams that came to nothing, the newest first.
    ///
    /// Administrators get everybody's, others their own.
    package enum FailureList: Contract {
        package static let method = Method.failureList
        package static let callers = Callers.everyone
        package static let order = RequestOrder.looks
        package static func reach(of params: JSONView?) -> RequestReach { .any }

        /// What it takes.
        package struct Parameters: MethodParameters {
            /// From when on; nil means the last day.
            package var since: Wire.Time?
            /// How many at most.
            package var limit: Int

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                if let text = try reader.string("since") {
                    guard let time = Timestamp.milliseconds(text) else {
                        throw .invalid("'since' must be a time as \"2026-11-25T06:00:00.000Z\"")
                    }
                    since = Wire.Time(time)
                }
                limit = try reader.int("limit", in: 1...limits.pageRows) ?? limits.pageRows
            }
        }

        /// What it gives.
        package struct Result: Codable, MethodResult {
            /// The newest first.
            package var failures: [Failure]
            /// Whether there are more.
            package var more: Bool

            package init(failures: [Failure], more: Bool) {
                self.failures = failures
                self.more = more
            }
        }

        /// A try, and whose it was.
        package struct Failure: Codable, Sendable {
            package var sessionId: SessionID
            package var owner: Int
            /// The turn that it was for; nil where it was for a summary.
            package var turnId: TurnID?
            /// The summary that it was for; nil where it was for a turn.
            package var summaryId: SummaryID?
            /// How the turn, or the summary, stands or ended: a later try may have answered it.
            package var state: TurnRecord.State
            package var attempt: Wire.Attempt

            package init(
                sessionId: SessionID, owner: Int, turnId: TurnID?, summaryId: SummaryID?,
                state: TurnRecord.State, attempt: Wire.Attempt
            ) {
                self.sessionId = sessionId
                self.owner = owner
                self.turnId = turnId
                self.summaryId = summaryId
                self.state = state
                self.attempt = attempt
            }
        }
    }
}
