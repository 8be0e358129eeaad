package import Protocol

/// Which of one client's requests may begin: those about one session keep their order, and hold up no other session's.
///
/// A request waits for those before it that reach the same: while one of them waits or looks, and if it looks itself also while
/// one of them changes what it would see.
///
/// - Invariant: what `next` gives may begin; each request is given once, or began as it arrived.
package struct RequestLanes {
    /// Names a request among those of its client.
    package struct Number: Hashable, Sendable {
        let number: UInt64
    }

    private enum Stage {
        case waiting
        /// It began, and looks what it is about.
        case looking
        /// What it changes is not stored yet.
        case changing
    }

    private struct Request {
        let number: Number
        let order: RequestOrder
        let reach: RequestReach
        var stage: Stage
    }

    /// What stands before a request, as far as it matters to it.
    private struct Before {
        var holdsAny = false, changesAny = false
        var holdsSome = false, changesSome = false
        var held: Set<String> = []
        var changed: Set<String> = []

        mutating func add(_ request: Request) {
            let holds = request.stage != .changing
            switch request.reach {
            case .any: if holds { holdsAny = true } else { changesAny = true }
            case .sessions(let ids):
                if holds { holdsSome = true } else { changesSome = true }
                if holds { held.formUnion(ids) } else { changed.formUnion(ids) }
            }
        }

        func allows(_ order: RequestOrder, _ reach: RequestReach) -> Bool {
            if holdsAny { return false }
            switch reach {
            case .any: return !holdsSome && (order == .changes || !changesAny && !changesSome)
            case .sessions(let ids):
                if ids.contains(where: held.contains) { return false }
                return order == .changes || !changesAny && !ids.contains(where: changed.contains)
            }
        }
    }

    private var requests: [Request] = []
    private var last: UInt64 = 0
    /// Whether nothing has happened since no request was found that may begin.
    private var isStill = true

    package init() {}

    /// Whether nothing waits, looks or changes.
    package var isEmpty: Bool { requests.isEmpty }

    /// A request has come; the second value says whether it may begin at once.
    package mutating func arrived(_ order: RequestOrder, _ reach: RequestReach) -> (Number, begins: Bool) {
        last += 1
        let number = Number(number: last)
        switch order {
        case .overtakes, .free: return (number, true)
        case .changes, .looks, .looksAndChanges: break
        }
        var before = Before()
        for request in requests { before.add(request) }
        let begins = before.allows(order, reach)
        requests.append(
            Request(
                number: number, order: order, reach: reach,
                stage: !begins ? .waiting : order == .changes ? .changing : .looking))
        return (number, begins)
    }

    /// The oldest request that waits and may begin now; nil when there is none.
    package mutating func next() -> Number? {
        guard let index = nextIndex else {
            isStill = true
            return nil
        }
        requests[index].stage = requests[index].order == .changes ? .changing : .looking
        return requests[index].number
    }

    /// Whether there is one.
    package mutating func hasNext() -> Bool {
        if isStill { return false }
        isStill = nextIndex == nil
        return !isStill
    }

    private var nextIndex: Int? {
        if isStill { return nil }
        var before = Before()
        for (index, request) in requests.enumerated() {
            if request.stage == .waiting, before.allows(request.order, request.reach) { return index }
            before.add(request)
            if before.holdsAny { return nil }
        }
        return nil
    }

    /// A request has looked; what changes nothing is done with that.
    package mutating func looked(_ number: Number) {
        guard let index = requests.firstIndex(where: { $0.number == number }) else { return }
        isStill = false
        if requests[index].order.isChange {
            requests[index].stage = .changing
        } else {
            requests.remove(at: index)
        }
    }

    /// What a request changes is stored, or it was given up.
    package mutating func settled(_ number: Number) {
        guard let index = requests.firstIndex(where: { $0.number == number }) else { return }
        isStill = false
        requests.remove(at: index)
    }
}
