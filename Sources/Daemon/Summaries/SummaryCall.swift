internal import Archive
internal import ContextWindow
internal import Conversation
internal import EventLoop
internal import Protocol
internal import Upstream

/// One call of a model for a summary or a title, along a route and with a time of its own.
final class SummaryCall {
    /// What a model wrote, or why it did not.
    enum Outcome {
        /// With what the provider counted, and whether it ended at the limit of tokens.
        case text(String, Usage?, isCut: Bool)
        /// With what the provider counted all the same; nil where it did not.
        case failed(WireError, Usage?)
    }

    /// Bytes that a summary may have; more is no summary.
    static let mostBytes = 64 << 10

    /// What it is for, in sentences.
    private let what: String
    private let loop: EventLoop
    private let requests: SummaryRequests
    private let then: (SummaryCall, Outcome) -> Void
    private var call: RouteCall?
    private var timers: [EventLoop.TimerID] = []
    /// Whether it has come to its end, which may be before it is made.
    var isOver: Bool { call == nil }
    private var text: [UInt8] = []
    private(set) var attempts: [Attempt] = []
    /// What its provider counted before it was broken off.
    private(set) var counted: Usage?
    private var spent: [RouteCall.Spent] = []
    /// Whether the answer came to its end, so that what is counted is counted.
    private var hasFinished = false
    /// Whether a request went out and was broken off: that is paid, whatever came of it.
    private var wasCut = false
    /// Who answered, or was asked last.
    private(set) var candidate: Candidate?

    init(
        _ candidates: [Candidate], _ requests: SummaryRequests, _ routes: Routes, _ loop: EventLoop,
        timeout: Int, for what: String = "summary", then: @escaping (SummaryCall, Outcome) -> Void
    ) {
        self.what = what
        self.loop = loop
        self.requests = requests
        self.then = then
        let call = routes.summarize(candidates, requests) { [weak self] in self?.heard($0) }
        self.call = call
        timers.append(
            loop.after(milliseconds: timeout) { [weak self] in
                guard let self, let call = self.call else { return }
                let time = timeout < 10_000 ? "\(timeout) ms" : "\(timeout / 1_000) s"
                let problem =
                    "no \(what) came within \(time); 'summarizer.timeout' in the configuration is more"
                call.cancel(as: ErrorKind.upstreamTimeout.rawValue, detail: problem)
                end(.failed(WireError(.upstreamTimeout, problem), call.counted))
            })
        call.begin()
        call.start()
    }

    /// Breaks it off; nothing follows.
    func cancel() {
        call?.cancel()
        stop()
    }

    private func stop() {
        if let call {
            attempts = call.attempts
            counted = call.counted
            spent = call.spent
            candidate = call.current
            wasCut = call.wasCut
        }
        call = nil
        for timer in timers { loop.cancel(timer) }
        timers = []
    }

    private func end(_ outcome: Outcome) {
        stop()
        then(self, outcome)
    }

    private func heard(_ report: RouteCall.Report) {
        guard let call else { return }
        switch report {
        case .delayed: break
        case .pieces(let pieces):
            for piece in pieces where piece.kind == .text { text += piece.bytes }
            guard text.count > SummaryCall.mostBytes else { return }
            call.refuse(
                UpstreamFailure(
                    .protocolError, "the \(what) has more than \(SummaryCall.mostBytes) bytes",
                    isRetryable: false))
        case .finished(let finish): finished(finish)
        case .failed(_, let wait?):
            text = []
            timers.append(
                loop.after(milliseconds: wait.milliseconds) { [weak self] in self?.call?.start() })
        case .failed(let error, nil):
            let kind = ErrorKind(rawValue: error.kind) ?? .upstreamUnavailable
            end(.failed(WireError(kind, error.message), call.counted))
        }
    }

    private func finished(_ finish: Turn.Finish) {
        hasFinished = true
        let said = String(decoding: text, as: UTF8.self).trimmed
        if finish.reason == "content_filter" || said.isBlank {
            let why = finish.detail.map { ": \($0)" } ?? ""
            let cause =
                switch finish.reason {
                case "content_filter": ", since its provider's filter stopped it"
                case "length": " within its limit of tokens"
                case "tool_calls": ", but asked for a tool"
                default: ""
                }
            return end(
                .failed(
                    WireError(.upstreamRefused, "the model wrote no \(what)\(cause)\(why)"),
                    finish.usage))
        }
        end(.text(said, finish.usage, isCut: finish.reason == "length"))
    }

    /// What it is paid for, tries that came to nothing with it, by what the provider counted, else by estimate; nil where
    /// nothing was said and nothing counted, and nothing was broken off: that is not paid.
    func used(_ usage: Usage?, owner: UserID) -> TurnUsage? {
        let estimate = estimate
        let before = spent.map { $0.used(by: owner) }.reduce(nil) { sum, one in sum.map { $0 + one } ?? one }
        if usage == nil && estimate.output == 0 && !wasCut { return before }
        let last = TurnUsage(
            hasFinished ? usage : usage?.cut(output: estimate.output), owner: owner, input: estimate.input,
            output: estimate.output, candidate: candidate)
        return before.map { $0 + last } ?? last
    }

    /// Tokens of its request, and of what has come, estimated.
    private var estimate: (input: Int, output: Int) {
        (requests.size.tokens, TokenEstimate.text(String(decoding: text, as: UTF8.self)))
    }
}

extension String {
    /// Without white space at its ends.
    fileprivate var trimmed: String {
        var rest = Substring(self)
        while rest.first?.isWhitespace ?? false { rest.removeFirst() }
        while rest.last?.isWhitespace ?? false { rest.removeLast() }
        return String(rest)
    }
}
