package import Conversation
package import JSON

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

    package var requestID: String?
    package var ifBusy = IfBusy.queue
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
        _ = inner.value("toolChoice")
        try inner.finish()
        return raw
    }
}

extension TurnOptions.Disconnect: CaseIterable {
    package static let allCases: [Self] = [.continue, .cancel]
}

/// `session/prompt` (ACP v1) with convod's extras.
package struct PromptParameters: Sendable {
    package var id: SessionID
    /// The raw JSON array of content blocks, as it came.
    package var prompt: [UInt8]
    package var parts: [Part]
    package var turn: TurnRequest

    package init(_ view: JSONView?) throws(WireError) {
        var reader = try ParameterReader(view)
        id = try reader.sessionID()
        guard let array = try reader.array("prompt") else { throw .invalid("'prompt' is missing") }
        prompt = Array(array.raw)
        parts = try checkedContent(array, path: "prompt", role: .user)
        guard parts.contains(where: { !$0.isBlank }) else {
            throw .invalid("'prompt' holds nothing but white space; send some text")
        }
        let meta = try reader.object("_meta")
        var extra = try ParameterReader(
            meta?["convod"].flatMap { $0.isNull ? nil : $0 }, path: "_meta.convod")
        turn = try TurnRequest(&extra)
        try extra.finish()
    }
}

/// Reads a content array strictly: every part well-formed, of a type that the role may have, without lone surrogates.
package func checkedContent(_ array: JSONView, path: String, role: Message.Role) throws(WireError) -> [Part] {
    var parts: [Part] = []
    for (index, element) in array.elements.enumerated() {
        guard index < Limits.parts else {
            throw .invalid("'\(path)' may hold \(Limits.parts) parts, it has \(array.count)")
        }
        if element.hasLoneSurrogateInside {
            throw .invalid("'\(path)[\(index)]' holds half of a surrogate pair; send whole characters")
        }
        let part: Part
        do { part = try Part(checking: element) } catch {
            throw .invalid("'\(path)[\(index)]': \(error.reason)")
        }
        guard part.isAllowed(for: role) else {
            throw .invalid(
                "'\(path)[\(index)]': this type of part cannot stand in a message of role '\(role.name)'")
        }
        parts.append(part)
    }
    return parts
}

extension Part {
    fileprivate func isAllowed(for role: Message.Role) -> Bool {
        switch self {
        case .text: role != .tool
        case .thought, .redactedThought, .toolCall: role == .assistant
        case .toolResult: role == .tool
        case .image, .audio, .resource, .resourceLink: role == .user || role == .assistant
        }
    }
}

/// `_convod/turn/start`: goes on from the head without a new message of the user.
package struct StartTurnParameters: Sendable {
    package var id: SessionID
    package var turn: TurnRequest

    package init(_ view: JSONView?) throws(WireError) {
        var reader = try ParameterReader(view)
        id = try reader.sessionID()
        turn = try TurnRequest(&reader)
        try reader.finish()
    }
}

/// `_convod/turn/retry`: answers a prompt of the active path anew, or another prompt in its place.
package struct RetryTurnParameters: Sendable {
    package var id: SessionID
    /// The prompt, or an answer to it; nil means the newest turn, whatever its end.
    package var messageID: MessageID?
    /// What takes the place of the prompt, as raw JSON parts; nil leaves it.
    package var prompt: [UInt8]?
    package var parts: [Part]?
    package var turn: TurnRequest

    package init(_ view: JSONView?) throws(WireError) {
        var reader = try ParameterReader(view)
        id = try reader.sessionID()
        messageID = try reader.messageID("messageId")
        let array = try reader.array("prompt")
        prompt = array.map { Array($0.raw) }
        parts = try array.map { array throws(WireError) in
            try checkedContent(array, path: "prompt", role: .user)
        }
        if let parts, !parts.contains(where: { !$0.isBlank }) {
            throw .invalid("'prompt' holds nothing but white space; send some text")
        }
        turn = try TurnRequest(&reader)
        try reader.finish()
    }
}

/// `_convod/turn/set`: gives a prompt that waits in the queue other words.
package struct SetTurnParameters: Sendable {
    package var id: TurnID
    package var prompt: [UInt8]
    package var parts: [Part]

    package init(_ view: JSONView?) throws(WireError) {
        var reader = try ParameterReader(view)
        guard let id = try reader.turnID() else { throw .invalid("'turnId' is missing") }
        self.id = id
        guard let array = try reader.array("prompt") else { throw .invalid("'prompt' is missing") }
        prompt = Array(array.raw)
        parts = try checkedContent(array, path: "prompt", role: .user)
        guard parts.contains(where: { !$0.isBlank }) else {
            throw .invalid("'prompt' holds nothing but white space; send some text")
        }
        try reader.finish()
    }
}

/// `_convod/turn/get` and `_convod/turn/cancel`, `_convod/context/receipt`.
package struct TurnParameters: Sendable {
    package var id: TurnID

    package init(_ view: JSONView?) throws(WireError) {
        var reader = try ParameterReader(view)
        guard let id = try reader.turnID() else { throw .invalid("'turnId' is missing") }
        self.id = id
        try reader.finish()
    }
}

/// `_convod/turn/list`.
package struct ListTurnsParameters: Sendable {
    package var id: SessionID
    /// Only turns that run or wait.
    package var isOpenOnly: Bool
    /// Only the turn of this request ID.
    package var requestID: String?
    package var limit: Int
    package var cursor: String?

    package init(_ view: JSONView?, limits: Limits) throws(WireError) {
        var reader = try ParameterReader(view)
        id = try reader.sessionID()
        isOpenOnly = try reader.bool("open") ?? false
        requestID = try reader.requestID()
        limit = try reader.int("limit", in: 1...limits.pageRows) ?? 100
        cursor = try reader.name("cursor")
        try reader.finish()
    }
}
