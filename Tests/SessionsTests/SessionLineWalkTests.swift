import Conversation
import Protocol
import Sessions
import TestSupport
import Testing

/// Plays the part of the daemon around one session's line, with an archive, looks and upstreams that may be late, and
/// looks at every effect.
private struct Daemon {
    /// An effect whose event is still to come.
    private enum Errand: Equatable {
        case judge(TurnID), recognize(TurnID), enqueue(TurnID), examine(TurnID), prepare(TurnID), begin(
            TurnID)
        case run(TurnID), end(TurnID, SessionLine.Departure), edit(TurnID), pathChange
    }

    private var line: SessionLine
    private var errands: [Errand] = []
    private var isTimerDue = false
    private var lastID: UInt64 = 0, lastRequest: UInt64 = 0
    /// Askers that have no answer yet.
    private var waiting: Set<UInt64> = []
    private var dropped: Set<TurnID> = []
    /// Turns that were cancelled before they began, and must not.
    private var cancelled: Set<TurnID> = []
    /// In the order in which they were taken in.
    private var accepted: [TurnID] = []
    private var interrupting: Set<TurnID> = []
    /// What the archive has in its queue.
    private var queued: Set<TurnID> = []
    private(set) var isDraining = false
    private(set) var runs = 0
    private(set) var complaint: String?
    private static let full = WireError(.diskFull, "the disk is full")

    init(session: SessionID) {
        line = SessionLine(
            session: session, owner: UserID(1), limits: .init(tickets: 3, bytes: 1_000, patience: 100))
    }

    // MARK: Events

    /// Something that could happen now.
    mutating func step(_ random: inout SeededRandom) {
        switch random.int(0...19) {
        case 0...5: play(.arrived(ticket(&random)))
        case 6: play(.cancelled(cancellation(&random)))
        case 7:
            guard let id = line.queue.randomElement(using: &random)?.id else { return }
            errands.append(.edit(id))
            play(.editBegan(id))
        case 8 where !line.isTaken:
            errands.append(.pathChange)
            play(.pathChangeBegan)
        case 8: if random.oneIn(2) { play(.limitRaised) }
        case 9: if isTimerDue { play(.timerDue) }
        case 10: if random.oneIn(30) { drain() }
        default: doErrand(&random)
        }
    }

    private mutating func ticket(_ random: inout SeededRandom) -> Ticket {
        lastID += 1
        let id = TurnID(high: 0, low: lastID)
        let key =
            random.oneIn(3)
            ? Ticket.Key(name: random.pick(["k", "l"]), hash: [random.pick([1, 2])]) : nil
        let ifBusy = random.pick([TurnRequest.IfBusy.queue, .queue, .queue, .interrupt, .reject])
        if ifBusy == .interrupt { interrupting.insert(id) }
        return Ticket(
            id: id, key: key, bytes: random.int(0...400), ifBusy: ifBusy, branches: random.oneIn(6),
            endsWithAskers: random.oneIn(4), askers: [asker(&random)])
    }

    private mutating func asker(_ random: inout SeededRandom, _ wish: Asker.Wish = .answer) -> Asker {
        lastRequest += 1
        waiting.insert(lastRequest)
        return Asker(client: random.int(1...3), request: lastRequest, wish: wish)
    }

    private mutating func cancellation(_ random: inout SeededRandom) -> SessionLine.Cancellation {
        let known = [line.front?.ticket].compactMap(\.self) + line.queue + line.departing
        switch random.int(0...6) {
        case 0: return .all
        case 1: return .session(client: random.int(1...3))
        case 2: return .leave(client: random.int(1...3))
        case 3: return .gone(client: random.int(1...3))
        case 4, 5:
            guard let ticket = known.randomElement(using: &random) else { return .request(0) }
            return .turn(ticket.id, by: asker(&random, .state))
        default: return .request(waiting.randomElement(using: &random) ?? 0)
        }
    }

    private mutating func drain() {
        isDraining = true
        play(.draining)
    }

