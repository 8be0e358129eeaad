package import Conversation
internal import JSON

/// What `session/prompt`'s `_meta.convod` and `_convod/turn/start` have in common.
package struct TurnRequest: Sendable {
    /// What to do when a turn is running on the session already.
    package enum IfBusy: String, Sendable, CaseIterable {
        /// Wait behind it, in the stored queue.
        case queue
        /// Be refused with `busy`.
        case reject
        /// Cut it, keep its answer as cancelled, and go before all that wait.
        case interrupt
    }

    /// The client's key for sending once, 1 to 256 bytes; nil: every request is a turn of its own.
    package var requestID: String?
    package var ifBusy = IfBusy.queue
    /// What is asked for beyond the session's settings.
    package var options = TurnOptions()
    /// The newest message that the client knows of; another one is a conflict.
    package var expectedHead: MessageID?

    package init() {}

    /// Reads the members out of an object that may hold others.
    package init(_ reader: inout ParameterReader) throws(WireError) {
        requestID = try reader.requestID()
        ifBusy = try reader.word("ifBusy", IfBusy.self) ?? .queue
        expectedHead = try reader.messageID("expectedHead")
        options = TurnOptions(
            upstream: try reader.name("upstream"), model: try reader.name("model"),
            window: try reader.window(),
            params: try TurnRequest.params(&reader),
            onDisconnect: try reader.word("onDisconnect", TurnOptions.Disconnect.self) ?? .continue)
    }

    /// Checks the types of the model parameters and keeps them raw.
    static func params(_ reader: inout ParameterReader) throws(WireError) -> [UInt8]? {
        guard let raw = try reader.raw("params", .object, most: Limits.parameters),
            let value = reader.view?["params"]
        else { return nil }
        var inner = try ParameterReader(value, path: "params")
        if let temperature = inner.value("temperature"),
            temperature.double.map({ (0...2).contains($0) }) != true
        {
            throw .invalid("'params.temperature' must be a number from 0 to 2")
        }
        if let topP = inner.value("topP"), topP.double.map({ (0...1).contains($0) }) != true {
            throw .invalid("'params.topP' must be a number from 0 to 1")
        }
        _ = try inner.int("maxTokens", in: 1...10_000_000)
        _ = try inner.strings("stop")
        _ = try inner.int("seed", in: Int.min...Int.max)
        _ = try inner.int("candidates", in: 1...8)
        _ = try inner.int("thinking", in: -1...1_000_000)
        _ = try inner.array("tools")
        if let choice = inner.value("toolChoice"), choice.kind != .object,
            !["any", "auto", "none", "required"].contains(choice.string)
        {
            throw .invalid(
                "'params.toolChoice' must be 'any', 'auto', 'none', 'required', or an object that names a function"
            )
        }
        if let schema = inner.value("schema"), schema.kind != .object {
            throw .invalid("'params.schema' must be a JSON Schema, an object")
        }
        try inner.finish()
        return raw
    }
}

extension TurnOptions.Disconnect: CaseIterable {
    package static let allCases: [Self] = [.continue, .cancel]
}

/// Parameters that are a session and what a turn on it is asked with.
package struct OneTurnStart: MethodParameters {
    package var id: SessionID
    /// How the turn is to begin and what it is asked with.
    package var turn: TurnRequest

    package init(_ reader: inout ParameterReader, _ limits: Limits) throws(WireError) {
        id = try reader.sessionID()
        turn = try TurnRequest(&reader)
    }
}
