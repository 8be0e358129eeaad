import Conversation
import Protocol
import Sessions
import Testing

private typealias Step = (event: SessionLine.Event, effects: [SessionLine.Effect])

private let a = TurnID(high: 0, low: 1), b = TurnID(high: 0, low: 2), c = TurnID(high: 0, low: 3)
private let ann = Asker(client: 1, request: 1), bob = Asker(client: 2, request: 2)
private let cid = Asker(client: 3, request: 3), dan = Asker(client: 4, request: 4, wish: .state)
private let full = WireError(.diskFull, "the disk is full")

private func ticket(
    _ id: TurnID, _ asker: Asker, key: String? = nil, ifBusy: TurnRequest.IfBusy = .queue,
    branches: Bool = false, endsWithAskers: Bool = false, bytes: Int = 10
) -> Ticket {
    Ticket(
        id: id, key: key.map { Ticket.Key(name: $0, hash: [1]) }, bytes: bytes, ifBusy: ifBusy,
        branches: branches, endsWithAskers: endsWithAskers, askers: [asker])
}

private func newLine() throws -> SessionLine {
    SessionLine(
        session: try #require(SessionID("s")), owner: UserID(1),
        limits: .init(tickets: 2, bytes: 100, patience: 5_000))
}

/// Plays the events and compares the effects of each.
@discardableResult
private func play(_ steps: [Step]) throws -> SessionLine {
    var line = try newLine()
    for (number, step) in steps.enumerated() {
        #expect(line.handle(step.event) == step.effects, "step \(number)")
    }
    return line
}

private func judged(_ id: TurnID, wait: Int = 0, refusal: WireError? = nil) -> SessionLine.Event {
    .judged(id, refusal: refusal, wait: wait)
}

/// A turn that runs, asked for by Ann.
private let running: [Step] = [
    (.arrived(ticket(a, ann)), [.judge(a)]), (judged(a), [.prepare(a, isAgain: false)]),
    (.prepared(a, nil), [.begin(a)]), (.begun(a, .accepted), [.run(a)]),
]

/// The same, with one of Bob's stored behind it.
private let waiting: [Step] =
    running + [
        (.arrived(ticket(b, bob)), [.judge(b)]), (judged(b), [.enqueue(b)]),
        (.enqueued(b, .accepted), [.tell(b, .queued(position: 1))]),
    ]

@Suite struct `A prompt on an idle session` {
    @Test func `is stored once, as running, and no word is said of a queue`() throws {
        let line = try play(running + [(.ended(a, .ran), [.answer([ann], a, .ran), .drop(a)])])
        #expect(line.isForgotten && !line.isTaken)
    }

    @Test func `waits in the archive when its user must wait`() throws {
        try play([
            (.arrived(ticket(a, ann)), [.judge(a)]), (judged(a, wait: 900), [.enqueue(a)]),
            (.enqueued(a, .accepted), [.tell(a, .queued(position: 1)), .examine(a)]),
            (
                .examined(a, .held(.pace, wait: 800)),
                [.tell(a, .throttled(milliseconds: 800)), .startTimer(milliseconds: 800)]
            ),
            (.timerDue, [.examine(a)]),
            (.examined(a, .held(.pace, wait: 20)), [.startTimer(milliseconds: 20)]),
            (.timerDue, [.examine(a)]), (.examined(a, .free), [.prepare(a, isAgain: false)]),
        ])
    }

    @Test func `waits in the archive while as many are answered as may be, unless it cannot wait`() throws {
        try play([
            (.arrived(ticket(a, ann)), [.judge(a)]),
            (.judged(a, refusal: nil, wait: 0, isCrowded: true), [.enqueue(a)]),
            (.enqueued(a, .accepted), [.tell(a, .queued(position: 1)), .examine(a)]),
            (.examined(a, .held(.room, wait: 800)), [.tell(a, .crowded), .startTimer(milliseconds: 800)]),
            (.limitRaised, [.examine(a)]),
            (.examined(a, .held(.room, wait: 800)), [.startTimer(milliseconds: 800)]),
            (.limitRaised, [.examine(a)]), (.examined(a, .free), [.prepare(a, isAgain: false)]),
        ])
        try play([
            (.arrived(ticket(a, ann, branches: true)), [.judge(a)]),
            (
                .judged(a, refusal: nil, wait: 0, isCrowded: true),
                [.answer([ann], a, .refused(.crowded)), .drop(a)]
            ),
        ])
    }