    /// One of the errands comes back; writes come back in their order.
    private mutating func doErrand(_ random: inout SeededRandom) {
        guard let index = errands.indices.randomElement(using: &random) else { return }
        let isWrite = Daemon.isWrite(errands[index])
        let first = isWrite ? errands.firstIndex(where: Daemon.isWrite) ?? index : index
        play(errands.remove(at: first), &random)
    }

    private static func isWrite(_ errand: Errand) -> Bool {
        switch errand {
        case .enqueue, .begin, .end, .edit: true
        default: false
        }
    }

    private mutating func play(_ errand: Errand, _ random: inout SeededRandom) {
        let refusal = random.oneIn(8) ? Daemon.full : nil
        switch errand {
        case .judge(let id): play(.judged(id, refusal: refusal, wait: random.pick([0, 0, 0, 50, 500])))
        case .recognize(let id): play(.recognized(id, isKnown: random.oneIn(2)))
        case .enqueue(let id):
            let outcome = stored(id, &random)
            if outcome == .accepted { queued.insert(id) }
            play(.enqueued(id, outcome))
        case .examine(let id): play(.examined(id, examined(&random)))
        case .prepare(let id): play(.prepared(id, refusal))
        case .begin(let id):
            var outcome = random.oneIn(6) ? .moved : stored(id, &random)
            // Only a prompt that comes in can turn out to be another one.
            if case .known = outcome, queued.contains(id) { outcome = .accepted }
            if outcome == .accepted { queued.remove(id) }
            play(.begun(id, outcome))
        case .run(let id): play(.ended(id, .ran))
        case .end(let id, let departure):
            if random.oneIn(4) {
                errands.append(errand)
                return play(.delayed(id, Daemon.full))
            }
            queued.remove(id)
            switch departure {
            case .cancelled: play(.ended(id, .cancelled))
            case .failed(let error): play(.ended(id, .failed(error)))
            }
        case .edit(let id):
            play(.edited(id, bytes: random.oneIn(4) ? nil : 5, hash: random.oneIn(2) ? [9] : nil))
        case .pathChange: play(.pathChangeEnded)
        }
    }

    private func stored(_ id: TurnID, _ random: inout SeededRandom) -> SessionLine.Stored {
        switch random.int(0...9) {
        case 0: .refused(Daemon.full)
        case 1: .known(TurnID(high: 0, low: random.pick([id.low + 1, id.low - 1])))
        default: .accepted
        }
    }

    private func examined(_ random: inout SeededRandom) -> SessionLine.Examined {
        switch random.int(0...9) {
        case 0: .held(.pace, wait: 5)
        case 1: .held(.quota("used up"), wait: nil)
        case 2: .unreadable(wait: 5)
        case 3: .impossible(Daemon.full)
        default: .free
        }
    }

    // MARK: Effects

    private mutating func play(_ event: SessionLine.Event) {
        if case .timerDue = event { isTimerDue = false }
        // A turn known by its write is one that was in the archive.
        for effect in line.handle(event) { look(at: effect, event) }
        if line.queue.count > 3 + 1 { complain("\(line.queue.count) wait") }
    }

    private mutating func look(at effect: SessionLine.Effect, _ event: SessionLine.Event) {
        switch effect {
        case .judge(let id): send(.judge(id))
        case .recognize(let id): send(.recognize(id))
        case .enqueue(let id):
            accepted.append(id)
            send(.enqueue(id))
        case .examine(let id):
            if isDraining { complain("a look while it drains") }
            if errands.contains(where: { if case .examine = $0 { true } else { false } }) {
                complain("two looks at the queue")
            }
            send(.examine(id))
        case .prepare(let id, _): prepare(id)
        case .abandon(let id): errands.removeAll { $0 == .prepare(id) && Bool.random() }
        case .begin(let id):
            if cancelled.contains(id) { complain("a cancelled turn begins") }
            send(.begin(id))
        case .run(let id):
            runs += 1
            send(.run(id))
        case .cancel(let id), .shutDown(let id):
            if line.front?.ticket.id != id { complain("what is not at the front is cut") }
        case .end(let id, let departure):
            if departure == .cancelled { cancelled.insert(id) }
            accepted.removeAll { $0 == id }
            send(.end(id, departure))
        case .answer(let askers, let id, let answer): answered(askers, id, answer)
        case .joined(let id), .tell(let id, _):
            if dropped.contains(id) { complain("\(effect) after its end") }
        case .startTimer: isTimerDue = true
        case .drop(let id):
            if !dropped.insert(id).inserted { complain("dropped twice") }
            if line.ticket(id) != nil { complain("dropped while it stands in the line") }
            accepted.removeAll { $0 == id }
        }
    }

