/// Gets a small JSON document; the answer comes on the loop.
@discardableResult
func fetch(
    _ request: HTTPRequest, _ client: HTTPClient, _ clock: @escaping () -> Int64,
    _ receive: @escaping (Result<[UInt8], UpstreamFailure>) -> Void
) -> HTTPCall {
    var status = 0, headers: [String: String] = [:], body: [UInt8] = []
    return client.start(request) { event in
        switch event {
        case .head(let code, let lines): (status, headers) = (code, lines)
        case .body(let bytes): body += bytes.prefix(max(0, (8 << 20) - body.count))
        case .end:
            if (200...299).contains(status) { return receive(.success(body)) }
            let report = FailureReport(status: status, headers: headers, body: body, now: clock())
            receive(.failure(FailureClassifier.failure(report)))
        case .failed(let failure): receive(.failure(UpstreamFailure(transport: failure, hasContent: false)))
        }
    }
}
