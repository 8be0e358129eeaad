/// A running turn as a state machine: events go in, effects come out in the order they must be done.
///
/// A chunk is published only after its piece is stored, an ending is announced only after it is stored, and nothing
/// happens after `done`.
package struct Turn: Sendable {
    /// Where the turn stands.
    package enum State: Sendable, Equatable {
        /// The prompt's write is out.
        case storing
        /// The request is out and nothing came back yet.
        case waiting
        /// An attempt failed and the next one waits for its time.
        case backingOff
        /// Pieces are coming in.
        case streaming
        /// The answer was cut and is to be made anew; the write that puts the partial one aside is out.
        case settingAside(Wait)
        /// The answer is whole or cut; the write of the ending is out.
        case ending
        /// Nothing more will happen.
        case done
    }

    /// What happened.
    package enum Event: Sendable, Equatable {
        /// The prompt is a message now, on disk.
        case stored
        /// The upstream gave pieces of the answer.
        case pieces([Piece])
        /// This many pieces, counted from the first of the turn, are stored by now.
        case piecesStored(Int)
        /// The upstream finished by itself.
        case finished(Finish)
        /// The upstream's call came to nothing; `wait` is what to wait before the next try, nil for none.
        ///
        /// A wait after visible text begins the answer anew.
        case callFailed(TurnError, wait: Wait?)
        /// The partial answer is a message of its own now, off the path.
        case setAside
        /// The time to try again has come.
        case retryDue
        /// Someone wants no more of it.
        case cancel
        /// The daemon goes down and does not wait for the answer.
        case shutDown
        /// The ending is on disk.
        case endingStored
    }

    /// How long to wait before the next try, and with whom.
    package struct Wait: Sendable, Equatable {
        package let milliseconds: Int
        /// The name of who is asked next.
        package let upstream: String
        package init(milliseconds: Int, upstream: String) {
            self.milliseconds = milliseconds
            self.upstream = upstream
        }
    }

    /// How an upstream says that its answer is whole.
    package struct Finish: Sendable, Equatable {
        /// Neutral words: `stop`, `length`, `tool_calls`, `content_filter`, or the provider's own.
        package var reason: String
        /// Nil where the provider counted nothing.
        package var usage: Usage?
        /// Why, in the provider's words: the category of a refusal, or an unusual reason; nil when there is none.
        package var detail: String?
        /// Further answers to the same prompt, each as raw JSON parts.
        package var alternatives: [[UInt8]]
        /// Whether it was given before and comes out of the cache.
        package var isCached: Bool
        /// The provider's ID of the answer; nil where it gave none, or nobody needs it.
        package var responseID: String?
        /// Why the provider's cache had less of the request than it might have, in its words; nil where it did not say.
        package var cacheMiss: String?
        /// What the provider did to the request before the model read it.
        package var transformations: [Transformation] = []
        package init(
            reason: String, usage: Usage? = nil, detail: String? = nil, alternatives: [[UInt8]] = [],
            isCached: Bool = false
        ) {
            self.reason = reason
            self.usage = usage
            self.detail = detail
            self.alternatives = alternatives
            self.isCached = isCached
        }
    }

    /// Something that a provider did to a request, such as leaving out a thought that the model cannot read, in its words.
    package struct Transformation: Sendable, Equatable {
        package let type: String
        package let reason: String
        /// To how many parts of the request.
        package var count = 1

        package init(type: String, reason: String) {
            self.type = type
            self.reason = reason
        }
    }

    /// How the turn ended.
    package struct Ending: Sendable, Equatable {
        /// One of those in which a turn is over.
        package var state: TurnRecord.State
        /// Nil when it failed or was cut.
        package var stopReason: StopReason?
        /// What the provider said, as in `Finish.reason`; nil where the answer is not whole.
        package var finish: String?
        /// Nil when nothing failed.
        package var error: TurnError?
        /// Nil where the provider counted nothing.
        package var usage: Usage?
        /// Why, in the provider's words; see `Finish.detail`.
        package var detail: String?
        /// Further answers, each as raw JSON parts; they become branches.
        package var alternatives: [[UInt8]]
        /// Whether the answer was given before and comes out of the cache.
        package var isCached: Bool
        /// Whether the prompt leaves the path again, for a branch beside it: nobody saw any text of the answer.
        package var isPromptWithdrawn: Bool

        package init(
            state: TurnRecord.State, stopReason: StopReason? = nil, finish: String? = nil,
            error: TurnError? = nil,
            usage: Usage? = nil, detail: String? = nil, alternatives: [[UInt8]] = [], isCached: Bool = false,
            isPromptWithdrawn: Bool
        ) {
            self.state = state
            self.stopReason = stopReason
            self.finish = finish
            self.error = error
            self.usage = usage
            self.detail = detail
            self.alternatives = alternatives
            self.isCached = isCached
            self.isPromptWithdrawn = isPromptWithdrawn
        }
    }

    /// What the driver must do.
    package enum Effect: Sendable, Equatable {
        /// Tell the subscribers where the turn stands.
        case announce(State)
        /// Build the window and call the upstream.
        case call
        /// Break off the running call.
        case abortCall
        /// Say `retryDue` after this time.
        case startTimer(milliseconds: Int)
        /// Say it no more; there may be no timer.
        case stopTimer
        /// Store these pieces; their count goes on from those before.
        case store([Piece])
        /// Store this partial answer beside the path, as failed; the next try answers under a new message ID.
        case setAside(Answer)
        /// Send these pieces to the subscribers, the first of them at this offset.
        case publish([Piece], offset: Int)
        /// Store the answer's message and the turn's end.
        case end(Ending)
        /// Answer the prompt and take up the next one in the queue.
        case answer(Ending)
    }

    /// Changed by `handle` alone.
    package private(set) var state = State.storing
    /// What has come in so far.
    package private(set) var answer: Answer

    /// Who makes the thoughts of the next try.
    package mutating func setIssuer(_ name: String) { answer.issuer = name }

    private var unpublished: [Piece] = []
    private var publishedLength = 0
    private var publishedCount = 0
    private var publishedParts = 0
    private var ending: Ending?
    /// Whether it was cancelled while a write was out, and ends when that is acknowledged.
    package private(set) var isCancelWanted = false
    private var isShutDownWanted = false

    /// Begins a turn whose prompt is being stored.
    ///
    /// `issuer` names who will make its thoughts.
    package init(issuer: String? = nil) { answer = Answer(issuer: issuer) }

    /// How many UTF-8 bytes the subscribers have been sent.
    package var publishedOffset: Int { publishedLength }

    /// The answer as far as the subscribers have been sent it.
    package var published: Answer { answer.first(publishedLength, parts: publishedParts) }

    /// What was announced behind a byte offset, and no more than about `most` bytes of it.
    package func published(after offset: Int, most: Int) -> (offset: Int, pieces: [Piece], isAll: Bool) {
        Answer.rest(
            of: answer.pieces, after: min(offset, publishedLength), until: publishedLength,
            parts: publishedParts, most: most)
    }

    /// Moves on by one event and returns what the driver must do, in order.
    package mutating func handle(_ event: Event) -> [Effect] {
        switch (state, event) {
        case (.done, _): return []
        case (.storing, .stored):
            if isCancelWanted { return end(cancelled) }
            state = .waiting
            return [.announce(.waiting), .call]
        case (.storing, .cancel):
            isCancelWanted = true
            return []
        case (.waiting, .pieces(let all)), (.streaming, .pieces(let all)):
            // An opening without text is no reason not to try again.
            let pieces = all.filter { !$0.bytes.isEmpty }
            if pieces.isEmpty { return [] }
            state = .streaming
            for piece in pieces { answer.append(piece) }
            unpublished += pieces
            return [.store(pieces)]
        case (.waiting, .finished(let finish)), (.streaming, .finished(let finish)):
            return end(Ending.finished(finish))
        case (.waiting, .callFailed(_, let wait?)) where answer.isEmpty: return backOff(wait)
        case (.streaming, .callFailed(_, let wait?)):
            state = .settingAside(wait)
            return [.setAside(answer)]
        case (.settingAside(let wait), .setAside): return beginAnew(wait)
        case (.settingAside, .cancel):
            isCancelWanted = true
            return []
        case (.settingAside, .shutDown):
            isShutDownWanted = true
            return []
        case (.waiting, .callFailed(let error, _)), (.streaming, .callFailed(let error, _)):
            return end(.failed(error, isInterrupted: !answer.isEmpty))
        case (.backingOff, .retryDue):
            state = .waiting
            return [.announce(.waiting), .call]
        // What waits for its try is in somebody's line.
        case (.backingOff, .cancel): return [.abortCall, .stopTimer] + end(cancelled)
        case (.waiting, .cancel), (.streaming, .cancel): return [.abortCall] + end(cancelled)
        case (.waiting, .shutDown), (.streaming, .shutDown), (.backingOff, .shutDown), (.storing, .shutDown):
            return [.abortCall, .stopTimer] + end(.shutDown())
        case (_, .piecesStored(let count)): return publish(upTo: count)
        case (.ending, .endingStored):
            state = .done
            return ending.map { [.answer($0)] } ?? []
        default: return []  // an event that came too late, as after a cancel
        }
    }

    private mutating func backOff(_ wait: Wait) -> [Effect] {
        state = .backingOff
        return [.announce(.backingOff), .startTimer(milliseconds: wait.milliseconds)]
    }

    /// Every piece of the partial answer was announced before its write was acknowledged.
    private mutating func beginAnew(_ wait: Wait) -> [Effect] {
        answer = Answer(issuer: answer.issuer)
        unpublished = []
        publishedLength = 0
        publishedParts = 0
        if isShutDownWanted { return end(.shutDown()) }
        if isCancelWanted { return end(cancelled) }
        return backOff(wait)
    }

    private mutating func publish(upTo count: Int) -> [Effect] {
        let ready = min(count - publishedCount, unpublished.count)
        guard ready > 0 else { return [] }
        let pieces = Array(unpublished.prefix(ready)), offset = publishedLength
        unpublished.removeFirst(ready)
        publishedCount += ready
        publishedParts += pieces.count { $0.kind == .part }
        publishedLength += pieces.reduce(0) { $0 + $1.length }
        return [.publish(pieces, offset: offset)]
    }

    private var cancelled: Ending {
        Ending(
            state: .cancelled, stopReason: .cancelled,
            isPromptWithdrawn: !answer.hasVisibleText && !answer.hasParts)
    }

    private mutating func end(_ ending: Ending) -> [Effect] {
        state = .ending
        self.ending = ending
        return [.end(ending)]
    }
}

extension Turn.Ending {
    fileprivate static func shutDown() -> Self {
        let error = TurnError(
            kind: "interrupted", message: "the daemon was stopped before the answer was whole")
        return failed(error, isInterrupted: true)
    }

    fileprivate static func finished(_ finish: Turn.Finish) -> Self {
        let stop: StopReason =
            switch finish.reason {
            case "length": .maxTokens
            case "content_filter": .refusal
            default: .endTurn
            }
        return Self(
            state: .complete, stopReason: stop, finish: finish.reason, usage: finish.usage,
            detail: finish.detail, alternatives: finish.alternatives, isCached: finish.isCached,
            isPromptWithdrawn: false)
    }

    /// An answer that was cut is kept, whatever cut it, and can be gone on with.
    fileprivate static func failed(_ error: TurnError, isInterrupted: Bool) -> Self {
        Self(
            state: isInterrupted ? .interrupted : .failed, error: error, isPromptWithdrawn: !isInterrupted)
    }
}
