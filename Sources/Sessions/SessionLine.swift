package import Conversation
package import Protocol

/// The turns of one session as a state machine: one at the front, which runs or is about to, and the others behind it.
///
/// Events go in, effects come out in the order in which they must be done; what an effect finds out comes back as an
/// event. Words, windows and records are the driver's, by the turn's ID.
///
/// - Invariant: each asker is answered exactly once, no turn begins after it was cancelled, and the next one begins only
///   after the end of the one before is stored.
package struct SessionLine: Sendable {
    /// How far the turn at the front has come.
    package enum Stage: Sendable, Equatable {
        /// Its upstream and its window are being found.
        case preparing
        /// The write that begins it is out.
        case storing
        /// It is stored and its upstream is called.
        case running
        /// It cannot begin; the write of its end is out.
        case ending
    }

    /// The turn that uses the session.
    package struct Front: Sendable, Equatable {
        package internal(set) var ticket: Ticket
        package internal(set) var stage: Stage
    }

    /// What the line may hold, and how long it lets a user wait.
    package struct Limits: Sendable, Equatable {
        /// Turns that may wait.
        package var tickets: Int
        /// Bytes of their prompts.
        package var bytes: Int
        /// Milliseconds that a prompt waits at most for the user's prompts per minute; who must wait longer is refused.
        package var patience: Int

        package init(tickets: Int, bytes: Int, patience: Int) {
            self.tickets = tickets
            self.bytes = bytes
            self.patience = patience
        }
    }

    /// A limit that the queue waits for.
    enum Hold: Sendable, Equatable {
        /// The user's prompts per minute.
        case throttled
        /// As many prompts are being answered as may be.
        case crowded
        /// A quota; raising it, or the next day, goes on.
        case paused
    }

    /// A look at the queue's first turn that is out.
    struct Examination: Sendable, Equatable {
        let id: TurnID
        let version: Int
        /// Whether a limit was raised since it went out.
        var isOld = false
    }

    package let session: SessionID
    package let owner: UserID
    /// Holds for what comes in; turns that wait already stay, whatever it becomes.
    package var limits: Limits

    /// The turn that uses the session now; nil when none does.
    package internal(set) var front: Front?
    /// Turns that came in and wait for a look: whether a limit lets them, or they were asked for before.
    package internal(set) var arriving: [Ticket] = []
    /// Turns that wait for the front, the next one first.
    package internal(set) var queue: [Ticket] = []
    /// Turns that never begin, whose end is on its way to the archive.
    package internal(set) var departing: [Ticket] = []
    /// Changes of the session's path that are on their way to the archive.
    var pathChanges = 0
    var examination: Examination?
    var hold: Hold?
    var isDraining = false

    package init(session: SessionID, owner: UserID, limits: Limits) {
        self.session = session
        self.owner = owner
        self.limits = limits
    }

    // MARK: What others may know

    /// Whether a turn is at the front or waits.
    package var hasTurns: Bool { front != nil || !queue.isEmpty }
    var isBusy: Bool { hasTurns || pathChanges > 0 }
    /// Whether the path may not change otherwise: something uses it, or is about to.
    package var isTaken: Bool { isBusy || !arriving.isEmpty }
    /// Whether there is nothing to remember of it.
    package var isForgotten: Bool { !isTaken && departing.isEmpty && examination == nil }
    /// Whether something of it must be in the archive before the daemon ends.
    package var isWriting: Bool { front.map { $0.stage != .preparing } ?? false || !departing.isEmpty }
    /// The turn that runs and is stored.
    package var running: TurnID? { front?.stage == .running ? front?.ticket.id : nil }

    /// The turn of this ID, wherever it stands.
    package func ticket(_ id: TurnID) -> Ticket? {
        if let ticket = front?.ticket, ticket.id == id { return ticket }
        let all = [queue, departing, arriving]
        for tickets in all { if let known = tickets.first(where: { $0.id == id }) { return known } }
        return nil
    }

    /// Whether a turn waits in the queue.
    package func hasQueued(_ id: TurnID) -> Bool { queue.contains { $0.id == id } }

    // MARK: The front

    /// Brings the queue's first turn to the front when nothing is there and nothing speaks against it.
    mutating func advance() -> [Effect] {
        guard front == nil, pathChanges == 0, !isDraining, let first = queue.first, first.isReady else {
            return []
        }
        if first.storage == .absent { return prepareFirst() }
        if examination != nil { return [] }
        examination = Examination(id: first.id, version: first.version)
        return [.examine(first.id)]
    }

    private mutating func prepareFirst() -> [Effect] {
        let ticket = queue.removeFirst()
        front = Front(ticket: ticket, stage: .preparing)
        return [.prepare(ticket.id, isAgain: false)] + renumber()
    }

    /// Tells those that wait how many come before each, where that is not what they were told.
    mutating func renumber() -> [Effect] {
        var out: [Effect] = []
        for index in queue.indices where queue[index].storage == .queued && queue[index].position != index + 1
        {
            queue[index].position = index + 1
            out.append(.tell(queue[index].id, .moved(position: index + 1)))
        }
        return out
    }

    /// What a look at the queue's first turn found.
    mutating func examined(_ id: TurnID, _ found: Examined) -> [Effect] {
        guard let examination, examination.id == id else { return [] }
        self.examination = nil
        guard let first = queue.first, first.id == id, first.isReady, first.version == examination.version,
            !examination.isOld, front == nil, pathChanges == 0, !isDraining
        else { return advance() }
        switch found {
        case .free:
            hold = nil
            return prepareFirst()
        case .held(let reason, let wait): return hold(first.id, reason, wait)
        case .unreadable(let wait): return [.startTimer(milliseconds: wait)]
        case .impossible(let error):
            front = Front(ticket: queue.removeFirst(), stage: .ending)
            return [.end(id, .failed(error))] + renumber()
        }
    }

    private mutating func hold(_ id: TurnID, _ reason: Reason, _ wait: Int?) -> [Effect] {
        let before = hold
        var out: [Effect] = []
        switch reason {
        case .quota(let words):
            hold = .paused
            if before != hold { out.append(.tell(id, .paused(words))) }
        case .pace:
            hold = .throttled
            if before != hold { out.append(.tell(id, .throttled(milliseconds: wait ?? 0))) }
        case .room:
            hold = .crowded
            if before != hold { out.append(.tell(id, .crowded)) }
        }
        if let wait { out.append(.startTimer(milliseconds: wait)) }
        return out
    }

    /// The front's upstream and window are there, or cannot be.
    mutating func prepared(_ id: TurnID, _ problem: WireError?) -> [Effect] {
        guard let front, front.ticket.id == id, front.stage == .preparing else { return [] }
        guard let problem else {
            self.front?.stage = .storing
            return [.begin(id)]
        }
        return cannotBegin(problem)
    }

    /// The front does not begin: what is not in the archive is refused, what is gets an end there.
    private mutating func cannotBegin(_ error: WireError) -> [Effect] {
        guard let ticket = front?.ticket else { return [] }
        if ticket.storage == .absent {
            front = nil
            return refuse(ticket, error) + advance()
        }
        front?.stage = .ending
        return [.end(ticket.id, .failed(error))]
    }

    /// The write that begins the front is answered.
    mutating func begun(_ id: TurnID, _ outcome: Stored) -> [Effect] {
        guard let front, front.ticket.id == id, front.stage == .storing else { return [] }
        switch outcome {
        case .accepted:
            self.front?.stage = .running
            self.front?.ticket.storage = .queued
            return [.run(id)]
        case .moved: return moved(front.ticket)
        case .known(let other):
            self.front = nil
            return hand(front.ticket.askers, of: id, over: other) + [.drop(id)] + advance()
        case .refused(let error): return cannotBegin(error)
        }
    }

    /// Messages came between the window and the turn: it is prepared anew, with them in its window.
    private mutating func moved(_ ticket: Ticket) -> [Effect] {
        var ticket = ticket
        if ticket.storage == .absent {
            if let reason = reasonAgainstAgain(ticket) {
                front = nil
                return refuse(ticket, reason) + advance()
            }
            front?.stage = .preparing
            return [.prepare(ticket.id, isAgain: true)]
        }
        front = nil
        if ticket.isCancelled { return depart(ticket) + advance() }
        guard isDraining else {
            queue.insert(ticket, at: 0)
            return advance()
        }
        let answers = SessionLine.answer(&ticket, .stopped)
        queue.insert(ticket, at: 0)
        return answers
    }

    private func reasonAgainstAgain(_ ticket: Ticket) -> WireError? {
        if ticket.isCancelled { return .cancelledUnstored }
        if isDraining { return .stopping }
        // What goes on from further back named a path that is not there any more.
        return ticket.branches
            ? WireError(.conflict, "the session's path has changed meanwhile; look at it, then ask again")
            : nil
    }

    /// The end of the turn that ran is stored, or of one that was at the front and never began, or had to leave.
    mutating func ended(_ id: TurnID, _ ending: Answer) -> [Effect] {
        if var ticket = front?.ticket, ticket.id == id, front?.stage == .running || front?.stage == .ending {
            front = nil
            return SessionLine.answer(&ticket, ending) + [.drop(id)] + advance()
        }
        guard let index = departing.firstIndex(where: { $0.id == id }) else { return [] }
        var ticket = departing.remove(at: index)
        return SessionLine.answer(&ticket, ending) + [.drop(id)]
    }

    /// The end of a turn could not be stored yet: nobody waits for a full disk.
    mutating func delayed(_ id: TurnID, _ error: WireError) -> [Effect] {
        change(id) { SessionLine.answer(&$0, .notStored(error)) } ?? []
    }

    // MARK: Tickets

    /// Changes a ticket wherever it stands; nil when there is none of this ID.
    @discardableResult
    mutating func change<Value>(_ id: TurnID, _ body: (inout Ticket) -> Value) -> Value? {
        if front?.ticket.id == id, var front {
            defer { self.front = front }
            return body(&front.ticket)
        }
        for path in [\SessionLine.queue, \.departing, \.arriving] {
            if let index = self[keyPath: path].firstIndex(where: { $0.id == id }) {
                return body(&self[keyPath: path][index])
            }
        }
        return nil
    }

    /// Answers all that wait for a turn.
    static func answer(_ ticket: inout Ticket, _ answer: Answer) -> [Effect] {
        let askers = ticket.takeAskers()
        return askers.isEmpty ? [] : [.answer(askers, ticket.id, answer)]
    }

    /// Answers a turn of which nothing is stored.
    func refuse(_ ticket: Ticket, _ error: WireError) -> [Effect] {
        var ticket = ticket
        return SessionLine.answer(&ticket, .refused(error)) + [.drop(ticket.id)]
    }

    /// Who asked for a turn that is another one sent again waits for that one, or is told how it ended.
    mutating func hand(_ askers: [Asker], of id: TurnID, over other: TurnID) -> [Effect] {
        if askers.isEmpty { return [] }
        guard change(other, { $0.askers += askers }) != nil else { return [.answer(askers, id, .known)] }
        // Those who wait for the next start were told so already.
        guard isDraining, let index = queue.firstIndex(where: { $0.id == other && $0.storage == .queued })
        else { return [] }
        return SessionLine.answer(&queue[index], .stopped)
    }

    /// A turn in the archive's queue is cancelled before it began.
    mutating func depart(_ ticket: Ticket) -> [Effect] {
        departing.append(ticket)
        return [.end(ticket.id, .cancelled)]
    }

    /// Why a session's path may not change now.
    package static func pathIsTaken(_ session: SessionID) -> WireError {
        WireError(
            .busy,
            "a turn is running on session '\(session.text)', and the path may not change under it; wait for its end, or cancel it"
        )
    }
}

extension WireError {
    /// What a prompt that was cancelled before it was stored is told.
    package static let cancelledUnstored = WireError(
        .cancelled, "the prompt was cancelled before it was stored")

    /// What a prompt is told that the daemon takes no more.
    package static let stopping = WireError(.shuttingDown, "the daemon is stopping; try again in a moment")
}
