/// How one upstream is set up: an entry of `upstreams` in the configuration.
package struct UpstreamSettings: Sendable, Equatable {
    /// Which dialect it speaks.
    package enum Kind: String, Sendable, CaseIterable { case echo, openai }

    package var name: String
    package var kind: Kind
    package var baseURL: String
    package var model: String?
    package var keys: [KeySource]
    package var timeouts: Timeouts
    /// Tokens; nil leaves it to what is known of the model.
    package var contextLength: Int?
    /// Milliseconds between the chunks of an echo.
    package var delay: Int

    package init(name: String, kind: Kind, baseURL: String = "", model: String? = nil, keys: [KeySource] = [])
    {
        self.name = name
        self.kind = kind
        self.baseURL = baseURL
        self.model = model
        self.keys = keys
        timeouts = Timeouts()
        contextLength = nil
        delay = 0
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

    package init() {}
}

/// Where a key comes from.
///
/// It is read at each call, so a changed file or variable counts at once.
package enum KeySource: Sendable, Equatable {
    /// A variable of the daemon's environment.
    case environment(String)
    /// A file that only its owner can read.
    case file(String)
    /// A systemd credential: a file in `$CREDENTIALS_DIRECTORY`.
    case credential(String)
}
