/// What authorizes one request.
package struct Authorization: Sendable, Equatable {
    /// Header lines `Name: value`; they hold secrets and are never logged.
    package var headers: [String]
    /// Tells this key or token from others without showing it.
    package var identity: [UInt8]

    package init(headers: [String], identity: [UInt8]) {
        self.headers = headers
        self.identity = identity
    }

    /// For servers that ask for nothing.
    package static let none = Authorization(headers: [], identity: [])
}

/// Finds keys and tokens for requests, and learns how they fared; belongs to the loop's thread.
package protocol Authorizer: AnyObject {
    /// Gives what the next request for a model carries, nil for one that is for none, at once or after a token was fetched; `retrying` hears of each try that failed and
    /// is followed by another, with the milliseconds until then.
    func authorize(
        for model: String?, retrying: @escaping (UpstreamFailure, Int) -> Void,
        _ then: @escaping (Result<Authorization, UpstreamFailure>) -> Void)
    /// Tries again at once what was refused before.
    func forgive()
    /// Names of variables that no program run for a key may see.
    func hide(_ names: Set<String>)
    /// Ends the programs that were run for a key; who waits for one hears nothing more.
    func stop()
    /// The server refused it (401) with a model, nil for none; returns whether asking at once again may help.
    func refused(_ authorization: Authorization, for model: String?) -> Bool
    /// The server asked this key to wait with a model, in milliseconds; returns those until a key is free, 0 where another one is.
    func throttled(_ authorization: Authorization, milliseconds: Int, for model: String) -> Int
    /// The server took it with a model, nil for none.
    func succeeded(_ authorization: Authorization, for model: String?)
    /// Whether a key or credential is at hand, without asking anyone.
    var isAtHand: Bool { get }
    /// Where the key or token comes from, for people; never the key itself.
    var origin: String { get }
    /// What people should know about it; nil for nothing.
    var notice: String? { get }
    /// The keys there are, for people.
    var keys: [KeyDescription] { get }
}

extension Authorizer {
    /// The same for who does not care about tries that failed.
    package func authorize(_ then: @escaping (Result<Authorization, UpstreamFailure>) -> Void) {
        authorize(for: nil, retrying: { _, _ in }, then)
    }
    package func forgive() {}
    package func hide(_ names: Set<String>) {}
    package func stop() {}
    package func throttled(_ authorization: Authorization, milliseconds: Int, for model: String) -> Int {
        milliseconds
    }
    package var notice: String? { nil }
    package var keys: [KeyDescription] { [] }
}

/// One source of keys as people may see it.
package struct KeyDescription: Sendable, Equatable {
    /// How a key stands.
    package enum State: String, Sendable { case ready, refused, waiting, missing }
    /// Where it comes from, as `env OPENAI_API_KEY`.
    package let source: String
    /// Its last four characters behind dots; nil when there is none.
    package let masked: String?
    package let state: State
    /// What is wrong with it, in one clause.
    package let reason: String?

    package init(source: String, masked: String?, state: State, reason: String?) {
        self.source = source
        self.masked = masked
        self.state = state
        self.reason = reason
    }
}
