internal import Archive
internal import ContextWindow
internal import Conversation
internal import EventLoop
internal import Protocol
internal import Store
internal import Upstream

/// How a turn's end is written: again until it is stored, and shorter where it cannot be stored as it is.
extension LiveTurn {
    func store(_ ending: Turn.Ending) {
        let answer = machine.answer
        let content = answer.isEmpty ? nil : answer.content
        if answer.weight >= LiveTurn.large { memory.add() }
        let size = content == nil ? ContentSize() : TokenEstimate.size(of: answer)
        let current = route.current, name = route.upstream
        var ending = ending
        if !ending.isCached { ending.usage = ending.usage ?? route.counted?.cut(output: size.tokens) }
        ending.detail = ending.detail ?? windows.fullness(ending, by: name, size.tokens)
        if ending.state == .failed || ending.state == .interrupted {
            log.warning(
                "turn_\(ending.state.name)", ("turn", id.description), ("session", session.session.id.text),
                ("kind", ending.error?.kind ?? "none"))
        }
        record.state = ending.state
        record.stopReason = ending.stopReason
        record.finish = ending.finish
        record.detail = ending.detail
        record.isCached = ending.isCached
        record.error = ending.error
        record.usage = ending.usage
        record.upstream = name
        record.model = current?.model
        let used = windows.used(
            by: name, ending, size.tokens, first: route.firstWait,
            isSent: route.wasCut)
        record.receipt = windows.receipt(
            for: current, upstream: name, ending.usage, cost: ending.usage == nil ? nil : used?.cost,
            ending.isCached ? nil : route.trace)
        alternatives = ending.alternatives.map { content in
            NewMessage(
                id: ids.newID(), role: .assistant, content: content,
                size: TokenEstimate.size(of: Part.decode(content)))
        }
        if ending.state == .complete { toSummarize = windows.toSummarize(of: name, answer: size) }
        let keepsAnswer =
            ending.state == .complete && ending.stopReason == .endTurn && !ending.isCached
            && content?.count ?? 0 <= ResponseCache.most
        let end = EndTurn(
            id, ending, content: content, size: size, attempts: route.attempts,
            receipt: record.receipt,
            upstream: record.upstream, model: record.model,
            used: used,
            spent: route.spent.map {
                SpentTry(
                    used: $0.used(by: windows.owner), upstream: $0.candidate.upstream.name,
                    model: $0.candidate.model)
            },
            alternatives: alternatives, cacheKey: keepsAnswer ? route.cacheKey : nil,
            restores: leftBranch,
            learned: windows.learned(from: current, ending, bytes: route.trace?.print.bytes),
            anchor: windows.anchor(of: name), binding: ending.isCached ? nil : windows.binding(of: name))
        write(end, patience: LiveTurn.firstPatience)
    }

    /// Milliseconds before an ending that could not be stored is tried again: doubled each time, up to ten seconds.
    static let firstPatience = 1_000, longestPatience = 10_000

    /// Stores the ending; as long as that fails the turn stays the session's running one, so that nothing overtakes it.
    private func write(_ end: EndTurn, patience: Int, cuts: Int = 0) {
        archives.write(end, of: session.row) { [self] result in
            let error: ArchiveError
            switch result {
            case .success(let seq):
                hasMessage = seq != nil
                return handle(.endingStored)
            case .failure(let failure): error = failure
            }
            // It never was in the store, and what it was told to end by came before that was known.
            if isVoid { return }
            let words = WireError(error)
            let later = TurnAnswers.delayed(error, of: id, session: session.session.id)
            log.error("turn_not_stored", ("turn", id.description), ("reason", later.message))
            switch error.code {
            case .changedElsewhere, .corrupt:
                failed(as: words, .failed)
                return handle(.endingStored)
            case .tooBig, .constraint:
                // As it is it will never be stored, and the session must go on.
                if let shorter = shortened(end, words, cuts) {
                    return write(shorter, patience: patience, cuts: cuts + 1)
                }
            default: break
            }
            delayed(later)
            loop.after(milliseconds: patience) { [weak self] in
                self?.write(end, patience: min(2 * patience, LiveTurn.longestPatience), cuts: cuts)
            }
        }
    }

    /// Bytes of an answer from which its memory is given back to the system when it is stored.
    private static let large = 256 << 10
    /// Bytes of text that are kept of an answer that cannot be stored whole.
    private static let kept = 256 << 10

    /// An ending that says less: first without all but the beginning of the text, then without an answer; nil when there
    /// is nothing left to leave out.
    private func shortened(_ end: EndTurn, _ words: WireError, _ cuts: Int) -> EndTurn? {
        guard cuts < 2 else { return nil }
        var text: [UInt8] = []
        for piece in machine.answer.pieces where cuts == 0 && piece.kind == .text {
            text += piece.bytes.prefix(LiveTurn.kept - text.count)
        }
        let message = "the answer could not be stored whole: \(words.message)"
        failed(as: WireError(words.kind, message), machine.answer.isEmpty ? .failed : .interrupted)
        alternatives = []
        var ending = end.ending
        (ending.state, ending.stopReason, ending.error) = (record.state, nil, record.error)
        (ending.finish, ending.detail, ending.alternatives) = (nil, nil, [])
        record.finish = nil
        record.detail = nil
        let content = text.isEmpty ? nil : Part.encode([.text(String(decoding: text, as: UTF8.self))])
        return EndTurn(
            id, ending, content: content,
            size: content.map { TokenEstimate.size(of: Part.decode($0)) } ?? ContentSize(),
            used: end.used, spent: end.spent, restores: end.restores)
    }

    private func failed(as words: WireError, _ state: TurnRecord.State) {
        record.state = state
        record.stopReason = nil
        record.error = TurnError(words)
    }
}