    @Test func `is refused when its user must wait too long, or a quota is used up`() throws {
        let used = WireError(.quota, "used up")
        let line = try play([
            (.arrived(ticket(a, ann)), [.judge(a)]),
            (judged(a, refusal: used), [.answer([ann], a, .refused(used)), .drop(a)]),
        ])
        #expect(line.isForgotten)
        var other = try self.line(after: ticket(b, bob))
        guard case .answer(_, _, .refused(let error))? = other.handle(judged(b, wait: 6_000)).first else {
            Issue.record("it was not refused")
            return
        }
        #expect(error.kind == .throttled && error.retryAfterMs == 6_000)
    }

    private func line(after ticket: Ticket) throws -> SessionLine {
        var line = try newLine()
        _ = line.handle(.arrived(ticket))
        return line
    }

    @Test func `that cannot be prepared or stored is refused, and nothing is left of it`() throws {
        let before = Array(running.prefix(2))
        #expect(
            try play(before + [(.prepared(a, full), [.answer([ann], a, .refused(full)), .drop(a)])])
                .isForgotten)
        #expect(
            try play(
                Array(running.prefix(3)) + [
                    (.begun(a, .refused(full)), [.answer([ann], a, .refused(full)), .drop(a)])
                ]
            ).isForgotten)
    }

    @Test func `is prepared anew when other messages came before it, unless it was cancelled`() throws {
        let stored = Array(running.prefix(3))
        try play(stored + [(.begun(a, .moved), [.prepare(a, isAgain: true)])])
        try play(
            stored + [
                (.cancelled(.request(1)), [.cancel(a)]),
                (.begun(a, .moved), [.answer([ann], a, .refused(.cancelledUnstored)), .drop(a)]),
            ])
    }
}

@Suite struct `A prompt on a busy session` {
    @Test func `is stored, told of, and begins when the end before is stored`() throws {
        try play(
            waiting + [
                (.ended(a, .ran), [.answer([ann], a, .ran), .drop(a), .examine(b)]),
                (.examined(b, .free), [.prepare(b, isAgain: false)]), (.prepared(b, nil), [.begin(b)]),
                (.begun(b, .accepted), [.run(b)]),
                (.ended(b, .ran), [.answer([bob], b, .ran), .drop(b)]),
            ])
    }

    @Test func `does not begin before it is stored`() throws {
        try play(
            running + [
                (.arrived(ticket(b, bob)), [.judge(b)]), (judged(b), [.enqueue(b)]),
                (.ended(a, .ran), [.answer([ann], a, .ran), .drop(a)]),
                (.enqueued(b, .accepted), [.tell(b, .queued(position: 1)), .examine(b)]),
            ])
    }

    @Test func `that interrupts cuts what runs and goes before the others`() throws {
        try play(
            waiting + [
                (.arrived(ticket(c, cid, ifBusy: .interrupt)), [.judge(c)]), (judged(c), [.enqueue(c)]),
                (
                    .enqueued(c, .accepted),
                    [.tell(c, .queued(position: 1)), .tell(b, .moved(position: 2)), .cancel(a)]
                ),
                (.ended(a, .ran), [.answer([ann], a, .ran), .drop(a), .examine(c)]),
            ])
    }

    @Test func `is told how many come before it whenever that changes`() throws {
        try play(
            waiting + [
                (.arrived(ticket(c, cid)), [.judge(c)]), (judged(c), [.enqueue(c)]),
                (.enqueued(c, .accepted), [.tell(c, .queued(position: 2))]),
                (.ended(a, .ran), [.answer([ann], a, .ran), .drop(a), .examine(b)]),
                (.examined(b, .free), [.prepare(b, isAgain: false), .tell(c, .moved(position: 1))]),
            ])
    }

    @Test func `that rejects, branches or is one too many is refused`() throws {
        func kind(_ ticket: Ticket, after steps: [Step]) throws -> ErrorKind? {
            var line = try play(steps)
            _ = line.handle(.arrived(ticket))
            guard case .answer(_, _, .refused(let error))? = line.handle(judged(ticket.id)).first else {
                return nil
            }
            return error.kind
        }
        #expect(try kind(ticket(b, bob, ifBusy: .reject), after: running) == .busy)
        #expect(try kind(ticket(b, bob, branches: true), after: running) == .busy)
        #expect(try kind(ticket(b, bob, bytes: 101), after: running) == .overloaded)
        let two =
            waiting + [(.arrived(ticket(c, cid)), [.judge(c)]), (judged(c), [.enqueue(c)])]
        #expect(try kind(ticket(TurnID(high: 0, low: 9), dan), after: two) == .overloaded)
        #expect(try kind(ticket(c, cid), after: waiting) == nil)
    }

