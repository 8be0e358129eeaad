internal import Conversation
internal import EventLoop

/// One streamed answer: the exchange, its three timers, and the reader of its bytes.
final class StreamedCall: UpstreamCall {
    /// How much of an error's body is read.
    private static let longestError = 65_536
    /// Milliseconds to wait for the usage after the answer is whole; some servers leave `[DONE]` away.
    private static let patience = 3_000
    /// The same where only the end of the body tells that the answer is whole, and it seems to be.
    private static let shortPatience = 2_000
    /// The same where what looked like the end may be none.
    private static let longPatience = 15_000
    /// Bytes of an answer at most, all that was given out and all that is gathered for later: more is a fault.
    private static let longest = 64 << 20

    private enum Mode { case head, stream, json, error(status: Int, headers: [String: String]) }

    /// Set by who makes the body.
    var sent: BodyPrint?
    private let timeouts: Timeouts
    private let loop: EventLoop
    private let clock: () -> Int64
    private var receive: ((UpstreamEvent) -> Void)?
    private var http: HTTPCall?
    private var mode = Mode.head
    private var stream: any AnswerReader
    private var body: [UInt8] = []
    /// Of the answer, in lower case.
    private var contentType = ""
    private var hasContent = false
    private var givenBytes = 0
    private var isPaused = false
    private var firstToken: EventLoop.TimerID?
    private var gap: EventLoop.TimerID?
    /// When something came last, in the loop's nanoseconds.
    private var heard: UInt64 = 0
    /// When something else than a sign of life came last, and how many there were then.
    private var answered: (at: UInt64, events: Int, signs: Int) = (0, 0, 0)
    private var whole: EventLoop.TimerID?
    private var patience: EventLoop.TimerID?

    /// `clock` gives milliseconds since 1970; events come until one that ends the call.
    init(
        _ reader: any AnswerReader, _ timeouts: Timeouts, loop: EventLoop, clock: @escaping () -> Int64,
        _ receive: @escaping (UpstreamEvent) -> Void
    ) {
        stream = reader
        self.timeouts = timeouts
        self.loop = loop
        self.clock = clock
        self.receive = receive
    }

    /// Sends the request, unless the call was cancelled while its key was looked for.
    func begin(_ client: HTTPClient, _ request: HTTPRequest) {
        guard receive != nil else { return }
        isSent = true
        let time = StreamedCall.words(timeouts.firstToken)
        firstToken = loop.after(milliseconds: timeouts.firstToken) { [weak self] in
            self?.timeOut("the upstream sent no content for \(time)")
        }
        http = client.start(request) { [weak self] in self?.take($0) }
    }

    /// Fails on the next turn of the loop, before anything was sent.
    func fail(_ failure: UpstreamFailure) { loop.after(milliseconds: 0) { [self] in end(.failed(failure)) } }

    /// Tells that what the call needs is tried for again.
    func retrying(_ failure: UpstreamFailure, _ wait: Int) {
        receive?(.retrying(failure, milliseconds: wait))
    }

    func cancel() {
        receive = nil
        stop()
    }

    var counted: Usage? { stream.usage }
    private(set) var isSent = false

    func pause() {
        isPaused = true
        http?.pause()
    }

    func resume() {
        isPaused = false
        answered.at = loop.now
        http?.resume()
        if http != nil { restartGap() }
    }

    private func take(_ event: HTTPEvent) {
        switch event {
        case .head(let status, let headers): begin(status, headers)
        case .body(let bytes): take(bytes)
        case .end: finish(nil)
        case .failed(let failure): finish(failure)
        }
    }

    private func begin(_ status: Int, _ headers: [String: String]) {
        if (200...299).contains(status) {
            contentType = headers["content-type"]?.lowercased() ?? ""
            let isOfLines = ["ndjson", "jsonl", "json-seq", "stream+json"].contains {
                contentType.contains($0)
            }
            mode = contentType.contains("json") && !isOfLines ? .json : .stream
        } else {
            mode = .error(status: status, headers: headers)
        }
        restartGap()
    }

    private func take(_ bytes: [UInt8]) {
        // Some servers call a stream JSON, and Gemini's array is one of whole objects.
        if case .json = mode, body.allSatisfy({ $0 <= 0x20 }), let first = bytes.first(where: { $0 > 0x20 }),
            first != 0x7B
        {
            mode = .stream
        }
        restartGap()
        guard case .stream = mode else {
            if case .json = mode {
                body += bytes
                if body.count > StreamedCall.longest { endTooLong() }
            } else {
                body += bytes.prefix(max(0, StreamedCall.longestError - body.count))
            }
            return
        }
        let pieces = stream.feed(bytes)
        givenBytes += pieces.reduce(0) { $0 + $1.bytes.count }
        if givenBytes + stream.heldBytes > StreamedCall.longest { return endTooLong() }
        emit(pieces)
        // The arguments of a call are an answer too, though they come out at their end.
        if stream.heldBytes > 0, let timer = firstToken.take() { loop.cancel(timer) }
        if receive == nil || isOnlyAlive() { return }
        if stream.seemsWhole && (whole == nil || !pieces.isEmpty) { waitForEnd() }
        if stream.isOver { return finish(nil) }
        if let patience, !pieces.isEmpty || !stream.hasFinish {
            loop.cancel(patience)
            self.patience = nil
        }
        guard stream.hasFinish, patience == nil else { return }
        waitForUsage()
    }

