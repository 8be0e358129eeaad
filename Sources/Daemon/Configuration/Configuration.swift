package import ContextWindow
internal import JSON
internal import Posix
internal import Store
package import Protocol
package import Upstream

/// What is in force: the configuration file over the defaults.
package struct Configuration: Sendable, Equatable {
    /// Who may do what at the socket.
    package struct Access: Sendable, Equatable {
        /// The socket's mode.
        package var mode: UInt32 = 0o600
        /// Who may connect beside administrators; nil means everyone who can.
        package var allowedUsers: [UInt32]?
        /// Group IDs whose members may connect too.
        package var allowedGroups: [UInt32] = []
        /// Who sees all sessions, beside root and the daemon's own user.
        package var adminUsers: [UInt32] = []
        /// Group IDs whose members see all sessions too.
        package var adminGroups: [UInt32] = []
        /// Who sees all sessions and changes none, and may connect for that.
        package var watchingUsers: [UInt32] = []
        /// Group IDs whose members do so too.
        package var watchingGroups: [UInt32] = []
    }

    /// Nil where the flag, the environment or the default decides.
    package var socketPath: String?
    package var access = Access()
    /// Nil where the flag, the environment or the default decides.
    package var databasePath: String?
    /// Whether every commit waits for the disk.
    package var isDurabilityFull = true
    /// Whether messages are indexed by what they say; without, each search looks at all of them.
    package var isIndexing = true
    /// What clients may make grow.
    package var limits = Limits()
    /// What a window may hold unless a session or a prompt says otherwise.
    package var window = WindowPolicy()
    /// The kinds that upstreams may have.
    package var kinds = UpstreamKinds.standard
    /// What is known of models: what the file says, over what convod knows by itself.
    package var models = ModelTable.shipped
    /// In the order in which they stand in the file.
    package var upstreams: [UpstreamSettings] = []
    /// Names of routes with the upstreams to ask in order.
    package var routes: [String: [String]] = [:]
    package var retry = RetryPolicy()
    /// Prompts and tokens per minute of one user.
    package var userThrottle = Throttle.Limits()
    /// Milliseconds that a prompt waits for its user's limit before it is refused.
    package var throttleWait = 60_000
    /// What users and sessions may use, unless a session says otherwise.
    package var quotas = Quotas()
    var cache = Cache()
    package var summarizer = Summarizer()
    package var retention = Retention()
    /// Milliseconds that running turns get at a stop.
    package var drain = 5_000
    /// Whether there was no configuration file and upstreams come from the environment.
    package var isImplicit = true

    /// How long sessions are kept.
    package struct Retention: Sendable, Equatable {
        /// Milliseconds in the trash after which a session is purged; 0 = never.
        package var trash = 30 * 86_400_000
        /// Milliseconds without a change after which a session goes to the trash; nil = never.
        package var age: Int?
        /// Bytes of content that a user's sessions outside the trash may have, beyond which those that changed longest ago
        /// go there; nil = any number.
        package var size: Int?
        /// The tag that a session must have for these two; nil = any or none.
        package var tag: String?
    }

    package init() {}

    /// The route that is used when nobody names one.
    package static let defaultRoute = "default"

    /// Keys that only a start reads and that have another value in `other`.
    func fixedKeys(changedIn other: Configuration) -> [String] {
        let pairs: [(key: String, isSame: Bool)] = [
            ("socket.path", socketPath == other.socketPath),
            ("socket.mode", access.mode == other.access.mode),
            ("database.path", databasePath == other.databasePath),
            ("database.durability", isDurabilityFull == other.isDurabilityFull),
            ("database.index", isIndexing == other.isIndexing),
            ("limits.connections", limits.connections == other.limits.connections),
        ]
        return pairs.filter { !$0.isSame }.map(\.key)
    }

    /// The upstreams that a name stands for: a route, or a single upstream; nil for an unknown name.
    package func route(named name: String?) -> [String]? {
        if let name { return routes[name] ?? (upstreams.contains { $0.name == name } ? [name] : nil) }
        return routes[Configuration.defaultRoute]
    }
}

/// What users and sessions may use; nil is no limit.
package struct Quotas: Sendable, Equatable {
    /// The most that a cap on cost may be, in dollars.
    static let mostDollars = 1e12

    /// A cap on tokens and on cost.
    package struct Cap: Sendable, Equatable {
        /// Tokens of requests and answers together.
        package var tokens: Int?
        /// Millionths of a dollar.
        package var cost: Int?
        package init(tokens: Int? = nil, cost: Int? = nil) {
            self.tokens = tokens
            self.cost = cost
        }
        /// Whether it caps nothing.
        package var isNone: Bool { tokens == nil && cost == nil }
    }
    /// Per user and day (UTC).
    package var user = Cap()
    /// Per session, over its life.
    package var session = Cap()
}

/// Who makes summaries, and how long they may be.
package struct Summarizer: Sendable, Equatable {
    /// A route or an upstream; nil means the session's own.
    package var upstream: String?
    /// Nil means the upstream's own, or the session's where `upstream` is nil too.
    package var model: String?
    /// Tokens that a summary may have.
    package var maxTokens = 1_024
    /// Milliseconds for each call.
    package var timeout = 60_000
}

/// What is wrong with a configuration, where, and what to do.
package struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    /// One sentence for a person, with the key's path and what to do.
    package let description: String
    package init(_ description: String) { self.description = description }
}

extension Configuration {
    /// How long answers to repeated requests are kept, and how many.
    struct Cache: Sendable, Equatable {
        var isOn = false
        /// Milliseconds.
        var age = 86_400_000
        var entries = 1_000
    }
}

extension ModelTable {
    /// `schema/models.json`; a test reads it, so that it can be read.
    package static let shipped: ModelTable = {
        guard let view = try? JSONDocument(EmbeddedSchema.modelTable).root,
            let table = try? ModelTable(reading: view, kinds: UpstreamKinds.standard.names)
        else { preconditionFailure("'schema/models.json' cannot be read") }
        return table
    }()
}