    @Test func `whose words are edited is looked at again before it begins`() throws {
        try play(
            waiting + [
                (.ended(a, .ran), [.answer([ann], a, .ran), .drop(a), .examine(b)]), (.editBegan(b), []),
                (.examined(b, .free), []), (.edited(b, bytes: 20, hash: nil), [.examine(b)]),
                (.examined(b, .free), [.prepare(b, isAgain: false)]),
            ])
    }

    @Test func `is not begun by a look from before a limit was raised`() throws {
        try play(
            waiting + [
                (.ended(a, .ran), [.answer([ann], a, .ran), .drop(a), .examine(b)]), (.limitRaised, []),
                (.examined(b, .held(.quota("used up"), wait: nil)), [.examine(b)]),
                (.examined(b, .free), [.prepare(b, isAgain: false)]),
            ])
    }

    @Test func `waits while the path changes`() throws {
        try play([
            (.pathChangeBegan, []), (.arrived(ticket(a, ann)), [.judge(a)]), (judged(a), [.enqueue(a)]),
            (.enqueued(a, .accepted), [.tell(a, .queued(position: 1))]), (.pathChangeEnded, [.examine(a)]),
        ])
    }

    @Test func `that can never begin ends as failed, and the next one begins`() throws {
        try play(
            waiting + [
                (.ended(a, .ran), [.answer([ann], a, .ran), .drop(a), .examine(b)]),
                (.examined(b, .impossible(full)), [.end(b, .failed(full))]),
                (.arrived(ticket(c, cid)), [.judge(c)]), (judged(c), [.enqueue(c)]),
                (.enqueued(c, .accepted), [.tell(c, .queued(position: 1))]),
                (.delayed(b, full), [.answer([bob], b, .notStored(full))]),
                (.ended(b, .failed(full)), [.drop(b), .examine(c)]),
            ])
    }
}

@Suite struct `A prompt that is sent again` {
    private let first = ticket(a, ann, key: "k")

    @Test func `waits for the one that runs, and both are answered`() throws {
        try play(
            [(.arrived(first), [.judge(a)])] + running.dropFirst() + [
                (.arrived(ticket(b, bob, key: "k")), [.joined(b), .drop(b)]),
                (.ended(a, .ran), [.answer([ann, bob], a, .ran), .drop(a)]),
            ])
    }

    @Test func `is recognized by the write, wherever the first one is by then`() throws {
        try play([
            (.arrived(first), [.judge(a)]), (judged(a), [.prepare(a, isAgain: false)]),
            (.arrived(ticket(b, bob, key: "k")), [.judge(b)]), (judged(b), [.enqueue(b)]),
            (.prepared(a, nil), [.begin(a)]), (.begun(a, .accepted), [.run(a)]),
            (.enqueued(b, .known(a)), [.drop(b)]),
            (.ended(a, .ran), [.answer([ann, bob], a, .ran), .drop(a)]),
        ])
        try play([
            (.arrived(first), [.judge(a)]), (judged(a), [.prepare(a, isAgain: false)]),
            (.prepared(a, nil), [.begin(a)]),
            (.begun(a, .known(c)), [.answer([ann], a, .known), .drop(a)]),
        ])
    }

    @Test func `is no new one where a new one would be refused`() throws {
        let used = WireError(.quota, "used up")
        try play([
            (.arrived(first), [.judge(a)]), (judged(a, refusal: used), [.recognize(a)]),
            (.recognized(a, isKnown: true), [.prepare(a, isAgain: false)]),
        ])
        try play([
            (.arrived(first), [.judge(a)]), (judged(a, refusal: used), [.recognize(a)]),
            (.recognized(a, isKnown: false), [.answer([ann], a, .refused(used)), .drop(a)]),
        ])
    }
}

@Suite struct `A turn that is cancelled in its line` {
    private let unstored: [SessionLine.Effect] = [
        .answer([ann], a, .refused(.cancelledUnstored)), .drop(a),
    ]

    @Test func `before it is stored is answered at once, and what was looked up for it is forgotten`() throws
    {
        for cancellation: SessionLine.Cancellation in [
            .request(1), .leave(client: 1), .all, .session(client: 1),
        ] {
            let line = try play([
                (.arrived(ticket(a, ann)), [.judge(a)]), (.cancelled(cancellation), unstored),
                (judged(a), []),
            ])
            #expect(line.isForgotten)
            try play(
                Array(running.prefix(2)) + [
                    (.cancelled(cancellation), [.abandon(a)] + unstored), (.prepared(a, nil), []),
                ])
        }
    }

