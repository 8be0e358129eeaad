internal import Conversation
internal import JSON
internal import Protocol
internal import Store

extension Handlers {
    /// `session/load` replays all history, `session/resume` only what follows a cursor; then live updates follow.
    func openSession(_ call: Call, replaysAll: Bool) throws(WireError) {
        let asked = try OpenSessionParameters(call.params)
        let record = try session(asked.id, call)
        let replay = Replay(call, record, services, engine) { [self] in writeConfigOptions($0, to: &$1) }
        if let after = asked.after {
            try replay.begin(after: after)
        } else if let limit = asked.limit, replaysAll {
            try replay.begin(newest: limit)
        } else {
            replay.begin(from: replaysAll ? 1 : record.session.messageCount + 1)
        }
    }
}

/// Sends a session's history as updates, page by page as the client reads, then joins the client to what is live.
///
/// Everything happens on the loop, so catching up and joining are one step: nothing is missed and nothing comes twice.
private final class Replay {
    /// Bytes of stored content read at a time.
    private static let page = 256 << 10

    private let call: Call
    private var session: SessionRecord
    private let services: Services
    private let engine: TurnEngine
    private let writeOptions: (Session, inout JSONWriter) -> Void
    private let subscription: Channels.Subscription
    private var next = 1
    /// Bytes of the first message that the client holds already.
    private var held: (id: MessageID, offset: Int)?
    private var rewind: (id: MessageID, offset: Int)?
    private var replayedAnswer: MessageID?
    private var isOver = false
    private var skipsLive = false

    init(
        _ call: Call, _ session: SessionRecord, _ services: Services, _ engine: TurnEngine,
        _ writeOptions: @escaping (Session, inout JSONWriter) -> Void
    ) {
        self.call = call
        self.session = session
        self.services = services
        self.engine = engine
        self.writeOptions = writeOptions
        subscription = services.channels.subscribe(call.connection, to: session.row)
    }

    func begin(from seq: Int) {
        next = seq
        skipsLive = seq > session.session.messageCount
        subscription.isReplaying = true
        subscription.replayed = []
        call.onCancel = { [weak self] in self?.cancel() }
        step()
    }

    /// Only the newest messages, rounded to whole turns.
    func begin(newest limit: Int) throws(WireError) {
        do throws(StoreError) {
            let messages = try services.store.reader.newest(session, tokens: Int.max, turns: nil, messages: limit - 1)
            begin(from: messages.first?.seq ?? 1)
        } catch { throw WireError(error) }
    }

    /// What follows a cursor on the active path.
    func begin(after cursor: Protocol.Cursor) throws(WireError) {
        let seq: Int?
        do { seq = try services.store.reader.seq(of: cursor.messageID, in: session) } catch { throw WireError(error) }
        if let seq {
            held = (cursor.messageID, cursor.offset)
            return begin(from: seq)
        }
        guard let turn = engine.running(on: session.row), turn.record.answerID == cursor.messageID else {
            throw WireError(
                .conflict, "message '\(cursor.messageID)' is not on the session's active path; load the session without a cursor")
        }
        held = (cursor.messageID, cursor.offset)
        begin(from: session.session.messageCount + 1)
        skipsLive = false
    }

    private func cancel() {
        isOver = true
        services.channels.unsubscribe(call.connection, from: session.row)
        call.fail(WireError(.cancelled, "the request was cancelled"))
    }

    private func step() {
        guard !isOver, call.connection.isOpen else { return }
        do throws(StoreError) {
            guard let now = try services.store.reader.session(row: session.row) else { return cancel() }
            session = now
            while next <= session.session.messageCount {
                let page = try services.store.reader.messages(session, .from(next), limit: 200, bytes: Replay.page)
                for message in page.messages { send(message) }
                next = (page.messages.last?.seq ?? session.session.messageCount) + 1
                if call.connection.waitingBytes > Replay.page {
                    return call.connection.whenDrained { [self] in step() }
                }
            }
        } catch {
            isOver = true
            return call.fail(WireError(error))
        }
        join()
    }

    private func send(_ message: Message) {
        if let turn = engine.running(on: session.row) {
            if message.id == turn.record.answerID { replayedAnswer = message.id }
            if message.id == turn.record.answerID || message.id == turn.record.promptID { subscription.replayed.insert(message.id) }
        }
        guard message.role != .system else { return }
        send(message.pieces, of: message.id, message.turnID, message.role)
    }

    private func send(_ pieces: [Piece], of id: MessageID, _ turn: TurnID?, _ role: Message.Role) {
        var offset = 0, rest = pieces
        if let held, held.id == id {
            self.held = nil
            let length = pieces.reduce(0) { $0 + $1.length }
            if held.offset > length { rewind = (id, length) }
            (offset, rest) = Answer.rest(of: pieces, after: min(held.offset, length))
        }
        for piece in rest {
            for part in Replay.cut(piece) {
                call.connection.send(Chunk(session: session.session.id, messageID: id, turnID: turn, role: role, piece: part, offset: offset))
                offset += part.length
            }
        }
    }

    /// A long text in chunks of at most 32 KiB, cut between characters.
    private static func cut(_ piece: Piece) -> [Piece] {
        guard piece.kind != .part, piece.bytes.count > Chunk.most else { return [piece] }
        var out: [Piece] = [], start = 0
        while start < piece.bytes.count {
            var end = min(start + Chunk.most, piece.bytes.count)
            while end < piece.bytes.count && piece.bytes[end] & 0xC0 == 0x80 { end -= 1 }
            out.append(Piece(piece.kind, Array(piece.bytes[start..<end])))
            start = end
        }
        return out
    }

    /// All that is stored was sent: what of the running answer was announced follows, then everything live.
    private func join() {
        isOver = true
        let turn = engine.running(on: session.row)
        if let turn, turn.row != 0, replayedAnswer != turn.record.answerID, !skipsLive {
            var pieces = turn.published.pieces
            if let held, held.id == turn.record.answerID, held.offset > turn.machine.publishedOffset {
                rewind = (held.id, turn.machine.publishedOffset)
                pieces = []
                self.held = nil
            }
            send(pieces, of: turn.record.answerID, turn.id, .assistant)
        }
        subscription.isReplaying = false
        if let title = session.session.title, !skipsLive { sendTitle(title) }
        call.reply {
            writeOptions(session.session, &$0)
            $0.member("_meta") {
                $0.member("convod") {
                    $0.member("messageCount", session.session.messageCount)
                    if let turn, turn.row != 0 { $0.member("running", turn.id.description) }
                    if let rewind {
                        $0.member("rewind") {
                            $0.member("messageId", rewind.id.description)
                            $0.member("offset", rewind.offset)
                        }
                    }
                }
            }
        }
    }

    private func sendTitle(_ title: String) {
        let update = JSONWriter.object {
            $0.member("sessionUpdate", "session_info_update")
            $0.member("title", title)
            $0.member("updatedAt", Timestamp.text(session.session.updatedAt))
        }
        call.connection.send(Channels.line(update: update, of: session.session.id))
    }
}
