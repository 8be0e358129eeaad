package import ContextWindow
package import Conversation
package import EventLoop
package import JSON

/// One kind of upstream: what a configuration may say of it, and how it is spoken to.
///
/// A kind is a directory of its own, with this as its entry, and a row of `UpstreamKinds.standard`.
package struct UpstreamKind: Sendable, Equatable {
    /// How upstreams of a kind come to be.
    package enum Way: Sendable {
        /// A server behind HTTP that is spoken to in this dialect.
        case server(@Sendable (UpstreamSettings) -> any Dialect)
        /// Something that needs no server.
        case local(@Sendable (UpstreamSettings, EventLoop) -> any Upstream)
    }

    /// A setting that only this kind has; its value stands in `UpstreamSettings.options`.
    package struct Option: Sendable, Equatable {
        /// Its key in the configuration.
        package let name: String
        /// Its type, and what it is when nobody says it.
        package let value: UpstreamSettings.Option

        package init(_ name: String, _ value: UpstreamSettings.Option) {
            self.name = name
            self.value = value
        }
    }

    /// Whether the provider keeps beginnings of requests in a cache; Anthropic's is marked for it.
    package static let promptCache = Option("promptCache", .promptCache(.minutes))

    /// How it is used without a configuration, where a variable holds its key.
    package struct Implicit: Sendable {
        /// Variables with keys, the better one first.
        package let keys: [String]
        /// Variables with an address and with a model to use in place of these.
        package let baseURL: String
        /// The variable with a model to use in place of `defaultModel`.
        package let model: String
        /// The model that is used where no variable names one.
        package let defaultModel: String

        package init(keys: [String], baseURL: String, model: String, defaultModel: String) {
            self.keys = keys
            self.baseURL = baseURL
            self.model = model
            self.defaultModel = defaultModel
        }
    }

    /// Its name in configurations.
    package let name: String
    /// What makes an upstream of these settings.
    package let way: Way
    /// Where the vendor's own service is; empty for none.
    package var baseURL = ""
    /// What is added to an address that has no path of its own.
    package var path = ""
    /// Settings that no other kind has; empty for none.
    package var options: [Option] = []
    /// Whether its provider can be asked to keep beginnings of requests for an hour.
    package var keepsHours = false
    /// Whether Google's credentials may stand in place of keys.
    package var takesGoogleCredentials = false
    /// Nil for a kind that only a configuration brings.
    package var implicit: Implicit?
    /// Writes the array of a request's messages beside its system prompt, for frontends that call the model themselves; nil where
    /// none do.
    package var messages: (@Sendable ([OutgoingMessage], _ system: String?, inout JSONWriter) -> Void)?
    /// What those messages must obey where they are another upstream's: nobody's thoughts are among them.
    package var rules = DialectRules.openAI
    /// Whether the system prompt is among those, and not beside them.
    package var hasSystemMessage = false

    package init(_ name: String, _ way: Way) {
        self.name = name
        self.way = way
    }

    package static func == (a: UpstreamKind, b: UpstreamKind) -> Bool { a.name == b.name }

    /// Whether it needs no server, and so neither address nor key.
    package var isLocal: Bool { if case .local = way { true } else { false } }
}

/// The kinds of upstreams there are, sorted by name.
package struct UpstreamKinds: Sendable, Equatable {
    /// Sorted by name.
    package let all: [UpstreamKind]

    /// Traps where two have one name.
    package init(_ kinds: [UpstreamKind]) {
        all = kinds.sorted { $0.name < $1.name }
        for (a, b) in zip(all, all.dropFirst()) {
            precondition(a.name != b.name, "two kinds of upstreams are called '\(a.name)'")
        }
    }

    /// Those that convod has.
    package static let standard = UpstreamKinds([.anthropic, .echo, .gemini, .ollama, .openai])

    /// The kind that a configuration calls so; nil where there is none.
    package subscript(name: String) -> UpstreamKind? { all.first { $0.name == name } }
    package var names: [String] { all.map(\.name) }
    /// Those in whose way messages can be written.
    package var dialects: [UpstreamKind] { all.filter { $0.messages != nil } }
}