    @Test func `while it waits ends in the archive, and nobody waits for that but who asked`() throws {
        let line = try play(
            waiting + [
                (.cancelled(.turn(b, by: dan)), [.end(b, .cancelled)]),
                (.ended(b, .cancelled), [.answer([bob, dan], b, .cancelled), .drop(b)]),
            ])
        #expect(line.running == a && !line.hasQueued(b))
    }

    @Test func `on its way into the queue leaves when that is known`() throws {
        let begun: [Step] =
            running + [(.arrived(ticket(b, bob)), [.judge(b)]), (judged(b), [.enqueue(b)])]
        try play(
            begun + [
                (.cancelled(.request(2)), [.end(b, .cancelled)]),
                (.enqueued(b, .accepted), [.tell(b, .queued(position: 1))]),
                (.ended(b, .cancelled), [.answer([bob], b, .cancelled), .drop(b)]),
            ])
        try play(
            begun + [
                (.cancelled(.request(2)), [.end(b, .cancelled)]),
                (.enqueued(b, .refused(full)), [.answer([bob], b, .refused(full))]),
                (.ended(b, .cancelled), [.drop(b)]),
            ])
    }

    @Test func `by its session ends with what the client has waiting, not with what others have`() throws {
        try play(waiting + [(.cancelled(.session(client: 3)), [.cancel(a)])])
        try play(waiting + [(.cancelled(.session(client: 2)), [.end(b, .cancelled), .cancel(a)])])
    }

    @Test func `by one who leaves goes on while another waits for it`() throws {
        try play(waiting + [(.cancelled(.leave(client: 2)), [.end(b, .cancelled)])])
        try play(
            [(.arrived(ticket(a, ann, key: "k")), [.judge(a)])] + running.dropFirst() + [
                (.arrived(ticket(b, bob, key: "k")), [.joined(b), .drop(b)]),
                (.cancelled(.leave(client: 1)), []), (.cancelled(.gone(client: 1)), []),
                (.cancelled(.leave(client: 2)), [.cancel(a)]),
            ])
    }

    @Test func `by a connection that closes ends only if it was to end with it`() throws {
        try play(running + [(.cancelled(.gone(client: 1)), [])])
        try play(
            [(.arrived(ticket(a, ann, endsWithAskers: true)), [.judge(a)])] + running.dropFirst()
                + [(.cancelled(.gone(client: 1)), [.cancel(a)])])
    }
}

@Suite struct `A line that drains` {
    @Test func `refuses what is not stored and tells the others that they are kept`() throws {
        try play(
            waiting + [
                (.arrived(ticket(c, cid)), [.judge(c)]),
                (.draining, [.answer([bob], b, .stopped)]),
                (judged(c), [.answer([cid], c, .refused(.stopping)), .drop(c)]),
                (.arrived(ticket(c, cid)), [.answer([cid], c, .refused(.stopping)), .drop(c)]),
                (.cut, [.shutDown(a)]), (.ended(a, .ran), [.answer([ann], a, .ran), .drop(a)]),
            ])
    }

    @Test func `gives what is being prepared back to where it came from`() throws {
        try play(
            Array(running.prefix(2)) + [
                (.draining, [.abandon(a), .answer([ann], a, .refused(.stopping)), .drop(a)])
            ])
        let line = try play(
            waiting + [
                (.ended(a, .ran), [.answer([ann], a, .ran), .drop(a), .examine(b)]),
                (.examined(b, .free), [.prepare(b, isAgain: false)]),
                (.draining, [.abandon(b), .answer([bob], b, .stopped)]), (.prepared(b, nil), []),
            ])
        #expect(line.hasQueued(b) && !line.isWriting)
    }

    @Test func `tells who is on the way into the queue when it is there`() throws {
        try play(
            running + [
                (.arrived(ticket(b, bob)), [.judge(b)]), (judged(b), [.enqueue(b)]), (.draining, []),
                (
                    .enqueued(b, .accepted),
                    [.tell(b, .queued(position: 1)), .answer([bob], b, .stopped)]
                ),
            ])
    }

    @Test func `tells a repeat of what waits that it is kept, too`() throws {
        try play(
            waiting + [
                (.arrived(ticket(c, cid, key: "k")), [.judge(c)]), (judged(c), [.enqueue(c)]),
                (.draining, [.answer([bob], b, .stopped)]),
                (.enqueued(c, .known(b)), [.answer([cid], b, .stopped), .drop(c)]),
            ])
    }
}
