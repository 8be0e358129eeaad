internal import Conversation
internal import Protocol

/// How a prompt comes into the line.
extension SessionLine {
    mutating func arrived(_ ticket: Ticket) -> [Effect] {
        if isDraining { return refuse(ticket, .stopping) }
        if let joined = join(ticket) { return joined }
        arriving.append(ticket)
        return [.judge(ticket.id)]
    }

    /// Lets a repeated request whose turn runs or waits already wait for it too; nil for any other.
    private mutating func join(_ ticket: Ticket) -> [Effect]? {
        guard let key = ticket.key else { return nil }
        func isSame(_ other: Ticket) -> Bool { other.storage == .queued && other.key == key }
        if let running = front, running.stage == .running, isSame(running.ticket) {
            front?.ticket.askers += ticket.askers
        } else if let index = queue.firstIndex(where: isSame) {
            queue[index].askers += ticket.askers
        } else {
            return nil
        }
        return [.joined(ticket.id), .drop(ticket.id)]
    }

    /// Takes a turn out of those that wait for a look; nil when it was cancelled meanwhile.
    private mutating func takeArriving(_ id: TurnID) -> Ticket? {
        arriving.firstIndex { $0.id == id }.map { arriving.remove(at: $0) }
    }

    mutating func judged(_ id: TurnID, _ quota: WireError?, _ wait: Int, _ isCrowded: Bool) -> [Effect] {
        guard var ticket = takeArriving(id) else { return [] }
        if isDraining { return refuse(ticket, .stopping) }
        if let joined = join(ticket) { return joined + advance() }
        ticket.wait = wait
        ticket.isCrowded = isCrowded
        guard let refusal = quota ?? refusal(of: ticket) else { return accept(ticket) + advance() }
        guard let key = ticket.key else { return refuse(ticket, refusal) + advance() }
        // One that was asked for before is taken all the same, since it waits for nobody and changes no path.
        if has(key.name) { return accept(ticket) + advance() }
        ticket.refusal = refusal
        arriving.append(ticket)
        return [.recognize(id)]
    }

    mutating func recognized(_ id: TurnID, _ isKnown: Bool) -> [Effect] {
        guard var ticket = takeArriving(id) else { return [] }
        if isDraining { return refuse(ticket, .stopping) }
        if let joined = join(ticket) { return joined + advance() }
        if !isKnown, let refusal = ticket.refusal.take() { return refuse(ticket, refusal) + advance() }
        ticket.refusal = nil
        return accept(ticket) + advance()
    }

    /// Whether a request's turn is at the front or waits here.
    private func has(_ name: String) -> Bool {
        front?.ticket.key?.name == name || queue.contains { $0.key?.name == name }
    }

    /// Puts a turn into the queue; on an idle session it is the queue's only one, and is not stored before it begins.
    private mutating func accept(_ ticket: Ticket) -> [Effect] {
        var ticket = ticket
        guard isBusy || ticket.wait > 0 || ticket.isCrowded else {
            queue.append(ticket)
            return []
        }
        let bytes = queue.reduce(ticket.bytes) { $0 + $1.bytes }
        guard queue.count < limits.tickets, bytes <= limits.bytes else {
            return refuse(
                ticket,
                WireError(
                    .overloaded,
                    "\(queue.count) prompts wait on this session already, with this one \(bytes) bytes; \(limits.tickets) and \(limits.bytes) bytes are allowed; wait for some of them"
                ))
        }
        // One that interrupts goes ahead of all but those that do so too.
        let index = ticket.interrupts ? queue.prefix { $0.interrupts }.count : queue.count
        ticket.storage = .onItsWay
        ticket.position = index + 1
        queue.insert(ticket, at: index)
        return [.enqueue(ticket.id)]
    }

    mutating func enqueued(_ id: TurnID, _ outcome: Stored) -> [Effect] {
        switch outcome {
        case .accepted: return wasStored(id) + advance()
        case .known(let other):
            let askers = change(id) { $0.takeAskers() } ?? []
            return hand(askers, of: id, over: other) + forget(id) + advance() + renumber()
        case .refused(let error):
            return (change(id) { SessionLine.answer(&$0, .refused(error)) } ?? []) + forget(id) + advance()
                + renumber()
        case .moved: return advance()
        }
    }

    private mutating func wasStored(_ id: TurnID) -> [Effect] {
        guard
            let position = change(
                id,
                { ticket -> Int in
                    ticket.storage = .queued
                    return ticket.position
                })
        else { return [] }
        guard let index = queue.firstIndex(where: { $0.id == id }) else {
            // It was cancelled meanwhile, and its end is on its way.
            return [.tell(id, .queued(position: position))]
        }
        if queue[index].branches {
            // It repeated one that failed just now; what waits goes on from the head, and this may not.
            var ticket = queue.remove(at: index)
            return SessionLine.answer(&ticket, .refused(SessionLine.pathIsTaken(session))) + depart(ticket)
                + renumber()
        }
        let news: [Effect] = [.tell(id, .queued(position: position))] + renumber()
        if isDraining { return news + SessionLine.answer(&queue[index], .stopped) }
        return news + (queue[index].interrupts ? interrupt() : [])
    }

    /// Takes a turn that is not in the archive out of the queue; one that was cancelled meanwhile leaves when that is known.
    private mutating func forget(_ id: TurnID) -> [Effect] {
        guard let index = queue.firstIndex(where: { $0.id == id }) else { return [] }
        queue.remove(at: index)
        return [.drop(id)]
    }

    /// Why a turn that is not a repeated one is not taken; nil when it is.
    private func refusal(of ticket: Ticket) -> WireError? {
        if ticket.wait > limits.patience { return .tooFast(ticket.wait) }
        // What is queued goes on from the head; a turn that does not cannot wait.
        if let refusal = busyRefusal(ticket) { return refusal }
        guard ticket.branches else { return nil }
        return ticket.wait > 0 ? .tooFast(ticket.wait) : ticket.isCrowded ? .crowded : nil
    }

    /// Why a busy session does not take a turn; nil when it does.
    private func busyRefusal(_ ticket: Ticket) -> WireError? {
        guard isBusy else { return nil }
        if hasTurns, ticket.ifBusy == .reject {
            return WireError(
                .busy, "a turn is running on session '\(session.text)'; wait for its end")
        }
        return ticket.branches ? SessionLine.pathIsTaken(session) : nil
    }
}
