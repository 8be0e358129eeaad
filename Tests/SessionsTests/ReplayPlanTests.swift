import Archive
import Conversation
import JSON
import Protocol
import Sessions
import TestSupport
import Testing

/// A session that is replayed to a client, as a list: messages on its path, and what is held back meanwhile.
private struct Replayed {
    var plan: ReplayPlan
    var messages: [Message]
    var branch: Int64 = 1
    var version = 0
    var missed: [ReplayPlan.Place] = []
    var running: ReplayPlan.Surroundings.Running?
    /// What the client was sent.
    var sent: [String] = []
    var ending: WireError??
    /// Looks that are out.
    var looks: [ReplayPlan.Effect] = []
    /// Whether the client has to read before more is sent.
    var isFull = false
    /// Messages of a page.
    var page = 3

    init(_ count: Int, _ start: ReplayPlan.Start) {
        messages = (1...max(count, 1)).prefix(count).map { Replayed.message($0) }
        plan = ReplayPlan(Replayed.record(count, branch: 1), start)
        handle(.begun)
    }

    static func id(_ seq: Int) -> MessageID { MessageID(high: 1, low: UInt64(seq)) }

    static func message(_ seq: Int) -> Message {
        Message(
            id: id(seq), seq: seq, role: seq % 2 == 1 ? .user : .assistant, createdAt: 0, tokens: 1,
            content: Part.encode([.text("text \(seq)")]))
    }

    static func record(_ count: Int, branch: Int64) -> SessionRecord {
        var session = Session(id: SessionID(ID<SessionID>(high: 0, low: 1)), owner: 1, cwd: "/", createdAt: 0)
        session.messageCount = count
        return SessionRecord(session, row: SessionRow(1), branch: BranchRow(branch))
    }

    mutating func handle(_ event: ReplayPlan.Event) {
        let surroundings = ReplayPlan.Surroundings(version: version, missed: missed, running: running)
        for effect in plan.handle(event, surroundings) { perform(effect) }
    }

    private mutating func perform(_ effect: ReplayPlan.Effect) {
        switch effect {
        case .send(let message, let pieces, let start):
            let words = pieces.map { String(decoding: $0.bytes, as: UTF8.self) }.joined()
            sent.append("\(message.seq)@\(start) \(words)")
            missed.removeAll { $0.id == message.id }
        case .sendLive(_, let start):
            sent.append("live@\(start)")
            handle(.sentLive(to: running?.published ?? 0, isAll: true))
        case .forgetMissed: missed = []
        case .pace: if isFull { looks.append(.waitForClient) } else { handle(.paced) }
        case .end(let error): ending = .some(error)
        default: looks.append(effect)
        }
    }

    /// Answers the look that is out, as the path is now.
    mutating func step() {
        guard !looks.isEmpty else { return }
        switch looks.removeFirst() {
        case .readSession: handle(.session(Replayed.record(messages.count, branch: branch)))
        case .findPlaces(let ids, _):
            let places = messages.filter { ids.contains($0.id) }.map { ($0.id, $0.seq) }
            handle(.places(Dictionary(uniqueKeysWithValues: places)))
        case .findNewest(let limit, _): handle(.newest(messages.suffix(limit).first?.seq))
        case .readPage(let seq, let session):
            let most = session.session.messageCount
            handle(.page(Array(messages.filter { $0.seq >= seq && $0.seq <= most }.prefix(page))))
        case .readOpening: handle(.opening(Opening.Output(headID: messages.last?.id, last: nil)))
        default: handle(.resumed)
        }
    }

    mutating func finish() { for _ in 0..<200 where ending == nil { step() } }

    /// A message is added to the path, and its pieces are held back.
    mutating func add() {
        messages.append(Replayed.message(messages.count + 1))
        version += 1
        if let last = messages.last { missed.append((last.id, 0)) }
    }

    var failure: ErrorKind? { (ending ?? nil)?.kind }
}

@Suite struct `A replay` {
    @Test func `sends everything once, and ends where nothing was stored meanwhile`() {
        var replay = Replayed(7, .everything)
        replay.finish()
        #expect(replay.sent == (1...7).map { "\($0)@0 text \($0)" })
        #expect(replay.ending == .some(nil) && replay.plan.opening.headID == Replayed.id(7))
    }

    @Test func `of an empty session ends at once`() {
        var replay = Replayed(0, .everything)
        replay.finish()
        #expect(replay.sent == [] && replay.ending == .some(nil))
    }

    @Test func `sends the newest messages only`() {
        var replay = Replayed(9, .newest(2))
        replay.finish()
        #expect(replay.sent == ["8@0 text 8", "9@0 text 9"])
    }

