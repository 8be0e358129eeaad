package import Conversation
package import JSON

extension Method {
    /// `_convod/context/receipt`: what was sent for a turn, and what was left out.
    package enum ContextReceipt: Contract {
        package static let method = Method.contextReceipt
        package static let callers = Callers.everyone
        package static let order = RequestOrder.looks
        package static func reach(of params: JSONView?) -> RequestReach { .any }
        package typealias Parameters = OneTurn

        /// What it gives.
        package struct Result: Codable, MethodResult {
            package var turnId: TurnID
            /// Absent where nothing was sent.
            package var receipt: Verbatim<Wire.Receipt>?
            /// Who was asked; absent when nobody was.
            package var upstream: String?
            /// The model that was asked; absent when none was.
            package var model: String?
            /// Tokens as the provider counted them; absent when it counted nothing.
            package var usage: Usage?
            /// All tries, in order.
            package var attempts: [Wire.Attempt]

            package init(
                turnId: TurnID, receipt: Verbatim<Wire.Receipt>? = nil, upstream: String? = nil,
                model: String? = nil, usage: Usage? = nil, attempts: [Wire.Attempt]
            ) {
                self.turnId = turnId
                self.receipt = receipt
                self.upstream = upstream
                self.model = model
                self.usage = usage
                self.attempts = attempts
            }
        }
    }
}
