internal import Conversation
internal import EventLoop
internal import JSON
internal import Protocol
internal import Store

/// Sends a session's history as updates, page by page as the client reads, then joins the client to what is live.
///
/// The message is the log: a client that opens a session and a client that fell behind both catch up by reading it.
/// Everything happens on the loop, so reaching the end and joining are one step: nothing is missed, nothing comes twice.
final class Replay {
    /// Nanoseconds for reading before others have their turn.
    private static let slice: UInt64 = 5_000_000
    /// Bytes sent before the client must have taken them.
    private static let step = 256 << 10

    private(set) var session: SessionRecord
    private let connection: Connection
    private let services: Services
    private let engine: TurnEngine
    private let subscription: Channels.Subscription
    private let done: (Result<Replay, WireError>) -> Void
    private var next = 1
    /// Where the client stands inside the message that it saw last.
    private var held: (id: MessageID, offset: Int)?
    private(set) var rewind: (id: MessageID, offset: Int)?
    /// The newest message that was sent whole.
    private var last: MessageID?
    private var isOver = false
    private var hasBegun = false
    /// Whether the running answer is left out, since the client wants only what comes from now on.
    private var skipsLive = false

    /// Joins `connection` to the session; `done` is called once, when it has caught up or cannot.
    init(
        _ connection: Connection, _ session: SessionRecord, _ services: Services, _ engine: TurnEngine,
        done: @escaping (Result<Replay, WireError>) -> Void
    ) {
        self.connection = connection
        self.session = session
        self.services = services
        self.engine = engine
        self.done = done
        subscription = services.channels.subscribe(connection, to: session.row)
    }

    /// The turn that runs now and is stored.
    var running: LiveTurn? { engine.running(on: session.row).flatMap { $0.row == 0 ? nil : $0 } }

    /// Everything.
    func begin() { inTurn { $0.begin(from: 1) } }

    /// Nothing of what was: only what comes from now on.
    func beginLive() {
        inTurn {
            $0.skipsLive = true
            $0.begin(from: $0.session.session.messageCount + 1)
        }
    }

    /// Only the newest messages, rounded to whole turns.
    func begin(newest limit: Int) { inTurn { $0.start(newest: limit) } }

    private func start(newest limit: Int) {
        do throws(StoreError) {
            begin(from: try services.store(of: session.row).reader.start(ofNewest: limit, in: session))
        } catch { end(.failure(WireError(error))) }
    }

    /// What follows a place on the active path.
    func begin(after id: MessageID, offset: Int) { inTurn { $0.catchUp(after: id, offset: offset) } }

    /// The same for a client whose pieces are held back already.
    func catchUp(after id: MessageID, offset: Int) {
        hasBegun = true
        do throws(StoreError) {
            held = (id, offset)
            // Time may have passed.
            session = try services.store(of: session.row).reader.session(row: session.row) ?? session
            if let seq = try services.store(of: session.row).reader.seq(of: id, in: session) {
                return begin(from: seq)
            }
            if let running, running.record.answerID == id {
                return begin(from: session.session.messageCount + 1)
            }
            end(
                .failure(
                    WireError(
                        .conflict,
                        "message '\(id)' is not on the session's active path; load the session without a cursor"
                    )))
        } catch { end(.failure(WireError(error))) }
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
            do throws(StoreError) {
                session = try services.store(of: session.row).reader.session(row: session.row) ?? session
            } catch { return end(.failure(WireError(error))) }
            start(self)
        }
    }

    private func begin(from seq: Int) {
        next = seq
        subscription.isReplaying = true
        subscription.replayed = []
        goOn()
    }

    private func end(_ result: Result<Replay, WireError>) {
        isOver = true
        subscription.isReplaying = false
        done(result)
    }

    private func goOn() {
        guard !isOver, connection.isOpen else { return }
        do throws(StoreError) {
            guard let now = try services.store(of: session.row).reader.session(row: session.row) else {
                return end(.failure(.noSession(session.session.id)))
            }
            guard try goesOn(on: now) else { return end(.failure(elsewhere)) }
            session = now
            let start = services.loop.now
            while next <= session.session.messageCount {
                // Much that is read may be little that is sent.
                if services.loop.now &- start > Replay.slice {
                    services.loop.after(milliseconds: 0) { [self] in goOn() }
                    return
                }
                let page = try services.store(of: session.row).reader.messages(
                    session, .from(next), limit: 200, bytes: Replay.step)
                for message in page.messages { send(message) }
                next = (page.messages.last?.seq ?? session.session.messageCount) + 1
                if connection.waitingBytes > Replay.step {
                    return connection.whenDrained { [self] in goOn() }
                }
            }
        } catch { return end(.failure(WireError(error))) }
        if !skipsLive, let running, !subscription.replayed.contains(running.record.answerID),
            sendLive(running)
        {
            return connection.whenDrained { [self] in goOn() }
        }
        end(.success(self))
    }

    /// Whether what was sent is on the session's path still; a retry or a switch may have changed that meanwhile.
    private func goesOn(on now: SessionRecord) throws(StoreError) -> Bool {
        guard now.branch != session.branch else { return true }
        let reader = services.store(of: now.row).reader
        for id in [held?.id, last] {
            guard let id, running?.record.answerID != id else { continue }
            if try reader.seq(of: id, in: now) == nil { return false }
        }
        return true
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
        let wanted = held?.id == id ? held?.offset ?? 0 : 0
        if wanted > length { rewind = (id, length) }
        let (start, pieces, isAll) = turn.machine.published(after: wanted, most: Replay.step)
        var offset = start
        for part in pieces.flatMap(Chunk.cut) {
            connection.send(chunk(part, id, turn.id, .assistant, offset), isPush: false)
            offset += part.length
        }
        held = (id, offset)
        return !isAll
    }

    private func send(_ message: Message) {
        if let turn = engine.running(on: session.row),
            message.id == turn.record.answerID || message.id == turn.record.promptID
        {
            subscription.replayed.insert(message.id)
        }
        last = message.id
        guard message.role != .system else { return }
        let pieces = message.pieces, length = pieces.reduce(0) { $0 + $1.length }
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
