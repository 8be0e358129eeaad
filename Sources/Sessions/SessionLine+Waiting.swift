internal import Conversation
internal import Protocol

/// What happens to the line as a whole.
extension SessionLine {
    mutating func editBegan(_ id: TurnID) -> [Effect] {
        change(id) { $0.edits += 1 }
        return []
    }

    mutating func edited(_ id: TurnID, _ bytes: Int?, _ hash: [UInt8]?) -> [Effect] {
        change(id) { ticket in
            ticket.edits -= 1
            guard let bytes else { return }
            ticket.bytes = bytes
            if let hash { ticket.key?.hash = hash }
            ticket.version += 1
        }
        return advance()
    }

    mutating func changePath(by count: Int) -> [Effect] {
        pathChanges += count
        return count < 0 ? advance() : []
    }

    /// Those that waited at the start come before those that came since.
    mutating func takenUp(_ tickets: [Ticket]) -> [Effect] {
        for ticket in tickets {
            var ticket = ticket
            ticket.isTakenUp = true
            queue.insert(ticket, at: queue.prefix { $0.isTakenUp }.count)
        }
        return advance()
    }

    /// Whether its first turn waits until others are answered.
    package var awaitsRoom: Bool { hold == .crowded }

    mutating func limitRaised() -> [Effect] {
        examination?.isOld = true
        return hold == nil ? [] : advance()
    }

    mutating func drain() -> [Effect] {
        isDraining = true
        var out: [Effect] = []
        if let front, front.stage == .preparing {
            // It goes back to where it came from, and is told so with the others.
            out.append(.abandon(front.ticket.id))
            self.front = nil
            if front.ticket.storage == .absent {
                out += refuse(front.ticket, .stopping)
            } else {
                queue.insert(front.ticket, at: 0)
            }
        }
        for index in queue.indices where queue[index].storage == .queued {
            // Those that wait for the next start.
            out += SessionLine.answer(&queue[index], .stopped)
        }
        return out
    }
}