    private mutating func prepare(_ id: TurnID) {
        if isDraining { complain("a turn is prepared while the line drains") }
        if cancelled.contains(id) { complain("a cancelled turn is prepared") }
        if errands.contains(.pathChange) { complain("a turn is prepared while the path changes") }
        if line.front?.ticket.id != id { complain("what is not at the front is prepared") }
        for errand in errands {
            switch errand {
            case .begin, .run: complain("a turn is prepared beside one that runs")
            case .end(let other, .failed) where line.front?.ticket.id == other:
                complain("a turn is prepared before the end of the one before is stored")
            default: break
            }
        }
        if !accepted.contains(id) { accepted.insert(id, at: 0) }  // it never waited
        let before = accepted.prefix { $0 != id }
        if let other = before.first(where: { line.hasQueued($0) }), !interrupting.contains(id) {
            complain("\(id) goes before \(other)")
        }
        send(.prepare(id))
    }

    private mutating func answered(_ askers: [Asker], _ id: TurnID, _ answer: SessionLine.Answer) {
        if askers.isEmpty { complain("an answer to nobody") }
        for asker in askers where waiting.remove(asker.request) == nil { complain("answered twice") }
        if case .refused(let error) = answer, error.kind == .cancelled { cancelled.insert(id) }
        if case .stopped = answer, !queued.contains(id) { complain("told that it is kept, and it is not") }
    }

    private mutating func send(_ errand: Errand) {
        switch errand {
        case .judge(let id), .recognize(let id), .enqueue(let id), .examine(let id), .prepare(let id),
            .begin(let id), .run(let id), .end(let id, _):
            if dropped.contains(id) { complain("\(errand) after its end") }
        case .edit, .pathChange: break
        }
        errands.append(errand)
    }

    private mutating func complain(_ words: String) { complaint = complaint ?? words }

    /// Lets everything come to its end, and looks at what must hold then.
    mutating func finish(_ random: inout SeededRandom) {
        var steps = 0
        while (!errands.isEmpty || isTimerDue || line.hasTurns && !isDraining), steps < 5_000 {
            steps += 1
            if !errands.isEmpty {
                doErrand(&random)
            } else if isTimerDue {
                play(.timerDue)
            } else if line.front == nil {
                play(.limitRaised)
            }
        }
        if steps == 5_000 { complain("it never comes to an end") }
        if !waiting.isEmpty { complain("\(waiting.count) have no answer") }
        if !isDraining, !line.isForgotten { complain("something is left") }
        if line.isWriting { complain("it writes without end") }
        if isDraining, Set(line.queue.map(\.id)) != queued {
            complain("what waits is not what the archive has")
        }
        if !isDraining, !queued.isEmpty { complain("the archive has \(queued.count) that nobody runs") }
    }
}

@Suite struct `A session's line walked at random` {
    @Test func `answers each asker once, keeps the order, and loses and begins nothing that it must not`()
        throws
    {
        let session = try #require(SessionID("s"))
        var random = SeededRandom(), steps = 0, runs = 0, drains = 0
        while steps < 60_000 {
            var daemon = Daemon(session: session)
            for _ in 0..<random.int(1...120) {
                daemon.step(&random)
                steps += 1
            }
            daemon.finish(&random)
            runs += daemon.runs
            drains += daemon.isDraining ? 1 : 0
            guard let complaint = daemon.complaint else { continue }
            Issue.record("\(complaint) after \(steps) steps, \(random)")
            return
        }
        #expect(runs > 1_000 && drains > 10, "\(runs) runs, \(drains) drains, \(random)")
    }
}
