/// Why an upstream gave no whole answer.
package struct UpstreamFailure: Error, Sendable, Equatable {
    /// What kind of failure; the names are those of `schema/protocol.json`.
    package enum Kind: String, Sendable {
        /// The key or token was refused, or there is none.
        case auth = "upstream_auth"
        /// The server cannot be reached or is down.
        case unavailable = "upstream_unavailable"
        /// The server did not answer in time.
        case timeout = "upstream_timeout"
        /// The server refused the request, and will refuse the same one again.
        case refused = "upstream_refused"
        /// What came is no answer.
        case protocolError = "upstream_protocol"
        /// The request is longer than what the model holds.
        case overflow = "context_overflow"
        /// The server, or a limit set for it, asks to wait.
        case throttled
        /// A quota is used up, so that waiting a little does not help.
        case quota
        /// The answer was cut; what came is kept.
        case interrupted
    }

    /// What a server said of a context that is too long (wire.md C5).
    package struct Overflow: Sendable, Equatable {
        /// Tokens that the model holds; nil when it was not said.
        package var limit: Int?
        /// Tokens that the server counted; nil when it was not said.
        package var counted: Int?
        /// Whether `counted` is only what it had counted when it gave up (vLLM).
        package var isLowerBound: Bool
        /// Whether the request has too many bytes, whatever its tokens; and how many it may have, nil when it was not said.
        package var isBytes = false
        /// Whether the limit is of a minute, which one request alone passes; it may be another tomorrow.
        package var isOfMinute = false
        /// Tokens that were too many, where only that was said; nil where it was not.
        package var excess: Int?
        package var mostBytes: Int?

        package init(limit: Int?, counted: Int?, isLowerBound: Bool = false) {
            self.limit = limit
            self.counted = counted
            self.isLowerBound = isLowerBound
        }

        /// Of too many bytes.
        static func bytes(_ most: Int?) -> Overflow {
            var overflow = Overflow(limit: nil, counted: nil)
            overflow.isBytes = true
            overflow.mostBytes = most
            return overflow
        }
    }

    package var kind: Kind
    /// One sentence for a person; never a key, at most 200 characters of what the server said.
    package var message: String
    /// The same without a word of the server's, which may repeat what somebody asked; nil when there are none in it.
    package var neutral: String?
    /// What it means as an HTTP status, which words inside a body or a stream may say too; nil when nothing says so.
    package var status: Int?
    /// The HTTP status that the server answered with: 200 where the error stood inside an answer; nil when none came.
    package var answered: Int?
    /// Whether the same request may succeed with this upstream later.
    package var isRetryable: Bool
    /// What the server asked to wait, in milliseconds.
    package var retryAfter: Int?
    /// Whether asking at once again may help, since the key, the token or the request is another one now.
    package var retriesAtOnce = false
    /// Whether a limit is passed by this request alone, so that smaller ones need not wait.
    package var concernsRequest = false
    /// Whether it is a limit of the configuration's, and nobody was asked.
    package var isOwnLimit = false
    /// Set when `kind` is `overflow`.
    package var overflow: Overflow?
    /// The request's parameter that the server does not take.
    package var parameter: String?
    /// Tokens of an answer that may be asked for at most, where the request wanted more.
    package var mostTokens: Int?

    package init(
        _ kind: Kind, _ message: String, status: Int? = nil, isRetryable: Bool, retryAfter: Int? = nil
    ) {
        self.kind = kind
        self.message = message
        self.status = status
        answered = status
        self.isRetryable = isRetryable
        self.retryAfter = retryAfter
    }
}

extension UpstreamFailure {
    /// What others than who asked may hear of it.
    package var withoutWords: UpstreamFailure {
        var copy = self
        if let neutral { copy.message = neutral }
        copy.neutral = nil
        return copy
    }

    /// The failure that a broken exchange is.
    init(transport failure: TransportFailure, hasContent: Bool) {
        if hasContent {
            self.init(
                .interrupted,
                "the upstream's stream was cut before the answer was whole: \(failure.message.lowercased())",
                isRetryable: true)
        } else if failure.isProtocolFault {
            self.init(.protocolError, "the upstream's answer is not HTTP", isRetryable: true)
        } else if failure.isUnknownPacking {
            self.init(
                .protocolError,
                "the upstream says that its answer is packed in a way that nobody knows; the next try reads it as it is",
                isRetryable: true)
        } else if failure.isTimeout {
            self.init(.timeout, "the upstream could not be reached in time", isRetryable: true)
        } else if failure.isCut {
            self.init(
                .unavailable,
                "the upstream closed the connection before its answer was whole: \(failure.message.lowercased())",
                isRetryable: failure.isRetryable)
        } else {
            self.init(
                .unavailable,
                failure.sentence ?? "the upstream cannot be reached: \(failure.message.lowercased())",
                isRetryable: failure.isRetryable)
        }
    }
}
