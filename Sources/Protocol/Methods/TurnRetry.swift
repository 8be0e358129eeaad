package import Conversation
internal import JSON

extension Method {
    /// `_convod/turn/retry`: answers a prompt of the active path anew, or another prompt in its place.
    package enum TurnRetry: Contract {
        package static let method = Method.turnRetry
        package static let callers = Callers.controllers
        package static let order = RequestOrder.looksAndChanges
        package static let isConversation = true
        package static let beginsTurn = true

        /// What it takes.
        package struct Parameters: MethodParameters {
            package var id: SessionID
            /// The prompt, or an answer to it; nil means the newest turn, whatever its end.
            package var messageID: MessageID?
            /// What takes the place of the prompt; nil leaves it.
            package var prompt: PromptContent?
            package var turn: TurnRequest

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                id = try reader.sessionID()
                messageID = try reader.messageID("messageId")
                prompt = try PromptContent(&reader)
                turn = try TurnRequest(&reader)
            }
        }
        package typealias Result = Wire.StopResult
    }
}