    /// Ends the call where a server keeps the connection alive, and its answer does not go on.
    private func isOnlyAlive() -> Bool {
        // Bytes without either are a part of what is to come.
        let isSign = stream.signs != answered.signs && stream.events == answered.events
        answered.signs = stream.signs
        if !isSign || isPaused || stream.hasFinish {
            (answered.at, answered.events) = (loop.now, stream.events)
            return false
        }
        guard hasContent || stream.heldBytes > 0,
            loop.now &- answered.at > UInt64(max(0, timeouts.alive)) &* 1_000_000
        else {
            return false
        }
        timeOut("the upstream sent no more of its answer for \(StreamedCall.words(timeouts.alive))")
        return true
    }

    private func waitForUsage() {
        let patience = stream.isUnsure ? StreamedCall.longPatience : StreamedCall.patience
        self.patience = loop.after(milliseconds: patience) { [weak self] in
            guard let self else { return }
            if isPaused { waitForUsage() } else { finish(nil) }
        }
    }

    private func endTooLong() {
        let words = "the answer has more than \(StreamedCall.longest) bytes"
        end(
            .failed(
                UpstreamFailure(.protocolError, words, isRetryable: false)))
    }

    /// A server that keeps the connection open behind its answer must not keep the answer back.
    private func waitForEnd() {
        if let whole { loop.cancel(whole) }
        let patience = stream.isUnsure ? StreamedCall.longPatience : StreamedCall.shortPatience
        whole = loop.after(milliseconds: min(patience, timeouts.gap)) { [weak self] in
            guard let self else { return }
            // What is not read yet may be more of it.
            if isPaused { waitForEnd() } else if stream.seemsWhole { finish(nil) }
        }
    }

    private func emit(_ pieces: [Piece]) {
        let joined = Piece.joined(pieces)
        guard !joined.isEmpty else { return }
        if !hasContent, let firstToken { loop.cancel(firstToken) }
        hasContent = true
        receive?(.pieces(joined))
    }

    private func finish(_ failure: TransportFailure?) {
        guard receive != nil else { return }
        switch mode {
        case .head:
            end(
                .failed(
                    failure.map { UpstreamFailure(transport: $0, hasContent: false) }
                        ?? UpstreamFailure(
                            .protocolError, "the upstream closed the connection without an answer",
                            isRetryable: true)))
        case .error(let status, let headers):
            let report = FailureReport(status: status, headers: headers, body: body, now: clock())
            end(StreamedCall.ending(report))
        case .json:
            if let failure { return end(.failed(UpstreamFailure(transport: failure, hasContent: false))) }
            let (pieces, last) = stream.takeWhole(body)
            emit(pieces)
            end(last)
        case .stream:
            let (pieces, last) = stream.finish()
            emit(pieces)
            if let failure, case .failed = last {
                end(.failed(UpstreamFailure(transport: failure, hasContent: hasContent)))
            } else if case .failed(let why) = last, why.message == AnswerEnd.nothing,
                contentType.contains("html")
            {
                end(
                    .failed(
                        UpstreamFailure(
                            .protocolError,
                            "the upstream sent an HTML page in place of an answer; 'baseURL' may be wrong, or a proxy or a page to log in stands before it",
                            isRetryable: true)))
            } else {
                end(last)
            }
        }
    }

    /// A failed answer; a prompt that the provider's filter refused is a refusal and no fault of anybody's.
    private static func ending(_ report: FailureReport) -> UpstreamEvent {
        let failure = FailureClassifier.failure(report)
        guard failure.kind == .refused, FailureClassifier.isFiltered(report) else { return .failed(failure) }
        return .finished(Turn.Finish(reason: "content_filter", detail: failure.message))
    }

    /// Something has come: the time without a word begins anew.
    ///
    /// One timer serves for all that comes; where it finds that something did it goes on for the rest.
    private func restartGap() {
        heard = loop.now
        if gap == nil { armGap(nanoseconds: UInt64(max(0, timeouts.gap)) * 1_000_000) }
    }

    private func armGap(nanoseconds: UInt64) {
        gap = loop.after(nanoseconds: nanoseconds) { [weak self] in
            guard let self else { return }
            gap = nil
            // Nobody reads now: the server has nothing to answer for.
            if isPaused { return restartGap() }
            let all = UInt64(max(0, timeouts.gap)) * 1_000_000, silent = loop.now &- heard
            if silent < all { return armGap(nanoseconds: all - silent) }
            timeOut("the upstream sent nothing for \(StreamedCall.words(timeouts.gap))")
        }
    }

    private static func words(_ milliseconds: Int) -> String {
        milliseconds % 1000 == 0 ? "\(milliseconds / 1000) s" : "\(milliseconds) ms"
    }

    private func timeOut(_ words: String) {
        if case .stream = mode {
            let isWhole = stream.seemsWhole
            let (pieces, last) = stream.finish()
            var isFinished = isWhole
            if case .finished = last { isFinished = true }
            if isFinished {  // whole, only its end was missing
                emit(pieces)
                return end(last)
            }
        }
        end(.failed(UpstreamFailure(hasContent ? .interrupted : .timeout, words, isRetryable: true)))
    }

    private func end(_ event: UpstreamEvent) {
        stop()
        let receive = receive
        self.receive = nil
        receive?(event)
    }

    private func stop() {
        if let firstToken { loop.cancel(firstToken) }
        if let gap { loop.cancel(gap) }
        if let whole { loop.cancel(whole) }
        if let patience { loop.cancel(patience) }
        http?.cancel()
        http = nil
    }
}

extension Piece {
    /// Neighbours of one kind made into one, so that a network read costs one row and one chunk.
    static func joined(_ pieces: [Piece]) -> [Piece] {
        var out: [Piece] = []
        for piece in pieces {
            // Parts and seals stay apart: two seals in one read are two.
            if out.last?.kind == piece.kind, piece.kind == .text || piece.kind == .thought {
                out[out.count - 1].append(piece)
            } else {
                out.append(piece)
            }
        }
        return out
    }
}
