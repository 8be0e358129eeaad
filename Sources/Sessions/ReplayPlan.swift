package import Archive
package import Conversation
package import Protocol

/// What of a session's history a client gets before it joins what is live, step by step.
///
/// The message is the log: a client that opens a session and a client that fell behind both catch up by reading it. Live
/// updates are held back meanwhile. What a look found is only good for joining when nothing was stored on the session since
/// it was asked; else it is asked again from where the client stands. Joining is one step: nothing is missed, nothing comes
/// twice.
///
/// - Invariant: after `end` there is no effect; until then each event but the last is followed by a look, a pause or `end`.
package struct ReplayPlan {
    /// A place inside a message, in UTF-8 bytes.
    package typealias Place = (id: MessageID, offset: Int)

    /// What the client wants of what was.
    package enum Start: Sendable {
        /// All messages of the active path.
        case everything
        /// Only the newest messages, rounded to whole turns.
        case newest(Int)
        /// What follows a place on the active path.
        case after(MessageID, offset: Int)
        /// Nothing: only what comes from now on.
        case live
    }

    /// What is so outside at an event.
    package struct Surroundings {
        /// How often something was stored on the session since the client joined.
        package var version: Int
        /// The first messages of which pieces were held back, and where.
        package var missed: [Place]
        /// The turn that runs and is stored.
        package var running: Running?

        /// An answer that is coming in.
        package struct Running {
            /// The message that the answer will be.
            package var answer: MessageID
            /// UTF-8 bytes of it that everyone was told of.
            package var published: Int
            /// Whether it was replayed as a message already.
            package var isReplayed: Bool

            package init(answer: MessageID, published: Int, isReplayed: Bool) {
                self.answer = answer
                self.published = published
                self.isReplayed = isReplayed
            }
        }

        package init(version: Int, missed: [Place], running: Running?) {
            self.version = version
            self.missed = missed
            self.running = running
        }
    }

    /// What happened.
    package enum Event {
        /// It is this one's turn, and live updates are held back.
        case begun
        /// The session as it is; nil where it is gone.
        case session(SessionRecord?)
        /// The seqs of those messages that are on the path.
        case places([MessageID: Int])
        /// Where the newest messages begin; nil where there are none.
        case newest(Int?)
        /// Messages from the seq on that was asked for.
        case page([Message])
        /// What an opened session is told.
        case opening(Opening.Output)
        /// What was sent is taken, or may wait with others: it is read on at once.
        case paced
        /// Time has passed, since others had their turn or the client had to read.
        case resumed
        /// Of the running answer so much is sent.
        case sentLive(to: Int, isAll: Bool)
        /// The client wants no more of it, has left, or nothing can be read.
        case failed(WireError)
    }

    /// What is to be done.
    package enum Effect {
        /// Find the session as it is now.
        case readSession
        /// Find where messages are on the path of a session.
        case findPlaces([MessageID], SessionRecord)
        /// Find where the newest so many messages begin.
        case findNewest(Int, SessionRecord)
        /// Read messages from a seq on.
        case readPage(from: Int, SessionRecord)
        /// Find what an opened session is told to begin with.
        case readOpening(SessionRecord)
        /// Pieces of a message are sent that begin at so many bytes of it; none of one that is the system's.
        case send(Message, [Piece], from: Int)
        /// The running answer is sent, from so many bytes on, as far as it was announced.
        case sendLive(MessageID, from: Int)
        /// Nothing of what was held back is on the path.
        case forgetMissed
        /// Say whether it may go on at once; behind the last page others need not have their turn.
        case pace(isLast: Bool)
        /// Wait until the client has read.
        case waitForClient
        /// It is over: the client has joined, or gets this error.
        case end(WireError?)
    }

    private enum Step {
        case idle
        /// The session is read before it begins.
        case refreshing
        /// A place is looked for, by a version from before the session was read.
        case finding(MessageID, offset: Int, version: Int)
        case choosing
        case looking(version: Int)
        /// Whether what was sent is on the path that is active now.
        case checking(SessionRecord, version: Int)
        case reading(version: Int)
        case opening(version: Int)
        /// Whether what was held back is on the path.
        case missing([Place], version: Int)
        case sendingLive(MessageID)
        case pausing
        case over
    }

    /// The session as it was when it was looked at last.
    package private(set) var session: SessionRecord
    /// What the client is told at the end.
    package private(set) var opening = Opening.Output(headID: nil, last: nil)
    /// Where the client must cut what it holds.
    package private(set) var rewind: Place?
    /// Where the client stands by what was sent to it; nil while nothing was.
    package private(set) var sent: Place?

    private let start: Start
    private var step = Step.idle
    private var next = 1
    /// Where the client stands inside the message that it saw last.
    private var place: Place?
    /// The newest message that was sent whole.
    private var last: MessageID?
    /// Whether the running answer is left out, since nothing has come yet.
    private var skipsLive = false

    package init(_ session: SessionRecord, _ start: Start) {
        self.session = session
        self.start = start
    }

    /// Whether messages from before are sent, and not only what follows a place.
    package var tellsHistory: Bool {
        switch start {
        case .everything, .newest: true
        case .after, .live: false
        }
    }
    /// Whether its turn has come.
    package var hasBegun: Bool { if case .idle = step { false } else { true } }
    /// Whether nothing more will happen.
    package var isOver: Bool { if case .over = step { true } else { false } }
    private var count: Int { session.session.messageCount }
    private var joinsLive: Bool { if case .live = start { true } else { false } }

    /// Moves on by one event and returns what must be done, in order.
    package mutating func handle(_ event: Event, _ now: Surroundings) -> [Effect] {
        switch (step, event) {
        case (.over, _): return []
        case (_, .failed(let error)): return end(error)
        case (.idle, .begun): return begin(now)
        case (.refreshing, .session(let found)):
            session = found ?? session
            return choose(now)
        case (.finding(let id, let offset, let version), .session(let found)):
            session = found ?? session
            step = .finding(id, offset: offset, version: version)
            return [.findPlaces([id], session)]
        case (.finding(let id, let offset, let version), .places(let places)):
            return found(id, offset: offset, version, places, now)
        case (.choosing, .newest(let seq)):
            next = seq ?? count + 1
            return look(now)
        case (.looking(let version), .session(let found)):
            guard let found else { return end(.noSession(session.session.id)) }
            return check(found, version, now)
        case (.checking(let found, let version), .places(let places)):
            return checked(found, version, places, now)
        case (.reading(let version), .page(let messages)): return take(messages, version)
        case (.reading(let version), .paced): return read(version)
        case (.reading, .resumed), (.pausing, .resumed), (.sendingLive, .resumed): return look(now)
        case (.opening(let version), .opening(let found)): return join(found, version, now)
        case (.missing(let missed, let version), .places(let places)):
            return catchUp(missed, version, places, now)
        case (.sendingLive(let id), .sentLive(let end, let isAll)):
            place = (id, end)
            sent = place
            guard isAll else {
                step = .pausing
                return [.waitForClient]
            }
            return self.end(nil)
        default: return []
        }
    }

    private mutating func end(_ error: WireError?) -> [Effect] {
        step = .over
        return [.end(error)]
    }

    // MARK: Where it begins

    private mutating func begin(_ now: Surroundings) -> [Effect] {
        if case .after(let id, let offset) = start { return find(id, offset: offset, now) }
        step = .refreshing
        return [.readSession]
    }

    private mutating func choose(_ now: Surroundings) -> [Effect] {
        switch start {
        case .everything, .after: next = 1
        case .newest(let limit):
            step = .choosing
            return [.findNewest(limit, session)]
        case .live: skipToNow()
        }
        return look(now)
    }

    private mutating func skipToNow() {
        skipsLive = true
        place = nil
        next = count + 1
    }

    /// Looks for a place on the path as it is now: time may have passed.
    private mutating func find(_ id: MessageID, offset: Int, _ now: Surroundings) -> [Effect] {
        place = (id, offset)
        step = .finding(id, offset: offset, version: now.version)
        return [.readSession]
    }

    private mutating func found(
        _ id: MessageID, offset: Int, _ version: Int, _ places: [MessageID: Int], _ now: Surroundings
    ) -> [Effect] {
        if let seq = places[id] {
            next = seq
            return look(now)
        }
        if now.running?.answer == id {
            next = count + 1
            return look(now)
        }
        // It may have become a message just now.
        guard now.version == version else { return find(id, offset: offset, now) }
        return end(
            WireError(
                .conflict,
                "message '\(id)' is not on the session's active path; load the session without a cursor"))
    }

    // MARK: Reading on

    /// Reads on, if what was sent is on the session's path still.
    private mutating func look(_ now: Surroundings) -> [Effect] {
        step = .looking(version: now.version)
        return [.readSession]
    }

    /// Goes on where what was sent is on the path that is active now; a retry or a switch may have changed that.
    private mutating func check(_ found: SessionRecord, _ version: Int, _ now: Surroundings) -> [Effect] {
        if found.branch != session.branch {
            let ids = [place?.id, last].compactMap(\.self).filter { $0 != now.running?.answer }
            if !ids.isEmpty {
                step = .checking(found, version: version)
                return [.findPlaces(ids, found)]
            }
        }
        session = found
        return read(version)
    }

    private mutating func checked(
        _ found: SessionRecord, _ version: Int, _ places: [MessageID: Int], _ now: Surroundings
    ) -> [Effect] {
        let ids = [place?.id, last].compactMap(\.self).filter { $0 != now.running?.answer }
        if ids.allSatisfy({ places[$0] != nil }) {
            session = found
            return read(version)
        }
        guard now.version == version else { return look(now) }
        guard joinsLive else { return end(elsewhere) }
        // What came meanwhile has left the path, and now is later.
        session = found
        last = nil
        skipToNow()
        return look(now)
    }

    private var elsewhere: WireError {
        WireError(
            .conflict,
            "session '\(session.session.id.text)' went on on another branch while it was replayed; load it again"
        )
    }

    /// Reads a page of what the session had when `version` was asked for.
    private mutating func read(_ version: Int) -> [Effect] {
        guard !skipsLive, next <= count else {
            step = .opening(version: version)
            return [.readOpening(session)]
        }
        step = .reading(version: version)
        return [.readPage(from: next, session)]
    }

    private mutating func take(_ messages: [Message], _ version: Int) -> [Effect] {
        var effects: [Effect] = []
        for message in messages {
            last = message.id
            let (offset, pieces) = message.role == .system ? (0, []) : rest(of: message)
            effects.append(.send(message, pieces, from: offset))
        }
        next = (messages.last?.seq ?? count) + 1
        return effects + [.pace(isLast: next > count)]
    }

    /// What the client has not of a message.
    private mutating func rest(of message: Message) -> (Int, [Piece]) {
        let pieces = message.pieces, length = pieces.reduce(0) { $0 + $1.length }
        sent = (message.id, length)
        guard let wanted = place, wanted.id == message.id else { return (0, pieces) }
        place = nil
        if wanted.offset > length { rewind = (message.id, length) }
        let rest = Answer.rest(of: pieces, after: min(wanted.offset, length))
        return (rest.offset, rest.pieces)
    }

    // MARK: Joining

    /// Ends where nothing was stored since the session was looked at, else reads on.
    private mutating func join(_ found: Opening.Output, _ version: Int, _ now: Surroundings) -> [Effect] {
        guard now.version == version else { return look(now) }
        if skipsLive, !now.missed.isEmpty {
            step = .missing(now.missed, version: version)
            return [.findPlaces(now.missed.map(\.id), session)]
        }
        opening = found
        guard !skipsLive, let running = now.running, !running.isReplayed else { return end(nil) }
        let wanted = place?.id == running.answer ? place?.offset ?? 0 : 0
        if wanted > running.published { rewind = (running.answer, running.published) }
        step = .sendingLive(running.answer)
        return [.sendLive(running.answer, from: wanted)]
    }

    /// Something came while it was looked from where on all comes: the client gets that too, but for what has left the path.
    private mutating func catchUp(
        _ missed: [Place], _ version: Int, _ places: [MessageID: Int], _ now: Surroundings
    ) -> [Effect] {
        let live = now.running?.answer
        guard let first = missed.first(where: { places[$0.id] != nil || $0.id == live }) else {
            guard now.version == version else { return look(now) }
            step = .opening(version: version)
            return [.forgetMissed, .readOpening(session)]
        }
        skipsLive = false
        place = first
        next = places[first.id] ?? count + 1
        return look(now)
    }
}
