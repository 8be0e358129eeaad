import Protocol
import Testing

@Suite struct `An error's kind` {
    @Test func `has its code and says whether a retry may help`() {
        let table = ErrorKind.allCases.map {
            "\($0.rawValue) \($0.code)\($0.isRetryable ? " retryable" : "")"
        }
        #expect(
            table == [
                "parse_error -32700", "line_too_long -32700", "invalid_request -32600",
                "method_not_found -32601", "invalid_params -32602",
                "internal -32603", "not_found -32002", "cancelled -32800", "permission_denied -31001",
                "busy -31002 retryable",
                "conflict -31003", "context_overflow -31004", "overloaded -31005 retryable",
                "throttled -31006 retryable", "quota -31007",
                "paused -31008", "upstream_auth -31009", "upstream_unavailable -31010 retryable",
                "upstream_timeout -31011 retryable",
                "upstream_refused -31012", "upstream_protocol -31013 retryable",
                "interrupted -31014 retryable", "disk_full -31015 retryable",
                "store_failed -31016 retryable", "shutting_down -31017 retryable",
            ])
    }

    @Test func `has a code of its own, but for the two that are parse errors`() {
        let codes = ErrorKind.allCases.filter { $0 != .lineTooLong }.map(\.code)
        #expect(Set(codes).count == codes.count)
        #expect(ErrorKind.lineTooLong.code == ErrorKind.parseError.code)
    }
}

@Suite struct `The table of methods` {
    @Test func `is sorted`() {
        let names = Method.allCases.map(\.rawValue)
        #expect(names == names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
    }

    @Test func `has the two notifications that clients send`() {
        #expect(
            Method.allCases.filter(\.isNotification).map(\.rawValue) == [
                "$/cancel_request", "session/cancel",
            ])
    }
}
