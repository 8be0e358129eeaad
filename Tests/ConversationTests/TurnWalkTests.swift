import Conversation
import TestSupport
import Testing

/// Plays the part of the daemon around one turn, with a store and an upstream that may be late, and looks at every effect.
private struct Driver {
    private(set) var turn = Turn()
    private var stored: [Piece] = [], acknowledged = 0, published: [Piece] = []
    private var hasCall = false, hasTimer = false
    /// Pieces of partial answers that were set aside before.
    private var before = 0, isSettingAside = false
    private(set) var asides = 0
    private(set) var endings = 0, answers = 0, isEndingStored = false
    private(set) var complaint: String?

    /// An event that could come now, or one that comes too late or too early once in a while.
    func event(_ random: inout SeededRandom) -> Turn.Event {
        let error = TurnError(kind: "interrupted", message: "x")
        let wait = random.oneIn(2) ? Turn.Wait(milliseconds: 5, upstream: "b") : nil
        switch random.int(0...13) {
        case 0: return random.oneIn(20) ? .cancel : .retryDue
        case 1: return random.oneIn(20) ? .shutDown : .retryDue
        case 2:
            return random.oneIn(6)
                ? .finished(Turn.Finish(reason: random.pick(["stop", "length", "content_filter", "x"])))
                : .stored
        case 3: return .callFailed(error, wait: wait)
        case 4: return .stored
        case 5 where endings > 0: return .endingStored
        case 6 where isSettingAside: return .setAside
        case 5, 6, 7: return .piecesStored(before + random.int(acknowledged...stored.count))
        default:
            let kinds: [Piece.Kind] = [.text, .text, .thought, .part]
            return .pieces(
                (0..<random.int(0...3)).map { _ in Piece(random.pick(kinds), Array(random.text(4).utf8)) })
        }
    }

    mutating func play(_ event: Turn.Event) {
        let isOver = turn.state == .done
        if case .piecesStored(let count) = event { acknowledged = max(acknowledged, count - before) }
        // Writes are acknowledged in their order: all pieces before the partial answer is set aside.
        if case .setAside = event, isSettingAside, acknowledged < stored.count {
            play(.piecesStored(before + stored.count))
        }
        if case .endingStored = event { isEndingStored = true }
        if case .callFailed = event { hasCall = false }
        if case .finished = event { hasCall = false }
        if case .retryDue = event { hasTimer = false }
        if case .setAside = event, isSettingAside {
            if published != stored { complain("set aside before all of it was published") }
            before += stored.count
            (stored, acknowledged, published, isSettingAside) = ([], 0, [], false)
            asides += 1
        }
        let effects = turn.handle(event)
        if isOver && !effects.isEmpty { complain("effects after done: \(effects)") }
        for effect in effects { look(at: effect) }
        if turn.state == .done && answers != 1 { complain("done with \(answers) answers") }
        if turn.state != .done && answers != 0 { complain("answered before done") }
    }

    private mutating func look(at effect: Turn.Effect) {
        if answers > 0 { complain("\(effect) after the answer") }
        switch effect {
        case .store(let pieces):
            if endings > 0 { complain("pieces stored after the ending") }
            stored += pieces
        case .publish(let pieces, let offset):
            if offset != published.reduce(0, { $0 + $1.length }) { complain("published at offset \(offset)") }
            published += pieces
            if published.count > acknowledged { complain("published before stored") }
            if turn.published.content != published.answer.content {
                complain("what is called published is not")
            }
            if Array(stored.prefix(published.count)) != published {
                complain("published is no prefix of stored")
            }
        case .setAside(let answer):
            isSettingAside = true
            if answer.count != stored.count { complain("another answer is set aside than the stored one") }
        case .call:
            if hasCall || hasTimer { complain("a call beside another") }
            hasCall = true
        case .abortCall: hasCall = false
        case .startTimer:
            if hasTimer || hasCall { complain("a timer beside another or beside a call") }
            hasTimer = true
        case .stopTimer: hasTimer = false
        case .end:
            endings += 1
            if endings > 1 { complain("ended twice") }
        case .answer: answers += 1
        case .announce(let state): if state != turn.state { complain("announced \(state) in \(turn.state)") }
        }
    }

    private mutating func complain(_ words: String) { complaint = complaint ?? words }

    /// What must hold once all is over.
    mutating func finish() {
        for event in [Turn.Event.stored, .cancel, .setAside] { play(event) }
        for event in [Turn.Event.piecesStored(before + stored.count), .endingStored] { play(event) }
        if turn.state != .done { complain("not done at the end, but \(turn.state)") }
        if turn.answer.count != stored.count { complain("the answer has other pieces than the store") }
        let text = stored.reduce(0) { $0 + $1.length }
        if turn.answer.length != text {
            complain("the answer has \(turn.answer.length) bytes, the store \(text)")
        }
    }
}

extension [Piece] {
    fileprivate var answer: Answer { reduce(into: Answer()) { $0.append($1) } }
}

@Suite struct `A turn walked at random` {
    @Test func `answers once, publishes only what is stored, in order, and does nothing after done`() {
        var random = SeededRandom(), steps = 0, ends: Set<String> = []
        while steps < 40_000 {
            var driver = Driver()
            for _ in 0..<random.int(1...60) {
                driver.play(driver.event(&random))
                steps += 1
            }
            driver.finish()
            ends.insert("\(driver.endings) endings")
            guard let complaint = driver.complaint else { continue }
            Issue.record("\(complaint) after \(steps) steps, \(random)")
            return
        }
        #expect(ends == ["1 endings"])
    }
}
