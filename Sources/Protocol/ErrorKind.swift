/// The closed list of what can go wrong, as `data.kind` of an error says it.
package enum ErrorKind: String, Sendable, CaseIterable {
    case parseError = "parse_error"
    case lineTooLong = "line_too_long"
    case invalidRequest = "invalid_request"
    case methodNotFound = "method_not_found"
    case invalidParams = "invalid_params"
    case internalError = "internal"
    case notFound = "not_found"
    case cancelled
    case permissionDenied = "permission_denied"
    case busy
    case conflict
    case contextOverflow = "context_overflow"
    case overloaded
    case throttled
    case quota
    case paused
    case upstreamAuth = "upstream_auth"
    case upstreamUnavailable = "upstream_unavailable"
    case upstreamTimeout = "upstream_timeout"
    case upstreamRefused = "upstream_refused"
    case upstreamProtocol = "upstream_protocol"
    case interrupted
    case diskFull = "disk_full"
    case storeFailed = "store_failed"
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
