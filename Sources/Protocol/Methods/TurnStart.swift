internal import JSON

extension Method {
    /// `_convod/turn/start`: goes on from the head without a new message of the user.
    package enum TurnStart: Contract {
        package static let method = Method.turnStart
        package static let callers = Callers.controllers
        package static let order = RequestOrder.looksAndChanges
        package static let isConversation = true
        package static let beginsTurn = true
        package typealias Parameters = OneTurnStart
        package typealias Result = Wire.StopResult
    }
}
