package import JSON

extension Method {
    /// `_convod/turn/get`: one turn with its receipt and its tries.
    package enum TurnGet: Contract {
        package static let method = Method.turnGet
        package static let callers = Callers.everyone
        package static let order = RequestOrder.looks
        package static func reach(of params: JSONView?) -> RequestReach { .any }
        package typealias Parameters = OneTurn
        package typealias Result = Wire.TurnDetails
    }
}
