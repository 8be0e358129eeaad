package import ContextWindow
internal import Conversation
internal import JSON

/// How one family of servers is spoken to: requests written and answers read, without I/O.
package protocol Dialect: Sendable {
    /// What a request's messages must obey; `issuer` is the upstream whose thoughts may go back to it.
    func rules(issuer: String) -> DialectRules
    /// Where requests for a model go.
    func url(for model: String) -> String
    /// Headers that every request has; none of them secret.
    var headers: [String] { get }
    /// Headers that carry a key.
    func keyHeaders(_ key: String) -> [String]
    /// The exact body.
    func body(for request: ModelRequest, _ quirks: Quirks) -> [UInt8]
    /// A reader for one answer; `issuer` binds its tool calls to who made them.
    func reader(issuer: String) -> any AnswerReader
    /// A request that asks for the models, from the page that `token` names.
    func modelsURL(page token: String?) -> String
    /// The models of a page, and the token of the next.
    func models(in body: [UInt8]) -> (models: [ModelDescription], next: String?)
    /// Whether it has requests that count tokens; `counter` is what the model's server says that it is, nil where it does not.
    func countsTokens(_ counter: TokenCounter?) -> Bool
    /// Ways to ask how many tokens a request has, the best first; the next is for servers that have not the one before.
    func countings(_ request: ModelRequest, _ quirks: Quirks, _ counter: TokenCounter?) -> [TokenCounting]
    /// Whether requests say which conversation they belong to.
    var takesCacheKey: Bool { get }
    /// What a request says of the answer's length; nil where it says nothing unless it is asked to.
    func answerCap(_ parameters: ModelParameters, _ quirks: Quirks) -> AnswerCap?
    /// Whether only the account that had a model think can read its thoughts.
    func bindsToAccount(_ model: String) -> Bool
    /// What the servers are known to take before anyone complained.
    var quirks: Quirks { get }
    /// Parameters of ours that its requests have no place for.
    var untaken: Set<String> { get }
    /// Whether a server read less of a request than it was sent, without a word; see `Upstream.cutSilently`.
    func cutSilently(
        counted: Int, expected: Int, of request: ModelRequest, behind before: CountedRequest?
    ) -> Bool
}

extension Dialect {
    package func countsTokens(_ counter: TokenCounter?) -> Bool { false }
    package func countings(_ request: ModelRequest, _ quirks: Quirks, _ counter: TokenCounter?)
        -> [TokenCounting]
    { [] }
    package var takesCacheKey: Bool { false }
    package var untaken: Set<String> { [] }
    package func bindsToAccount(_ model: String) -> Bool { false }
    package func answerCap(_ parameters: ModelParameters, _ quirks: Quirks) -> AnswerCap? { nil }
    package var quirks: Quirks { Quirks() }
    package func cutSilently(
        counted: Int, expected: Int, of request: ModelRequest, behind before: CountedRequest?
    ) -> Bool { false }
}

/// Tokens of the answer at most, that a request says.
package struct AnswerCap: Sendable, Equatable {
    /// Why it is so many.
    package enum Source: Sendable {
        /// Nobody asked: it is less where the context has no room for so much.
        case standard
        /// Somebody asked: it is less once a server said that it is too much.
        case asked
        /// What is to be thought takes it: it is never less.
        case needed
    }

    package let tokens: Int
    package let source: Source
    /// What is to be thought takes of a standard one, which is never less; nil for nothing.
    package let needed: Int?
    /// Tokens of an answer below which the context counts as full.
    private static let least = 64

    package init(tokens: Int, _ source: Source, needed: Int? = nil) {
        self.tokens = tokens
        self.source = source
        self.needed = needed
    }

    /// What of it is asked for where the context has so much left; nil where nobody knows.
    package func tokens(in room: Int?) -> Int {
        guard source == .standard, let room else { return tokens }
        return min(tokens, max(needed ?? AnswerCap.least, room))
    }
}

