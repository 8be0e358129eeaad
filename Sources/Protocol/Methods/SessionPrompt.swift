package import Conversation
internal import JSON

extension Method {
    /// `session/prompt` (ACP v1): says something, and is answered when its turn has ended.
    package enum SessionPrompt: Contract {
        package static let method = Method.sessionPrompt
        package static let callers = Callers.controllers
        package static let order = RequestOrder.looksAndChanges
        package static let isConversation = true
        package static let beginsTurn = true

        /// What it takes.
        package struct Parameters: MethodParameters {
            package var id: SessionID
            package var prompt: PromptContent
            package var turn: TurnRequest

            package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
                id = try reader.sessionID()
                prompt = try PromptContent(required: &reader)
                var extra = try reader.extras()
                turn = try TurnRequest(&extra)
                try extra.finish()
            }
        }
        package typealias Result = Wire.StopResult
    }
}
