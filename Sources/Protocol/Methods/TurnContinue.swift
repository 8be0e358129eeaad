internal import JSON

extension Method {
    /// `_convod/turn/continue`: goes on with an answer that was cut.
    package enum TurnContinue: Contract {
        package static let method = Method.turnContinue
        package static let callers = Callers.controllers
        package static let order = RequestOrder.looksAndChanges
        package static let isConversation = true
        package static let beginsTurn = true
        package typealias Parameters = OneTurnStart
        package typealias Result = Wire.StopResult
    }
}
