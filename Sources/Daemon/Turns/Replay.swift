internal import Archive
internal import Conversation
internal import EventLoop
internal import JSON
internal import Protocol
internal import Store

/// Sends a session's history as updates, page by page as the client reads, then joins the client to what is live.
///
/// The message is the log: a client that opens a session and a client that fell behind both catch up by reading it.
/// Live updates are held back from the moment that the first look goes out. What a look found is only good for joining when
/// nothing was stored on the session since it was asked; else it is asked again from where the client stands. Joining is one
/// step of the loop: nothing is missed, nothing comes twice.
final class Replay {
    /// Nanoseconds for reading before others have their turn.
    private static let slice: UInt64 = 1_000_000
    /// Bytes sent before the client must have taken them.
    private static let step = 256 << 10
    /// Rows and bytes of one page.
    private static let page = (rows: 200, bytes: 64 << 10)

    private(set) var session: SessionRecord
    private let connection: Connection
    private let services: Services
    private let engine: TurnEngine
    let subscription: Channels.Subscription
    private let done: (Result<Replay, WireError>) -> Void
    /// What the client is told at the end.
    private(set) var opening = Opening.Output(headID: nil, last: nil)
    private var next = 1
    /// When this slice of reading began.
    private var sliceStart: UInt64 = 0
    /// Where the client stands inside the message that it saw last.
    private var held: (id: MessageID, offset: Int)?
    private(set) var rewind: (id: MessageID, offset: Int)?
    /// The newest message that was sent whole.
    private var last: MessageID?
    /// Where the client stands by what was sent to it; nil while nothing was.
    private var sent: Channels.Place?
    private var isOver = false
    private var hasBegun = false
    /// Whether the client wants only what comes from now on.
    private var joinsLive = false
    /// Whether the running answer is left out, since nothing has come yet.
    private var skipsLive = false

    /// Brings a client that is joined to the session up to it; `done` is called once, when it has caught up or cannot.
    init(
        _ subscription: Channels.Subscription, _ session: SessionRecord, _ services: Services,
        _ engine: TurnEngine, done: @escaping (Result<Replay, WireError>) -> Void
    ) {
        self.subscription = subscription
        connection = subscription.connection
        self.session = session
        self.services = services
        self.engine = engine
        self.done = done
    }

    /// The turn that runs now and is stored.
    var running: LiveTurn? { engine.running(on: session.row) }

    /// Everything.
    func begin() { inTurn { $0.begin(from: 1) } }

    /// Nothing of what was: only what comes from now on.
    func beginLive() {
        joinsLive = true
        inTurn { $0.beginNow() }
    }

    private func beginNow() {
        skipsLive = true
        held = nil
        begin(from: session.session.messageCount + 1)
    }

    /// Only the newest messages, rounded to whole turns.
    func begin(newest limit: Int) { inTurn { $0.start(newest: limit) } }

    private func start(newest limit: Int) {
        let page = ReadMessages(session, .newest(limit), limit: 1, bytes: 1)
        look(page) { [self] page in
            begin(from: page.messages.first?.seq ?? session.session.messageCount + 1)
        }
    }

    /// What follows a place on the active path.
    func begin(after id: MessageID, offset: Int) { inTurn { $0.catchUp(after: id, offset: offset) } }

    /// The same for a client whose pieces are held back already.
    func catchUp(after id: MessageID, offset: Int) {
        hasBegun = true
        held = (id, offset)
        let version = subscription.version
        // Time may have passed.
        refresh { [self] in
            look(PlacesOnPath([id], in: session)) { [self] places in
                if let seq = places[id] { return begin(from: seq) }
                if let running, running.record.answerID == id {
                    return begin(from: session.session.messageCount + 1)
                }
                // It may have become a message just now.
                guard subscription.version == version else { return catchUp(after: id, offset: offset) }
                end(
                    .failure(
                        WireError(
                            .conflict,
                            "message '\(id)' is not on the session's active path; load the session without a cursor"
                        )))
            }
        }
    }

    /// Gives up; what was sent was sent.
    func cancel() {
        if isOver { return }
        guard hasBegun else {
            isOver = true
            return done(.failure(WireError(.cancelled, "the request was cancelled")))
        }
        end(.failure(WireError(.cancelled, "the request was cancelled")))
    }

    /// Waits for another replay of the same client on the same session, so that their pieces do not mix.
    private func inTurn(_ start: @escaping (Replay) -> Void) {
        subscription.behindReplay { [self] in
            if isOver { return }
            hasBegun = true
            subscription.holdBack()
            refresh { [self] in start(self) }
        }
    }

    private func begin(from seq: Int) {
        next = seq
        goOn()
    }

    private func end(_ result: Result<Replay, WireError>) {
        if isOver { return }
        isOver = true
        guard case .failure = result else {
            subscription.isReplaying = false
            return done(result)
        }
        done(result)  // who joined by this alone has left by that, and hears no more
        if subscription.isJoined, let first = subscription.missed.first {
            services.channels.caughtBehind(subscription, session.row, sent ?? first)
        } else {
            subscription.isReplaying = false
        }
    }

    // MARK: Looks

    /// Looks where the session lives; what fails ends the replay.
    private func look<Read: LocalRead>(_ look: Read, _ body: @escaping (Read.Output) -> Void) {
        services.archives.read(look, of: session.row) { [self] result in
            if isOver { return }
            guard subscription.isJoined else {
                return end(.failure(WireError(.cancelled, "the session was closed by this client meanwhile")))
            }
            switch result {
            case .success(let found): body(found)
            case .failure(let error): end(.failure(WireError(error)))
            }
        }
    }

