package import Conversation
package import JSON

extension Method {
    /// `_convod/turn/cancel`: ends a turn wherever it stands; answered when it has ended.
    package enum TurnCancel: Contract {
        package static let method = Method.turnCancel
        package static let callers = Callers.controllers
        package static let order = RequestOrder.overtakes
        package static let isConversation = true
        package static func reach(of params: JSONView?) -> RequestReach { .any }
        package typealias Parameters = OneTurn

        /// What it gives.
        package struct Result: Codable, JSONWritable, MethodResult {
            package var turnId: TurnID
            /// `cancelled`, or the end that it had before.
            package var state: TurnRecord.State

            package init(turnId: TurnID, state: TurnRecord.State) {
                self.turnId = turnId
                self.state = state
            }

            package func write(to writer: inout JSONWriter) {
                writer.object {
                    $0.member("turnId", turnId.description)
                    $0.member("state", state.name)
                }
            }
        }
    }
}
