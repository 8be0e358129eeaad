import Conversation
import Testing

private typealias Step = (event: Turn.Event, effects: [Turn.Effect])

private func piece(_ text: String, _ kind: Piece.Kind = .text) -> Piece { Piece(kind, Array(text.utf8)) }

private let broken = TurnError(kind: "upstream_unavailable", message: "no route")
private let stopped = TurnError(
    kind: "interrupted", message: "the daemon was stopped before the answer was whole")
private let cancelled = Turn.Ending(state: .cancelled, stopReason: .cancelled, isPromptWithdrawn: true)
private let cancelledAfterText = Turn.Ending(
    state: .cancelled, stopReason: .cancelled, isPromptWithdrawn: false)
private let shutDown = Turn.Ending(state: .interrupted, error: stopped, isPromptWithdrawn: false)

private func complete(_ reason: StopReason, _ finish: String, usage: Usage? = nil) -> Turn.Ending {
    Turn.Ending(state: .complete, stopReason: reason, finish: finish, usage: usage, isPromptWithdrawn: false)
}

private func failed(wait: Int? = nil) -> Turn.Event {
    .callFailed(broken, wait: wait.map { Turn.Wait(milliseconds: $0, upstream: "b") })
}

private let begin: Step = (.stored, [.announce(.waiting), .call])

/// Plays the events and compares the effects of each; the turn must end as `state`.
private func check(_ steps: [Step], _ state: Turn.State = .done) {
    var turn = Turn()
    for (number, step) in steps.enumerated() {
        #expect(turn.handle(step.event) == step.effects, "step \(number)")
    }
    #expect(turn.state == state)
}

@Suite struct `A turn that goes well` {
    @Test func `stores each piece before it publishes it`() {
        let usage = Usage(inputTokens: 7, outputTokens: 2)
        check([
            begin,
            (.pieces([piece("hm", .thought), piece("a")]), [.store([piece("hm", .thought), piece("a")])]),
            (.pieces([piece("好")]), [.store([piece("好")])]),
            (.piecesStored(2), [.publish([piece("hm", .thought), piece("a")], offset: 0)]),
            (.piecesStored(3), [.publish([piece("好")], offset: 3)]),
            (
                .finished(Turn.Finish(reason: "stop", usage: usage)),
                [.end(complete(.endTurn, "stop", usage: usage))]
            ),
            (.endingStored, [.answer(complete(.endTurn, "stop", usage: usage))]),
        ])
    }

    @Test func `publishes what is stored after the upstream finished`() {
        check([
            begin, (.pieces([piece("ab"), piece("c")]), [.store([piece("ab"), piece("c")])]),
            (.finished(Turn.Finish(reason: "stop")), [.end(complete(.endTurn, "stop"))]),
            (.piecesStored(1), [.publish([piece("ab")], offset: 0)]),
            (.piecesStored(2), [.publish([piece("c")], offset: 2)]),
            (.endingStored, [.answer(complete(.endTurn, "stop"))]),
        ])
    }

    @Test func `publishes nothing twice when the store repeats itself`() {
        check(
            [
                begin, (.pieces([piece("a")]), [.store([piece("a")])]), (.piecesStored(0), []),
                (.piecesStored(1), [.publish([piece("a")], offset: 0)]),
                (.piecesStored(1), []), (.piecesStored(0), []),
            ], .streaming)
    }

    @Test func `gives whole parts no room in the offsets`() {
        let call = Piece(.part, Array("{}".utf8))
        check(
            [
                begin,
                (.pieces([piece("ab"), call, piece("c")]), [.store([piece("ab"), call, piece("c")])]),
                (.piecesStored(2), [.publish([piece("ab"), call], offset: 0)]),
                (.piecesStored(3), [.publish([piece("c")], offset: 2)]),
            ], .streaming)
    }

    @Test func `knows what of its answer was published, whole parts included`() {
        let call = Piece(.part, Array("{}".utf8)), pieces = [call, piece("ab"), call, call, piece("c")]
        var turn = Turn()
        _ = turn.handle(.stored)
        _ = turn.handle(.pieces(pieces))
        for count in 0...pieces.count {
            _ = turn.handle(.piecesStored(count))
            #expect(turn.published.rest(after: 0).pieces == Array(pieces.prefix(count)))
        }
    }

