package import JSON

/// Why a call came to nothing.
package struct ClientError: Error, Sendable, CustomStringConvertible {
    /// Where it went wrong; a program decides by this.
    package enum Code: Sendable {
        /// Nobody listens at the socket, or it may not be used.
        case cannotConnect
        /// Who listens there is neither this user nor one that speaks for the system.
        case untrusted
        /// No daemon could be started.
        case cannotStart
        /// The daemon went away before it had answered.
        case closed
        /// What came is not the protocol.
        case protocolViolation
        /// The daemon did not answer in the time that the caller gave it.
        case timedOut
        /// The daemon answered with an error.
        case remote(RemoteError)
    }
    /// Where it went wrong, with the daemon's error where there is one.
    package let code: Code
    /// A clause for a person, with what to do next where there is something.
    package let description: String

    /// Makes an error; `description` is the clause for a person.
    package init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }

    init(_ error: RemoteError) { self.init(.remote(error), error.message) }

    /// The daemon's own error, nil when it is none of its.
    package var remote: RemoteError? { if case .remote(let error) = code { error } else { nil } }
}

/// An error as the daemon sent it.
package struct RemoteError: Sendable {
    /// The JSON-RPC code.
    package let code: Int
    /// `data.kind`, empty when a daemon of another make did not send one.
    package let kind: String
    /// The sentence for a person.
    package let message: String
    /// What a program needs beside the code, nil when there was nothing.
    package let data: JSONView?
    /// The whole error object.
    package let view: JSONView

    init(_ view: JSONView) {
        self.view = view
        code = view["code"]?.int ?? 0
        message = view["message"]?.string ?? "an error without a message"
        data = view["data"]
        kind = view["data"]?["kind"]?.string ?? ""
    }
}
