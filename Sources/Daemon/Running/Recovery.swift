internal import Archive
internal import ContextWindow
internal import Conversation
internal import EventLoop

/// Closes turns that a daemon which ended left running: their pieces become answers marked `interrupted`.
final class Recovery {
    private let archives: Archives
    private let loop: EventLoop
    private let log: Log
    private let engine: TurnEngine
    private let clocks: Clocks
    private var count = 0

    init(_ archives: Archives, _ engine: TurnEngine, _ clocks: Clocks, _ loop: EventLoop, _ log: Log) {
        self.archives = archives
        self.clocks = clocks
        self.loop = loop
        self.log = log
        self.engine = engine
    }

    /// Closes them all; `tried` is called once, when they are closed or could not be and are tried again later.
    func begin(_ tried: @escaping () -> Void) { begin(patience: 1_000, tried) }

    private func begin(patience: Int, _ tried: @escaping () -> Void) {
        closePage(after: nil) { [self] problem in
            if count > 0 { log.notice("turns_recovered", ("count", "\(count)")) }
            count = 0
            if let problem {
                log.error("recovery_failed", ("reason", problem.description))
                loop.after(milliseconds: patience) { [weak self] in
                    self?.begin(patience: min(2 * patience, 60_000)) {}
                }
            }
            tried()
        }
    }

    private func closePage(after row: OpenTurns.Place?, _ then: @escaping (ArchiveError?) -> Void) {
        archives.read(OpenTurns(.running, after: row)) { [self] result in
            switch result {
            case .failure(let error): then(error)
            case .success(let page):
                // One that cannot be read stays as it is, and shows itself where its session is asked for.
                let running = Set(engine.live.map(\.id))
                let open = page.turns.filter { !running.contains($0.stored.turn.id) }
                closeAll(open) { [self] problem in
                    if let problem { return then(problem) }
                    if let next = page.next { closePage(after: next, then) } else { then(nil) }
                }
            }
        }
    }

    /// Closes turns together, in few commits.
    private func closeAll(_ turns: [TurnFound], _ then: @escaping (ArchiveError?) -> Void) {
        var waiting = turns.count, problem: ArchiveError?
        if waiting == 0 { return then(nil) }
        for found in turns {
            close(found.stored) { error in
                problem = problem ?? error
                waiting -= 1
                if waiting == 0 { then(problem) }
            }
        }
    }

    private func close(_ stored: StoredTurn, _ then: @escaping (ArchiveError?) -> Void) {
        archives.readAway(
            AnswerSoFar(stored), of: stored.sessionRow,
            map: { [now = clocks.now()] in Recovery.end(of: stored, $0, now: now) }
        ) {
            [self] result in
            switch result {
            case .failure(let error): then(error.code == .corrupt ? nil : error)
            case .success(let end):
                archives.write(end, of: stored.sessionRow) { [self] result in
                    switch result {
                    case .success:
                        count += 1
                        then(nil)
                    // A session that is damaged keeps the others from nothing, nor does a turn that has ended meanwhile.
                    case .failure(let error) where error.code == .corrupt || error.code == .changedElsewhere:
                        then(nil)
                    case .failure(let error): then(error)
                    }
                }
            }
        }
    }

    /// How a turn ends of which so much is stored.
    private static func end(of stored: StoredTurn, _ answer: Answer, now: Int64) -> EndTurn {
        let turn = stored.turn, began = turn.startedAt ?? turn.createdAt
        let error = TurnError(kind: "interrupted", message: "the daemon ended before the answer was whole")
        let ending = Turn.Ending(state: .interrupted, error: error, isPromptWithdrawn: false)
        return EndTurn(
            turn.id, ending, content: answer.isEmpty ? nil : answer.content,
            size: answer.isEmpty ? ContentSize() : TokenEstimate.size(of: answer),
            // Who was asked first: of tries that failed before, that daemon took the knowledge along.
            attempts: [
                Attempt(
                    number: 1, upstream: turn.upstream ?? "", model: turn.model ?? "",
                    startedAt: began, endedAt: max(now, began),
                    outcome: error.kind, detail: error.message)
            ])
    }
}