    @Test func `goes on inside the message that the client saw last`() {
        var replay = Replayed(3, .after(Replayed.id(2), offset: 5))
        replay.finish()
        #expect(replay.sent == ["2@5 2", "3@0 text 3"])
    }

    @Test func `says where the client must cut what it holds too much of`() {
        var replay = Replayed(2, .after(Replayed.id(2), offset: 99))
        replay.finish()
        #expect(replay.sent == ["2@6 "] && replay.plan.rewind?.offset == 6)
        var live = Replayed(1, .after(Replayed.id(9), offset: 99))
        live.running = .init(answer: Replayed.id(9), published: 4, isReplayed: false)
        live.finish()
        #expect(live.sent == ["live@99"] && live.plan.rewind?.offset == 4)
    }

    @Test func `refuses a place that is not on the path`() {
        var replay = Replayed(2, .after(Replayed.id(7), offset: 0))
        replay.finish()
        #expect(replay.failure == .conflict && replay.sent == [])
    }

    @Test func `looks again for a place that became a message just now`() {
        var replay = Replayed(2, .after(Replayed.id(3), offset: 0))
        replay.step()
        // The look for the place has gone out, and finds nothing; then the answer is stored.
        let look = replay.looks
        replay.add()
        replay.looks = look
        replay.finish()
        #expect(replay.ending == .some(nil) && replay.sent == ["3@0 text 3"])
    }

    @Test func `reads on where something is stored while it reads, and sends nothing twice`() {
        for when in 0..<12 {
            var replay = Replayed(5, .everything)
            for _ in 0..<when { replay.step() }
            if replay.ending != nil { break }
            replay.add()
            replay.finish()
            #expect(replay.sent == (1...6).map { "\($0)@0 text \($0)" }, "stored after \(when) steps")
        }
    }

    @Test func `of nothing but what comes still brings what came while it looked`() {
        var replay = Replayed(5, .live)
        replay.step()
        replay.add()
        replay.finish()
        #expect(replay.sent == ["6@0 text 6"] && replay.ending == .some(nil))
        var quiet = Replayed(5, .live)
        quiet.finish()
        #expect(quiet.sent == [] && quiet.ending == .some(nil))
    }

    @Test func `forgets what came while it looked and has left the path again`() {
        var replay = Replayed(5, .live)
        replay.step()
        replay.missed = [(Replayed.id(77), 0)]
        replay.finish()
        #expect(replay.sent == [] && replay.ending == .some(nil) && replay.missed.isEmpty)
    }

    @Test func `sends the running answer as far as all were told of it`() {
        var replay = Replayed(1, .everything)
        replay.running = .init(answer: Replayed.id(2), published: 12, isReplayed: false)
        replay.finish()
        #expect(replay.sent == ["1@0 text 1", "live@0"] && replay.plan.sent?.offset == 12)
        var again = Replayed(1, .everything)
        again.running = .init(answer: Replayed.id(2), published: 12, isReplayed: true)
        again.finish()
        #expect(again.sent == ["1@0 text 1"])
    }

    @Test func `goes on where another path is active that has what was sent, and ends where it has not`() {
        var shared = Replayed(5, .everything)
        for _ in 0..<3 { shared.step() }
        #expect(shared.sent.count == 3)
        shared.branch = 2
        shared.version += 1
        shared.finish()
        #expect(shared.sent.count == 5 && shared.ending == .some(nil))

        var other = Replayed(5, .everything)
        for _ in 0..<3 { other.step() }
        other.messages = (1...2).map { Replayed.message($0) }
        other.branch = 2
        other.version += 1
        other.finish()
        #expect(other.failure == .conflict)
        var now = Replayed(5, .live)
        now.messages = []
        now.branch = 2
        now.finish()
        #expect(now.sent == [] && now.ending == .some(nil), "who joins what is live is on no path yet")
    }

    @Test func `waits for a client that does not read`() {
        var replay = Replayed(5, .everything)
        replay.isFull = true
        for _ in 0..<3 { replay.step() }
        guard case .waitForClient? = replay.looks.first else {
            Issue.record("it goes on")
            return
        }
        replay.finish()
        #expect(replay.sent.count == 5)
    }

    @Test func `is over once it is given up or cannot read, whatever comes then`() {
        var replay = Replayed(5, .everything)
        replay.step()
        replay.handle(.failed(WireError(.storeFailed, "the disk")))
        #expect(replay.failure == .storeFailed && replay.plan.isOver)
        replay.finish()
        #expect(replay.sent == [])
        var gone = Replayed(5, .everything)
        gone.step()
        gone.looks = []
        gone.handle(.session(nil))
        #expect(gone.failure == .notFound)
    }
}
