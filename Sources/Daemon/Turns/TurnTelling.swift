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

    private func publish(_ update: [UInt8]) { channels.publish(update: update, of: session, on: row) }

    /// The prompt, to everyone but who sent it.
    func prompt(_ prompt: NewMessage, place: PathPlace, at time: Int64, asker client: Int?) {
        let subscribers = channels.subscribers(of: row)
        let asker = subscribers.first { $0.connection.number == client }?.connection
        guard subscribers.contains(where: { $0.connection !== asker }) else { return }
        let message = Message(
            id: prompt.id, seq: place.head, role: .user, createdAt: time, tokens: prompt.tokens,
            content: prompt.content)
        var offset = 0
        for piece in message.pieces.flatMap(Chunk.cut) {
            let chunk = Chunk(
                session: session, messageID: prompt.id, turnID: turn, role: .user, piece: piece,
                offset: offset)
            channels.publish(chunk, on: row, except: asker)
            offset += piece.length
        }
    }

    /// The turn is stored, and begins; `branch` is the new one that it began.
    func stored(_ record: TurnRecord, branch: Int?) {
        publish(
            TurnAnswers.progress(turn, "stored") {
                $0.optional("promptId", record.promptID?.description)
                $0.member("messageId", record.answerID.description)
                $0.optional("branch", branch)
            })
    }

    /// An upstream is asked, or will be after a setback and a wait.
    func asks(_ upstream: String, attempt: Int, after setback: (Turn.Wait, UpstreamFailure)?) {
        publish(
            TurnAnswers.progress(turn, setback == nil ? "waiting" : "retrying") {
                $0.member("upstream", upstream)
                $0.member("attempt", attempt)
                guard let (wait, failure) = setback else { return }
                $0.member("retryInMs", wait.milliseconds)
                $0.failure(failure.kind.rawValue, failure.message)
            })
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
            update: TurnAnswers.ended(record, hasMessage: hasMessage), of: session, on: row, isKept: true,
            about: hasMessage ? record.answerID : nil)
    }

    /// How full the model's context of `size` tokens is by the provider's own count (ACP `usage_update`).
    func used(_ tokens: Int, of size: Int) {
        publish(
            JSONWriter.object {
                $0.member("sessionUpdate", "usage_update")
                $0.member("used", tokens)
                $0.member("size", size)
            })
    }
}
