internal import Archive
internal import Conversation
internal import EventLoop
internal import Protocol
internal import Sessions
internal import Store

/// Sends a session's history as updates, page by page as the client reads, then joins the client to what is live: does what
/// a `ReplayPlan` says.
final class Replay {
    /// Nanoseconds for reading before others have their turn.
    private static let slice: UInt64 = 1_000_000
    /// Bytes sent before the client must have taken them.
    private static let step = 256 << 10
    /// Rows and bytes of one page.
    private static let page = (rows: 200, bytes: 64 << 10)

    private(set) var plan: ReplayPlan
    private let link: any ClientLink
    private let archives: Archives
    private let channels: Channels
    private let loop: EventLoop
    private let engine: TurnEngine
    private let subscription: Subscription
    private let done: (Result<Replay, WireError>) -> Void
    /// When this slice of reading began.
    private var sliceStart: UInt64 = 0
    private var isCancelled = false
    /// Events that came while effects were performed; they are taken after those.
    private var events = Fifo<ReplayPlan.Event>()
    private var isPerforming = false
    /// The summaries that are still to be told where they were made, oldest first.
    private var compactions: ArraySlice<Summary> = []

    /// Brings a client that is joined to the session up to it; `done` is called once, when it has caught up or cannot.
    init(
        _ subscription: Subscription, _ session: SessionRecord, _ start: ReplayPlan.Start,
        _ archives: Archives, _ channels: Channels, _ engine: TurnEngine, _ loop: EventLoop,
        done: @escaping (Result<Replay, WireError>) -> Void
    ) {
        plan = ReplayPlan(session, start)
        self.subscription = subscription
        link = subscription.link
        self.archives = archives
        self.channels = channels
        self.loop = loop
        self.engine = engine
        self.done = done
    }

    private var row: SessionRow { plan.session.row }
    /// The turn that runs now and is stored.
    var running: LiveTurn? { engine.running(on: row) }

    /// Begins behind another replay of the same client on the same session, so that their pieces do not mix.
    func begin() {
        subscription.behindReplay { [self] in
            if isCancelled { return }
            subscription.holdBack()
            guard plan.tellsHistory, subscription.shows.compactions else { return handle(.begun) }
            findCompactions()
        }
    }

    /// Finds the summaries that stand among what is replayed; what cannot be read is left out, since a client needs none of it.
    private func findCompactions() {
        archives.read(SummaryList(plan.session, limit: Replay.mostCompactions), of: row) { [self] result in
            if isCancelled { return }
            if case .success(let found) = result {
                compactions = found.summaries.filter { $0.text != nil }.reversed()[...]
            }
            handle(.begun)
        }
    }

    /// Summaries that are looked at, the newest.
    private static let mostCompactions = 50

    /// Tells the summaries that were made before a message.
    private func tellCompactions(before seq: Int) {
        while let next = compactions.first, next.madeAt < seq {
            compactions.removeFirst()
            let update = Wire.CompactionUpdate(next, .completed)
            link.send(Outgoing.update(update, of: plan.session.session.id), isPush: false)
        }
    }

    /// Begins for a client whose pieces are held back already.
    func catchUp() { handle(.begun) }

    /// Gives up; what was sent was sent.
    func cancel() {
        if isCancelled || plan.isOver { return }
        isCancelled = true
        let error = WireError(.cancelled, "the request was cancelled")
        if plan.hasBegun { handle(.failed(error)) } else { done(.failure(error)) }
    }

    private func handle(_ event: ReplayPlan.Event) {
        if isPerforming { return events.append(event) }
        isPerforming = true
        var next: ReplayPlan.Event? = event
        while let event = next {
            for effect in plan.handle(event, surroundings) { perform(effect) }
            next = events.popFirst()
        }
        isPerforming = false
    }

    private var surroundings: ReplayPlan.Surroundings {
        .init(
            version: subscription.version, missed: subscription.missed,
            running: running.map { turn in
                .init(
                    answer: turn.record.answerID, published: turn.machine.publishedOffset,
                    isReplayed: subscription.replayed.contains(turn.record.answerID))
            })
    }

