package import JSON

/// One turn as it is stored: a prompt, what was asked for with it, and how it ended.
package struct TurnRecord: Sendable, Equatable {
    /// Where the turn stands; the raw value is stored.
    package enum State: Int, Sendable, CaseIterable {
        /// Their raw values are 0 to 5, in this order; a word on the wire is the case's name.
        case queued, running, complete, cancelled, interrupted, failed
        /// The word on the wire.
        package var name: String {
            ["queued", "running", "complete", "cancelled", "interrupted", "failed"][rawValue]
        }
        /// Whether it has not ended yet.
        package var isOpen: Bool { self == .queued || self == .running }
    }

    package var id: TurnID
    package var state: State
    /// The message ID of the prompt; nil when the turn goes on from the head without one.
    package var promptID: MessageID?
    /// The answer's message ID, known before there is such a message.
    package var answerID: MessageID
    /// The raw JSON parts of a queued prompt, nil once it is a message.
    package var queuedPrompt: [UInt8]?
    /// The client's key for sending once, unique within the session; nil where it gave none.
    package var requestID: String?
    /// SHA-256 over what was asked under that key, so that the same key with other content is told apart.
    package var requestHash: [UInt8]?
    /// What was asked for beyond the session's settings.
    package var options: TurnOptions
    /// An ACP stop reason, nil when the turn failed.
    package var stopReason: StopReason?
    /// What the provider said, in neutral words: `stop`, `length`, `tool_calls`, `content_filter`, or its own word.
    package var finish: String?
    /// Why it ended so, in the provider's words: a refusal's category, or an unusual reason.
    package var detail: String?
    /// Whether the answer came out of the cache.
    package var isCached = false
    /// Nil when nothing failed.
    package var error: TurnError?
    /// Who was asked last; nil until somebody is.
    package var upstream: String?
    /// The model that was asked; nil until one is.
    package var model: String?
    /// Nil where the provider counted nothing.
    package var usage: Usage?
    /// Raw JSON.
    package var receipt: [UInt8]?
    /// Milliseconds since 1970 UTC.
    package var createdAt: Int64
    /// Milliseconds since 1970 UTC; nil while it waits.
    package var startedAt: Int64?
    /// Milliseconds since 1970 UTC; nil until it ends.
    package var endedAt: Int64?

    package init(
        id: TurnID, state: State, promptID: MessageID?, answerID: MessageID, queuedPrompt: [UInt8]? = nil,
        requestID: String? = nil, requestHash: [UInt8]? = nil, options: TurnOptions = TurnOptions(),
        createdAt: Int64
    ) {
        self.id = id
        self.state = state
        self.promptID = promptID
        self.answerID = answerID
        self.queuedPrompt = queuedPrompt
        self.requestID = requestID
        self.requestHash = requestHash
        self.options = options
        self.createdAt = createdAt
    }
}

/// Why a turn stopped, in ACP's words (acp.md 1.3).
package enum StopReason: String, Sendable {
    case endTurn = "end_turn", maxTokens = "max_tokens", refusal, cancelled
}

/// What a turn failed of: a kind out of `schema/protocol.json` and a sentence for a person.
package struct TurnError: Sendable, Equatable {
    /// One of the words of `ErrorKind`.
    package let kind: String
    /// The sentence, without message text and keys.
    package let message: String
    /// Milliseconds after which another try may help, nil when nobody knows.
    package let retryAfter: Int?
    package init(kind: String, message: String, retryAfter: Int? = nil) {
        self.kind = kind
        self.message = message
        self.retryAfter = retryAfter
    }
}

/// Tokens as the provider counted them; nil where it did not say.
package struct Usage: Sendable, Equatable, Codable {
    /// Tokens of the request, those out of the provider's cache included.
    package var inputTokens: Int?
    /// Tokens of the answer, thoughts included.
    package var outputTokens: Int?
    /// Those of `inputTokens` that the provider took out of its cache.
    package var cachedTokens: Int?
    /// Those of `inputTokens` that it put into its cache.
    package var writtenTokens: Int?
    /// Those of `outputTokens` that are thoughts.
    package var reasoningTokens: Int?

    package init(
        inputTokens: Int? = nil, outputTokens: Int? = nil, cachedTokens: Int? = nil,
        writtenTokens: Int? = nil, reasoningTokens: Int? = nil
    ) {
        self.writtenTokens = writtenTokens
        self.inputTokens = inputTokens
        self.outputTokens = outputTokens
        self.cachedTokens = cachedTokens
        self.reasoningTokens = reasoningTokens
    }

    /// What was counted of an answer that was cut, which had so many tokens by the estimate: what Anthropic has said of its length
    /// by then is that of its beginning.
    package func cut(output tokens: Int) -> Usage {
        var usage = self
        usage.outputTokens = max(outputTokens ?? 0, tokens)
        return usage
    }

    /// Reads what `write` wrote.
    package init(_ view: JSONView) {
        self.init(
            inputTokens: view["inputTokens"]?.int, outputTokens: view["outputTokens"]?.int,
            cachedTokens: view["cachedTokens"]?.int, writtenTokens: view["writtenTokens"]?.int,
            reasoningTokens: view["reasoningTokens"]?.int)
    }

    /// Writes an object of what is known, as it is stored and goes over the wire.
    package func write(to writer: inout JSONWriter) {
        writer.object {
            $0.optional("inputTokens", inputTokens)
            $0.optional("outputTokens", outputTokens)
            $0.optional("cachedTokens", cachedTokens)
            $0.optional("writtenTokens", writtenTokens)
            $0.optional("reasoningTokens", reasoningTokens)
        }
    }
}

/// What one prompt asks for beyond the session's settings.
///
/// Each nil means: as the session says.
package struct TurnOptions: Sendable, Equatable {
    /// What becomes of the turn when the client that began it leaves.
    package enum Disconnect: String, Sendable { case `continue`, cancel }

    /// The name of a route or an upstream.
    package var upstream: String?
    /// The model by its provider's name.
    package var model: String?
    /// A raw JSON object, see `WindowPolicy`.
    package var window: [UInt8]?
    /// A raw JSON object: temperature, topP, maxTokens, stop, seed, tools, toolChoice.
    package var params: [UInt8]?
    package var onDisconnect: Disconnect
    /// The system prompt of who prompted, in place of the session's; nil for that.
    package var system: String?

    package init(
        upstream: String? = nil, model: String? = nil, window: [UInt8]? = nil, params: [UInt8]? = nil,
        onDisconnect: Disconnect = .continue
    ) {
        self.upstream = upstream
        self.model = model
        self.window = window
        self.params = params
        self.onDisconnect = onDisconnect
    }

    /// Reads what `encoded` wrote.
    package init(_ view: JSONView) {
        self.init(
            upstream: view["upstream"]?.string, model: view["model"]?.string,
            window: view["window"].map { Array($0.raw) },
            params: view["params"].map { Array($0.raw) },
            onDisconnect: view["onDisconnect"]?.string.flatMap(Disconnect.init) ?? .continue)
        system = view["system"]?.string
    }

    /// A raw JSON object of what is set, as it is stored.
    package var encoded: [UInt8] {
        JSONWriter.object {
            $0.optional("upstream", upstream)
            $0.optional("model", model)
            $0.optional("window", raw: window)
            $0.optional("params", raw: params)
            $0.optional("system", system)
            if onDisconnect != .continue { $0.member("onDisconnect", onDisconnect.rawValue) }
        }
    }
}
