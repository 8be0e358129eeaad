internal import ContextWindow
internal import Conversation
internal import JSON
internal import Upstream

/// A kind of upstream that only the tests have: a request and an answer are plain text.
struct DummyDialect: Dialect {
    /// Its entry.
    static let kind: UpstreamKind = {
        var kind = UpstreamKind(
            "dummy", .server { DummyDialect(base: $0.baseURL, isLoud: $0.flag("loud")) })
        kind.options = [UpstreamKind.Option("loud", .flag(false))]
        kind.messages = { messages, _, writer in
            writer.array {
                for message in messages {
                    $0.object {
                        $0.member("role", message.role.name)
                        $0.member("content", "\(message.parts.count) part")
                    }
                }
            }
        }
        return kind
    }()

    let base: String
    let isLoud: Bool

    func rules(issuer: String) -> DialectRules { .openAI }
    func url(for model: String) -> String { base + "/say" }
    let headers: [String] = []
    func keyHeaders(_ key: String) -> [String] { [] }
    func body(for request: ModelRequest, _ quirks: Quirks) -> [UInt8] {
        guard case .text(let text)? = request.messages.last?.parts.first else { return [] }
        return Array((isLoud ? text.uppercased() : text).utf8)
    }
    func reader(issuer: String) -> any AnswerReader { DummyReader() }
    func modelsURL(page token: String?) -> String { base + "/models" }
    func models(in body: [UInt8]) -> (models: [ModelDescription], next: String?) { ([], nil) }
}

/// Takes what comes as the answer.
private struct DummyReader: AnswerReader {
    private var bytes = 0
    var isOver: Bool { false }
    var hasFinish: Bool { false }
    var seemsWhole: Bool { bytes > 0 }
    var events: Int { 0 }
    var signs: Int { 0 }
    var heldBytes: Int { 0 }

    mutating func feed(_ bytes: [UInt8]) -> [Piece] {
        self.bytes += bytes.count
        return [Piece(.text, bytes)]
    }
    mutating func finish() -> (pieces: [Piece], end: UpstreamEvent) {
        ([], .finished(Turn.Finish(reason: "stop")))
    }
    mutating func takeWhole(_ body: [UInt8]) -> (pieces: [Piece], end: UpstreamEvent) {
        (feed(body), finish().end)
    }
}
