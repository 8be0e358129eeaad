package import Protocol

/// Which of one client's requests may begin: those about one session keep their order, and hold up no other session's.
///
/// A request waits for those before it that reach the same: while one of them waits or looks, and if it looks itself also while
/// one of them changes what it would see. What is about no single session, a list or a turn, reaches all of them.
///
/// - Invariant: what `next` gives may begin; each request is given once, or began as it arrived.
/// - Invariant: what an event costs does not grow with the requests that wait: beyond `most` they only stand in line.
package struct RequestLanes {
    /// Requests that are looked over at an event.
    private static let most = 256

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
        /// Requests that wait or look: about whatever there is, about some session, about these.
        private(set) var isBlocked = false
        private var blocksSome = false
        private var blocked: Set<String> = []
        /// The same of changes that are not stored.
        private var isChanging = false
        private var changesSome = false
        private var changing: Set<String> = []

        mutating func add(_ request: Request) {
            let blocks = request.stage != .changing
            switch request.reach {
            case .any: if blocks { isBlocked = true } else { isChanging = true }
            case .sessions(let ids):
                if blocks { blocksSome = true } else { changesSome = true }
                if blocks { blocked.formUnion(ids) } else { changing.formUnion(ids) }
            }
        }

        func allows(_ order: RequestOrder, _ reach: RequestReach) -> Bool {
            if order == .overtakes { return true }
            if isBlocked { return false }
            switch reach {
            case .any: return !blocksSome && (order == .changes || !isChanging && !changesSome)
            case .sessions(let ids):
                if ids.contains(where: blocked.contains) { return false }
                return order == .changes || !isChanging && !ids.contains(where: changing.contains)
            }
        }
    }

    private var requests: [Request] = []
    /// Those that came when there were as many as are looked over, and where they begin.
    private var later: [Request] = []
    private var firstLater = 0
    /// Those of them that were given up.
    private var withdrawn: Set<Number> = []
    private var last: UInt64 = 0
    /// Whether nothing has happened since no request was found that may begin.
    private var isStill = true

    package init() {}

    /// Whether nothing waits, looks or changes.
    package var isEmpty: Bool { requests.isEmpty && firstLater == later.count }

    /// A request has come; the second value says whether it may begin at once.
    ///
    /// One that overtakes always may; what comes behind it waits for what it looks for.
    package mutating func arrived(_ order: RequestOrder, _ reach: RequestReach) -> (Number, begins: Bool) {
        last += 1
        let number = Number(number: last)
        if order == .free { return (number, true) }
        var request = Request(number: number, order: order, reach: reach, stage: .looking)
        if order == .overtakes || requests.isEmpty {
            requests.append(request)
            return (number, true)
        }
        guard firstLater == later.count, requests.count < RequestLanes.most else {
            request.stage = .waiting
            later.append(request)
            return (number, false)
        }
        var before = Before()
        for request in requests { before.add(request) }
        let begins = before.allows(order, reach)
        if !begins { request.stage = .waiting }
        requests.append(request)
        return (number, begins)
    }

    /// The oldest request that waits and may begin now; nil when there is none.
    package mutating func next() -> Number? {
        guard let index = nextIndex else {
            isStill = true
            return nil
        }
        requests[index].stage = .looking
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
            if before.isBlocked { return nil }
        }
        return nil
    }

    /// A request has looked; what changes nothing is done with that.
    package mutating func looked(_ number: Number) {
        guard let index = requests.firstIndex(where: { $0.number == number }) else { return }
        isStill = false
        if requests[index].order.isChange { requests[index].stage = .changing } else { remove(at: index) }
    }

    /// What a request changes is stored, or it was given up.
    package mutating func settled(_ number: Number) {
        if let index = requests.firstIndex(where: { $0.number == number }) {
            isStill = false
            remove(at: index)
        } else if firstLater < later.count, number.number >= later[firstLater].number.number {
            withdrawn.insert(number)
        }
    }

    private mutating func remove(at index: Int) {
        requests.remove(at: index)
        while requests.count < RequestLanes.most, firstLater < later.count {
            let request = later[firstLater]
            firstLater += 1
            if withdrawn.remove(request.number) == nil { requests.append(request) }
        }
        if firstLater == later.count {
            later = []
            firstLater = 0
            withdrawn = []
        } else if firstLater > 1_024, firstLater > later.count / 2 {
            later.removeFirst(firstLater)
            firstLater = 0
        }
    }
}
