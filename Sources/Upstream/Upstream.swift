/// Upstream asks language models for answers and gives back a stream of events; nothing above it sees curl.
package import ContextWindow
package import Conversation

/// A request to a model in neutral form.
package struct ModelRequest: Sendable {
    /// The model by its provider's name.
    package var model: String
    /// The system prompt; nil for none.
    package var system: String?
    /// The window's messages, as `DialectRules` demand them.
    package var messages: [OutgoingMessage]
    package var parameters: ModelParameters
    /// Names of tools as the request says them; an answer's calls are told by the originals.
    package var names = NameMap()
    /// Whether it has, or had, media: what they cost is a guess that nothing is learned from.
    package var hasMedia = false
    /// What the answer's thoughts are bound to; nil where the provider binds them to nothing.
    package var binding: Message.Binding?
    /// What tells the provider which requests belong to one conversation, so that they meet the same cache; nil for nothing.
    package var cacheKey: String?
    /// Whether nothing like it follows, so that no cache is worth its price.
    package var isAlone = false
    /// What it costs by the window's estimate, in tokens as the provider is expected to count them.
    package var estimate: Int
    /// How much there is to read of it.
    package var size = ContentSize()
    /// What the conversation had before, for the echo: how many messages of the user the session holds with this one.
    package var userMessageCount: Int
    /// The first part of what the user said before this, as far as the window's history has it; nil for nothing.
    package var previousUserText: String?
    /// The provider's ID of its last answer to the same conversation; nil where nobody remembers one.
    package var previousResponse: String?
    /// Tokens that the context has left for the answer, by the estimate; nil where nobody knows how much it holds.
    package var answerRoom: Int?
    /// The turn it is for, by which those who may find out more.
    package var turn: String?

    package init(
        model: String, system: String?, messages: [OutgoingMessage], parameters: ModelParameters,
        estimate: Int = 0, userMessageCount: Int = 0, previousUserText: String? = nil
    ) {
        self.model = model
        self.system = system
        self.messages = messages
        self.parameters = parameters
        self.estimate = estimate
        self.userMessageCount = userMessageCount
        self.previousUserText = previousUserText
    }

    /// Bytes of the text in it, and of a request whose words are gone what it had.
    package var textBytes: Int { kept?.text ?? bytes { $0.textBytes } }

    /// Bytes of its text without thoughts, which many a model is not given again.
    package var saidBytes: Int { kept?.said ?? bytes { if case .thought = $0 { 0 } else { $0.textBytes } } }

    /// Bytes of its pictures, sounds and documents.
    package var mediaBytes: Int { kept?.media ?? bytes { $0.mediaBytes } }

    private var kept: (text: Int, said: Int, media: Int)?

    private func bytes(of count: (Part) -> Int) -> Int {
        messages.reduce(system?.utf8.count ?? 0) { sum, message in
            message.parts.reduce(sum) { $0 + count($1) }
        }
    }

    /// About the bytes of its body, pictures and sounds with it.
    package var contentBytes: Int { textBytes + mediaBytes }

    /// What is known of it, with nothing of what was said.
    package var withoutWords: ModelRequest {
        var copy = self
        copy.kept = (textBytes, saidBytes, mediaBytes)
        (copy.system, copy.messages, copy.previousUserText) = (nil, [], nil)
        return copy
    }
}

extension Part {
    /// Bytes of text that a model reads of it.
    fileprivate var textBytes: Int {
        switch self {
        case .text(let text), .thought(let text, _, _): text.utf8.count
        case .resource(_, let text, let raw): text?.utf8.count ?? raw.count
        case .resourceLink(let uri, let name, _): uri.utf8.count + name.utf8.count
        case .toolCall(let call): call.name.utf8.count + call.arguments.count
        case .toolResult(let result): result.content.count
        case .image, .audio, .redactedThought: 0
        }
    }

    /// Bytes of what is no text in it.
    fileprivate var mediaBytes: Int {
        switch self {
        case .image(_, let data, let uri): data?.utf8.count ?? uri?.utf8.count ?? 0
        case .audio(_, let data): data.utf8.count
        case .redactedThought(let data, _): data.utf8.count
        default: 0
        }
    }
}

/// What an upstream says while it answers.
package enum UpstreamEvent: Sendable, Equatable {
    /// Pieces of the answer, in order, as far as one network read gave them.
    case pieces([Piece])
    /// Nothing is sent yet: what it needs could not be had, and is tried for again after so many milliseconds.
    case retrying(UpstreamFailure, milliseconds: Int)
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
    /// Reads on after `pause`.
    func resume()
    /// What is kept of the body that went out; nil where none did.
    var sent: BodyPrint? { get }
    /// Whether the request is on its way: what it needs, as a key, was there.
    var isSent: Bool { get }
    /// What the provider has counted so far, for an answer that is cut; nil where it has counted nothing.
    var counted: Usage? { get }
}

extension Upstream {
    package var takesSchema: Bool { true }
    package func stop() {}
    package func unsent(_ parameters: ModelParameters, of model: String) -> [String] { [] }
    package func issuer(of model: String) -> String { name }
    package func answerCap(_ parameters: ModelParameters, of model: String) -> AnswerCap? { nil }
}

