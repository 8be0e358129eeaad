/// The closed list of what can go wrong, as `data.kind` of an error says it.
package enum ErrorKind: String, Sendable, CaseIterable {
    /// The line is not JSON, not UTF-8, or nested too deep; it is answered with the ID null.
    case parseError = "parse_error"
    /// The line is longer than the limit; its rest up to the next LF is skipped.
    case lineTooLong = "line_too_long"
    /// The line is JSON, but no JSON-RPC 2.0 request.
    case invalidRequest = "invalid_request"
    /// There is no method of this name.
    case methodNotFound = "method_not_found"
    /// A parameter is missing, of the wrong type, out of range or unknown.
    case invalidParams = "invalid_params"
    /// The daemon made a mistake; its log says more.
    case internalError = "internal"
    /// There is no such session, message, turn or upstream, or it is another user's.
    case notFound = "not_found"
    /// The request was cancelled by `$/cancel_request`.
    case cancelled
    /// The caller's user may not do this.
    case permissionDenied = "permission_denied"
    /// A turn is running on the session, and the request cannot wait for it.
    case busy
    /// What the request goes by is taken or has changed: a session ID, a request ID, a cursor.
    case conflict
    /// What must be sent does not fit into the window; the sentence has both numbers.
    case contextOverflow = "context_overflow"
    /// A limit of the daemon is reached, as of connections or of a queue.
    case overloaded
    /// The upstream, or a limit set for it, asks to wait.
    case throttled
    /// A quota is used up, so that waiting a little does not help.
    case quota
    /// The session is paused until somebody resumes it.
    case paused
    /// The upstream refused the key, or there is none.
    case upstreamAuth = "upstream_auth"
    /// The upstream cannot be reached or is down.
    case upstreamUnavailable = "upstream_unavailable"
    /// The upstream did not answer in time.
    case upstreamTimeout = "upstream_timeout"
    /// The upstream refused the request, and will refuse the same one again.
    case upstreamRefused = "upstream_refused"
    /// The upstream answered with what is no answer.
    case upstreamProtocol = "upstream_protocol"
    /// The answer was cut by a crash, a stop or a broken stream; what came is kept.
    case interrupted
    /// There is no room on the disk; nothing was stored.
    case diskFull = "disk_full"
    /// The database could not be read or written.
    case storeFailed = "store_failed"
    /// The daemon is stopping and takes nothing new.
    case shuttingDown = "shutting_down"

    /// The JSON-RPC code. Standard and ACP codes where they exist, else one of -31001, -31002, …
    package var code: Int {
        switch self {
        case .parseError, .lineTooLong: -32700
        case .invalidRequest: -32600
        case .methodNotFound: -32601
        case .invalidParams: -32602
        case .internalError: -32603
        case .notFound: -32002
        case .cancelled: -32800
        case .permissionDenied: -31001
        case .busy: -31002
        case .conflict: -31003
        case .contextOverflow: -31004
        case .overloaded: -31005
        case .throttled: -31006
        case .quota: -31007
        case .paused: -31008
        case .upstreamAuth: -31009
        case .upstreamUnavailable: -31010
        case .upstreamTimeout: -31011
        case .upstreamRefused: -31012
        case .upstreamProtocol: -31013
        case .interrupted: -31014
        case .diskFull: -31015
        case .storeFailed: -31016
        case .shuttingDown: -31017
        }
    }

    /// Whether the same request may succeed later.
    package var isRetryable: Bool {
        switch self {
        case .busy, .overloaded, .throttled, .upstreamUnavailable, .upstreamTimeout, .upstreamProtocol,
            .interrupted, .storeFailed,
            .shuttingDown, .diskFull:
            true
        default: false
        }
    }
}
