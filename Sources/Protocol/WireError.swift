package import Conversation
package import JSON

/// An error as it goes over the wire: a kind, a sentence for a person, and what a program needs beside it.
package struct WireError: Error, Sendable, Equatable {
    package let kind: ErrorKind
    /// What is wrong, where, the limit and the value, what to do next.
    ///
    /// Never message text, never a key.
    package let message: String
    /// Whether the same request may succeed later, and does no harm then.
    package var isRetryable: Bool
    /// Milliseconds to wait before the next try; nil when nobody knows.
    package var retryAfterMs: Int?
    /// Further members of `data`, raw JSON by name.
    package var details: [String: [UInt8]]
    /// A number among the details.
    package func number(_ name: String) -> Int? {
        details[name].flatMap { Int(String(decoding: $0, as: UTF8.self)) }
    }

    package init(
        _ kind: ErrorKind, _ message: String, retryAfterMs: Int? = nil, details: [String: [UInt8]] = [:]
    ) {
        self.kind = kind
        self.message = message
        isRetryable = kind.isRetryable
        self.retryAfterMs = retryAfterMs
        self.details = details
    }

    /// A parameter that is missing, of the wrong type or out of range.
    package static func invalid(_ message: String) -> WireError { WireError(.invalidParams, message) }

    /// A session that is not there, or belongs to somebody else.
    package static func noSession(_ id: SessionID) -> WireError {
        WireError(
            .notFound, "there is no session '\(id.text)'; 'session/list' or 'convo ls' shows those there are")
    }

    /// The error as the parameters of a notification.
    package var asParameters: [UInt8] {
        var writer = JSONWriter()
        write(to: &writer)
        return writer.bytes
    }

    /// Writes the `error` member of a response: code, message, and `data` with the details in the order of their
    /// names.
    package func write(to writer: inout JSONWriter) {
        writer.object {
            $0.member("code", kind.code)
            $0.member("message", message)
            $0.member("data") {
                $0.member("kind", kind.rawValue)
                $0.member("retryable", isRetryable)
                $0.optional("retryAfterMs", retryAfterMs)
                // acp.md 1.7: clients show data.details or data.error
                $0.member("details", message)
                for (name, value) in details.sorted(by: { $0.key < $1.key }) { $0.member(name, raw: value) }
            }
        }
    }
}

extension WireError {
    /// As many prompts are being answered as may be, and this one cannot wait.
    package static let crowded = WireError(
        .overloaded,
        "as many of your prompts are being answered as may be at one time; try again when some of them are done",
        retryAfterMs: 1_000)

    /// A user asks more often than the configuration allows, and may again after so many milliseconds.
    package static func tooFast(_ wait: Int) -> WireError {
        WireError(
            .throttled,
            "you have sent as many prompts as 'throttle' in the configuration allows a minute; try again in \((wait + 999) / 1000) s",
            retryAfterMs: wait)
    }
}
