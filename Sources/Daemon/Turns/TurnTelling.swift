internal import Archive
internal import Conversation
internal import JSON
internal import Protocol
internal import Upstream

/// What the clients of a session are told of a turn that runs on it.
struct TurnTelling {
    let channels: Channels
    let session: SessionID
    let row: SessionRow
    let turn: TurnID

    private func publish(_ news: Wire.SessionInfoUpdate.News) {
        channels.publish(Wire.SessionInfoUpdate(news), of: session, on: row)
    }

    /// The prompt, to everyone but who sent it.
    func prompt(_ prompt: NewMessage, place: PathPlace, at time: Int64, asker client: Int?) {
        guard channels.subscribers(of: row).contains(where: { $0.client != client }) else { return }
        let message = Message(
            id: prompt.id, seq: place.head, role: .user, createdAt: time, tokens: prompt.size.tokens,
            content: prompt.content)
        var offset = 0
        for piece in message.pieces.flatMap(Chunk.cut) {
            let chunk = Chunk(
                session: session, messageID: prompt.id, turnID: turn, role: .user, piece: piece,
                offset: offset)
            channels.publish(chunk, on: row, except: client)
            offset += piece.length
        }
    }

    /// The turn is stored, and begins; `branch` is the new one that it began.
    func stored(_ record: TurnRecord, branch: Int?) {
        var news = Wire.SessionInfoUpdate.News(turn, .stored)
        news.promptId = record.promptID
        news.messageId = record.answerID
        news.branch = branch
        publish(news)
    }

    /// An upstream is asked, or will be after a setback and a wait.
    func asks(_ upstream: String, attempt: Int, after setback: (Turn.Wait, UpstreamFailure)?) {
        var news = Wire.SessionInfoUpdate.News(turn, setback == nil ? .waiting : .retrying)
        news.upstream = upstream
        news.attempt = attempt
        if let (wait, failure) = setback {
            news.retryInMs = wait.milliseconds
            news.error = Wire.Failure(kind: failure.kind.rawValue, message: failure.message)
        }
        publish(news)
    }

    /// Pieces of an answer; the first of it names the message whose place it takes.
    func pieces(_ pieces: [Piece], of answer: MessageID, from start: Int, replacing replaced: MessageID?) {
        var offset = start
        for piece in pieces.lazy.flatMap(Chunk.cut) {
            var chunk = Chunk(
                session: session, messageID: answer, turnID: turn, role: .assistant, piece: piece,
                offset: offset)
            if offset == 0 { chunk.replaces = replaced }
            channels.publish(chunk, on: row)
            offset += piece.length
        }
    }

    func ended(_ record: TurnRecord, hasMessage: Bool) {
        channels.publish(
            Wire.SessionInfoUpdate(TurnAnswers.ended(record, hasMessage: hasMessage)), of: session, on: row,
            isKept: true, about: hasMessage ? record.answerID : nil)
    }

    /// How full the model's context of `size` tokens is by the provider's own count (ACP `usage_update`).
    func used(_ tokens: Int, of size: Int) {
        channels.publish(Wire.UsageUpdate(used: tokens, size: size), of: session, on: row)
    }
}