/// What a model was found to demand or refuse; learned from its complaints and remembered (wire.md C1, E1).
package struct Quirks: Sendable, Equatable {
    /// How the output's cap is called: new OpenAI models refuse the old name, most other servers know only that.
    package enum MaxTokensField: String, Sendable {
        case maxTokens = "max_tokens", maxCompletionTokens = "max_completion_tokens"
    }

    package var maxTokensField = MaxTokensField.maxTokens
    /// Parameters that are left out, by their names on the wire; `NAME+thinking` while the model thinks, `NAME+temperature` beside that, `thinking.FORM` for a
    /// form of that parameter.
    package var dropped: Set<String> = []
    /// Tokens of an answer that may be asked for at most; nil where nobody complained.
    package var mostTokens: Int?
    /// Whether a tool that must be called leaves no place for thinking: "Thinking may not be enabled when tool_choice forces tool
    /// use" (Anthropic, "Extended thinking with tool use").
    var forcesWithoutThinking = false

    /// What `dropped` holds where a model takes no images and documents, or no sounds.
    static let images = "images", sounds = "sounds"
    /// What a failure names where a thought that was sent back is refused.
    static let thoughts = "thoughts"
    /// What a failure names where a thought that was not sent back is missed.
    static let missingThoughts = "missingThoughts"
    /// Whether what the model thought before it called goes back to it, as by its server's words it must.
    var wantsThoughts = false

    package init(maxTokensField: MaxTokensField = .maxTokens) { self.maxTokensField = maxTokensField }

    func sends(_ name: String) -> Bool { !dropped.contains(name) }

    /// Whether a parameter goes out beside these others.
    func sends(_ name: String, with parameters: ModelParameters) -> Bool {
        sends(name) && !(parameters.isThinking && dropped.contains(name + "+thinking"))
            && !(parameters.temperature != nil && dropped.contains(name + "+temperature"))
    }

    /// How thinking is asked for or switched off, of the forms that were not refused; nil says nothing.
    func thinking(_ parameters: ModelParameters) -> Thinking? {
        if forcesWithoutThinking, parameters.isThinking, parameters.forcesTool { return nil }
        return parameters.thinking.flatMap { thinking(tokens: $0) }
    }

    /// The same by the tokens that are asked for, where less than none is as many as the model likes.
    func thinking(tokens budget: Int) -> Thinking? {
        let wanted: [Thinking] =
            budget == 0 ? [.disabled] : budget < 0 ? [.adaptive, .enabled] : [.enabled, .adaptive]
        return wanted.first { !dropped.contains("thinking.\($0.rawValue)") }
    }

    /// What may be asked for of what was wished; both are tokens.
    func answer(_ tokens: Int) -> Int { mostTokens.map { min($0, tokens) } ?? tokens }

    /// The forms of thinking that dialects know (wire.md E2).
    enum Thinking: String { case adaptive, disabled, enabled }

    /// Learns from a complaint; returns whether the next request differs from the last.
    mutating func learn(from failure: UpstreamFailure, _ parameters: ModelParameters) -> Bool {
        guard failure.kind == .refused else { return false }
        if let most = failure.mostTokens, most < mostTokens ?? Int.max {
            mostTokens = most
            return true
        }
        if failure.parameter == Quirks.missingThoughts {
            if wantsThoughts { return false }
            wantsThoughts = true
            return true
        }
        // What one conversation holds is nothing that the model refuses.
        guard let name = failure.parameter, name != Quirks.thoughts, sends(name) else { return false }
        if name == "thinking" {
            guard let form = thinking(parameters) else { return false }
            return dropped.insert("thinking.\(form.rawValue)").inserted
        }
        // Some take it, but not beside thinking.
        if parameters.isThinking, failure.message.lowercased().contains("thinking") {
            return dropped.insert(name + "+thinking").inserted
        }
        if let field = MaxTokensField(rawValue: name) {
            guard parameters.maxTokens != nil, field == maxTokensField else { return false }
            if dropped.contains("swapped") { return false }
            dropped.insert("swapped")
            maxTokensField = field == .maxTokens ? .maxCompletionTokens : .maxTokens
            return true
        }
        dropped.insert(name)
        return true
    }
}

extension ModelParameters {
    /// Those that were asked for and do not go out, by our names: a dialect has no place for them, or a model refused them.
    func unsent(in dialect: any Dialect, _ quirks: Quirks) -> [String] {
        let asked: [(name: String, isAsked: Bool, isSent: Bool)] = [
            ("candidates", candidates != nil, true),
            ("seed", seed != nil, quirks.sends("seed")),
            ("stop", !stop.isEmpty, quirks.sends("stop")),
            ("temperature", temperature != nil, quirks.sends("temperature", with: self)),
            ("thinking", thinking != nil, quirks.thinking(self) != nil),
            ("topP", topP != nil, quirks.sends("top_p", with: self)),
        ]
        return asked.filter { $0.isAsked && (!$0.isSent || dialect.untaken.contains($0.name)) }.map(\.name)
    }
}

/// Joins base addresses and paths (design section 10, "Upstreams").
enum Addresses {
    /// The name of the server of an address, without a port; in lower case.
    static func host(of base: String) -> String {
        let rest = base.firstRange(of: "://").map { base[$0.upperBound...] } ?? base[...]
        return rest.prefix { $0 != "/" && $0 != ":" }.lowercased()
    }

    /// `base` with the dialect's path behind it; the version is left out where the base has one.
    static func join(_ base: String, version: String, _ path: String) -> String {
        let host = base.firstRange(of: "://").map { base[$0.upperBound...] } ?? base[...]
        let segments = host.split(separator: "/").dropFirst()
        let hasVersion = segments.contains { segment in
            segment.first == "v" && segment.dropFirst().first?.isNumber ?? false
        }
        return hasVersion ? "\(base)/\(path)" : "\(base)/\(version)/\(path)"
    }

    /// A piece of a path or query with everything but unreserved characters percent-encoded (RFC 3986, 2.3).
    static func escaped(_ text: String, keeping extra: String = "") -> String {
        var out = ""
        for byte in text.utf8 {
            let scalar = Unicode.Scalar(byte)
            let isPlain =
                byte < 0x80 && (scalar.properties.isAlphabetic || (0x30...0x39).contains(byte))
                || "-._~\(extra)".utf8.contains(byte)
            if isPlain {
                out.unicodeScalars.append(scalar)
            } else {
                out +=
                    "%"
                    + [byte].map { ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) }.joined()
            }
        }
        return out
    }
}