extension UpstreamCall {
    package var sent: BodyPrint? { nil }
    package var counted: Usage? { nil }
    package var isSent: Bool { false }
}

/// One configured upstream.
///
/// Belongs to the loop's thread.
package protocol Upstream: AnyObject {
    /// Its name in the configuration.
    var name: String { get }
    /// The dialect's name, as in the configuration.
    var kind: String { get }
    /// The model that is used when nobody names one; nil when it must be asked for first.
    var model: String? { get }
    /// The model's context length in tokens, nil when nobody knows it.
    func contextLength(of model: String) -> Int?
    /// What tokens of a model cost in a request of so many; nil where nobody knows.
    func prices(of model: String, tokens: Int) -> Prices?
    /// Who a model's thoughts and signed calls are from: the same for all upstreams that go to one server.
    func issuer(of model: String) -> String
    /// What a request with these parameters says of the answer's length; nil where it says nothing.
    func answerCap(_ parameters: ModelParameters, of model: String) -> AnswerCap?
    /// Tokens of an answer that a model can give at most; nil where nobody knows.
    func mostTokens(of model: String) -> Int?
    /// What its dialect demands of a request's messages, and what was learned of a model.
    func rules(for model: String) -> DialectRules
    /// The exact body of the request, as raw JSON.
    func body(for request: ModelRequest) -> [UInt8]
    /// Where requests for a model go, nil for an upstream without an address.
    func url(for model: String) -> String?
    /// How long the provider may keep the beginnings of requests in a cache.
    var promptCache: PromptCache { get }
    /// Whether requests say which conversation they belong to.
    var takesCacheKey: Bool { get }
    /// Whether answers can be asked for in the form of a JSON Schema.
    var takesSchema: Bool { get }
    /// Whether a key is at hand.
    var hasKey: Bool { get }
    /// Where its keys or tokens come from, for people.
    var keyOrigin: String { get }
    /// The keys there are, for people; empty where it takes none.
    var keys: [KeyDescription] { get }
    /// Asks; events come on the loop, until one that ends the call.
    func start(_ request: ModelRequest, _ receive: @escaping (UpstreamEvent) -> Void) -> any UpstreamCall
    /// Lists the models it has.
    ///
    /// All who ask at one time share one look.
    func listModels(_ receive: @escaping (Result<[ModelDescription], UpstreamFailure>) -> Void)
        -> any UpstreamQuestion
    /// Asks for the length of a model that nobody knows, and calls back whatever comes of it; nil where nothing is asked, since it
    /// is known, or was asked for lately.
    func learnLength(of model: String, _ then: @escaping () -> Void) -> (any UpstreamQuestion)?
    /// Whether a model's length is what its server was found to hold, and not what somebody said.
    func isLengthLearned(of model: String) -> Bool
    /// A model's server refused more than so many tokens, the answer's with them, without a word of its limit: that is believed for
    /// a while.
    func learned(length: Int, of model: String)
    /// Parameters that were asked for and do not go out to a model, by our names.
    func unsent(_ parameters: ModelParameters, of model: String) -> [String]
    /// Bytes that a request may have by what was refused a while ago; nil where nothing was.
    var mostBytes: Int? { get }
    /// A request of more bytes than so many was refused.
    func learned(bytes: Int)
    /// Whether there is a way to ask how many tokens a request to a model has.
    func countsTokens(of model: String) -> Bool
    /// Asks the server how many tokens a request has; nil when it has no way to tell.
    func countTokens(_ request: ModelRequest, _ receive: @escaping (Result<Int?, UpstreamFailure>) -> Void)
    /// Whether a request of so many tokens may be sent now; `place` is whose it is, among those who wait for its throttle.
    func availability(of model: String, tokens: Int, for place: ThrottleLine.Place?) -> Availability
    /// A request waits for the throttle, and comes again after so many milliseconds.
    func wait(_ place: ThrottleLine.Place, tokens: Int, milliseconds: Int)
    /// A request that may have waited goes now, or never.
    func leave(_ place: ThrottleLine.Place, isServed: Bool)
    /// Whether the server read less of a request than it was sent, without a word; `counted` are its tokens, `expected` are
    /// those that it was expected to count, and `before` is what went out last for the same conversation.
    func cutSilently(
        counted: Int, expected: Int, of request: ModelRequest, behind before: CountedRequest?
    ) -> Bool
    /// Tries keys again at once that were refused before.
    func forgive()
    /// Names of variables that no program run for a key may see: other upstreams' keys.
    func hide(_ names: Set<String>)
    /// Ends the programs that it runs; it is not asked again.
    func stop()
    /// How it has fared.
    var health: Health { get }
}

/// A model that an upstream offers.
package struct ModelDescription: Sendable, Equatable {
    /// What a request names it by.
    package let id: String
    /// Tokens; nil where the provider does not say.
    package let contextLength: Int?
    /// How its server counts tokens, where it says so.
    package let counter: TokenCounter?
    package init(id: String, contextLength: Int? = nil, counter: TokenCounter? = nil) {
        self.id = id
        self.contextLength = contextLength
        self.counter = counter
    }
}