    private func perform(_ effect: ReplayPlan.Effect) {
        switch effect {
        case .readSession:
            // A client that has gone gets nothing more, and nobody waits for it.
            guard link.isOpen else { return }
            look(SessionByRow(row)) { [self] found in
                sliceStart = loop.now
                return .session(found)
            }
        case .findPlaces(let ids, let session): look(PlacesOnPath(ids, in: session)) { .places($0) }
        case .findNewest(let limit, let session):
            look(ReadMessages(session, .newest(limit), limit: 1, bytes: 1)) {
                .newest($0.messages.first?.seq)
            }
        case .readPage(let seq, let session):
            guard link.isOpen else { return }
            look(ReadMessages(session, .from(seq), limit: Replay.page.rows, bytes: Replay.page.bytes)) {
                .page($0.messages)
            }
        case .readOpening(let session): look(Opening(session)) { .opening($0) }
        case .send(let message, let pieces, let start):
            tellCompactions(before: message.seq)
            send(message, pieces, from: start)
        case .sendLive(let id, let start): sendLive(id, from: start)
        case .forgetMissed: subscription.forgetMissed()
        case .pace(let isLast): pace(isLast)
        case .waitForClient: link.whenDrained { [self] in handle(.resumed) }
        case .end(let error): end(error)
        }
    }

    /// Looks where the session lives; what fails ends the replay.
    private func look<Read: LocalRead>(_ look: Read, _ event: @escaping (Read.Output) -> ReplayPlan.Event) {
        archives.read(look, of: row) { [self] result in
            guard subscription.isJoined else {
                let words = "the session was closed by this client meanwhile"
                return handle(.failed(WireError(.cancelled, words)))
            }
            switch result {
            case .success(let found): handle(event(found))
            case .failure(let error): handle(.failed(WireError(error)))
            }
        }
    }

    private func pace(_ isLast: Bool) {
        if link.waitingBytes > Replay.step {
            link.whenDrained { [self] in handle(.resumed) }
        } else if !isLast, loop.now &- sliceStart > Replay.slice {
            // Much that is read may be little that is sent.
            loop.after(milliseconds: 0) { [self] in handle(.resumed) }
        } else {
            handle(.paced)
        }
    }

    private func end(_ error: WireError?) {
        guard let error else {
            tellCompactions(before: .max)
            subscription.release()
            return done(.success(self))
        }
        done(.failure(error))  // who joined by this alone has left by that, and hears no more
        if subscription.isJoined, let first = subscription.missed.first {
            channels.caughtBehind(subscription, row, plan.sent ?? first)
        } else {
            subscription.release()
        }
    }

    // MARK: What is sent

    /// Sends some of the running answer as far as it was announced.
    private func sendLive(_ id: MessageID, from wanted: Int) {
        guard let turn = running, turn.record.answerID == id else { return handle(.resumed) }
        subscription.caughtUp(id)
        let (start, pieces, isAll) = turn.machine.published(after: wanted, most: Replay.step)
        let end = send(pieces, of: id, turn.id, .assistant, from: start)
        handle(.sentLive(to: end, isAll: isAll))
    }

    private func send(_ message: Message, _ pieces: [Piece], from start: Int) {
        if let turn = engine.live(on: row),
            message.id == turn.record.answerID || message.id == turn.record.promptID
        {
            subscription.replayed.insert(message.id)
        }
        subscription.caughtUp(message.id)
        send(pieces, of: message.id, message.turnID, message.role, from: start)
    }

    /// Sends pieces of a message and returns where they end.
    @discardableResult
    private func send(
        _ pieces: [Piece], of id: MessageID, _ turn: TurnID?, _ role: Message.Role, from start: Int
    ) -> Int {
        var offset = start
        for part in pieces.lazy.flatMap(Chunk.cut) {
            link.send(
                Chunk(
                    session: plan.session.session.id, messageID: id, turnID: turn, role: role, piece: part,
                    offset: offset), isPush: false)
            offset += part.length
        }
        return offset
    }
}
