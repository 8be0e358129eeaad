internal import Conversation
internal import ConvoClient
internal import JSON
internal import Posix
internal import Protocol
internal import Typesetting

extension Option {
    fileprivate static let number = Option(
        short: "n", long: "number", value: "N", help: "at most N, the newest (default 100)")
}

extension Command {
    static let failures = Command(
        name: "failures", summary: "what failed lately at the upstreams",
        options: [.json, .jsonl, .number, .since],
        details: """
            The newest first, of the last day where --since does not say otherwise: when, whom, what came of the try, and
            whether its turn was answered, or its summary made, in the end. 'convo why' and 'convo show' take the session.
            What found no upstream to ask is in 'convo logs'.
            """
    ) { invocation throws(CommandError) in
        let number = try invocation.arguments.number(.number) ?? 100
        guard (1...1_000).contains(number) else {
            throw .usage("-n takes a number from 1 to 1,000, not '\(number)'")
        }
        let since = try invocation.since()
        let client = try invocation.connect()
        let found = try client.ask(Method.FailureList.self) {
            if let since { $0.member("since", Timestamp.text(since)) }
            $0.member("limit", number)
        }
        let console = invocation.console
        if invocation.has(.jsonl) {
            for failure in found.failures { console.print(record: failure) }
        } else if invocation.has(.json) {
            console.print(json: found.failures)
        } else {
            print(found.failures, console)
        }
        if found.more { console.note("there are more; 'convo failures -n 1000' shows up to that many") }
        return .success
    }

    private static func print(_ failures: [Method.FailureList.Failure], _ console: Console) {
        if failures.isEmpty {
            if console.isOutputTerminal { console.note("nothing failed") }
            return
        }
        var table = Table([
            Table.Column(title: "WHEN"), Table.Column(title: "UPSTREAM"), Table.Column(title: "FAILED OF"),
            Table.Column(title: "SESSION"), Table.Column(title: "TURN"),
            Table.Column(title: "WHY", isFlexible: true, isWhole: true),
        ])
        for failure in failures {
            let attempt = failure.attempt
            table.add([
                console.isOutputTerminal ? Times.relative(attempt.endedAt) : attempt.endedAt.text,
                attempt.upstream, failure.words,
                console.isOutputTerminal ? failure.shortSession : failure.sessionId.text, failure.fate,
                attempt.detail ?? "",
            ])
        }
        table.print(on: console)
    }
}

extension Method.FailureList.Failure {
    /// As "throttled (429)".
    fileprivate var words: String {
        attempt.outcome.replacing("_", with: " ") + (attempt.status.map { " (\($0))" } ?? "")
    }

    /// What became of the turn in the end.
    fileprivate var fate: String {
        switch state {
        case .complete where summaryId != nil: "made later"
        case .failed where summaryId != nil: "no summary"
        case .complete: "answered later"
        case .queued, .running: "under way"
        case .cancelled, .interrupted, .failed: state.name
        }
    }

    /// The end of a long ID, which names the session too.
    fileprivate var shortSession: String {
        sessionId.text.count > 12 ? String(sessionId.text.suffix(8)) : sessionId.text
    }
}
