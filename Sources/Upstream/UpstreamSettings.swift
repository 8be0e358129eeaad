/// How one upstream is set up: an entry of `upstreams` in the configuration.
package struct UpstreamSettings: Sendable, Equatable {
    /// The value of a setting that only some kinds have.
    package enum Option: Sendable, Equatable {
        /// `true` or `false` in the configuration.
        case flag(Bool)
        /// Nil for nothing.
        case word(String?)
        /// A time; 0 where it is not set.
        case milliseconds(Int)
        /// `true` for five minutes, `false`, `"5m"` or `"1h"`.
        case promptCache(PromptCache)
    }

    /// The name in the configuration, which routes and sessions use.
    package var name: String
    package var kind: UpstreamKind
    /// The server's address without a path of a method; empty for one without a server.
    package var baseURL: String
    /// The model that is used when nobody names one; nil where each request must.
    package var model: String?
    /// Tried in this order; empty for a server without keys.
    package var keys: [KeySource] = []
    /// Google's credentials, in place of keys.
    package var google: GoogleSettings?
    package var timeouts = Timeouts()
    /// Tokens; nil leaves it to what is known of the model.
    package var contextLength: Int?
    /// What its windows may hold, over what is configured for all: an object as the configuration has it; nil for nothing.
    package var window: [UInt8]?
    /// Requests and tokens per minute.
    package var throttle = Throttle.Limits()
    package var breaker = Breaker.Policy()
    /// What tokens cost, whichever model is asked; nil leaves it to what is known of the model.
    package var price: Prices?
    /// What is known of models.
    package var models = ModelTable()
    /// Further headers by name, such as `HTTP-Referer`; they may hold secrets and are shown masked.
    package var headers: [String: String] = [:]
    /// What its kind alone knows, by name; what is not there is as the kind's entry says.
    package var options: [String: Option] = [:]
    /// Nil signs nothing.
    package var signing: Signing?
    /// A file of certificates, in PEM, whose owners may sign the server's and its proxy's, beside the system's.
    package var caFile: String?

    package init(
        name: String, kind: UpstreamKind, baseURL: String = "", model: String? = nil, keys: [KeySource] = []
    ) {
        self.name = name
        self.kind = kind
        self.baseURL = baseURL
        self.model = model
        self.keys = keys
    }

    /// How it is spoken to; nil for one without a server.
    package var dialect: (any Dialect)? {
        if case .server(let make) = kind.way { make(self) } else { nil }
    }

    /// A flag of its kind.
    package func flag(_ name: String, else value: Bool = false) -> Bool {
        if case .flag(let flag)? = options[name] { flag } else { value }
    }

    /// How long its provider keeps beginnings of requests.
    package var promptCache: PromptCache {
        if case .promptCache(let cache)? = options[UpstreamKind.promptCache.name] { cache } else { .minutes }
    }

    /// A word of its kind; nil for none.
    package func word(_ name: String) -> String? {
        if case .word(let word)? = options[name] { word } else { nil }
    }

    /// A time of its kind, in milliseconds.
    package func milliseconds(_ name: String) -> Int {
        if case .milliseconds(let time)? = options[name] { time } else { 0 }
    }
}

/// How long to wait for an upstream, in milliseconds (design section 10).
package struct Timeouts: Sendable, Equatable {
    /// Until the connection stands.
    package var connect = 10_000
    /// Until the first piece of content; comments do not count.
    package var firstToken = 600_000
    /// Between two bytes of any kind.
    package var gap = 60_000
    /// Between two events of an answer whose server only keeps the connection alive; no configuration says another.
    package var alive = 600_000

    package init() {}
}

/// Where a key comes from.
///
/// It is read at each call, so a changed file or variable counts at once.
package enum KeySource: Sendable, Equatable, CustomStringConvertible {
    /// A variable of the daemon's environment.
    case environment(String)
    /// A file that only its owner can read.
    case file(String)
    /// A systemd credential: a file in `$CREDENTIALS_DIRECTORY`.
    case credential(String)
    /// A program and its arguments; the first line that it prints is the key.
    case command([String])

    package var description: String {
        switch self {
        case .environment(let name): "env \(name)"
        case .file(let path): "file \(path)"
        case .credential(let name): "credential \(name)"
        case .command(let words): "command \(words.first ?? "")"
        }
    }
}

/// Signing of requests for a gateway that asks for it: HMAC-SHA256 over `timestamp.body`.
package struct Signing: Sendable, Equatable {
    /// Where the shared secret comes from.
    package var secret: KeySource
    /// Said with each signature, so that secrets can be exchanged one by one.
    package var keyID: String?
    /// The header with the timestamp and the signature, see `RequestSigner`.
    package var header = "X-Convod-Signature"

    package init(secret: KeySource, keyID: String? = nil) {
        self.secret = secret
        self.keyID = keyID
    }
}
