package import Conversation
package import Protocol

extension SessionLine {
    /// What happened.
    package enum Event: Sendable, Equatable {
        /// A prompt comes in.
        case arrived(Ticket)
        /// What limits say about one that came in: why a quota is against it, and the milliseconds that its user has to wait.
        case judged(TurnID, refusal: WireError?, wait: Int, isCrowded: Bool = false)
        /// Whether one that is to be refused was asked for before.
        case recognized(TurnID, isKnown: Bool)
        /// The write that puts it into the queue is answered.
        case enqueued(TurnID, Stored)
        /// What was found about the queue's first turn.
        case examined(TurnID, Examined)
        /// Its upstream and window are there, or the reason why not.
        case prepared(TurnID, WireError?)
        /// The write that begins it is answered.
        case begun(TurnID, Stored)
        /// Its end could not be stored yet.
        case delayed(TurnID, WireError)
        /// Its end is stored, or never will be; how it ended.
        case ended(TurnID, Answer)
        /// Somebody wants no more of something.
        case cancelled(Cancellation)
        /// Other words for a prompt that waits are on their way to the archive.
        case editBegan(TurnID)
        /// They are there, in so many bytes, or are not.
        case edited(TurnID, bytes: Int?, hash: [UInt8]?)
        /// The session's path is about to change.
        case pathChangeBegan
        /// The change is stored, or will not be.
        case pathChangeEnded
        /// Turns that waited when the daemon ended last, in their order.
        case takenUp([Ticket])
        /// It is time to look at the queue again.
        case timerDue
        /// A limit was raised.
        case limitRaised
        /// The daemon begins no more turns.
        case draining
        /// The daemon waits no more for those that run.
        case cut
    }

    /// How a write that brings a turn into the archive was answered.
    package enum Stored: Sendable, Equatable {
        /// It is stored.
        case accepted
        /// Other messages came before it; nothing is stored.
        case moved
        /// It is another turn that was sent again.
        case known(TurnID)
        /// Why it is not stored.
        case refused(WireError)
    }

    /// What a look at the queue's first turn found.
    package enum Examined: Sendable, Equatable {
        /// Nothing is against it.
        case free
        /// A limit is against it; `wait` is the milliseconds until it may not be.
        case held(Reason, wait: Int?)
        /// Nothing could be read; it is tried again after so many milliseconds.
        case unreadable(wait: Int)
        /// It will never begin.
        case impossible(WireError)
    }

    /// A limit that is against a turn.
    package enum Reason: Sendable, Equatable {
        /// A quota, in words.
        case quota(String)
        /// The user's prompts per minute.
        case pace
        /// As many prompts are being answered as may be.
        case room
    }

    /// Who wants no more of what.
    package enum Cancellation: Sendable, Equatable {
        /// A request was taken back: the turn that it waits for ends.
        case request(UInt64)
        /// A turn by its ID; `by` is told where it ended.
        case turn(TurnID, by: Asker)
        /// A client ends what runs, and what it has waiting.
        case session(client: Int)
        /// A client leaves the session: what it alone waits for ends.
        case leave(client: Int)
        /// The connection of a client is closed: of what it alone waits for, that ends which was to end with it.
        case gone(client: Int)
        /// All there is, as before the session goes to the trash.
        case all
    }

    /// What its askers are told about a turn.
    package enum Answer: Sendable, Equatable {
        /// Nothing of it is stored, and why.
        case refused(WireError)
        /// It waits in the archive for the daemon's next start.
        case stopped
        /// Its end could not be stored, or not yet.
        case notStored(WireError)
        /// It ran, and ended as its driver knows.
        case ran
        /// It never began.
        case cancelled
        /// It never began, since this was against it.
        case failed(WireError)
        /// It is a turn that ended before, sent again.
        case known
    }

    /// How a turn that never begins ends.
    package enum Departure: Sendable, Equatable {
        /// Somebody wanted no more of it.
        case cancelled
        /// It cannot begin.
        case failed(WireError)
    }

    /// What clients of the session are told about a turn that waits.
    package enum News: Sendable, Equatable {
        /// Its place in the queue, 1 for the first.
        case queued(position: Int)
        /// Others came before it, or went.
        case moved(position: Int)
        /// A quota is used up, in words.
        case paused(String)
        /// It waits so long for its user's prompts per minute.
        case throttled(milliseconds: Int)
        /// It waits until others are answered.
        case crowded
    }

    /// What the driver must do.
    package enum Effect: Sendable, Equatable {
        /// Find out what limits say about it.
        case judge(TurnID)
        /// Find out whether it was asked for before.
        case recognize(TurnID)
        /// Store it as one that waits.
        case enqueue(TurnID)
        /// Find out whether it waits in the archive still, and what limits say about it.
        case examine(TurnID)
        /// Find its upstream and make its window, if it is done `isAgain` from the session as it is now.
        case prepare(TurnID, isAgain: Bool)
        /// Nobody needs what is being prepared.
        case abandon(TurnID)
        /// Store it as running.
        case begin(TurnID)
        /// It is stored: call its upstream.
        case run(TurnID)
        /// End the turn at the front, whose write is out or which runs, as cancelled.
        case cancel(TurnID)
        /// The same since the daemon ends.
        case shutDown(TurnID)
        /// Store the end of a turn that never began, again and again until it is.
        case end(TurnID, Departure)
        /// Answer the requests that wait for the turn, each once.
        case answer([Asker], TurnID, Answer)
        /// It came in and waits for another one's end, of which it is a repeat.
        case joined(TurnID)
        /// Tell the session's clients.
        case tell(TurnID, News)
        /// Look at the queue later, in place of a time that was given before.
        case startTimer(milliseconds: Int)
        /// The line has forgotten it.
        case drop(TurnID)
    }

    /// Moves on by one event and returns what the driver must do, in order.
    package mutating func handle(_ event: Event) -> [Effect] {
        switch event {
        case .arrived(let ticket): arrived(ticket)
        case .judged(let id, let refusal, let wait, let isCrowded): judged(id, refusal, wait, isCrowded)
        case .recognized(let id, let isKnown): recognized(id, isKnown)
        case .enqueued(let id, let outcome): enqueued(id, outcome)
        case .examined(let id, let found): examined(id, found)
        case .prepared(let id, let problem): prepared(id, problem)
        case .begun(let id, let outcome): begun(id, outcome)
        case .delayed(let id, let error): delayed(id, error)
        case .ended(let id, let ending): ended(id, ending)
        case .cancelled(let cancellation): cancel(cancellation)
        case .editBegan(let id): editBegan(id)
        case .edited(let id, let bytes, let hash): edited(id, bytes, hash)
        case .pathChangeBegan: changePath(by: 1)
        case .pathChangeEnded: changePath(by: -1)
        case .takenUp(let tickets): takenUp(tickets)
        case .timerDue: advance()
        case .limitRaised: limitRaised()
        case .draining: drain()
        case .cut:
            front.map { $0.stage == .running || $0.stage == .storing ? [.shutDown($0.ticket.id)] : [] } ?? []
        }
    }
}
