/// Upstream asks language models for answers and gives back a stream of events; nothing above it sees curl.
package import ContextWindow
package import Conversation

/// A request to a model in neutral form.
package struct ModelRequest: Sendable {
    package var model: String
    package var system: String?
    package var messages: [OutgoingMessage]
    package var parameters: ModelParameters
    /// What the conversation had before, for the echo: how many messages of the user the session holds with this one.
    package var userMessageCount: Int
    package var previousUserText: String?

    package init(
        model: String, system: String?, messages: [OutgoingMessage], parameters: ModelParameters,
        userMessageCount: Int = 0,
        previousUserText: String? = nil
    ) {
        self.model = model
        self.system = system
        self.messages = messages
        self.parameters = parameters
        self.userMessageCount = userMessageCount
        self.previousUserText = previousUserText
    }
}

/// What an upstream says while it answers.
package enum UpstreamEvent: Sendable, Equatable {
    /// Pieces of the answer, in order, as far as one network read gave them.
    case pieces([Piece])
    /// The answer is whole. Nothing follows.
    case finished(Turn.Finish)
    /// The call came to nothing, or was cut. Nothing follows.
    case failed(UpstreamFailure)
}

/// A call that is under way.
package protocol UpstreamCall: AnyObject {
    /// Breaks it off; no event follows.
    func cancel()
    /// Stops reading from the server until `resume`, so that a fast server cannot fill the memory.
    func pause()
    func resume()
}

/// One configured upstream.
///
/// Belongs to the loop's thread.
package protocol Upstream: AnyObject {
    /// Its name in the configuration.
    var name: String { get }
    /// `echo` or `openai`.
    var kind: String { get }
    /// The model that is used when nobody names one; nil when it must be asked for first.
    var model: String? { get }
    /// The model's context length in tokens, nil when nobody knows it.
    func contextLength(of model: String) -> Int?
    /// What its dialect demands of a request's messages.
    var rules: DialectRules { get }
    /// The exact body of the request, as raw JSON.
    func body(for request: ModelRequest) -> [UInt8]
    /// Where requests go, nil for an upstream without an address.
    var url: String? { get }
    /// Whether a key is at hand.
    var hasKey: Bool { get }
    /// Asks; events come on the loop, until one that ends the call.
    func start(_ request: ModelRequest, _ receive: @escaping (UpstreamEvent) -> Void) -> any UpstreamCall
    /// Lists the models it has.
    func listModels(_ receive: @escaping (Result<[ModelDescription], UpstreamFailure>) -> Void)
}

/// A model that an upstream offers.
package struct ModelDescription: Sendable, Equatable {
    package let id: String
    package let contextLength: Int?
    package init(id: String, contextLength: Int? = nil) {
        self.id = id
        self.contextLength = contextLength
    }
}

/// Why an upstream gave no whole answer.
package struct UpstreamFailure: Error, Sendable, Equatable {
    /// What kind of failure; the names are those of `schema/protocol.json`.
    package enum Kind: String, Sendable {
        case auth = "upstream_auth"
        case unavailable = "upstream_unavailable"
        case timeout = "upstream_timeout"
        case refused = "upstream_refused"
        case protocolError = "upstream_protocol"
        case overflow = "context_overflow"
        case throttled
        case quota
        case interrupted
    }
    package var kind: Kind
    /// One sentence for a person; never a key, at most 500 characters of what the server said.
    package var message: String
    /// HTTP status, nil when none came.
    package var status: Int?
    /// Whether the same request may succeed with this upstream later.
    package var isRetryable: Bool
    /// What the server asked to wait, in milliseconds.
    package var retryAfter: Int?

    package init(
        _ kind: Kind, _ message: String, status: Int? = nil, isRetryable: Bool, retryAfter: Int? = nil
    ) {
        self.kind = kind
        self.message = message
        self.status = status
        self.isRetryable = isRetryable
        self.retryAfter = retryAfter
    }
}
