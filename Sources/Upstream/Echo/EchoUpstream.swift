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
    package let promptCache = PromptCache.none
    package let takesCacheKey = false
    package let takesSchema = false
    package func rules(for model: String) -> DialectRules {
        DialectRules(isAlternating: false, startsWithUser: false)
    }
    package let hasKey = true
    package let keyOrigin = ""
    package let keys: [KeyDescription] = []
    package private(set) var health = Health()

    private let delay: Int
    private let loop: EventLoop

    /// The option `delay` is the milliseconds before each piece of an answer; 0 gives them all at once.
    package init(_ settings: UpstreamSettings, loop: EventLoop) {
        name = settings.name
        delay = settings.milliseconds("delay")
        self.loop = loop
    }

    package func url(for model: String) -> String? { nil }
    package func contextLength(of model: String) -> Int? { nil }
    /// It is no provider's.
    package func prices(of model: String, tokens: Int) -> Prices? { Prices(input: 0, output: 0) }
    package func availability(of model: String, tokens: Int, for place: ThrottleLine.Place?) -> Availability {
        .ready
    }
    package func wait(_ place: ThrottleLine.Place, tokens: Int, milliseconds: Int) {}
    package func leave(_ place: ThrottleLine.Place, isServed: Bool) {}
    package func forgive() {}
    package func hide(_ names: Set<String>) {}
    package func cutSilently(
        counted: Int, expected: Int, of request: ModelRequest, behind before: CountedRequest?
    ) -> Bool { false }

    package func mostTokens(of model: String) -> Int? { nil }
    package func countsTokens(of model: String) -> Bool { false }

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
        // The window has counted already, where there was one.
        let usage = Usage(
            inputTokens: request.estimate > 0 ? request.estimate : EchoUpstream.tokens(request))
        if let last = EchoUpstream.count(in: said) {
            return EchoCall(EchoNumbers(last: last), delay: max(10, delay), loop: loop, usage: usage, receive)
        }
        let words = EchoWords(EchoUpstream.answer(request, said))
        return EchoCall(words, delay: delay, loop: loop, usage: usage, receive)
    }

    package func listModels(_ receive: @escaping (Result<[ModelDescription], UpstreamFailure>) -> Void)
        -> any UpstreamQuestion
    {
        let question = AnsweredQuestion()
        loop.after(milliseconds: 0) {
            if !question.isCancelled { receive(.success([ModelDescription(id: "echo")])) }
        }
        return question
    }

    package func isLengthLearned(of model: String) -> Bool { false }
    package func learned(length: Int, of model: String) {}
    package var mostBytes: Int? { nil }
    package func learned(bytes: Int) {}
    package func learnLength(of model: String, _ then: @escaping () -> Void) -> (any UpstreamQuestion)? {
        nil
    }

    private static func answer(_ request: ModelRequest, _ said: String) -> [UInt8] {
        let number = max(1, request.userMessageCount)
        let before = request.previousUserText.map { "\nBefore that: \(quoted($0, most: 60))" } ?? ""
        var bytes: [UInt8] = []
        bytes.reserveCapacity(said.utf8.count + before.utf8.count + 80)
        bytes += "Message \(number) of this session; you said: ".utf8
        bytes += said.utf8
        bytes += before.utf8
        return bytes
    }

    private static func quoted(_ text: String, most: Int) -> String {
        // No more of a long text is looked at than can be shown.
        let start = String(decoding: text.utf8.prefix(most * 32), as: UTF8.self)
        let line = start.split(whereSeparator: \.isNewline).first.map(String.init) ?? ""
        return line.count <= most && line.utf8.count == text.utf8.count
            ? "“\(line)”" : "“\(line.prefix(most))…”"
    }

    private static func text(of message: OutgoingMessage?) -> String {
        let texts: [String] =
            message?.parts.compactMap { if case .text(let text) = $0 { text } else { nil } } ?? []
        return texts.count == 1 ? texts[0] : texts.joined(separator: "\n")
    }

    /// The number that a text asks to count to, nil when it asks for none.
    static func count(in text: String) -> Int? {
        // Who wants it says so at once; a long text is not looked through.
        let words = String(decoding: text.utf8.prefix(2_000), as: UTF8.self).lowercased().split {
            !$0.isLetter && !$0.isNumber
        }
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

/// The words of an answer, made one by one as they are said.
private protocol EchoSpeech {
    mutating func next() -> [UInt8]?
}

/// The numbers from 1 on.
private struct EchoNumbers: EchoSpeech {
    let last: Int
    private var said = 0

    init(last: Int) { self.last = last }

    mutating func next() -> [UInt8]? {
        guard said < last else { return nil }
        said += 1
        return Array("\(said)\(said == last ? "" : " ")".utf8)
    }
}

/// Words with the white space behind them, so that joined they are the text byte for byte.
private struct EchoWords: EchoSpeech {
    /// Bytes of one word at most; a longer one comes in several, cut between characters.
    private static let longest = 16 << 10

    private let bytes: [UInt8]
    private var at = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func next() -> [UInt8]? {
        let bytes = bytes, text = bytes.span, start = at
        var end = start, isBehindSpace = false
        while end < text.count {
            let byte = text[end], isSpace = byte == 0x20 || byte == 0x0A
            if isBehindSpace && !isSpace || end - start >= EchoWords.longest && byte & 0xC0 != 0x80 { break }
            isBehindSpace = isSpace
            end += 1
        }
        at = end
        return end > start ? Array(bytes[start..<end]) : nil
    }
}

/// An echo that is under way.
private final class EchoCall: UpstreamCall {
    /// Bytes that come at once where nothing is to be waited for, more or less.
    private static let most = 256 << 10

    private var speech: any EchoSpeech
    /// The word that comes next; nil when all is said.
    private var upcoming: [UInt8]?
    private let delay: Int
    private let loop: EventLoop
    private var usage: Usage
    private var receive: ((UpstreamEvent) -> Void)?
    private var isPaused = false, isDue = false

    init(
        _ speech: any EchoSpeech, delay: Int, loop: EventLoop, usage: Usage,
        _ receive: @escaping (UpstreamEvent) -> Void
    ) {
        self.speech = speech
        upcoming = self.speech.next()
        self.delay = delay
        self.loop = loop
        self.usage = usage
        self.usage.outputTokens = 0
        self.receive = receive
        schedule()
    }

    func cancel() { receive = nil }
    func pause() { isPaused = true }

    func resume() {
        guard isPaused else { return }
        isPaused = false
        if isDue {
            isDue = false
            schedule()
        }
    }

    private func schedule() {
        loop.after(milliseconds: delay) { [weak self] in
            guard let self else { return }
            if isPaused { isDue = true } else { step() }
        }
    }

    /// Says the next word, or as many as a server in a hurry would send at once.
    private func step() {
        var pieces: [Piece] = [], room = delay == 0 ? EchoCall.most : 1
        while room > 0, let word = upcoming {
            upcoming = speech.next()
            room -= word.count
            usage.outputTokens = (usage.outputTokens ?? 0) + max(1, word.count / 4)
            pieces.append(Piece(.text, word))
        }
        if !pieces.isEmpty { receive?(.pieces(pieces)) }
        guard receive != nil else { return }
        if upcoming != nil { return schedule() }
        let receive = receive
        self.receive = nil
        receive?(.finished(Turn.Finish(reason: "stop", usage: usage)))
    }
}
