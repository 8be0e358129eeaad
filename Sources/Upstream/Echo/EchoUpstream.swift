package import ContextWindow
internal import Conversation
package import EventLoop
internal import JSON

/// Answers offline with what was said and the number of the message, so that one sees that the session is kept.
///
/// `count to N` counts to N, a number every 10 ms: an answer that takes its time.
package final class EchoUpstream: Upstream {
    package let name: String
    package let kind = "echo"
    package var model: String? { "echo" }
    package let rules = DialectRules(isAlternating: false, startsWithUser: true)
    package let hasKey = true
    package let keyOrigin = ""
    package let keys: [KeyDescription] = []
    package private(set) var health = Health()

    private let delay: Int
    private let loop: EventLoop

    package init(_ settings: UpstreamSettings, loop: EventLoop) {
        name = settings.name
        delay = settings.delay
        self.loop = loop
    }

    package func url(for model: String) -> String? { nil }
    package func contextLength(of model: String) -> Int? { nil }
    package func availability(tokens: Int) -> Availability { .ready }
    package func cutSilently(counted: Int, estimate: Int) -> Bool { false }

    package func countTokens(
        _ request: ModelRequest, _ receive: @escaping (Result<Int?, UpstreamFailure>) -> Void
    ) {
        let count = EchoUpstream.tokens(request)
        loop.after(milliseconds: 0) { receive(.success(count)) }
    }

    private static func tokens(_ request: ModelRequest) -> Int {
        request.messages.reduce(TokenEstimate.perRequest) { $0 + TokenEstimate.message($1.parts) }
    }

    package func body(for request: ModelRequest) -> [UInt8] {
        JSONWriter.object {
            $0.member("model", request.model)
            $0.key("messages")
            OpenAIRequest.writeMessages(request.messages, system: request.system, to: &$0)
        }
    }

    package func start(_ request: ModelRequest, _ receive: @escaping (UpstreamEvent) -> Void)
        -> any UpstreamCall
    {
        let said = EchoUpstream.text(of: request.messages.last { $0.role == .user })
        let usage = Usage(inputTokens: EchoUpstream.tokens(request))
        if let last = EchoUpstream.count(in: said) {
            let numbers = (1...last).lazy.map { Array("\($0)\($0 == last ? "" : " ")".utf8) }
            return EchoCall(Array(numbers), delay: max(10, delay), loop: loop, usage: usage, receive)
        }
        let words = EchoUpstream.words(of: EchoUpstream.answer(request, said))
        return EchoCall(words, delay: delay, loop: loop, usage: usage, receive)
    }

    package func listModels(_ receive: @escaping (Result<[ModelDescription], UpstreamFailure>) -> Void) {
        loop.after(milliseconds: 0) { receive(.success([ModelDescription(id: "echo")])) }
    }

    private static func answer(_ request: ModelRequest, _ said: String) -> String {
        let number = max(1, request.userMessageCount)
        let before = request.previousUserText.map { "\nBefore that: \(quoted($0, most: 60))" } ?? ""
        return "Message \(number) of this session; you said: \(said)\(before)"
    }

    private static func quoted(_ text: String, most: Int) -> String {
        let line = text.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
        return line.count <= most && line.utf8.count == text.utf8.count
            ? "“\(line)”" : "“\(line.prefix(most))…”"
    }

    private static func text(of message: OutgoingMessage?) -> String {
        message?.parts.compactMap { if case .text(let text) = $0 { text } else { nil } }.joined(
            separator: "\n") ?? ""
    }

    /// Words with the white space behind them, so that joined they are the text byte for byte.
    static func words(of text: String) -> [[UInt8]] {
        var words: [[UInt8]] = [], word: [UInt8] = []
        var isBehindSpace = false
        for byte in text.utf8 {
            let isSpace = byte == 0x20 || byte == 0x0A
            if isBehindSpace && !isSpace {
                words.append(word)
                word = []
            }
            word.append(byte)
            isBehindSpace = isSpace
        }
        return words + (word.isEmpty ? [] : [word])
    }

    /// The number that a text asks to count to, nil when it asks for none.
    static func count(in text: String) -> Int? {
        let words = text.lowercased().split { !$0.isLetter && !$0.isNumber }
        guard
            let start = words.indices.first(where: {
                $0 + 2 < words.count && words[$0] == "count" && words[$0 + 1] == "to"
            })
        else { return nil }
        let named = [
            "ten": 10, "twenty": 20, "fifty": 50, "hundred": 100, "thousand": 1000, "million": 1_000_000,
        ]
        let word =
            words[start + 2] == "a" || words[start + 2] == "one"
            ? words.dropFirst(start + 3).first ?? "" : words[start + 2]
        guard let number = Int(word) ?? named[String(word)], (1...1_000_000).contains(number) else {
            return nil
        }
        return number
    }
}

/// An echo that is under way.
private final class EchoCall: UpstreamCall {
    private var words: ArraySlice<[UInt8]>
    private let delay: Int
    private let loop: EventLoop
    private var usage: Usage
    private var receive: ((UpstreamEvent) -> Void)?

    init(
        _ words: [[UInt8]], delay: Int, loop: EventLoop, usage: Usage,
        _ receive: @escaping (UpstreamEvent) -> Void
    ) {
        self.words = words[...]
        self.delay = delay
        self.loop = loop
        self.usage = usage
        self.usage.outputTokens = words.reduce(0) { $0 + max(1, $1.count / 4) }
        self.receive = receive
        schedule()
    }

    func cancel() { receive = nil }
    func pause() {}  // its answers are bounded by the prompt
    func resume() {}

    private func schedule() { loop.after(milliseconds: delay) { [weak self] in self?.step() } }

    private func step() {
        let some = delay == 0 ? words : words.prefix(1)
        words = words.dropFirst(some.count)
        if !some.isEmpty { receive?(.pieces(some.map { Piece(.text, $0) })) }
        guard receive != nil else { return }
        if !words.isEmpty { return schedule() }
        let receive = receive
        self.receive = nil
        receive?(.finished(Turn.Finish(reason: "stop", usage: usage)))
    }
}
