package import Conversation
package import JSON

extension Method {
    /// `_convod/turn/set`: gives a prompt that waits in the queue other words.
    package enum TurnSet: Contract {
        package static let method = Method.turnSet
        package static let callers = Callers.controllers
        package static let order = RequestOrder.looksAndChanges
        package static func reach(of params: JSONView?) -> RequestReach { .any }

        /// What it takes.
        package struct Parameters: MethodParameters {
            /// A turn that waits.
            package var id: TurnID
            /// What takes the place of its words.
            package var prompt: PromptContent

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                id = try reader.requiredTurnID()
                prompt = try PromptContent(required: &reader)
            }
        }

        /// What it gives.
        package struct Result: Codable, MethodResult {
            package var turnId: TurnID

            package init(turnId: TurnID) {
                self.turnId = turnId
            }
        }
    }
}
