internal import Conversation
internal import Protocol

/// How turns leave the line before their time.
extension SessionLine {
    mutating func cancel(_ cancellation: Cancellation) -> [Effect] {
        switch cancellation {
        case .request(let number):
            return cancel(alsoAtFront: true) { $0.askers.contains { $0.request == number } }
        case .turn(let id, let asker):
            guard change(id, { $0.askers.append(asker) }) != nil else { return [] }
            return cancel(alsoAtFront: true) { $0.id == id }
        case .session(let client):
            return cancel(alsoAtFront: false) { $0.isAsked(by: client) } + interrupt()
        case .leave(let client):
            return cancel(alsoAtFront: true) { $0.isAskedOnly(by: client) }
        case .gone(let client):
            let out = cancel(alsoAtFront: true) { $0.endsWithAskers && $0.isAskedOnly(by: client) }
            forget(client: client)
            return out
        case .all: return cancel(alsoAtFront: true) { _ in true }
        }
    }

    /// Cancels those that are meant, wherever they stand.
    private mutating func cancel(alsoAtFront: Bool, _ isMeant: (Ticket) -> Bool) -> [Effect] {
        var out: [Effect] = []
        let waiting = queue.filter(isMeant)
        queue.removeAll { ticket in waiting.contains { $0.id == ticket.id } }
        for ticket in waiting { out += depart(ticket) }
        let coming = arriving.filter(isMeant)
        arriving.removeAll { ticket in coming.contains { $0.id == ticket.id } }
        for ticket in coming { out += refuse(ticket, .cancelledUnstored) }
        if alsoAtFront, let ticket = front?.ticket, isMeant(ticket) { out += interrupt() }
        return out + advance() + renumber()
    }

    /// Cuts what is at the front; its answer is kept as cancelled.
    mutating func interrupt() -> [Effect] {
        guard let front else { return [] }
        let id = front.ticket.id
        switch front.stage {
        case .preparing:
            self.front = nil
            let rest =
                front.ticket.storage == .absent
                ? refuse(front.ticket, .cancelledUnstored) : depart(front.ticket)
            return [.abandon(id)] + rest + advance()
        case .storing:
            self.front?.ticket.isCancelled = true
            return [.cancel(id)]
        case .running: return [.cancel(id)]
        case .ending: return []
        }
    }

    /// A client's askers keep nothing alive from now on.
    private mutating func forget(client: Int) {
        front?.ticket.forget(client: client)
        for index in queue.indices { queue[index].forget(client: client) }
        for index in arriving.indices { arriving[index].forget(client: client) }
        for index in departing.indices { departing[index].forget(client: client) }
    }
}