    @Test func `gives what it published bit by bit, and every whole part once`() {
        let call = Piece(.part, Array(#"{"a":1}"#.utf8)), seal = Piece(.signature, Array("seal".utf8))
        let pieces = [call, call, piece("añb"), seal, call, call, piece("ünd so weiter"), call]
        var turn = Turn()
        _ = turn.handle(.stored)
        _ = turn.handle(.pieces(pieces))
        for count in 0...pieces.count {
            _ = turn.handle(.piecesStored(count))
            for most in [1, 3, 5, 9, 1_000] {
                var offset = 0, found = Answer(), isAll = false, steps = 0
                while !isAll && steps < 100 {
                    let step = turn.published(after: offset, most: most)
                    #expect(step.pieces.isEmpty || step.offset == offset)
                    for piece in step.pieces { found.append(piece) }
                    offset = step.offset + step.pieces.reduce(0) { $0 + $1.length }
                    isAll = step.isAll
                    steps += 1
                }
                #expect(found.pieces == turn.published.pieces, "\(count) pieces, \(most) bytes at once")
            }
        }
    }

    @Test(arguments: [
        ("stop", StopReason.endTurn), ("tool_calls", .endTurn), ("length", .maxTokens),
        ("content_filter", .refusal), ("end_of_the_world", .endTurn),
    ])
    func `says in ACP's words why it stopped (B041)`(_ reason: String, _ stop: StopReason) {
        check([
            begin, (.finished(Turn.Finish(reason: reason)), [.end(complete(stop, reason))]),
            (.endingStored, [.answer(complete(stop, reason))]),
        ])
    }
}

@Suite struct `A turn that is cancelled` {
    @Test func `while its prompt is being stored ends without a call`() {
        check([(.cancel, []), (.stored, [.end(cancelled)]), (.endingStored, [.answer(cancelled)])])
    }

    @Test func `while it waits breaks the call off`() {
        check([begin, (.cancel, [.abortCall, .end(cancelled)]), (.endingStored, [.answer(cancelled)])])
    }

    @Test func `while it backs off stops the timer`() {
        check([
            begin, (failed(wait: 250), [.announce(.backingOff), .startTimer(milliseconds: 250)]),
            (.cancel, [.abortCall, .stopTimer, .end(cancelled)]),
            (.retryDue, []), (.endingStored, [.answer(cancelled)]),
        ])
    }

    @Test func `after thoughts alone withdraws its prompt, since nobody saw an answer`() {
        check([
            begin, (.pieces([piece("hm", .thought)]), [.store([piece("hm", .thought)])]),
            (.cancel, [.abortCall, .end(cancelled)]), (.endingStored, [.answer(cancelled)]),
        ])
    }

    @Test func `while it streams keeps what came and ignores what comes late`() {
        check([
            begin, (.pieces([piece("a")]), [.store([piece("a")])]),
            (.cancel, [.abortCall, .end(cancelledAfterText)]),
            (.pieces([piece("b")]), []),
            (.finished(Turn.Finish(reason: "stop")), []), (failed(wait: 1), []), (.cancel, []),
            (.piecesStored(1), [.publish([piece("a")], offset: 0)]),
            (.endingStored, [.answer(cancelledAfterText)]),
        ])
    }

    @Test func `while it ends already ends as it would have`() {
        let ending = complete(.endTurn, "stop")
        check([
            begin, (.finished(Turn.Finish(reason: "stop")), [.end(ending)]), (.cancel, []),
            (.endingStored, [.answer(ending)]),
        ])
    }
}

@Suite struct `A turn whose call fails` {
    @Test func `before any text withdraws its prompt`() {
        let ending = Turn.Ending(state: .failed, error: broken, isPromptWithdrawn: true)
        check([begin, (failed(), [.end(ending)]), (.endingStored, [.answer(ending)])])
    }

    @Test(arguments: [Piece.Kind.text, .thought, .part])
    func `after the first piece is interrupted, and keeps its prompt and what came (B035, B040)`(
        _ kind: Piece.Kind
    ) {
        let ending = Turn.Ending(state: .interrupted, error: broken, isPromptWithdrawn: false)
        check([
            begin, (.pieces([piece("a", kind)]), [.store([piece("a", kind)])]), (failed(), [.end(ending)]),
            (.endingStored, [.answer(ending)]),
        ])
    }

    @Test func `is not tried again by itself after the first visible piece (B044, B049)`() {
        let ending = Turn.Ending(state: .interrupted, error: broken, isPromptWithdrawn: false)
        check(
            [
                begin, (.pieces([piece("a")]), [.store([piece("a")])]),
                (failed(), [.end(ending)]),
            ], .ending)
    }

    @Test func `begins anew after visible text where that is wanted, and the offset with it`() {
        var partial = Answer()
        partial.append(piece("a"))
        let ending = complete(.endTurn, "stop")
        check([
            begin, (.pieces([piece("a")]), [.store([piece("a")])]),
            (failed(wait: 5), [.setAside(partial)]),
            (.piecesStored(1), [.publish([piece("a")], offset: 0)]),
            (.setAside, [.announce(.backingOff), .startTimer(milliseconds: 5)]),
            (.retryDue, [.announce(.waiting), .call]),
            (.pieces([piece("b")]), [.store([piece("b")])]),
            (.piecesStored(2), [.publish([piece("b")], offset: 0)]),
            (.finished(Turn.Finish(reason: "stop")), [.end(ending)]), (.endingStored, [.answer(ending)]),
        ])
    }

    @Test func `ends as cancelled when that is asked while its partial answer is put aside`() {
        var partial = Answer()
        partial.append(piece("a"))
        check(
            [
                begin, (.pieces([piece("a")]), [.store([piece("a")])]),
                (failed(wait: 5), [.setAside(partial)]), (.cancel, []), (.setAside, [.end(cancelled)]),
            ], .ending)
    }

    @Test func `tries again after its wait, and answers from the second try`() {
        let ending = complete(.endTurn, "stop")
        check([
            begin, (failed(wait: 250), [.announce(.backingOff), .startTimer(milliseconds: 250)]),
            (.retryDue, [.announce(.waiting), .call]),
            (failed(wait: 0), [.announce(.backingOff), .startTimer(milliseconds: 0)]),
            (.retryDue, [.announce(.waiting), .call]),
            (.pieces([piece("a")]), [.store([piece("a")])]),
            (.piecesStored(1), [.publish([piece("a")], offset: 0)]),
            (.finished(Turn.Finish(reason: "stop")), [.end(ending)]), (.endingStored, [.answer(ending)]),
        ])
    }

    @Test func `tries again after an opening piece without text (N043)`() {
        check(
            [
                begin, (.pieces([piece("")]), []),
                (failed(wait: 5), [.announce(.backingOff), .startTimer(milliseconds: 5)]),
                (.retryDue, [.announce(.waiting), .call]),
            ], .waiting)
    }

    @Test func `ignores what a failed call says while it backs off`() {
        check(
            [
                begin, (failed(wait: 5), [.announce(.backingOff), .startTimer(milliseconds: 5)]),
                (.pieces([piece("a")]), []),
                (.finished(Turn.Finish(reason: "stop")), []), (failed(), []),
            ], .backingOff)
    }
}

@Suite struct `A turn under a daemon that stops` {
    @Test(
        arguments: [[], [.stored], [.stored, failed(wait: 5)], [.stored, .pieces([piece("a")])]]
            as [[Turn.Event]])
    func `is interrupted, prompt kept`(_ before: [Turn.Event]) {
        var turn = Turn()
        for event in before { _ = turn.handle(event) }
        #expect(turn.handle(.shutDown) == [.abortCall, .stopTimer, .end(shutDown)])
        #expect(turn.handle(.endingStored) == [.answer(shutDown)])
        #expect(turn.state == .done)
    }
}

@Suite struct `A turn that cannot be stored` {
    @Test func `stops when its pieces cannot be stored, and announces none of them`() {
        let full = TurnError(kind: "disk_full", message: "the disk is full")
        let ending = Turn.Ending(state: .interrupted, error: full, isPromptWithdrawn: false)
        check([
            begin, (.pieces([piece("a")]), [.store([piece("a")])]),
            (.callFailed(full, wait: nil), [.end(ending)]),
            (.endingStored, [.answer(ending)]), (.piecesStored(1), []),
        ])
    }
}
