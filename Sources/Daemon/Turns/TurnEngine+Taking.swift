internal import Archive
internal import Conversation
internal import Crypto
internal import Protocol
internal import Store

/// What a session's line does with a turn that cannot begin at once.
extension TurnEngine {
    /// Why a turn that is not a repeated one is not taken by its line; nil when it is.
    func refusal(of submission: Submission, _ line: Line, _ wait: Int) -> WireError? {
        if wait > services.configuration.throttleWait { return tooFast(wait) }
        // What is queued goes on from the head; a turn that does not cannot wait.
        return busyRefusal(submission, line) ?? (wait > 0 && submission.base != nil ? tooFast(wait) : nil)
    }

    /// Why a busy session does not take what was submitted; nil when it does.
    private func busyRefusal(_ submission: Submission, _ line: Line) -> WireError? {
        guard line.isBusy else { return nil }
        if line.hasTurns, submission.turn.ifBusy == .reject {
            return WireError(
                .busy,
                "a turn is running on session '\(submission.session.session.id.text)'; wait for its end")
        }
        return submission.base == nil ? nil : TurnEngine.pathIsTaken(submission.session)
    }

    /// Why a session's path may not change now.
    static func pathIsTaken(_ session: SessionRecord) -> WireError {
        WireError(
            .busy,
            "a turn is running on session '\(session.session.id.text)', and the path may not change under it; wait for its end, or cancel it"
        )
    }

    private func tooFast(_ wait: Int) -> WireError {
        WireError(
            .throttled,
            "you have sent as many prompts as 'throttle' in the configuration allows a minute; try again in \((wait + 999) / 1000) s",
            retryAfterMs: wait)
    }

    /// Lets a repeated request whose turn runs or waits already wait for it too; false for any other.
    func join(_ submission: Submission, _ line: Line) -> Bool {
        guard let id = submission.turn.requestID, line.hasTurns else { return false }
        func isSame(_ record: TurnRecord) -> Bool {
            record.requestID == id && record.requestHash == hash(of: submission)
        }
        if let running = line.running, running.row != nil, isSame(running.record) {
            running.waiters.append(submission.waiter)
        } else if let queued = line.queue.first(where: { $0.isStored && isSame($0.record) }) {
            queued.add([submission.waiter])
        } else {
            return false
        }
        submission.settled()
        return true
    }

    func hash(of submission: Submission) -> [UInt8] {
        hash(submission.parts, submission.turn.options, about: submission.about)
    }

    /// Over what was decoded, so that another spelling of the same prompt is the same prompt.
    private func hash(_ parts: [Part]?, _ options: TurnOptions, about: MessageID? = nil) -> [UInt8] {
        SHA256Digest.of(
            (parts.map(Part.encode) ?? []) + [0] + (options.params ?? []) + (about?.bytes ?? []))
    }

    /// Gives a prompt that waits other words.
    func edit(
        _ id: TurnID, on row: SessionRow, _ prompt: [UInt8], _ parts: [Part],
        _ then: @escaping (Result<Void, WireError>) -> Void
    ) {
        guard let queued = lines[row]?.queue.first(where: { $0.record.id == id }) else {
            return then(
                .failure(
                    WireError(
                        .conflict,
                        "turn '\(id)' does not wait any more; edit its prompt by '_convod/turn/retry'")))
        }
        let hash = queued.record.requestID == nil ? nil : hash(parts, queued.record.options)
        queued.edits += 1
        services.archives.write(EditQueued(id, prompt: prompt, hash: hash), of: row) { [self] result in
            queued.edits -= 1
            switch result {
            case .success(true):
                queued.edited(bytes: prompt.count, hash)
                then(.success(()))
            case .success(false): then(.failure(WireError(.conflict, "turn '\(id)' does not wait any more")))
            case .failure(let error): then(.failure(WireError(error)))
            }
            next(row)
        }
    }

    /// Holds a session's turns back while its path changes.
    func beginPathChange(on session: SessionRecord) {
        line(of: session).pathChanges += 1
    }

    /// The change is stored or refused: the session's turns go on.
    func endPathChange(on row: SessionRow) {
        lines[row]?.pathChanges -= 1
        next(row)
    }
}
