internal import JSON
internal import Posix
internal import TestSupport
internal import Testing
internal import Upstream

/// A row of `schema/failures.json`: what a server said, and what is made of it.
private struct Row: Sendable, CustomTestStringConvertible {
    let name: String
    let view: JSONView

    var testDescription: String { name }
    var status: Int? { view["status"]?.int }
    var body: [UInt8] { view["body"]?.utf8 ?? [] }

    var headers: [String: String] {
        var headers: [String: String] = [:]
        if let given = view["headers"] {
            for member in given.members { headers[member.key] = member.value.string }
        }
        return headers
    }

    static let all: [Row] = {
        let root = Files.directory(of: Files.directory(of: Files.directory(of: #filePath)))
        guard let bytes = try? Files.read(root + "/schema/failures.json"),
            let table = try? JSONDocument(bytes).root
        else { return [] }
        return table.elements.map { Row(name: $0["name"]?.string ?? "?", view: $0) }
    }()

    /// The moment at which the table is read, for its dates: 2026-11-25T06:00:00Z.
    private static let now: Int64 = 1_795_586_400_000

    /// What becomes of the body: as that of a failed answer, or inside a stream that began well.
    func failure(cut: Int? = nil) -> UpstreamFailure? {
        if let status {
            return FailureClassifier.failure(
                FailureReport(status: status, headers: headers, body: body, now: Row.now))
        }
        var reader = dialect.reader(issuer: "x")
        if let cut {
            _ = reader.feed(Array(body[..<cut]))
            _ = reader.feed(Array(body[cut...]))
        } else {
            for byte in body { _ = reader.feed([byte]) }
        }
        if case .failed(let failure) = reader.finish().end { return failure }
        return nil
    }

    private var dialect: any Dialect {
        switch view["dialect"]?.string {
        case "gemini": GeminiDialect(base: "")
        case "anthropic": AnthropicDialect(base: "")
        default: OpenAIDialect(base: "")
        }
    }
}

@Suite struct `The table of failures` {
    @Test(arguments: Row.all) private func `holds for (N043, N046)`(row: Row) throws {
        let failure = try #require(row.failure())
        #expect(failure.kind.rawValue == row.view["kind"]?.string)
        #expect(failure.isRetryable == row.view["retryable"]?.bool)
        #expect(failure.retryAfter == row.view["retryAfterMs"]?.int)
        #expect(failure.parameter == row.view["parameter"]?.string)
        let overflow = row.view["overflow"]
        #expect((failure.overflow == nil) == (overflow == nil))
        #expect(failure.overflow?.limit == overflow?["limit"]?.int)
        #expect(failure.overflow?.counted == overflow?["counted"]?.int)
        #expect(failure.overflow?.mostBytes == overflow?["mostBytes"]?.int)
        #expect((failure.overflow?.isBytes ?? false) == (overflow?["mostBytes"] != nil))
        #expect(failure.message.count <= 500 && !failure.message.contains("\n"))
    }

    @Test(arguments: Row.all.filter { $0.status == nil })
    private func `holds wherever the bytes of a stream are cut`(row: Row) {
        let whole = row.failure()
        for cut in row.body.indices { #expect(row.failure(cut: cut) == whole, "\(cut)") }
    }

    @Test func `has a row for each shape, under a name of its own, with its source`() {
        let names = Row.all.map(\.name)
        #expect(names.count >= 90)
        #expect(Set(names).count == names.count)
        #expect(Row.all.allSatisfy { $0.view["note"]?.string?.hasPrefix("wire") ?? false })
        let known = ["anthropic", "gemini", "openai"]
        #expect(Row.all.allSatisfy { known.contains($0.view["dialect"]?.string ?? "") })
    }

    @Test func `tells a lower bound from a count`() {
        let bounds = Row.all.filter { $0.failure()?.overflow?.isLowerBound ?? false }
        #expect(bounds.map(\.name) == ["overflow-vllm-at-least"])
    }
}

extension `The table of failures` {
    @Test func `says what to set where Google wants to know which project pays (N041)`() {
        let body =
            #"{"error":{"code":403,"message":"Your application is authenticating by using local Application Default Credentials. The API requires a quota project, which is not set by default.","status":"PERMISSION_DENIED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"SERVICE_DISABLED","domain":"googleapis.com"}]}}"#
        let failure = FailureClassifier.failure(
            FailureReport(status: 403, headers: [:], body: Array(body.utf8), now: 0))
        #expect(failure.kind == .auth && !failure.isRetryable && !failure.retriesAtOnce)
        #expect(failure.message.contains("'credentials.quotaProject'"), "\(failure.message)")
    }
}