    /// Reads the session as it is now.
    private func refresh(_ then: @escaping () -> Void) {
        look(SessionByRow(session.row)) { [self] now in
            session = now ?? session
            then()
        }
    }

    /// Reads on, if what was sent is on the session's path still.
    private func goOn() {
        guard !isOver, connection.isOpen else { return }
        let version = subscription.version
        look(SessionByRow(session.row)) { [self] now in
            guard let now else { return end(.failure(.noSession(session.session.id))) }
            checkPath(of: now, version) { [self] in
                session = now
                sliceStart = services.loop.now
                readOn(version)
            }
        }
    }

    /// Goes on where what was sent is on the path that is active now; a retry or a switch may have changed that.
    private func checkPath(of now: SessionRecord, _ version: Int, _ then: @escaping () -> Void) {
        guard now.branch != session.branch else { return then() }
        let ids = [held?.id, last].compactMap(\.self).filter { running?.record.answerID != $0 }
        if ids.isEmpty { return then() }
        look(PlacesOnPath(ids, in: now)) { [self] places in
            if ids.allSatisfy({ places[$0] != nil }) { return then() }
            guard subscription.version == version else { return goOn() }
            guard joinsLive else { return end(.failure(elsewhere)) }
            // What came meanwhile has left the path, and now is later.
            session = now
            last = nil
            beginNow()
        }
    }

    /// Sends page after page of what the session had when `version` was asked for.
    private func readOn(_ version: Int) {
        guard connection.isOpen else { return }
        guard !skipsLive, next <= session.session.messageCount else { return join(version) }
        // Much that is read may be little that is sent.
        if services.loop.now &- sliceStart > Replay.slice {
            services.loop.after(milliseconds: 0) { [self] in goOn() }
            return
        }
        let page = ReadMessages(session, .from(next), limit: Replay.page.rows, bytes: Replay.page.bytes)
        look(page) { [self] page in
            for message in page.messages { send(message) }
            next = (page.messages.last?.seq ?? session.session.messageCount) + 1
            if connection.waitingBytes > Replay.step {
                return connection.whenDrained { [self] in goOn() }
            }
            readOn(version)
        }
    }

    /// Ends where nothing was stored since the session was looked at, else reads on.
    private func join(_ version: Int) {
        look(Opening(session)) { [self] opening in
            guard subscription.version == version else { return goOn() }
            if skipsLive, !subscription.missed.isEmpty { return catchUp(version) }
            self.opening = opening
            if !skipsLive, let running, !subscription.replayed.contains(running.record.answerID),
                sendLive(running)
            {
                return connection.whenDrained { [self] in goOn() }
            }
            end(.success(self))
        }
    }

    /// Something came while it was looked from where on all comes: the client gets that too, but for what has left the path.
    private func catchUp(_ version: Int) {
        let missed = subscription.missed
        look(PlacesOnPath(missed.map(\.id), in: session)) { [self] places in
            let live = running?.record.answerID
            guard let first = missed.first(where: { places[$0.id] != nil || $0.id == live }) else {
                guard subscription.version == version else { return goOn() }
                subscription.forgetMissed()
                return join(version)
            }
            skipsLive = false
            held = first
            begin(from: places[first.id] ?? session.session.messageCount + 1)
        }
    }

    private var elsewhere: WireError {
        WireError(
            .conflict,
            "session '\(session.session.id.text)' went on on another branch while it was replayed; load it again"
        )
    }

    /// Sends some of the running answer as far as it was announced; true when there is more of it.
    private func sendLive(_ turn: LiveTurn) -> Bool {
        let id = turn.record.answerID, length = turn.machine.publishedOffset
        subscription.caughtUp(id)
        let wanted = held?.id == id ? held?.offset ?? 0 : 0
        if wanted > length { rewind = (id, length) }
        let (start, pieces, isAll) = turn.machine.published(after: wanted, most: Replay.step)
        var offset = start
        for part in pieces.flatMap(Chunk.cut) {
            connection.send(chunk(part, id, turn.id, .assistant, offset), isPush: false)
            offset += part.length
        }
        held = (id, offset)
        sent = held
        return !isAll
    }

    private func send(_ message: Message) {
        if let turn = engine.live(on: session.row),
            message.id == turn.record.answerID || message.id == turn.record.promptID
        {
            subscription.replayed.insert(message.id)
        }
        last = message.id
        subscription.caughtUp(message.id)
        guard message.role != .system else { return }
        let pieces = message.pieces, length = pieces.reduce(0) { $0 + $1.length }
        sent = (message.id, length)
        var wanted = 0
        if let held, held.id == message.id {
            wanted = held.offset
            self.held = nil
        }
        if wanted > length { rewind = (message.id, length) }
        var (offset, rest, _) =
            wanted == 0 ? (0, pieces, true) : Answer.rest(of: pieces, after: min(wanted, length))
        for piece in rest {
            for part in Chunk.cut(piece) {
                connection.send(chunk(part, message.id, message.turnID, message.role, offset), isPush: false)
                offset += part.length
            }
        }
    }

    private func chunk(_ piece: Piece, _ id: MessageID, _ turn: TurnID?, _ role: Message.Role, _ offset: Int)
        -> Chunk
    {
        Chunk(
            session: session.session.id, messageID: id, turnID: turn, role: role, piece: piece, offset: offset
        )
    }
}
