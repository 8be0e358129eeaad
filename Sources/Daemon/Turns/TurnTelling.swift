internal import Archive
internal import ContextWindow
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

    /// Whoever is asked next is another, or is asked only after a while.
    func setBack(_ failure: UpstreamFailure, from upstream: String, _ wait: Turn.Wait) {
        if wait.upstream != upstream {
            notify(.warning, "'\(wait.upstream)' is asked in place of '\(upstream)'", failure.message)
        } else if wait.milliseconds > TurnTelling.longWait {
            notify(
                .info, "'\(upstream)' is asked again in \((wait.milliseconds + 999) / 1_000) s",
                failure.message)
        }
    }

    /// Whoever comes first is not asked at all, since it may not be now.
    func passesOver(_ first: Candidate, for upstream: String) {
        var why: String?
        if case .blocked(_, let failure, _) = first.upstream.availability(
            of: first.model, tokens: 0, for: nil)
        {
            why = failure.message
        }
        notify(.warning, "'\(upstream)' is asked in place of '\(first.upstream.name)'", why)
    }

    /// Milliseconds of a wait that people want to know of.
    private static let longWait = 2_000

    /// What made a cut, for people.
    private static func cause(of rule: Receipt.Rule) -> String {
        switch rule {
        case .fits, .anchor: "that was so before"
        case .maxTokens: "the window's limit of tokens is reached"
        case .maxTurns: "the window's limit of turns is reached"
        case .maxMessages: "the window's limit of messages is reached"
        case .maxBytes: "the provider takes no more bytes"
        case .overflow: "the provider refused more"
        case .cold: "the provider reads all of it anew after the pause anyway"
        case .summary: "a summary of them goes in their place"
        }
    }

    /// What of a window is new to those who watch.
    func cut(_ news: [WindowNews], _ noticed: Noticed) {
        for one in news {
            switch one {
            case .cut(_, _, let once?) where !noticed.isNew("cut \(once)", of: row): continue
            case .cut(let count, let rule, _):
                notify(
                    .info,
                    (count == 1 ? "1 message is left out" : "\(count) messages are left out")
                        + (rule == .overflow ? "" : " from here on"),
                    TurnTelling.cause(of: rule) + "; they stay stored")
            case .refused(let count):
                notify(
                    .warning,
                    count == 1
                        ? "1 thought is not sent again"
                        : count == 0 ? "seals are not sent again" : "\(count) thoughts are not sent again",
                    "their provider refused them")
            case .thoughts(let count, let reason, let isLost, let upstream):
                let isNew = noticed.isNew("thoughts \(reason.rawValue) \(upstream)", of: row)
                guard isNew || isLost else { continue }
                notify(
                    .info,
                    count == 1 ? "1 thought is not sent again" : "\(count) thoughts are not sent again",
                    TurnTelling.words(reason))
            }
        }
    }

    /// Why thoughts stay out.
    private static func words(_ reason: Receipt.Thoughts.Reason) -> String {
        switch reason {
        case .foreign: "another provider made them"
        case .changed: "what stands before them is not as it was, and their provider would refuse them"
        case .full: "there is no room for them beside what is said"
        case .both:
            "of some another provider made them, what stands before others is not as it was, or there is no room"
        }
    }

    private func notify(_ severity: Wire.Notice.Severity, _ title: String, _ description: String?) {
        channels.notify(Wire.Notice(severity, title, description), of: session, on: row)
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
